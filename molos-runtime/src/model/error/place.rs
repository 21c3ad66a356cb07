//! What an error is about: a migration, a place in its file, rows.

use std::fmt;

use crate::database::Database;
use crate::model::history::DEFAULT_SET;
use crate::model::migration::Migration;

/// Which migration an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The set it belongs to.
    pub set: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: String,
}

impl Step {
    pub(crate) fn new(set: &str, version: i64, name: &str) -> Self {
        Self { set: set.to_owned(), version, name: name.to_owned() }
    }

    pub(crate) fn of<DB: Database>(migration: &Migration<'_, DB>) -> Self {
        Self::new(migration.set(), migration.version(), migration.name())
    }
}

/// Names the set, unless it is the one that has no name of its own.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, version, name } = self;
        write!(f, "migration {version} ({name})")?;
        if set == DEFAULT_SET { Ok(()) } else { write!(f, " of \"{set}\"") }
    }
}

/// A place in a migration's file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The file, with the directory as the macro was given it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The first line of the statement.
    pub statement: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
