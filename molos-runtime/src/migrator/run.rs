//! Migrating and rolling back, and what is known before: the plan and the status.

use std::time::{Duration, Instant};

use super::engine::{self, Course, KeysBefore, failed};
use super::session::Session;
use super::wait::{Wait, unless_busy};
use super::{Migrator, Transactions, engine_version, losses, when_free};
use crate::database::{BoxFuture, Connection, Database, Failure, History as _, Inspect as _, Transact};
use crate::model::claim::Claim;
use crate::model::error::{Error, ErrorKind, SetsProblem, Step, TargetProblem};
use crate::model::event::Event;
use crate::model::migration::{Direction, Migration, Migrations};
use crate::model::observe;
use crate::model::plan::{self, Plan, Rollback};
use crate::model::report::{Report, Status, StepReport};
use crate::model::sets::SetHistory;

/// What a call is to lead to.
pub(crate) enum Goal<DB: Database> {
    Up,
    Down {
        back: Rollback,
        /// Finds the steps: a pointer, so that programs that never roll back do not contain it.
        find: ToRollBack<DB>,
        /// The set and the version of each step that was shown, or that there was before the lock was taken: no other is
        /// rolled back.
        seen: Option<Vec<(String, i64)>>,
    },
}

type Steps<'m, DB> = Result<Vec<Migration<'m, DB>>, Error>;

type ToRollBack<DB> = for<'a, 'c, 'm> fn(
    &'a Migrator<'m, DB>,
    &'a mut <DB as Database>::Handle<'c>,
    &'a [SetHistory<'m, DB>],
    Rollback,
    Option<&'a [(String, i64)]>,
) -> BoxFuture<'a, Steps<'m, DB>>;

impl<DB: Database> Goal<DB> {
    const fn down(back: Rollback) -> Self {
        Self::Down { back, find: to_roll_back, seen: None }
    }

    const fn direction(&self) -> Direction {
        match self {
            Self::Up => Direction::Up,
            Self::Down { .. } => Direction::Down,
        }
    }

