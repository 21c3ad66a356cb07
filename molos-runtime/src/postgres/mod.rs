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
///
/// ```no_run
/// # use molos_runtime as molos;
/// use molos::{Migration, Migrations, Postgres};
///
/// const NOTES: &str = "CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL)";
///
/// # #[cfg(feature = "postgres")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let list: [Migration<'_, Postgres>; 1] = [Migration::new(1, "notes", NOTES).with_down("DROP TABLE notes")];
/// let mut client = postgres::Client::connect("host=localhost user=app", postgres::NoTls)?;
/// println!("{}", Migrations::new("app", "migrations", &list).migrate(&mut client)?);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "postgres"))]
/// # fn main() {}
/// ```
///
/// On a `tokio_postgres::Client` the same calls return futures. A list for one kind of database and a connection to another
/// do not go together:
///
/// ```compile_fail,E0271
/// # use molos_runtime as molos;
/// use molos::{Migration, Migrations, Postgres, rusqlite::Connection};
///
/// let list: [Migration<'_, Postgres>; 1] = [Migration::new(1, "notes", "CREATE TABLE notes (body text)")];
/// let mut conn = Connection::open_in_memory().unwrap();
/// Migrations::new("app", "migrations", &list).migrate(&mut conn).unwrap();
/// ```
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
