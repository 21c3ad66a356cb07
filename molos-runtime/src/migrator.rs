//! `Migrator`: how migrations are run, and the verbs.

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::driver::{Driver, DriverError, Failure};
use crate::engine::{self, failed};
use crate::error::Step;
use crate::event::Event;
use crate::history::Applied;
use crate::plan::{self, Order, Plan, Rollback};
use crate::report::{Report, Status};
use crate::{Difference, Direction, Error, Migration, Migrations, Schema};

/// How many transactions a call uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transaction {
    /// One for everything: all steps are applied, or none.
    #[default]
    All,
    /// One for each step: when a step fails, those before it stay.
    Each,
}

/// Whether the schema is compared with the one that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verify {
    No,
    Before,
}

/// Runs a set of migrations on a database.
///
/// ```
/// # use molos_runtime as molos;
/// use std::time::Duration;
/// use molos::{Migration, Migrations, Migrator, Rollback, rusqlite::Connection};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let list = vec![
/// #     Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)"),
/// #     Migration::new(2, "tags", "CREATE TABLE tags (tag TEXT NOT NULL)").with_down("DROP TABLE tags"),
/// # ];
/// # let migrations = Migrations::new("app", "migrations", &list);
/// let mut conn = Connection::open_in_memory()?;
/// let migrator = Migrator::new(&migrations).busy_timeout(Duration::from_secs(5));
///
/// println!("{}", migrator.plan(&mut conn)?);
/// println!("{}", migrator.migrate(&mut conn)?);
/// println!("{}", migrator.rollback(&mut conn, Rollback::Steps(1))?);
/// assert_eq!(migrator.status(&mut conn)?.current(), Some(1));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Migrator<'m> {
    pub(crate) migrations: Migrations<'m>,
    pub(crate) target: Option<i64>,
    transaction: Transaction,
    busy_timeout: Duration,
    order: Order,
    verify: Verify,
    on_event: Box<dyn Fn(&Event<'_>) + 'm>,
}

impl fmt::Debug for Migrator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrator")
            .field("set", &self.migrations.set())
            .field("target", &self.target)
            .field("transaction", &self.transaction)
            .field("busy_timeout", &self.busy_timeout)
            .field("order", &self.order)
            .field("verify", &self.verify)
            .finish_non_exhaustive()
    }
}

impl<'m> Migrator<'m> {
    /// A migrator that applies everything that is pending in one transaction, and waits 30 seconds for other
    /// connections.
    pub fn new(migrations: &Migrations<'m>) -> Self {
        Self {
            migrations: *migrations,
            target: None,
            transaction: Transaction::All,
            busy_timeout: Duration::from_secs(30),
            order: Order::Strict,
            verify: Verify::No,
            on_event: Box::new(|_| {}),
        }
    }

    /// Migrates up to this version and no further.
    pub fn to(self, version: i64) -> Self {
        Self { target: Some(version), ..self }
    }

    /// One transaction for everything, or one for each step.
    pub fn transaction(self, transaction: Transaction) -> Self {
        Self { transaction, ..self }
    }

    /// How long to wait for another connection that holds the database. Another process that is migrating it is
    /// such a connection.
    pub fn busy_timeout(self, timeout: Duration) -> Self {
        Self { busy_timeout: timeout, ..self }
    }

    /// Whether a pending migration may be applied after later ones, as when two branches were merged.
    pub fn allow_out_of_order(self, allow: bool) -> Self {
        Self { order: if allow { Order::Any } else { Order::Strict }, ..self }
    }

    /// Whether to check that nobody has changed the schema by hand, before anything is changed by a migration or a
    /// rollback. It takes as long as reading the schema; a start with nothing to do is not slowed down.
    pub fn verify_before(self, verify: bool) -> Self {
        Self { verify: if verify { Verify::Before } else { Verify::No }, ..self }
    }

