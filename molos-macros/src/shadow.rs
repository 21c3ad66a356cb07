//! The shadow database: every step is run on it, in order, by the engine that runs it at a user's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use molos_runtime::catalog::{self, Unreadable};
use molos_runtime::driver::Driver as _;
use molos_runtime::rusqlite::Connection;
use molos_runtime::script::statements;
use molos_runtime::{Difference, Direction, Fingerprint, Migration, Schema, engine};

use crate::diagnostic::Diagnostic;
use crate::explain::{Failure, explain, foreign_keys_pragma, underline_statement};
use crate::input::Input;
use crate::lint::{self, Finding, INEXACT_DOWN};
use crate::sandbox::Sandbox;
use crate::source::{MigrationFile, Script, Source, words};
use crate::statements::Sql;
use crate::table::{self, Model};

/// A database with the schema that the migrations lead to.
pub(crate) struct Shadow<'s> {
    stage: Stage<'s>,
    /// The fingerprint of the schema after each version.
    fingerprints: Fingerprints,
    /// What is wrong with the files, and went wrong on the way there.
    errors: Vec<Diagnostic>,
    findings: Vec<Finding>,
}

/// The fingerprint of the schema that each version leads to.
pub(crate) type Fingerprints = BTreeMap<i64, Fingerprint>;

/// What is known once every migration was run.
#[derive(Default)]
pub(crate) struct Rehearsed {
    /// The structs for the schema that the migrations lead to.
    pub(crate) models: Vec<Model>,
    pub(crate) fingerprints: Fingerprints,
    /// Everything that is wrong.
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) findings: Vec<Finding>,
}

impl From<Diagnostic> for Rehearsed {
    fn from(error: Diagnostic) -> Self {
        Self { errors: vec![error], ..Self::default() }
    }
}

impl<'s> Shadow<'s> {
    /// Runs every migration; those that have a way back are taken there as well, in a database of their own.
    pub(crate) fn rehearse(source: &'s Source, input: &'s Input) -> Result<Self, Diagnostic> {
        let mut shadow = Self {
            stage: Stage::open(source, input)?,
            fingerprints: Fingerprints::new(),
            errors: source.errors.clone(),
            findings: Vec::new(),
        };
        let mut schema = Schema::default();
        let has_downs = source.migrations.iter().any(|file| file.down.is_some());
        let mut way_back = if has_downs { Some(WayBack::open(source, input)?) } else { None };
        let mut passed = Vec::new();
        // Words of the scripts that failed: what they would have made, and later ones may miss.
        let mut missing = BTreeSet::new();
        for file in &source.migrations {
            match shadow.stage.run(file, Direction::Up) {
                Ok(()) => {
                    passed.push(file);
                    let change = shadow.stage.sandbox.seen().change;
                    let changed =
                        schema.refresh(shadow.stage.sandbox.conn(), &change).map_err(|error| broken(&error))?;
                    let shown = format!("{}/{}", source.directory, file.up.path);
                    shadow.findings.extend(lint::losses(&changed, &schema, file, &shown));
                    shadow.fingerprints.insert(file.version, schema.fingerprint());
                    if let Some(way_back) = &mut way_back {
                        shadow.findings.extend(way_back.follow(&passed)?);
                    }
                }
                // What a file that could not be read would have made may be what is missing here.
                Err(failure) if failure.message.is_some() && !source.errors.is_empty() => {}
                Err(failure) if failure.follows_from(&missing) => {}
                Err(failure) => {
                    missing.extend(words(file.up.sql()));
                    shadow.errors.push(failure.diagnostic);
                }
            }
        }
        if shadow.errors.is_empty() {
            // Whether a key can be enforced at all is seen once, at the end: to look after each step would cost the
            // square of their number.
            let violations = shadow.stage.sandbox.check_all_keys().map_err(|error| broken(&error.source))?;
            shadow.errors.extend(violations.keys().map(unenforceable));
        }
        Ok(shadow)
    }

    /// Reads back the schema that the migrations lead to.
    pub(crate) fn finish(self, input: &Input) -> Result<Rehearsed, Diagnostic> {
        let Self { stage, fingerprints, mut errors, findings } = self;
        let conn = stage.sandbox.conn();
        let (tables, unreadable) = catalog::tables(conn)
            .map_err(|error| Diagnostic::new(format!("the schema cannot be read back: {error}")))?;
        let incomplete = !errors.is_empty();
        errors.extend(unreadable.into_iter().filter(|_| !incomplete).map(|Unreadable { name, source }| {
            Diagnostic::new(format!("after the last migration, `{name}` cannot be used: {source}"))
                .help("drop it, or create it again, in a new migration")
        }));
        let (models, misnamed) = table::models(tables, &input.rename);
        if !incomplete {
            errors.extend(misnamed);
            errors.extend(models.iter().filter_map(|model| unusable(conn, model)));
        }
        Ok(Rehearsed { models, fingerprints, errors, findings })
    }
}

/// A sandbox to run the steps of a directory in.
struct Stage<'s> {
    sandbox: Sandbox,
    source: &'s Source,
    input: &'s Input,
}

