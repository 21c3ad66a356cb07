//! The tables of a database, as SQLite itself reports them.
//!
//! ```
//! # use molos_runtime as molos;
//! use molos::schema::Action;
//! use molos::sqlite::Catalog;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let conn = molos::rusqlite::Connection::open_in_memory()?;
//! conn.execute_batch(
//!     "CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
//!      CREATE TABLE books (title TEXT, author INTEGER REFERENCES authors ON DELETE CASCADE);",
//! )?;
//!
//! let Catalog { tables, .. } = Catalog::read(&conn)?;
//! let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
//! assert_eq!(names, ["authors", "books"]);
//! assert!(tables[0].columns[0].rowid && tables[0].indexes[0].unique);
//!
//! let key = &tables[1].foreign_keys[0];
//! assert_eq!((key.parent.as_str(), key.on_delete), ("authors", Action::Cascade));
//! assert_eq!(key.parent_columns, ["id"], "as the statement does not say");
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Result, Row};

use crate::HISTORY_TABLE;
use crate::schema::Action;

/// The tables and views of a database that a program would query: the main schema, without SQLite's own tables, those
/// that a virtual table keeps its data in, and the histories of molos and other tools.
#[derive(Debug)]
#[non_exhaustive]
pub struct Catalog {
    /// The tables and views, by name.
    pub tables: Vec<Table>,
    /// What cannot be read, such as a view of a table that is not there.
    pub unreadable: Vec<Unreadable>,
}

/// A table, view or virtual table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Whether it was declared `STRICT`.
    pub strict: bool,
    /// Whether it was declared `WITHOUT ROWID`.
    pub without_rowid: bool,
    /// The statement that created it.
    pub sql: String,
    /// Its columns, in order, without hidden ones.
    pub columns: Vec<Column>,
    /// Its foreign keys, in the order in which they were declared.
    pub foreign_keys: Vec<ForeignKey>,
    /// Its indexes, by name, those of keys and `UNIQUE`s among them.
    pub indexes: Vec<Index>,
}

/// What a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An ordinary table.
    Table,
    /// A view.
    View,
    /// A virtual table, or one that a virtual table keeps its data in.
    Virtual,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as declared; empty if none was.
    pub declared_type: String,
    /// Whether it was declared to refuse `NULL`.
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

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignKey {
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table that they refer to, which may not be there.
    pub parent: String,
    /// The columns that they refer to: those of the primary key if the declaration names none; empty if there is none.
    pub parent_columns: Vec<String>,
    /// What happens to the row when the other one is deleted.
    pub on_delete: Action,
    /// What happens to the row when the key of the other one changes.
    pub on_update: Action,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Whether it keeps its values unique.
    pub unique: bool,
    /// Whether it is that of the primary key.
    pub primary_key: bool,
    /// Whether it has a `WHERE`.
    pub partial: bool,
    /// Its columns; `None` for an expression.
    pub columns: Vec<Option<String>>,
}

/// A table or view that cannot be read, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unreadable {
    /// Its name.
    pub name: String,
    /// SQLite's error.
    pub source: rusqlite::Error,
}

/// The tables in which other tools keep their history. They are not part of what the application made.
const OTHER_HISTORIES: &[&str] = &[
    "__diesel_schema_migrations",
    "__drizzle_migrations",
    "_sqlx_migrations",
    "gorp_migrations",
    "refinery_schema_history",
    "schema_migrations",
    "goose_db_version",
];

/// Whether a table of this name is SQLite's own, or a history.
pub(super) fn is_internal(table: &str) -> bool {
    let is_sqlites = table.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
    is_sqlites || OTHER_HISTORIES.iter().chain(&[HISTORY_TABLE]).any(|name| name.eq_ignore_ascii_case(table))
}

/// The tables that virtual tables keep their data in, in lower case.
pub(super) fn module_tables(conn: &Connection) -> Result<BTreeSet<String>> {
    const MODULE_TABLES: &str = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'";
    let mut statement = conn.prepare_cached(MODULE_TABLES)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    names.map(|name| Ok(name?.to_ascii_lowercase())).collect()
}

impl Catalog {
    /// Reads every table and view.
    ///
    /// # Errors
    ///
    /// When the database cannot be read. A single table that cannot is among the [`unreadable`](Self::unreadable) ones.
    pub fn read(conn: &Connection) -> Result<Self> {
        const TABLES: &str = "\
            SELECT l.name, l.type, l.strict, l.wr, s.sql FROM pragma_table_list AS l \
            JOIN sqlite_schema AS s ON s.name = l.name AND s.type IN ('table', 'view') \
            WHERE l.schema = 'main' AND l.type <> 'shadow' ORDER BY l.name";
        let mut catalog = Self { tables: Vec::new(), unreadable: Vec::new() };
        let mut statement = conn.prepare(TABLES)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            if is_internal(&name) {
                continue;
            }
            match Table::read(conn, &name, row) {
                Ok(table) => catalog.tables.push(table),
                Err(source) => catalog.unreadable.push(Unreadable { name, source }),
            }
        }
        Ok(catalog)
    }
}

