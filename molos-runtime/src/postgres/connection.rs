//! A client, and its transactions.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::client::{Handle, Hook};
use super::error::of_statement;
use super::{Postgres, tokens};
use crate::database::{DatabaseError, Failure, Run, Transact, Violations};
use crate::model::migration::ForeignKeys;
use crate::model::script::Statement;

/// The key of the advisory lock that a migration holds: "molos" in ASCII.
const LOCK: i64 = 0x6d_6f6c_6f73;

/// The settings of a connection before a migration.
#[derive(Clone, Debug)]
pub struct Settings {
    search_path: String,
}

impl Run for Handle<'_> {
    type Database = Postgres;

    /// The server enforces foreign keys by its own rules, and its `DROP TABLE` deletes no rows that refer to the table.
    async fn begin_script(&mut self, _keys: ForeignKeys) -> Result<(), DatabaseError> {
        Ok(())
    }

    async fn end_script(&mut self, settings: &Settings) -> Result<(), DatabaseError> {
        put_back(self, settings).await
    }

    async fn execute(&mut self, statement: Statement<'_>) -> Result<(), DatabaseError> {
        if tokens::ends_transaction(statement.sql) {
            let source = "it would end the transaction that it is run in".into();
            return Err(DatabaseError { failure: Failure::EndsTransaction, offset: None, source });
        }
        self.batch(statement.sql).await.map_err(|error| of_statement(statement.sql, error))
    }

    async fn execute_alone(&mut self, statement: Statement<'_>) -> Result<(), DatabaseError> {
        Run::execute(self, statement).await
    }

    async fn hook(&mut self, hook: Hook) -> Result<(), DatabaseError> {
        // A savepoint is gone when the transaction that it belongs to has ended, even if there is another one by then.
        self.batch("SAVEPOINT _molos_hook").await?;
        let result = self.call(hook).await.map_err(DatabaseError::other);
        match self.batch("RELEASE SAVEPOINT _molos_hook").await {
            Err(error) if is_of_no_savepoint(&error) => Err(transaction_ended()),
            released => result.and(released.map_err(DatabaseError::from)),
        }
    }

    /// The server has refused what would refer to nothing, or does so at the commit.
    async fn violations(&mut self, _: Option<&[&str]>) -> Result<Violations, DatabaseError> {
        Ok(Violations::new())
    }

    async fn have_triggers(&mut self, _: &[&str]) -> Result<bool, DatabaseError> {
        Ok(false)
    }
}

/// Whether the server does not know a savepoint, or is in no transaction.
fn is_of_no_savepoint(error: &tokio_postgres::Error) -> bool {
    let code = error.code();
    code == Some(&SqlState::S_E_INVALID_SPECIFICATION) || code == Some(&SqlState::NO_ACTIVE_SQL_TRANSACTION)
}

impl Transact for Handle<'_> {
    async fn in_transaction(&mut self) -> Result<bool, DatabaseError> {
        // Outside of a transaction, a simple query is one of its own, which begins with it.
        match self.text("SELECT now() = statement_timestamp()").await {
            Ok(is_alone) => Ok(is_alone.as_deref() != Some("t")),
            Err(error) if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    async fn temporary(&mut self) -> Result<Vec<String>, DatabaseError> {
        const TEMPORARY: &str = "\
            SELECT relname::text FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind IN ('r', 'v', 'p') \
            ORDER BY 1";
        let rows = self.query(TEMPORARY, &[]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    async fn enter(&mut self) -> Result<Settings, DatabaseError> {
        let search_path = self.text("SHOW search_path").await?.unwrap_or_default();
        Ok(Settings { search_path })
    }

    async fn leave(&mut self, settings: &Settings) -> Result<(), DatabaseError> {
        put_back(self, settings).await
    }

    fn abandon(&mut self, settings: &Settings) {
        // Two messages, since the second would not be looked at in the first's transaction if that has failed.
        self.send("ROLLBACK");
        self.send(&set_search_path(settings));
    }

    async fn begin(&mut self) -> Result<(), DatabaseError> {
        self.batch("BEGIN").await?;
        // Whoever waits for the lock does so outside of a transaction: inside of one, it would keep the holder from
        // building an index concurrently, and the server from cleaning up.
        let lock = format!("SELECT pg_try_advisory_xact_lock({LOCK})");
        match self.text(&lock).await {
            Ok(is_held) if is_held.as_deref() == Some("t") => Ok(()),
            Ok(_) => {
                self.batch("ROLLBACK").await?;
                let source = "another migration holds the lock".into();
                Err(DatabaseError { failure: Failure::Busy, offset: None, source })
            }
            Err(error) => {
                self.batch("ROLLBACK").await?;
                Err(error.into())
            }
        }
    }

    async fn commit(&mut self) -> Result<(), DatabaseError> {
        Ok(self.batch("COMMIT").await?)
    }

    async fn rollback(&mut self) -> Result<(), DatabaseError> {
        // Outside of a transaction this is no error, but a warning that nobody sees.
        Ok(self.batch("ROLLBACK").await?)
    }

    async fn pause(&mut self, duration: Duration) {
        Handle::pause(self, duration).await;
    }
}

fn set_search_path(Settings { search_path }: &Settings) -> String {
    format!("SELECT set_config('search_path', '{}', false)", search_path.replace('\'', "''"))
}

async fn put_back(conn: &mut Handle<'_>, settings: &Settings) -> Result<(), DatabaseError> {
    Ok(conn.batch(&set_search_path(settings)).await?)
}

fn transaction_ended() -> DatabaseError {
    let source = "it would end the transaction that it is run in".into();
    DatabaseError { failure: Failure::TransactionEnded, offset: None, source }
}
