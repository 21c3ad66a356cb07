//! `Migrator`: how migrations are run, and the verbs.

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::backup::Backup;
use crate::driver::{Driver, DriverError, Failure};
use crate::engine::{self, failed};
use crate::event::{Event, Listener};
use crate::older;
use crate::plan::{self, Loss, Order, Plan, Rollback};
use crate::report::{Report, Status, StepReport};
use crate::sets::{SetHistory, Sets};
use crate::verify::check_schema;
use crate::{Direction, Error, Migration, Migrations, observe};

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

type OnEvent<'m> = Box<dyn Fn(&Event<'_>) + 'm>;

/// When the schema is compared with the one that is expected.
#[derive(Clone, Copy, Debug, Default)]
struct Verify {
    before: bool,
    after: bool,
}

/// Runs a set of migrations, or several, on a database.
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
/// assert_eq!(migrator.status(&mut conn)?.pending(), 1);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Migrator<'m> {
    sets: Sets<'m>,
    pub(crate) target: Option<i64>,
    transaction: Transaction,
    busy_timeout: Duration,
    order: Order,
    verify: Verify,
    pub(crate) backup: Option<Backup>,
    on_event: Option<OnEvent<'m>>,
}

impl fmt::Debug for Migrator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrator")
            .field("sets", &self.sets.names())
            .field("target", &self.target)
            .field("transaction", &self.transaction)
            .field("busy_timeout", &self.busy_timeout)
            .field("order", &self.order)
            .field("verify", &self.verify)
            .field("backup", &self.backup)
            .finish_non_exhaustive()
    }
}

impl<'m> Migrator<'m> {
    /// A migrator that applies everything that is pending in one transaction, and waits 30 seconds for other
    /// connections.
    ///
    /// Several sets are applied in one go, each after those that it needs, whatever the order they are given in; apart
    /// from that they have nothing to do with each other. What a [`Migrator`] does not name it leaves alone.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// use molos::{Migrator, Rollback, rusqlite::Connection};
    /// # use molos::{Migration, Migrations};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let users = [Migration::new(1, "users", "CREATE TABLE users (name TEXT NOT NULL)")];
    /// # let list = [Migration::new(1, "tasks", "CREATE TABLE tasks (title TEXT NOT NULL)").with_down("DROP TABLE tasks")];
    /// # let core = Migrations::new("core", "core/migrations", &users);
    /// # let tasks = Migrations::new("tasks", "tasks/migrations", &list).table_prefix("tasks");
    /// let mut conn = Connection::open_in_memory()?;
    ///
    /// // `core` and `tasks` are what two `embed_migrations!` wrote: `core::MIGRATIONS` and `tasks::MIGRATIONS`, say.
    /// let report = Migrator::new([&core, &tasks]).migrate(&mut conn)?;
    /// assert_eq!(report.steps().len(), 2);
    ///
    /// // A module that is removed takes its own tables with it, and nothing else.
    /// Migrator::new(&tasks).rollback(&mut conn, Rollback::All)?;
    /// Migrator::new(&core).verify(&mut conn)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// That the sets are in order is found out when something is run: see [`Error::SetTwice`], [`Error::SetCycle`] and
    /// [`Error::MissingBase`].
    pub fn new(sets: impl Into<Sets<'m>>) -> Self {
        Self {
            sets: sets.into(),
            target: None,
            transaction: Transaction::All,
            busy_timeout: Duration::from_secs(30),
            order: Order::Strict,
            verify: Verify::default(),
            backup: None,
            on_event: None,
        }
    }

    /// The same for one of its sets alone.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSet`].
    pub fn only(self, set: &str) -> Result<Self, Error> {
        Ok(Self { sets: self.sets.only(set)?, ..self })
    }

