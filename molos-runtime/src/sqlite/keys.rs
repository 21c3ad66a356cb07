//! Foreign keys that refer to nothing.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Result, Row};

use super::catalog::{ForeignKey, declared_columns, foreign_keys, quote};
use super::error::{is_sql_error, message};
use crate::database::{DatabaseError, Violations};
use crate::model::violation::{Dangling, Violation};

/// Every foreign key of a table, or of all tables, that points at nothing.
///
/// # Errors
///
/// When the database cannot be read.
pub fn violations_of(conn: &Connection, table: Option<&str>) -> Result<Violations, DatabaseError> {
    let mut found = Found { conn, violations: Violations::new() };
    match (check(conn, table)?, table) {
        (checked, Some(table)) => found.add_checked(table, checked)?,
        (Checked::Rows(rows), None) => found.add(rows)?,
        // One key that cannot be checked would hide those of all other tables.
        (Checked::Unenforceable(problem), None) => {
            found.add_tables(&tables_with_keys(conn, None)?)?;
            if found.violations.iter().all(|violation| !violation.parent.is_empty()) {
                found.violations.push(Violation::unenforceable(String::new(), problem, [None; 2]));
            }
        }
    }
    Ok(found.violations)
}

/// Every foreign key of these tables, and of those that refer to them, that points at nothing.
pub(super) fn violations_among(conn: &Connection, tables: &[&str]) -> Result<Violations, DatabaseError> {
    let mut found = Found { conn, violations: Violations::new() };
    found.add_tables(&tables_with_keys(conn, Some(tables))?)?;
    Ok(found.violations)
}

/// Whether there are triggers on one of these tables.
pub(super) fn have_triggers(conn: &Connection, tables: &[&str]) -> Result<bool> {
    let mut statement = conn.prepare("SELECT tbl_name FROM main.sqlite_master WHERE type = 'trigger'")?;
    let mut triggers = statement.query([])?;
    while let Some(trigger) = triggers.next()? {
        if is_among(tables, &trigger.get::<_, String>(0)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_among(tables: &[&str], name: &str) -> bool {
    tables.iter().any(|table| table.eq_ignore_ascii_case(name))
}

/// What `PRAGMA foreign_key_check` says: <https://sqlite.org/pragma.html#pragma_foreign_key_check>.
enum Checked {
    Rows(Vec<OfKey>),
    /// A key names no unique columns of its parent, in SQLite's words.
    Unenforceable(String),
}

/// The rows of a table whose key points at nothing.
struct OfKey {
    table: String,
    parent: String,
    /// The number of the key in its table.
    key: usize,
    /// `None` in a table without them.
    rowids: Vec<Option<i64>>,
}

fn check(conn: &Connection, table: Option<&str>) -> Result<Checked> {
    let of_table = table.map(|table| format!("({})", quote(table)));
    let sql = format!("PRAGMA main.foreign_key_check{}", of_table.unwrap_or_default());
    let mut statement = match conn.prepare(&sql) {
        Ok(statement) => statement,
        Err(error) if is_sql_error(&error) => return Ok(Checked::Unenforceable(message(&error))),
        Err(error) => return Err(error),
    };
    // SQLite goes through the keys row by row where there is no rowid.
    let mut of_keys: Vec<OfKey> = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, rowid, parent, key) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, u32>(3)? as usize);
        match of_keys.iter_mut().rev().find(|known| known.key == key && known.table == table) {
            Some(known) => known.rowids.push(rowid),
            None => of_keys.push(OfKey { table, parent, key, rowids: vec![rowid] }),
        }
    }
    Ok(Checked::Rows(of_keys))
}

/// The tables that have foreign keys; with `among`, those of these tables and those that refer to one of them.
fn tables_with_keys(conn: &Connection, among: Option<&[&str]>) -> Result<Vec<String>> {
    const TABLES: &str = "\
        SELECT name FROM main.sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name";
    let mut statement = conn.prepare(TABLES)?;
    let mut tables = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>>>()?;
    let is_wanted = |name: &str| among.is_none_or(|among| is_among(among, name));
    let has_wanted = |table: &str, keys: &[ForeignKey]| {
        !keys.is_empty() && (is_wanted(table) || keys.iter().any(|key| is_wanted(&key.parent)))
    };
    tables.retain(|table| foreign_keys(conn, table).map_or(true, |keys| has_wanted(table, &keys)));
    Ok(tables)
}

struct Found<'c> {
    conn: &'c Connection,
    violations: Violations,
}

