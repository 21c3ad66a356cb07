//! The traits.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Copied, DatabaseError, PutBack, Violations};
use crate::model::claim::Claim;
use crate::model::history::{Applied, Record};
use crate::model::migration::{Base, ForeignKeys, Script};
use crate::model::script::{Statement, Token};
use crate::schema::Schema;

/// Keeps the traits from being implemented elsewhere, so that they can gain methods.
pub trait Sealed {}

/// The tokens of an SQL text, in order; together they are the whole text.
pub type Tokens<'s> = Box<dyn Iterator<Item = Token> + Send + 's>;

/// The statements of a script, in order.
pub type Statements<'s> = Box<dyn Iterator<Item = Statement<'s>> + Send + 's>;

/// The settings of a connection that a session changes, and puts back at its end.
pub type Settings<D> = <<D as Run>::Database as Database>::Settings;

/// A kind of database, which a list of migrations is for.
pub trait Database: Sealed + Copy + Debug + Send + Sync + 'static {
    /// The name that people know it by.
    const NAME: &'static str;

    /// How a program comes by a newer version of it.
    const UPGRADE: &'static str;

    /// A function of the program that belongs to a migration.
    type Hook: Copy + Debug + Send + Sync;

    /// The settings of a connection that a session changes, and puts back at its end.
    type Settings: Send + Sync;

    /// A connection that is in use.
    type Handle<'c>: Driver<Database = Self>;

    /// The tokens of an SQL text.
    fn tokens(sql: &str) -> Tokens<'_>;

    /// The statements of a script, without the comments between them and without empty ones.
    fn statements(script: &str) -> Statements<'_>;

    /// Whether a script has no statement in it: nothing, or only comments.
    #[must_use]
    fn is_blank(script: &str) -> bool {
        Self::statements(script).next().is_none()
    }

    /// A version of the database engine as people write it.
    #[must_use]
    fn version_name(version: i32) -> String;
}

/// A connection that migrations can be run on.
///
/// A program only passes one on: a `rusqlite::Connection` to SQLite, or with the feature of that name a
/// `postgres::Client` or a `tokio_postgres::Client` to PostgreSQL.
#[diagnostic::on_unimplemented(
    message = "migrations cannot be run on `{Self}`",
    note = "for SQLite, pass a `&mut molos::rusqlite::Connection`; of a pooled connection that is `&mut *pooled`",
    note = "for PostgreSQL, turn on molos's feature `postgres` or `tokio-postgres`, and pass a `&mut Client` of that crate"
)]
pub trait Connection: Sealed + Send {
    /// The kind of database that it is a connection to.
    type Database: Database;

    /// What a call on this connection returns: a `T` if it blocks, and a future of a `T` if it does not.
    type Outcome<'a, T: Send + 'a>;

    /// The connection, for the time of a call.
    #[doc(hidden)]
    fn handle(&mut self) -> <Self::Database as Database>::Handle<'_>;

    /// What the call returns that does this work.
    #[doc(hidden)]
    fn outcome<'a, T: Send + 'a>(work: impl Future<Output = T> + Send + 'a) -> Self::Outcome<'a, T>;
}

/// Everything that a connection in use can do.
pub trait Driver: Transact + History + Inspect {}

impl<D: Transact + History + Inspect> Driver for D {}

/// Running the scripts and hooks of migrations, in a transaction that is open.
pub trait Run: Send {
    /// The kind of database.
    type Database: Database;

