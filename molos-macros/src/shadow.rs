//! The shadow databases: every step is run in order, by the engine that runs it at a user's, on one that is empty and on
//! one that has rows.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;

use molos_runtime::Direction;
use molos_runtime::catalog::{self, Unreadable};
use molos_runtime::rusqlite::Connection;

use crate::diagnostic::Diagnostic;
use crate::expand;
use crate::file::{MigrationFile, Source};
use crate::finding::{BROKEN_REFERENCE, Finding};
use crate::input::Input;
use crate::loss::{self, Losses};
use crate::populated::Populated;
use crate::rehearsed::{Fingerprints, Found, Rehearsed};
use crate::stage::{Set, Stage, broken};
use crate::statements::Sql;
use crate::table::{self, Model};
use crate::territory::Territory;
use crate::words::words;

/// Runs every migration on both databases, at the same time: the one with rows follows the empty one.
pub(crate) fn rehearse(source: &Source, input: &Input) -> Result<Rehearsed, Diagnostic> {
    let set = Set { name: &input.set, table_prefix: &input.table_prefix, functions: &input.functions };
    let (to_follow, passed) = mpsc::channel();
    let (rehearsed, found) = thread::scope(|scope| {
        let populated = thread::Builder::new().spawn_scoped(scope, move || -> Result<Found, Diagnostic> {
            let mut populated = Populated::new(Stage::open(source, set)?)?;
            passed.iter().try_for_each(|file| populated.follow(file))?;
            Ok(populated.finish())
        });
        let empty = Empty::run(source, set, &to_follow);
        drop(to_follow);
        let rehearsed = empty.and_then(|empty| empty.finish(input));
        let found = populated.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        (rehearsed, found)
    });
    let (mut rehearsed, unusable) = rehearsed?;
    let Found { errors, findings, unproven, downs_take } = found.map_err(|error| broken(&error))??;
    // What refers to what is gone is told where it broke.
    if findings.iter().all(|finding| finding.lint != BROKEN_REFERENCE) {
        rehearsed.errors.extend(unusable);
    }
    rehearsed.errors.extend(errors);
    rehearsed.findings.extend(findings);
    rehearsed.unproven = unproven;
    for finding in &rehearsed.findings {
        rehearsed.takes.entry(finding.version).or_default().up.extend(finding.takes.clone());
    }
    for (version, taken) in downs_take {
        rehearsed.takes.entry(version).or_default().down = taken;
    }
    Ok(rehearsed)
}

/// The database of somebody who starts the program for the first time.
struct Empty<'s> {
    stage: Stage<'s>,
    territory: Territory<'s>,
    fingerprints: Fingerprints,
    /// What is wrong with the files, and went wrong on the way.
    errors: Vec<Diagnostic>,
    findings: Vec<Finding>,
}

impl<'s> Empty<'s> {
    fn run(source: &'s Source, set: Set<'s>, passed: &mpsc::Sender<&'s MigrationFile>) -> Result<Self, Diagnostic> {
        let mut stage = Stage::open(source, set)?;
        let territory = stage.territory()?;
        let mut schema = territory.others.clone();
        let (mut fingerprints, mut findings, mut errors) = (Fingerprints::new(), Vec::new(), source.errors.clone());
        // Words of the scripts that failed: what they would have made, and later ones may miss.
        let mut missing = BTreeSet::new();
        for file in &source.migrations {
            match stage.run(file, Direction::Up) {
                Ok(()) => {
                    let seen = stage.sandbox.seen();
                    let changed = schema.refresh(stage.sandbox.conn(), &seen.change).map_err(|error| broken(&error))?;
                    let shown = stage.shown(&file.up);
                    errors.extend(territory.check(&changed, &seen, &file.up, &shown));
                    findings.extend(loss::losses(&changed, &schema, Losses::up(file, &shown)));
                    fingerprints.insert(file.version, schema.fingerprint().minus(&territory.others.fingerprint()));
                    // If nobody follows any more, that is told by whoever stopped.
                    let _ = passed.send(file);
                }
                // What a file that could not be read would have made may be what is missing here.
                Err(failure) if failure.message.is_some() && !source.errors.is_empty() => {}
                Err(failure) if failure.follows_from(&missing) => {}
                Err(failure) => {
                    missing.extend(words(file.up.sql()));
                    errors.push(failure.diagnostic);
                }
            }
        }
        if errors.is_empty() {
            // Whether a key can be enforced at all is seen once, at the end: it may be only then that it can.
            let violations = stage.sandbox.check_all_keys().map_err(|error| broken(&error.source))?;
            errors.extend(violations.keys().map(unenforceable));
        }
        Ok(Self { stage, territory, fingerprints, errors, findings })
    }

    /// Writes the structs for the schema that the migrations lead to. What in there cannot be used is returned apart.
    fn finish(self, input: &Input) -> Result<(Rehearsed, Vec<Diagnostic>), Diagnostic> {
        let Self { stage, territory, fingerprints, mut errors, findings } = self;
        let conn = stage.sandbox.conn();
        let (mut tables, mut unreadable) = catalog::tables(conn)
            .map_err(|error| Diagnostic::new(format!("the schema cannot be read back: {error}")))?;
        tables.retain(|table| !territory.others.has(&table.name.to_ascii_lowercase()));
        unreadable.retain(|table| !territory.others.has(&table.name.to_ascii_lowercase()));
        let (models, misnamed) = table::models(tables, &input.rename);
        let mut unusable = Vec::new();
        if errors.is_empty() {
            errors = misnamed;
            unusable.extend(unreadable.into_iter().map(|Unreadable { name, source }| {
                Diagnostic::new(format!("after the last migration, `{name}` cannot be used: {source}"))
                    .help("drop it, or create it again, in a new migration")
            }));
            unusable.extend(models.iter().filter_map(|model| unusable_rows(conn, model)));
        }
        let tables = expand::tables(&models, &input.molos);
        Ok((Rehearsed { tables, fingerprints, errors, findings, ..Rehearsed::default() }, unusable))
    }
}

fn unenforceable((table, parent): &(String, String)) -> Diagnostic {
    if parent.is_empty() {
        return Diagnostic::new(format!("after the last migration, a foreign key cannot be enforced: {table}"))
            .note("with `PRAGMA foreign_keys = ON`, every change of either table would fail")
            .help("refer to the primary key of the other table, or to columns with a `UNIQUE` index");
    }
    Diagnostic::new(format!("after the last migration, rows of `{table}` refer to what is not in `{parent}`"))
}

/// Prepares every statement that is generated for a table.
fn unusable_rows(conn: &Connection, model: &Model) -> Option<Diagnostic> {
    let sql = Sql::of(model);
    sql.statements().find_map(|(what, statement)| {
        let error = conn.prepare(statement).err()?;
        let title = format!("after the last migration, rows cannot be {what} `{}`: {error}", model.table.name);
        Some(Diagnostic::new(title).help("a trigger or view may refer to what is gone; drop it in a new migration"))
    })
}
