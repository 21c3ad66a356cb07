//! The shadow database without rows: that of somebody who starts the program for the first time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

use crate::check::lineage::Lineage;
use crate::check::ownership::Ownership;
use crate::check::runner::{Runner, Set};
use crate::check::shadow::Shadow;
use crate::check::table::{Table, Unreadable};
use crate::check::touched;
use crate::check::with_rows::Passed;
use crate::check::{Checked, Fingerprints, Measured};
use crate::diagnostic::Diagnostic;
use crate::lint::finding::Finding;
use crate::lint::left_out::left_out;
use crate::lint::loss::{self, Losses};
use crate::read::source::Source;

/// A shadow database without rows.
pub(crate) struct Empty<'s, S> {
    runner: Runner<'s, S>,
    ownership: Ownership<'s>,
    fingerprints: Fingerprints,
    touched: BTreeMap<i64, BTreeSet<String>>,
    /// What is wrong with the files, and went wrong on the way.
    errors: Vec<Diagnostic>,
    findings: Vec<Finding>,
}

impl<'s, S: Shadow> Empty<'s, S> {
    /// Runs every migration, and passes them on.
    pub(crate) fn run(
        source: &'s Source,
        set: Set<'s>,
        to_follow: &mpsc::Sender<Passed<'s>>,
    ) -> Result<Self, Diagnostic> {
        let mut runner = Runner::<S>::open(source, set)?;
        let ownership = runner.ownership();
        let (mut fingerprints, mut findings, mut errors) = (Fingerprints::new(), Vec::new(), source.errors.clone());
        let mut touched = BTreeMap::new();
        // Words of the statements that failed: what they would have made, and later ones may miss.
        let mut missing = BTreeSet::new();
        for file in &source.migrations {
            match runner.run(file.up()) {
                Ok(()) => {
                    let changed = runner.shadow.refresh_schema()?;
                    let schema = runner.shadow.schema();
                    let effects = runner.shadow.effects();
                    let up = || Losses::up(file, &S::LOSSES);
                    errors.extend(ownership.check(&changed, &effects, &file.up));
                    let lineage = Lineage::of(&effects.events, &changed, schema);
                    let lost = loss::losses(&changed, schema, &lineage, up());
                    findings.extend(left_out(&changed, schema, &lineage, &lost, up()));
                    findings.extend(lost);
                    let tables = touched::touched(&file.up, &effects, &changed, schema);
                    touched.extend(tables.map(|tables| (file.version, tables)));
                    fingerprints.insert(file.version, schema.fingerprint().minus(&ownership.others.fingerprint()));
                    // If nobody follows any more, whoever stopped says why.
                    let _ = to_follow.send(Passed { file, left_out: None });
                }
                Err(failure) => {
                    // What a file that could not be read would have made may be what is missing here.
                    let follows = failure.message.is_some() && !source.errors.is_empty();
                    if !follows && !failure.follows_from(&missing) {
                        errors.push(failure.diagnostic);
                    }
                    let left_out = runner.shadow.run_without(&file.up, failure.statement.into_iter().collect());
                    runner.shadow.read_schema()?;
                    missing.extend(file.up.words_at(&left_out));
                    let _ = to_follow.send(Passed { file, left_out: Some(left_out) });
                }
            }
        }
        if errors.is_empty() {
            // Whether a key can be enforced at all is looked at once, at the end: it may be only then that it can.
            errors = runner.shadow.check_keys()?;
        }
        Ok(Self { runner, ownership, fingerprints, touched, errors, findings })
    }

    /// Reads the tables that the migrations lead to. What in there cannot be used is returned apart.
    pub(crate) fn finish(self) -> Result<(Checked, Vec<Diagnostic>), Diagnostic> {
        let Self { runner, ownership, fingerprints, touched, errors, findings } = self;
        let is_own = |table: &str| !ownership.others.has(&table.to_ascii_lowercase());
        let (mut tables, mut unreadable) = runner.shadow.tables()?;
        tables.retain(|table| is_own(&table.name));
        unreadable.retain(|table| is_own(&table.name));
        let is_complete = errors.is_empty();
        let mut unusable = Vec::new();
        if is_complete {
            unusable.extend(unreadable.into_iter().map(|Unreadable { name, reason }| {
                Diagnostic::new(format!("after the last migration, `{name}` cannot be used: {reason}"))
                    .help("drop it, or create it again, in a new migration")
            }));
            unusable.extend(tables.iter().filter_map(|table| unusable_rows(&runner.shadow, table)));
        }
        let measured = Measured { fingerprints, touched, ..Measured::default() };
        Ok((Checked { tables, is_complete, errors, findings, measured, ..Checked::default() }, unusable))
    }
}

/// Prepares every statement that is generated for a table.
fn unusable_rows(shadow: &impl Shadow, table: &Table) -> Option<Diagnostic> {
    table.sql.statements().find_map(|(what, statement)| {
        let reason = shadow.prepare(statement).err()?;
        let title = format!("after the last migration, rows cannot be {what} `{}`: {reason}", table.name);
        Some(Diagnostic::new(title).help("a trigger or view may refer to what is gone; drop it in a new migration"))
    })
}
