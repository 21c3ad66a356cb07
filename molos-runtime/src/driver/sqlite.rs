//! SQLite, through rusqlite.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fallible_iterator::FallibleIterator as _;
use rusqlite::config::DbConfig::{SQLITE_DBCONFIG_ENABLE_FKEY, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE};
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, ErrorCode, OptionalExtension as _, Row, Statement, params};

use super::{Claim, Claimed, Copied, Driver, DriverError, Failure, Violations, copy};
use crate::catalog::quote;
use crate::error::Source;
use crate::history::{Applied, Record, stored_down};
use crate::script::{self, statements};
use crate::{Base, Checksum, ForeignKeys, Hook, Migration, Schema, Script, Tool};

const CREATE_HISTORY: &str = "\
CREATE TABLE IF NOT EXISTS main._molos_migrations (
    set_name    TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    checksum    TEXT    NOT NULL, -- SHA-256 of the normalised file, in hexadecimal
    applied_at  INTEGER NOT NULL, -- unix seconds
    duration_us INTEGER NOT NULL, -- microseconds
    down        TEXT,             -- the SQL that takes it back; its first line has a checksum of it
    PRIMARY KEY (set_name, version)
) WITHOUT ROWID";

const SELECT_HISTORY: &str = "\
SELECT version, name, checksum, applied_at, duration_us FROM main._molos_migrations WHERE set_name = ?1 ORDER BY version";

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
INSERT INTO main._molos_migrations (set_name, version, name, checksum, applied_at, duration_us, down) \
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const DELETE_HISTORY: &str = "DELETE FROM main._molos_migrations WHERE set_name = ?1 AND version = ?2";

const HAS_APPLIED: &str = "SELECT EXISTS (SELECT 1 FROM main._molos_migrations WHERE version = ?1 AND checksum = ?2)";

const SELECT_SETS: &str = "SELECT DISTINCT set_name FROM main._molos_migrations";

/// The settings of a connection before a migration.
#[derive(Debug)]
pub struct Settings {
    foreign_keys: bool,
    /// A script's own change of it is put back at its end, and here if the program's code panics in the middle.
    legacy_alter_table: bool,
    /// `None` when there is no timeout to put back: a busy handler of the program's own cannot be read, and so is
    /// never replaced.
    busy_timeout: Option<Duration>,
}

impl Driver for Connection {
    type Settings = Settings;

    fn version(&self) -> i32 {
        rusqlite::version_number()
    }

    fn in_transaction(&self) -> bool {
        !self.is_autocommit()
    }

