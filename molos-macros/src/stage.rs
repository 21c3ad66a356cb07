//! A sandbox to run the steps of a directory in, by the engine that runs them at a user's.

use std::fmt::Display;

use molos_runtime::driver::Driver as _;
use molos_runtime::{Direction, Listener, Migration, Schema, engine};

use crate::diagnostic::Diagnostic;
use crate::explain::{Failure, explain, foreign_keys_pragma};
use crate::file::{MigrationFile, Script, Source};
use crate::input::Function;
use crate::sandbox::Sandbox;
use crate::territory::Territory;

/// What is asked for of the set that a directory is.
#[derive(Clone, Copy)]
pub(crate) struct Set<'s> {
    pub(crate) name: &'s str,
    pub(crate) table_prefix: &'s str,
    pub(crate) functions: &'s [Function],
}

/// A sandbox to run the steps of a directory in.
pub(crate) struct Stage<'s> {
    pub(crate) sandbox: Sandbox,
    source: &'s Source,
    set: Set<'s>,
}

impl<'s> Stage<'s> {
    /// A sandbox with what the directories made that this one comes after.
    pub(crate) fn open(source: &'s Source, set: Set<'s>) -> Result<Self, Diagnostic> {
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
        let result = engine::run(sandbox, direction, &[migration], None, Listener::default());
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

/// What should not happen.
pub(crate) fn broken(error: &dyn Display) -> Diagnostic {
    Diagnostic::new(format!("the shadow database failed: {error}"))
}