    /// The same, about these steps and no others: of two processes that roll back one step at once, the second finds that
    /// it is done.
    fn about(self, steps: &[Migration<'_, DB>]) -> Self {
        let Self::Down { back, find, seen } = self else { return self };
        let about = || steps.iter().map(|step| (step.set().to_owned(), step.version())).collect();
        Self::Down { back, find, seen: Some(seen.unwrap_or_else(about)) }
    }
}

/// What came of a transaction.
enum Batch<'m, DB: Database> {
    /// It was committed, with these steps; so many are left.
    Committed(Vec<StepReport>, usize),
    /// It was not needed: the first step is to be run outside of it.
    Alone(Box<Migration<'m, DB>>),
}

impl<'m, DB: Database> Migrator<'m, DB> {
    /// Applies what is pending, in every set.
    ///
    /// What is pending is found out inside of a transaction that no other migration can be in, so that of several
    /// processes that start at once one applies it and the others wait. When nothing is pending, no transaction is opened
    /// and nothing is written.
    ///
    /// # Errors
    ///
    /// Any of [`Error`]. Those about the history ([`ErrorKind::Edited`](crate::ErrorKind::Edited), [`ErrorKind::Newer`](crate::ErrorKind::Newer), …) come before anything is
    /// run. With [`Transactions::Single`] an error leaves the database as it was, unless a migration runs outside of a
    /// transaction: those before it are committed first, and stay. With [`Transactions::PerMigration`] the migrations before
    /// the one that failed stay. [`Error::completed`] has those that stay.
    pub fn migrate<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
    ) -> C::Outcome<'a, Result<Report, Error>> {
        C::outcome(self.run(conn.handle(), Goal::Up))
    }

    /// Rolls migrations back, newest first; of several sets, only all of them, the last set first.
    ///
    /// # Errors
    ///
    /// Any of [`Error`]. If one of the steps has no down migration, that is [`ErrorKind::Irreversible`](crate::ErrorKind::Irreversible) before anything is run.
    pub fn rollback<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
        back: Rollback,
    ) -> C::Outcome<'a, Result<Report, Error>> {
        C::outcome(self.run(conn.handle(), Goal::down(back)))
    }

    /// Rolls back what a plan has shown, or what of it is still there.
    #[doc(hidden)]
    pub fn rollback_planned<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
        back: Rollback,
        plan: &Plan<'_, DB>,
    ) -> C::Outcome<'a, Result<Report, Error>> {
        C::outcome(self.run(conn.handle(), Goal::down(back).about(plan.steps())))
    }

    /// What [`migrate`](Self::migrate) would run now. Nothing is changed.
    ///
    /// # Errors
    ///
    /// Those that `migrate` gives before it runs anything.
    pub fn plan<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
    ) -> C::Outcome<'a, Result<Plan<'m, DB>, Error>> {
        C::outcome(self.plan_for(conn.handle(), Goal::Up))
    }

    /// What [`rollback`](Self::rollback) would run now. Nothing is changed.
    ///
    /// # Errors
    ///
    /// Those that `rollback` gives before it runs anything.
    pub fn plan_rollback<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
        back: Rollback,
    ) -> C::Outcome<'a, Result<Plan<'m, DB>, Error>> {
        C::outcome(self.plan_for(conn.handle(), Goal::down(back)))
    }

    async fn plan_for(&self, mut conn: DB::Handle<'_>, goal: Goal<DB>) -> Result<Plan<'m, DB>, Error> {
        let sets = self.histories(&mut conn).await?;
        let steps = self.steps(&mut conn, &sets, &goal).await?;
        let losses = losses::count(&mut conn, &steps, goal.direction()).await?;
        Ok(Plan::new(goal.direction(), steps, sets.len(), losses))
    }

    /// Where every migration stands, also in a database that `migrate` would refuse. Nothing is changed.
    ///
    /// # Errors
    ///
    /// When the history cannot be read, or with [`SetsProblem::GivenTwice`](crate::SetsProblem::GivenTwice) and [`SetsProblem::Cycle`](crate::SetsProblem::Cycle).
    pub fn status<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
    ) -> C::Outcome<'a, Result<Status, Error>> {
        let mut conn = conn.handle();
        C::outcome(async move {
            let sets = self.histories(&mut conn).await?;
            Ok(Status::new(sets.iter().map(|SetHistory { set, history }| plan::status(set, history)).collect()))
        })
    }

    /// Whether [`migrate`](Self::migrate) would refuse the database's history. Unlike a [`plan`](Self::plan), it counts no
    /// rows.
    #[doc(hidden)]
    pub fn check<'a, C: Connection<Database = DB>>(&'a self, conn: &'a mut C) -> C::Outcome<'a, Result<(), Error>> {
        let mut conn = conn.handle();
        C::outcome(async move {
            let sets = self.histories(&mut conn).await?;
            self.pending(&mut conn, &sets).await?;
            Ok(())
        })
    }

    /// What is to be run.
    async fn steps(
        &self,
        conn: &mut DB::Handle<'_>,
        sets: &[SetHistory<'m, DB>],
        goal: &Goal<DB>,
    ) -> Result<Vec<Migration<'m, DB>>, Error> {
        match goal {
            Goal::Up => self.pending(conn, sets).await,
            Goal::Down { back, find, seen } => find(self, conn, sets, *back, seen.as_deref()).await,
        }
    }

    /// Checks that no set that is left alone was checked after what is to be rolled back.
    pub(crate) async fn check_dependents(
        &self,
        conn: &mut DB::Handle<'_>,
        sets: &[SetHistory<'m, DB>],
        steps: &[Migration<'_, DB>],
    ) -> Result<(), Error> {
        for other in self.sets.others() {
            let is_base_of_other = |step: &&Migration<'_, DB>| {
                let set = sets.iter().find(|known| known.set.set() == step.set());
                set.is_some_and(|known| {
                    other
                        .after
                        .iter()
                        .any(|base| known.set.has(base) && known.set.key(base.version) >= known.set.key(step.version()))
                })
            };
            let Some(step) = steps.iter().find(is_base_of_other) else { continue };
            let history = when_free!(self, conn, conn.history(other.set()), "reading the history")?;
            if !history.is_empty() {
                let problem = SetsProblem::StandsOn { set: other.set().to_owned() };
                return Err(Error::new(ErrorKind::Sets(problem)).of(Step::of(step)));
            }
        }
        Ok(())
    }

    /// What is to be applied, set by set.
    pub(crate) async fn pending(
        &self,
        conn: &mut DB::Handle<'_>,
        sets: &[SetHistory<'m, DB>],
    ) -> Result<Vec<Migration<'m, DB>>, Error> {
        if self.up_to.is_some() {
            of_one_set(sets)?;
        }
        let mut pending = Vec::new();
        for SetHistory { set, history } in sets {
            let steps = plan::up(set, history, self.up_to, self.order)?;
            if history.is_empty() && !steps.is_empty() {
                self.refuse_not_yet_adopted(conn, set).await?;
            }
            if !steps.is_empty() {
                self.check_bases(conn, set, sets).await?;
            }
            pending.extend(steps);
        }
        Ok(pending)
    }

    /// Refuses a database in which another tool has noted that it applied these very migrations.
    async fn refuse_not_yet_adopted(&self, conn: &mut DB::Handle<'_>, set: &Migrations<'m, DB>) -> Result<(), Error> {
        match self.claims(conn).await?.iter().find(|claim| claim.names(set)) {
            Some(claim) => Err(Error::new(ErrorKind::NotYetAdopted { tool: claim.tool })),
            None => Ok(()),
        }
    }

    /// The histories of other tools.
    async fn claims(&self, conn: &mut DB::Handle<'_>) -> Result<Vec<Claim>, Error> {
        when_free!(self, conn, conn.claims(), "reading the history of another tool")
    }

    /// The error of a statement, as one that the history of another tool explains: it has the migration already.
    async fn explained(&self, conn: &mut DB::Handle<'_>, sets: &[SetHistory<'m, DB>], error: Error) -> Error {
        let (ErrorKind::Statement { direction: Direction::Up }, Some(step)) = (error.kind(), error.step()) else {
            return error;
        };
        let is_new = |known: &&SetHistory<'_, DB>| known.set.set() == step.set && known.history.is_empty();
        let Some(known) = sets.iter().find(is_new) else { return error };
        // What a migration has written is no history of another tool; if this fails, the end of the session tells it.
        if conn.rollback().await.is_err() {
            return error;
        }
        // This only explains: where it cannot be read, the error is what it is.
        let claims = self.claims(conn).await.unwrap_or_default();
        match claims.iter().find(|claim| claim.has(&known.set, step.version)) {
            Some(claim) => error.with_kind(ErrorKind::NotYetAdopted { tool: claim.tool }),
            None => error,
        }
    }

    /// Checks that what `set` was checked after is applied, or is about to be.
    async fn check_bases(
        &self,
        conn: &mut DB::Handle<'_>,
        set: &Migrations<'m, DB>,
        sets: &[SetHistory<'m, DB>],
    ) -> Result<(), Error> {
        for base in set.after {
            if sets.iter().any(|other| other.set.set() != set.set() && other.set.has(base)) {
                continue;
            }
            if !when_free!(self, conn, conn.has_applied(base), "reading the history")? {
                let problem = SetsProblem::MissingBase {
                    set: set.set().to_owned(),
                    directory: base.directory.to_owned(),
                    version: base.version,
                    name: base.name.to_owned(),
                };
                return Err(Error::new(ErrorKind::Sets(problem)));
            }
        }
        Ok(())
    }

    /// The sets, in the order in which they are applied, each with its history.
    pub(crate) async fn histories(&self, conn: &mut DB::Handle<'_>) -> Result<Vec<SetHistory<'m, DB>>, Error> {
        let mut histories = Vec::new();
        for set in self.sets.in_order()? {
            let history = when_free!(self, conn, conn.history(set.set()), "reading the history")?;
            histories.push(SetHistory::new(set, history));
        }
        Ok(histories)
    }

    pub(crate) async fn run(&self, conn: DB::Handle<'_>, goal: Goal<DB>) -> Result<Report, Error> {
        observe::in_call(goal.direction(), &self.sets.names(), self.run_to(conn, goal)).await
    }

    async fn run_to(&self, mut conn: DB::Handle<'_>, goal: Goal<DB>) -> Result<Report, Error> {
        let direction = goal.direction();
        refuse_transaction(&mut conn).await?;
        let sets = self.histories(&mut conn).await?;
        let mut done = Vec::new();
        let steps = self.steps(&mut conn, &sets, &goal).await?;
        if !steps.is_empty() {
            let goal = goal.about(&steps);
            if direction == Direction::Up {
                engine_version::check(&mut conn, &sets).await?;
            }
            self.refuse_temporary(&mut conn).await?;
            let mut session = self.enter(conn).await?;
            let result = self.run_in_session(&mut session, &goal, &mut done).await;
            let result = match result {
                Err(error) => Err(self.explained(&mut session.conn, &sets, error).await),
                ok => ok,
            };
            if let Err(error) = self.end(session, result).await {
                let completed = (!done.is_empty()).then(|| Report::new(direction, done, sets.len()));
                return Err(match completed {
                    Some(completed) => error.after(completed),
                    None => error,
                });
            }
        }
        Ok(Report::new(direction, done, sets.len()))
    }

    /// Ends a session, and tells what of it if that undoes something.
    pub(crate) async fn end<T>(&self, session: Session<'_, DB>, result: Result<T, Error>) -> Result<T, Error> {
        let failed = result.is_err();
        let result = session.end(result).await;
        if failed {
            self.listener().emit(&Event::RolledBack);
        }
        result
    }

    async fn run_in_session(
        &self,
        session: &mut Session<'_, DB>,
        goal: &Goal<DB>,
        done: &mut Vec<StepReport>,
    ) -> Result<(), Error> {
        let Session { conn, settings, .. } = session;
        let (settings, listener) = (&*settings, self.listener());
        let course = Course { direction: goal.direction(), settings, listener, goes_on: false };
        let mut alone = None;
        loop {
            self.begin(conn).await?;
            let is_first = done.is_empty() && alone.is_none();
            match self.run_in_transaction(conn, goal, course, alone.take(), is_first).await? {
                Batch::Alone(migration) => {
                    let elapsed = self.run_alone(conn, &migration, course).await?;
                    alone = Some((migration, elapsed));
                }
                Batch::Committed(reports, left) => {
                    self.listener().emit(&Event::Committed);
                    done.extend(reports);
                    if left == 0 {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Plans again, under the lock, runs as many steps as belong in one transaction, and commits.
    ///
    /// `alone` is a step whose script has been run already, without a transaction.
    async fn run_in_transaction(
        &self,
        conn: &mut DB::Handle<'_>,
        goal: &Goal<DB>,
        course: Course<'_, DB>,
        alone: Option<(Box<Migration<'m, DB>>, Duration)>,
        is_first: bool,
    ) -> Result<Batch<'m, DB>, Error> {
        conn.create_history().await.map_err(|error| failed("creating the history table", error))?;
        let sets = self.histories(conn).await?;
        let steps = self.steps(conn, &sets, goal).await?;
        if let Some(check) = self.verify_before {
            check(conn, &sets, &self.other_tables).await?;
        }
        if let Some(backup) = self.backup.as_ref().filter(|_| is_first && !steps.is_empty()) {
            backup.make(conn, &sets, self.listener()).await?;
        }
        let is_next =
            |(migration, _): &(Box<Migration<'_, DB>>, _)| steps.first().is_some_and(|first| first.is(migration));
        let alone = alone.filter(is_next).map(|(_, elapsed)| elapsed);
        let inside = steps.iter().take_while(|step| !step.is_without_transaction(course.direction)).count();
        let count = match self.transactions {
            _ if alone.is_some() => 1,
            Transactions::Single => inside,
            Transactions::PerMigration => inside.min(1),
        };
        if let (0, Some(first)) = (count, steps.first()) {
            conn.rollback().await.map_err(|error| failed("ending the transaction", error))?;
            return Ok(Batch::Alone(Box::new(*first)));
        }
        let course = Course { goes_on: count < steps.len(), ..course };
        let reports = self.apply(conn, &steps[..count], alone, course).await?;
        self.commit(conn, &steps[..count]).await?;
        Ok(Batch::Committed(reports, steps.len() - count))
    }

    async fn run_alone(
        &self,
        conn: &mut DB::Handle<'_>,
        migration: &Migration<'_, DB>,
        course: Course<'_, DB>,
    ) -> Result<Duration, Error> {
        let step = Step::of(migration);
        let sql = migration.sql(course.direction).unwrap_or_default();
        let work = async {
            course.listener.emit(&Event::Started { step: &step, direction: course.direction });
            let started = Instant::now();
            let attempt =
                when_free!(self, conn, unless_busy(engine::run_alone(conn, sql, &step, course)), "running it");
            attempt?.map_err(|error| engine::script_failed(migration, course.direction, error))?;
            Ok(started.elapsed())
        };
        observe::in_step(&step, course.direction, work).await
    }

    /// Runs `steps` inside of the transaction that is open, writes the history, and checks what they lead to.
    pub(crate) async fn apply(
        &self,
        conn: &mut DB::Handle<'_>,
        steps: &[Migration<'_, DB>],
        alone: Option<Duration>,
        course: Course<'_, DB>,
    ) -> Result<Vec<StepReport>, Error> {
        let reports = engine::run(conn, steps, alone, course).await?;
        engine::write_history(conn, course.direction, steps, &reports).await?;
        self.verify_after_steps(conn).await?;
        Ok(reports)
    }

    pub(crate) async fn verify_after_steps(&self, conn: &mut DB::Handle<'_>) -> Result<(), Error> {
        let Some(check) = self.verify_after else { return Ok(()) };
        let sets = self.histories(conn).await?;
        check(conn, &sets, &self.other_tables).await
    }

    /// Opens a session.
    async fn enter<'c>(&self, mut conn: DB::Handle<'c>) -> Result<Session<'c, DB>, Error> {
        let settings = {
            let conn = &mut conn;
            when_free!(self, conn, conn.enter(), "preparing the connection")?
        };
        Ok(Session::new(conn, settings))
    }

    /// Opens a session, and a transaction in it, as soon as no other connection holds the database.
    pub(crate) async fn open<'c>(&self, conn: DB::Handle<'c>) -> Result<Session<'c, DB>, Error> {
        let mut session = self.enter(conn).await?;
        match self.begin(&mut session.conn).await {
            Ok(()) => Ok(session),
            Err(error) => session.end(Err(error)).await,
        }
    }

    /// Refuses a connection with temporary objects, which a script might take for the database's.
    pub(crate) async fn refuse_temporary(&self, conn: &mut DB::Handle<'_>) -> Result<(), Error> {
        let names = when_free!(self, conn, conn.temporary(), "looking for temporary tables")?;
        if names.is_empty() { Ok(()) } else { Err(Error::new(ErrorKind::Temporary { names })) }
    }

    async fn begin(&self, conn: &mut DB::Handle<'_>) -> Result<(), Error> {
        when_free!(self, conn, conn.begin(), "starting a transaction")
    }

    /// Commits what `steps` did.
    pub(crate) async fn commit(&self, conn: &mut DB::Handle<'_>, steps: &[Migration<'_, DB>]) -> Result<(), Error> {
        let result = when_free!(self, conn, unless_busy(conn.commit()), "committing")?;
        if result.as_ref().is_err_and(|error| error.failure == Failure::DeferredKey) {
            KeysBefore::default().check(conn, steps, false).await?;
        }
        result.map_err(|error| failed("committing", error))
    }

    pub(crate) fn wait(&self) -> Wait<'_> {
        Wait::new(self.busy_timeout, self.listener())
    }
}

/// Refuses a connection that is in a transaction, which a migration would become a part of.
pub(crate) async fn refuse_transaction<T: Transact>(conn: &mut T) -> Result<(), Error> {
    let is_open = conn.in_transaction().await.map_err(|error| failed("looking for an open transaction", error))?;
    if is_open { Err(Error::new(ErrorKind::InTransaction)) } else { Ok(()) }
}

/// What is to be rolled back, the last set first.
fn to_roll_back<'a, 'm, DB: Database>(
    migrator: &'a Migrator<'m, DB>,
    conn: &'a mut DB::Handle<'_>,
    sets: &'a [SetHistory<'m, DB>],
    back: Rollback,
    seen: Option<&'a [(String, i64)]>,
) -> BoxFuture<'a, Steps<'m, DB>> {
    Box::pin(async move {
        if back != Rollback::All {
            of_one_set(sets)?;
        }
        let is_seen = |set: &str, version: i64| {
            seen.is_none_or(|seen| seen.iter().any(|(of, known)| of == set && *known == version))
        };
        let mut steps = Vec::new();
        for SetHistory { set, history } in sets.iter().rev() {
            // Of those that were seen, another process may have rolled some back.
            let left = || history.iter().filter(|applied| is_seen(set.set(), applied.version)).count();
            let back = match back {
                Rollback::Steps(count) => Rollback::Steps(count.min(left())),
                other => other,
            };
            steps.extend(plan::down(set, history, back)?);
        }
        if let Some(step) = steps.iter().find(|step| !is_seen(step.set(), step.version())) {
            let problem = TargetProblem::AppliedMeanwhile { set: step.set().to_owned() };
            return Err(Error::new(ErrorKind::Target { version: step.version(), problem }));
        }
        migrator.check_dependents(conn, sets, &steps).await?;
        Ok(steps)
    })
}

/// Refuses several sets, for what only one can be asked.
pub(crate) fn of_one_set<DB: Database>(sets: &[SetHistory<'_, DB>]) -> Result<(), Error> {
    if sets.len() <= 1 {
        return Ok(());
    }
    let sets = sets.iter().map(|known| known.set.set().to_owned()).collect();
    Err(Error::new(ErrorKind::Sets(SetsProblem::Several { sets })))
}
