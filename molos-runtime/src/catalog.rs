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

fn columns(conn: &Connection, table: &str) -> Result<Vec<Column>> {
    // A rowid table whose key has no index of its own keeps it in the rowid: https://sqlite.org/lang_createtable.html
    const COLUMNS: &str = "\
        SELECT name, type, \"notnull\", dflt_value, pk, hidden, \
        NOT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk') \
        FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";
    let mut statement = conn.prepare_cached(COLUMNS)?;
    let columns = statement.query_map([table], |row| {
        let key = row.get(4)?;
        let hidden: i64 = row.get(5)?;
        let key_has_no_index: bool = row.get(6)?;
        Ok(Column {
            name: row.get(0)?,
            declared_type: row.get(1)?,
            not_null: row.get(2)?,
            default: row.get(3)?,
            key,
            rowid: key > 0 && key_has_no_index,
            generated: hidden > 1,
        })
    })?;
    columns.collect()
}

/// `name` as SQL, whatever is in it.
#[must_use]
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
