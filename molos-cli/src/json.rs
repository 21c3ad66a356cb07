//! What `--json` answers: one object for each command.
//!
//! Later versions may add fields; they change the meaning of none, and remove none. `null` stands where there is nothing to say.

use std::time::Duration;

use molos_runtime::StepReport;
use serde::{Deserialize, Serialize};

/// `migrate`, `rollback` and `downgrade`: what was run, in this order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// `up` or `down`.
    pub direction: String,
    /// The migrations.
    pub steps: Vec<Step>,
}

/// A migration that was run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// Its set.
    pub set: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// How long it took, in milliseconds.
    pub milliseconds: f64,
}

/// `status`: where every migration stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// Whether everything is applied, and is what it was: exit code 0.
    pub up_to_date: bool,
    /// How many migrations are not applied.
    pub pending: usize,
    /// What is wrong, if something is: exit code 2.
    pub error: Option<Error>,
    /// The sets, in the order in which they are applied.
    pub sets: Vec<SetStatus>,
}

/// One set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SetStatus {
    /// Its name.
    pub set: String,
    /// The newest version that is applied.
    pub current: Option<i64>,
    /// How many of its migrations are not applied.
    pub pending: usize,
    /// Its migrations, those that only the database knows among them, by version.
    pub steps: Vec<StepStatus>,
}

/// One migration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepStatus {
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// `applied`, `pending`, `out of order`, `edited`, `renamed` or `unknown`.
    pub state: String,
    /// When it was applied, in unix seconds.
    pub applied_at: Option<i64>,
    /// How long that took, in milliseconds.
    pub milliseconds: Option<f64>,
    /// Whether a function of the program belongs to it.
    pub has_hook: bool,
    /// Whether this program has a down migration for it.
    pub has_down: bool,
}

/// `plan`, and `migrate` and `rollback` with `--dry-run`: what would be run, in this order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// `up` or `down`.
    pub direction: String,
    /// The migrations.
    pub steps: Vec<PlannedStep>,
    /// The rows and values that would be lost.
    pub losses: Vec<Loss>,
}

/// A migration that would be run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedStep {
    /// Its set.
    pub set: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// Its file, relative to the directory of the migrations.
    pub file: String,
    /// Whether it is run outside of a transaction.
    pub without_transaction: bool,
    /// Whether a function of the program is run after it.
    pub has_hook: bool,
    /// Its SQL, with `--sql`.
    pub sql: Option<String>,
}

/// Rows that would be lost, or values of a column.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Loss {
    /// The set of the migration.
    pub set: String,
    /// The version of the migration.
    pub version: i64,
    /// The table.
    pub table: String,
    /// The column, if only its values are lost.
    pub column: Option<String>,
    /// How many.
    pub rows: u64,
}

/// `rehearse`: what was run, and undone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rehearsal {
    /// The migrations that ran through.
    pub steps: Vec<RehearsedStep>,
    /// The error that the migration would end with: exit code 2.
    pub error: Option<Error>,
}

/// A migration that was run, and undone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RehearsedStep {
    /// Its set.
    pub set: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// How long it took, in milliseconds.
    pub milliseconds: f64,
    /// How many rows it changed.
    pub rows: u64,
}

/// `verify`: whether the database is what the migrations lead to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verification {
    /// Whether it is: exit code 0.
    pub verified: bool,
    /// The versions that are pending: exit code 1.
    pub pending: Vec<Named>,
    /// What differs: exit code 2.
    pub differences: Vec<Difference>,
}

/// A migration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Named {
    /// Its set.
    pub set: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: String,
}

/// Something that is not as the migrations made it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Difference {
    /// `table`, `index`, `trigger` or `view`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// How it differs.
    pub difference: HowDifferent,
    /// What should be true of it, and is not.
    pub expected: Vec<String>,
    /// What is true of it, and should not be.
    pub found: Vec<String>,
}

/// How something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HowDifferent {
    /// It should be there.
    Missing,
    /// It should not be there.
    Extra,
    /// It is there, and not as it should be.
    Changed,
}

/// `adopt`: what was recognised.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Adoption {
    /// The sets.
    pub sets: Vec<AdoptedSet>,
}

