//! The shadow databases: every step is run in order, by the engine that runs it at a user's, on one that is empty and on
//! one that has rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::mpsc;
use std::thread;

use molos_runtime::catalog::{self, Unreadable};
use molos_runtime::driver::Driver as _;
use molos_runtime::rusqlite::Connection;
use molos_runtime::{Direction, Fingerprint, Migration, Schema, engine};

use proc_macro2::TokenStream;

use crate::diagnostic::Diagnostic;
use crate::expand;
use crate::explain::{Failure, explain, foreign_keys_pragma};
use crate::input::{Function, Input};
use crate::lint::{self, BROKEN_REFERENCE, Finding, Losses, Taking};
use crate::populated::{Found, Populated, Unproven};
use crate::sandbox::Sandbox;
use crate::source::{MigrationFile, Script, Source, words};
use crate::statements::Sql;
use crate::table::{self, Model};
use crate::territory::Territory;

/// The fingerprint of the schema that each version leads to.
pub(crate) type Fingerprints = BTreeMap<i64, Fingerprint>;

/// What is known once every migration was run.
#[derive(Default)]
pub(crate) struct Rehearsed {
    /// The structs for the schema that the migrations lead to.
    pub(crate) tables: TokenStream,
    pub(crate) fingerprints: Fingerprints,
    /// Everything that is wrong.
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) findings: Vec<Finding>,
    /// What could not be tried with rows.
    pub(crate) unproven: Vec<Unproven>,
    pub(crate) takes: BTreeMap<i64, Takes>,
}

/// What a migration takes from rows on either way.
#[derive(Default)]
pub(crate) struct Takes {
    pub(crate) up: BTreeSet<Taking>,
    pub(crate) down: BTreeSet<Taking>,
}

impl From<Diagnostic> for Rehearsed {
    fn from(error: Diagnostic) -> Self {
        Self { errors: vec![error], ..Self::default() }
    }
}

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
                    findings.extend(lint::losses(&changed, &schema, Losses::up(file, &shown)));
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

/// What is asked for of the set that a directory is.
#[derive(Clone, Copy)]
pub(crate) struct Set<'s> {
    name: &'s str,
    table_prefix: &'s str,
    functions: &'s [Function],
}

/// A sandbox to run the steps of a directory in.
pub(crate) struct Stage<'s> {
    pub(crate) sandbox: Sandbox,
    source: &'s Source,
    set: Set<'s>,
}

impl<'s> Stage<'s> {
    /// A sandbox with what the directories made that this one comes after.
    fn open(source: &'s Source, set: Set<'s>) -> Result<Self, Diagnostic> {
        let mut sandbox = Sandbox::open(set.functions).map_err(|error| broken(&error))?;
        sandbox.enter().map_err(|error| broken(&error.source))?;
        sandbox.create_history().map_err(|error| broken(&error.source))?;
        let mut stage = Self { sandbox, source, set };
        for base in &source.bases {
            for file in &base.migrations {
                stage.run_of(base, file, Direction::Up).map_err(|failure| {
                    failure.diagnostic.note(format!("`{}` comes after this directory", source.directory))
                })?;
            }
        }
        Ok(stage)
    }

    /// The same, before the first step.
    pub(crate) fn another(&self) -> Result<Self, Diagnostic> {
        Self::open(self.source, self.set)
    }

    /// What belongs to whom, before the first step.
    pub(crate) fn territory(&self) -> Result<Territory<'s>, Diagnostic> {
        let directories = self.source.bases.iter().map(|base| base.directory.as_str()).collect();
        Ok(Territory::new(self.schema()?, self.set.table_prefix, directories))
    }

    /// The file of a script, as the user knows it.
    pub(crate) fn shown(&self, script: &Script) -> String {
        format!("{}/{}", self.source.directory, script.path)
    }

    pub(crate) fn schema(&self) -> Result<Schema, Diagnostic> {
        Schema::read(self.sandbox.conn()).map_err(|error| broken(&error))
    }

    /// Runs one step in a transaction of its own.
    pub(crate) fn run(&mut self, file: &MigrationFile, direction: Direction) -> Result<(), Failure> {
        self.run_of(self.source, file, direction)
    }

    fn run_of(&mut self, source: &Source, file: &MigrationFile, direction: Direction) -> Result<(), Failure> {
        let script = match direction {
            Direction::Up => &file.up,
            Direction::Down => file.down.as_ref().unwrap_or(&file.up),
        };
        let shown = format!("{}/{}", source.directory, script.path);
        let migration = as_migration(file).in_set(self.set.name, &source.directory);
        let sandbox = &mut self.sandbox;
        sandbox.begin().map_err(|error| Failure::of_its_own(broken(&error.source)))?;
        let result = engine::run(sandbox, direction, &[migration], None, &|_| {});
        let seen = sandbox.seen();
        let result = match result {
            Err(error) => Err(explain(&error, &seen, script, &shown)),
            Ok(_) => foreign_keys_pragma(&seen, script, &shown).map_err(Failure::of_its_own),
        };
        let ended = if result.is_ok() { sandbox.commit() } else { sandbox.rollback() };
        ended.map_err(|error| Failure::of_its_own(broken(&error.source)))?;
        result
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

pub(crate) fn broken(error: &dyn Display) -> Diagnostic {
    Diagnostic::new(format!("the shadow database failed: {error}"))
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

/// A migration as the engine takes it.
fn as_migration(file: &MigrationFile) -> Migration<'_> {
    fn script(script: &Script) -> molos_runtime::Script<'_> {
        let keys = script.directives.foreign_keys.unwrap_or_default();
        molos_runtime::Script {
            sql: script.sql(),
            line: script.line(),
            keys,
            outside: script.directives.no_transaction,
        }
    }
    let (up, down) = (script(&file.up), file.down.as_ref().map(script));
    Migration::of_file(file.version, &file.up.path, file.name(), file.checksum, up, down)
}
