//! A schema as data: what there is in a database, to be compared with what there should be.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::{Connection, Result, ToSql};
use sha2::{Digest as _, Sha256};

use crate::HISTORY_TABLE;
use crate::definition::facts;

/// The tables in which other tools keep their history. They are not part of what the application made.
const OTHER_HISTORIES: &[&str] = &[
    "__diesel_schema_migrations",
    "__drizzle_migrations",
    "_sqlx_migrations",
    "refinery_schema_history",
    "schema_migrations",
    "goose_db_version",
];

/// What a part of a schema is: its kind, such as `table` or `index`, and its name in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Object {
    /// `table`, `index`, `trigger` or `view`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The table that it is about; its own name if it is a table or view.
    pub table: String,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// Every table, index, trigger and view of a database, without SQLite's own and the history.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Each with its row in SQLite's schema table.
    objects: BTreeMap<Object, (i64, Definition)>,
    fingerprint: Fingerprint,
    last_rowid: i64,
    has_virtual: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Definition {
    sql: String,
    facts: Vec<String>,
    digest: Fingerprint,
}

/// What may have changed since a schema was read.
#[doc(hidden)]
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

/// An object that is not as it was, and what was and is said of it: nothing while it was not there.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub object: Object,
    pub before: Option<Vec<String>>,
    pub after: Option<Vec<String>>,
}

/// A row of SQLite's schema table.
struct Row {
    rowid: i64,
    object: Object,
    sql: String,
}

impl Schema {
    /// Reads the schema of a database.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn read(conn: &Connection) -> Result<Self> {
        let mut schema = Self::default();
        schema.refresh(conn, &Change::Anything)?;
        Ok(schema)
    }

    /// Reads again what may have changed, and returns what has.
    #[doc(hidden)]
    pub fn refresh(&mut self, conn: &Connection, change: &Change) -> Result<Vec<Changed>> {
        let mut before = BTreeMap::new();
        let mut all_changed = Vec::new();
        let rows = match change {
            Change::Nothing => return Ok(all_changed),
            Change::Added(tables) => {
                let mut rows = read(conn, "rowid > ?1", &self.last_rowid)?;
                for table in tables {
                    rows.extend(read(conn, "type = 'table' AND rowid = ?1", &self.rowid(table))?);
                }
                rows
            }
            Change::Anything => {
                before = std::mem::take(&mut self.objects);
                self.last_rowid = 0;
                read(conn, "?1", &true)?
            }
        };
        let hidden =
            if rows.iter().any(Row::is_virtual) || self.has_virtual { module_tables(conn)? } else { Vec::new() };
        for row in rows {
            self.last_rowid = self.last_rowid.max(row.rowid);
            self.has_virtual |= row.is_virtual();
            let Row { rowid, object, sql } = row;
            if object.table == HISTORY_TABLE
                || OTHER_HISTORIES.contains(&object.table.as_str())
                || hidden.contains(&object.table)
            {
                continue;
            }
            let old = before.remove(&object).or_else(|| self.objects.remove(&object));
            let definition = match old {
                Some((_, definition)) if definition.sql == sql => definition,
                changed => {
                    let definition = Definition::new(&object, sql);
                    self.fingerprint = self.fingerprint.plus(&definition.digest);
                    if let Some((_, old)) = &changed {
                        self.fingerprint = self.fingerprint.minus(&old.digest);
                    }
                    let before = changed.map(|(_, old)| old.facts);
                    let after = Some(definition.facts.clone());
                    all_changed.push(Changed { object: object.clone(), before, after });
                    definition
                }
            };
            self.objects.insert(object, (rowid, definition));
        }
        for (object, (_, gone)) in before {
            self.fingerprint = self.fingerprint.minus(&gone.digest);
            all_changed.push(Changed { object, before: Some(gone.facts), after: None });
        }
        Ok(all_changed)
    }

    fn rowid(&self, table: &str) -> Option<i64> {
        self.table(table).map(|(rowid, _)| *rowid)
    }

    /// The statement that creates a table.
    #[doc(hidden)]
    #[must_use]
    pub fn sql(&self, table: &str) -> Option<&str> {
        self.table(table).map(|(_, definition)| definition.sql.as_str())
    }

    fn table(&self, table: &str) -> Option<&(i64, Definition)> {
        let name = table.to_ascii_lowercase();
        self.objects.get(&Object { kind: "table".to_owned(), table: name.clone(), name })
    }

    /// The fingerprint of the whole schema.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The objects, in the order of their kinds and names.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.keys()
    }

    /// The objects, each with what is said of it.
    #[doc(hidden)]
    pub fn facts(&self) -> impl Iterator<Item = (&Object, &[String])> {
        self.objects.iter().map(|(object, (_, definition))| (object, definition.facts.as_slice()))
    }

    /// The part of it that these objects are, with a fingerprint of its own.
    #[must_use]
    pub fn part(&self, is_in: impl Fn(&Object) -> bool) -> Self {
        let objects: BTreeMap<_, _> = self
            .objects
            .iter()
            .filter(|(object, _)| is_in(object))
            .map(|(object, known)| (object.clone(), known.clone()))
            .collect();
        let digests = objects.values().map(|(_, definition)| &definition.digest);
        let fingerprint = digests.fold(Fingerprint::default(), |sum, digest| sum.plus(digest));
        Self { objects, fingerprint, ..*self }
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Whether there is a table or view of this name.
    #[doc(hidden)]
    #[must_use]
    pub fn has(&self, table: &str) -> bool {
        self.objects.keys().any(|object| object.name == table && object.table == table)
    }

    /// How this schema, which was found, differs from the one that was `expected`.
    #[must_use]
    pub fn differences(&self, expected: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (object, (_, wanted)) in &expected.objects {
            let missing = |found: &[String]| -> Vec<String> {
                wanted.facts.iter().filter(|fact| !found.contains(fact)).cloned().collect()
            };
            match self.objects.get(object) {
                None => differences.push(Difference::Missing(object.clone())),
                Some((_, found)) if found.facts == wanted.facts => {}
                Some((_, found)) => {
                    let extra = found.facts.iter().filter(|fact| !wanted.facts.contains(fact)).cloned().collect();
                    let object = object.clone();
                    differences.push(Difference::Changed { object, missing: missing(&found.facts), extra });
                }
            }
        }
        let extra = self.objects.keys().filter(|object| !expected.objects.contains_key(object));
        differences.extend(extra.cloned().map(Difference::Extra));
        differences
    }
}

