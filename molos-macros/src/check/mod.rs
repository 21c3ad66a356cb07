//! From files to findings: every step is run in order, by the engine that runs it when a program starts, on two shadow
//! databases, one that is empty and one that has rows.

mod empty;
pub(crate) mod failure;
pub(crate) mod lineage;
mod ownership;
pub(crate) mod rows;
mod runner;
pub(crate) mod shadow;
pub(crate) mod table;
mod touched;
mod with_rows;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::mpsc;
use std::thread;

use molos_runtime::{Direction, Fingerprint};

use crate::check::empty::Empty;
use crate::check::runner::{Runner, Set};
use crate::check::shadow::Shadow;
use crate::check::table::Table;
use crate::check::with_rows::{Outcome, WithRows};
use crate::diagnostic::Diagnostic;
use crate::input::Input;
use crate::lint::finding::{BROKEN_REFERENCE, Finding, Loss};
use crate::lint::{loss, needless};
use crate::read::source::Source;

/// The fingerprint of the schema that each version leads to.
pub(crate) type Fingerprints = BTreeMap<i64, Fingerprint>;

/// What is known once every migration was run.
#[derive(Default)]
pub(crate) struct Checked {
    /// The tables of the schema that the migrations lead to.
    pub(crate) tables: Vec<Table>,
    /// Whether that is the whole schema: every migration was read and run.
    pub(crate) is_complete: bool,
    /// What is wrong, and can neither be allowed nor accepted.
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) measured: Measured,
    /// What is wrong with the rows that the program gives for tables, by table.
    pub(crate) misfits: BTreeMap<String, String>,
}

/// What running the migrations has shown of each, by version.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) fingerprints: Fingerprints,
    /// What each migration takes from rows.
    pub(crate) losses: BTreeMap<i64, LossesOfMigration>,
    /// The tables whose foreign keys each up migration may break, or those of tables that refer to them, where that is known.
    pub(crate) touched: BTreeMap<i64, BTreeSet<String>>,
    /// What could not be tried with rows.
    pub(crate) unproven: Vec<Unproven>,
}

impl From<Diagnostic> for Checked {
    fn from(error: Diagnostic) -> Self {
        Self { errors: vec![error], ..Self::default() }
    }
}

/// What a migration takes from rows in either direction.
#[derive(Default)]
pub(crate) struct LossesOfMigration {
    pub(crate) up: BTreeSet<Loss>,
    pub(crate) down: BTreeSet<Loss>,
}

/// A step that could not be tried with rows, and why.
pub(crate) struct Unproven {
    pub(crate) version: i64,
    pub(crate) reason: String,
}

/// Runs every migration on both databases, at the same time: the one with rows follows the empty one.
pub(crate) fn check<S: Shadow>(source: &Source, input: &Input) -> Result<Checked, Diagnostic> {
    let set = Set { name: &input.set, table_prefix: &input.table_prefix, registered: &input.registered };
    let rows = input.rows.iter().map(|(table, sql)| (table.value().to_ascii_lowercase(), sql.value())).collect();
    let (to_follow, passed) = mpsc::channel();
    let (empty, with_rows) = thread::scope(|scope| {
        let with_rows = thread::Builder::new().spawn_scoped(scope, move || -> Result<Outcome, Diagnostic> {
            let mut with_rows = WithRows::new(Runner::<S>::open(source, set)?, rows)?;
            passed.into_iter().try_for_each(|passed| with_rows.follow(passed))?;
            Ok(with_rows.finish())
        });
        let empty = Empty::<S>::run(source, set, &to_follow);
        drop(to_follow);
        let empty = empty.and_then(Empty::finish);
        let with_rows = with_rows.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        (empty, with_rows)
    });
    let (mut checked, unusable) = empty?;
    let with_rows = with_rows.map_err(|error| broken(&error))??;
    // What refers to what is gone is said where it broke.
    if with_rows.findings.iter().all(|finding| finding.lint != BROKEN_REFERENCE) {
        checked.errors.extend(unusable);
    }
    let findings = std::mem::take(&mut checked.findings);
    checked.findings.extend(findings.into_iter().map(|finding| {
        let table = finding.subject.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let moved = with_rows.moved.get(&(finding.version, table));
        let file = source.migrations.iter().find(|file| file.version == finding.version);
        match (file, moved) {
            (Some(file), Some(moved)) => loss::judged(finding, file, moved, &S::LOSSES),
            _ => finding,
        }
    }));
    checked.errors.extend(with_rows.errors);
    checked.findings.extend(with_rows.findings);
    checked.findings.extend(source.migrations.iter().flat_map(needless::needless));
    // What comes first may be the cause of what comes after.
    let place = |version: i64| source.migrations.iter().position(|file| file.version == version);
    checked.findings.sort_by_key(|finding| (place(finding.version), finding.direction == Direction::Down));
    let measured = &mut checked.measured;
    measured.unproven = with_rows.unproven;
    checked.misfits = with_rows.misfits;
    for finding in &checked.findings {
        measured.losses.entry(finding.version).or_default().up.extend(finding.takes.clone());
    }
    for (version, losses) in with_rows.losses_of_downs {
        measured.losses.entry(version).or_default().down = losses;
    }
    Ok(checked)
}

/// What should not happen.
pub(crate) fn broken(error: &dyn Display) -> Diagnostic {
    Diagnostic::new(format!("the shadow database failed: {error}"))
}
