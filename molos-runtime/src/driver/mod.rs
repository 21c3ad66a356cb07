//! What differs between databases, behind one small trait. The algorithm is written once, in
//! [`engine`](crate::engine) and [`Migrator`](crate::Migrator).

mod copy;
mod sqlite;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) use copy::{PutBack, put_back};
pub use sqlite::violations_of;

pub use crate::error::Source;
use crate::history::{Applied, Record};
use crate::script::Statement;
use crate::{Base, ForeignKeys, Hook, Migration, Schema, Script, Tool};

/// A connection that migrations can be run on. It is implemented for [`rusqlite::Connection`].
///
/// The methods are the engine's; a program only passes a connection on.
#[diagnostic::on_unimplemented(
    message = "migrations cannot be run on `{Self}`",
    note = "pass a `&mut rusqlite::Connection`; of a pooled connection that is `&mut *pooled`"
)]
pub trait Driver {
    /// The settings of the connection that a migration changes and puts back.
    type Settings;

    /// The version of the database engine, as a number.
    fn version(&self) -> i32;

    /// Whether a transaction is open.
    fn in_transaction(&self) -> bool;

    /// Remembers the connection's settings and makes them those of a migration: no waiting for locks inside of the
    /// database, no enforcement of foreign keys. Called outside of a transaction.
    fn enter(&mut self) -> Result<Self::Settings, DriverError>;

    /// Puts the settings back. Called outside of a transaction.
    fn leave(&mut self, settings: &Self::Settings) -> Result<(), DriverError>;

    /// Starts a transaction that no other writer can be in; [`Failure::Busy`] if there is one.
    fn begin(&mut self) -> Result<(), DriverError>;

    /// Commits; on [`Failure::Busy`] the transaction is still open.
    fn commit(&mut self) -> Result<(), DriverError>;

    /// Undoes the transaction.
    fn rollback(&mut self) -> Result<(), DriverError>;

    /// Runs every statement of a script, inside of the open transaction, and calls `before` before each.
    fn run(
        &mut self,
        script: &str,
        keys: ForeignKeys,
        before: &mut dyn FnMut(Statement<'_>),
    ) -> Result<(), DriverError>;

    /// Runs every statement of a script by itself, and calls `before` before each. Called outside of a transaction.
    fn run_outside(&mut self, script: &str, before: &mut dyn FnMut(Statement<'_>)) -> Result<(), DriverError>;

    /// Runs a function of the program's, inside of the open transaction.
    fn hook(&mut self, hook: Hook) -> Result<(), Source>;

    /// How many rows this connection has changed since it was opened.
    fn rows_changed(&mut self) -> Result<u64, DriverError>;

    /// Every foreign key that points at nothing.
    fn violations(&mut self) -> Result<Violations, DriverError>;

    /// The history of `set` in the order of its versions; nothing, too, when there is no history table yet.
    fn history(&mut self, set: &str) -> Result<Vec<Applied>, DriverError>;

    /// The SQL that takes a migration back, as the history table has it.
    fn stored_down(&mut self, set: &str, version: i64) -> Result<Option<String>, DriverError>;

    /// Whether the history, of whatever set, has this migration.
    fn has_applied(&mut self, base: &Base<'_>) -> Result<bool, DriverError>;

    /// The sets that the history has.
    fn sets(&mut self) -> Result<Vec<String>, DriverError>;

    /// Creates the history table, if there is none.
    fn create_history(&mut self) -> Result<(), DriverError>;

    /// Writes rows to the history table.
    fn record(&mut self, records: &[Record<'_>]) -> Result<(), DriverError>;

    /// Takes migrations out of the history table.
    fn forget(&mut self, steps: &[Migration<'_>]) -> Result<(), DriverError>;

    /// How many rows a table has, or how many of them have a value in a column; 0 for what is not there.
    fn count(&mut self, table: &str, column: Option<&str>) -> Result<u64, DriverError>;

    /// The schema that there is.
    fn schema(&mut self) -> Result<Schema, DriverError>;

    /// The schemas that scripts lead to, one after the other, on an empty database of the same kind.
    fn rehearse(&mut self, scripts: &mut dyn Iterator<Item = Script<'_>>) -> Result<Vec<Schema>, DriverError>;

    /// The file that the database is in; `None` if it is in none.
    fn file(&mut self) -> Result<Option<PathBuf>, DriverError>;

    /// Copies what is committed in the database's file `from` into the new file `to`, by another connection, and checks the
    /// copy. Called inside of a transaction, of which nothing has reached the file yet.
    fn copy(&mut self, from: &Path, to: &Path) -> Result<Copied, DriverError>;

    /// What other tools have noted in this database of the migrations they applied.
    fn claims(&mut self) -> Result<Vec<Claim>, DriverError>;
}

/// How many rows violate a foreign key, by child and parent table.
///
/// A key that cannot be checked at all counts once, with what the database says of it for the parent.
pub type Violations = BTreeMap<(String, String), u64>;

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

/// The history of another tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The tool.
    pub tool: Tool,
    /// What it says was applied.
    pub applied: Claimed,
}

/// What another tool says was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Migrations of these versions, in their order.
    Versions(Vec<i64>),
    /// So many, from the first on.
    Count(usize),
}

/// What a driver could not do.
#[derive(Debug)]
pub struct DriverError {
    /// What kind of failure it is.
    pub failure: Failure,
    /// The byte of the script that it is about, when a script was run.
    pub offset: Option<usize>,
    /// The database's own error.
    pub source: Source,
}

/// The kinds of failure that the engine tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Another connection holds a lock.
    Busy,
    /// A statement of the script cannot be run on this database.
    Script,
    /// A statement of the script ended the transaction.
    TransactionEnded,
    /// The history table is not as it should be.
    History(String),
    /// The file is not a database, or it is encrypted.
    NotADatabase,
    /// The file is a database, and damaged.
    Corrupt,
    /// The database cannot be written by this connection.
    ReadOnly,
    /// There is no room left.
    Full,
    /// Reading or writing failed.
    Io,
    /// A file of the database cannot be opened.
    CannotOpen,
    /// The program stopped what was running.
    Interrupted,
    /// Anything else.
    Other,
}
