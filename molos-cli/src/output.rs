//! What goes to stdout, the answer, and what goes to stderr, the rest.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use comfy_table::{Attribute, Cell, Color, Table, presets};
use molos_runtime::__private::visible;
use molos_runtime::{DatabaseFailure, Error, ErrorKind};
use serde::Serialize;

use crate::{interrupt, json};

/// Nothing is wrong, and something is pending; or the answer was no.
pub(crate) const PENDING: u8 = 1;
/// Something is wrong.
pub(crate) const WRONG: u8 = 2;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library's own error.
    Molos(Error),
    /// One of the command line's: what is wrong, and what to do.
    Here { problem: String, help: String },
    /// The answer to a question was no.
    Declined,
    /// The answer cannot be written.
    Stdout(io::Error),
}

impl Failure {
    pub(crate) fn new(problem: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self::Here { problem: problem.to_string(), help: help.to_string() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Molos(error)
    }
}

/// How the answer is given.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Gives an answer: `data` if it is to be in JSON, else `text`.
    pub(crate) fn answer(&self, data: &impl Serialize, text: impl fmt::Display) -> Result<(), Failure> {
        self.write(data, &visible(&text.to_string()))
    }

    /// Gives an answer that is a table for people.
    pub(crate) fn table(&self, data: &impl Serialize, rows: &Rows) -> Result<(), Failure> {
        self.write(data, rows)
    }

    fn write(&self, data: &impl Serialize, human: &impl fmt::Display) -> Result<(), Failure> {
        match self.try_write(data, human) {
            // Whoever reads the answer has seen enough, as in `app db status | head -n 1`; the exit code is still wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(Failure::Stdout),
        }
    }

    fn try_write(&self, data: &impl Serialize, human: &impl fmt::Display) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut stdout, data).map_err(io::Error::from)?;
            writeln!(stdout)?;
        } else {
            writeln!(stdout, "{human}")?;
        }
        stdout.flush()
    }

    /// Ends the program's run of the command.
    pub(crate) fn finish(&self, result: Result<ExitCode, Failure>) -> ExitCode {
        let failure = match result {
            Ok(code) => return code,
            Err(failure) => failure,
        };
        match failure {
            Failure::Molos(error) => {
                show_error(&error);
                self.failed(&json::Error::of(&error));
                code_of(&error)
            }
            Failure::Here { problem, help } => {
                show_problem(&problem, Some(&help));
                self.failed(&json::Error { message: problem, help: Some(help), ..json::Error::default() });
                ExitCode::from(WRONG)
            }
            Failure::Declined => {
                note("nothing was changed");
                ExitCode::from(PENDING)
            }
            Failure::Stdout(error) => {
                show_problem(&format!("the answer cannot be written: {error}"), None);
                ExitCode::from(WRONG)
            }
        }
    }

    /// Says what went wrong to programs, if that is wanted.
    fn failed(&self, error: &json::Error) {
        if self.json {
            // What is lost with stdout has been said on stderr.
            let _ = self.answer(&json::Failed { error: error.clone() }, "");
        }
    }
}

/// The exit code for an error of the library.
pub(crate) fn code_of(error: &Error) -> ExitCode {
    let stopped =
        interrupt::was_requested() && matches!(error.kind(), ErrorKind::Database(DatabaseFailure::Interrupted));
    ExitCode::from(if stopped { interrupt::EXIT_CODE } else { WRONG })
}

/// Says something on stderr.
pub(crate) fn note(text: impl fmt::Display) {
    say(&visible(&text.to_string()));
}

fn say(text: &str) {
    // There is nowhere left to say that stderr is gone.
    let _ = writeln!(AutoStream::auto(io::stderr()), "{text}");
}

/// Says on stderr what went wrong.
pub(crate) fn show_error(error: &Error) {
    let help = error.help();
    let text = format!("{error:#}");
    // The help comes last, and in a colour.
    let problem = help.as_deref().and_then(|help| text.strip_suffix(help)?.strip_suffix("\nhelp: "));
    show_problem(problem.unwrap_or(&text), help.as_deref().filter(|_| problem.is_some()));
}

fn show_problem(problem: &str, help: Option<&str>) {
    const RED: &str = "\x1b[1;31m";
    const CYAN: &str = "\x1b[1;36m";
    const OFF: &str = "\x1b[0m";
    let help = help.map(|help| format!("\n{CYAN}help:{OFF} {}", visible(help))).unwrap_or_default();
    say(&format!("{RED}error:{OFF} {}{help}", visible(problem)));
}

/// A table for people.
pub(crate) struct Rows {
    table: Table,
    /// Whether the first column says which set it is.
    by_set: bool,
}

impl Rows {
    pub(crate) fn new(header: &[&str]) -> Self {
        Self::by_set([].into_iter(), header)
    }

    /// A table with a column for the set, if there are several.
    pub(crate) fn by_set<'s>(sets: impl Iterator<Item = &'s str>, header: &[&str]) -> Self {
        let by_set = sets.collect::<BTreeSet<_>>().len() > 1;
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if is_plain() {
            table.force_no_tty();
        } else {
            table.enforce_styling();
        }
        let titles = by_set.then_some("SET").into_iter().chain(header.iter().copied());
        table.set_header(titles.map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        Self { table, by_set }
    }

    pub(crate) fn add(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.table.add_row(cells.into_iter().collect::<Vec<_>>());
    }

    pub(crate) fn add_of(&mut self, set: &str, cells: impl IntoIterator<Item = Cell>) {
        self.add(self.by_set.then(|| cell(set)).into_iter().chain(cells));
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line) in self.table.lines().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A cell of a table, which is in one line.
pub(crate) fn cell(text: impl fmt::Display) -> Cell {
    Cell::new(visible(&text.to_string()).replace('\n', "\\u{a}"))
}

pub(crate) fn good(text: &str) -> Cell {
    cell(text).fg(Color::Green)
}

pub(crate) fn due(text: &str) -> Cell {
    cell(text).fg(Color::Yellow)
}

pub(crate) fn bad(text: &str) -> Cell {
    cell(text).fg(Color::Red)
}

/// Whether stdout is to have no colours.
fn is_plain() -> bool {
    !io::stdout().is_terminal() || AutoStream::choice(&io::stdout()) == ColorChoice::Never
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_line() {
        let mut rows = Rows::new(&["NAME"]);
        rows.add([cell("a\nb")]);
        assert_eq!(rows.to_string(), "NAME\na\\u{a}b");
    }

    #[test]
    fn a_table_says_which_set_it_is_only_where_there_are_several() {
        let table = |sets: &[&str]| {
            let mut rows = Rows::by_set(sets.iter().copied(), &["NAME", "TIME"]);
            for set in sets {
                rows.add_of(set, [cell("a"), cell("")]);
            }
            rows.to_string()
        };
        assert_eq!(table(&["app", "app"]), "NAME  TIME\na\na");
        assert_eq!(table(&["core", "tasks"]), "SET    NAME  TIME\ncore   a\ntasks  a");
    }
}
