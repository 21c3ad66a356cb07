//! The model becomes Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use molos_runtime::catalog::Kind;
use molos_runtime::{Fingerprint, ForeignKeys};
use proc_macro2::{Literal, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{LitInt, LitStr, Path};

use crate::diagnostic::Diagnostic;
use crate::file::{MigrationFile, Script, Source};
use crate::finding::Taking;
use crate::input::Input;
use crate::lock::{self, Lock};
use crate::rehearsed::{Fingerprints, Takes, Unproven};
use crate::statements::{KeyedSql, Sql, WriteSql};
use crate::table::{Field, FieldKind, Model};

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

/// `MIGRATIONS`, and what keeps it in step with the directory.
pub(crate) fn migrations(
    source: &Source,
    fingerprints: &Fingerprints,
    takes: &BTreeMap<i64, Takes>,
    unproven: &[Unproven],
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
            let fingerprint = fingerprints.get(&file.version).copied().unwrap_or_default();
            entry(file, fingerprint, takes.get(&file.version), &mut text, molos)
        })
        .collect();
    let doc = migrations_doc(source, unproven);
    let own = files.iter().map(String::as_str).chain(lock.file()).map(|file| format!("/{directory}/{file}"));
    let of_base = |base: &Source| -> Vec<String> {
        base.files.iter().map(|file| format!("/{}/{file}", base.directory)).collect()
    };
    let tracked = own.chain(source.bases.iter().flat_map(of_base));
    let after = source.bases.iter().filter_map(|it| base(it, molos));
    let table_prefix = &input.table_prefix;
    let rehearsed_on = Literal::i32_unsuffixed(molos_runtime::rusqlite::version_number());
    let hooks = input.hooks.iter().map(|(version, run)| quote!(#molos::StepHook { version: #version, run: #run }));
    let request = lock::REQUEST;
    let check = directory_test(source, input);
    quote! {
        #[doc = #doc]
        pub static MIGRATIONS: #molos::Migrations<'static> = #molos::Migrations::embedded(#molos::Embedded {
            set: #set, directory: #directory, text: #text, entries: const { &[#(#entries),*] }, after: const { &[#(#after),*] }, table_prefix: #table_prefix,
            hooks: const { &[#(#hooks),*] }, rehearsed_on: #rehearsed_on,
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

/// The last migration of a directory that this one comes after.
fn base(base: &Source, molos: &Path) -> Option<TokenStream> {
    let last = base.migrations.last()?;
    let (directory, name) = (&base.directory, last.name());
    let version = Literal::i64_unsuffixed(last.version);
    let checksum = Literal::byte_string(last.checksum.as_bytes());
    Some(quote! {
        #molos::Base { directory: #directory, version: #version, name: #name, checksum: *#checksum }
    })
}

/// Adds a migration to the text of its directory, and says where it is.
fn entry(
    file: &MigrationFile,
    fingerprint: Fingerprint,
    takes: Option<&Takes>,
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
    let up_outside = file.up.directives.no_transaction;
    let down_outside = down.is_some_and(|down| down.directives.no_transaction);
    *text += &file.up.path;
    *text += file.up.sql();
    *text += down.map_or("", Script::sql);
    let reason = file.up.directives.irreversible.as_deref();
    *text += reason.unwrap_or_default();
    let irreversible = match reason.map(|reason| number(reason.len())) {
        None => quote!(::core::option::Option::None),
        Some(len) => quote!(::core::option::Option::Some(#len)),
    };
    let (up_takes, down_takes) = takes.map(|takes| (lines(&takes.up), lines(&takes.down))).unwrap_or_default();
    *text += &up_takes;
    *text += &down_takes;
    let (up_takes, down_takes) = (number(up_takes.len()), number(down_takes.len()));
    quote! {
        #molos::Entry {
            version: #version, checksum: *#checksum, fingerprint: *#fingerprint, start: #start, path: #path, name: (#name_start, #name_len),
            up: #up_len, down: #down_len, irreversible: #irreversible, up_takes: #up_takes, down_takes: #down_takes, up_line: #up_line, down_line: #down_line,
            up_keys: #molos::ForeignKeys::#up_keys, down_keys: #molos::ForeignKeys::#down_keys,
            up_outside: #up_outside, down_outside: #down_outside,
        }
    }
}

/// A table a line, or a table and, behind a tab, a column.
fn lines(taken: &BTreeSet<Taking>) -> String {
    let line = |(table, column): &Taking| match column {
        None => format!("{table}\n"),
        Some(column) => format!("{table}\t{column}\n"),
    };
    taken.iter().map(line).collect()
}

fn keys(script: Option<&Script>) -> TokenStream {
    match script.and_then(|script| script.directives.foreign_keys).unwrap_or_default() {
        ForeignKeys::Off => quote!(Off),
        ForeignKeys::On => quote!(On),
    }
}

fn migrations_doc(source: &Source, unproven: &[Unproven]) -> String {
    let mut doc =
        format!("The migrations of `{}`.\n\n| version | name | way back |\n| --- | --- | --- |\n", source.directory);
    for file in &source.migrations {
        let down = match (&file.down, &file.up.directives.irreversible) {
            (Some(_), _) => "yes",
            (None, Some(_)) => "irreversible",
            (None, None) => "no",
        };
        let _ = writeln!(doc, "| {} | {} | {down} |", file.version, file.name().replace('|', "\\|"));
    }
    if !unproven.is_empty() {
        doc +=
            "\n# Not tried with rows\n\nThese were tried on empty tables only.\n\n| version | why |\n| --- | --- |\n";
    }
    for Unproven { version, reason } in unproven {
        let _ = writeln!(doc, "| {version} | {} |", reason.replace('|', "\\|").replace('\n', " "));
    }
    doc
}

/// A test for the one thing that the compiler cannot see: a file that came into the directory after the last build.
fn directory_test(source: &Source, input: &Input) -> TokenStream {
    let directory = format!("/{}", source.directory);
    let known = source.files.iter().cloned().chain(input.ignore.iter().map(LitStr::value));
    let help = format!(
        "is not in this binary; write `println!(\"cargo::rerun-if-changed={}\");` in build.rs, so that cargo sees new files",
        source.directory
    );
    quote! {
        #[cfg(test)]
        mod molos_directory {
            #[test]
            fn every_migration_is_in_this_binary() {
                let directory = ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #directory);
                let known: &[&str] = &[#(#known),*];
                let list = |folder: &::std::path::Path| {
                    let entries = ::std::fs::read_dir(folder).into_iter().flatten().flatten();
                    entries.map(|entry| entry.path()).collect::<::std::vec::Vec<_>>()
                };
                let name = |path: &::std::path::Path| {
                    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
                };
                for path in list(::std::path::Path::new(directory)) {
                    let mut found = ::std::vec![name(&path)];
                    if path.is_dir() {
                        found = list(&path).iter().map(|file| ::std::format!("{}/{}", found[0], name(file))).collect();
                    }
                    for file in found {
                        let hidden = file.split('/').any(|part| part.starts_with('.'));
                        let new = file.ends_with(".sql") && !hidden && !known.contains(&file.as_str());
                        ::core::assert!(!new, "`{file}` {}", #help);
                    }
                }
            }
        }
    }
}

/// The module of typed tables.
pub(crate) fn tables(models: &[Model], molos: &Path) -> TokenStream {
    let tables = models.iter().map(|model| {
        let (row, new) = (&model.row, &model.new);
        let module = format_ident!("__{row}");
        let table = table(model, molos);
        // A module each, so that a new table does not make the compiler check all of them again.
        quote! {
            mod #module {
                #table
            }
            pub use #module::{#row, #new};
        }
    });
    quote! {
        /// The tables and views of the schema that the migrations lead to.
        #[allow(dead_code, non_snake_case, unreachable_pub, unused_imports, clippy::all, clippy::pedantic)]
        pub mod tables {
            #(#tables)*
        }
    }
}

fn table(model: &Model, molos: &Path) -> TokenStream {
    let sql = Sql::of(model);
    let row = &model.row;
    let name = &model.table.name;
    let columns = model.fields.iter().map(|field| &field.column.name);
    let what = match model.table.kind {
        Kind::Table => "table",
        Kind::View => "view",
        Kind::Virtual => "virtual table",
    };
    let doc = format!("A row of the {what} `{name}`.\n\n````sql\n{}\n````", model.table.sql);
    let fields = model.fields.iter().map(|field| {
        let (name, ty, doc) = (&field.name, owned_type(field, molos), column_doc(field));
        quote!(#[doc = #doc] pub #name: #ty)
    });
    let from_row = model.fields.iter().enumerate().map(|(i, field)| {
        let name = &field.name;
        let i = Literal::usize_unsuffixed(i);
        quote!(#name: row.get(#i)?)
    });
    let select = &sql.select;
    let keyed = sql.keyed.as_ref().map(|sql| keyed(model, sql, molos));
    let write = sql.write.as_ref().map(|sql| write(model, sql, molos));
    quote! {
        #[doc = #doc]
        #[derive(::core::clone::Clone, ::core::fmt::Debug, ::core::cmp::PartialEq)]
        pub struct #row {
            #(#fields),*
        }

        impl #molos::Table for #row {
            const NAME: &'static str = #name;
            const COLUMNS: &'static [&'static str] = &[#(#columns),*];
            const SELECT: &'static str = #select;

            fn from_row(row: &#molos::rusqlite::Row<'_>) -> #molos::rusqlite::Result<Self> {
                ::core::result::Result::Ok(Self { #(#from_row),* })
            }
        }

        #keyed
        #write
    }
}

fn keyed(model: &Model, sql: &KeyedSql, molos: &Path) -> TokenStream {
    let row = &model.row;
    let KeyedSql { find, update, delete } = sql;
    let fields = model.key();
    let types: Vec<TokenStream> = fields
        .iter()
        .map(|field| match field.kind {
            FieldKind::Value => quote!(&'k #molos::rusqlite::types::Value),
            kind => borrowed(kind, &quote!('k), molos),
        })
        .collect();
    let values = fields.iter().map(|field| {
        let name = &field.name;
        match (field.kind, field.nullable) {
            (FieldKind::Integer | FieldKind::Real | FieldKind::Bool, false) => quote!(self.#name),
            (FieldKind::Integer | FieldKind::Real | FieldKind::Bool, true) => quote!(self.#name?),
            (_, false) => quote!(&self.#name),
            (_, true) => quote!(self.#name.as_deref()?),
        }
    });
    let (key, value) = if let [only] = types.as_slice() {
        (quote!(#only), quote!(#(#values)*))
    } else {
        (quote!((#(#types),*)), quote!((#(#values),*)))
    };
    quote! {
        impl #molos::Keyed for #row {
            type Key<'k> = #key;
            const FIND: &'static str = #find;
            const UPDATE: &'static str = #update;
            const DELETE: &'static str = #delete;

            fn key(&self) -> ::core::option::Option<Self::Key<'_>> {
                ::core::option::Option::Some(#value)
            }
        }
    }
}

fn write(model: &Model, sql: &WriteSql, molos: &Path) -> TokenStream {
    let Some(new) = &model.new else { return TokenStream::new() };
    let WriteSql { insert, insert_new } = sql;
    let row = &model.row;
    let names: Vec<_> = model.written().map(|field| &field.name).collect();
    let lifetime =
        model.written().any(|field| matches!(field.kind, FieldKind::Text | FieldKind::Blob)).then(|| quote!(<'a>));
    let elided = lifetime.as_ref().map(|_| quote!(<'_>));
    let new_type = |field: &Field| {
        let ty = borrowed(field.kind, &quote!('a), molos);
        if field.is_optional() { quote!(::core::option::Option<#ty>) } else { ty }
    };
    let fields = model.written().map(|field| {
        let (name, ty, doc) = (&field.name, new_type(field), new_column_doc(field));
        quote!(#[doc = #doc] pub #name: #ty)
    });
    let required: Vec<&Field> = model.written().filter(|field| !field.is_optional()).collect();
    let parameters = required.iter().map(|field| {
        let (name, ty) = (&field.name, new_type(field));
        quote!(#name: #ty)
    });
    let set = model.written().map(|field| {
        let name = &field.name;
        if field.is_optional() { quote!(#name: ::core::option::Option::None) } else { quote!(#name) }
    });
    let default = required.is_empty().then(|| {
        quote! {
            impl #lifetime ::core::default::Default for #new #lifetime {
                fn default() -> Self {
                    Self::new()
                }
            }
        }
    });
    let doc = format!("A row to insert into the table `{}`. What is `None` is left to the database.", model.table.name);

    quote! {
        impl #molos::Insert for #row {
            type Row = Self;
            const INSERT: &'static str = #insert;

            fn values(&self) -> ::std::vec::Vec<&dyn #molos::rusqlite::ToSql> {
                ::std::vec![#(&self.#names),*]
            }
        }

        #[doc = #doc]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        pub struct #new #lifetime {
            #(#fields),*
        }

        impl #lifetime #new #lifetime {
            /// A row with what the database cannot fill in, in the order of the columns.
            #[must_use]
            pub fn new(#(#parameters),*) -> Self {
                Self { #(#set),* }
            }
        }

        #default

        impl #molos::Insert for #new #elided {
            type Row = #row;
            const INSERT: &'static str = #insert_new;

            fn values(&self) -> ::std::vec::Vec<&dyn #molos::rusqlite::ToSql> {
                ::std::vec![#(&self.#names),*]
            }
        }
    }
}

fn owned_type(field: &Field, molos: &Path) -> TokenStream {
    let ty = match field.kind {
        FieldKind::Text => quote!(::std::string::String),
        FieldKind::Blob => quote!(::std::vec::Vec<u8>),
        kind => borrowed(kind, &TokenStream::new(), molos),
    };
    if field.nullable { quote!(::core::option::Option<#ty>) } else { ty }
}

fn borrowed(kind: FieldKind, lifetime: &TokenStream, molos: &Path) -> TokenStream {
    match kind {
        FieldKind::Integer => quote!(i64),
        FieldKind::Real => quote!(f64),
        FieldKind::Bool => quote!(bool),
        FieldKind::Text => quote!(&#lifetime str),
        FieldKind::Blob => quote!(&#lifetime [u8]),
        FieldKind::Value => quote!(#molos::rusqlite::types::Value),
    }
}

/// What was declared of a column: `id TEXT NOT NULL`.
fn column_doc(field: &Field) -> String {
    let column = &field.column;
    let mut doc = format!("`{}", column.name.replace('`', "'"));
    if !column.declared_type.is_empty() {
        let _ = write!(doc, " {}", column.declared_type);
    }
    if column.not_null {
        doc += " NOT NULL";
    }
    if let Some(default) = &column.default {
        let _ = write!(doc, " DEFAULT {}", default.replace('`', "'"));
    }
    doc += "`";
    if column.key > 0 {
        doc += ", in the primary key";
    }
    if column.generated {
        doc += ", generated";
    }
    doc
}

fn new_column_doc(field: &Field) -> String {
    let left_out = match &field.column.default {
        Some(default) => format!("; `None` is its default, `{}`", default.replace('`', "'")),
        None if field.column.rowid => "; `None` is the next free number".to_owned(),
        None if !field.column.not_null => "; `None` is `NULL`".to_owned(),
        None => String::new(),
    };
    column_doc(field) + &left_out
}