/// The rows of SQLite's schema table that `condition` finds, without SQLite's own tables and indexes.
fn read(conn: &Connection, condition: &str, parameter: &dyn ToSql) -> Result<Vec<Row>> {
    let sql = format!(
        "SELECT rowid, type, lower(name), lower(tbl_name), sql FROM sqlite_schema \
         WHERE {condition} AND sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map([parameter], |row| {
        let object = Object { kind: row.get(1)?, name: row.get(2)?, table: row.get(3)? };
        Ok(Row { rowid: row.get(0)?, object, sql: row.get(4)? })
    })?;
    rows.collect()
}

/// The tables that virtual tables keep their data in.
fn module_tables(conn: &Connection) -> Result<Vec<String>> {
    const MODULE_TABLES: &str = "SELECT lower(name) FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'";
    conn.prepare_cached(MODULE_TABLES)?.query_map([], |row| row.get(0))?.collect()
}

impl Row {
    fn is_virtual(&self) -> bool {
        self.sql.starts_with("CREATE VIRTUAL TABLE")
    }
}

impl Definition {
    fn new(object: &Object, sql: String) -> Self {
        let facts = facts(&sql);
        let mut digest = Sha256::new();
        for part in [&object.kind, &object.name].into_iter().chain(&facts) {
            digest.update(part);
            digest.update([0]);
        }
        Self { sql, facts, digest: Fingerprint(digest.finalize().into()) }
    }
}

/// A difference between the schema that was expected and the one that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// It should be there.
    Missing(Object),
    /// It should not be there.
    Extra(Object),
    /// It is there, and not as it should be.
    #[non_exhaustive]
    Changed {
        /// What it is.
        object: Object,
        /// What should be said of it, and is not: `column name text`, say.
        missing: Vec<String>,
        /// What is said of it, and should not be.
        extra: Vec<String>,
    },
}

impl Difference {
    /// What differs.
    #[must_use]
    pub const fn object(&self) -> &Object {
        match self {
            Self::Missing(object) | Self::Extra(object) | Self::Changed { object, .. } => object,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(object) => write!(f, "{object} is missing"),
            Self::Extra(object) => write!(f, "{object} should not be there"),
            Self::Changed { object, missing, extra } => {
                write!(f, "{object} differs")?;
                missing.iter().try_for_each(|fact| write!(f, "\n  - {fact}"))?;
                extra.iter().try_for_each(|fact| write!(f, "\n  + {fact}"))
            }
        }
    }
}

