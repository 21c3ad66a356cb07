//! What a database has to be able to do for migrations to be run on it: a few small traits, which each wing implements
//! for the connections of its drivers. The algorithm is written once, for all of them.
//!
//! The traits are asynchronous, and a blocking connection's futures are ready when they are first polled, so that the
//! same code serves both.

mod error;
mod ready;
mod traits;

pub use error::{DatabaseError, Failure};
pub use ready::{BoxFuture, ready};
pub use traits::{
    Connection, Database, Driver, Files, History, Inspect, Run, Schemas, Sealed, Settings, Statements, Tokens, Transact,
};

/// The database that is meant where none is named.
pub use crate::sqlite::Sqlite as DefaultDatabase;

use std::time::Duration;

use crate::model::error::Violation;

/// The rows that violate a foreign key, by child and parent table.
///
/// A key that cannot be checked at all counts once, without a parent, and with what the database says of it for the table.
pub type Violations = Vec<Violation>;

/// What became of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It is sound.
    Sound,
    /// There was nothing to copy: the database has no table yet. There is no file.
    Nothing,
    /// It is not sound, for this reason.
    Unsound(String),
}

/// Why a file was not put back.
#[derive(Debug)]
pub enum PutBack {
    /// It is no backup, for this reason.
    NotABackup(String),
    /// Another connection held the database for as long as was waited.
    Busy(Duration, DatabaseError),
    /// The database failed.
    Failed(DatabaseError),
}
