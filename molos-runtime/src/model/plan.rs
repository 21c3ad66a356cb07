//! What is to be done: the embedded list against the history. There is no database in here.

use std::collections::BTreeMap;
use std::fmt;

use super::error::{Error, ErrorKind, SetsProblem, Step, TargetProblem};
use super::history::Applied;
use super::migration::{Direction, Migration, Migrations};
use super::report::{SetName, SetStatus, State, StepStatus};
use crate::database::{Database, DefaultDatabase};

/// How far back [`Migrator::rollback`](crate::Migrator::rollback) goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rollback {
    /// So many migrations, newest first; all of them if there are fewer.
    Steps(usize),
    /// Until this version is the newest that is applied.
    To(i64),
    /// Everything.
    All,
}

/// Whether a migration may be applied after later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Strict,
    Any,
}

/// What a call would run, in this order.
#[derive(Clone, Debug)]
#[must_use]
pub struct Plan<'m, DB: Database = DefaultDatabase> {
    direction: Direction,
    steps: Vec<Migration<'m, DB>>,
    /// How many sets it is about.
    sets: usize,
    losses: Vec<Loss>,
}

/// Rows or values that a migration would take away: those that are there now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// The set of the migration.
    pub set: String,
    /// Its version.
    pub version: i64,
    /// The table.
    pub table: String,
    /// The column, if only the values in it are lost.
    pub column: Option<String>,
    /// How many rows there are, or rows with a value in the column.
    pub rows: u64,
}

/// `3 rows of sessions`, `1 value of users.name`.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, column, rows, .. } = self;
        let plural = if *rows == 1 { "" } else { "s" };
        match column {
            None => write!(f, "{rows} row{plural} of {table}"),
            Some(column) => write!(f, "{rows} value{plural} of {table}.{column}"),
        }
    }
}

impl<'m, DB: Database> Plan<'m, DB> {
    pub(crate) const fn new(
        direction: Direction,
        steps: Vec<Migration<'m, DB>>,
        sets: usize,
        losses: Vec<Loss>,
    ) -> Self {
        Self { direction, steps, sets, losses }
    }

    /// The migrations, in the order in which they would run.
    #[must_use]
    pub fn steps(&self) -> &[Migration<'m, DB>] {
        &self.steps
    }

    /// The rows and values that would be lost, step by step: what was there when the plan was made. Only embedded
    /// migrations know what they take.
    #[must_use]
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// Which way they would run.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// A line for each migration, with its set if there are several, and what it would lose, and one that says so where they
/// cannot be one transaction; with `{:#}`, each followed by its
/// SQL.
impl<DB: Database> fmt::Display for Plan<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing to do");
        }
        let verb = match self.direction {
            Direction::Up => "apply",
            Direction::Down => "roll back",
        };
        let plural = if self.steps.len() == 1 { "" } else { "s" };
        write!(f, "would {verb} {} migration{plural}", self.steps.len())?;
        for migration in &self.steps {
            let (set, file) = (SetName::of_several(self.sets, migration.set()), migration.file(self.direction));
            write!(f, "\n  {set}{} {}  {file}", migration.version(), migration.name())?;
            if self.direction == Direction::Up && migration.hook().is_some() {
                f.write_str(", then its hook")?;
            }
            if migration.is_without_transaction(self.direction) {
                f.write_str(", without a transaction")?;
            }
            let is_its = |loss: &&Loss| loss.version == migration.version() && loss.set == migration.set();
            for loss in self.losses.iter().filter(is_its) {
                write!(f, "\n    loses {loss}")?;
            }
            if f.alternate() {
                for line in migration.sql(self.direction).unwrap_or_default().lines() {
                    write!(f, "\n    {line}")?;
                }
            }
        }
        let is_alone = |migration: &Migration<'_, DB>| migration.is_without_transaction(self.direction);
        if self.steps.len() > 1 && self.steps.iter().any(is_alone) {
            f.write_str("\nwhat stands before and after a migration without a transaction is committed by itself: if one fails, ")?;
            f.write_str("those before it stay")?;
        }
        Ok(())
    }
}

