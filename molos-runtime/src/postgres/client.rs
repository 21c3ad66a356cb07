//! The two clients behind one interface: the rest of the wing is written once.

use std::fmt;
use std::time::Duration;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, SimpleQueryMessage};

use crate::model::error::Source;

/// A function of the program that belongs to a migration.
///
/// It is run inside of the transaction, and has to stay in it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Hook {
    /// For the client of `postgres`.
    #[cfg(feature = "postgres")]
    Blocking(fn(&mut postgres::Client) -> Result<(), Source>),
    /// For the client of `tokio-postgres`.
    #[cfg(feature = "tokio-postgres")]
    Asynchronous(for<'c> fn(&'c mut tokio_postgres::Client) -> crate::database::BoxFuture<'c, Result<(), Source>>),
}

/// A client in use.
pub struct Handle<'c>(Client<'c>);

enum Client<'c> {
    #[cfg(feature = "postgres")]
    Blocking(&'c mut postgres::Client),
    #[cfg(feature = "tokio-postgres")]
    Asynchronous(&'c mut tokio_postgres::Client),
}

impl fmt::Debug for Handle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

type Answer<T> = Result<T, tokio_postgres::Error>;
type Parameters<'p> = [&'p (dyn ToSql + Sync)];

impl<'c> Handle<'c> {
    #[cfg(feature = "postgres")]
    pub(super) const fn blocking(client: &'c mut postgres::Client) -> Self {
        Self(Client::Blocking(client))
    }

    #[cfg(feature = "tokio-postgres")]
    pub(super) const fn asynchronous(client: &'c mut tokio_postgres::Client) -> Self {
        Self(Client::Asynchronous(client))
    }

    /// Runs statements without parameters.
    pub(super) async fn batch(&mut self, sql: &str) -> Answer<()> {
        match &mut self.0 {
            #[cfg(feature = "postgres")]
            Client::Blocking(client) => client.batch_execute(sql),
            #[cfg(feature = "tokio-postgres")]
            Client::Asynchronous(client) => client.batch_execute(sql).await,
        }
    }

    /// The first value of the first row of a statement without parameters, as text.
    pub(super) async fn text(&mut self, sql: &str) -> Answer<Option<String>> {
        let messages = match &mut self.0 {
            #[cfg(feature = "postgres")]
            Client::Blocking(client) => client.simple_query(sql)?,
            #[cfg(feature = "tokio-postgres")]
            Client::Asynchronous(client) => client.simple_query(sql).await?,
        };
        Ok(messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
            _ => None,
        }))
    }

    pub(super) async fn query(&mut self, sql: &str, parameters: &Parameters<'_>) -> Answer<Vec<Row>> {
        match &mut self.0 {
            #[cfg(feature = "postgres")]
            Client::Blocking(client) => client.query(sql, parameters),
            #[cfg(feature = "tokio-postgres")]
            Client::Asynchronous(client) => client.query(sql, parameters).await,
        }
    }

    pub(super) async fn change(&mut self, sql: &str, parameters: &Parameters<'_>) -> Answer<u64> {
        match &mut self.0 {
            #[cfg(feature = "postgres")]
            Client::Blocking(client) => client.execute(sql, parameters),
            #[cfg(feature = "tokio-postgres")]
            Client::Asynchronous(client) => client.execute(sql, parameters).await,
        }
    }

    /// Sends statements, and does not wait for what becomes of them if the client does not block.
    pub(super) fn send(&mut self, sql: &str) {
        match &mut self.0 {
            #[cfg(feature = "postgres")]
            Client::Blocking(client) => drop(client.batch_execute(sql)),
            #[cfg(feature = "tokio-postgres")]
            Client::Asynchronous(client) => {
                // The first poll of the future hands the statements to the connection.
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                let _ = std::pin::pin!(client.batch_execute(sql)).poll(&mut context);
            }
        }
    }

    pub(super) async fn pause(&mut self, duration: Duration) {
        match &self.0 {
            #[cfg(feature = "postgres")]
            Client::Blocking(_) => std::thread::sleep(duration),
            #[cfg(feature = "tokio-postgres")]
            Client::Asynchronous(_) => tokio::time::sleep(duration).await,
        }
    }

    pub(super) async fn call(&mut self, hook: Hook) -> Result<(), Source> {
        match (&mut self.0, hook) {
            #[cfg(feature = "postgres")]
            (Client::Blocking(client), Hook::Blocking(hook)) => hook(client),
            #[cfg(feature = "tokio-postgres")]
            (Client::Asynchronous(client), Hook::Asynchronous(hook)) => hook(client).await,
            #[cfg(all(feature = "postgres", feature = "tokio-postgres"))]
            _ => Err("it is for a client of the other kind".into()),
        }
    }
}
