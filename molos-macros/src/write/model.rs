//! The model of a table's Rust side: which struct, which fields, which types.

use std::collections::BTreeMap;

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};
use proc_macro2::{Ident, Span};
use syn::LitStr;

use crate::check::table::{Column, Table, ValueKind};
use crate::diagnostic::{Diagnostic, list};

/// A table and the structs that are generated for it.
pub(crate) struct Model {
    pub(crate) table: Table,
    /// The struct of a row.
    pub(crate) row: Ident,
    /// The struct that is inserted; `None` for what cannot be written.
    pub(crate) new: Option<Ident>,
    /// One for each column.
    pub(crate) fields: Vec<Field>,
}

impl Model {
    /// The fields of the primary key, in the key's order; empty where rows cannot be found by one.
    pub(crate) fn key(&self) -> Vec<&Field> {
        let mut key: Vec<_> = self.fields.iter().filter(|field| field.column.key > 0).collect();
        key.sort_by_key(|field| field.column.key);
        key
    }

    /// The fields that can be written.
    pub(crate) fn written(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| !field.column.generated)
    }
}

/// A column and the field that holds it.
pub(crate) struct Field {
    pub(crate) column: Column,
    pub(crate) name: Ident,
    pub(crate) nullable: bool,
}

impl Field {
    /// Whether the database fills it in when an insert leaves it out.
    pub(crate) fn is_optional(&self) -> bool {
        self.column.numbered || !self.column.not_null || self.column.default.is_some()
    }
}

/// The structs for `tables`. What Rust cannot name is left out, with an error each.
pub(crate) fn models(tables: Vec<Table>, rename: &[(LitStr, Ident)]) -> (Vec<Model>, Vec<Diagnostic>) {
    let mut names = Names { rename, used: vec![false; rename.len()], errors: Vec::new() };
    let mut models = Vec::new();
    for table in tables {
        let Some(row) = names.of(&table.name, &table.name, &table.name.to_upper_camel_case()) else { continue };
        let mut fields = Vec::new();
        for column in &table.columns {
            let full = format!("{}.{}", table.name, column.name);
            let Some(name) = names.of(&full, &column.name, &column.name.to_snake_case()) else { continue };
            let nullable = column.kind != ValueKind::Any && !column.not_null && !column.numbered;
            fields.push(Field { column: column.clone(), name, nullable });
        }
        if !names.tells_apart(&table, &fields) {
            continue;
        }
        let new = table.sql.write.as_ref().map(|_| Ident::new(&format!("New{row}"), Span::call_site()));
        models.push(Model { table, row, new, fields });
    }
    names.check_structs(&mut models);
    names.check_used();
    (models, names.errors)
}

struct Names<'r> {
    rename: &'r [(LitStr, Ident)],
    used: Vec<bool>,
    errors: Vec<Diagnostic>,
}

impl Names<'_> {
    /// The Rust name for `full` (a table, or `table.column`), whose own last part is `name`.
    fn of(&mut self, full: &str, name: &str, cased: &str) -> Option<Ident> {
        if let Some(at) = self.rename.iter().position(|(from, _)| from.value().eq_ignore_ascii_case(full)) {
            self.used[at] = true;
            return Some(self.rename[at].1.clone());
        }
        let ident = identifier(cased);
        if ident.is_none() {
            self.errors.push(
                Diagnostic::new(format!("`{name}` cannot be made into a name in Rust"))
                    .help(format!("name it yourself: `rename = {{ \"{full}\" => … }}`")),
            );
        }
        ident
    }

    fn tells_apart(&mut self, table: &Table, fields: &[Field]) -> bool {
        let mut columns: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for field in fields {
            columns.entry(field.name.to_string()).or_default().push(&field.column.name);
        }
        columns.retain(|_, columns| columns.len() > 1);
        for (field, columns) in &columns {
            let error = Diagnostic::new(format!(
                "the columns {} of `{}` would all be the field `{field}`",
                list(columns),
                table.name
            ));
            let example = format!("rename = {{ \"{}.{}\" => {field}_2 }}", table.name, columns[1]);
            self.errors.push(error.help(format!("give one of them another name: `{example}`")));
        }
        columns.is_empty()
    }

    fn check_structs(&mut self, models: &mut Vec<Model>) {
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for model in models.iter() {
            for ident in std::iter::once(&model.row).chain(&model.new) {
                tables.entry(ident.to_string()).or_default().push(model.table.name.clone());
            }
        }
        tables.retain(|_, tables| tables.len() > 1);
        models.retain(|model| !tables.values().flatten().any(|table| *table == model.table.name));
        for (name, tables) in tables {
            let error = Diagnostic::new(format!("{} would both have a struct `{name}`", list(&tables)));
            self.errors
                .push(error.help(format!("give one of them another name: `rename = {{ \"{}\" => … }}`", tables[1])));
        }
    }

    fn check_used(&mut self) {
        for ((from, _), used) in self.rename.iter().zip(&self.used) {
            if !used {
                let from = from.value();
                self.errors.push(
                    Diagnostic::new(format!("`rename` names `{from}`, and the schema has no such table or column"))
                        .help("a table is written `\"table\"`, a column `\"table.column\"`"),
                );
            }
        }
    }
}

/// `name` as an identifier: raw if it is a keyword, with an underscore before a digit.
fn identifier(name: &str) -> Option<Ident> {
    let name = if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name.to_owned() };
    if let Ok(ident) = syn::parse_str::<Ident>(&name) {
        return Some(Ident::new(&ident.to_string(), Span::call_site()));
    }
    // `self` and its like cannot be raw.
    let ident = syn::parse_str::<Ident>(&format!("r#{name}")).or_else(|_| syn::parse_str(&format!("{name}_"))).ok()?;
    (name != "_").then_some(ident)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_can_be_one_is_an_identifier() {
        let names = [
            ("type", "r#type"),
            ("2fa", "_2fa"),
            ("self", "self_"),
            ("größe", "größe"),
            ("naïve", "naïve"),
            ("Self", "Self_"),
        ];
        for (name, expected) in names {
            assert_eq!(identifier(name).map(|ident| ident.to_string()).as_deref(), Some(expected));
        }
        for name in ["", "_", "a b", "😀", "a\u{0}"] {
            assert_eq!(identifier(name), None, "{name}");
        }
    }
}