/// The migrations to apply to reach `target`, or the last one.
pub(crate) fn up<'m, DB: Database>(
    migrations: &Migrations<'m, DB>,
    history: &[Applied],
    target: Option<i64>,
    order: Order,
) -> Result<Vec<Migration<'m, DB>>, Error> {
    agree(migrations, history)?;
    let current = history.last().map(|applied| applied.version);
    if let Some(target) = target {
        known(migrations, target)?;
        if let Some(current) = current.filter(|current| migrations.key(*current) > migrations.key(target)) {
            return Err(target_error(target, TargetProblem::Below { current }));
        }
    }
    let pending: Vec<_> = migrations
        .iter()
        .filter(|migration| !is_applied(migrations, history, migration.version()))
        .filter(|migration| target.is_none_or(|target| migrations.key(migration.version()) <= migrations.key(target)))
        .collect();
    match (order, pending.first(), current) {
        (Order::Strict, Some(first), Some(after)) if migrations.key(first.version()) < migrations.key(after) => {
            Err(Error::new(ErrorKind::OutOfOrder { after }).of(Step::of(first)))
        }
        _ => Ok(pending),
    }
}

/// The migrations to roll back, newest first.
pub(crate) fn down<'m, DB: Database>(
    migrations: &Migrations<'m, DB>,
    history: &[Applied],
    back: Rollback,
) -> Result<Vec<Migration<'m, DB>>, Error> {
    agree(migrations, history)?;
    let count = match back {
        Rollback::All => history.len(),
        Rollback::Steps(steps) => steps,
        Rollback::To(target) => {
            known(migrations, target)?;
            if !is_applied(migrations, history, target) {
                let current = history.last().map(|applied| applied.version);
                return Err(target_error(target, TargetProblem::NotApplied { current }));
            }
            history.iter().filter(|applied| migrations.key(applied.version) > migrations.key(target)).count()
        }
    };
    let applied = history.iter().rev().filter_map(|applied| migrations.get(applied.version));
    let steps: Vec<_> = applied.take(count).collect();
    match steps.iter().find(|migration| migration.down().is_none()) {
        Some(migration) => {
            let file = migration.file(Direction::Down);
            let reason = migration.why_irreversible().map(ToOwned::to_owned);
            Err(Error::new(ErrorKind::Irreversible { file, reason }).of(Step::of(migration)))
        }
        None => Ok(steps),
    }
}

/// Where every migration of a set stands, the database's own unknown ones included.
pub(crate) fn status<DB: Database>(migrations: &Migrations<'_, DB>, history: &[Applied]) -> SetStatus {
    let current = history.last().map(|applied| applied.version);
    let mut steps: BTreeMap<(u64, i64), StepStatus> = BTreeMap::new();
    for migration in migrations.iter() {
        let state = if current.is_some_and(|current| migrations.key(migration.version()) < migrations.key(current)) {
            State::OutOfOrder
        } else {
            State::Pending
        };
        steps.insert(
            migrations.key(migration.version()),
            StepStatus::new(migration.version(), migration.name(), state, None),
        );
    }
    for applied in history {
        let state = match migrations.get(applied.version) {
            None => State::Unknown,
            Some(migration) if migration.checksum() != applied.checksum => State::Edited,
            Some(migration) if migration.name() != applied.name => State::Renamed,
            Some(_) => State::Applied,
        };
        steps.insert(
            migrations.key(applied.version),
            StepStatus::new(applied.version, &applied.name, state, Some(applied)),
        );
    }
    for migration in migrations.iter() {
        if let Some(step) = steps.get_mut(&migrations.key(migration.version())) {
            step.has_hook = migration.hook().is_some();
            step.has_down = migration.down().is_some();
        }
    }
    SetStatus::new(migrations.set(), steps.into_values().collect())
}

/// Whether each migration comes after the one before it: what is looked for by its version is not found otherwise.
pub(crate) fn in_order<DB: Database>(migrations: &Migrations<'_, DB>) -> Result<(), Error> {
    for (previous, next) in migrations.iter().zip(migrations.iter().skip(1)) {
        if migrations.key(previous.version()) >= migrations.key(next.version()) {
            let problem = SetsProblem::Disordered { previous: previous.version() };
            return Err(Error::new(ErrorKind::Sets(problem)).of(Step::of(&next)));
        }
    }
    Ok(())
}

