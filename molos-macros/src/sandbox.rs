//! What a migration may do while it is rehearsed: be a database, and nothing else.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use molos_runtime::driver::{Claim, Copied, Driver, DriverError, Source, Violations, violations_of};
use molos_runtime::rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER;
use molos_runtime::rusqlite::functions::FunctionFlags;
use molos_runtime::rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use molos_runtime::rusqlite::limits::Limit;
use molos_runtime::rusqlite::types::{ToSqlOutput, Value, ValueRef};
use molos_runtime::rusqlite::{self, Connection};
use molos_runtime::script::Statement;
use molos_runtime::{Applied, Base, Change, ForeignKeys, HISTORY_TABLE, Hook, Migration, Record, Schema, Script};

use crate::input::Function;
use crate::keys::Keys;
use crate::seen::{Refusal, Seen};
use crate::words::words;

/// How many instructions of SQLite's virtual machine one script may take: some seconds in an unoptimised build. On a
/// database without rows, a migration takes thousands.
const INSTRUCTIONS: i64 = 50_000_000;
/// How many instructions pass between two looks at how many are left.
const INTERVAL: i32 = 10_000;
/// The most bytes that a value or row may have.
pub(crate) const LARGEST_VALUE: i32 = 16 << 20;
/// The most bytes that the tables of the database may have, and those of its temporary one.
pub(crate) const LARGEST_DATABASE: i64 = 256 << 20;

/// A connection to an in-memory database, in which a script can reach nothing outside of it.
pub(crate) struct Sandbox {
    conn: Connection,
    guard: Guard,
    keys: Keys,
}

#[derive(Clone, Default)]
struct Guard(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Whether a script is running; if not, it is the engine's own statements.
    watching: bool,
    instructions: i64,
    seen: Seen,
}

