//! A connection of rusqlite's, and its transactions.

use std::thread;
use std::time::Duration;

#[allow(unused_imports, reason = "the batch of an older rusqlite has a `next` of its own")]
use fallible_iterator::FallibleIterator as _;
use rusqlite::config::DbConfig::{SQLITE_DBCONFIG_ENABLE_FKEY, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE};
use rusqlite::{Batch, Connection, ErrorCode, ffi};

use super::copy::file_of;
use super::error::{is_interrupt, is_sql_error, is_unregistered, offset_in};
use super::keys::{have_triggers, violations_among, violations_of};
use super::{Handle, Hook, Sqlite};
use crate::database::{DatabaseError, Failure, Run, Transact, Violations};
use crate::model::error::{DatabaseFailure, Source};
use crate::model::migration::ForeignKeys;
use crate::model::script::Statement;

/// The settings of a connection before a migration.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    foreign_keys: bool,
    /// A script's own change of it is put back at its end, and here if the program's code panics in the middle.
    legacy_alter_table: bool,
    /// `None` when there is no timeout to put back: a busy handler of the program's own cannot be read, and so is
    /// never replaced.
    busy_timeout: Option<Duration>,
    /// The journal mode of the connection's own that no failure could be undone with.
    journal_mode: Option<&'static str>,
}

impl Run for Handle<'_> {
    type Database = Sqlite;

    async fn begin_script(&mut self, keys: ForeignKeys) -> Result<(), DatabaseError> {
        // Unlike the pragma, which does nothing inside of a transaction, this takes effect at once.
        self.0.set_db_config(SQLITE_DBCONFIG_ENABLE_FKEY, keys == ForeignKeys::On)?;
        Ok(())
    }

    async fn end_script(&mut self, settings: &Settings) -> Result<(), DatabaseError> {
        self.0.set_db_config(SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
        self.0.set_db_config(SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, settings.legacy_alter_table)?;
        Ok(())
    }

    async fn execute(&mut self, statement: Statement<'_>) -> Result<(), DatabaseError> {
        execute(self.0, statement.sql)?;
        if self.0.is_autocommit() { Err(transaction_ended()) } else { Ok(()) }
    }

    async fn execute_alone(&mut self, statement: Statement<'_>) -> Result<(), DatabaseError> {
        execute(self.0, statement.sql)?;
        if self.0.is_autocommit() { Ok(()) } else { Err(transaction_ended()) }
    }

    async fn hook(&mut self, hook: Hook) -> Result<(), DatabaseError> {
        // A savepoint is gone when the transaction that it belongs to has ended, even if there is another one by then.
        self.0.execute_batch("SAVEPOINT _molos_hook")?;
        let result = hook(self.0).map_err(of_hook);
        match (self.0.execute_batch("RELEASE _molos_hook"), result) {
            // After some failures, a full disk among them, SQLite has rolled back by itself.
            (Err(_), Err(error)) if matches!(error.failure, Failure::Database(failure) if failure.is_passing()) => {
                Err(error)
            }
            (Err(error), _) if is_sql_error(&error) => Err(transaction_ended()),
            (released, result) => result.and(released.map_err(DatabaseError::from)),
        }
    }

    async fn violations(&mut self, touched: Option<&[&str]>) -> Result<Violations, DatabaseError> {
        match touched {
            Some(touched) => violations_among(self.0, touched),
            None => violations_of(self.0, None),
        }
    }

    async fn have_triggers(&mut self, tables: &[&str]) -> Result<bool, DatabaseError> {
        Ok(have_triggers(self.0, tables)?)
    }
}

impl Transact for Handle<'_> {
    async fn in_transaction(&mut self) -> Result<bool, DatabaseError> {
        Ok(!self.0.is_autocommit())
    }

    async fn temporary(&mut self) -> Result<Vec<String>, DatabaseError> {
        let mut names = self.0.prepare("SELECT name FROM temp.sqlite_master WHERE type <> 'index' ORDER BY name")?;
        let names = names.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    async fn enter(&mut self) -> Result<Settings, DatabaseError> {
        enter(self.0)
    }

    async fn leave(&mut self, settings: &Settings) -> Result<(), DatabaseError> {
        leave(self.0, settings)
    }

    fn abandon(&mut self, settings: &Settings) {
        // Neither can be reported from here; the panic that leads here is the one to see.
        let _ = rollback(self.0);
        let _ = leave(self.0, settings);
    }

    async fn begin(&mut self) -> Result<(), DatabaseError> {
        Ok(self.0.execute_batch("BEGIN IMMEDIATE")?)
    }

    async fn commit(&mut self) -> Result<(), DatabaseError> {
        self.0.execute_batch("COMMIT").map_err(|error| {
            let code = error.sqlite_error().map(|error| error.extended_code);
            let is_key = code == Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY);
            let error = DatabaseError::from(error);
            if is_key { DatabaseError { failure: Failure::DeferredKey, ..error } } else { error }
        })
    }

    async fn rollback(&mut self) -> Result<(), DatabaseError> {
        rollback(self.0)
    }

    async fn pause(&mut self, duration: Duration) {
        thread::sleep(duration);
    }
}