/// A set that was recognised.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AdoptedSet {
    /// Its name.
    pub set: String,
    /// The version whose schema the database has.
    pub version: i64,
    /// The name of that migration.
    pub name: String,
    /// How many migrations are now recorded as applied.
    pub recorded: usize,
    /// The tool whose history agrees, if there is one.
    pub tool: Option<String>,
}

/// `backup`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackedUp {
    /// The copy; `null` if there was nothing in the database.
    pub path: Option<String>,
}

/// `restore`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Restored {
    /// The database.
    pub database: String,
    /// The backup that is in it now.
    pub backup: String,
}

/// `schema`: what the migrations lead to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Schema {
    /// The tables and views, by name.
    pub tables: Vec<Table>,
}

/// A table, view or virtual table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Table {
    /// Its name.
    pub name: String,
    /// `table`, `view` or `virtual`.
    pub kind: String,
    /// Whether it is `STRICT`.
    pub strict: bool,
    /// The statement that creates it.
    pub sql: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Its indexes, those of keys and `UNIQUE`s among them.
    pub indexes: Vec<Index>,
}

/// A column.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as it was declared; empty if none was.
    #[serde(rename = "type")]
    pub declared_type: String,
    /// Whether `NULL` is refused.
    pub not_null: bool,
    /// Its default, as an SQL expression.
    pub default: Option<String>,
    /// Its place in the primary key, from 1.
    pub primary_key: Option<u32>,
    /// Whether it is computed from other columns.
    pub generated: bool,
}

/// A foreign key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ForeignKey {
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table that they refer to.
    pub table: String,
    /// The columns that they refer to; empty if there is no such table, and none is named.
    pub references: Vec<String>,
    /// What happens when the other row is deleted, such as `CASCADE`.
    pub on_delete: String,
    /// What happens when its key changes.
    pub on_update: String,
}

/// An index.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Whether it keeps its values unique.
    pub unique: bool,
    /// Whether it has a `WHERE`.
    pub partial: bool,
    /// Its columns; `null` for an expression.
    pub columns: Vec<Option<String>>,
}

/// `new`: what was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Written {
    /// The files.
    pub files: Vec<String>,
}

/// The answer of a command that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failed {
    /// The error.
    pub error: Error,
}

/// What went wrong.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Error {
    /// What it is, in one line.
    pub message: String,
    /// What the database, or the program's own function, said of it.
    pub cause: Option<String>,
    /// What to do.
    pub help: Option<String>,
    /// The migration that it is about.
    pub migration: Option<Named>,
    /// Where in the migration's file it is.
    pub location: Option<Location>,
    /// Whether the same command may work later.
    pub retryable: bool,
    /// What was committed before it failed; `null` if nothing was.
    pub completed: Option<Report>,
}

/// A place in a migration's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Location {
    /// The file, with the directory as the program names it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Report {
    pub(crate) fn of(report: &molos_runtime::Report) -> Self {
        let step = |step: &StepReport| Step {
            set: step.set.clone(),
            version: step.version,
            name: step.name.clone(),
            milliseconds: milliseconds(step.elapsed),
        };
        Self { direction: report.direction().to_string(), steps: report.steps().iter().map(step).collect() }
    }
}

impl Error {
    pub(crate) fn of(error: &molos_runtime::Error) -> Self {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        let location =
            error.location().map(|place| Location { file: place.file.clone(), line: place.line, column: place.column });
        Self {
            message: error.to_string(),
            cause,
            help: error.help().map(std::borrow::Cow::into_owned),
            migration: error.step().map(Named::of),
            location,
            retryable: error.is_retryable(),
            completed: error.completed().map(Report::of),
        }
    }
}

impl Named {
    pub(crate) fn of(step: &molos_runtime::Step) -> Self {
        Self { set: step.set.clone(), version: step.version, name: step.name.clone() }
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    // Whole microseconds, so that no digits come from the arithmetic.
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_no_more_digits_than_microseconds() {
        let cases = [(0, "0.0"), (1, "0.001"), (591, "0.591"), (1_100, "1.1"), (86_400_000_007, "86400000.007")];
        for (microseconds, expected) in cases {
            assert_eq!(format!("{:?}", milliseconds(Duration::from_micros(microseconds))), expected);
        }
    }
}