impl<'s> Stage<'s> {
    fn open(source: &'s Source, input: &'s Input) -> Result<Self, Diagnostic> {
        let mut sandbox = Sandbox::open(&input.functions).map_err(|error| broken(&error))?;
        sandbox.enter().map_err(|error| broken(&error.source))?;
        sandbox.create_history().map_err(|error| broken(&error.source))?;
        Ok(Self { sandbox, source, input })
    }

    /// Runs one step in a transaction of its own.
    fn run(&mut self, file: &MigrationFile, direction: Direction) -> Result<(), Failure> {
        let script = match direction {
            Direction::Up => &file.up,
            Direction::Down => file.down.as_ref().unwrap_or(&file.up),
        };
        let shown = format!("{}/{}", self.source.directory, script.path);
        let migration = as_migration(file).in_set(&self.input.set, &self.source.directory);
        let sandbox = &mut self.sandbox;
        sandbox.begin().map_err(|error| Failure::of_its_own(broken(&error.source)))?;
        let result = engine::run(sandbox, direction, &[migration], &|_| {});
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

/// A second database, in which every step is applied, taken back and applied again. To undo a change of the schema
/// would make SQLite read all of it anew, so nothing is undone while all goes well.
struct WayBack<'s> {
    stage: Stage<'s>,
    schema: Schema,
}

impl<'s> WayBack<'s> {
    fn open(source: &'s Source, input: &'s Input) -> Result<Self, Diagnostic> {
        Ok(Self { stage: Stage::open(source, input)?, schema: Schema::default() })
    }

    /// Goes on to the last of `passed`, all of which are known to work. Returns what is wrong with its way back.
    fn follow(&mut self, passed: &[&MigrationFile]) -> Result<Option<Finding>, Diagnostic> {
        let Some((file, before)) = passed.split_last() else { return Ok(None) };
        let wanted = self.schema.fingerprint();
        if self.run(file, Direction::Up).is_err() {
            self.replay(passed)?;
        }
        let Some(down) = &file.down else { return Ok(None) };
        let shown = format!("{}/{}", self.stage.source.directory, down.path);
        let wrong = match self.run(file, Direction::Down) {
            Err(failure) => Some(("failing-down", failure.diagnostic)),
            Ok(()) if self.schema.fingerprint() != wanted => {
                let found = std::mem::take(&mut self.schema);
                self.replay(before)?;
                let differences = found.differences(&self.schema);
                self.replay(passed)?;
                Some((INEXACT_DOWN, leads_elsewhere(down, &shown, &differences)))
            }
            Ok(()) => self.run(file, Direction::Up).err().map(|failure| {
                ("failing-again", failure.diagnostic.note(format!("it works once, and no more after `{shown}`")))
            }),
        };
        if wrong.is_some() {
            self.replay(passed)?;
        }
        Ok(wrong.map(|(lint, diagnostic)| Finding {
            version: file.version,
            direction: Direction::Down,
            lint,
            subject: String::new(),
            diagnostic,
        }))
    }

    fn run(&mut self, file: &MigrationFile, direction: Direction) -> Result<(), Failure> {
        self.stage.run(file, direction)?;
        let sandbox = &self.stage.sandbox;
        let refreshed = self.schema.refresh(sandbox.conn(), &sandbox.seen().change);
        refreshed.map(drop).map_err(|error| Failure::of_its_own(broken(&error)))
    }

    /// Starts again from nothing.
    fn replay(&mut self, passed: &[&MigrationFile]) -> Result<(), Diagnostic> {
        *self = Self::open(self.stage.source, self.stage.input)?;
        passed.iter().try_for_each(|file| self.run(file, Direction::Up)).map_err(|failure| failure.diagnostic)
    }
}

fn leads_elsewhere(down: &Script, shown: &str, differences: &[Difference]) -> Diagnostic {
    let title = format!("`{shown}` does not lead back to the schema before its migration");
    let error = underline_statement(Diagnostic::new(title), down, shown, first_statement(down));
    let error = differences.iter().fold(error, |error, difference| error.note(difference.to_string()));
    error.help("correct it; if that is how it is to be, write `-- molos: allow inexact-down` at its head")
}

fn first_statement(script: &Script) -> usize {
    statements(script.sql()).next().map_or(0, |statement| statement.offset)
}

fn unenforceable((table, parent): &(String, String)) -> Diagnostic {
    if parent.is_empty() {
        return Diagnostic::new(format!("after the last migration, a foreign key cannot be enforced: {table}"))
            .note("with `PRAGMA foreign_keys = ON`, every change of either table would fail")
            .help("refer to the primary key of the other table, or to columns with a `UNIQUE` index");
    }
    Diagnostic::new(format!("after the last migration, rows of `{table}` refer to what is not in `{parent}`"))
}

fn broken(error: &dyn Display) -> Diagnostic {
    Diagnostic::new(format!("the shadow database failed: {error}"))
}

/// Prepares every statement that is generated for a table.
fn unusable(conn: &Connection, model: &Model) -> Option<Diagnostic> {
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
        molos_runtime::Script { sql: script.sql(), line: script.line(), keys }
    }
    let (up, down) = (script(&file.up), file.down.as_ref().map(script));
    Migration::of_file(file.version, &file.up.path, file.name(), file.checksum, up, down)
}