/// A number for a schema: two databases have the same one if they have the same tables, indexes, triggers and views.
///
/// It is the sum, modulo 2²⁵⁶, of the SHA-256 of what is said of each object, so the order in which they were made does
/// not count, and after a step only what it changed has to be read again.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// A fingerprint from its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        let mut sum = [0; 32];
        let mut carry = false;
        for (at, byte) in sum.iter_mut().enumerate() {
            let (partial, first) = self.0[at].overflowing_add(other.0[at]);
            let (total, second) = partial.overflowing_add(u8::from(carry));
            (*byte, carry) = (total, first || second);
        }
        Self(sum)
    }

    /// The fingerprint of a schema without the part that has this one.
    #[doc(hidden)]
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let one = Self(std::array::from_fn(|at| u8::from(at == 0)));
        let negative = Self(other.0.map(|byte| !byte)).plus(&one);
        self.plus(&negative)
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(sql: &str) -> (Connection, Schema) {
        let conn = Connection::open_in_memory().expect("a database");
        conn.execute_batch(sql).expect("a schema");
        let schema = Schema::read(&conn).expect("it can be read");
        (conn, schema)
    }

    #[test]
    fn the_way_there_does_not_count() {
        let (_, built) =
            schema("CREATE TABLE a (x TEXT, y INTEGER DEFAULT 1); CREATE INDEX i ON a (x); CREATE TABLE b (z);");
        let (_, grown) = schema(
            "CREATE TABLE b (z); CREATE TABLE gone (z); CREATE TABLE old (\"X\" TEXT); CREATE INDEX \"i\" ON old(x); \
             ALTER TABLE old RENAME TO a; ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 2; \
             ALTER TABLE a DROP COLUMN y; ALTER TABLE a ADD y INTEGER DEFAULT (1); DROP TABLE gone;",
        );
        assert_eq!(grown.differences(&built), []);
        assert_eq!(grown.fingerprint(), built.fingerprint());
        assert_ne!(built.fingerprint(), Fingerprint::default());
    }

    #[test]
    fn reading_what_changed_is_the_same_as_reading_anew() {
        let changes = [
            ("CREATE TABLE c (x); CREATE INDEX c_x ON c (x); CREATE VIEW w AS SELECT 1", Change::Added(Vec::new())),
            ("ALTER TABLE A ADD COLUMN y; CREATE TABLE d (x)", Change::Added(vec!["A".to_owned()])),
            ("INSERT INTO a VALUES (1)", Change::Nothing),
            ("CREATE VIRTUAL TABLE f USING fts5 (x)", Change::Added(Vec::new())),
            ("ALTER TABLE a ADD COLUMN y; DROP TABLE b; CREATE VIEW v AS SELECT x FROM a", Change::Anything),
            ("ALTER TABLE b RENAME TO e", Change::Anything),
        ];
        for (sql, change) in changes {
            let (conn, mut schema) = schema("CREATE TABLE a (x); CREATE TABLE b (x); CREATE INDEX b_x ON b (x);");
            conn.execute_batch(sql).expect("a change");
            schema.refresh(&conn, &change).expect("it can be read");
            let anew = Schema::read(&conn).expect("it can be read");
            assert_eq!(schema.objects, anew.objects, "{sql}");
            assert_eq!(schema.fingerprint(), anew.fingerprint(), "{sql}");
        }
    }

    #[test]
    fn differences_are_told_object_by_object() {
        let (_, expected) = schema(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL); CREATE INDEX users_name ON users (name);",
        );
        let (_, found) = schema("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); CREATE VIEW v AS SELECT 1;");
        let told: Vec<String> = found.differences(&expected).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "index users_name is missing",
                "table users differs\n  - column name text not null\n  + column name text",
                "view v should not be there",
            ]
        );
    }

    #[test]
    fn what_belongs_to_sqlite_a_module_or_a_history_is_not_the_applications() {
        let (_, schema) = schema(
            "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, b UNIQUE); CREATE VIRTUAL TABLE f USING fts5 (x); \
             CREATE TABLE _molos_migrations (a); CREATE TABLE _sqlx_migrations (a); CREATE INDEX i ON _sqlx_migrations (a);",
        );
        let names: Vec<String> = schema.objects().map(ToString::to_string).collect();
        assert_eq!(names, ["table a", "table f"]);
    }
}
