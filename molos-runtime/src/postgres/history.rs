//! The history table, in the schema `public` whatever the search path says.

use std::time::Duration;

use tokio_postgres::Row;

use super::client::Handle;
use crate::database::{DatabaseError, Failure, History};
use crate::model::checksum::Checksum;
use crate::model::error::HistoryProblem;
use crate::model::history::{Applied, HISTORY_FORMAT, Record};
use crate::model::migration::Base;

const CREATE_HISTORY: &str = "\
CREATE TABLE IF NOT EXISTS public._molos_migrations (
    set_name    text   NOT NULL,
    version     bigint NOT NULL,
    name        text   NOT NULL,
    checksum    text   NOT NULL, -- SHA-256 of the normalised file, in hexadecimal
    applied_at  bigint NOT NULL, -- unix seconds
    duration_us bigint NOT NULL, -- microseconds
    down        text,            -- the down migration; its first line has a checksum of it
    format      bigint NOT NULL, -- of this row
    PRIMARY KEY (set_name, version)
)";

const HISTORY_EXISTS: &str = "SELECT to_regclass('public._molos_migrations') IS NOT NULL";

const SELECT_HISTORY: &str = "\
SELECT version, name, checksum, applied_at, duration_us, format FROM public._molos_migrations WHERE set_name = $1 ORDER BY version";

const SELECT_DOWN: &str = "SELECT down FROM public._molos_migrations WHERE set_name = $1 AND version = $2";

const HAS_APPLIED: &str = "SELECT EXISTS (SELECT 1 FROM public._molos_migrations WHERE version = $1 AND checksum = $2)";

const SELECT_SETS: &str = "SELECT DISTINCT set_name FROM public._molos_migrations";

const INSERT_HISTORY: &str = "\
INSERT INTO public._molos_migrations (set_name, version, name, checksum, applied_at, duration_us, down, format) \
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const DELETE_HISTORY: &str = "DELETE FROM public._molos_migrations WHERE set_name = $1 AND version = $2";

impl History for Handle<'_> {
    async fn history(&mut self, set: &str) -> Result<Vec<Applied>, DatabaseError> {
        if !exists(self).await? {
            return Ok(Vec::new());
        }
        self.query(SELECT_HISTORY, &[&set]).await?.iter().map(applied).collect()
    }

    async fn stored_down(&mut self, set: &str, version: i64) -> Result<Option<String>, DatabaseError> {
        let rows = self.query(SELECT_DOWN, &[&set, &version]).await?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose()?.flatten())
    }

    async fn has_applied(&mut self, base: &Base<'_>) -> Result<bool, DatabaseError> {
        if !exists(self).await? {
            return Ok(false);
        }
        let checksum = Checksum::from_bytes(base.checksum).to_string();
        let rows = self.query(HAS_APPLIED, &[&base.version, &checksum]).await?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
    }

    async fn sets(&mut self) -> Result<Vec<String>, DatabaseError> {
        if !exists(self).await? {
            return Ok(Vec::new());
        }
        let rows = self.query(SELECT_SETS, &[]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    async fn create_history(&mut self) -> Result<(), DatabaseError> {
        if !exists(self).await? {
            self.batch(CREATE_HISTORY).await?;
        }
        Ok(())
    }

    async fn record(&mut self, records: &[Record<'_>]) -> Result<(), DatabaseError> {
        for Record { set, applied, down } in records {
            let duration = i64::try_from(applied.duration.as_micros()).unwrap_or(i64::MAX);
            let checksum = applied.checksum.to_string();
            let Applied { version, name, applied_at, .. } = applied;
            self.change(
                INSERT_HISTORY,
                &[set, version, name, &checksum, applied_at, &duration, &down, &HISTORY_FORMAT],
            )
            .await?;
        }
        Ok(())
    }

    async fn forget(&mut self, set: &str, version: i64) -> Result<(), DatabaseError> {
        self.change(DELETE_HISTORY, &[&set, &version]).await?;
        Ok(())
    }
}

async fn exists(conn: &mut Handle<'_>) -> Result<bool, DatabaseError> {
    Ok(conn.text(HISTORY_EXISTS).await?.as_deref() == Some("t"))
}

fn applied(row: &Row) -> Result<Applied, DatabaseError> {
    let format = row.try_get(5)?;
    if format > HISTORY_FORMAT {
        let failure = Failure::History(HistoryProblem::NewerFormat { format });
        return Err(DatabaseError { source: "the format is not known".into(), offset: None, failure });
    }
    let version = row.try_get(0)?;
    let checksum: String = row.try_get(2)?;
    let duration: i64 = row.try_get(4)?;
    Ok(Applied {
        version,
        name: row.try_get(1)?,
        checksum: checksum
            .parse()
            .map_err(|error| damaged(format!("the checksum of version {version} is {checksum:?}: {error}")))?,
        applied_at: row.try_get(3)?,
        duration: Duration::from_micros(
            u64::try_from(duration).map_err(|_| damaged(format!("the duration of version {version} is negative")))?,
        ),
    })
}

fn damaged(problem: String) -> DatabaseError {
    DatabaseError {
        source: problem.clone().into(),
        offset: None,
        failure: Failure::History(HistoryProblem::Damaged(problem)),
    }
}
