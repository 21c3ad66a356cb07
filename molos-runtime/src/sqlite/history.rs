//! The history table.

use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, Statement, params};

use super::Handle;
use super::connection::without_waiting;
use super::error::{is_sql_error, message};
use crate::database::{DatabaseError, Failure, History};
use crate::model::checksum::Checksum;
use crate::model::error::{DatabaseFailure, HistoryProblem};
use crate::model::history::{Applied, HISTORY_FORMAT, Record};
use crate::model::migration::Base;

const CREATE_HISTORY: &str = "\
CREATE TABLE IF NOT EXISTS main._molos_migrations (
    set_name    TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    checksum    TEXT    NOT NULL, -- SHA-256 of the normalised file, in hexadecimal
    applied_at  INTEGER NOT NULL, -- unix seconds
    duration_us INTEGER NOT NULL, -- microseconds
    down        TEXT,             -- the down migration; its first line has a checksum of it
    format      INTEGER NOT NULL, -- of this row
    PRIMARY KEY (set_name, version)
) WITHOUT ROWID";

const SELECT_HISTORY: &str = "\
SELECT version, name, checksum, applied_at, duration_us, format FROM main._molos_migrations WHERE set_name = ?1 ORDER BY version";

const SELECT_DOWN: &str = "SELECT down FROM main._molos_migrations WHERE set_name = ?1 AND version = ?2";

const HISTORY_EXISTS: &str =
    "SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE name = '_molos_migrations' COLLATE NOCASE)";

const HISTORY_TYPE: &str = "SELECT type FROM main.sqlite_master WHERE name = '_molos_migrations' COLLATE NOCASE";

const HISTORY_KEY: &str = "\
SELECT coalesce(group_concat(name, ', '), '') \
FROM (SELECT name FROM pragma_table_info('_molos_migrations', 'main') WHERE pk > 0 ORDER BY pk)";

const NAMELESS_SETS: &str = "\
SELECT typeof(set_name) FROM main._molos_migrations WHERE typeof(set_name) <> 'text' LIMIT 1";

const INSERT_HISTORY: &str = "\
INSERT INTO main._molos_migrations (set_name, version, name, checksum, applied_at, duration_us, down, format) \
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const DELETE_HISTORY: &str = "DELETE FROM main._molos_migrations WHERE set_name = ?1 AND version = ?2";

const HAS_APPLIED: &str = "SELECT EXISTS (SELECT 1 FROM main._molos_migrations WHERE version = ?1 AND checksum = ?2)";

/// A newer version of molos may have other columns, but for this one.
const NEWEST_FORMAT: &str = "SELECT max(format) FROM main._molos_migrations";

const SELECT_SETS: &str = "SELECT DISTINCT set_name FROM main._molos_migrations";

impl History for Handle<'_> {
    async fn history(&mut self, set: &str) -> Result<Vec<Applied>, DatabaseError> {
        without_waiting(self.0, |conn| read_history(conn, set))
    }

    async fn stored_down(&mut self, set: &str, version: i64) -> Result<Option<String>, DatabaseError> {
        let Some(mut statement) = prepare_on_history(self.0, SELECT_DOWN)? else { return Ok(None) };
        let mut rows = statement.query(params![set, version])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        match row.get_ref(0)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => match String::from_utf8(bytes.to_vec()) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(damaged(format!("the down migration of version {version} is not UTF-8"))),
            },
            other => Err(damaged(format!("the down migration of version {version} is {}", other.data_type()))),
        }
    }

    async fn has_applied(&mut self, base: &Base<'_>) -> Result<bool, DatabaseError> {
        without_waiting(self.0, |conn| {
            let Some(mut statement) = prepare_on_history(conn, HAS_APPLIED)? else { return Ok(false) };
            let checksum = Checksum::from_bytes(base.checksum).to_string();
            Ok(statement.query_row(params![base.version, checksum], |row| row.get(0))?)
        })
    }

    async fn sets(&mut self) -> Result<Vec<String>, DatabaseError> {
        let Some(mut statement) = prepare_on_history(self.0, SELECT_SETS)? else { return Ok(Vec::new()) };
        let sets = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(sets)
    }

    async fn create_history(&mut self) -> Result<(), DatabaseError> {
        create_history(self.0)
    }

    async fn record(&mut self, records: &[Record<'_>]) -> Result<(), DatabaseError> {
        let mut statement = self.0.prepare(INSERT_HISTORY).map_err(refused_by_history)?;
        for Record { set, applied, down } in records {
            let duration = i64::try_from(applied.duration.as_micros()).unwrap_or(i64::MAX);
            let checksum = applied.checksum.to_string();
            let row = params![
                set,
                applied.version,
                applied.name,
                checksum,
                applied.applied_at,
                duration,
                down,
                HISTORY_FORMAT
            ];
            statement.execute(row).map_err(refused_by_history)?;
        }
        Ok(())
    }

    async fn forget(&mut self, set: &str, version: i64) -> Result<(), DatabaseError> {
        let mut statement = self.0.prepare(DELETE_HISTORY).map_err(refused_by_history)?;
        statement.execute(params![set, version]).map_err(refused_by_history)?;
        Ok(())
    }
}

