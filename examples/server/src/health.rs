//! Whether the database is what this binary needs.

use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use molos::Migrator;
use molos::rusqlite::Connection;
use serde::Serialize;

use crate::error::Result;
use crate::modules;

#[derive(Clone, Debug, Serialize)]
pub struct Health {
    pub sets: Vec<SetHealth>,
    pub pending: usize,
    /// How the schema differs from the one that the migrations lead to.
    pub drift: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SetHealth {
    pub set: String,
    pub version: Option<i64>,
    pub pending: usize,
}

impl Health {
    #[must_use]
    pub fn status(&self) -> StatusCode {
        if self.pending == 0 && self.drift.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
    }
}

/// Looks for drift when the schema has changed, and only then: that reads the schema and checks every foreign key.
#[derive(Debug, Default)]
pub struct Checkup {
    last: Mutex<Option<Verdict>>,
}

#[derive(Clone, Debug)]
struct Verdict {
    schema_version: i64,
    drift: Option<String>,
}

impl Checkup {
    pub fn health(&self, conn: &mut Connection) -> Result<Health> {
        let migrator = Migrator::new(modules::sets(conn)?);
        let status = migrator.status(conn)?;
        let sets = status
            .sets()
            .iter()
            .map(|set| SetHealth { set: set.set().to_owned(), version: set.current(), pending: set.pending() })
            .collect();
        let drift = match status.pending() {
            0 if status.is_up_to_date() => self.drift(conn, &migrator)?,
            0 => drift(conn, &migrator)?,
            _ => None,
        };
        Ok(Health { sets, pending: status.pending(), drift })
    }

    fn drift(&self, conn: &mut Connection, migrator: &Migrator<'_>) -> Result<Option<String>> {
        let schema_version = conn.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(last) = last.filter(|last| last.schema_version == schema_version) {
            return Ok(last.drift);
        }
        let drift = drift(conn, migrator)?;
        let verdict = Verdict { schema_version, drift: drift.clone() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
        Ok(drift)
    }
}

fn drift(conn: &mut Connection, migrator: &Migrator<'_>) -> Result<Option<String>> {
    match migrator.verify(conn) {
        Ok(()) => Ok(None),
        Err(error) if error.is_retryable() => Err(error.into()),
        Err(error) => Ok(Some(format!("{error:#}"))),
    }
}
