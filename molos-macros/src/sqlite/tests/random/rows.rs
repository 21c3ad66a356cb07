//! Rows of users, which are made up without regard to what the macro makes up: twins, keys that refer to nothing, and
//! values of other types than declared.

use std::collections::BTreeMap;

use molos_runtime::rusqlite::types::Value;
use molos_runtime::rusqlite::{Connection, Result, params_from_iter};
use proptest::collection::vec;
use proptest::prelude::*;

use super::schema::{Id, Schema, quoted};

/// A table, and the places of values.
pub(super) type RowSeed = (usize, Vec<usize>);

fn values() -> Vec<Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        text("a"),
        Value::Null,
        Value::Integer(1),
        Value::Integer(2),
        text("A"),
        text("a "),
        text("b"),
        text(""),
        text("007"),
        text("x"),
        Value::Real(1.5),
        Value::Integer(0),
        Value::Integer(9_007_199_254_740_993),
        text("É"),
        Value::Blob(b"a".to_vec()),
    ]
}

pub(super) fn rows() -> impl Strategy<Value = Vec<RowSeed>> {
    vec((0..4_usize, vec(0..values().len(), 1..4)), 0..12)
}

/// Puts in what the database takes.
pub(super) fn insert(conn: &Connection, schema: &Schema, rows: &[RowSeed]) -> Result<()> {
    conn.pragma_update(None, "foreign_keys", false)?;
    let values = values();
    for (at, places) in rows {
        let Some(table) = schema.pick(*at) else { continue };
        let columns: Vec<String> = table.written().map(|column| quoted(&column.name)).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT OR IGNORE INTO {} ({}) VALUES ({marks})", quoted(&table.name), columns.join(", "));
        let row = (0..columns.len()).map(|at| &values[places[at % places.len()]]);
        // What is of no use to a table, it refuses.
        let _ = conn.execute(&insert, params_from_iter(row));
    }
    Ok(())
}

/// Whether rows refer to nothing.
pub(super) fn dangle(conn: &Connection) -> bool {
    conn.prepare("PRAGMA foreign_key_check").and_then(|mut check| check.exists([])).unwrap_or_default()
}

/// The rows of a table: a value for each of its columns.
pub(super) type Rows = Vec<BTreeMap<Id, Value>>;

/// The rows of all tables.
pub(super) fn read(conn: &Connection, schema: &Schema) -> Result<BTreeMap<Id, Rows>> {
    let read = |table: &super::schema::Table| {
        let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        let sql = format!("SELECT {} FROM {}", columns.join(", "), quoted(&table.name));
        let mut statement = conn.prepare(&sql)?;
        let row = |row: &molos_runtime::rusqlite::Row<'_>| {
            table.columns.iter().enumerate().map(|(at, column)| Ok((column.id, row.get(at)?))).collect()
        };
        let rows = statement.query_map([], row)?.collect::<Result<Rows>>()?;
        Ok((table.id, rows))
    };
    schema.tables.iter().map(read).collect()
}

/// The whole database as text, but when and how long migrations ran.
pub(super) fn dump(conn: &Connection) -> Result<Vec<String>> {
    let lines = |sql: &str| -> Result<Vec<String>> {
        let mut statement = conn.prepare(sql)?;
        let width = statement.column_count();
        let names =
            (0..width).map(|at| statement.column_name(at).map(ToOwned::to_owned)).collect::<Result<Vec<_>>>()?;
        let row = |row: &molos_runtime::rusqlite::Row<'_>| -> Result<String> {
            let is_said = |at: &usize| !["applied_at", "duration_us", "execution_ms"].contains(&names[*at].as_str());
            let values: Vec<Value> = (0..width).filter(is_said).map(|at| row.get(at)).collect::<Result<_>>()?;
            Ok(format!("{values:?}"))
        };
        statement.query_map([], row)?.collect()
    };
    let mut all = lines("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?;
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    for table in tables.query_map([], |row| row.get::<_, String>(0))? {
        let table = table?;
        let mut rows = lines(&format!("SELECT * FROM {}", quoted(&table)))?;
        rows.sort();
        all.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
    }
    Ok(all)
}