pub(super) fn create_history(conn: &Connection) -> Result<(), DatabaseError> {
    Ok(conn.execute_batch(CREATE_HISTORY)?)
}

/// A statement on the history table, if there is one.
fn prepare_on_history<'c>(conn: &'c Connection, sql: &str) -> Result<Option<Statement<'c>>, DatabaseError> {
    let mut prepared = conn.prepare(sql);
    if matches!(&prepared, Err(error) if is_sql_error(error)) {
        let exists: bool = conn.query_row(HISTORY_EXISTS, [], |row| row.get(0))?;
        if !exists {
            return Ok(None);
        }
        // Outside of a transaction, another process may have created it between the two looks.
        prepared = conn.prepare(sql);
    }
    match prepared {
        Ok(statement) => Ok(Some(statement)),
        Err(error) if is_sql_error(&error) => match conn.query_row(NEWEST_FORMAT, [], |row| row.get(0)) {
            Ok(Some(format)) if format > HISTORY_FORMAT => Err(newer(format)),
            _ => Err(damaged(message(&error))),
        },
        Err(error) => Err(error.into()),
    }
}

fn applied(row: &Row<'_>) -> Result<Applied, DatabaseError> {
    let whole = |at: usize| match row.get_ref(at)? {
        ValueRef::Integer(value) => Ok(value),
        other => Err(damaged(format!("{} is {}", row.as_ref().column_name(at)?, other.data_type()))),
    };
    let text = |at: usize| match row.get_ref(at)? {
        ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec())
            .map_err(|_| damaged(format!("{} is not UTF-8", row.as_ref().column_name(at).unwrap_or("a text")))),
        other => Err(damaged(format!("{} is {}", row.as_ref().column_name(at)?, other.data_type()))),
    };
    let format = whole(5)?;
    if format > HISTORY_FORMAT {
        return Err(newer(format));
    }
    let version = whole(0)?;
    let checksum = text(2)?;
    Ok(Applied {
        version,
        name: text(1)?,
        checksum: checksum
            .parse()
            .map_err(|error| damaged(format!("the checksum of version {version} is {checksum:?}: {error}")))?,
        applied_at: whole(3)?,
        duration: Duration::from_micros(
            u64::try_from(whole(4)?).map_err(|_| damaged(format!("the duration of version {version} is negative")))?,
        ),
    })
}

fn read_history(conn: &Connection, set: &str) -> Result<Vec<Applied>, DatabaseError> {
    let Some(mut statement) = prepare_on_history(conn, SELECT_HISTORY)? else { return Ok(Vec::new()) };
    let mut rows = statement.query([set])?;
    let mut history: Vec<Applied> = Vec::new();
    while let Some(row) = rows.next()? {
        let next = applied(row)?;
        // Only in a table without the primary key; a rollback would run such a migration twice.
        if history.last().is_some_and(|last| last.version == next.version) {
            return Err(damaged(format!("version {} is there twice", next.version)));
        }
        history.push(next);
    }
    // A start with nothing to do is spared this: it is for those who are about to write.
    if !conn.is_autocommit() {
        check_history(conn)?;
    }
    Ok(history)
}

/// Whether the history table is one that molos can write to.
fn check_history(conn: &Connection) -> Result<(), DatabaseError> {
    const KEY: &str = "set_name, version";
    let kind: String = conn.query_row(HISTORY_TYPE, [], |row| row.get(0))?;
    if kind != "table" {
        return Err(damaged(format!("it is a {kind}")));
    }
    let key: String = conn.query_row(HISTORY_KEY, [], |row| row.get(0))?;
    if key != KEY {
        return Err(damaged(format!("its primary key is ({key}), and not ({KEY})")));
    }
    match conn.query_row(NAMELESS_SETS, [], |row| row.get::<_, String>(0)).optional()? {
        Some(kind) => Err(damaged(format!("set_name is {kind}"))),
        None => Ok(()),
    }
}

/// A failure to write to the history table that is not about the file: a constraint or a trigger, which molos does not make.
fn refused_by_history(error: rusqlite::Error) -> DatabaseError {
    let problem = message(&error);
    match DatabaseError::from(error) {
        DatabaseError { failure: Failure::Database(DatabaseFailure::Other), .. } => damaged(problem),
        error => error,
    }
}

fn newer(format: i64) -> DatabaseError {
    let source = "the format is not known".into();
    DatabaseError { source, offset: None, failure: Failure::History(HistoryProblem::NewerFormat { format }) }
}

fn damaged(problem: String) -> DatabaseError {
    DatabaseError {
        source: problem.clone().into(),
        offset: None,
        failure: Failure::History(HistoryProblem::Damaged(problem)),
    }
}
