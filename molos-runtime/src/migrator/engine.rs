//! Running steps inside of a transaction: the same code when a program starts and in the shadow database.

use std::time::{Duration, Instant, SystemTime};

use crate::database::{Database, DatabaseError, Failure, History, Run, Violations};
use crate::model::error::{DatabaseFailure, Error, ErrorKind, Location, Step};
use crate::model::event::{Event, Listener};
use crate::model::history::{Applied, Record};
use crate::model::migration::{Direction, Migration};
use crate::model::observe;
use crate::model::report::StepReport;
use crate::model::script::{position, statement_at};
use crate::model::violation::more;

/// How steps are run.
pub struct Course<'r, DB: Database> {
    /// Up or down.
    pub direction: Direction,
    /// The settings of the connection from before.
    pub settings: &'r DB::Settings,
    /// Who is told of it.
    pub listener: Listener<'r>,
    /// Whether steps follow in another transaction, which may make a key one that can be enforced.
    pub goes_on: bool,
}

#[expect(clippy::expl_impl_clone_on_copy, reason = "what is derived would want the settings to be `Copy`, too")]
impl<DB: Database> Clone for Course<'_, DB> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<DB: Database> Copy for Course<'_, DB> {}

/// Runs `steps` and checks every foreign key that they may have broken, inside of the transaction that is open.
///
/// A script that has to be run outside of a transaction is not run here; that of the first step was run before, for as
/// long as `alone` says.
///
/// # Errors
///
/// The first failure; what ran before it is still in the transaction, for the caller to undo.
pub async fn run<R: Run>(
    conn: &mut R,
    steps: &[Migration<'_, R::Database>],
    mut alone: Option<Duration>,
    course: Course<'_, R::Database>,
) -> Result<Vec<StepReport>, Error> {
    let keys = KeysBefore::look(conn, steps, course.direction).await?;
    let mut reports = Vec::with_capacity(steps.len());
    for migration in steps {
        reports.push(run_step(conn, migration, alone.take(), course).await?);
    }
    keys.check(conn, steps, course.goes_on).await?;
    Ok(reports)
}

/// Runs one step; `alone` as in [`run`].
pub(crate) async fn run_step<R: Run>(
    conn: &mut R,
    migration: &Migration<'_, R::Database>,
    alone: Option<Duration>,
    course: Course<'_, R::Database>,
) -> Result<StepReport, Error> {
    let step = Step::of(migration);
    let work = async {
        let direction = course.direction;
        if alone.is_none() {
            course.listener.emit(&Event::Started { step: &step, direction });
        }
        let started = Instant::now();
        run_script(conn, migration, &step, course).await?;
        if let Some(hook) = migration.hook().filter(|_| direction == Direction::Up) {
            conn.hook(hook).await.map_err(|error| hook_failed(&step, error))?;
        }
        let elapsed = alone.unwrap_or_default() + started.elapsed();
        course.listener.emit(&Event::Finished { step: &step, direction, elapsed });
        Ok(elapsed)
    };
    let elapsed = observe::in_step(&step, course.direction, work).await?;
    let Step { set, version, name } = step;
    Ok(StepReport { set, version, name, elapsed })
}

async fn run_script<R: Run>(
    conn: &mut R,
    migration: &Migration<'_, R::Database>,
    step: &Step,
    course: Course<'_, R::Database>,
) -> Result<(), Error> {
    let Some(script) = migration.script(course.direction).filter(|script| !script.no_transaction) else {
        return Ok(());
    };
    let failed = |error| script_failed(migration, course.direction, error);
    conn.begin_script(script.keys).await.map_err(failed)?;
    let result = run_statements(conn, script.sql, step, course).await;
    let ended = conn.end_script(course.settings).await;
    result.and(ended).map_err(failed)
}

async fn run_statements<R: Run>(
    conn: &mut R,
    script: &str,
    step: &Step,
    course: Course<'_, R::Database>,
) -> Result<(), DatabaseError> {
    let mut announce = Announce::new::<R::Database>(script, step, course);
    for statement in R::Database::statements(script) {
        announce.statement(statement.sql);
        conn.execute(statement).await.map_err(|error| error.in_script(statement.offset))?;
    }
    Ok(())
}

/// Runs the script of a step that cannot be run in a transaction. If the program is cut off before the step is in the
/// history, it is run again at the next start, which does no harm to what it consists of.
pub(crate) async fn run_alone<R: Run>(
    conn: &mut R,
    script: &str,
    step: &Step,
    course: Course<'_, R::Database>,
) -> Result<(), DatabaseError> {
    let mut announce = Announce::new::<R::Database>(script, step, course);
    for statement in R::Database::statements(script) {
        announce.statement(statement.sql);
        conn.execute_alone(statement).await.map_err(|error| error.in_script(statement.offset))?;
    }
    Ok(())
}

/// Tells of each statement before it is run, if anybody listens.
struct Announce<'a> {
    step: &'a Step,
    direction: Direction,
    listener: Listener<'a>,
    number: usize,
    count: Option<usize>,
}