    fn enter(&mut self) -> Result<Settings, DriverError> {
        let foreign_keys = self.db_config(SQLITE_DBCONFIG_ENABLE_FKEY)?;
        let legacy_alter_table = self.db_config(SQLITE_DBCONFIG_LEGACY_ALTER_TABLE)?;
        let busy_timeout = stop_waiting(self)?;
        self.set_db_config(SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
        Ok(Settings { foreign_keys, legacy_alter_table, busy_timeout })
    }

    fn leave(&mut self, settings: &Settings) -> Result<(), DriverError> {
        self.set_db_config(SQLITE_DBCONFIG_ENABLE_FKEY, settings.foreign_keys)?;
        self.set_db_config(SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, settings.legacy_alter_table)?;
        if let Some(timeout) = settings.busy_timeout {
            self.busy_timeout(timeout)?;
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), DriverError> {
        Ok(self.execute_batch("BEGIN IMMEDIATE")?)
    }

    fn commit(&mut self) -> Result<(), DriverError> {
        Ok(self.execute_batch("COMMIT")?)
    }

    fn rollback(&mut self) -> Result<(), DriverError> {
        let mut attempts = 100;
        // Some failures, a full disk among them, have already rolled back: https://sqlite.org/lang_transaction.html
        while !self.is_autocommit() {
            match self.execute_batch("ROLLBACK") {
                // A thread that interrupts the migration over and over may hit this statement, too.
                Err(error) if is_interrupt(&error) && attempts > 0 => attempts -= 1,
                result => return Ok(result?),
            }
        }
        Ok(())
    }

    fn run(
        &mut self,
        script: &str,
        keys: ForeignKeys,
        before: &mut dyn FnMut(script::Statement<'_>),
    ) -> Result<(), DriverError> {
        let legacy_alter_table = self.db_config(SQLITE_DBCONFIG_LEGACY_ALTER_TABLE)?;
        // Unlike the pragma, which does nothing inside of a transaction, this takes effect at once.
        self.set_db_config(SQLITE_DBCONFIG_ENABLE_FKEY, keys == ForeignKeys::On)?;
        let result = run_statements(self, script, Autocommit::Off, before);
        self.set_db_config(SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
        self.set_db_config(SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, legacy_alter_table)?;
        result
    }

    fn run_outside(&mut self, script: &str, before: &mut dyn FnMut(script::Statement<'_>)) -> Result<(), DriverError> {
        run_statements(self, script, Autocommit::On, before)
    }

    fn hook(&mut self, hook: Hook) -> Result<(), Source> {
        hook(self)?;
        if self.is_autocommit() { Err("it ended the transaction that it was run in".into()) } else { Ok(()) }
    }

    fn rows_changed(&mut self) -> Result<u64, DriverError> {
        let changes: i64 = self.query_row("SELECT total_changes()", [], |row| row.get(0))?;
        Ok(u64::try_from(changes).unwrap_or(0))
    }

    fn violations(&mut self) -> Result<Violations, DriverError> {
        violations_of(self, None)
    }

    fn history(&mut self, set: &str) -> Result<Vec<Applied>, DriverError> {
        without_waiting(self, |conn| read_history(conn, set))
    }

    fn stored_down(&mut self, set: &str, version: i64) -> Result<Option<String>, DriverError> {
        let Some(mut statement) = prepare_on_history(self, SELECT_DOWN)? else { return Ok(None) };
        let mut rows = statement.query(params![set, version])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        match row.get_ref(0)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => match String::from_utf8(bytes.to_vec()) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(damaged(format!("the down of version {version} is not UTF-8"))),
            },
            other => Err(damaged(format!("the down of version {version} is {}", other.data_type()))),
        }
    }

    fn has_applied(&mut self, base: &Base<'_>) -> Result<bool, DriverError> {
        without_waiting(self, |conn| {
            let Some(mut statement) = prepare_on_history(conn, HAS_APPLIED)? else { return Ok(false) };
            let checksum = Checksum::from_bytes(base.checksum).to_string();
            Ok(statement.query_row(params![base.version, checksum], |row| row.get(0))?)
        })
    }

    fn sets(&mut self) -> Result<Vec<String>, DriverError> {
        let Some(mut statement) = prepare_on_history(self, SELECT_SETS)? else { return Ok(Vec::new()) };
        let sets = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(sets)
    }

    fn create_history(&mut self) -> Result<(), DriverError> {
        Ok(self.execute_batch(CREATE_HISTORY)?)
    }

    fn record(&mut self, records: &[Record<'_>]) -> Result<(), DriverError> {
        let mut statement = self.prepare(INSERT_HISTORY).map_err(refused_by_history)?;
        for Record { set, applied, down } in records {
            let duration = i64::try_from(applied.duration.as_micros()).unwrap_or(i64::MAX);
            let checksum = applied.checksum.to_string();
            let down = down.map(|script| stored_down(set, applied.version, script));
            let row = params![set, applied.version, applied.name, checksum, applied.applied_at, duration, down];
            statement.execute(row).map_err(refused_by_history)?;
        }
        Ok(())
    }

    fn forget(&mut self, steps: &[Migration<'_>]) -> Result<(), DriverError> {
        let mut statement = self.prepare(DELETE_HISTORY).map_err(refused_by_history)?;
        for migration in steps {
            statement.execute(params![migration.set(), migration.version()]).map_err(refused_by_history)?;
        }
        Ok(())
    }

    fn count(&mut self, table: &str, column: Option<&str>) -> Result<u64, DriverError> {
        let (table, column) = (quote(table), column.map(quote));
        // Not in double quotes alone: SQLite takes what is no column for a string.
        let column = column.map_or_else(|| "*".to_owned(), |column| format!("{table}.{column}"));
        match self.query_row(&format!("SELECT count({column}) FROM main.{table}"), [], |row| row.get::<_, i64>(0)) {
            Ok(rows) => Ok(u64::try_from(rows).unwrap_or(0)),
            Err(error) if is_sql_error(&error) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn schema(&mut self) -> Result<Schema, DriverError> {
        Ok(Schema::read(self)?)
    }

    fn rehearse(&mut self, scripts: &mut dyn Iterator<Item = Script<'_>>) -> Result<Vec<Schema>, DriverError> {
        let mut empty = Self::open_in_memory()?;
        empty.enter()?;
        empty.create_history()?;
        let mut schemas = Vec::new();
        for script in scripts {
            // Its statements change no schema.
            if !script.outside {
                empty.begin()?;
                Driver::run(&mut empty, script.sql, script.keys, &mut |_| {})?;
                Driver::commit(&mut empty)?;
            }
            schemas.push(Schema::read(&empty)?);
        }
        Ok(schemas)
    }

    fn file(&mut self) -> Result<Option<PathBuf>, DriverError> {
        Ok(copy::file_of(self)?)
    }

    fn copy(&mut self, from: &Path, to: &Path) -> Result<Copied, DriverError> {
        Ok(copy::copy(from, to)?)
    }

    fn claims(&mut self) -> Result<Vec<Claim>, DriverError> {
        Ok(claims(self)?)
    }
}

/// Every foreign key of a table, or of all tables, that points at nothing.
pub fn violations_of(conn: &Connection, table: Option<&str>) -> Result<Violations, DriverError> {
    let mut violations = Violations::new();
    let of_table = table.map(|table| format!("({})", quote(table)));
    let sql = format!("PRAGMA foreign_key_check{}", of_table.unwrap_or_default());
    let mut statement = match conn.prepare(&sql) {
        Ok(statement) => statement,
        // A key that names no unique columns of its parent: nothing can be checked, which is the thing to count.
        Err(error) if is_sql_error(&error) => {
            violations.insert((message(&error), String::new()), 1);
            return Ok(violations);
        }
        Err(error) => return Err(error.into()),
    };
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        *violations.entry((row.get(0)?, row.get(2)?)).or_default() += 1;
    }
    Ok(violations)
}

/// A statement on the history table, if there is one.
fn prepare_on_history<'c>(conn: &'c Connection, sql: &str) -> Result<Option<Statement<'c>>, DriverError> {
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
        Err(error) if is_sql_error(&error) => Err(damaged(message(&error))),
        Err(error) => Err(error.into()),
    }
}

/// The histories that are tables: the tool, the table, and what makes its rows versions.
const CLAIMS: &[(Tool, &str, &str)] = &[
    (Tool::Refinery, "refinery_schema_history", "SELECT version FROM refinery_schema_history ORDER BY 1"),
    (Tool::Sqlx, "_sqlx_migrations", "SELECT version FROM _sqlx_migrations ORDER BY 1"),
    (
        Tool::Diesel,
        "__diesel_schema_migrations",
        "SELECT CAST(replace(replace(version, '-', ''), '_', '') AS INTEGER) FROM __diesel_schema_migrations ORDER BY 1",
    ),
];

fn claims(conn: &Connection) -> rusqlite::Result<Vec<Claim>> {
    const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
    const DRIZZLE: &str = "SELECT count(*) FROM __drizzle_migrations";
    let exists = |table: &str| conn.query_row(EXISTS, [table], |row| row.get::<_, bool>(0));
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let mut claims = Vec::new();
    for (tool, table, sql) in CLAIMS {
        if exists(table)? {
            let versions = conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            claims.push(Claim { tool: *tool, applied: Claimed::Versions(versions) });
        }
    }
    let drizzle = if exists("__drizzle_migrations")? { count(DRIZZLE)? } else { 0 };
    let user_version = count("PRAGMA user_version")?;
    // Many programs use `user_version` for something else, so it comes last.
    for (tool, count) in [(Tool::Drizzle, drizzle), (Tool::RusqliteMigration, user_version)] {
        if let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) {
            claims.push(Claim { tool, applied: Claimed::Count(count) });
        }
    }
    Ok(claims)
}

/// Whether every statement is a transaction of its own.
#[derive(Clone, Copy, PartialEq)]
enum Autocommit {
    On,
    Off,
}

fn run_statements(
    conn: &Connection,
    script: &str,
    autocommit: Autocommit,
    before: &mut dyn FnMut(script::Statement<'_>),
) -> Result<(), DriverError> {
    for statement in statements(script) {
        before(statement);
        if let Err(error) = run_statement(conn, statement.sql) {
            let offset = Some(statement.offset + offset_in(statement.sql, &error));
            let error = DriverError::from(error);
            // A full disk is not the statement's fault: whatever SQLite has a code of its own for keeps its kind.
            let failure = if error.failure == Failure::Other { Failure::Script } else { error.failure };
            return Err(DriverError { failure, offset, ..error });
        }
        if conn.is_autocommit() != (autocommit == Autocommit::On) {
            let (failure, offset) = (Failure::TransactionEnded, Some(statement.offset));
            return Err(DriverError { failure, offset, source: "the transaction is over".into() });
        }
    }
    Ok(())
}

pub(super) fn run_statement(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut batch = Batch::new(conn, sql);
    while let Some(mut statement) = batch.next()? {
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}

/// How many bytes into `sql` SQLite found `error`.
fn offset_in(sql: &str, error: &rusqlite::Error) -> usize {
    match error {
        // `rest` is what was left to read, so that it starts where `sql` is longer by.
        rusqlite::Error::SqlInputError { sql: rest, offset, .. } => {
            sql.len().saturating_sub(rest.len()) + usize::try_from(*offset).unwrap_or(0)
        }
        _ => 0,
    }
}

fn applied(row: &Row<'_>) -> Result<Applied, DriverError> {
    let whole = |at: usize| match row.get_ref(at)? {
        ValueRef::Integer(value) => Ok(value),
        other => Err(damaged(format!("{} is {}", row.as_ref().column_name(at)?, other.data_type()))),
    };
    let text = |at: usize| match row.get_ref(at)? {
        ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec())
            .map_err(|_| damaged(format!("{} is not UTF-8", row.as_ref().column_name(at).unwrap_or("a text")))),
        other => Err(damaged(format!("{} is {}", row.as_ref().column_name(at)?, other.data_type()))),
    };
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

/// Has a connection fail at once where another holds the database. Returns the timeout to put back.
fn stop_waiting(conn: &Connection) -> rusqlite::Result<Option<Duration>> {
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
fn without_waiting<T>(
    conn: &Connection,
    look: impl FnOnce(&Connection) -> Result<T, DriverError>,
) -> Result<T, DriverError> {
    let busy_timeout = stop_waiting(conn)?;
    let found = look(conn);
    if let Some(timeout) = busy_timeout {
        conn.busy_timeout(timeout)?;
    }
    found
}

fn read_history(conn: &Connection, set: &str) -> Result<Vec<Applied>, DriverError> {
    let Some(mut statement) = prepare_on_history(conn, SELECT_HISTORY)? else { return Ok(Vec::new()) };
    let mut rows = statement.query([set])?;
    let mut history: Vec<Applied> = Vec::new();
    while let Some(row) = rows.next()? {
        let next = applied(row)?;
        // Only in a table without the primary key; a rollback would take such a migration back twice.
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
fn check_history(conn: &Connection) -> Result<(), DriverError> {
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

/// A failure to write to the history table that is none of the file: a constraint or a trigger, which molos does not make.
fn refused_by_history(error: rusqlite::Error) -> DriverError {
    let problem = message(&error);
    match DriverError::from(error) {
        DriverError { failure: Failure::Other, .. } => damaged(problem),
        error => error,
    }
}

fn damaged(problem: String) -> DriverError {
    DriverError { source: problem.clone().into(), offset: None, failure: Failure::History(problem) }
}

fn is_interrupt(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

/// Whether SQLite could not make sense of a statement, in the schema that there is.
pub(super) fn is_sql_error(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqlInputError { .. }) || error.sqlite_error_code() == Some(ErrorCode::Unknown)
}

/// What SQLite says of an error, without the statement that rusqlite adds to it.
fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } | rusqlite::Error::SqliteFailure(_, Some(msg)) => msg.clone(),
        other => other.to_string(),
    }
}

/// Whether such a failure is one of the file or the disk, of which SQLite has many kinds.
fn is_of_the_file(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::DatabaseCorrupt
    )
}

/// A [`rusqlite::Error`] that is displayed as SQLite's own message.
#[derive(Debug)]
struct Plain(rusqlite::Error);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&message(&self.0))?;
        match &self.0 {
            // For these, SQLite's message is the same whatever it is that failed; the code tells it apart.
            rusqlite::Error::SqliteFailure(failure, _)
                if is_of_the_file(failure.code) && failure.extended_code > 0xff =>
            {
                write!(f, " (code {})", failure.extended_code)
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Plain {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn source(error: rusqlite::Error) -> crate::error::Source {
    Box::new(Plain(error))
}

impl From<rusqlite::Error> for DriverError {
    fn from(error: rusqlite::Error) -> Self {
        let failure = match error.sqlite_error_code() {
            // A shared cache says "locked" where separate caches say "busy"; a WAL whose start of a transaction lost its
            // race too often, "locking protocol": https://sqlite.org/rescode.html#protocol
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                Failure::Busy
            }
            Some(ErrorCode::NotADatabase) => Failure::NotADatabase,
            Some(ErrorCode::DatabaseCorrupt) => Failure::Corrupt,
            Some(ErrorCode::ReadOnly) => Failure::ReadOnly,
            Some(ErrorCode::DiskFull) => Failure::Full,
            Some(ErrorCode::SystemIoFailure) => Failure::Io,
            Some(ErrorCode::CannotOpen) => Failure::CannotOpen,
            Some(ErrorCode::OperationInterrupted) => Failure::Interrupted,
            _ => Failure::Other,
        };
        Self { failure, offset: None, source: source(error) }
    }
}
