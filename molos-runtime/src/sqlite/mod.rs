//! SQLite, through rusqlite.

pub mod catalog;
mod claims;
mod connection;
mod copy;
mod definition;
pub(crate) mod error;
mod history;
mod inspect;
pub(crate) mod keys;
#[cfg(feature = "monitor")]
pub mod monitor;
mod pieces;
#[cfg(feature = "r2d2")]
pub mod r2d2;
mod rename;
pub(crate) mod schema;
mod scope;
pub mod table;
pub(crate) mod tokens;
mod validate;

#[cfg(test)]
mod tests;

use rusqlite::Connection;

pub use self::catalog::Catalog;
pub use self::connection::Settings;
pub use self::rename::{RenameError, rename_column};
use crate::Migration;
use crate::database::{self, Database, Sealed, Statements, Tokens, ready};

/// SQLite.
#[derive(Clone, Copy, Debug)]
pub enum Sqlite {}

/// What a migration does that SQL alone cannot: a function of the program's, run after the SQL of its up migration, in the same
/// transaction. If it fails, everything is undone as if a statement had failed.
///
/// The connection is inside of the transaction, with foreign keys not enforced, and has to stay in it. A hook changes rows
/// and not the schema: it is not run while the program compiles, so nothing checks what it would do.
pub type Hook = fn(&Connection) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

impl Migration<'_, Sqlite> {
    /// The same migration with a function that is run after its up migration.
    #[must_use]
    pub const fn with_hook(self, hook: Hook) -> Self {
        self.hooked(hook)
    }
}

/// A [`Connection`] in use.
#[derive(Debug)]
pub struct Handle<'c>(pub(crate) &'c mut Connection);

impl<'c> Handle<'c> {
    /// The connection, in use.
    pub const fn new(conn: &'c mut Connection) -> Self {
        Self(conn)
    }
}

impl Sealed for Sqlite {}

impl Database for Sqlite {
    const NAME: &'static str = "SQLite";
    const UPGRADE: &'static str = "link a newer SQLite, or build with the feature `bundled`";

    type Hook = Hook;
    type Settings = Settings;
    type Handle<'c> = Handle<'c>;

    fn tokens(sql: &str) -> Tokens<'_> {
        Box::new(tokens::tokens(sql))
    }

    fn statements(script: &str) -> Statements<'_> {
        Box::new(tokens::statements(script))
    }

    fn version_name(version: i32) -> String {
        format!("{}.{}.{}", version / 1_000_000, version / 1000 % 1000, version % 1000)
    }
}

impl Sealed for Connection {}

impl database::Connection for Connection {
    type Database = Sqlite;
    type Outcome<'a, T: Send + 'a> = T;

    fn handle(&mut self) -> Handle<'_> {
        Handle(self)
    }

    fn outcome<'a, T: Send + 'a>(work: impl Future<Output = T> + Send + 'a) -> T {
        ready(work)
    }
}
