//! The schema of a database, read from SQLite's own table of it, and read again only where it may have changed.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Result, ToSql};

use super::catalog::{is_internal, module_tables};
use super::definition::{self, Definition};
use crate::schema::{Changed, Fact, Object, ObjectKind, Schema};

impl Schema {
    /// Reads the schema of a database.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// use molos::Schema;
    /// use molos::schema::Fact;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let conn = molos::rusqlite::Connection::open_in_memory()?;
    /// conn.execute_batch("CREATE TABLE users (id INTEGER PRIMARY KEY, \"Name\" TEXT NOT NULL DEFAULT 'nobody')")?;
    /// let schema = Schema::read(&conn)?;
    ///
    /// let (table, facts) = schema.facts().next().expect("a table");
    /// assert_eq!(table.to_string(), "table users");
    /// let texts: Vec<String> = facts.iter().map(Fact::to_string).collect();
    /// assert_eq!(
    ///     texts,
    ///     [
    ///         "column id integer",
    ///         "column name text default 'nobody' not null",
    ///         "columns ( id , name )",
    ///         "primary key ( id ) as rowid",
    ///     ]
    /// );
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn read(conn: &Connection) -> Result<Self> {
        Ok(SchemaReader::read(conn)?.schema)
    }
}

/// A schema, with what it takes to read again only what may have changed.
#[derive(Clone, Debug, Default)]
pub struct SchemaReader {
    schema: Schema,
    /// The row of each object in SQLite's table.
    rows: BTreeMap<Object, Row>,
    last_rowid: i64,
    has_virtual: bool,
}

/// What may have changed since a schema was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    #[default]
    Nothing,
    /// There may be more objects, and these tables may have more columns.
    Added(Vec<String>),
    /// Everything.
    Anything,
}

#[derive(Clone, Debug)]
struct Row {
    rowid: i64,
    sql: String,
    /// The tables whose columns decide what it says.
    depends_on: BTreeSet<String>,
}

impl SchemaReader {
    /// Reads the schema of a database.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn read(conn: &Connection) -> Result<Self> {
        let mut reader = Self::default();
        reader.refresh(conn, &Change::Anything)?;
        Ok(reader)
    }

    /// The schema as it was read last.
    #[must_use]
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The statement that creates a table, which is named in whatever case.
    #[must_use]
    pub fn sql(&self, table: &str) -> Option<&str> {
        self.row(table).map(|row| row.sql.as_str())
    }

    fn row(&self, table: &str) -> Option<&Row> {
        let name = table.to_ascii_lowercase();
        self.rows.get(&Object::new(ObjectKind::Table, name.clone(), name))
    }

    /// Reads again what may have changed, and returns what has.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn refresh(&mut self, conn: &Connection, change: &Change) -> Result<Vec<Changed>> {
        let mut known = BTreeMap::new();
        let mut found = match change {
            Change::Nothing => return Ok(Vec::new()),
            Change::Added(tables) => {
                let mut found = rows(conn, "rowid > ?1", &self.last_rowid)?;
                for table in tables {
                    let rowid = self.row(table).map(|row| row.rowid);
                    found.extend(rows(conn, "type = 'table' AND rowid = ?1", &rowid)?);
                }
                found
            }
            Change::Anything => {
                known = std::mem::take(&mut self.rows);
                self.last_rowid = 0;
                rows(conn, "?1", &true)?
            }
        };
        self.last_rowid = found.iter().map(|(_, row)| row.rowid).fold(self.last_rowid, i64::max);
        self.has_virtual |= found.iter().any(|(_, row)| row.sql.starts_with("CREATE VIRTUAL TABLE"));
        let of_modules = if self.has_virtual { module_tables(conn)? } else { BTreeSet::new() };
        found.retain(|(object, _)| !is_internal(&object.table) && !of_modules.contains(&object.table));

        let mut changes = Changes::default();
        let mut new = Vec::new();
        for (object, mut row) in found {
            match known.remove(&object).or_else(|| self.rows.remove(&object)) {
                Some(old) if old.sql == row.sql => row.depends_on = old.depends_on,
                _ => new.push(object.clone()),
            }
            self.rows.insert(object, row);
        }
        for object in known.into_keys() {
            let before = self.schema.remove(&object);
            changes.note(Changed { object, before, after: None });
        }
        // What tables say does not depend on anything; what is said of the others may depend on tables.
        let (tables, others): (Vec<_>, Vec<_>) = new.into_iter().partition(|object| object.kind == ObjectKind::Table);
        for object in &tables {
            self.describe(object, &mut changes);
        }
        let depends = |row: &Row| !row.depends_on.is_disjoint(&changes.tables);
        let others: BTreeSet<Object> =
            self.rows.iter().filter(|(_, row)| depends(row)).map(|(object, _)| object.clone()).chain(others).collect();
        for object in &others {
            self.describe(object, &mut changes);
        }
        Ok(changes.all)
    }

    /// Reads the statement that made an object.
    fn describe(&mut self, object: &Object, changes: &mut Changes) {
        let Self { schema, rows, .. } = self;
        let Some(row) = rows.get_mut(object) else { return };
        let Definition { facts, depends_on } = definition::read(object, &row.sql, &|table| {
            schema.table(table)?.iter().find_map(|fact| match fact {
                Fact::Columns(names) => Some(names.clone()),
                _ => None,
            })
        });
        row.depends_on = depends_on;
        let before = schema.insert(object.clone(), facts);
        let after = schema.facts_of(object).map(<[Fact]>::to_vec);
        if before != after {
            changes.note(Changed { object: object.clone(), before, after });
        }
    }
}

#[derive(Default)]
struct Changes {
    all: Vec<Changed>,
    /// The tables among them.
    tables: BTreeSet<String>,
}

impl Changes {
    fn note(&mut self, changed: Changed) {
        if changed.object.kind == ObjectKind::Table {
            self.tables.insert(changed.object.name.clone());
        }
        self.all.push(changed);
    }
}

/// The rows of SQLite's schema table that `condition` finds, without SQLite's own indexes.
fn rows(conn: &Connection, condition: &str, parameter: &dyn ToSql) -> Result<Vec<(Object, Row)>> {
    let sql =
        format!("SELECT rowid, type, name, tbl_name, sql FROM sqlite_schema WHERE {condition} AND sql IS NOT NULL");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([parameter])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let kind = match row.get_ref(1)?.as_str()? {
            "table" => ObjectKind::Table,
            "index" => ObjectKind::Index,
            "trigger" => ObjectKind::Trigger,
            _ => ObjectKind::View,
        };
        let (mut name, mut table): (String, String) = (row.get(2)?, row.get(3)?);
        name.make_ascii_lowercase();
        table.make_ascii_lowercase();
        let (rowid, sql) = (row.get(0)?, row.get(4)?);
        found.push((Object::new(kind, name, table), Row { rowid, sql, depends_on: BTreeSet::new() }));
    }
    Ok(found)
}
