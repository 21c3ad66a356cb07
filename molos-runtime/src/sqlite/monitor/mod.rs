//! `Monitor`: what the program's own statements cost, from SQLite's trace of them.

mod hook;
mod snapshot;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

pub use snapshot::{Snapshot, StatementStats};

use crate::database::DatabaseError;
use crate::migrator::failed;
use crate::model::error::Error;

/// How many different texts are told apart: a program that writes values into its SQL has no end of them.
const TEXTS: usize = 1_000;

/// Under which text all others are counted.
const OTHERS: &str = "(other statements)";

/// Counts what the statements of a program's connections cost, by their text.
///
/// A text is the SQL as the program wrote it, with its parameters and without the values that are bound to them. The
/// first 1,000 different texts are told apart, and the rest are counted together as `(other statements)`.
///
/// A monitor watches the connections to one database, as many as there are and on whatever threads; clones of it are one
/// and the same. It takes the place of SQLite's trace of those connections, of which each has one. What it knows of a
/// statement depends on the rusqlite in use:
///
/// | | rusqlite 0.33 and later | before |
/// | --- | --- | --- |
/// | count | yes | yes |
/// | times | in nanoseconds | in milliseconds |
/// | work: scanned rows, sorts, automatic indexes, steps of the virtual machine | yes | no |
///
/// It costs each statement about 0.6 µs, however much that does: to find a row by its key with a prepared statement takes
/// 1.4 µs instead of 0.8 µs, to read a thousand rows no longer than without it. `cargo bench --bench monitor --features
/// monitor` measures that.
///
/// ```
/// # use molos_runtime as molos;
/// use std::time::Duration;
/// use molos::monitor::Monitor;
/// use molos::rusqlite::Connection;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let monitor = Monitor::with_slow(Duration::from_millis(100), |slow| eprintln!("{slow}"));
/// let mut conn = Connection::open_in_memory()?;
/// monitor.attach(&mut conn)?;
///
/// conn.execute_batch("CREATE TABLE notes (body TEXT)")?;
/// for body in ["a", "b"] {
///     conn.execute("INSERT INTO notes VALUES (?1)", [body])?;
/// }
///
/// let snapshot = monitor.snapshot();
/// let inserts = snapshot.statements().iter().find(|statement| statement.sql.starts_with("INSERT"));
/// assert_eq!(inserts.map(|statement| statement.count), Some(2));
/// println!("{snapshot}"); // a table, the costliest first
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Monitor {
    watch: Arc<Watch>,
}

/// What the clones of a monitor share.
struct Watch {
    /// Which of SQLite's callbacks tell it of statements.
    slot: OnceLock<usize>,
    /// The file of the connections; `None` if they are in memory.
    database: OnceLock<Option<PathBuf>>,
    statements: Mutex<HashMap<String, Counts>>,
    slow: Option<Slow>,
}

struct Slow {
    threshold: Duration,
    on_slow: Box<dyn Fn(&SlowStatement<'_>) + Send + Sync>,
}

/// A statement that took longer than the threshold of [`Monitor::with_slow`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SlowStatement<'s> {
    /// Its text, without the values that were bound.
    pub sql: &'s str,
    /// How long it took, from its first step until it was done or given up. What the program did between two rows is
    /// part of that.
    pub elapsed: Duration,
    /// What `EXPLAIN QUERY PLAN` says of it, a line for each step of the plan, those within others indented.
    ///
    /// `None` if it cannot be told: for a database in memory, and for a statement that cannot be prepared on another
    /// connection, as one on temporary tables or with functions of the program's own.
    pub plan: Option<&'s str>,
}

impl fmt::Display for SlowStatement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms: {}", self.elapsed.as_millis(), self.sql)?;
        let lines = self.plan.into_iter().flat_map(str::lines);
        lines.into_iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// What SQLite counts while a statement runs.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    full_scan_steps: u64,
    sorts: u64,
    automatic_index_rows: u64,
    vm_steps: u64,
}

/// All runs of one text.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    count: u64,
    total: Duration,
    slowest: Duration,
    work: Option<Work>,
}

impl Default for Monitor {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("database", &self.watch.database.get()).finish_non_exhaustive()
    }
}

