//! The compile-time half of [molos](https://docs.rs/molos). Programs depend on `molos`, which re-exports the macro and
//! documents it.

mod diagnostic;
mod directive;
mod expand;
mod explain;
mod input;
mod layout;
mod sandbox;
mod sections;
mod shadow;
mod source;
mod table;

use std::env;
use std::path::PathBuf;

use proc_macro2::TokenStream;

use crate::diagnostic::Diagnostic;
use crate::input::Input;
use crate::shadow::Shadow;

/// Embeds a directory of SQL migrations; documented at `molos::embed_migrations`.
#[proc_macro]
pub fn embed_migrations(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    match syn::parse::<Input>(input) {
        Ok(input) => embed(&input).into(),
        Err(error) => error.into_compile_error().into(),
    }
}

fn embed(input: &Input) -> TokenStream {
    let source = match manifest_directory() {
        Ok(manifest) => source::read(input, &manifest),
        Err(error) => return expand::errors(&[error], input.span),
    };
    let shadow = Shadow::rehearse(&source, input);
    let (models, errors) =
        shadow.and_then(|shadow| shadow.tables(input)).unwrap_or_else(|error| (Vec::new(), vec![error]));
    // With an error, what could be made of the rest is still given, so that its users do not all report it missing.
    let errors = expand::errors(&errors, input.span);
    let migrations = expand::migrations(&source, input);
    let tables = expand::tables(&models, &input.molos);
    quote::quote!(#errors #migrations #tables)
}

fn manifest_directory() -> Result<PathBuf, Diagnostic> {
    env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).ok_or_else(|| {
        Diagnostic::new("the environment variable CARGO_MANIFEST_DIR is not set")
            .help("compile with cargo, or set it to the directory that the migrations' path is relative to")
    })
}
