//! What the documentation says of generated items.

use std::fmt::Write as _;

use crate::check::Unproven;
use crate::check::table::Column;
use crate::read::source::Source;

pub(super) fn migrations_doc(source: &Source, unproven: &[Unproven]) -> String {
    let mut doc = format!(
        "The migrations of `{}`.\n\n| version | name | down migration |\n| --- | --- | --- |\n",
        source.directory
    );
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

/// What was declared of a column: `id TEXT NOT NULL`.
pub(super) fn column_doc(column: &Column) -> String {
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

pub(super) fn new_column_doc(column: &Column) -> String {
    let left_out = match &column.default {
        Some(default) => format!("; `None` is its default, `{}`", default.replace('`', "'")),
        None if column.numbered => "; `None` is the next free number".to_owned(),
        None if !column.not_null => "; `None` is `NULL`".to_owned(),
        None => String::new(),
    };
    column_doc(column) + &left_out
}
