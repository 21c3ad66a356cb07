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
use crate::{Direction, Error, Migration, Migrations};

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
    migrations: Migrations<'m>,
    target: Option<i64>,
    transaction: Transaction,
    busy_timeout: Duration,
    order: Order,
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

    /// Checks that every migration is applied as this binary has it, and that every foreign key points at something.
    /// Nothing is changed.
    ///
    /// # Errors
    ///
    /// [`Error::Pending`], [`Error::BrokenKeys`], or those that `migrate` gives before it runs anything.
    pub fn verify<D: Driver>(&self, conn: &mut D) -> Result<(), Error> {
        let pending = plan::up(&self.migrations, &self.history(conn)?, self.target, self.order)?;
        if !pending.is_empty() {
            let pending = pending.iter().map(|migration| Step::of(&self.migrations, migration)).collect();
            return Err(Error::Pending { pending });
        }
        engine::check_keys(conn)
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
        let steps = plan(&history.unwrap_or_default())?;
        let count = match self.transaction {
            Transaction::All => steps.len(),
            Transaction::Each => steps.len().min(1),
        };
        let reports = engine::run(conn, &self.migrations, direction, &steps[..count], &self.on_event)?;
        self.when_free("committing", || conn.commit())?;
        Ok((reports, steps.len() - count))
    }

    /// Tries until no other connection holds what is wanted, or the timeout is over.
    fn when_free<T>(
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

/// A connection with the settings of a migration. However it is left, an open transaction is undone and the
/// settings are put back.
struct Session<'c, D: Driver> {
    conn: &'c mut D,
    settings: D::Settings,
}

impl<'c, D: Driver> Session<'c, D> {
    fn open(conn: &'c mut D) -> Result<Self, Error> {
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