    /// Migrates up to this version and no further, and [downgrades](Self::downgrade) to it. Only one set can be asked for a
    /// version.
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
        Self { verify: Verify { before: verify, ..self.verify }, ..self }
    }

    /// Whether to check, before anything is committed, that the schema has become the one that the migrations lead to.
    /// If it has not, that is [`Error::Drift`], and everything is undone: a change by hand from before the call, or what
    /// a trigger or a function of the program did during it. It takes as long as reading the schema.
    ///
    /// A way back that leads to another schema than the one before its migration (`-- molos: allow inexact-down`) is drift
    /// as well.
    pub fn verify_after(self, verify: bool) -> Self {
        Self { verify: Verify { after: verify, ..self.verify }, ..self }
    }

    /// Calls `on_event` with what happens, while it happens, on the thread that migrates. Of several that are given, each is
    /// called, in this order.
    ///
    /// The feature `tracing` sends the same to a subscriber of the `tracing` crate, whether this is called or not.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// use molos::{Event, Migrator, rusqlite::Connection};
    /// # use molos::{Migration, Migrations};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let list = [Migration::new(1, "notes", "CREATE TABLE notes (a); INSERT INTO notes VALUES (1); UPDATE notes SET a = 2")];
    /// # let migrations = Migrations::new("app", "migrations", &list);
    /// let migrator = Migrator::new(&migrations).on_event(|event| match event {
    ///     Event::Waiting { waited, .. } => eprintln!("another program has the database ({} s)", waited.as_secs()),
    ///     Event::Statement { migration, number, count, .. } => eprintln!("{} ({number}/{count})", migration.name()),
    ///     _ => {}
    /// });
    /// migrator.migrate(&mut Connection::open_in_memory()?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_event(self, on_event: impl Fn(&Event<'_>) + 'm) -> Self {
        let on_event: OnEvent<'m> = match self.on_event {
            None => Box::new(on_event),
            Some(first) => Box::new(move |event| {
                first(event);
                on_event(event);
            }),
        };
        Self { on_event: Some(on_event), ..self }
    }

    /// What it runs.
    #[must_use]
    pub const fn sets(&self) -> &Sets<'m> {
        &self.sets
    }

    /// Applies what is pending, in every set.
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
    ///
    /// It can be stopped from another thread, with an [`InterruptHandle`](rusqlite::InterruptHandle) of the connection:
    /// that is [`Error::Interrupted`]. An interrupt is lost if it comes between two statements, so repeat it until this
    /// returns.
    pub fn migrate<D: Driver>(&self, conn: &mut D) -> Result<Report, Error> {
        self.run(conn, Direction::Up, |conn, sets, _| self.pending(conn, sets))
    }

    /// Takes migrations back, newest first; of several sets, only all of them, the last set first.
    ///
    /// # Errors
    ///
    /// Any of [`Error`]. If one of the steps has no down SQL, that is [`Error::Irreversible`] before anything is run.
    pub fn rollback<D: Driver>(&self, conn: &mut D, back: Rollback) -> Result<Report, Error> {
        self.run(conn, Direction::Down, |_, sets, done| {
            let back = match back {
                Rollback::Steps(steps) => Rollback::Steps(steps.saturating_sub(done)),
                other => other,
            };
            to_take_back(sets, back)
        })
    }

    /// What [`migrate`](Self::migrate) would run now. Nothing is changed.
    ///
    /// # Errors
    ///
    /// Those that `migrate` gives before it runs anything.
    pub fn plan<D: Driver>(&self, conn: &mut D) -> Result<Plan<'m>, Error> {
        let sets = self.histories(conn)?;
        let steps = self.pending(conn, &sets)?;
        let losses = losses(conn, &steps, Direction::Up)?;
        Ok(Plan::new(Direction::Up, steps, sets.len(), losses))
    }

    /// What [`rollback`](Self::rollback) would run now. Nothing is changed.
    ///
    /// # Errors
    ///
    /// Those that `rollback` gives before it runs anything.
    pub fn plan_rollback<D: Driver>(&self, conn: &mut D, back: Rollback) -> Result<Plan<'m>, Error> {
        let sets = self.histories(conn)?;
        let steps = to_take_back(&sets, back)?;
        let losses = losses(conn, &steps, Direction::Down)?;
        Ok(Plan::new(Direction::Down, steps, sets.len(), losses))
    }

    /// Where every migration stands, also in a database that `migrate` would refuse. Nothing is changed.
    ///
    /// # Errors
    ///
    /// When the history cannot be read, or with [`Error::SetTwice`] and [`Error::SetCycle`].
    pub fn status<D: Driver>(&self, conn: &mut D) -> Result<Status, Error> {
        let sets = self.histories(conn)?;
        Ok(Status::new(sets.iter().map(|SetHistory { set, history }| plan::status(set, history)).collect()))
    }

    /// Whether [`migrate`](Self::migrate) would refuse the database's history. Unlike a [`plan`](Self::plan), it counts no
    /// rows.
    #[doc(hidden)]
    pub fn check<D: Driver>(&self, conn: &mut D) -> Result<(), Error> {
        let sets = self.histories(conn)?;
        self.pending(conn, &sets)?;
        Ok(())
    }

    /// What is to be applied, set by set.
    pub(crate) fn pending<D: Driver>(
        &self,
        conn: &mut D,
        sets: &[SetHistory<'m>],
    ) -> Result<Vec<Migration<'m>>, Error> {
        if self.target.is_some() {
            of_one_set(sets)?;
        }
        let mut pending = Vec::new();
        for SetHistory { set, history } in sets {
            let steps = plan::up(set, history, self.target, self.order)?;
            if !steps.is_empty() {
                self.check_bases(conn, set, sets)?;
            }
            pending.extend(steps);
        }
        Ok(pending)
    }

    /// Checks that what `set` was rehearsed after is applied, or is about to be.
    fn check_bases<D: Driver>(&self, conn: &mut D, set: &Migrations<'m>, sets: &[SetHistory<'m>]) -> Result<(), Error> {
        for base in set.after {
            let is_given = sets.iter().any(|other| other.set.set() != set.set() && other.set.has(base));
            if !is_given && !self.when_free("reading the history", || conn.has_applied(base))? {
                return Err(Error::MissingBase {
                    set: set.set().to_owned(),
                    directory: base.directory.to_owned(),
                    version: base.version,
                    name: base.name.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The sets, in the order in which they are applied, each with its history.
    pub(crate) fn histories<D: Driver>(&self, conn: &mut D) -> Result<Vec<SetHistory<'m>>, Error> {
        let read = |set: Migrations<'m>| {
            let history = self.when_free("reading the history", || conn.history(set.set()))?;
            Ok(SetHistory { set, history })
        };
        self.sets.in_order()?.into_iter().map(read).collect()
    }

    /// Runs what `plan` makes of the histories; its last argument is how many steps this call has run before.
    fn run<D: Driver>(
        &self,
        conn: &mut D,
        direction: Direction,
        plan: impl Fn(&mut D, &[SetHistory<'m>], usize) -> Result<Vec<Migration<'m>>, Error>,
    ) -> Result<Report, Error> {
        let _span = observe::call(direction, &self.sets);
        if conn.in_transaction() {
            return Err(Error::InTransaction);
        }
        let mut done = Vec::new();
        let sets = self.histories(conn)?;
        if plan(conn, &sets, 0)?.is_empty() {
            return Ok(Report::new(direction, done, sets.len()));
        }
        if direction == Direction::Up {
            older::check(conn, &sets)?;
        }
        let session = Session::open(conn)?;
        let mut outside = None;
        loop {
            self.start_transaction(session.conn)?;
            let is_first = done.is_empty() && outside.is_none();
            let plan = |conn: &mut D, sets: &[SetHistory<'m>]| plan(conn, sets, done.len());
            let batch = self.run_in_transaction(session.conn, direction, outside.take(), plan, is_first);
            let batch = batch.and_then(|batch| {
                if let Batch::Outside(migration) = &batch {
                    let elapsed = self.run_outside(session.conn, direction, migration)?;
                    outside = Some((migration.clone(), elapsed));
                }
                Ok(batch)
            });
            match batch {
                Ok(Batch::Outside(_)) => {}
                Ok(Batch::Committed(reports, left)) => {
                    self.listener().emit(&Event::Committed);
                    done.extend(reports);
                    if left == 0 {
                        return Ok(Report::new(direction, done, sets.len()));
                    }
                }
                Err(error) => {
                    drop(session);
                    self.listener().emit(&Event::RolledBack);
                    return Err(error);
                }
            }
        }
    }

    /// Plans again, under the lock, runs as many steps as belong in one transaction, and commits.
    ///
    /// `outside` is a step whose script has been run already, outside of a transaction.
    fn run_in_transaction<D: Driver>(
        &self,
        conn: &mut D,
        direction: Direction,
        outside: Option<(Box<Migration<'m>>, Duration)>,
        plan: impl FnOnce(&mut D, &[SetHistory<'m>]) -> Result<Vec<Migration<'m>>, Error>,
        is_first: bool,
    ) -> Result<Batch<'m>, Error> {
        conn.create_history().map_err(|error| failed("creating the history table", error))?;
        let sets = self.histories(conn)?;
        let steps = plan(conn, &sets)?;
        self.verify_before_steps(conn, &sets)?;
        if is_first && !steps.is_empty() {
            self.back_up_first(conn, &sets)?;
        }
        let is_next =
            |(migration, _): &(Box<Migration<'_>>, Duration)| steps.first().is_some_and(|first| first.is(migration));
        let outside = outside.filter(is_next).map(|(_, elapsed)| elapsed);
        let inside = steps.iter().take_while(|step| !step.is_outside_of_transactions(direction)).count();
        let count = match self.transaction {
            _ if outside.is_some() => 1,
            Transaction::All => inside,
            Transaction::Each => inside.min(1),
        };
        if let (0, Some(first)) = (count, steps.first()) {
            conn.rollback().map_err(|error| failed("ending the transaction", error))?;
            return Ok(Batch::Outside(Box::new(*first)));
        }
        let reports = self.apply(conn, direction, &steps[..count], outside)?;
        self.when_free("committing", || conn.commit())?;
        Ok(Batch::Committed(reports, steps.len() - count))
    }

    /// Runs the script of a step that cannot be run in a transaction. If the program is cut off before the step is in the
    /// history, it is run again at the next start, which does no harm to what it consists of.
    fn run_outside<D: Driver>(
        &self,
        conn: &mut D,
        direction: Direction,
        migration: &Migration<'_>,
    ) -> Result<Duration, Error> {
        let _span = observe::step(migration, direction);
        self.listener().emit(&Event::Started { migration, direction });
        let started = Instant::now();
        let sql = migration.sql(direction).unwrap_or_default();
        let run = || conn.run_outside(sql, &mut engine::announce(migration, direction, self.listener()));
        self.try_until_free(run, |error| engine::script_failed(migration, direction, error))?;
        Ok(started.elapsed())
    }

    pub(crate) fn listener(&self) -> Listener<'_> {
        Listener::new(self.on_event.as_deref())
    }

    pub(crate) fn verify_before_steps<D: Driver>(&self, conn: &mut D, sets: &[SetHistory<'_>]) -> Result<(), Error> {
        if self.verify.before { check_schema(conn, sets) } else { Ok(()) }
    }

    pub(crate) fn verify_after_steps<D: Driver>(&self, conn: &mut D) -> Result<(), Error> {
        if !self.verify.after {
            return Ok(());
        }
        let sets = self.histories(conn)?;
        check_schema(conn, &sets)
    }

    /// Runs `steps` inside of the transaction that is open, and checks what they lead to.
    pub(crate) fn apply<D: Driver>(
        &self,
        conn: &mut D,
        direction: Direction,
        steps: &[Migration<'_>],
        outside: Option<Duration>,
    ) -> Result<Vec<StepReport>, Error> {
        let reports = engine::run(conn, direction, steps, outside, self.listener())?;
        self.verify_after_steps(conn)?;
        Ok(reports)
    }

    /// Opens a session, and a transaction in it, as soon as no other connection holds the database.
    pub(crate) fn begin<'c, D: Driver>(&self, conn: &'c mut D) -> Result<Session<'c, D>, Error> {
        let session = Session::open(conn)?;
        self.start_transaction(&mut *session.conn)?;
        Ok(session)
    }

    fn start_transaction<D: Driver>(&self, conn: &mut D) -> Result<(), Error> {
        self.when_free("starting a transaction", || conn.begin())
    }

    /// Tries until no other connection holds what is wanted, or the timeout is over.
    pub(crate) fn when_free<T>(
        &self,
        doing: &'static str,
        attempt: impl FnMut() -> Result<T, DriverError>,
    ) -> Result<T, Error> {
        self.try_until_free(attempt, |error| failed(doing, error))
    }

    fn try_until_free<T>(
        &self,
        mut attempt: impl FnMut() -> Result<T, DriverError>,
        failed: impl FnOnce(DriverError) -> Error,
    ) -> Result<T, Error> {
        const LONGEST_PAUSE: Duration = Duration::from_millis(50);
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            let error = match attempt() {
                Ok(value) => return Ok(value),
                Err(error) if error.failure != Failure::Busy => return Err(failed(error)),
                Err(error) => error,
            };
            let waited = started.elapsed();
            let left = self.busy_timeout.saturating_sub(waited);
            if left.is_zero() {
                return Err(Error::Busy { waited, source: error.source });
            }
            self.listener().emit(&Event::Waiting { waited, timeout: self.busy_timeout });
            sleep(pause.min(left));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// What came of a transaction.
enum Batch<'m> {
    /// It was committed, with these steps; so many are left.
    Committed(Vec<StepReport>, usize),
    /// It was not needed: the first step is to be run outside of it.
    Outside(Box<Migration<'m>>),
}

/// How many rows there are of what these steps would take.
fn losses<D: Driver>(conn: &mut D, steps: &[Migration<'_>], direction: Direction) -> Result<Vec<Loss>, Error> {
    let mut losses = Vec::new();
    for migration in steps {
        for (table, column) in migration.takes(direction) {
            let rows = conn.count(table, column).map_err(|error| failed("counting rows", error))?;
            if rows > 0 {
                losses.push(Loss {
                    set: migration.set().to_owned(),
                    version: migration.version(),
                    table: table.to_owned(),
                    column: column.map(ToOwned::to_owned),
                    rows,
                });
            }
        }
    }
    Ok(losses)
}

/// What is to be taken back, the last set first.
fn to_take_back<'m>(sets: &[SetHistory<'m>], back: Rollback) -> Result<Vec<Migration<'m>>, Error> {
    if back != Rollback::All {
        of_one_set(sets)?;
    }
    let steps = sets.iter().rev().map(|SetHistory { set, history }| plan::down(set, history, back));
    Ok(steps.collect::<Result<Vec<_>, _>>()?.concat())
}

/// Refuses several sets, for what only one can be asked.
pub(crate) fn of_one_set(sets: &[SetHistory<'_>]) -> Result<(), Error> {
    if sets.len() <= 1 {
        return Ok(());
    }
    Err(Error::SeveralSets { sets: sets.iter().map(|known| known.set.set().to_owned()).collect() })
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