impl Found<'_> {
    fn add(&mut self, of_keys: Vec<OfKey>) -> Result<()> {
        for OfKey { table, parent, key, rowids } in of_keys {
            // SQLite numbers the keys from the last.
            let dangling = match foreign_keys(self.conn, &table)?.iter().rev().nth(key) {
                Some(key) => which(self.conn, &table, key, &rowids)?,
                None => vec![Dangling::default(); rowids.len()],
            };
            self.insert(&table, parent, dangling)?;
        }
        Ok(())
    }

    fn add_tables(&mut self, tables: &[String]) -> Result<()> {
        tables.iter().try_for_each(|table| self.add_checked(table, check(self.conn, Some(table))?))
    }

    /// Adds what was found in a table.
    fn add_checked(&mut self, table: &str, checked: Checked) -> Result<()> {
        match checked {
            Checked::Rows(rows) => self.add(rows),
            Checked::Unenforceable(problem) => self.add_unenforceable(table, problem),
        }
    }

    /// Adds a key that cannot be checked, and the rows that the other keys of its table find.
    fn add_unenforceable(&mut self, table: &str, problem: String) -> Result<()> {
        let named = problem.split("referencing \"").nth(1).map(|rest| rest.trim_end_matches('"').to_owned());
        let ids = self.ids(table, named.as_deref().unwrap_or_default())?;
        self.violations.push(Violation::unenforceable(table.to_owned(), problem, ids));
        for key in foreign_keys(self.conn, table)? {
            if named.as_ref().is_none_or(|named| named.eq_ignore_ascii_case(&key.parent)) {
                continue;
            }
            let dangling = search(self.conn, table, &key)?;
            if !dangling.is_empty() {
                self.insert(table, key.parent, dangling)?;
            }
        }
        Ok(())
    }

    fn insert(&mut self, table: &str, parent: String, dangling: Vec<Dangling>) -> Result<()> {
        let is_of_both = |known: &&mut Violation| known.table == table && known.parent == parent;
        if let Some(known) = self.violations.iter_mut().find(is_of_both) {
            known.add(dangling);
            return Ok(());
        }
        let ids = self.ids(table, &parent)?;
        self.violations.push(Violation::new(table.to_owned(), parent, ids, dangling));
        Ok(())
    }

    /// What stays of each table when it is renamed: the row of SQLite's own table that describes it.
    fn ids(&self, table: &str, parent: &str) -> Result<[Option<i64>; 2]> {
        const ID: &str = "SELECT rowid FROM main.sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
        let id = |name: &str| self.conn.query_row(ID, [name], |row| row.get(0)).optional();
        Ok([id(table)?, id(parent)?])
    }
}

/// Which rows of a table these are that `key` was reported of.
fn which(conn: &Connection, table: &str, key: &ForeignKey, rowids: &[Option<i64>]) -> Result<Vec<Dangling>> {
    let rows = Rows::of(conn, table, key)?;
    if let Some(rowid) = rows.rowid.filter(|_| rowids.iter().all(Option::is_some)) {
        let mut statement = conn.prepare(&rows.select(&format!("c.{rowid} = ?1")))?;
        return rowids.iter().map(|rowid| statement.query_row([rowid], |row| rows.read(row))).collect();
    }
    let found = search(conn, table, key)?;
    Ok(if found.len() == rowids.len() { found } else { vec![Dangling::default(); rowids.len()] })
}

/// Looks for the rows that refer to nothing by a query. Between columns of two types it may find fewer than SQLite does.
fn search(conn: &Connection, table: &str, key: &ForeignKey) -> Result<Vec<Dangling>> {
    let rows = Rows::of(conn, table, key)?;
    let mut condition: Vec<String> =
        key.columns.iter().map(|column| format!("c.{} IS NOT NULL", quote(column))).collect();
    let exists = "SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE)";
    if conn.query_row(exists, [&key.parent], |row| row.get(0))? {
        let pairs = key.parent_columns.iter().zip(&key.columns);
        let same: Vec<_> = pairs.map(|(of_parent, own)| format!("p.{} = c.{}", quote(of_parent), quote(own))).collect();
        let parent = quote(&key.parent);
        condition.push(format!("NOT EXISTS (SELECT 1 FROM main.{parent} AS p WHERE {})", same.join(" AND ")));
    }
    let mut statement = match conn.prepare(&rows.select(&condition.join(" AND "))) {
        Ok(statement) => statement,
        // This key cannot be checked either.
        Err(error) if is_sql_error(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    statement.query_map([], |row| rows.read(row))?.collect()
}

/// How rows of a table are told apart, and what they refer to by a key.
struct Rows {
    table: String,
    /// The name of the rowid, if the table has one.
    rowid: Option<&'static str>,
    /// The columns that tell rows apart.
    own: Vec<String>,
    /// The columns of the key.
    key: Vec<String>,
}

impl Rows {
    fn of(conn: &Connection, table: &str, key: &ForeignKey) -> Result<Self> {
        let mut columns = declared_columns(conn, table)?;
        let is_free = |name: &&str| columns.iter().all(|column| !column.name.eq_ignore_ascii_case(name));
        let rowid = ["rowid", "_rowid_", "oid"].into_iter().find(is_free);
        let rowid =
            rowid.filter(|name| conn.prepare(&format!("SELECT c.{name} FROM main.{} AS c", quote(table))).is_ok());
        let own = if let Some(rowid) = rowid {
            vec![rowid.to_owned()]
        } else {
            columns.retain(|column| column.key > 0);
            columns.iter().map(|column| quote(&column.name)).collect()
        };
        let key = key.columns.iter().map(|column| quote(column)).collect();
        Ok(Self { table: quote(table), rowid, own, key })
    }

    fn select(&self, condition: &str) -> String {
        let columns: Vec<_> = self.own.iter().chain(&self.key).map(|column| as_text(&format!("c.{column}"))).collect();
        format!("SELECT {} FROM main.{} AS c WHERE {condition}", columns.join(", "), self.table)
    }

    fn read(&self, row: &Row<'_>) -> Result<Dangling> {
        let (own, all) = (self.own.len(), self.own.len() + self.key.len());
        Ok(Dangling { row: hash(row, 0..own)?, key: hash(row, own..all)? })
    }
}

/// A column as text, so that a number is the same whatever type a rebuild gives it.
fn as_text(column: &str) -> String {
    let whole = format!("CAST({column} AS INTEGER)");
    format!("CAST(iif(typeof({column}) = 'real' AND {column} = {whole}, {whole}, {column}) AS TEXT)")
}

fn hash(row: &Row<'_>, columns: Range<usize>) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    for at in columns {
        match row.get_ref(at)? {
            ValueRef::Text(bytes) => bytes.hash(&mut hasher),
            _ => 0.hash(&mut hasher),
        }
    }
    Ok(hasher.finish())
}