/// Whether the history and the list are about the same migrations.
fn agree<DB: Database>(migrations: &Migrations<'_, DB>, history: &[Applied]) -> Result<(), Error> {
    let latest = migrations.latest().map(|migration| migration.version());
    let mut unknown = Vec::new();
    for applied in history {
        let Some(migration) = migrations.get(applied.version) else {
            unknown.push(Step::new(migrations.set(), applied.version, &applied.name));
            continue;
        };
        if migration.checksum() != applied.checksum {
            let kind = ErrorKind::Edited { applied: applied.checksum, embedded: migration.checksum() };
            return Err(Error::new(kind).of(Step::of(&migration)));
        }
        if migration.name() != applied.name {
            let applied = applied.name.clone();
            return Err(Error::new(ErrorKind::Renamed { applied }).of(Step::of(&migration)));
        }
    }
    match unknown.first() {
        None => Ok(()),
        Some(first) if latest.is_none_or(|latest| migrations.key(first.version) > migrations.key(latest)) => {
            Err(Error::new(ErrorKind::Newer { unknown, latest }))
        }
        Some(_) => Err(Error::new(ErrorKind::Unknown { unknown })),
    }
}

/// Whether `history`, which is in the order of the set's versions, has this one.
pub(crate) fn is_applied<DB: Database>(migrations: &Migrations<'_, DB>, history: &[Applied], version: i64) -> bool {
    history.binary_search_by_key(&migrations.key(version), |applied| migrations.key(applied.version)).is_ok()
}

/// The migration of this version, which somebody asked for.
pub(crate) fn known<'m, DB: Database>(
    migrations: &Migrations<'m, DB>,
    version: i64,
) -> Result<Migration<'m, DB>, Error> {
    migrations.get(version).ok_or_else(|| {
        let known = migrations.iter().map(|migration| migration.version()).collect();
        target_error(version, TargetProblem::NoSuchVersion { set: migrations.set().to_owned(), known })
    })
}

