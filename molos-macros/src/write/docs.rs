//! What the documentation says of generated items.

use std::fmt::Write as _;

use crate::check::Unproven;
use crate::check::table::{Column, Table};
use crate::read::source::Source;
use crate::write::markdown::{code, prose, sql_block};

pub(super) fn migrations_doc(source: &Source, unproven: &[Unproven]) -> String {
    let mut doc = format!(
        "The migrations of {}.\n\n| version | name | down migration |\n| --- | --- | --- |\n",
        code(&source.directory)
    );
    for file in &source.migrations {
        let down = match (&file.down, &file.up.directives.irreversible) {
            (Some(_), _) => "yes",
            (None, Some(_)) => "irreversible",
            (None, None) => "no",
        };
        let _ = writeln!(doc, "| {} | {} | {down} |", file.version, prose(file.name()));
    }
    if !unproven.is_empty() {
        doc +=
            "\n# Not tried with rows\n\nThese were tried on empty tables only.\n\n| version | why |\n| --- | --- |\n";
    }
    for Unproven { version, reason } in unproven {
        let _ = writeln!(doc, "| {version} | {} |", prose(reason));
    }
    doc
}

/// What was declared of a column: `id TEXT NOT NULL`.
pub(super) fn column_doc(column: &Column) -> String {
    let mut declaration = column.name.clone();
    if !column.declared_type.is_empty() {
        let _ = write!(declaration, " {}", column.declared_type);
    }
    if column.not_null {
        declaration += " NOT NULL";
    }
    if let Some(default) = &column.default {
        let _ = write!(declaration, " DEFAULT {default}");
    }
    let mut doc = code(&declaration);
    if column.key > 0 {
        doc += ", in the primary key";
    }
    if column.generated {
        doc += ", generated";
    }
    doc
}

pub(super) fn new_column_doc(column: &Column) -> String {
    let left_out = match &column.default {
        Some(default) => format!("; `None` is its default, {}", code(default)),
        None if column.numbered => "; `None` is the next free number".to_owned(),
        None if !column.not_null => "; `None` is `NULL`".to_owned(),
        None => String::new(),
    };
    column_doc(column) + &left_out
}

pub(super) fn table_doc(table: &Table) -> String {
    format!("A row of the {} {}.\n\n{}", table.what, code(&table.name), sql_block(&table.definition))
}

pub(super) fn new_row_doc(table: &Table) -> String {
    format!("A row to insert into the table {}. What is `None` is left to the database.", code(&table.name))
}
