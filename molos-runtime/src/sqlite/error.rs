//! SQLite's errors, as the engine tells them apart and as people read them.

use std::fmt;

use rusqlite::ErrorCode;

use crate::database::{DatabaseError, Failure};
use crate::model::error::{DatabaseFailure, Source};

/// How many bytes into `sql` SQLite found `error`.
pub(super) fn offset_in(sql: &str, error: &rusqlite::Error) -> usize {
    match error {
        // `rest` is what was left to read, so that it starts where `sql` is longer by.
        rusqlite::Error::SqlInputError { sql: rest, offset, .. } => {
            sql.len().saturating_sub(rest.len()) + usize::try_from(*offset).unwrap_or(0)
        }
        _ => 0,
    }
}

pub(super) fn is_interrupt(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

/// Whether a statement uses a function that SQLite does not know: one of the program's own, it may be.
pub(super) fn is_unknown_function(error: &rusqlite::Error) -> bool {
    message(error).starts_with("no such function: ")
}

/// Whether a statement uses something that a program may register with a connection, and that this one does not have.
pub(super) fn is_unregistered(error: &rusqlite::Error) -> bool {
    let message = message(error);
    let has = ["no such collation sequence: ", "no such module: "].iter().any(|start| message.starts_with(start));
    has || is_unknown_function(error)
}

/// Whether SQLite could not make sense of a statement, in the schema that there is.
pub(super) fn is_sql_error(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqlInputError { .. }) || error.sqlite_error_code() == Some(ErrorCode::Unknown)
}

/// What SQLite says of an error, without the statement that rusqlite adds to it.
pub(super) fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } | rusqlite::Error::SqliteFailure(_, Some(msg)) => msg.clone(),
        other => other.to_string(),
    }
}

/// Whether such a failure is one of the file or the disk, of which SQLite has many kinds.
fn is_of_the_file(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::DatabaseCorrupt
    )
}

/// A [`rusqlite::Error`] that is displayed as SQLite's own message.
#[derive(Debug)]
struct Plain(rusqlite::Error);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&message(&self.0))?;
        match &self.0 {
            // For these, SQLite's message is the same whatever it is that failed; the code tells it apart.
            rusqlite::Error::SqliteFailure(failure, _)
                if is_of_the_file(failure.code) && failure.extended_code > 0xff =>
            {
                write!(f, " (code {})", failure.extended_code)
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Plain {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The error of a file that cannot be opened, without its name: a URI may have a key in it.
pub(super) fn without_path(error: rusqlite::Error) -> DatabaseError {
    match error {
        rusqlite::Error::SqliteFailure(failure, Some(_)) if failure.code == ErrorCode::CannotOpen => {
            let message = "unable to open database file".to_owned();
            DatabaseError::from(rusqlite::Error::SqliteFailure(failure, Some(message)))
        }
        error => DatabaseError::from(error),
    }
}

fn source(error: rusqlite::Error) -> Source {
    Box::new(Plain(error))
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        let failure = match error.sqlite_error_code() {
            // A shared cache says "locked" where separate caches say "busy"; a WAL whose start of a transaction lost its
            // race too often, "locking protocol": https://sqlite.org/rescode.html#protocol
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                Failure::Busy
            }
            Some(ErrorCode::NotADatabase) => DatabaseFailure::NotADatabase.into(),
            Some(ErrorCode::DatabaseCorrupt) => DatabaseFailure::Corrupt.into(),
            Some(ErrorCode::ReadOnly) => DatabaseFailure::ReadOnly.into(),
            Some(ErrorCode::DiskFull) => DatabaseFailure::Full.into(),
            Some(ErrorCode::SystemIoFailure) => DatabaseFailure::Io.into(),
            Some(ErrorCode::CannotOpen) => DatabaseFailure::CannotOpen.into(),
            Some(ErrorCode::OperationInterrupted) => DatabaseFailure::Interrupted.into(),
            _ => DatabaseFailure::Other.into(),
        };
        Self { failure, offset: None, source: source(error) }
    }
}