fn enter(conn: &Connection) -> Result<Settings, DatabaseError> {
    let journal_mode = without_waiting(conn, |conn| Ok(keep_a_journal(conn)?))?;
    let foreign_keys = conn.db_config(SQLITE_DBCONFIG_ENABLE_FKEY)?;
    let legacy_alter_table = conn.db_config(SQLITE_DBCONFIG_LEGACY_ALTER_TABLE)?;
    let busy_timeout = stop_waiting(conn)?;
    conn.set_db_config(SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    Ok(Settings { foreign_keys, legacy_alter_table, busy_timeout, journal_mode })
}

fn leave(conn: &Connection, settings: &Settings) -> Result<(), DatabaseError> {
    conn.set_db_config(SQLITE_DBCONFIG_ENABLE_FKEY, settings.foreign_keys)?;
    conn.set_db_config(SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, settings.legacy_alter_table)?;
    if let Some(timeout) = settings.busy_timeout {
        conn.busy_timeout(timeout)?;
    }
    if let Some(mode) = settings.journal_mode {
        put_back_journal_mode(conn, mode)?;
    }
    Ok(())
}

/// Has a connection keep a journal that a process leaves behind when it is killed, or, of a database in memory, one to roll
/// back with. Returns the mode to put back: <https://sqlite.org/pragma.html#pragma_journal_mode>.
fn keep_a_journal(conn: &Connection) -> rusqlite::Result<Option<&'static str>> {
    let mode: String = match conn.query_row("PRAGMA main.journal_mode", [], |row| row.get(0)) {
        // An authorizer may not let it be read; it is left alone then.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::AuthorizationForStatementDenied) => return Ok(None),
        result => result?,
    };
    let (from, to) = match (mode.as_str(), file_of(conn)?.is_some()) {
        ("off", false) => ("OFF", "MEMORY"),
        ("off", true) => ("OFF", "DELETE"),
        ("memory", true) => ("MEMORY", "DELETE"),
        _ => return Ok(None),
    };
    set_journal_mode(conn, to)?;
    Ok(Some(from))
}

/// A migration may have set a mode that lasts, which stays.
fn put_back_journal_mode(conn: &Connection, mode: &str) -> rusqlite::Result<()> {
    let now: String = conn.query_row("PRAGMA main.journal_mode", [], |row| row.get(0))?;
    if now == "wal" { Ok(()) } else { set_journal_mode(conn, mode) }
}

fn set_journal_mode(conn: &Connection, mode: &str) -> rusqlite::Result<()> {
    let now: String = conn.query_row(&format!("PRAGMA main.journal_mode = {mode}"), [], |row| row.get(0))?;
    if now.eq_ignore_ascii_case(mode) {
        return Ok(());
    }
    let message = format!("the journal mode stays {now}");
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ERROR), Some(message)))
}

fn rollback(conn: &Connection) -> Result<(), DatabaseError> {
    let mut attempts = 100;
    // Some failures, a full disk among them, have already rolled back: https://sqlite.org/lang_transaction.html
    while !conn.is_autocommit() {
        match conn.execute_batch("ROLLBACK") {
            // A thread that interrupts the migration over and over may hit this statement, too.
            Err(error) if is_interrupt(&error) && attempts > 0 => attempts -= 1,
            result => return Ok(result?),
        }
    }
    Ok(())
}

/// What a function of the program ended with: an error of the connection's own keeps its kind.
fn of_hook(error: Source) -> DatabaseError {
    match error.downcast::<rusqlite::Error>() {
        Ok(error) => DatabaseError::from(*error),
        Err(error) => DatabaseError::other(error),
    }
}

fn transaction_ended() -> DatabaseError {
    let source = "it ended the transaction that it was run in".into();
    DatabaseError { failure: Failure::TransactionEnded, offset: None, source }
}

/// Runs a statement of a script.
fn execute(conn: &Connection, statement: &str) -> Result<(), DatabaseError> {
    // SQLite would stop reading there, and the rest would count as run.
    if let Some(at) = statement.find('\0') {
        let source = "there is a NUL character in it".into();
        return Err(DatabaseError { failure: Failure::Statement, offset: Some(at), source });
    }
    run_statement(conn, statement).map_err(|error| {
        let offset = Some(offset_in(statement, &error));
        let of_statement = if is_unregistered(&error) { Failure::Unregistered } else { Failure::Statement };
        let error = DatabaseError::from(error);
        // A full disk is not the statement's fault: whatever SQLite has a code of its own for keeps its kind.
        let failure = if error.failure == DatabaseFailure::Other.into() { of_statement } else { error.failure };
        DatabaseError { failure, offset, ..error }
    })
}

pub(super) fn run_statement(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut batch = Batch::new(conn, sql);
    while let Some(mut statement) = batch.next()? {
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}

/// Has a connection fail at once where another holds the database. Returns the timeout to put back.
pub(super) fn stop_waiting(conn: &Connection) -> rusqlite::Result<Option<Duration>> {
    // An authorizer may not let it be read; it is left alone then.
    let milliseconds: u32 = conn.query_row("PRAGMA busy_timeout", [], |row| row.get(0)).unwrap_or(0);
    let timeout = (milliseconds > 0).then_some(Duration::from_millis(milliseconds.into()));
    if timeout.is_some() {
        conn.busy_timeout(Duration::ZERO)?;
    }
    Ok(timeout)
}

/// Has a connection fail at once where another holds the database: the one who waits is the engine, with events, and as
/// long as it was told.
pub(super) fn without_waiting<T>(
    conn: &Connection,
    look: impl FnOnce(&Connection) -> Result<T, DatabaseError>,
) -> Result<T, DatabaseError> {
    let busy_timeout = stop_waiting(conn)?;
    let found = look(conn);
    if let Some(timeout) = busy_timeout {
        conn.busy_timeout(timeout)?;
    }
    found
}
