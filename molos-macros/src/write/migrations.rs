//! `MIGRATIONS`: the static list of a directory's migrations.

use std::collections::BTreeSet;

use molos_runtime::__private::{VersionOrder, down_path};
use molos_runtime::{Fingerprint, ForeignKeys};
use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::Path;

use crate::check::Measured;
use crate::input::{Files, Input};
use crate::lint::finding::Loss;
use crate::read::file::{MigrationFile, Script};
use crate::read::lock::{self, Lock};
use crate::read::source::Source;
use crate::write::directory_test::directory_test;
use crate::write::docs::migrations_doc;

/// `MIGRATIONS`, and what keeps it in step with the directory.
pub(crate) fn migrations(
    source: &Source,
    measured: &Measured,
    engine_version: i32,
    lock: &Lock,
    input: &Input,
) -> TokenStream {
    let molos = &input.molos;
    let Source { directory, migrations, files, .. } = source;
    let set = &input.set;
    let mut text = String::new();
    let entries: Vec<_> = migrations
        .iter()
        .map(|file| {
            let fingerprint = measured.fingerprints.get(&file.version).copied().unwrap_or_default();
            entry(file, fingerprint, measured, &mut text, molos)
        })
        .collect();
    let doc = migrations_doc(source, &measured.unproven);
    let own = files.iter().map(String::as_str).chain(lock.file()).map(|file| format!("/{directory}/{file}"));
    let of_base = |base: &Source| -> Vec<String> {
        base.files.iter().map(|file| format!("/{}/{file}", base.directory)).collect()
    };
    let tracked = own.chain(source.bases.iter().flat_map(of_base));
    let after = source.bases.iter().filter_map(|it| base(it, molos));
    let table_prefix = &input.table_prefix;
    let engine_version = Literal::i32_unsuffixed(engine_version);
    let hooks =
        input.hooks.iter().map(|(version, run)| quote!(#molos::__private::StepHook { version: #version, run: #run }));
    let store_down = if migrations.iter().any(|file| file.down.is_some()) {
        quote!(::core::option::Option::Some(#molos::__private::stored_down))
    } else {
        quote!(::core::option::Option::None)
    };
    let order = version_order(source.order, molos);
    let file_names = file_names(&input.files, molos);
    let request = lock::REQUEST;
    let check = directory_test(source, input);
    quote! {
        #[doc = #doc]
        pub static MIGRATIONS: #molos::Migrations<'static> = #molos::Migrations::embedded(#molos::__private::Embedded {
            set: #set, directory: #directory, text: #text, entries: const { &[#(#entries),*] }, after: const { &[#(#after),*] }, table_prefix: #table_prefix,
            hooks: const { &[#(#hooks),*] }, store_down: #store_down, checked_on: #engine_version, order: #order,
            files: #file_names,
            manifest_dir: if ::core::cfg!(debug_assertions) {
                ::core::option::Option::Some(::core::env!("CARGO_MANIFEST_DIR"))
            } else {
                ::core::option::Option::None
            },
        });

        // Named so that an edit of one of these files compiles this crate again, and so does a request for a lock.
        const _: &[&[u8]] = &[
            #(::core::include_bytes!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #tracked))),*
        ];
        const _: ::core::option::Option<&::core::primitive::str> = ::core::option_env!(#request);

        #check
    }
}

fn file_names(files: &Files, molos: &Path) -> TokenStream {
    let files = match files {
        Files::Layout => quote!(Layout),
        Files::Pattern(pattern) => quote!(Pattern(#pattern)),
        Files::Listed(list) => quote!(Listed(const { &[#(#list),*] })),
    };
    quote!(#molos::__private::layout::FileNames::#files)
}

fn version_order(order: VersionOrder, molos: &Path) -> TokenStream {
    let order = match order {
        VersionOrder::Number => quote!(Number),
        VersionOrder::Text(width) => quote!(Text(#width)),
        VersionOrder::FileName(width) => quote!(FileName(#width)),
    };
    quote!(#molos::__private::VersionOrder::#order)
}

/// The last migration of a directory that this one comes after.
fn base(base: &Source, molos: &Path) -> Option<TokenStream> {
    let last = base.migrations.last()?;
    let (directory, name) = (&base.directory, last.name());
    let version = Literal::i64_unsuffixed(last.version);
    let checksum = Literal::byte_string(last.checksum.as_bytes());
    Some(quote! {
        #molos::__private::Base { directory: #directory, version: #version, name: #name, checksum: *#checksum }
    })
}

/// Adds a migration to the text of its directory, and says where it is.
fn entry(
    file: &MigrationFile,
    fingerprint: Fingerprint,
    measured: &Measured,
    text: &mut String,
    molos: &Path,
) -> TokenStream {
    let number = Literal::usize_unsuffixed;
    let version = Literal::i64_unsuffixed(file.version);
    let checksum = Literal::byte_string(file.checksum.as_bytes());
    let fingerprint = Literal::byte_string(fingerprint.as_bytes());
    let (start, path) = (number(text.len()), number(file.up.path.len()));
    let (name_start, name_len) = (number(file.name.start), number(file.name.len()));
    let down = file.down.as_ref();
    let (up_len, down_len) = (number(file.up.sql().len()), number(down.map_or(0, |down| down.sql().len())));
    let (up_line, down_line) = (file.up.line(), down.map_or(1, Script::line));
    let (up_line, down_line) = (Literal::u32_unsuffixed(up_line), Literal::u32_unsuffixed(down_line));
    let (up_keys, down_keys) = (keys(Some(&file.up)), keys(down));
    let up_no_transaction = file.up.directives.no_transaction;
    let down_no_transaction = down.is_some_and(|down| down.directives.no_transaction);
    let is_derived = |down: &&Script| down.path != file.up.path && down.path != down_path(&file.up.path);
    let own_down_path = match down {
        // A down migration that has no other file beside it has the path of both.
        Some(down) if down.path == file.up.path && down.range.start == 0 => down.path.as_str(),
        down => down.filter(is_derived).map_or("", |down| down.path.as_str()),
    };
    *text += &file.up.path;
    *text += own_down_path;
    let own_down_path = number(own_down_path.len());
    *text += &file.up.to_run();
    *text += &down.map(Script::to_run).unwrap_or_default();
    let up_blanked = file.up.blanked().map(|(offset, statement)| {
        let offset = number(offset);
        quote!((#offset, #statement))
    });
    let reason = file.up.directives.irreversible.as_deref();
    *text += reason.unwrap_or_default();
    let irreversible = optional(reason.map(|reason| number(reason.len())));
    let losses = measured.losses.get(&file.version);
    let (up_losses, down_losses) = losses.map(|losses| (lines(&losses.up), lines(&losses.down))).unwrap_or_default();
    *text += &up_losses;
    *text += &down_losses;
    let (up_losses, down_losses) = (number(up_losses.len()), number(down_losses.len()));
    let touched = optional(measured.touched.get(&file.version).map(|tables| {
        let tables = table_lines(tables);
        *text += &tables;
        number(tables.len())
    }));
    quote! {
        #molos::__private::Entry {
            version: #version, checksum: *#checksum, fingerprint: *#fingerprint, start: #start, path: #path, name: (#name_start, #name_len),
            up: #up_len, down: #down_len, irreversible: #irreversible, up_losses: #up_losses, down_losses: #down_losses, touched: #touched, down_path: #own_down_path, up_line: #up_line, down_line: #down_line,
            up_keys: #molos::ForeignKeys::#up_keys, down_keys: #molos::ForeignKeys::#down_keys,
            up_no_transaction: #up_no_transaction, down_no_transaction: #down_no_transaction,
            up_blanked: &[#(#up_blanked),*],
        }
    }
}

/// A table a line.
pub(crate) fn table_lines(tables: &BTreeSet<String>) -> String {
    tables.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
}

fn optional(number: Option<Literal>) -> TokenStream {
    match number {
        None => quote!(::core::option::Option::None),
        Some(number) => quote!(::core::option::Option::Some(#number)),
    }
}

/// A table a line, or a table and, behind a tab, a column.
pub(crate) fn lines(losses: &BTreeSet<Loss>) -> String {
    let line = |(table, column): &Loss| match column {
        None => format!("{table}\n"),
        Some(column) => format!("{table}\t{column}\n"),
    };
    losses.iter().map(line).collect()
}

fn keys(script: Option<&Script>) -> TokenStream {
    match script.and_then(|script| script.directives.foreign_keys).unwrap_or_default() {
        ForeignKeys::Off => quote!(Off),
        ForeignKeys::On => quote!(On),
    }
}
