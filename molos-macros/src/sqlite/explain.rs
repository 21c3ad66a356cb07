//! What SQLite says of a step that fails, said to the author of the file.

use std::collections::BTreeSet;

use molos_runtime::__private::script::Token;
use molos_runtime::__private::sqlite::{statement_at, tokens};
use molos_runtime::sqlite::catalog::quote;
use molos_runtime::{Error, ErrorKind};

use crate::check::failure::{Cause, Constraint, Failure, Message};
use crate::diagnostic::Diagnostic;
use crate::read::QUOTES;
use crate::read::file::Script;
use crate::sqlite::refusal::{first_word, refused};
use crate::sqlite::sandbox::limits::{LARGEST_DATABASE, LARGEST_HEAP, LARGEST_VALUE, LONGEST_PATTERN};
use crate::sqlite::sandbox::trace::{FailedStatement, Refusal, Trace};
use crate::sqlite::words;

/// Words of SQLite's messages that have no name at their end.
const COMMON: &[&str] =
    &["but", "columns", "foreign", "has", "key", "mismatch", "referencing", "supplied", "table", "values", "were"];

/// What the engine's error means for the author of the file.
pub(super) fn explain(error: &Error, trace: &Trace, script: &Script) -> Failure {
    let shown = &script.shown;
    if let Some(failed) = &trace.failed {
        let failure = statement_failed(failed, trace.refusal.as_ref(), script);
        return Failure { statement: Some(failed.statement), ..failure };
    }
    let ErrorKind::ForeignKeys { violations, .. } = error.kind() else {
        return Failure::of_its_own(Diagnostic::new(format!("`{shown}` fails: {error}")));
    };
    let diagnostic = Diagnostic::new(format!("`{shown}` leaves rows that refer to nothing"));
    let diagnostic = violations.iter().fold(diagnostic, |diagnostic, it| diagnostic.note(it.to_string()));
    let is_about = |table: &str| {
        violations.iter().any(|it| [&it.table, &it.parent].into_iter().any(|name| name.eq_ignore_ascii_case(table)))
    };
    let mut events = trace.effects.events.iter().rev();
    let diagnostic = match events.find(|event| event.what.changes().is_some_and(is_about)) {
        Some(event) => script.underline_statement(diagnostic, event.statement),
        None => diagnostic,
    };
    let diagnostic = diagnostic.help("insert the row that is referred to, or change the foreign key");
    Failure { cause: Cause::Rows, ..Failure::of_its_own(diagnostic) }
}

fn statement_failed(failed: &FailedStatement, refusal: Option<&Refusal>, script: &Script) -> Failure {
    let FailedStatement { offset, message, .. } = failed;
    let offset = *offset;
    let refuse = |refusal: Option<&Refusal>| Failure::of_its_own(script.underline_statement(refused(refusal), offset));
    if failed.ends_transaction {
        return refuse(Some(&Refusal::Transaction));
    }
    let statement = statement_at(script.sql(), offset);
    let vacuum = statement.is_some_and(|statement| first_word(statement.sql).eq_ignore_ascii_case("VACUUM"));
    if refusal.is_some() || vacuum {
        return refuse(refusal);
    }
    let syntax = message.ends_with("syntax error") || message.contains("unrecognized token");
    let diagnostic = hint(Diagnostic::new(format!("`{}` fails: {message}", script.shown)), message);
    let starts_statement = statement.is_some_and(|statement| statement.offset == offset);
    let culprit = if starts_statement && !syntax { named_in(script.sql(), offset, message) } else { Some(offset) };
    let diagnostic = match culprit {
        None => script.underline_statement(diagnostic, offset),
        Some(offset) => script.underline(diagnostic, offset..token_end(script.sql(), offset)),
    };
    let cause = cause(failed);
    if syntax {
        return Failure { cause, ..Failure::of_its_own(diagnostic) };
    }
    let message = Message { text: message.clone(), names: names(message), constraint: constraint(message) };
    Failure { message: Some(Box::new(message)), cause, ..Failure::of_its_own(diagnostic) }
}

fn cause(failed: &FailedStatement) -> Cause {
    // What `ALTER TABLE` refuses where there are rows has no code of its own.
    if refuses_to_add(&failed.message, "") {
        return Cause::Rows;
    }
    if failed.is_constraint || failed.message.ends_with(" constraint failed") { Cause::Values } else { Cause::Other }
}

/// What SQLite's message is about, in lower case: what is missing, there already, or not as it has to be.
fn names(message: &str) -> BTreeSet<String> {
    let last_part = |name: &str| name.rsplit('.').next().unwrap_or_default().trim_matches(QUOTES).to_ascii_lowercase();
    if let Some((_, all)) = message.rsplit_once(": ") {
        return all.split(", ").map(last_part).collect();
    }
    let absent = message.rsplit_once(" named ");
    let twice = || message.strip_suffix(" already exists").and_then(|it| it.split_once(' '));
    if let Some((_, name)) = absent.or_else(twice) {
        return BTreeSet::from([last_part(name)]);
    }
    let mut words = words(message);
    words.retain(|word| !COMMON.contains(&word.as_str()) && !word.starts_with(|it: char| it.is_ascii_digit()));
    words
}

