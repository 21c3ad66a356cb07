//! What may be run without a transaction: statements that cannot be run in one, that are all or nothing by themselves,
//! and that do no harm when they are run again because the program was cut off before they were in the history.

use molos_runtime::__private::script::TokenKind;
use molos_runtime::__private::sqlite::tokens;

use crate::diagnostic::Diagnostic;
use crate::read::file::Script;

/// The pragmas that do nothing inside of a transaction and stay with the database.
pub(crate) const PRAGMAS: &[&str] = &["auto_vacuum", "journal_mode", "page_size"];

/// What in a script has to be in a transaction.
pub(crate) fn check(script: &Script) -> Vec<Diagnostic> {
    let wrong = script.statements().filter(|statement| !needs_none(statement.sql));
    let error = |offset| {
        let error = Diagnostic::new("only `VACUUM` and pragmas of the database can be run without a transaction");
        script
            .underline_statement(error, offset)
            .note("anything else could be left half done when the program is cut off")
            .note("the pragmas are `auto_vacuum`, `journal_mode` and `page_size`, each with a value")
            .help("put it into a file of its own, without `-- molos: no-transaction`")
    };
    let mut errors: Vec<Diagnostic> = wrong.map(|statement| error(statement.offset)).collect();
    if script.directives.foreign_keys.is_some() {
        let shown = &script.shown;
        let error =
            Diagnostic::new(format!("`{shown}` has a directive about foreign keys, and none can be touched in it"));
        errors.push(error.help("remove one of the two directives"));
    }
    errors
}

fn needs_none(sql: &str) -> bool {
    let known = tokens(sql).filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment));
    let pieces: Vec<String> = known.map(|token| sql[token.range].to_ascii_lowercase()).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).filter(|piece| *piece != ";").collect();
    match pieces.as_slice() {
        ["vacuum"] | ["vacuum", "main"] => true,
        ["pragma", "main", ".", pragma, "=", _] | ["pragma", pragma, "=", _] | ["pragma", pragma, "(", _, ")"] => {
            PRAGMAS.contains(pragma)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_all_or_nothing_and_can_be_repeated_needs_no_transaction() {
        for sql in [
            "VACUUM;",
            "vacuum main",
            "PRAGMA journal_mode = WAL;",
            "PRAGMA main.page_size=8192",
            "PRAGMA auto_vacuum(2)",
        ] {
            assert!(needs_none(sql), "{sql}");
        }
        let others = [
            "VACUUM INTO 'copy.db'",
            "VACUUM temp",
            "PRAGMA journal_mode",
            "PRAGMA foreign_keys = ON",
            "INSERT INTO a VALUES (1)",
            "CREATE TABLE vacuum (a)",
            "PRAGMA journal_mode = WAL; DROP TABLE a",
        ];
        for sql in others {
            assert!(!needs_none(sql), "{sql}");
        }
    }
}
