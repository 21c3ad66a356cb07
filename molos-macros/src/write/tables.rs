//! The typed tables: a struct for a row of each, and one to insert.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use syn::Path;

use crate::check::table::{KeyedSql, Table, ValueKind, WriteSql};
use crate::write::Library;
use crate::write::docs::{column_doc, new_column_doc, new_row_doc, table_doc};
use crate::write::model::{Field, Model};

/// The module of typed tables.
pub(crate) fn tables(models: &[Model], library: &Library, molos: &Path) -> TokenStream {
    let tables = models.iter().map(|model| {
        let (row, new) = (&model.row, &model.new);
        let module = format_ident!("__{row}");
        let table = table(model, library, molos);
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

fn table(model: &Model, library: &Library, molos: &Path) -> TokenStream {
    let Table { name, sql, .. } = &model.table;
    let row = &model.row;
    let columns = model.fields.iter().map(|field| &field.column.name);
    let doc = table_doc(&model.table);
    let fields = model.fields.iter().map(|field| {
        let (name, ty, doc) = (&field.name, owned_type(field, library), column_doc(&field.column));
        quote!(#[doc = #doc] pub #name: #ty)
    });
    let from_row = model.fields.iter().enumerate().map(|(i, field)| {
        let name = &field.name;
        let i = Literal::usize_unsuffixed(i);
        quote!(#name: row.get(#i)?)
    });
    let Library { row: library_row, result, .. } = library;
    let select = &sql.select;
    let keyed = sql.keyed.as_ref().map(|sql| keyed(model, sql, library, molos));
    let write = sql.write.as_ref().map(|sql| write(model, sql, library, molos));
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

            fn from_row(row: &#library_row<'_>) -> #result<Self> {
                ::core::result::Result::Ok(Self { #(#from_row),* })
            }
        }

        #keyed
        #write
    }
}

fn keyed(model: &Model, sql: &KeyedSql, library: &Library, molos: &Path) -> TokenStream {
    let row = &model.row;
    let KeyedSql { find, update, delete } = sql;
    let fields = model.key();
    let types: Vec<TokenStream> = fields
        .iter()
        .map(|field| {
            let ty = borrowed(field.column.kind, &quote!('k), library);
            if field.column.kind == ValueKind::Any { quote!(&'k #ty) } else { ty }
        })
        .collect();
    let values = fields.iter().map(|field| {
        let name = &field.name;
        match (field.column.kind, field.nullable) {
            (ValueKind::Integer | ValueKind::Real | ValueKind::Bool, false) => quote!(self.#name),
            (ValueKind::Integer | ValueKind::Real | ValueKind::Bool, true) => quote!(self.#name?),
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

fn write(model: &Model, sql: &WriteSql, library: &Library, molos: &Path) -> TokenStream {
    let Some(new) = &model.new else { return TokenStream::new() };
    let WriteSql { insert, insert_new } = sql;
    let parameter = &library.parameter;
    let row = &model.row;
    let names: Vec<_> = model.written().map(|field| &field.name).collect();
    let lifetime = model
        .written()
        .any(|field| matches!(field.column.kind, ValueKind::Text | ValueKind::Blob))
        .then(|| quote!(<'a>));
    let elided = lifetime.as_ref().map(|_| quote!(<'_>));
    let new_type = |field: &Field| {
        let ty = borrowed(field.column.kind, &quote!('a), library);
        if field.is_optional() { quote!(::core::option::Option<#ty>) } else { ty }
    };
    let fields = model.written().map(|field| {
        let (name, ty, doc) = (&field.name, new_type(field), new_column_doc(&field.column));
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
    let doc = new_row_doc(&model.table);

    quote! {
        impl #molos::Insert for #row {
            type Row = Self;
            const INSERT: &'static str = #insert;

            fn values(&self) -> ::std::vec::Vec<&dyn #parameter> {
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

            fn values(&self) -> ::std::vec::Vec<&dyn #parameter> {
                ::std::vec![#(&self.#names),*]
            }
        }
    }
}

fn owned_type(field: &Field, library: &Library) -> TokenStream {
    let ty = match field.column.kind {
        ValueKind::Text => quote!(::std::string::String),
        ValueKind::Blob => quote!(::std::vec::Vec<u8>),
        kind => borrowed(kind, &TokenStream::new(), library),
    };
    if field.nullable { quote!(::core::option::Option<#ty>) } else { ty }
}

fn borrowed(kind: ValueKind, lifetime: &TokenStream, library: &Library) -> TokenStream {
    match kind {
        ValueKind::Integer => quote!(i64),
        ValueKind::Real => quote!(f64),
        ValueKind::Bool => quote!(bool),
        ValueKind::Text => quote!(&#lifetime str),
        ValueKind::Blob => quote!(&#lifetime [u8]),
        ValueKind::Any => library.any.clone(),
    }
}