impl Monitor {
    /// A monitor without connections.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// A monitor without connections that also calls `on_slow` with every statement that takes at least `threshold`.
    ///
    /// It is called on the statement's thread, when the statement is done. It must not use the statement's connection. For
    /// the plan, a second connection reads the schema of the database, which takes a fraction of a millisecond.
    pub fn with_slow(threshold: Duration, on_slow: impl Fn(&SlowStatement<'_>) + Send + Sync + 'static) -> Self {
        Self::with(Some(Slow { threshold, on_slow: Box::new(on_slow) }))
    }

    fn with(slow: Option<Slow>) -> Self {
        let watch = Watch { slot: OnceLock::new(), database: OnceLock::new(), statements: Mutex::default(), slow };
        Self { watch: Arc::new(watch) }
    }

    /// Counts the statements of this connection, too.
    ///
    /// # Errors
    ///
    /// [`DatabaseFailure::Other`](crate::DatabaseFailure::Other) if the connection is one to another database than those before it, or if this is the 65th
    /// monitor of the process that is given a connection: SQLite's callbacks are told apart by which function they are, and
    /// a function that a connection may still call is never used for another monitor.
    pub fn attach(&self, conn: &mut Connection) -> Result<(), Error> {
        let file = conn.path().map(PathBuf::from).filter(|path| !path.as_os_str().is_empty());
        if *self.watch.database.get_or_init(|| file.clone()) != file {
            return Err(refused("the connection is one to another database than those before it"));
        }
        match hook::attach(&self.watch, conn) {
            Ok(true) => Ok(()),
            Ok(false) => Err(refused("there are too many monitors in this process")),
            Err(error) => Err(failed("monitoring the connection", DatabaseError::from(error))),
        }
    }

    /// No longer counts the statements of this connection.
    ///
    /// # Errors
    ///
    /// [`DatabaseFailure::Other`](crate::DatabaseFailure::Other) if SQLite fails.
    pub fn detach(&self, conn: &mut Connection) -> Result<(), Error> {
        hook::detach(conn).map_err(|error| failed("monitoring the connection", DatabaseError::from(error)))
    }

    /// What was counted up to now, the costliest first. A statement counts when it is done.
    pub fn snapshot(&self) -> Snapshot {
        let statements = self.watch.lock().iter().map(|(sql, counts)| StatementStats::new(sql, *counts)).collect();
        Snapshot::new(statements)
    }
}

fn refused(problem: &'static str) -> Error {
    failed("monitoring the connection", DatabaseError::other(problem))
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Counts>> {
        // What is in there is whole after every single change.
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A statement is done.
    fn record(&self, sql: &str, elapsed: Duration, work: Option<Work>) {
        let sql = sql.trim();
        self.count(sql, elapsed, work);
        let Some(slow) = self.slow.as_ref().filter(|slow| elapsed >= slow.threshold) else { return };
        let database = self.database.get().and_then(Option::as_deref);
        let plan = database.and_then(|path| query_plan(path, sql).ok());
        (slow.on_slow)(&SlowStatement { sql, elapsed, plan: plan.as_deref() });
    }

    fn count(&self, sql: &str, elapsed: Duration, work: Option<Work>) {
        let mut statements = self.lock();
        if let Some(counts) = statements.get_mut(sql) {
            return counts.add(elapsed, work);
        }
        let sql = if statements.len() < TEXTS { sql } else { OTHERS };
        statements.entry(sql.to_owned()).or_default().add(elapsed, work);
    }
}

impl Counts {
    fn add(&mut self, elapsed: Duration, work: Option<Work>) {
        self.count += 1;
        self.total = self.total.saturating_add(elapsed);
        self.slowest = self.slowest.max(elapsed);
        if let Some(more) = work {
            let work = self.work.get_or_insert_default();
            work.full_scan_steps += more.full_scan_steps;
            work.sorts += more.sorts;
            work.automatic_index_rows += more.automatic_index_rows;
            work.vm_steps += more.vm_steps;
        }
    }
}

/// The plan of a statement, from a connection of its own: the statement's is not to be used while it tells of it.
fn query_plan(path: &Path, sql: &str) -> rusqlite::Result<String> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(Duration::ZERO)?;
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let mut rows = statement.raw_query();
    let mut depths = HashMap::from([(0, 0)]);
    let mut plan = String::new();
    while let Some(row) = rows.next()? {
        let (id, parent): (i64, i64) = (row.get(0)?, row.get(1)?);
        let depth: usize = depths.get(&parent).copied().unwrap_or(0);
        depths.insert(id, depth + 1);
        plan.extend(["  ".repeat(depth), row.get(3)?, "\n".to_owned()]);
    }
    Ok(plan)
}
