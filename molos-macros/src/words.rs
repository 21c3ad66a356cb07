//! The words of SQL: what it may be about.

use std::collections::BTreeSet;

use molos_runtime::__private::script::{TokenKind, tokens};

/// What a name in quotes can begin and end with.
pub(crate) const QUOTES: [char; 5] = ['"', '`', '[', ']', '\''];

/// The words of `sql` outside of strings and comments, and the names in quotes, in lower case.
pub(crate) fn words(sql: &str) -> BTreeSet<String> {
    tokens(sql)
        .filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Quoted))
        .map(|token| sql[token.range].trim_matches(QUOTES).to_ascii_lowercase())
        .collect()
}
