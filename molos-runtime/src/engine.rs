//! Running steps inside of a transaction: the same code at a user's start-up and in the shadow database.

use std::time::{Duration, Instant, SystemTime};

use crate::driver::{Driver, DriverError, Failure, Violations};
use crate::error::{During, Location, Step, Violation};
use crate::event::{Event, Listener};
use crate::history::{Applied, Record};
use crate::report::StepReport;
use crate::script::{Statement, position, statement_at, statements};
use crate::{Direction, Error, Migration, observe};

/// Runs `steps`, checks every foreign key and writes the history, all inside of the transaction that is open.
///
/// A script that has to be run outside of a transaction is not run here; that of the first step was run before, for so
/// long as `outside` says.
///
/// # Errors
///
/// The first failure; what ran before it is still in the transaction, for the caller to undo.
pub fn run<D: Driver>(
    db: &mut D,
    direction: Direction,
    steps: &[Migration<'_>],
    mut outside: Option<Duration>,
    listener: Listener<'_>,
) -> Result<Vec<StepReport>, Error> {
    let before = db.violations().map_err(|error| failed("checking foreign keys", error))?;
    let mut reports = Vec::with_capacity(steps.len());
    for migration in steps {
        reports.push(run_step(db, migration, direction, outside.take(), listener)?);
    }
    finish(db, direction, steps, &reports, &before)?;
    Ok(reports)
}

/// Runs one step; `outside` as in [`run`].
pub(crate) fn run_step<D: Driver>(
    db: &mut D,
    migration: &Migration<'_>,
    direction: Direction,
    outside: Option<Duration>,
    listener: Listener<'_>,
) -> Result<StepReport, Error> {
    let _span = observe::step(migration, direction);
    if outside.is_none() {
        listener.emit(&Event::Started { migration, direction });
    }
    let started = Instant::now();
    run_script(db, migration, direction, listener)?;
    if direction == Direction::Up {
        run_hook(db, migration)?;
    }
    let elapsed = outside.unwrap_or_default() + started.elapsed();
    listener.emit(&Event::Finished { migration, direction, elapsed });
    Ok(StepReport {
        set: migration.set().to_owned(),
        version: migration.version(),
        name: migration.name().to_owned(),
        elapsed,
    })
}

/// Checks every foreign key after `steps` ran, and writes the history.
pub(crate) fn finish<D: Driver>(
    db: &mut D,
    direction: Direction,
    steps: &[Migration<'_>],
    reports: &[StepReport],
    before: &Violations,
) -> Result<(), Error> {
    let after = db.violations().map_err(|error| failed("checking foreign keys", error))?;
    let violations = more(before, &after);
    if !violations.is_empty() {
        let steps = steps.iter().map(|migration| Step::of(migration)).collect();
        return Err(Error::ForeignKeys { steps, violations });
    }
    write_history(db, direction, steps, reports).map_err(|error| failed("writing the history", error))
}

fn run_script<D: Driver>(
    db: &mut D,
    migration: &Migration<'_>,
    direction: Direction,
    listener: Listener<'_>,
) -> Result<(), Error> {
    match migration.script(direction) {
        Some(script) if !script.outside => db
            .run(script.sql, script.keys, &mut announce(migration, direction, listener))
            .map_err(|error| script_failed(migration, direction, error)),
        _ => Ok(()),
    }
}

/// What is to be called before each statement of a migration's script, so that it is an event.
pub(crate) fn announce<'a>(
    migration: &'a Migration<'a>,
    direction: Direction,
    listener: Listener<'a>,
) -> impl FnMut(Statement<'_>) + 'a {
    let script = migration.script(direction).filter(|_| listener.wants_statements());
    let count = script.map_or(0, |script| statements(script.sql).count());
    let mut number = 0;
    move |statement| {
        number += 1;
        if script.is_some() {
            listener.emit(&Event::Statement { migration, direction, number, count, sql: statement.sql });
        }
    }
}

/// What a driver says of a migration's script, as an error of the migration.
pub(crate) fn script_failed(migration: &Migration<'_>, direction: Direction, error: DriverError) -> Error {
    let step = Step::of(migration);
    let location = error.offset.map(|offset| Box::new(location(migration, direction, offset)));
    match (error.failure, location) {
        (Failure::Script, Some(location)) => Error::Statement { step, direction, location, source: error.source },
        (Failure::TransactionEnded, Some(location)) => Error::TransactionEnded { step, location },
        (failure, location) => {
            let during = During { doing: "running", step: Some(step), location };
            failed_during(during, DriverError { failure, ..error })
        }
    }
}

fn run_hook<D: Driver>(db: &mut D, migration: &Migration<'_>) -> Result<(), Error> {
    let Some(hook) = migration.hook() else { return Ok(()) };
    db.hook(hook).map_err(|source| Error::Hook { step: Step::of(migration), source })
}

fn write_history<D: Driver>(
    db: &mut D,
    direction: Direction,
    steps: &[Migration<'_>],
    reports: &[StepReport],
) -> Result<(), DriverError> {
    if direction == Direction::Down {
        return db.forget(steps);
    }
    record_all(db, steps, reports.iter().map(|report| report.elapsed))
}

/// Writes `steps` to the history without running them.
///
/// # Errors
///
/// When the history cannot be written.
pub fn record<D: Driver>(db: &mut D, steps: &[Migration<'_>]) -> Result<(), DriverError> {
    record_all(db, steps, std::iter::repeat(Duration::ZERO))
}

fn record_all<'m, D: Driver>(
    db: &mut D,
    steps: &[Migration<'m>],
    durations: impl Iterator<Item = Duration>,
) -> Result<(), DriverError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let record = |(migration, duration): (&Migration<'m>, Duration)| Record {
        set: migration.set(),
        applied: Applied {
            version: migration.version(),
            name: migration.name().to_owned(),
            checksum: migration.checksum(),
            applied_at: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            duration,
        },
        down: migration.script(Direction::Down),
    };
    db.record(&steps.iter().zip(durations).map(record).collect::<Vec<_>>())
}

pub(crate) fn location(migration: &Migration<'_>, direction: Direction, offset: usize) -> Location {
    let (sql, line) = migration.script(direction).map_or(("", 1), |script| (script.sql, script.line));
    let position = position(sql, offset);
    let above = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    Location {
        file: migration.file(direction),
        line: above + position.line,
        column: position.column,
        statement: first_line(sql, offset).to_owned(),
    }
}

/// The first line of the statement that holds the byte at `offset`.
fn first_line(script: &str, offset: usize) -> &str {
    statement_at(script, offset).and_then(|statement| statement.sql.lines().next()).unwrap_or_default()
}

fn more(before: &Violations, after: &Violations) -> Vec<Violation> {
    let grown = |(key, count): (&(String, String), &u64)| {
        let rows = count.saturating_sub(before.get(key).copied().unwrap_or(0));
        (rows > 0).then(|| Violation { table: key.0.clone(), parent: key.1.clone(), rows })
    };
    after.iter().filter_map(grown).collect()
}

/// A driver's failure at something that is not a migration's statement.
pub(crate) fn failed(doing: &'static str, error: DriverError) -> Error {
    failed_during(During { doing, step: None, location: None }, error)
}

fn failed_during(during: During, DriverError { failure, source, .. }: DriverError) -> Error {
    let doing = during.doing;
    let during = Box::new(during);
    match failure {
        Failure::History(problem) => Error::History { problem },
        // Where waiting has a sense, `Migrator` waits before it comes to this.
        Failure::Busy => Error::Busy { waited: Duration::ZERO, source },
        Failure::NotADatabase => Error::NotADatabase { during, source },
        Failure::Corrupt => Error::Corrupt { during, source },
        Failure::ReadOnly => Error::ReadOnly { during, source },
        Failure::Full => Error::Full { during, source },
        Failure::Io => Error::Io { during, source },
        Failure::CannotOpen => Error::CannotOpen { during, source },
        Failure::Interrupted => Error::Interrupted { during, source },
        Failure::Script | Failure::TransactionEnded | Failure::Other => Error::Database { doing, source },
    }
}

/// Checks every foreign key of a database that no migration is run on.
pub(crate) fn check_keys<D: Driver>(db: &mut D) -> Result<(), Error> {
    let violations = db.violations().map_err(|error| failed("checking foreign keys", error))?;
    let violations = more(&Violations::new(), &violations);
    if violations.is_empty() { Ok(()) } else { Err(Error::BrokenKeys { violations }) }
}
