//! From a directory to its migrations, in order: what the files are named, what is in them, and what has shipped.

pub(crate) mod directive;
pub(crate) mod directory;
pub(crate) mod file;
pub(crate) mod lock;
mod migrations;
mod misnamed;
mod other_files;
mod sections;
pub(crate) mod source;

use std::collections::BTreeSet;

use molos_runtime::__private::script::TokenKind;
use molos_runtime::database::{Statements, Tokens};

use crate::diagnostic::Diagnostic;
use crate::read::file::{Needless, Script};

/// What a name in quotes can begin and end with.
pub(crate) const QUOTES: [char; 5] = ['"', '`', '[', ']', '\''];

/// A name or a string without its quotes.
pub(crate) fn unquoted(text: &str) -> String {
    let inside = text.trim_matches(QUOTES);
    match text.chars().next() {
        Some(quote) if QUOTES.contains(&quote) => inside.replace(&format!("{quote}{quote}"), &quote.to_string()),
        _ => inside.to_owned(),
    }
}

/// What a database says of files before it runs them.
pub(crate) struct Rules {
    /// The tokens of an SQL text.
    pub(crate) tokens: fn(&str) -> Tokens<'_>,
    /// The statements of a script.
    pub(crate) statements: fn(&str) -> Statements<'_>,
    /// What in a script that is run without a transaction has to be in one.
    pub(crate) check_no_transaction: fn(&Script) -> Vec<Diagnostic>,
    /// The statements of a script that say what molos does anyway.
    pub(crate) needless: fn(&Script) -> Vec<Needless>,
    /// Says what a NUL character in a file would do, and what to write instead.
    pub(crate) explain_nul: fn(Diagnostic) -> Diagnostic,
}

impl Rules {
    /// Whether a script has no statement in it.
    pub(crate) fn is_blank(&self, script: &str) -> bool {
        (self.statements)(script).next().is_none()
    }

    /// The words of `sql` outside of strings and comments, and the names in quotes, in lower case: what it may be about.
    pub(crate) fn words(&self, sql: &str) -> BTreeSet<String> {
        (self.tokens)(sql)
            .filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Quoted))
            .map(|token| unquoted(&sql[token.range]).to_ascii_lowercase())
            .collect()
    }

    /// What `sql` says, without white space and comments.
    pub(crate) fn code(&self, sql: &str) -> String {
        let known = (self.tokens)(sql).filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment));
        known.map(|token| &sql[token.range]).collect::<Vec<_>>().join(" ")
    }
}
