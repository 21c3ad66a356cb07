//! The tables of the finished schema, with the types that values in them have.

use molos_runtime::rusqlite::{Connection, Result};
use molos_runtime::sqlite::catalog::{self, Catalog, Kind};

use crate::check::table::{Column, Table, Unreadable, ValueKind};
use crate::sqlite::affinity::{Affinity, affinity};
use crate::sqlite::statements::statements;

/// Reads the tables and views of a database.
pub(super) fn read(conn: &Connection) -> Result<(Vec<Table>, Vec<Unreadable>)> {
    let Catalog { tables, unreadable, .. } = Catalog::read(conn)?;
    let unreadable =
        unreadable.into_iter().map(|it| Unreadable { name: it.name, reason: it.source.to_string() }).collect();
    Ok((tables.into_iter().map(table).collect(), unreadable))
}

fn table(table: catalog::Table) -> Table {
    let catalog::Table { name, kind, sql: definition, columns, .. } = table;
    let columns: Vec<Column> = columns.into_iter().map(column).collect();
    let sql = statements(&name, &columns, kind);
    let what = match kind {
        Kind::Table => "table",
        Kind::View => "view",
        _ => "virtual table",
    };
    Table { name, what, definition, columns, sql }
}

fn column(column: catalog::Column) -> Column {
    let catalog::Column { name, declared_type, not_null, default, key, rowid, generated, .. } = column;
    let kind = value_kind(&declared_type);
    Column { name, declared_type, kind, not_null, default, key, numbered: rowid, generated }
}

fn value_kind(declared: &str) -> ValueKind {
    let declared = declared.to_ascii_lowercase();
    match affinity(&declared) {
        _ if declared == "boolean" || declared == "bool" => ValueKind::Bool,
        Affinity::Integer => ValueKind::Integer,
        Affinity::Text => ValueKind::Text,
        Affinity::Blob if !declared.is_empty() => ValueKind::Blob,
        Affinity::Real => ValueKind::Real,
        Affinity::Blob | Affinity::Numeric => ValueKind::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_from_what_was_declared() {
        let kinds = [
            ("BOOLEAN", ValueKind::Bool),
            ("bool", ValueKind::Bool),
            ("BIGINT", ValueKind::Integer),
            ("FLOATING POINT", ValueKind::Integer),
            ("VARCHAR(255)", ValueKind::Text),
            ("BLOB", ValueKind::Blob),
            ("DOUBLE PRECISION", ValueKind::Real),
            ("DATETIME", ValueKind::Any),
            ("", ValueKind::Any),
        ];
        for (declared, kind) in kinds {
            assert_eq!(value_kind(declared), kind, "{declared}");
        }
    }
}
