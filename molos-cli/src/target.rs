//! The database that a command is about.

use std::borrow::Cow;
use std::path::Path;

use molos_runtime::rusqlite::{self, Connection};

use crate::output::{Failure, note};

type Prepare<'t> = &'t dyn Fn(&Connection) -> rusqlite::Result<()>;

pub(crate) struct Target<'t> {
    pub(crate) path: &'t Path,
    prepare: Prepare<'t>,
}

impl<'t> Target<'t> {
    pub(crate) const fn new(path: &'t Path, prepare: Prepare<'t>) -> Self {
        Self { path, prepare }
    }

    /// Opens the database, which is created if it is not there.
    pub(crate) fn open(&self) -> Result<Connection, Failure> {
        self.ready(Connection::open(self.path), &self.name())
    }

    /// Opens the database; if it is not there, an empty one in memory, so that looking at it does not create it.
    pub(crate) fn look(&self) -> Result<Connection, Failure> {
        if self.is_there() {
            return self.open();
        }
        note(format!("{} is not there yet; it is taken for an empty database", self.name()));
        self.in_memory()
    }

    /// Opens an empty database in memory.
    pub(crate) fn in_memory(&self) -> Result<Connection, Failure> {
        self.ready(Connection::open_in_memory(), "a database in memory")
    }

    /// Whether the database is there, as far as can be told from its name.
    pub(crate) fn is_there(&self) -> bool {
        self.is_uri() || self.path.exists()
    }

    /// What it is called to people: without the parameters of a URI, one of which may be a key.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        let name = self.path.to_string_lossy();
        match name.split_once('?') {
            Some((name, _)) if self.is_uri() => Cow::Owned(name.to_owned()),
            _ => name,
        }
    }

    fn is_uri(&self) -> bool {
        self.path.to_string_lossy().starts_with("file:")
    }

    fn ready(&self, conn: rusqlite::Result<Connection>, name: &str) -> Result<Connection, Failure> {
        let conn = conn.map_err(|error| {
            let problem = format!("{name} cannot be opened: {}", reason(&error));
            Failure::new(problem, "check that the directory is there and that this user may read and write it")
        })?;
        (self.prepare)(&conn).map_err(|error| {
            let problem = format!("the program cannot make the connection to {name} ready: {}", reason(&error));
            Failure::new(problem, "this is the function given to `Db::run_with`")
        })?;
        Ok(conn)
    }
}

/// SQLite's own words, without the path and its parameters that rusqlite adds.
fn reason(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, _) => rusqlite::ffi::code_to_str(code.extended_code).to_owned(),
        other => other.to_string(),
    }
}