impl<'a> Announce<'a> {
    fn new<DB: Database>(script: &str, step: &'a Step, course: Course<'a, DB>) -> Self {
        let Course { direction, listener, .. } = course;
        let count = listener.wants_statements().then(|| DB::statements(script).count());
        Self { step, direction, listener, number: 0, count }
    }

    fn statement(&mut self, sql: &str) {
        self.number += 1;
        if let Some(count) = self.count {
            let Self { step, direction, number, .. } = *self;
            self.listener.emit(&Event::Statement { step, direction, number, count, sql });
        }
    }
}

/// What the database says of a migration's script, as an error of the migration.
pub(crate) fn script_failed<DB: Database>(
    migration: &Migration<'_, DB>,
    direction: Direction,
    error: DatabaseError,
) -> Error {
    let location = error.offset.map(|offset| location(migration, direction, offset));
    let is_alone = migration.is_without_transaction(direction);
    let of_step = |kind| Error::new(kind).of(Step::of(migration)).at(location).alone(is_alone);
    match error.failure {
        Failure::TransactionEnded => of_step(ErrorKind::TransactionEnded),
        Failure::EndsTransaction => of_step(ErrorKind::EndsTransaction),
        Failure::Statement => of_step(ErrorKind::Statement { direction }).because(error.source),
        Failure::Unregistered => of_step(ErrorKind::Unregistered).because(error.source),
        failure => of_step(kind_of(failure)).because(error.source),
    }
}

fn hook_failed(step: &Step, error: DatabaseError) -> Error {
    match error.failure {
        Failure::TransactionEnded => Error::new(ErrorKind::TransactionEnded).of(step.clone()),
        // The disk or the user, and not what the function does.
        Failure::Database(failure) if failure.is_passing() => {
            Error::new(ErrorKind::Database(failure)).of(step.clone()).because(error.source)
        }
        _ => Error::new(ErrorKind::Hook).of(step.clone()).because(error.source),
    }
}

/// Writes `steps` to the history, or takes them out of it.
pub(crate) async fn write_history<DB: Database, H: History>(
    conn: &mut H,
    direction: Direction,
    steps: &[Migration<'_, DB>],
    reports: &[StepReport],
) -> Result<(), Error> {
    let failed = |error| failed("writing the history", error);
    if direction == Direction::Up {
        return record(conn, steps, reports.iter().map(|report| report.elapsed)).await.map_err(failed);
    }
    for migration in steps {
        conn.forget(migration.set(), migration.version()).await.map_err(failed)?;
    }
    Ok(())
}

/// Writes `steps` to the history.
pub(crate) async fn record<DB: Database, H: History>(
    conn: &mut H,
    steps: &[Migration<'_, DB>],
    durations: impl Iterator<Item = Duration>,
) -> Result<(), DatabaseError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let applied_at = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let records: Vec<_> = steps
        .iter()
        .zip(durations)
        .map(|(migration, duration)| Record {
            set: migration.set(),
            applied: Applied {
                version: migration.version(),
                name: migration.name().to_owned(),
                checksum: migration.checksum(),
                applied_at,
                duration,
            },
            down: migration.stored_down(),
        })
        .collect();
    conn.record(&records).await
}

pub(crate) fn location<DB: Database>(migration: &Migration<'_, DB>, direction: Direction, offset: usize) -> Location {
    let (sql, line) = migration.script(direction).map_or(("", 1), |script| (script.sql, script.line));
    let position = position(sql, offset);
    let above = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    Location {
        file: migration.file(direction),
        line: above + position.line,
        column: position.column,
        statement: first_line::<DB>(sql, offset).to_owned(),
    }
}

/// The first line of the statement that holds the byte at `offset`.
fn first_line<DB: Database>(script: &str, offset: usize) -> &str {
    statement_at::<DB>(script, offset).and_then(|statement| statement.sql.lines().next()).unwrap_or_default()
}

/// Which foreign keys steps may break, and which of them refer to nothing before.
///
/// The default is every key, of which none refers to nothing.
#[derive(Default)]
pub(crate) struct KeysBefore<'m> {
    /// The tables whose keys it is about, and those of tables that refer to them; `None` if it is about all.
    touched: Option<Vec<&'m str>>,
    violations: Violations,
}