    /// Calls `on_event` with what happens, while it happens.
    pub fn on_event(self, on_event: impl Fn(&Event<'_>) + 'm) -> Self {
        Self { on_event: Box::new(on_event), ..self }
    }

    /// Applies what is pending.
    ///
    /// What is pending is found out inside of an immediate transaction, so that of several processes that start at
    /// once one applies it and the others wait. When nothing is pending, no transaction is opened and nothing is
    /// written.
    ///
    /// # Errors
    ///
    /// Any of [`Error`]. Those about the history ([`Error::Edited`], [`Error::Newer`], …) come before anything is
    /// run. With [`Transaction::All`] an error leaves the database as it was; with [`Transaction::Each`] the steps
    /// before the one that failed stay.
    pub fn migrate<D: Driver>(&self, conn: &mut D) -> Result<Report, Error> {
        self.run(conn, Direction::Up, |history, _| plan::up(&self.migrations, history, self.target, self.order))
    }

    /// Takes migrations back, newest first.
    ///
    /// # Errors
    ///
    /// Any of [`Error`]. If one of the steps has no down SQL, that is [`Error::Irreversible`] before anything is run.
    pub fn rollback<D: Driver>(&self, conn: &mut D, back: Rollback) -> Result<Report, Error> {
        self.run(conn, Direction::Down, |history, done| {
            let back = match back {
                Rollback::Steps(steps) => Rollback::Steps(steps.saturating_sub(done)),
                other => other,
            };
            plan::down(&self.migrations, history, back)
        })
    }

    /// What [`migrate`](Self::migrate) would run now. Nothing is changed.
    ///
    /// # Errors
    ///
    /// Those that `migrate` gives before it runs anything.
    pub fn plan<D: Driver>(&self, conn: &mut D) -> Result<Plan<'m>, Error> {
        let steps = plan::up(&self.migrations, &self.history(conn)?, self.target, self.order)?;
        Ok(Plan::new(&self.migrations, Direction::Up, steps))
    }