impl Table {
    fn read(conn: &Connection, name: &str, row: &Row<'_>) -> Result<Self> {
        let kind = kind_of(row.get_ref(1)?.as_str()?);
        let mut columns = declared_columns(conn, name)?;
        let (mut foreign_keys, mut indexes) = (Vec::new(), Vec::new());
        if kind == Kind::Table {
            (foreign_keys, indexes) = (self::foreign_keys(conn, name)?, self::indexes(conn, name)?);
            mark_rowid(&mut columns, || Ok(indexes.iter().any(|index| index.primary_key)))?;
        }
        let (strict, without_rowid, sql) = (row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(Self { name: name.to_owned(), kind, strict, without_rowid, sql, columns, foreign_keys, indexes })
    }
}

fn kind_of(reported: &str) -> Kind {
    match reported {
        "table" => Kind::Table,
        "view" => Kind::View,
        _ => Kind::Virtual,
    }
}

/// What the table of this name is, if there is one.
///
/// # Errors
///
/// When the database cannot be read.
pub fn kind(conn: &Connection, table: &str) -> Result<Option<Kind>> {
    const KIND: &str = "SELECT type FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE";
    conn.query_row(KIND, [table], |row| Ok(kind_of(row.get_ref(0)?.as_str()?))).optional()
}

/// The names of the tables, without views.
///
/// # Errors
///
/// When the database cannot be read.
pub fn names(conn: &Connection) -> Result<Vec<String>> {
    let of_modules = module_tables(conn)?;
    let mut statement = conn.prepare_cached("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>>>()?;
    let is_own = |name: &String| !is_internal(name) && !of_modules.contains(&name.to_ascii_lowercase());
    Ok(names.into_iter().filter(is_own).collect())
}

/// The statements that create the tables and what belongs to them, in an order in which they can be run.
///
/// # Errors
///
/// When the database cannot be read.
pub fn statements(conn: &Connection) -> Result<Vec<String>> {
    const STATEMENTS: &str = "SELECT tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";
    let of_modules = module_tables(conn)?;
    let mut statements = Vec::new();
    let mut statement = conn.prepare(STATEMENTS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let table: String = row.get(0)?;
        if !is_internal(&table) && !of_modules.contains(&table.to_ascii_lowercase()) {
            statements.push(row.get(1)?);
        }
    }
    Ok(statements)
}

/// Reads the columns of a table, in order, without hidden ones. There are none if there is no such table.
///
/// # Errors
///
/// When it cannot be read: it may be a view that cannot be used.
pub fn columns(conn: &Connection, table: &str) -> Result<Vec<Column>> {
    let mut columns = declared_columns(conn, table)?;
    mark_rowid(&mut columns, || Ok(listed_indexes(conn, table)?.iter().any(|index| index.primary_key)))?;
    Ok(columns)
}

pub(super) fn declared_columns(conn: &Connection, table: &str) -> Result<Vec<Column>> {
    // The pragmas as statements are prepared several times faster than as functions, and each has to be prepared again
    // whenever the schema changes.
    let mut statement = conn.prepare(&format!("PRAGMA main.table_xinfo({})", quote(table)))?;
    let mut rows = statement.query([])?;
    let mut columns = Vec::new();
    while let Some(row) = rows.next()? {
        let hidden: i64 = row.get(6)?;
        if hidden != 1 {
            let (name, declared_type, not_null, default, key) =
                (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
            columns.push(Column { name, declared_type, not_null, default, key, rowid: false, generated: hidden > 1 });
        }
    }
    Ok(columns)
}

/// A rowid table whose key has no index of its own keeps it in the rowid: <https://sqlite.org/lang_createtable.html>
fn mark_rowid(columns: &mut [Column], key_has_index: impl FnOnce() -> Result<bool>) -> Result<()> {
    if columns.iter().any(|column| column.key > 0) && !key_has_index()? {
        for column in columns {
            column.rowid = column.key > 0;
        }
    }
    Ok(())
}

/// Reads the foreign keys of a table, in the order in which they were declared.
///
/// # Errors
///
/// When the database cannot be read.
pub fn foreign_keys(conn: &Connection, table: &str) -> Result<Vec<ForeignKey>> {
    let mut statement = conn.prepare(&format!("PRAGMA main.foreign_key_list({})", quote(table)))?;
    let mut rows = statement.query([])?;
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, column, parent_column): (i64, String, Option<String>) = (row.get(0)?, row.get(3)?, row.get(4)?);
        if keys.last().is_none_or(|(last, _)| *last != id) {
            let (parent, on_update, on_delete) = (row.get(2)?, action(row, 5)?, action(row, 6)?);
            let (columns, parent_columns) = (Vec::new(), Vec::new());
            keys.push((id, ForeignKey { columns, parent, parent_columns, on_delete, on_update }));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.columns.push(column);
            key.parent_columns.extend(parent_column);
        }
    }
    // SQLite lists them from the last.
    let mut keys: Vec<ForeignKey> = keys.into_iter().rev().map(|(_, key)| key).collect();
    for key in keys.iter_mut().filter(|key| key.parent_columns.is_empty()) {
        let columns = declared_columns(conn, &key.parent)?;
        let primary = (1..).map_while(|place| columns.iter().find(|column| column.key == place));
        key.parent_columns = primary.map(|column| column.name.clone()).collect();
    }
    Ok(keys)
}

fn action(row: &Row<'_>, at: usize) -> Result<Action> {
    Ok(match row.get_ref(at)?.as_str()? {
        "CASCADE" => Action::Cascade,
        "RESTRICT" => Action::Restrict,
        "SET NULL" => Action::SetNull,
        "SET DEFAULT" => Action::SetDefault,
        _ => Action::NoAction,
    })
}

/// Reads the indexes of a table, by name, those of keys and `UNIQUE`s among them.
///
/// # Errors
///
/// When the database cannot be read.
pub fn indexes(conn: &Connection, table: &str) -> Result<Vec<Index>> {
    let mut indexes = listed_indexes(conn, table)?;
    for index in &mut indexes {
        let mut statement = conn.prepare(&format!("PRAGMA main.index_info({})", quote(&index.name)))?;
        index.columns = statement.query_map([], |row| row.get(2))?.collect::<Result<_>>()?;
    }
    indexes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(indexes)
}

/// The indexes of a table, without their columns.
fn listed_indexes(conn: &Connection, table: &str) -> Result<Vec<Index>> {
    let mut statement = conn.prepare(&format!("PRAGMA main.index_list({})", quote(table)))?;
    let indexes = statement.query_map([], |row| {
        let (name, unique, partial) = (row.get(1)?, row.get(2)?, row.get(4)?);
        let primary_key = row.get_ref(3)?.as_str()? == "pk";
        Ok(Index { name, unique, primary_key, partial, columns: Vec::new() })
    })?;
    indexes.collect()
}

/// `name` as SQL, whatever is in it.
#[must_use]
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conn(sql: &str) -> Connection {
        let conn = Connection::open_in_memory().expect("a database");
        conn.execute_batch(sql).expect("a schema");
        conn
    }