impl<'m> KeysBefore<'m> {
    /// Looks at the keys that `steps` may break.
    pub(crate) async fn look<R: Run>(
        conn: &mut R,
        steps: &[Migration<'m, R::Database>],
        direction: Direction,
    ) -> Result<Self, Error> {
        let touched = touched(conn, steps, direction).await?;
        let violations = violations(conn, touched.as_deref()).await?;
        Ok(Self { touched, violations })
    }

    /// Checks them after `steps` ran.
    pub(crate) async fn check<R: Run>(
        &self,
        conn: &mut R,
        steps: &[Migration<'_, R::Database>],
        goes_on: bool,
    ) -> Result<(), Error> {
        let mut violations = more(&self.violations, &violations(conn, self.touched.as_deref()).await?);
        violations.retain(|violation| !goes_on || !violation.parent.is_empty());
        if violations.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::ForeignKeys { steps: steps.iter().map(Step::of).collect(), violations }))
    }
}

async fn touched<'m, R: Run>(
    conn: &mut R,
    steps: &[Migration<'m, R::Database>],
    direction: Direction,
) -> Result<Option<Vec<&'m str>>, Error> {
    let mut touched = Vec::new();
    for step in steps {
        let Some(tables) = step.touched(direction) else { return Ok(None) };
        touched.extend(tables);
    }
    if touched.is_empty() {
        return Ok(Some(touched));
    }
    // What triggers of the database's own do was not seen when the migrations were checked.
    let have_triggers = conn.have_triggers(&touched).await.map_err(|error| failed("looking for triggers", error))?;
    Ok((!have_triggers).then_some(touched))
}

async fn violations<R: Run>(conn: &mut R, touched: Option<&[&str]>) -> Result<Violations, Error> {
    if touched.is_some_and(<[_]>::is_empty) {
        return Ok(Violations::new());
    }
    conn.violations(touched).await.map_err(|error| failed("checking foreign keys", error))
}

/// Checks every foreign key of the program's own tables in a database that no migration is run on.
pub(crate) async fn check_all_keys<R: Run>(conn: &mut R, is_own: impl Fn(&str) -> bool) -> Result<(), Error> {
    let mut violations = violations(conn, None).await?;
    violations.retain(|violation| is_own(violation.child()));
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::ForeignKeys { steps: Vec::new(), violations }))
    }
}

/// The database's failure at something that is not a migration's statement.
pub(crate) fn failed(doing: &'static str, DatabaseError { failure, source, .. }: DatabaseError) -> Error {
    Error::new(kind_of(failure)).while_doing(doing).because(source)
}

fn kind_of(failure: Failure) -> ErrorKind {
    match failure {
        // Where waiting has a sense, `Migrator` waits before it comes to this.
        Failure::Busy => ErrorKind::Busy { waited: Duration::ZERO },
        Failure::TransactionEnded => ErrorKind::TransactionEnded,
        Failure::EndsTransaction => ErrorKind::EndsTransaction,
        Failure::History(problem) => ErrorKind::History(problem),
        Failure::Statement | Failure::Unregistered | Failure::DeferredKey => {
            ErrorKind::Database(DatabaseFailure::Other)
        }
        Failure::Database(failure) => ErrorKind::Database(failure),
    }
}
