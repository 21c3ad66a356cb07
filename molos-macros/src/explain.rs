//! What went wrong in the shadow database, said to the author of the file.

use std::collections::BTreeSet;

use molos_runtime::rusqlite;
use molos_runtime::script::{Token, TokenKind, statement_at, statements, tokens};
use molos_runtime::{Error, ForeignKeys, Location};

use crate::diagnostic::Diagnostic;
use crate::file::{Script, underline_statement};
use crate::outside::PRAGMAS;
use crate::sandbox::{LARGEST_DATABASE, LARGEST_VALUE};
use crate::seen::{Refusal, Seen};
use crate::words::{QUOTES, words};

/// A step that did not work.
pub(crate) struct Failure {
    pub(crate) diagnostic: Diagnostic,
    /// SQLite's message, if it may be about something that an earlier failure left out.
    pub(crate) message: Option<String>,
    pub(crate) cause: Cause,
}

/// What stands against a step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A constraint on the values that are in a row.
    Constraint,
    /// That there are rows, whatever is in them.
    Rows,
    Other,
}

impl Failure {
    pub(crate) fn of_its_own(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, message: None, cause: Cause::Other }
    }

    /// Whether this is about something that scripts with these words failed to make.
    pub(crate) fn follows_from(&self, missing: &BTreeSet<String>) -> bool {
        const COMMON: &[&str] = &[
            "a",
            "already",
            "and",
            "as",
            "by",
            "cannot",
            "check",
            "column",
            "columns",
            "constraint",
            "error",
            "exists",
            "failed",
            "for",
            "foreign",
            "has",
            "in",
            "index",
            "is",
            "key",
            "main",
            "named",
            "no",
            "not",
            "null",
            "of",
            "on",
            "such",
            "supplied",
            "table",
            "there",
            "to",
            "trigger",
            "unique",
            "unknown",
            "values",
            "view",
            "were",
        ];
        let Some(message) = &self.message else { return false };
        words(message).iter().any(|word| missing.contains(word) && !COMMON.contains(&word.as_str()))
    }
}

/// What the engine's error means for the author of the file.
pub(crate) fn explain(error: &Error, seen: &Seen, script: &Script, shown: &str) -> Failure {
    match error {
        Error::Statement { location, source, .. } => statement_failed(location, source.as_ref(), seen, script, shown),
        // In memory, these are what SQLite makes of a statement, such as one that does not end or fills the database.
        Error::Full { during, source, .. }
        | Error::Io { during, source, .. }
        | Error::Corrupt { during, source, .. }
        | Error::ReadOnly { during, source, .. }
        | Error::CannotOpen { during, source, .. }
        | Error::Interrupted { during, source, .. }
        | Error::NotADatabase { during, source, .. } => match &during.location {
            Some(location) => statement_failed(location, source.as_ref(), seen, script, shown),
            None => Failure::of_its_own(Diagnostic::new(format!("`{shown}` fails: {error}"))),
        },
        Error::TransactionEnded { location, .. } => {
            let offset = offset_of(script.sql(), script.line(), location.line, location.column);
            Failure::of_its_own(underline_statement(refused(Some(&Refusal::Transaction)), script, shown, offset))
        }
        Error::ForeignKeys { violations, .. } => {
            let mut diagnostic = Diagnostic::new(format!("`{shown}` leaves rows that refer to nothing"));
            for violation in violations {
                diagnostic = diagnostic.note(violation.to_string());
            }
            let diagnostic = diagnostic.help("insert the row that is referred to, or change the foreign key");
            Failure { diagnostic, message: None, cause: Cause::Rows }
        }
        other => Failure::of_its_own(Diagnostic::new(format!("`{shown}` fails: {other}"))),
    }
}