impl Guard {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    pub(crate) fn open(functions: &[Function]) -> rusqlite::Result<Self> {
        let mut conn = Connection::open_in_memory()?;
        // Neither a sort nor a temporary table may go to a file.
        conn.execute_batch("PRAGMA temp_store = MEMORY")?;
        let page_size: i64 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        for schema in ["main", "temp"] {
            conn.execute_batch(&format!("PRAGMA {schema}.max_page_count = {}", LARGEST_DATABASE / page_size))?;
        }
        done(conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, LARGEST_VALUE))?;
        done(conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0))?;
        for function in functions {
            register(&conn, function)?;
        }
        let guard = Guard::default();
        let authorizer = guard.clone();
        done(conn.authorizer(Some(move |context: AuthContext<'_>| authorize(&mut authorizer.lock(), &context))))?;
        let counter = guard.clone();
        let progress = move || {
            let state = &mut *counter.lock();
            state.instructions += i64::from(INTERVAL);
            let stop = state.watching && state.instructions > INSTRUCTIONS;
            if stop {
                state.seen.refusal = Some(Refusal::Runaway);
            }
            stop
        };
        done(conn.progress_handler(INTERVAL, Some(progress)))?;
        Ok(Self { conn, guard, keys: Keys::default() })
    }

    /// The connection, for reading the schema.
    pub(crate) fn conn(&self) -> &Connection {
        &self.conn
    }

    /// Changes rows without the watch that is kept over scripts, and without firing triggers. `change` returns the tables
    /// that it has changed, and so does this.
    pub(crate) fn arrange(
        &mut self,
        change: impl FnOnce(&Connection) -> BTreeSet<String>,
    ) -> rusqlite::Result<BTreeSet<String>> {
        self.conn.execute_batch("BEGIN")?;
        self.conn.set_db_config(SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        let changed = change(&self.conn);
        self.conn.set_db_config(SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
        self.conn.execute_batch("COMMIT")?;
        self.keys.touch(changed.iter().cloned());
        Ok(changed)
    }

    /// Every foreign key that points at nothing or cannot be enforced.
    pub(crate) fn check_all_keys(&self) -> Result<Violations, DriverError> {
        violations_of(&self.conn, None)
    }

    /// What the script that ran last did, or was stopped from doing.
    pub(crate) fn seen(&self) -> Seen {
        self.guard.lock().seen.clone()
    }
}

fn authorize(state: &mut State, context: &AuthContext<'_>) -> Authorization {
    if !state.watching {
        return Authorization::Allow;
    }
    note_tables(&mut state.seen, &context.action);
    note_change(&mut state.seen.change, &context.action);
    let refusal = match context.action {
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => Refusal::Transaction,
        AuthAction::Attach { .. } => Refusal::Attach,
        AuthAction::Detach { .. } => Refusal::Detach,
        AuthAction::Function { function_name } if function_name.eq_ignore_ascii_case("load_extension") => {
            Refusal::LoadExtension
        }
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let pragma = pragma_name.to_ascii_lowercase();
            if pragma == "foreign_keys" {
                state.seen.foreign_keys.extend(pragma_value.map(is_on));
                return Authorization::Allow;
            }
            if is_harmless(&pragma, pragma_value) {
                return Authorization::Allow;
            }
            Refusal::Pragma(pragma)
        }
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::CreateTrigger { table_name, .. }
            if table_name.eq_ignore_ascii_case(HISTORY_TABLE) =>
        {
            Refusal::History
        }
        AuthAction::Unknown { code, .. } => Refusal::Other(format!("action {code}")),
        _ => return Authorization::Allow,
    };
    state.seen.refusal = Some(refusal);
    Authorization::Deny
}

/// Whether every `ALTER TABLE` of a script can only add a column: the others rewrite what names the table.
fn only_adds(script: &str) -> bool {
    let words = words(script);
    !words.contains("rename") && !words.contains("drop")
}

/// Notes which tables an action is about, SQLite's own and temporary ones among them.
fn note_tables(seen: &mut Seen, action: &AuthAction<'_>) {
    let add = |tables: &mut BTreeSet<String>, table: &str| {
        if !tables.contains(table) {
            tables.insert(table.to_ascii_lowercase());
        }
    };
    match action {
        AuthAction::Read { table_name, .. } | AuthAction::CreateIndex { table_name, .. } => {
            add(&mut seen.used, table_name);
        }
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name } => {
            add(&mut seen.used, table_name);
            add(&mut seen.written, table_name);
        }
        AuthAction::AlterTable { table_name, .. } => {
            add(&mut seen.used, table_name);
            add(&mut seen.altered, table_name);
        }
        AuthAction::CreateTable { table_name } | AuthAction::DropTable { table_name } => {
            add(&mut seen.replaced, table_name);
        }
        _ => {}
    }
}

/// Notes what an action may change in the schema. An `ALTER TABLE` is taken to add a column.
fn note_change(change: &mut Change, action: &AuthAction<'_>) {
    let altered = match action {
        AuthAction::DropTable { .. }
        | AuthAction::DropIndex { .. }
        | AuthAction::DropTrigger { .. }
        | AuthAction::DropView { .. }
        | AuthAction::DropVtable { .. } => {
            *change = Change::Anything;
            return;
        }
        AuthAction::AlterTable { table_name, .. } => Some((*table_name).to_owned()),
        AuthAction::CreateTable { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateVtable { .. } => None,
        _ => return,
    };
    match change {
        Change::Nothing => *change = Change::Added(altered.into_iter().collect()),
        Change::Added(tables) => tables.extend(altered),
        Change::Anything => {}
    }
}

/// Whether the value of a pragma switches it on, by SQLite's rules: <https://sqlite.org/pragma.html#syntax>
fn is_on(value: &str) -> bool {
    let value = value.trim_matches(['\'', '"']).to_ascii_lowercase();
    matches!(value.as_str(), "on" | "yes" | "true") || value.parse::<i64>().is_ok_and(|number| number != 0)
}

/// Whether a pragma does its work inside of a transaction and leaves the connection as it was.
fn is_harmless(pragma: &str, value: Option<&str>) -> bool {
    match pragma {
        "application_id" | "defer_foreign_keys" | "foreign_key_check" | "foreign_key_list" | "index_info"
        | "index_list" | "index_xinfo" | "integrity_check" | "legacy_alter_table" | "optimize" | "quick_check"
        | "table_info" | "table_list" | "table_xinfo" | "user_version" => true,
        _ => {
            value.is_none()
                && matches!(
                    pragma,
                    "data_version"
                        | "freelist_count"
                        | "page_count"
                        | "page_size"
                        | "schema_version"
                        | "encoding"
                        | "collation_list"
                        | "function_list"
                )
        }
    }
}

/// Registers a stand-in for one of the program's functions. Its value is true, not null, the same for the same
/// arguments and (all but certainly) another for others, so that checks and unique columns accept it.
fn register(conn: &Connection, function: &Function) -> rusqlite::Result<()> {
    let deterministic = if function.arguments == 0 {
        // Something like `new_id()`.
        FunctionFlags::empty()
    } else {
        FunctionFlags::SQLITE_DETERMINISTIC
    };
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS | deterministic;
    let calls = AtomicI64::new(0);
    conn.create_scalar_function(function.name.as_str(), function.arguments, flags, move |context| {
        if context.is_empty() {
            return Ok(ToSqlOutput::Owned(Value::Integer(1 + calls.fetch_add(1, Ordering::Relaxed))));
        }
        let mut hasher = DefaultHasher::new();
        for argument in 0..context.len() {
            match context.get_raw(argument) {
                ValueRef::Null => 0.hash(&mut hasher),
                ValueRef::Integer(value) => value.hash(&mut hasher),
                ValueRef::Real(value) => value.to_bits().hash(&mut hasher),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.hash(&mut hasher),
            }
        }
        let positive = i64::try_from(hasher.finish() >> 1).unwrap_or(1).max(1);
        Ok(ToSqlOutput::Owned(Value::Integer(positive)))
    })
}

/// The parts of rusqlite's interface that return nothing in its older versions and a `Result` in its newer ones.
trait Done {
    fn done(self) -> rusqlite::Result<()>;
}

impl Done for () {
    fn done(self) -> rusqlite::Result<()> {
        Ok(())
    }
}

impl Done for i32 {
    fn done(self) -> rusqlite::Result<()> {
        Ok(())
    }
}

impl<T> Done for rusqlite::Result<T> {
    fn done(self) -> rusqlite::Result<()> {
        self.map(drop)
    }
}

fn done(result: impl Done) -> rusqlite::Result<()> {
    result.done()
}

/// The runtime's own driver, watched while it runs a script.
impl Driver for Sandbox {
    type Settings = <Connection as Driver>::Settings;

    fn run(
        &mut self,
        script: &str,
        keys: ForeignKeys,
        before: &mut dyn FnMut(Statement<'_>),
    ) -> Result<(), DriverError> {
        *self.guard.lock() = State { watching: true, ..State::default() };
        let result = self.conn.run(script, keys, before);
        let mut state = self.guard.lock();
        state.watching = false;
        if matches!(&state.seen.change, Change::Added(tables) if !tables.is_empty()) && !only_adds(script) {
            state.seen.change = Change::Anything;
        }
        self.keys.after(script, &state.seen);
        result
    }

    /// What is run outside of a transaction changes no schema, and would be refused in here.
    fn run_outside(&mut self, _script: &str, _before: &mut dyn FnMut(Statement<'_>)) -> Result<(), DriverError> {
        Ok(())
    }

    /// The program's functions are compiled later than this.
    fn hook(&mut self, _hook: Hook) -> Result<(), Source> {
        Ok(())
    }

    fn version(&self) -> i32 {
        self.conn.version()
    }

    fn in_transaction(&self) -> bool {
        self.conn.in_transaction()
    }

    fn enter(&mut self) -> Result<Self::Settings, DriverError> {
        self.conn.enter()
    }

    fn leave(&mut self, settings: &Self::Settings) -> Result<(), DriverError> {
        self.conn.leave(settings)
    }

    fn begin(&mut self) -> Result<(), DriverError> {
        self.guard.lock().seen = Seen::default();
        self.conn.begin()
    }

    fn commit(&mut self) -> Result<(), DriverError> {
        self.conn.commit()
    }

    fn rollback(&mut self) -> Result<(), DriverError> {
        self.keys.forget();
        self.conn.rollback()
    }

    fn rows_changed(&mut self) -> Result<u64, DriverError> {
        self.conn.rows_changed()
    }

    fn violations(&mut self) -> Result<Violations, DriverError> {
        self.keys.violations(&self.conn)
    }

    fn history(&mut self, set: &str) -> Result<Vec<Applied>, DriverError> {
        self.conn.history(set)
    }

    fn stored_down(&mut self, set: &str, version: i64) -> Result<Option<String>, DriverError> {
        self.conn.stored_down(set, version)
    }

    fn has_applied(&mut self, base: &Base<'_>) -> Result<bool, DriverError> {
        self.conn.has_applied(base)
    }

    fn sets(&mut self) -> Result<Vec<String>, DriverError> {
        self.conn.sets()
    }

    fn create_history(&mut self) -> Result<(), DriverError> {
        self.conn.create_history()
    }

    /// Nothing in here reads it.
    fn record(&mut self, _records: &[Record<'_>]) -> Result<(), DriverError> {
        Ok(())
    }

    fn forget(&mut self, _steps: &[Migration<'_>]) -> Result<(), DriverError> {
        Ok(())
    }

    fn count(&mut self, table: &str, column: Option<&str>) -> Result<u64, DriverError> {
        self.conn.count(table, column)
    }

    fn schema(&mut self) -> Result<Schema, DriverError> {
        self.conn.schema()
    }

    fn rehearse(&mut self, scripts: &mut dyn Iterator<Item = Script<'_>>) -> Result<Vec<Schema>, DriverError> {
        self.conn.rehearse(scripts)
    }

    fn file(&mut self) -> Result<Option<PathBuf>, DriverError> {
        self.conn.file()
    }

    fn copy(&mut self, from: &Path, to: &Path) -> Result<Copied, DriverError> {
        self.conn.copy(from, to)
    }

    fn claims(&mut self) -> Result<Vec<Claim>, DriverError> {
        self.conn.claims()
    }
}
