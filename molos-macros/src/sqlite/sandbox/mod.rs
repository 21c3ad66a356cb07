//! What a migration may do while it is checked: be a database, and nothing else.

mod altering;
pub(crate) mod authorizer;
mod connection;
mod functions;
pub(crate) mod limits;
pub(crate) mod trace;
mod versions;

use std::collections::BTreeSet;
use std::ffi::c_int;
use std::time::Duration;

use molos_runtime::__private::Changed;
use molos_runtime::__private::sqlite::{Change, SchemaReader};
use molos_runtime::__private::sqlite::{Settings, violations_of};
use molos_runtime::database::{DatabaseError, Violations};
use molos_runtime::rusqlite::backup::Backup;
use molos_runtime::rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER;
use molos_runtime::rusqlite::{Connection, Result};

use crate::input::Registered;
use crate::sqlite::keys::Keys;
use crate::sqlite::sandbox::trace::{State, Trace, Watch};

/// A connection to an in-memory database, in which a script can reach nothing outside of it.
pub(crate) struct Sandbox {
    conn: Connection,
    settings: Settings,
    /// The statements of the script that is running, so far.
    script: String,
    watch: Watch,
    keys: Keys,
    schema: SchemaReader,
}

impl Sandbox {
    /// Opens a database with an empty history table, and with stand-ins for what the program registers.
    pub(crate) fn open(registered: &Registered) -> Result<Self, DatabaseError> {
        let mut conn = Connection::open_in_memory()?;
        let watch = Watch::default();
        for function in &registered.functions {
            functions::register(&conn, function)?;
        }
        for name in &registered.collations {
            // By bytes, as `BINARY`: what the program's own takes for equal is not known.
            conn.create_collation(name.as_str(), str::cmp)?;
        }
        limits::set(&mut conn, &watch)?;
        authorizer::set(&mut conn, &watch)?;
        let settings = connection::make_ready(&mut conn)?;
        Ok(Self {
            conn,
            settings,
            script: String::new(),
            watch,
            keys: Keys::default(),
            schema: SchemaReader::default(),
        })
    }

    /// The connection, for reading the schema.
    pub(crate) fn conn(&self) -> &Connection {
        &self.conn
    }

    /// The schema, as it was read last.
    pub(crate) const fn schema_reader(&self) -> &SchemaReader {
        &self.schema
    }

    /// Reads the schema.
    pub(crate) fn read_schema(&mut self) -> Result<()> {
        self.schema.refresh(&self.conn, &Change::Anything).map(drop)
    }

    /// Becomes a copy of another.
    pub(crate) fn copy_from(&mut self, other: &Self) -> Result<()> {
        Backup::new(&other.conn, &mut self.conn)?.run_to_completion(c_int::MAX, Duration::ZERO, None)?;
        self.watch.lock().trace = other.trace();
        self.keys.forget();
        self.read_schema()
    }

    /// Reads again what the script that ran last may have changed in the schema.
    pub(crate) fn refresh_schema(&mut self) -> Result<Vec<Changed>> {
        let change = self.trace().change;
        self.schema.refresh(&self.conn, &change)
    }

    /// Changes rows without the watch that is kept over scripts, and without firing triggers. `change` returns the tables
    /// that it has changed, and so does this.
    pub(crate) fn arrange(
        &mut self,
        change: impl FnOnce(&Connection, &SchemaReader) -> BTreeSet<String>,
    ) -> Result<BTreeSet<String>> {
        self.conn.execute_batch("BEGIN")?;
        self.conn.set_db_config(SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        let changed = change(&self.conn, &self.schema);
        self.conn.set_db_config(SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
        self.conn.execute_batch("COMMIT")?;
        self.keys.touch(changed.iter().cloned());
        Ok(changed)
    }

    /// Runs statements that insert rows, under the same watch as a script, and returns the tables that they changed. The
    /// inner error is why they could not be run; they have left nothing.
    pub(crate) fn insert(&mut self, sql: &str) -> Result<Result<BTreeSet<String>, String>> {
        let trace = self.trace();
        self.conn.execute_batch("BEGIN")?;
        self.begin_watching();
        let result = self.conn.execute_batch(sql);
        let inserted = std::mem::replace(&mut *self.watch.lock(), State { trace, ..State::default() }).trace;
        if let Err(error) = result {
            self.conn.execute_batch("ROLLBACK")?;
            return Ok(Err(error.to_string()));
        }
        if inserted.change != Change::Nothing {
            self.conn.execute_batch("ROLLBACK")?;
            return Ok(Err("it changes the schema".to_owned()));
        }
        self.conn.execute_batch("COMMIT")?;
        self.keys.touch(inserted.effects.written.iter().cloned());
        Ok(Ok(inserted.effects.written))
    }

    /// Every foreign key that points at nothing or cannot be enforced.
    pub(crate) fn violations_of_all(&self) -> Result<Violations, DatabaseError> {
        violations_of(&self.conn, None)
    }

    /// What the script that ran last did, or was stopped from doing.
    pub(crate) fn trace(&self) -> Trace {
        self.watch.lock().trace.clone()
    }

    fn begin_watching(&self) {
        *self.watch.lock() = State { watching: true, ..State::default() };
    }

    fn end_watching(&mut self) {
        let script = std::mem::take(&mut self.script);
        let state = &mut *self.watch.lock();
        state.watching = false;
        let trace = &mut state.trace;
        if matches!(&trace.change, Change::Added(tables) if !tables.is_empty()) && !authorizer::only_adds(&script) {
            trace.change = Change::Anything;
        }
        trace.effects.removes = trace.change == Change::Anything;
        self.keys.after(&script, trace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Function;

    #[test]
    fn a_copy_has_the_schema_and_the_rows_and_is_watched_as_before() {
        let function = Function { name: "f".to_owned(), arguments: 1 };
        let registered = Registered { functions: vec![function], collations: vec!["c".to_owned()] };
        let [mut copy, mut other] = [(); 2].map(|()| Sandbox::open(&registered).expect("a sandbox"));
        let table = "CREATE TABLE a (x TEXT COLLATE c UNIQUE CHECK (f(x))); INSERT INTO a VALUES ('y');";
        other.conn.execute_batch(table).expect("SQL");
        other.read_schema().expect("the schema");
        copy.conn.execute_batch("CREATE TABLE b (x)").expect("SQL");
        copy.read_schema().expect("the schema");
        let limit = |sandbox: &Sandbox| -> i64 {
            sandbox.conn.query_row("PRAGMA max_page_count", [], |row| row.get(0)).expect("the limit")
        };
        let before = limit(&copy);

        copy.copy_from(&other).expect("a copy");
        assert_eq!(copy.schema.schema(), other.schema.schema());
        assert_eq!(limit(&copy), before);
        assert_eq!(copy.insert("INSERT INTO a VALUES ('z')"), Ok(Ok(BTreeSet::from(["a".to_owned()]))));
        let rows = |sandbox: &Sandbox| -> i64 {
            sandbox.conn.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).expect("a number")
        };
        assert_eq!((rows(&copy), rows(&other)), (2, 1));
        for refused in ["ATTACH ':memory:' AS m", "PRAGMA writable_schema = 1", "INSERT INTO a VALUES ('y')"] {
            assert!(copy.insert(refused).expect("a sandbox").is_err(), "{refused}");
        }
    }
}