fn statement_failed(
    location: &Location,
    source: &(dyn std::error::Error + 'static),
    seen: &Seen,
    script: &Script,
    shown: &str,
) -> Failure {
    let offset = offset_of(script.sql(), script.line(), location.line, location.column);
    let statement = statement_at(script.sql(), offset);
    let vacuum = statement.is_some_and(|statement| first_word(statement.sql).eq_ignore_ascii_case("VACUUM"));
    if seen.refusal.is_some() || vacuum {
        let diagnostic = refused(seen.refusal.as_ref());
        return Failure::of_its_own(underline_statement(diagnostic, script, shown, offset));
    }
    let message = source.to_string();
    let syntax = message.ends_with("syntax error") || message.contains("unrecognized token");
    let diagnostic = hint(Diagnostic::new(format!("`{shown}` fails: {message}")), &message);
    let starts_statement = statement.is_some_and(|statement| statement.offset == offset);
    let culprit = if starts_statement && !syntax { named_in(script.sql(), offset, &message) } else { Some(offset) };
    let diagnostic = match culprit {
        None => underline_statement(diagnostic, script, shown, offset),
        Some(offset) => {
            let end = script.range.start + token_end(script.sql(), offset);
            diagnostic.at(shown, &script.file, script.range.start + offset..end, "")
        }
    };
    let cause = cause(source, &message);
    Failure { diagnostic, message: (!syntax).then_some(message), cause }
}

fn cause(error: &(dyn std::error::Error + 'static), message: &str) -> Cause {
    // What `ALTER TABLE` refuses where there are rows has no code of its own.
    if refuses_to_add(message, "") {
        return Cause::Rows;
    }
    let error = error.source().and_then(|source| source.downcast_ref::<rusqlite::Error>());
    let code = error.and_then(rusqlite::Error::sqlite_error_code);
    if code == Some(rusqlite::ErrorCode::ConstraintViolation) || message.ends_with(" constraint failed") {
        return Cause::Constraint;
    }
    Cause::Other
}

/// The byte of `script` at this line and column of its file.
fn offset_of(script: &str, first_line: u32, line: usize, column: usize) -> usize {
    let above = line.saturating_sub(usize::try_from(first_line).unwrap_or(1));
    let start: usize = script.split_inclusive('\n').take(above).map(str::len).sum();
    let rest = script.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
}

/// Where the token that starts at `offset` ends.
fn token_end(script: &str, offset: usize) -> usize {
    tokens(script).find(|token| token.range.end > offset).map_or(script.len(), |token| token.range.end)
}

/// Where the statement at `offset` names what SQLite's message ends with: what is missing, or there twice.
fn named_in(script: &str, offset: usize, message: &str) -> Option<usize> {
    const TWICE: &str = "duplicate column name: ";
    let (name, nth) = match (message.strip_prefix("no such "), message.strip_prefix(TWICE)) {
        (Some(rest), _) => (rest.split_once(": ")?.1.rsplit('.').next()?, 0),
        (None, Some(name)) => (name, 1),
        (None, None) => return None,
    };
    let statement = statement_at(script, offset)?.sql;
    let is_name = |token: &Token| statement[token.range.clone()].trim_matches(QUOTES).eq_ignore_ascii_case(name);
    tokens(statement).filter(is_name).nth(nth).map(|token| offset + token.range.start)
}

fn first_word(sql: &str) -> &str {
    tokens(sql).find(|token| token.kind == TokenKind::Word).map_or("", |token| &sql[token.range])
}

/// What `ALTER TABLE … ADD COLUMN` refuses where there are rows, and what to do.
const REFUSED_FOR_ROWS: &[(&str, &str)] = &[
    ("NOT NULL column", "rows that are there already need a value: add a `DEFAULT`"),
    (
        "REFERENCES column",
        "rows that are there already would all refer to one row: leave the `DEFAULT` out, and fill the column in after",
    ),
    (
        "column with non-constant default",
        "add it with a constant `DEFAULT` and `UPDATE` the rows, or rebuild the table: create a new one, copy, drop the old, \
         rename",
    ),
    ("STORED column", "make it `VIRTUAL`, or rebuild the table: create a new one, copy, drop the old, rename"),
];

fn refuses_to_add(message: &str, what: &str) -> bool {
    let start = format!("cannot add a {what}");
    message.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(&start))
}

/// Adds what is known to help against an error of SQLite's.
fn hint(diagnostic: Diagnostic, message: &str) -> Diagnostic {
    if let Some(function) = message.strip_prefix("no such function: ") {
        return diagnostic.note(format!("`{function}` is none of SQLite's functions")).help(format!(
            "if the program registers it, declare it with its number of arguments: `functions = [\"{function}/1\"]`"
        ));
    }
    if let Some((_, help)) = REFUSED_FOR_ROWS.iter().find(|(what, _)| refuses_to_add(message, what)) {
        return diagnostic.help(*help);
    }
    let too_large = match message {
        "database or disk is full" => Some(("the database", LARGEST_DATABASE)),
        "string or blob too big" => Some(("a value", i64::from(LARGEST_VALUE))),
        _ => None,
    };
    if let Some((what, bytes)) = too_large {
        return diagnostic
            .note(format!("while migrations are rehearsed, {what} may have {} MiB at most", bytes >> 20))
            .help("fill in large data in the program, after the migrations");
    }
    if let Some(module) = message.strip_prefix("no such module: ") {
        return diagnostic.note(format!("the SQLite that molos was built with has no `{module}`"));
    }
    diagnostic
}

fn refused(refusal: Option<&Refusal>) -> Diagnostic {
    match refusal {
        Some(Refusal::Transaction) => Diagnostic::new("a migration must not begin or end a transaction")
            .note("each is run inside of one already, so that a failure leaves nothing behind")
            .help("remove the statement"),
        Some(Refusal::Attach) => Diagnostic::new("a migration must not attach another database")
            .note("it is about this one; which files there are is known only to the program")
            .help("attach the database in the program"),
        Some(Refusal::Detach) => Diagnostic::new("a migration must not detach a database")
            .help("detach it in the program, which attached it"),
        Some(Refusal::LoadExtension) => Diagnostic::new("a migration must not load an extension")
            .note("an extension is code that would run inside of the compiler")
            .help("register the function in the program, and declare it: `functions = [\"name/1\"]`"),
        Some(Refusal::Pragma(name)) => pragma(name),
        Some(Refusal::History) => Diagnostic::new("a migration must not change the history table")
            .note("it is where molos records what was applied; a view may read it")
            .help("remove the statement"),
        Some(Refusal::Runaway) => Diagnostic::new("the statement does not come to an end")
            .note("it was stopped after 50,000,000 instructions of SQLite's virtual machine")
            .help("give a recursive query a condition that ends it, or a `LIMIT`"),
        Some(Refusal::Other(what)) => Diagnostic::new(format!("a migration must not do this ({what})")),
        None => Diagnostic::new("a migration must not `VACUUM`")
            .note("it cannot be run inside of a transaction, and a migration is run in one")
            .help("put it into a file of its own that begins with `-- molos: no-transaction`"),
    }
}

fn pragma(name: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(format!("a migration must not use `PRAGMA {name}`"));
    match name {
        _ if PRAGMAS.contains(&name) => {
            diagnostic.note("it does nothing inside of a transaction, and a migration is run in one").help(
                "put it into a file of its own that begins with `-- molos: no-transaction`, or set it in the program",
            )
        }
        "synchronous" | "encoding" | "wal_checkpoint" | "incremental_vacuum" | "locking_mode" | "temp_store" => {
            diagnostic
                .note("it does nothing inside of a transaction, and every migration is run in one")
                .help("set it in the program, where the database is opened")
        }
        "writable_schema" | "schema_version" => diagnostic
            .note("it can leave a database that cannot be opened any more")
            .help("write `ALTER TABLE`, or rebuild the table: create a new one, copy, drop the old, rename"),
        "ignore_check_constraints" => diagnostic
            .note("rows that a `CHECK` refuses would stay in the database")
            .help("change the rows or the constraint"),
        _ => diagnostic
            .note("it is a setting of a connection, and would be gone with the one that migrates")
            .help("set it in the program, where the database is opened"),
    }
}

/// `PRAGMA foreign_keys = OFF … ON` around a rebuild says what the engine does anyway; anything else would do nothing.
pub(crate) fn foreign_keys_pragma(seen: &Seen, script: &Script, shown: &str) -> Result<(), Diagnostic> {
    let switches = &seen.foreign_keys;
    let (Some(first), Some(last)) = (switches.first(), switches.last()) else { return Ok(()) };
    let is_pair = !first && *last;
    if is_pair && script.directives.foreign_keys != Some(ForeignKeys::On) {
        return Ok(());
    }
    let mut pragmas = statements(script.sql())
        .filter(|statement| first_word(statement.sql).eq_ignore_ascii_case("PRAGMA"))
        .filter(|statement| words(statement.sql).contains("foreign_keys"));
    let pragma = if *first || is_pair { pragmas.next() } else { pragmas.last() };
    let offset = pragma.map_or(0, |statement| statement.offset);
    let diagnostic = if is_pair {
        Diagnostic::new("the file switches foreign keys off, and its directive says they are on")
            .help("remove one of the two")
    } else {
        Diagnostic::new("`PRAGMA foreign_keys` does nothing inside of a transaction")
            .note("while a migration runs, foreign keys are not enforced; before the commit, every one is checked")
            .help(if *first {
                "to have them enforced, write `-- molos: foreign-keys = on` at the head of the file; else remove it"
            } else {
                "remove it, or switch them on again at the end of the file"
            })
    };
    Err(underline_statement(diagnostic, script, shown, offset))
}
