//! PostgreSQL, through the blocking client of `postgres` or the asynchronous one of `tokio-postgres`.

mod client;
mod connection;
mod error;
mod history;
mod inspect;
mod tokens;

pub use self::client::{Handle, Hook};
pub use self::connection::Settings;
use crate::database::{Connection, Database, Sealed, Statements, Tokens};
use crate::model::migration::Migration;

/// PostgreSQL.
#[derive(Clone, Copy, Debug)]
pub enum Postgres {}

impl Sealed for Postgres {}

impl Database for Postgres {
    const NAME: &'static str = "PostgreSQL";
    const UPGRADE: &'static str = "upgrade the server";

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
        format!("{}.{}", version / 10_000, version % 10_000)
    }
}

#[cfg(feature = "postgres")]
impl Sealed for postgres::Client {}

#[cfg(feature = "postgres")]
impl Connection for postgres::Client {
    type Database = Postgres;
    type Outcome<'a, T: Send + 'a> = T;

    fn handle(&mut self) -> Handle<'_> {
        Handle::blocking(self)
    }

    fn outcome<'a, T: Send + 'a>(work: impl Future<Output = T> + Send + 'a) -> T {
        crate::database::ready(work)
    }
}

#[cfg(feature = "tokio-postgres")]
impl Sealed for tokio_postgres::Client {}

#[cfg(feature = "tokio-postgres")]
impl Connection for tokio_postgres::Client {
    type Database = Postgres;
    type Outcome<'a, T: Send + 'a> = crate::database::BoxFuture<'a, T>;

    fn handle(&mut self) -> Handle<'_> {
        Handle::asynchronous(self)
    }

    fn outcome<'a, T: Send + 'a>(work: impl Future<Output = T> + Send + 'a) -> crate::database::BoxFuture<'a, T> {
        Box::pin(work)
    }
}

impl Migration<'_, Postgres> {
    /// The same migration with a function that is run after its up migration, on a client of this kind.
    #[must_use]
    pub const fn with_client_hook(self, hook: Hook) -> Self {
        self.hooked(hook)
    }
}
