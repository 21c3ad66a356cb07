//! What there is in a database.

use rusqlite::Connection;

use super::catalog::quote;
use super::claims::claims;
use super::connection::without_waiting;
use super::error::{is_sql_error, is_unknown_function};
use super::history::create_history;
use super::{Handle, Sqlite};
use crate::database::{DatabaseError, Inspect, Run as _, Schemas, Transact as _, ready};
use crate::model::claim::Claim;
use crate::model::migration::{ForeignKeys, Script};
use crate::schema::Schema;

impl Inspect for Handle<'_> {
    async fn version(&mut self) -> Result<i32, DatabaseError> {
        Ok(rusqlite::version_number())
    }

    async fn rows_changed(&mut self) -> Result<u64, DatabaseError> {
        let changes: i64 = self.0.query_row("SELECT total_changes()", [], |row| row.get(0))?;
        Ok(u64::try_from(changes).unwrap_or(0))
    }

    async fn count(&mut self, table: &str, column: Option<&str>) -> Result<u64, DatabaseError> {
        let (table, column) = (quote(table), column.map(quote));
        // Not in double quotes alone: SQLite takes what is no column for a string.
        let column = column.map_or_else(|| "*".to_owned(), |column| format!("{table}.{column}"));
        let sql = format!("SELECT count({column}) FROM main.{table}");
        match self.0.query_row(&sql, [], |row| row.get::<_, i64>(0)) {
            Ok(rows) => Ok(u64::try_from(rows).unwrap_or(0)),
            Err(error) if is_sql_error(&error) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    async fn claims(&mut self) -> Result<Vec<Claim>, DatabaseError> {
        without_waiting(self.0, |conn| Ok(claims(conn)?))
    }

    async fn first_rejected(
        &mut self,
        scripts: &[Script<'_>],
    ) -> Result<Option<(usize, DatabaseError)>, DatabaseError> {
        let mut empty = Replay::open()?;
        for (at, script) in scripts.iter().enumerate() {
            if let Err(error) = empty.run(script) {
                // A database of its own has none of the program's functions; what comes after a use of one is seen when
                // it runs.
                let source = error.source.source().and_then(|source| source.downcast_ref());
                let is_own_function = source.is_some_and(is_unknown_function);
                return Ok((!is_own_function).then_some((at, error)));
            }
        }
        Ok(None)
    }
}

impl Schemas for Sqlite {
    async fn schema(conn: &mut Self::Handle<'_>) -> Result<Schema, DatabaseError> {
        Ok(Schema::read(conn.0)?)
    }

    async fn replay(_conn: &mut Self::Handle<'_>, scripts: &[Script<'_>]) -> Result<Vec<Schema>, DatabaseError> {
        let mut empty = Replay::open()?;
        let mut schemas = Vec::with_capacity(scripts.len());
        for script in scripts {
            empty.run(script)?;
            schemas.push(Schema::read(&empty.0)?);
        }
        Ok(schemas)
    }
}

/// An empty database in memory that scripts are run on.
struct Replay(Connection);

impl Replay {
    fn open() -> Result<Self, DatabaseError> {
        let mut conn = Connection::open_in_memory()?;
        ready(Handle(&mut conn).enter())?;
        create_history(&conn)?;
        Ok(Self(conn))
    }

    fn run(&mut self, script: &Script<'_>) -> Result<(), DatabaseError> {
        // Its statements change no schema.
        if script.no_transaction {
            return Ok(());
        }
        let mut conn = Handle(&mut self.0);
        ready(async {
            conn.begin().await?;
            conn.begin_script(script.keys).await?;
            for statement in super::tokens::statements(script.sql) {
                conn.execute(statement).await.map_err(|error| error.in_script(statement.offset))?;
            }
            conn.begin_script(ForeignKeys::Off).await?;
            conn.commit().await
        })
    }
}
