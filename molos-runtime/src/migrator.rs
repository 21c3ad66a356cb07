//! `Migrator`: how migrations are run, and the verbs.

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::adopt::{self, Adopted};
use crate::driver::{Driver, DriverError, Failure};
use crate::engine::{self, failed};
use crate::error::{Candidate, Step};
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
    migrations: Migrations<'m>,
    target: Option<i64>,
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
        let pending = plan::up(&self.migrations, &self.history(conn)?, self.target, self.order)?;
        if !pending.is_empty() {
            let pending = pending.iter().map(|migration| Step::of(&self.migrations, migration)).collect();
            return Err(Error::Pending { pending });
        }
        let current = self.history(conn)?.last().map(|applied| applied.version);
        self.check_schema(conn, current)?;
        engine::check_keys(conn)
    }

    /// Recognises a database that was made by hand or by another tool, and records what it is already: the migration
    /// that leads to its schema, and those before it, are applied from then on. Nothing is run, and the history of the
    /// other tool stays as it is.
    ///
    /// If there is a history of refinery, sqlx, diesel, drizzle or `rusqlite_migration` (`PRAGMA user_version`), it has to
    /// agree with the schema; with [`to`](Self::to), it is not looked at.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// # use molos::{Migration, Migrations, Migrator, rusqlite::Connection};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let list = [
    /// #     Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)"),
    /// #     Migration::new(2, "tags", "CREATE TABLE tags (tag TEXT NOT NULL)"),
    /// # ];
    /// # let migrations = Migrations::new("app", "migrations", &list);
    /// # let mut conn = Connection::open_in_memory()?;
    /// conn.execute_batch("create table Notes (body text not null)")?; // by hand, long ago
    ///
    /// let adopted = Migrator::new(&migrations).adopt(&mut conn)?;
    /// assert_eq!(adopted.version, 1);
    /// assert_eq!(migrations.migrate(&mut conn)?.steps().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyAdopted`], [`Error::NotAdopted`] with what differs, [`Error::AmbiguousSchema`],
    /// [`Error::OtherHistory`], or when the database cannot be read or written. Nothing is recorded then.
    pub fn adopt<D: Driver>(&self, conn: &mut D) -> Result<Adopted, Error> {
        if conn.in_transaction() {
            return Err(Error::InTransaction);
        }
        let session = Session::open(conn)?;
        self.when_free("starting a transaction", || session.conn.begin())?;
        let conn = &mut *session.conn;
        let history = conn.history(self.migrations.set()).map_err(|error| failed("reading the history", error))?;
        if let Some(last) = history.as_ref().and_then(|history| history.last()) {
            return Err(Error::AlreadyAdopted { current: last.version });
        }
        let found = conn.schema().map_err(|error| failed("reading the schema", error))?;
        let claims = conn.claims().map_err(|error| failed("reading the history of another tool", error))?;
        let rehearsed = adopt::with_fingerprints(&self.migrations, || self.rehearse(conn))?;
        let known = Migrations::new(self.migrations.set(), self.migrations.directory(), &rehearsed);
        let (last, candidate) = adopt::recognise(&known, &found, &claims, self.target, || self.rehearse(conn))?;
        let version = last.version();
        let steps: Vec<_> = self.migrations.iter().take_while(|migration| migration.version() <= version).collect();
        if history.is_none() {
            conn.create_history().map_err(|error| failed("creating the history table", error))?;
        }
        engine::record(conn, &self.migrations, &steps).map_err(|error| failed("writing the history", error))?;
        self.when_free("committing", || conn.commit())?;
        let tool = match candidate {
            Candidate::History(tool) => Some(tool),
            _ => None,
        };
        Ok(Adopted { version, name: last.name().to_owned(), recorded: steps.len(), tool })
    }

    /// The schemas that the migrations lead to, found out by running them on a database of their own.
    fn rehearse<D: Driver>(&self, conn: &mut D) -> Result<Vec<Schema>, Error> {
        let mut scripts = self.migrations.iter().filter_map(|migration| migration.script(Direction::Up));
        conn.rehearse(&mut scripts)
            .map_err(|error| failed("running the migrations in memory, to compare schemas", error))
    }

    /// Checks that the schema is the one that version `current` leads to.
    fn check_schema<D: Driver>(&self, conn: &mut D, current: Option<i64>) -> Result<(), Error> {
        let Some(migration) = current.and_then(|version| self.migrations.get(version)) else { return Ok(()) };
        let found = conn.schema().map_err(|error| failed("reading the schema", error))?;
        if migration.fingerprint() == Some(found.fingerprint()) {
            return Ok(());
        }
        let schemas = self.rehearse(conn)?;
        let at = self.migrations.iter().position(|other| other.version() == migration.version());
        let Some(expected) = at.and_then(|at| schemas.get(at)) else { return Ok(()) };
        let mut differences = found.differences(expected);
        let shared =
            conn.has_other_sets(self.migrations.set()).map_err(|error| failed("reading the history", error))?;
        differences.retain(|difference| match difference {
            Difference::Extra(object) => !shared || expected.has(&object.table),
            _ => true,
        });
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::Drift { step: Step::of(&self.migrations, &migration), differences })
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
            self.check_schema(conn, history.last().map(|applied| applied.version))?;
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