    /// Makes the connection ready for a script.
    fn begin_script(&mut self, keys: ForeignKeys) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Puts back what was changed for a script, or by it.
    fn end_script(&mut self, settings: &Settings<Self>) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Runs a statement of a script, which has to leave the transaction open.
    fn execute(&mut self, statement: Statement<'_>) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Runs a statement by itself, outside of any transaction.
    fn execute_alone(&mut self, statement: Statement<'_>) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Runs a function of the program, which has to leave the transaction open.
    fn hook(
        &mut self,
        hook: <Self::Database as Database>::Hook,
    ) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Every foreign key that refers to nothing; with `touched`, only those in these tables, and in those that refer to them.
    fn violations(
        &mut self,
        touched: Option<&[&str]>,
    ) -> impl Future<Output = Result<Violations, DatabaseError>> + Send;

    /// Whether there are triggers on one of these tables, which may do what no script says.
    fn have_triggers(&mut self, tables: &[&str]) -> impl Future<Output = Result<bool, DatabaseError>> + Send;
}

/// The connection itself, and its transactions.
pub trait Transact: Run {
    /// Whether a transaction is open.
    fn in_transaction(&mut self) -> impl Future<Output = Result<bool, DatabaseError>> + Send;

    /// The tables, views and triggers that only this connection has. Where a statement names one of them, it does not reach
    /// the database's own.
    fn temporary(&mut self) -> impl Future<Output = Result<Vec<String>, DatabaseError>> + Send;

    /// Changes the settings of the connection to those that migrations are run with, and returns those from before. Called
    /// outside of a transaction.
    fn enter(&mut self) -> impl Future<Output = Result<Settings<Self>, DatabaseError>> + Send;

    /// Puts the settings back. Called outside of a transaction.
    fn leave(&mut self, settings: &Settings<Self>) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Does what can be done without waiting so that no transaction stays open and the settings are put back: for a session
    /// that is dropped in the middle, when a future is cancelled or the program's code panics.
    fn abandon(&mut self, settings: &Settings<Self>);

    /// Begins a transaction that no other migration can be in. If there is one, the error is
    /// [`Failure::Busy`](super::Failure::Busy), and no transaction is open.
    fn begin(&mut self) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Commits; on [`Failure::Busy`](super::Failure::Busy) the transaction is still open.
    fn commit(&mut self) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Undoes the transaction, if one is open.
    fn rollback(&mut self) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Waits before the next attempt to get a lock.
    fn pause(&mut self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// The history table.
pub trait History: Send {
    /// The history of a set in the order of its versions; nothing, too, if there is no history table yet.
    fn history(&mut self, set: &str) -> impl Future<Output = Result<Vec<Applied>, DatabaseError>> + Send;

    /// The down migration that the history table holds.
    fn stored_down(
        &mut self,
        set: &str,
        version: i64,
    ) -> impl Future<Output = Result<Option<String>, DatabaseError>> + Send;

    /// Whether the history, of whatever set, has this migration.
    fn has_applied(&mut self, base: &Base<'_>) -> impl Future<Output = Result<bool, DatabaseError>> + Send;

    /// The sets that the history has.
    fn sets(&mut self) -> impl Future<Output = Result<Vec<String>, DatabaseError>> + Send;

    /// Creates the history table, if there is none.
    fn create_history(&mut self) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Writes rows to the history table.
    fn record(&mut self, records: &[Record<'_>]) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Takes a migration out of the history table.
    fn forget(&mut self, set: &str, version: i64) -> impl Future<Output = Result<(), DatabaseError>> + Send;
}

/// What can be asked of the engine, and counted.
pub trait Inspect: Send {
    /// The version of the database engine, as a number.
    fn version(&mut self) -> impl Future<Output = Result<i32, DatabaseError>> + Send;

    /// The first of these scripts that this engine does not understand, and why, if that can be found out beside the
    /// database.
    fn first_rejected(
        &mut self,
        scripts: &[Script<'_>],
    ) -> impl Future<Output = Result<Option<(usize, DatabaseError)>, DatabaseError>> + Send;

    /// How many rows this connection has changed so far: a number to be compared with an earlier one of the same
    /// transaction.
    fn rows_changed(&mut self) -> impl Future<Output = Result<u64, DatabaseError>> + Send;

    /// How many rows a table has, or how many of them have a value in a column; 0 for what is not there.
    fn count(&mut self, table: &str, column: Option<&str>) -> impl Future<Output = Result<u64, DatabaseError>> + Send;

    /// What other tools have noted in this database of the migrations that they applied: those whose databases can be
    /// adopted.
    fn claims(&mut self) -> impl Future<Output = Result<Vec<Claim>, DatabaseError>> + Send;
}

/// Schemas as facts, for a database whose wing can read them: for [`Migrator::verify`](crate::Migrator::verify) and
/// [`Migrator::adopt`](crate::Migrator::adopt).
pub trait Schemas: Database {
    /// The schema that there is.
    fn schema(conn: &mut Self::Handle<'_>) -> impl Future<Output = Result<Schema, DatabaseError>> + Send;

    /// The schemas that scripts lead to, one after the other, on an empty database of the same kind.
    fn replay(
        conn: &mut Self::Handle<'_>,
        scripts: &[Script<'_>],
    ) -> impl Future<Output = Result<Vec<Schema>, DatabaseError>> + Send;
}

/// The files of a database, where a database is in files of its own.
pub trait Files: Database {
    /// The file that the database is in; `None` if it is in none.
    fn file(conn: &mut Self::Handle<'_>) -> impl Future<Output = Result<Option<PathBuf>, DatabaseError>> + Send;

    /// Copies what is committed in the database's file `from` into the new file `to`, by another connection, and checks
    /// the copy. Called inside of a transaction, of which nothing has reached the file yet.
    fn copy(from: &Path, to: &Path) -> impl Future<Output = Result<Copied, DatabaseError>> + Send;

    /// Overwrites the database in the file `to` with the one in `from`, in one transaction.
    ///
    /// # Errors
    ///
    /// [`PutBack`]; the database is then as it was.
    fn put_back(from: &Path, to: &Path, timeout: Duration) -> Result<(), PutBack>;
}
