//! The database that a command is about.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

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
        if self.is_there() || !self.can_be_made() {
            return self.open();
        }
        note(format!("{} is not there yet; it is taken for an empty database", self.name()));
        self.in_memory()
    }

    /// Opens an empty database in memory.
    pub(crate) fn in_memory(&self) -> Result<Connection, Failure> {
        self.ready(Connection::open_in_memory(), "a database in memory")
    }

    /// Whether the database is there. Where that cannot be found out, it is: opening it says what is wrong.
    pub(crate) fn is_there(&self) -> bool {
        file(self.path).is_none_or(|file| file.try_exists().unwrap_or(true))
    }

    /// Whether there is a directory for it.
    fn can_be_made(&self) -> bool {
        let Some(file) = file(self.path) else { return true };
        match file.parent() {
            Some(directory) if directory.as_os_str().is_empty() => true,
            Some(directory) => directory.is_dir(),
            None => false,
        }
    }

    /// What it is called to people.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        name(self.path)
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

/// What a database is called to people: without the parameters of a URI, one of which may be a key.
pub(crate) fn name(path: &Path) -> Cow<'_, str> {
    let name = path.to_string_lossy();
    match name.split_once('?') {
        Some((name, _)) if is_uri(path) => Cow::Owned(name.to_owned()),
        _ => name,
    }
}

/// The file of a database; `None` if it is in none, or if the URI leaves it to a module of the program where it is.
pub(crate) fn file(path: &Path) -> Option<PathBuf> {
    if !is_uri(path) {
        return Some(path.to_owned());
    }
    // https://sqlite.org/uri.html
    let uri = path.to_str()?.strip_prefix("file:")?;
    let uri = uri.split_once('#').map_or(uri, |(uri, _)| uri);
    let (name, parameters) = uri.split_once('?').unwrap_or((uri, ""));
    if parameters.split('&').any(|parameter| parameter == "mode=memory" || parameter.starts_with("vfs=")) {
        return None;
    }
    let name = match name.strip_prefix("//") {
        Some(rest) => rest.get(rest.find('/')?..)?,
        None => name,
    };
    let name = decoded(name)?;
    (!name.is_empty() && name != ":memory:").then(|| PathBuf::from(name))
}

/// Without the escapes of a URI, such as `%20`.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

fn is_uri(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().starts_with(b"file:")
}

/// SQLite's own words, without what rusqlite adds: the path with its parameters, or the statement, which may set a key.
fn reason(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, _) | rusqlite::Error::SqlInputError { error: code, .. } => {
            rusqlite::ffi::code_to_str(code.extended_code).to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_that_sets_a_key_is_not_shown() {
        let conn = Connection::open_in_memory().expect("a database");
        for sql in ["PRAGMA key = 'a'secret'", "SELECT 'secret', b"] {
            let error = conn.prepare(sql).expect_err("it is wrong");
            let reason = reason(&error);
            assert!(reason.contains("SQL") && !reason.contains("secret"), "{reason}");
        }
    }

    #[test]
    fn the_file_of_a_uri_is_found_where_sqlite_finds_it() {
        let cases = [
            ("app.db", Some("app.db")),
            ("file:app.db", Some("app.db")),
            ("file:data/app.db?mode=rwc&key=a/b#c", Some("data/app.db")),
            ("file:///var/my%20app.db", Some("/var/my app.db")),
            ("file://localhost/var/app.db", Some("/var/app.db")),
            ("file:app.db?cache=shared&mode=memory", None),
            ("file:app.db?vfs=other", None),
            ("file::memory:", None),
            ("file:", None),
        ];
        for (path, found) in cases {
            assert_eq!(file(Path::new(path)), found.map(PathBuf::from), "{path}");
        }
    }
}
