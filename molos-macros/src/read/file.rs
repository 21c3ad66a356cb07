//! A migration as it stands in its files: data for all that comes after.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use molos_runtime::__private::layout::Layout;
use molos_runtime::__private::marks::Marks;
use molos_runtime::__private::script::{Statement, position};
use molos_runtime::{Checksum, Direction};

use crate::diagnostic::Diagnostic;
use crate::read::Rules;
use crate::read::directive::Directives;

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
    /// The marks between both scripts, if they stand in one file.
    pub(crate) marks: Option<Marks>,
}

impl MigrationFile {
    pub(crate) fn name(&self) -> &str {
        &self.up.path[self.name.clone()]
    }

    pub(crate) fn up(&self) -> Step<'_> {
        Step { file: self, direction: Direction::Up, script: &self.up }
    }

    pub(crate) fn down(&self) -> Option<Step<'_>> {
        self.down.as_ref().map(|script| Step { file: self, direction: Direction::Down, script })
    }
}

/// A migration in one direction.
#[derive(Clone, Copy)]
pub(crate) struct Step<'s> {
    pub(crate) file: &'s MigrationFile,
    pub(crate) direction: Direction,
    pub(crate) script: &'s Script,
}

impl Step<'_> {
    pub(crate) fn version(&self) -> i64 {
        self.file.version
    }
}

/// A script and the file it stands in.
#[derive(Clone)]
pub(crate) struct Script {
    /// The file, relative to the directory.
    pub(crate) path: String,
    /// The file as the user knows it, with the directory.
    pub(crate) shown: String,
    /// The file's whole text, normalised.
    pub(crate) file: Arc<str>,
    /// The bytes of the file that are the script.
    pub(crate) range: Range<usize>,
    pub(crate) directives: Directives,
    pub(crate) rules: &'static Rules,
    pub(crate) needless: Vec<Needless>,
}

/// A statement that says what molos does anyway, or that has never done anything.
#[derive(Clone)]
pub(crate) struct Needless {
    /// Its bytes in the script.
    pub(crate) range: Range<usize>,
    /// What it is about, as the lock and a directive name it.
    pub(crate) subject: &'static str,
    /// Whether it must not be run.
    pub(crate) is_left_out: bool,
    pub(crate) diagnostic: Diagnostic,
}

impl Script {
    pub(crate) fn sql(&self) -> &str {
        &self.file[self.range.clone()]
    }

    /// The SQL that is run: of the same length, with spaces where a statement is left out.
    pub(crate) fn to_run(&self) -> Cow<'_, str> {
        let mut sql = Cow::Borrowed(self.sql());
        for (offset, statement) in self.blanked() {
            let blank: String = statement.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
            sql.to_mut().replace_range(offset..offset + statement.len(), &blank);
        }
        sql
    }

    /// The statements that are left out of what is run, each with its offset.
    pub(crate) fn blanked(&self) -> impl Iterator<Item = (usize, &str)> {
        let left_out = self.needless.iter().filter(|it| it.is_left_out);
        left_out.map(|it| (it.range.start, &self.sql()[it.range.clone()]))
    }

    /// The line of the file that the script starts on.
    pub(crate) fn line(&self) -> u32 {
        u32::try_from(position(&self.file, self.range.start).line).unwrap_or(u32::MAX)
    }

    /// Its statements, in order.
    pub(crate) fn statements(&self) -> impl Iterator<Item = Statement<'_>> {
        (self.rules.statements)(self.sql())
    }

    /// Where the statements with all of these words in them start.
    pub(crate) fn statements_with<'s>(&'s self, wanted: &'s [&str]) -> impl Iterator<Item = usize> + 's {
        let has_all = |sql| {
            let words = self.rules.words(sql);
            wanted.iter().all(|word| words.contains(*word))
        };
        self.statements().filter(move |statement| has_all(statement.sql)).map(|statement| statement.offset)
    }

    /// The words of the statements that start at these offsets.
    pub(crate) fn words_at(&self, offsets: &BTreeSet<usize>) -> BTreeSet<String> {
        let statements = self.statements().filter(|statement| offsets.contains(&statement.offset));
        statements.flat_map(|statement| self.rules.words(statement.sql)).collect()
    }

    /// Whether it has no statement in it.
    pub(crate) fn is_blank(&self) -> bool {
        self.rules.is_blank(self.sql())
    }

    /// Points at these bytes of the script.
    pub(crate) fn underline(&self, diagnostic: Diagnostic, within: Range<usize>) -> Diagnostic {
        let start = self.range.start;
        diagnostic.at(&self.shown, &self.file, start + within.start..start + within.end, "")
    }

    /// Points at the statement at `offset`.
    pub(crate) fn underline_statement(&self, diagnostic: Diagnostic, offset: usize) -> Diagnostic {
        let before = self.statements().take_while(|statement| statement.offset <= offset);
        let length = before.last().map_or(1, |statement| statement.sql.len());
        self.underline(diagnostic, offset..offset + length)
    }
}
