//! PostgreSQL's errors, as the engine tells them apart and as people read them.

use std::fmt;

use tokio_postgres::Error;
use tokio_postgres::error::{ErrorPosition, SqlState};

use crate::database::{DatabaseError, Failure};
use crate::model::error::DatabaseFailure;

/// An [`Error`] that is displayed as the server's own message. Its details are left out, since they quote rows.
#[derive(Debug)]
struct Plain(Error);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_db_error() {
            Some(error) => f.write_str(error.message()),
            None => self.0.fmt(f),
        }
    }
}

impl std::error::Error for Plain {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl From<Error> for DatabaseError {
    fn from(error: Error) -> Self {
        let failure = error.code().map_or_else(
            || if error.is_closed() { DatabaseFailure::CannotOpen.into() } else { DatabaseFailure::Other.into() },
            failure,
        );
        Self { failure, offset: None, source: Box::new(Plain(error)) }
    }
}

fn failure(code: &SqlState) -> Failure {
    match *code {
        SqlState::LOCK_NOT_AVAILABLE => Failure::Busy,
        SqlState::READ_ONLY_SQL_TRANSACTION => DatabaseFailure::ReadOnly.into(),
        SqlState::DISK_FULL => DatabaseFailure::Full.into(),
        SqlState::IO_ERROR => DatabaseFailure::Io.into(),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => DatabaseFailure::Corrupt.into(),
        SqlState::QUERY_CANCELED => DatabaseFailure::Interrupted.into(),
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => {
            DatabaseFailure::CannotOpen.into()
        }
        _ => DatabaseFailure::Other.into(),
    }
}

/// The error of a statement of a script.
pub(super) fn of_statement(statement: &str, error: Error) -> DatabaseError {
    let offset = error.as_db_error().and_then(|error| match error.position() {
        Some(ErrorPosition::Original(position)) => usize::try_from(*position).ok(),
        _ => None,
    });
    // The server counts characters, from 1.
    let offset = offset.and_then(|position| statement.char_indices().nth(position.saturating_sub(1)));
    let offset = Some(offset.map_or(0, |(at, _)| at));
    let error = DatabaseError::from(error);
    let failure = if error.failure == DatabaseFailure::Other.into() { Failure::Statement } else { error.failure };
    DatabaseError { failure, offset, ..error }
}