    #[test]
    fn what_is_not_the_applications_is_left_out() {
        let conn = conn(
            "CREATE TABLE b (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE _Molos_Migrations (a); \
             CREATE TABLE schema_migrations (a); CREATE VIRTUAL TABLE f USING fts5 (x); CREATE VIEW a AS SELECT 1 AS x; \
             CREATE INDEX b_id ON b (id); CREATE INDEX other ON schema_migrations (a);",
        );
        let Catalog { tables, unreadable } = Catalog::read(&conn).expect("it can be read");
        let found: Vec<_> = tables.iter().map(|table| (table.name.as_str(), table.kind)).collect();
        assert_eq!(found, [("a", Kind::View), ("b", Kind::Table), ("f", Kind::Virtual)]);
        assert!(unreadable.is_empty());
        let statements = statements(&conn).expect("they can be read");
        assert_eq!(statements.len(), 4, "{statements:?}");
        assert_eq!(kind(&conn, "F_DATA").expect("it can be read"), Some(Kind::Virtual));
        assert_eq!(kind(&conn, "none").expect("it can be read"), None);
    }

    #[test]
    fn a_view_of_what_is_gone_is_unreadable() {
        let conn = conn("CREATE TABLE a (x); CREATE VIEW v AS SELECT x FROM a; DROP TABLE a;");
        let Catalog { tables, unreadable } = Catalog::read(&conn).expect("it can be read");
        assert!(tables.is_empty());
        assert_eq!(unreadable[0].name, "v");
    }

    #[test]
    fn a_key_refers_to_the_columns_of_the_primary_key_where_it_names_none() {
        let conn = conn(
            "CREATE TABLE p (a, b, c, PRIMARY KEY (b, a)); \
             CREATE TABLE t (x REFERENCES p (c), y, z REFERENCES gone, FOREIGN KEY (x, y) REFERENCES P ON UPDATE SET NULL);",
        );
        let keys = foreign_keys(&conn, "T").expect("they can be read");
        let found: Vec<_> = keys.iter().map(|key| (key.parent.as_str(), key.parent_columns.join(" "))).collect();
        assert_eq!(found, [("p", "c".to_owned()), ("gone", String::new()), ("P", "b a".to_owned())]);
        assert_eq!((keys[2].on_update, keys[2].on_delete), (Action::SetNull, Action::NoAction));
    }
}
