//! Runs the steps of a directory, after those of the directories that it comes after.

use molos_runtime::Migration;

use crate::check::failure::Failure;
use crate::check::ownership::Ownership;
use crate::check::shadow::Shadow;
use crate::diagnostic::Diagnostic;
use crate::input::Registered;
use crate::read::file::{MigrationFile, Script, Step};
use crate::read::source::Source;

/// What is asked for of the set that a directory is.
#[derive(Clone, Copy)]
pub(crate) struct Set<'s> {
    pub(crate) name: &'s str,
    pub(crate) table_prefix: &'s str,
    pub(crate) registered: &'s Registered,
}

/// A shadow database, and the directory whose steps are run on it.
pub(crate) struct Runner<'s, S> {
    pub(crate) shadow: S,
    source: &'s Source,
    set: Set<'s>,
}

impl<'s, S: Shadow> Runner<'s, S> {
    /// A shadow database with what the directories made that this one comes after.
    pub(crate) fn open(source: &'s Source, set: Set<'s>) -> Result<Self, Diagnostic> {
        let mut runner = Self { shadow: S::open(set.registered)?, source, set };
        for base in &source.bases {
            for file in &base.migrations {
                runner.run_of(base, file.up()).map_err(|failure| {
                    failure.diagnostic.note(format!("`{}` comes after this directory", source.directory))
                })?;
            }
        }
        runner.shadow.read_schema()?;
        Ok(runner)
    }

    /// The same, before the first step.
    pub(crate) fn another(&self) -> Result<Self, Diagnostic> {
        Self::open(self.source, self.set)
    }

    /// A copy of it.
    pub(crate) fn copy(&self) -> Result<Self, Diagnostic> {
        let mut shadow = S::open(self.set.registered)?;
        shadow.copy_from(&self.shadow)?;
        Ok(Self { shadow, ..*self })
    }

    /// What belongs to whom, before the first step.
    pub(crate) fn ownership(&self) -> Ownership<'s> {
        let directories = self.source.bases.iter().map(|base| base.directory.as_str()).collect();
        Ownership::new(self.shadow.schema().clone(), self.set.table_prefix, directories)
    }

    /// Runs one step in a transaction of its own.
    pub(crate) fn run(&mut self, step: Step<'_>) -> Result<(), Failure> {
        self.run_of(self.source, step)
    }

    fn run_of(&mut self, source: &Source, step: Step<'_>) -> Result<(), Failure> {
        let file = step.file;
        let (up, down) = (file.up.to_run(), file.down.as_ref().map(Script::to_run).unwrap_or_default());
        self.shadow.run(step, &as_migration(file, &up, &down).in_set(self.set.name, &source.directory))
    }
}

/// A migration as the engine takes it.
fn as_migration<'f>(file: &'f MigrationFile, up: &'f str, down: &'f str) -> Migration<'f> {
    fn script<'s>(script: &Script, sql: &'s str) -> molos_runtime::__private::Script<'s> {
        molos_runtime::__private::Script {
            sql,
            line: script.line(),
            keys: script.directives.foreign_keys.unwrap_or_default(),
            no_transaction: script.directives.no_transaction,
        }
    }
    let (up, down) = (script(&file.up, up), file.down.as_ref().map(|it| script(it, down)));
    Migration::of_file(file.version, &file.up.path, file.name(), file.checksum, up, down)
}
