//! What came of the files becomes Rust.

mod directory_test;
mod docs;
mod markdown;
pub(crate) mod migrations;
pub(crate) mod model;
mod tables;

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{LitInt, LitStr, Path};

use crate::diagnostic::Diagnostic;
use crate::input::Input;
use crate::read::source::Source;

pub(crate) use migrations::migrations;
pub(crate) use tables::tables;

/// What generated code names of the library by which it talks to the database.
pub(crate) struct Library {
    /// A row that a query returned, with a lifetime left out.
    pub(crate) row: TokenStream,
    /// What reading a row returns.
    pub(crate) result: TokenStream,
    /// A value that a statement takes.
    pub(crate) parameter: TokenStream,
    /// A value of any type.
    pub(crate) any: TokenStream,
}

/// What is wrong, as the compiler says it.
pub(crate) fn errors(errors: &[Diagnostic], span: Span) -> TokenStream {
    errors
        .iter()
        .map(|error| {
            let text = error.render();
            quote_spanned!(span=> ::core::compile_error!(#text);)
        })
        .collect()
}

/// What may be wrong, as the compiler says it of something deprecated: there is no stable way to warn otherwise.
pub(crate) fn warnings(warnings: &[Diagnostic], span: Span) -> TokenStream {
    warnings
        .iter()
        .map(|warning| {
            let text = warning.render();
            quote_spanned! {span=>
                const _: () = {
                    #[deprecated(note = #text)]
                    const MIGRATION: () = ();
                    MIGRATION
                };
            }
        })
        .collect()
}

/// The rows that the program gives for a table, and that are not taken.
pub(crate) fn misfits(misfits: &BTreeMap<String, String>, input: &Input) -> TokenStream {
    let error = |(table, sql): &(LitStr, LitStr)| {
        let problem = misfits.get(&table.value().to_ascii_lowercase())?;
        let text = format!("`rows` gives a row for `{}` that cannot be inserted: {problem}", table.value());
        Some(syn::Error::new(sql.span(), text).into_compile_error())
    };
    input.rows.iter().filter_map(error).collect()
}

/// The hooks of versions that there are not.
pub(crate) fn unknown_hooks(source: &Source, input: &Input) -> TokenStream {
    let is_there = |version: &LitInt| {
        version.base10_parse().is_ok_and(|version: i64| source.migrations.iter().any(|file| file.version == version))
    };
    let unknown = input.hooks.iter().filter(|(version, _)| !is_there(version));
    let error = |(version, _): &(LitInt, Path)| {
        let text = format!("`hooks` names version {version}, and `{}` has no such migration", source.directory);
        syn::Error::new(version.span(), text).into_compile_error()
    };
    unknown.map(error).collect()
}