/// The constraint that SQLite's message is about.
fn constraint(message: &str) -> Option<Constraint> {
    match message.split_once(" constraint failed")?.0 {
        "NOT NULL" => Some(Constraint::NotNull),
        "UNIQUE" => Some(Constraint::Unique),
        "CHECK" => Some(Constraint::Check),
        _ => None,
    }
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

/// The index, trigger or view that an `ALTER TABLE` would break or has found broken.
fn object_in_the_way(message: &str) -> Option<(&str, &str)> {
    let (kind, rest) = message.strip_prefix("error in ")?.split_once(' ')?;
    let name = rest.split_once(" after ").or_else(|| rest.split_once(": "))?.0;
    ["index", "trigger", "view"].contains(&kind).then_some((kind, name))
}

fn refuses_to_add(message: &str, what: &str) -> bool {
    let start = format!("cannot add a {what}");
    message.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(&start))
}

/// Adds what is known to help against an error of SQLite's.
fn hint(diagnostic: Diagnostic, message: &str) -> Diagnostic {
    if let Some(function) = message.strip_prefix("no such function: ") {
        return diagnostic.note(format!("`{function}` is not a function of SQLite")).help(format!(
            "if the program registers it, declare it with its number of arguments: `functions = [\"{function}/1\"]`"
        ));
    }
    if let Some(collation) = message.strip_prefix("no such collation sequence: ") {
        return diagnostic
            .note(format!("`{collation}` is not a collation of SQLite"))
            .help(format!("if the program registers it, declare it: `collations = [\"{collation}\"]`"));
    }
    if let Some((kind, name)) = object_in_the_way(message) {
        return diagnostic.help(format!(
            "the {kind} `{name}` is in the way: write `DROP {} {}` before this, and create it again in its new form after it",
            kind.to_uppercase(),
            quote(name)
        ));
    }
    if let Some((_, help)) = REFUSED_FOR_ROWS.iter().find(|(what, _)| refuses_to_add(message, what)) {
        return diagnostic.help(*help);
    }
    let too_large = match message {
        "database or disk is full" => Some(("the database", LARGEST_DATABASE)),
        "string or blob too big" => Some(("a value", i64::from(LARGEST_VALUE))),
        "out of memory" => Some(("SQLite", LARGEST_HEAP)),
        _ => None,
    };
    if message == "LIKE or GLOB pattern too complex" {
        return diagnostic
            .note(format!("while migrations are checked, a pattern may have {LONGEST_PATTERN} bytes at most"))
            .help("compare with `=` or `instr`, or with a shorter pattern");
    }
    if let Some((what, bytes)) = too_large {
        return diagnostic
            .note(format!("while migrations are checked, {what} may have {} MiB at most", bytes >> 20))
            .help("fill in large data in the program, after the migrations");
    }
    if let Some(module) = message.strip_prefix("no such module: ") {
        return diagnostic.note(format!("the SQLite that molos was built with has no `{module}`"));
    }
    diagnostic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_is_about_is_named_and_nothing_else() {
        for (message, expected) in [
            ("no such table: main.posts", &["posts"][..]),
            ("no such column: posts.Body", &["body"]),
            ("error in view table: no such table: main.key", &["key"]),
            ("table posts has no column named body", &["body"]),
            ("UNIQUE constraint failed: posts.a, posts.b", &["a", "b"]),
            ("table \"no\" already exists", &["no"]),
            ("there is already a table named posts", &["posts"]),
            ("there is already another table or index with this name: posts", &["posts"]),
            ("foreign key mismatch - \"child\" referencing \"parent\"", &["child", "parent"]),
            ("table posts has 2 columns but 3 values were supplied", &["posts"]),
            ("there is already a table named key", &["key"]),
            ("index values already exists", &["values"]),
        ] {
            assert_eq!(names(message).iter().collect::<Vec<_>>(), expected, "{message}");
        }
    }

    #[test]
    fn what_stands_in_the_way_of_an_alter_table_is_named() {
        for (message, expected) in [
            ("error in index i after drop column: no such column: b", Some(("index", "i"))),
            ("error in view v w after rename: no such column: b", Some(("view", "v w"))),
            ("error in view v: no such table: main.t", Some(("view", "v"))),
            ("error in trigger g: no such table: main.t", Some(("trigger", "g"))),
            ("error in table t after drop column: no such column: b", None),
            ("no such table: t", None),
        ] {
            assert_eq!(object_in_the_way(message), expected, "{message}");
        }
    }
}
