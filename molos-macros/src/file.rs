//! The files of a directory, read: data for all that comes after.

use std::ops::Range;
use std::sync::Arc;

use molos_runtime::Checksum;
use molos_runtime::layout::Layout;
use molos_runtime::script::{position, statement_at};

use crate::diagnostic::Diagnostic;
use crate::directive::Directives;

/// The migrations of a directory.
pub(crate) struct Source {
    /// The directory as the user wrote it, with forward slashes and none at the end.
    pub(crate) directory: String,
    /// The migrations, in the order of their versions.
    pub(crate) migrations: Vec<MigrationFile>,
    /// Every file that was read, relative to the directory.
    pub(crate) files: Vec<String>,
    /// What is wrong with the directory.
    pub(crate) errors: Vec<Diagnostic>,
    /// The directories that this one comes after.
    pub(crate) bases: Vec<Source>,
}

/// A migration as it stands in its files.
pub(crate) struct MigrationFile {
    pub(crate) version: i64,
    /// The bytes of the up script's path that are the migration's name.
    pub(crate) name: Range<usize>,
    pub(crate) up: Script,
    /// A script with at least one statement.
    pub(crate) down: Option<Script>,
    pub(crate) checksum: Checksum,
    pub(crate) layout: Layout,
    /// Whether both ways stand in one file.
    pub(crate) sectioned: bool,
}

impl MigrationFile {
    pub(crate) fn name(&self) -> &str {
        &self.up.path[self.name.clone()]
    }
}

/// A script and the file it stands in.
#[derive(Clone)]
pub(crate) struct Script {
    /// The file, relative to the directory.
    pub(crate) path: String,
    /// The file's whole text, normalised.
    pub(crate) file: Arc<str>,
    /// The bytes of the file that are the script.
    pub(crate) range: Range<usize>,
    pub(crate) directives: Directives,
}

impl Script {
    pub(crate) fn sql(&self) -> &str {
        &self.file[self.range.clone()]
    }

    /// The line of the file that the script starts on.
    pub(crate) fn line(&self) -> u32 {
        u32::try_from(position(&self.file, self.range.start).line).unwrap_or(u32::MAX)
    }
}

/// Points at the statement at `offset`.
pub(crate) fn underline_statement(diagnostic: Diagnostic, script: &Script, shown: &str, offset: usize) -> Diagnostic {
    let length = statement_at(script.sql(), offset).map_or(1, |statement| statement.sql.len());
    underline(diagnostic, script, shown, offset..offset + length)
}

/// Points at these bytes of the script.
pub(crate) fn underline(diagnostic: Diagnostic, script: &Script, shown: &str, within: Range<usize>) -> Diagnostic {
    let start = script.range.start;
    diagnostic.at(shown, &script.file, start + within.start..start + within.end, "")
}
