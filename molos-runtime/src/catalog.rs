//! A schema, as SQLite itself reports it.

use rusqlite::{Connection, Result};

use crate::HISTORY_TABLE;

/// A table, view or virtual table of the main schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Whether it was declared `STRICT`.
    pub strict: bool,
    /// The statement that created it.
    pub sql: String,
    /// Its columns, in order, without hidden ones.
    pub columns: Vec<Column>,
}

/// What a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary table.
    Table,
    /// A view.
    View,
    /// A virtual table.
    Virtual,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as declared; empty if none was.
    pub declared_type: String,
    /// Whether `NULL` is refused.
    pub not_null: bool,
    /// Its default, as an SQL expression.
    pub default: Option<String>,
    /// Its place in the primary key, from 1; 0 if it is not in there.
    pub key: u32,
    /// Whether it is another name for the rowid.
    pub rowid: bool,
    /// Whether its value is computed from other columns.
    pub generated: bool,
}

/// What could not be read, and why.
#[derive(Debug)]
pub struct Unreadable {
    /// The name of the table or view.
    pub name: String,
    /// SQLite's error.
    pub source: rusqlite::Error,
}

/// Reads every table and view that a program would query, in the order of their names.
///
/// Left out are SQLite's own tables, those that a virtual table keeps its data in, and the history table. What cannot
/// be read, such as a view of a table that is gone, is returned beside the rest.
pub fn tables(conn: &Connection) -> Result<(Vec<Table>, Vec<Unreadable>)> {
    const TABLES: &str = "\
        SELECT l.name, l.type, l.strict, s.sql FROM pragma_table_list AS l \
        JOIN sqlite_schema AS s ON s.name = l.name AND s.type IN ('table', 'view') \
        WHERE l.schema = 'main' AND l.type IN ('table', 'view', 'virtual') \
        AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND l.name <> ?1 ORDER BY l.name";
    let mut tables = Vec::new();
    let mut unreadable = Vec::new();
    let mut statement = conn.prepare(TABLES)?;
    let mut rows = statement.query([HISTORY_TABLE])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let kind = match row.get_ref(1)?.as_str()? {
            "view" => Kind::View,
            "virtual" => Kind::Virtual,
            _ => Kind::Table,
        };
        match columns(conn, &name) {
            Ok(columns) => tables.push(Table { name, kind, strict: row.get(2)?, sql: row.get(3)?, columns }),
            Err(source) => unreadable.push(Unreadable { name, source }),
        }
    }
    Ok((tables, unreadable))
}

/// Reads the columns of a table, in order, without hidden ones.
pub fn columns(conn: &Connection, table: &str) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    // The pragmas as statements are prepared several times faster than as functions, and each has to be prepared again
    // whenever the schema changes.
    let mut statement = conn.prepare(&format!("PRAGMA main.table_xinfo({})", quote(table)))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let hidden: i64 = row.get(6)?;
        if hidden != 1 {
            let (name, declared_type, not_null, default, key) =
                (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
            columns.push(Column { name, declared_type, not_null, default, key, rowid: false, generated: hidden > 1 });
        }
    }
    if columns.iter().any(|column| column.key > 0) && !key_has_index(conn, table)? {
        // A rowid table whose key has no index of its own keeps it in the rowid: https://sqlite.org/lang_createtable.html
        for column in &mut columns {
            column.rowid = column.key > 0;
        }
    }
    Ok(columns)
}

fn key_has_index(conn: &Connection, table: &str) -> Result<bool> {
    let mut statement = conn.prepare(&format!("PRAGMA main.index_list({})", quote(table)))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if row.get_ref(3)?.as_str()? == "pk" {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `name` as SQL, whatever is in it.
#[must_use]
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