fn target_error(version: i64, problem: TargetProblem) -> Error {
    Error::new(ErrorKind::Target { version, problem })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::order::VersionOrder;
    use State::{Applied as A, Edited, OutOfOrder, Pending, Renamed, Unknown};

    fn list(versions: &[i64]) -> Migrations<'static> {
        let list: Vec<_> =
            versions.iter().map(|version| Migration::new(*version, "step", "SELECT 1").with_down("SELECT 2")).collect();
        Migrations::new("app", "migrations", list.leak())
    }

    fn history(versions: &[i64]) -> Vec<Applied> {
        let applied = |version: &i64| Applied {
            version: *version,
            name: "step".to_owned(),
            checksum: crate::Checksum::of("SELECT 1"),
            applied_at: 0,
            duration: Duration::ZERO,
        };
        versions.iter().map(applied).collect()
    }

    fn versions(steps: Result<Vec<Migration<'_>>, Error>) -> Vec<i64> {
        steps.expect("a plan").iter().map(Migration::version).collect()
    }

    fn problem(result: Result<Vec<Migration<'_>>, Error>) -> (i64, TargetProblem) {
        match result.expect_err("a wrong target").kind() {
            ErrorKind::Target { version, problem } => (*version, problem.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_pending_is_what_the_history_lacks() {
        let migrations = list(&[0, 1, 5, 9]);
        assert_eq!(versions(up(&migrations, &[], None, Order::Strict)), [0, 1, 5, 9]);
        assert_eq!(versions(up(&migrations, &history(&[0, 1]), None, Order::Strict)), [5, 9]);
        assert_eq!(versions(up(&migrations, &history(&[0, 1]), Some(5), Order::Strict)), [5]);
        assert_eq!(versions(up(&migrations, &history(&[0, 1, 5, 9]), None, Order::Strict)), [0; 0]);
    }

    #[test]
    fn a_gap_in_the_history_is_filled_only_when_that_is_allowed() {
        let (migrations, history) = (list(&[1, 2, 3, 4]), history(&[1, 3]));
        let error = up(&migrations, &history, None, Order::Strict).expect_err("out of order");
        assert!(matches!(error.kind(), ErrorKind::OutOfOrder { after: 3 }), "{error}");
        assert_eq!(error.step().map(|step| step.version), Some(2));
        assert_eq!(versions(up(&migrations, &history, None, Order::Any)), [2, 4]);
    }

    #[test]
    fn targets_are_versions_on_the_way() {
        let migrations = list(&[1, 2, 3]);
        let plan = |history: &[Applied], target| up(&migrations, history, Some(target), Order::Strict);
        assert!(matches!(problem(plan(&[], 7)), (7, TargetProblem::NoSuchVersion { .. })));
        assert!(matches!(problem(plan(&history(&[1, 2, 3]), 2)), (2, TargetProblem::Below { current: 3 })));
        let back = |target| down(&migrations, &history(&[1, 2]), Rollback::To(target));
        assert!(matches!(problem(back(7)), (7, TargetProblem::NoSuchVersion { .. })));
        assert!(matches!(problem(back(3)), (3, TargetProblem::NotApplied { current: Some(2) })));
    }

    #[test]
    fn the_down_migration_is_newest_first() {
        let (migrations, history) = (list(&[1, 2, 3, 4]), history(&[1, 2, 3]));
        assert_eq!(versions(down(&migrations, &history, Rollback::Steps(2))), [3, 2]);
        assert_eq!(versions(down(&migrations, &history, Rollback::Steps(9))), [3, 2, 1]);
        assert_eq!(versions(down(&migrations, &history, Rollback::To(1))), [3, 2]);
        assert_eq!(versions(down(&migrations, &history, Rollback::To(3))), [0; 0]);
        assert_eq!(versions(down(&migrations, &history, Rollback::All)), [3, 2, 1]);
    }

    #[test]
    fn one_step_without_a_down_migration_stops_the_rollback_before_it_starts() {
        let steps: Vec<Migration<'_>> =
            vec![Migration::new(1, "step", "SELECT 1"), Migration::new(2, "step", "SELECT 1").with_down("--")];
        let migrations = Migrations::new("app", "migrations", steps.leak());
        let error = down(&migrations, &history(&[1, 2]), Rollback::All).expect_err("irreversible");
        assert!(matches!(error.kind(), ErrorKind::Irreversible { .. }), "{error}");
        assert_eq!(error.step().map(|step| step.version), Some(2));
    }

    #[test]
    fn a_history_of_other_migrations_is_refused() {
        let migrations = list(&[1, 2, 3]);
        let plan = |history: &[Applied]| up(&migrations, history, None, Order::Any).expect_err("refused");
        assert!(matches!(plan(&history(&[1, 2, 3, 4])).kind(), ErrorKind::Newer { latest: Some(3), .. }));
        assert!(matches!(plan(&history(&[0, 1])).kind(), ErrorKind::Unknown { .. }));
        let mut edited = history(&[1]);
        edited[0].checksum = crate::Checksum::of("");
        assert!(matches!(plan(&edited).kind(), ErrorKind::Edited { .. }));
        let mut renamed = history(&[1]);
        renamed[0].name = "other".to_owned();
        assert!(matches!(plan(&renamed).kind(), ErrorKind::Renamed { .. }));
        let disordered = list(&[1, 3, 2]);
        let error = in_order(&disordered).expect_err("disordered");
        assert!(matches!(error.kind(), ErrorKind::Sets(SetsProblem::Disordered { previous: 3 })));
    }

    #[test]
    fn what_is_newer_is_told_in_the_order_of_the_set() {
        let migrations = list(&[0, 202_510_281_759_200_000, 20_251_115_232_503]).in_order(VersionOrder::Text(14));
        in_order(&migrations).expect("the order of the set");
        let kind = |versions: &[i64]| {
            let error = up(&migrations, &history(versions), None, Order::Any).expect_err("refused");
            matches!(error.kind(), ErrorKind::Newer { latest: Some(20_251_115_232_503), .. })
        };
        assert!(kind(&[0, 202_510_281_759_200_000, 20_251_115_232_503, 20_251_201_000_000]));
        assert!(!kind(&[0, 202_510_281_759_200_000, 202_511_010_000_000_000, 20_251_115_232_503]));
        let gap = status(&migrations, &history(&[0, 20_251_115_232_503]));
        let states: Vec<_> = gap.steps().iter().map(|step| (step.version, step.state)).collect();
        assert_eq!(states, [(0, A), (202_510_281_759_200_000, OutOfOrder), (20_251_115_232_503, A)]);
    }

    #[test]
    fn status_tells_every_state_apart() {
        let migrations = list(&[1, 2, 3, 4, 5]);
        let mut history = history(&[1, 2, 4, 9]);
        history[1].checksum = crate::Checksum::of("");
        history[2].name = "other".to_owned();
        history.retain(|applied| applied.version != 9);
        let states = |history: &[Applied]| -> Vec<State> {
            status(&migrations, history).steps().iter().map(|step| step.state).collect()
        };
        assert_eq!(states(&history), [A, Edited, OutOfOrder, Renamed, Pending]);
        history.push(Applied { version: 9, ..history[0].clone() });
        assert_eq!(states(&history), [A, Edited, OutOfOrder, Renamed, OutOfOrder, Unknown]);
    }
}
