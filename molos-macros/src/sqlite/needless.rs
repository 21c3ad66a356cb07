//! Statements that other tools' files need, and that say what molos does anyway: the transaction around a file, the switch
//! of foreign keys, and settings of a connection.

use molos_runtime::__private::script::{Statement, TokenKind};
use molos_runtime::__private::sqlite::tokens;
use molos_runtime::ForeignKeys;

use crate::diagnostic::Diagnostic;
use crate::read::file::{Needless, Script};
use crate::sqlite::refusal::{pragma, refused};
use crate::sqlite::sandbox::authorizer::is_on;
use crate::sqlite::sandbox::trace::Refusal;

/// Pragmas that change how the database is read and written, and neither what is in it nor what a statement means.
const SETTINGS: &[&str] = &[
    "auto_vacuum",
    "busy_timeout",
    "cache_size",
    "cache_spill",
    "encoding",
    "journal_mode",
    "journal_size_limit",
    "locking_mode",
    "mmap_size",
    "page_size",
    "synchronous",
    "temp_store",
    "wal_autocheckpoint",
    "wal_checkpoint",
];

/// The statements of a script that are not needed.
pub(super) fn needless(script: &Script) -> Vec<Needless> {
    let statements: Vec<(Statement<'_>, What)> =
        script.statements().filter_map(|statement| Some((statement, What::of(statement.sql)?))).collect();
    let may_leave_out_transactions = [false, true].iter().any(|inside| is_balanced(&statements, *inside));
    let switches: Vec<bool> = statements.iter().filter_map(|(_, what)| what.foreign_keys()).collect();
    // Around a rebuild it is what SQLite's documentation says to write.
    let is_pair = switches.first() == Some(&false) && switches.last() == Some(&true);
    let contradicts = script.directives.foreign_keys == Some(ForeignKeys::On) && switches.contains(&false);
    let of = |(statement, what): (Statement<'_>, What)| {
        let (subject, is_left_out, diagnostic) = match what {
            What::ForeignKeys(_) if is_pair || contradicts => return None,
            What::ForeignKeys(on) => ("foreign_keys", false, foreign_keys(on)),
            What::Setting(name) => (name, true, pragma(name)),
            What::Rollback => return None,
            _ if !may_leave_out_transactions => return None,
            _ => ("transaction", true, refused(Some(&Refusal::Transaction))),
        };
        let range = statement.offset..statement.offset + statement.sql.len();
        Some(Needless { range, subject, is_left_out, diagnostic })
    };
    statements.into_iter().filter_map(of).collect()
}

fn foreign_keys(on: bool) -> Diagnostic {
    Diagnostic::new("`PRAGMA foreign_keys` does nothing inside of a transaction")
        .note("while a migration runs, foreign keys are not enforced; before the commit, every one is checked")
        .help(if on {
            "to have them enforced, write `-- molos: foreign-keys = on` at the head of the file; else remove it"
        } else {
            "remove it, or switch them on again at the end of the file"
        })
}

/// What a statement does with its transaction or its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Begin,
    Commit,
    Rollback,
    Savepoint(String),
    Release(String),
    ForeignKeys(bool),
    Setting(&'static str),
}

impl What {
    fn of(sql: &str) -> Option<Self> {
        let known = tokens(sql)
            .filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment | TokenKind::Semicolon));
        let pieces: Vec<String> = known.map(|token| sql[token.range].to_ascii_lowercase()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        match pieces.as_slice() {
            ["begin", ..] => Some(Self::Begin),
            ["commit" | "end", ..] => Some(Self::Commit),
            ["rollback", ..] => Some(Self::Rollback),
            ["savepoint", name] => Some(Self::Savepoint((*name).to_owned())),
            ["release", "savepoint", name] | ["release", name] => Some(Self::Release((*name).to_owned())),
            ["pragma", _, ".", name, value @ ..] | ["pragma", name, value @ ..] => Self::of_pragma(name, value),
            _ => None,
        }
    }

    fn of_pragma(name: &str, value: &[&str]) -> Option<Self> {
        if name == "foreign_keys" {
            let value = value.iter().rfind(|piece| **piece != ")")?;
            return Some(Self::ForeignKeys(is_on(value)));
        }
        SETTINGS.iter().find(|known| **known == name).map(|known| Self::Setting(known))
    }

    const fn foreign_keys(&self) -> Option<bool> {
        match self {
            Self::ForeignKeys(on) => Some(*on),
            _ => None,
        }
    }
}

/// Whether a script can be run, to its end, by a tool that has begun a transaction before it, or by one that has not, and
/// leaves that tool where it was, with nothing undone.
fn is_balanced(statements: &[(Statement<'_>, What)], inside: bool) -> bool {
    let mut in_transaction = inside;
    let mut savepoints: Vec<&str> = Vec::new();
    for (_, what) in statements {
        match what {
            What::Begin if !in_transaction && savepoints.is_empty() => in_transaction = true,
            What::Commit if in_transaction || !savepoints.is_empty() => {
                in_transaction = false;
                savepoints.clear();
            }
            What::Savepoint(name) => savepoints.push(name),
            What::Release(name) => match savepoints.iter().rposition(|open| open == name) {
                Some(at) => savepoints.truncate(at),
                None => return false,
            },
            What::Begin | What::Commit | What::Rollback => return false,
            What::ForeignKeys(_) | What::Setting(_) => {}
        }
    }
    in_transaction == inside && savepoints.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced(script: &str) -> bool {
        let statements: Vec<_> = molos_runtime::__private::sqlite::statements(script)
            .filter_map(|statement| Some((statement, What::of(statement.sql)?)))
            .collect();
        [false, true].iter().any(|inside| is_balanced(&statements, *inside))
    }

    #[test]
    fn transactions_that_a_tool_can_have_run_to_the_end_are_not_needed() {
        for script in [
            "BEGIN; CREATE TABLE a (b); COMMIT;",
            "/* x */ begin /* y */ immediate transaction; -- z\nEND TRANSACTION",
            "COMMIT; PRAGMA foreign_keys = OFF; BEGIN; DROP TABLE a; COMMIT; PRAGMA foreign_keys = ON; BEGIN;",
            "SAVEPOINT a; SAVEPOINT b; RELEASE a;",
            "BEGIN; SAVEPOINT a; RELEASE SAVEPOINT A; COMMIT; BEGIN; COMMIT;",
            "SAVEPOINT a; COMMIT",
        ] {
            assert!(balanced(script), "{script}");
        }
        for script in [
            "BEGIN",
            "COMMIT",
            "END",
            "BEGIN; BEGIN; COMMIT; COMMIT;",
            "BEGIN; ROLLBACK;",
            "BEGIN; SAVEPOINT a; ROLLBACK TO a; RELEASE a; COMMIT;",
            "SAVEPOINT a",
            "RELEASE a",
            "SAVEPOINT a; RELEASE b",
        ] {
            assert!(!balanced(script), "{script}");
        }
    }

    #[test]
    fn settings_are_told_from_pragmas_that_mean_something() {
        assert_eq!(What::of("PRAGMA main . Journal_Mode = wal;"), Some(What::Setting("journal_mode")));
        assert_eq!(What::of("pragma foreign_keys(1)"), Some(What::ForeignKeys(true)));
        assert_eq!(What::of("PRAGMA foreign_keys = 'off'"), Some(What::ForeignKeys(false)));
        for sql in ["PRAGMA foreign_keys", "PRAGMA recursive_triggers = ON", "PRAGMA writable_schema = ON"] {
            assert_eq!(What::of(sql), None, "{sql}");
        }
    }
}