    /// What [`rollback`](Self::rollback) would run now. Nothing is changed.
    ///
    /// # Errors
    ///
    /// Those that `rollback` gives before it runs anything.
    pub fn plan_rollback<D: Driver>(&self, conn: &mut D, back: Rollback) -> Result<Plan<'m>, Error> {
        let steps = plan::down(&self.migrations, &self.history(conn)?, back)?;
        Ok(Plan::new(&self.migrations, Direction::Down, steps))
    }

    /// Where every migration stands, also in a database that `migrate` would refuse. Nothing is changed.
    ///
    /// # Errors
    ///
    /// When the history cannot be read.
    pub fn status<D: Driver>(&self, conn: &mut D) -> Result<Status, Error> {
        Ok(plan::status(&self.migrations, &self.history(conn)?))
    }

    /// Checks that every migration is applied as this binary has it, that the schema is exactly the one that they lead
    /// to, and that every foreign key points at something. Nothing is changed.
    ///
    /// If the database holds several sets, what belongs to none of this set's tables is taken to be another's.
    ///
    /// # Errors
    ///
    /// [`Error::Pending`], [`Error::Drift`], [`Error::BrokenKeys`], or those that `migrate` gives before it runs anything.
    pub fn verify<D: Driver>(&self, conn: &mut D) -> Result<(), Error> {
        loop {
            let history = self.history(conn)?;
            let result = self.verify_against(conn, &history);
            // Each look is one of its own, so that none holds up a writer. If one has migrated in between, what was seen
            // is of two versions.
            if self.history(conn)? == history {
                return result;
            }
        }
    }

    fn verify_against<D: Driver>(&self, conn: &mut D, history: &[Applied]) -> Result<(), Error> {
        let pending = plan::up(&self.migrations, history, self.target, self.order)?;
        if !pending.is_empty() {
            let pending = pending.iter().map(|migration| Step::of(&self.migrations, migration)).collect();
            return Err(Error::Pending { pending });
        }
        self.check_schema(conn, history)?;
        engine::check_keys(conn)
    }

    /// Checks that the schema is the one that the migrations in `history` lead to.
    fn check_schema<D: Driver>(&self, conn: &mut D, history: &[Applied]) -> Result<(), Error> {
        let is_applied = |migration: &Migration<'_>| plan::is_applied(history, migration.version());
        let applied: Vec<_> = self.migrations.iter().filter(is_applied).collect();
        let Some(last) = applied.last() else { return Ok(()) };
        let found = conn.schema().map_err(|error| failed("reading the schema", error))?;
        // A fingerprint is that of a schema to which every migration before it led as well.
        let in_order = self.migrations.iter().take(applied.len()).all(|migration| is_applied(&migration));
        if in_order && last.fingerprint() == Some(found.fingerprint()) {
            return Ok(());
        }
        let expected = rehearse(conn, &applied)?.pop().unwrap_or_default();
        let mut differences = found.differences(&expected);
        let shared =
            conn.has_other_sets(self.migrations.set()).map_err(|error| failed("reading the history", error))?;
        differences.retain(|difference| match difference {
            Difference::Extra(object) => !shared || expected.has(&object.table),
            _ => true,
        });
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::Drift { step: Step::of(&self.migrations, last), differences })
    }

    fn history<D: Driver>(&self, conn: &mut D) -> Result<Vec<Applied>, Error> {
        let history = self.when_free("reading the history", || conn.history(self.migrations.set()))?;
        Ok(history.unwrap_or_default())
    }

    /// Runs what `plan` makes of the history; its second argument is how many steps this call has run before.
    fn run<D: Driver>(
        &self,
        conn: &mut D,
        direction: Direction,
        plan: impl Fn(&[Applied], usize) -> Result<Vec<Migration<'m>>, Error>,
    ) -> Result<Report, Error> {
        if conn.in_transaction() {
            return Err(Error::InTransaction);
        }
        let mut done = Vec::new();
        if plan(&self.history(conn)?, 0)?.is_empty() {
            return Ok(Report::new(direction, done));
        }
        let session = Session::open(conn)?;
        loop {
            self.when_free("starting a transaction", || session.conn.begin())?;
            let result = self.run_in_transaction(session.conn, direction, |history| plan(history, done.len()));
            let (reports, left) = match result {
                Ok(result) => result,
                Err(error) => {
                    drop(session);
                    (self.on_event)(&Event::RolledBack);
                    return Err(error);
                }
            };
            (self.on_event)(&Event::Committed);
            done.extend(reports);
            if left == 0 {
                return Ok(Report::new(direction, done));
            }
        }
    }

    /// Plans again, under the lock, runs as many steps as belong in one transaction, and commits. Returns how many
    /// are left beside the reports.
    fn run_in_transaction<D: Driver>(
        &self,
        conn: &mut D,
        direction: Direction,
        plan: impl FnOnce(&[Applied]) -> Result<Vec<Migration<'m>>, Error>,
    ) -> Result<(Vec<crate::StepReport>, usize), Error> {
        let history = conn.history(self.migrations.set()).map_err(|error| failed("reading the history", error))?;
        if history.is_none() {
            conn.create_history().map_err(|error| failed("creating the history table", error))?;
        }
        let history = history.unwrap_or_default();
        let steps = plan(&history)?;
        if self.verify == Verify::Before {
            self.check_schema(conn, &history)?;
        }
        let count = match self.transaction {
            Transaction::All => steps.len(),
            Transaction::Each => steps.len().min(1),
        };
        let reports = engine::run(conn, &self.migrations, direction, &steps[..count], &self.on_event)?;
        self.when_free("committing", || conn.commit())?;
        Ok((reports, steps.len() - count))
    }

    /// Tries until no other connection holds what is wanted, or the timeout is over.
    pub(crate) fn when_free<T>(
        &self,
        doing: &'static str,
        mut attempt: impl FnMut() -> Result<T, DriverError>,
    ) -> Result<T, Error> {
        const LONGEST_PAUSE: Duration = Duration::from_millis(50);
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            let error = match attempt() {
                Ok(value) => return Ok(value),
                Err(error) if error.failure != Failure::Busy => return Err(failed(doing, error)),
                Err(error) => error,
            };
            let waited = started.elapsed();
            let left = self.busy_timeout.saturating_sub(waited);
            if left.is_zero() {
                return Err(Error::Busy { waited, source: error.source });
            }
            (self.on_event)(&Event::Waiting { waited, timeout: self.busy_timeout });
            sleep(pause.min(left));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// The schemas that migrations lead to, found out by running them on a database of their own.
pub(crate) fn rehearse<D: Driver>(conn: &mut D, migrations: &[Migration<'_>]) -> Result<Vec<Schema>, Error> {
    let mut scripts = migrations.iter().filter_map(|migration| migration.script(Direction::Up));
    conn.rehearse(&mut scripts).map_err(|error| failed("running the migrations in memory, to compare schemas", error))
}

/// A connection with the settings of a migration. However it is left, an open transaction is undone and the
/// settings are put back.
pub(crate) struct Session<'c, D: Driver> {
    pub(crate) conn: &'c mut D,
    settings: D::Settings,
}

impl<'c, D: Driver> Session<'c, D> {
    pub(crate) fn open(conn: &'c mut D) -> Result<Self, Error> {
        let settings = conn.enter().map_err(|error| failed("preparing the connection", error))?;
        Ok(Self { conn, settings })
    }
}

impl<D: Driver> Drop for Session<'_, D> {
    fn drop(&mut self) {
        // Neither can be reported from here; the error or panic that leads here is the one to see.
        if self.conn.in_transaction() {
            let _ = self.conn.rollback();
        }
        let _ = self.conn.leave(&self.settings);
    }
}
