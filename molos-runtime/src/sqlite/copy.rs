//! Copies of an SQLite database, page by page, and how they are restored.
//!
//! `VACUUM INTO` would build another database with the same rows: other rowids where a table has no `INTEGER PRIMARY KEY`,
//! nothing if an index needs a function that only the program has, and it does not run in a transaction. The backup
//! API copies the pages as they are: <https://sqlite.org/backup.html>.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, ffi};

use super::Sqlite;
use super::catalog::quote;
use super::connection::run_statement;
use super::error::{is_sql_error, without_path};
use crate::database::{Copied, DatabaseError, Failure, Files, PutBack};

impl Files for Sqlite {
    async fn file(conn: &mut Self::Handle<'_>) -> Result<Option<PathBuf>, DatabaseError> {
        Ok(file_of(conn.0)?)
    }

    async fn copy(from: &Path, to: &Path) -> Result<Copied, DatabaseError> {
        Ok(copy(from, to)?)
    }

    fn put_back(from: &Path, to: &Path, timeout: Duration) -> Result<(), PutBack> {
        put_back(from, to, timeout)
    }
}

/// The file of the main database.
pub(super) fn file_of(conn: &Connection) -> rusqlite::Result<Option<PathBuf>> {
    conn.query_row("SELECT file FROM pragma_database_list WHERE name = 'main'", [], |row| {
        let bytes = match row.get_ref(0)? {
            ValueRef::Text(bytes) if !bytes.is_empty() => bytes,
            _ => return Ok(None),
        };
        Ok(path(bytes))
    })
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere, not every name is a path")]
fn path(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(bytes).ok().map(PathBuf::from)
}

/// Copies the database in the file `from` into the new file `to`, and checks the copy.
fn copy(from: &Path, to: &Path) -> rusqlite::Result<Copied> {
    // The program's own connection holds the lock that keeps other writers out, and a connection that writes cannot be
    // copied from: https://sqlite.org/c3ref/backup_finish.html. Another one sees what is committed.
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // Nobody keeps it from reading for long, but for a connection in exclusive locking mode, which does so for ever.
    source.busy_timeout(Duration::from_secs(1))?;
    if is_empty(&source)? {
        return Ok(Copied::Nothing);
    }
    let size = size(&source)?;
    {
        let mut copy = Connection::open(to)?;
        // A copy that is not complete is thrown away, and a complete one is synced once.
        for pragma in ["PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF"] {
            run_statement(&copy, pragma)?;
        }
        all_pages(&source, &mut copy)?;
    }
    drop(source);
    let copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // The copy of a database in WAL mode is in it as well, and could not be read from where nothing can be written.
    run_statement(&copy, "PRAGMA journal_mode = DELETE")?;
    let copied = self::size(&copy)?;
    if copied != size {
        return Ok(Copied::Unsound(format!("it has {copied} bytes, and the database {size}")));
    }
    Ok(problem(&copy)?.map_or(Copied::Sound, Copied::Unsound))
}

/// Overwrites the database in the file `to` with the one in `from`, in one transaction.
fn put_back(from: &Path, to: &Path, timeout: Duration) -> Result<(), PutBack> {
    let unreadable = |error| PutBack::NotABackup(without_path(error).source.to_string());
    let backup = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(unreadable)?;
    if is_in_file(&backup, to) {
        return Err(PutBack::NotABackup("it is the database itself".to_owned()));
    }
    if is_empty(&backup).map_err(unreadable)? {
        return Err(PutBack::NotABackup("there is no table in it".to_owned()));
    }
    if let Some(problem) = problem(&backup).map_err(unreadable)? {
        return Err(PutBack::NotABackup(problem));
    }
    let failed = |error| PutBack::Failed(without_path(error));
    let mut database = Connection::open(to).map_err(failed)?;
    database.busy_timeout(Duration::ZERO).map_err(failed)?;
    let started = Instant::now();
    loop {
        let error = match one_page_size(&backup, &database).and_then(|()| all_pages(&backup, &mut database)) {
            Ok(()) => return Ok(()),
            Err(error) => DatabaseError::from(error),
        };
        if error.failure != Failure::Busy {
            return Err(PutBack::Failed(error));
        }
        let waited = started.elapsed();
        if waited >= timeout {
            return Err(PutBack::Busy(waited, error));
        }
        sleep(Duration::from_millis(20));
    }
}

/// Whether what was opened is in the file that `path` leads to, which may be a URI or another name of it.
fn is_in_file(opened: &Connection, path: &Path) -> bool {
    let Ok(other) = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY) else { return false };
    let file = |conn: &Connection| file_of(conn).ok().flatten();
    file(opened).zip(file(&other)).is_some_and(|(one, other)| is_same_file(&one, &other))
}

#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let inode = |path: &Path| std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    inode(one).is_some_and(|inode_of_one| inode(other) == Some(inode_of_one))
}

#[cfg(not(unix))]
fn is_same_file(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| std::fs::canonicalize(path).ok();
    canonical(one).is_some_and(|canonical_of_one| canonical(other) == Some(canonical_of_one))
}

/// Has pages of any size fit into a database: a WAL has those of one size.
fn one_page_size(from: &Connection, to: &Connection) -> rusqlite::Result<()> {
    let page_size = |conn: &Connection| conn.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0));
    if page_size(from)? == page_size(to)? {
        return Ok(());
    }
    run_statement(to, "PRAGMA journal_mode = DELETE")
}

fn all_pages(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    let code = match Backup::new(from, to)?.step(-1) {
        Ok(StepResult::Done) => return Ok(()),
        Ok(StepResult::Locked) => ffi::SQLITE_LOCKED,
        Ok(_) => ffi::SQLITE_BUSY,
        // In older versions of SQLite, a step that fails leaves its code and no message.
        Err(rusqlite::Error::SqliteFailure(failure, Some(message))) if message == "not an error" => {
            let message = ffi::code_to_str(failure.extended_code).to_owned();
            return Err(rusqlite::Error::SqliteFailure(failure, Some(message)));
        }
        Err(error) => return Err(error),
    };
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
}

fn is_empty(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_master)", [], |row| row.get(0))
}

/// How many bytes the pages are.
fn size(conn: &Connection) -> rusqlite::Result<i64> {
    let one = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
    Ok(one("PRAGMA page_count")?.saturating_mul(one("PRAGMA page_size")?))
}

/// What SQLite finds wrong with a database.
fn problem(conn: &Connection) -> rusqlite::Result<Option<String>> {
    let error = match check(conn, "PRAGMA integrity_check(1)") {
        Ok(problem) => return Ok(problem),
        Err(error) => error,
    };
    if !is_sql_error(&error) {
        return Err(error);
    }
    // An index, a `CHECK` or a generated column needs a function or a collation that only the program has. The tables
    // without such are checked one by one.
    let mut names = conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for name in names {
        match check(conn, &format!("PRAGMA integrity_check({})", quote(&name))) {
            Ok(None) => {}
            Ok(problem) => return Ok(problem),
            Err(error) if is_sql_error(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn check(conn: &Connection, pragma: &str) -> rusqlite::Result<Option<String>> {
    let found: String = conn.query_row(pragma, [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}
