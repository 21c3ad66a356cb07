//! SQL text as far as the engine has to understand it: where a statement begins and ends is told by each database, in
//! [`Database::statements`](crate::database::Database::statements).

use std::ops::Range;

use crate::database::Database;

/// What a piece of SQL text is, as far as finding statements needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// White space.
    Space,
    /// `-- to the end of the line`, or `/* … */`.
    Comment,
    /// `;`
    Semicolon,
    /// A keyword, a number or a bare name.
    Word,
    /// A string, or a name in quotes, backticks or brackets.
    Quoted,
    /// An operator or other punctuation, one character.
    Other,
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its bytes in the text.
    pub range: Range<usize>,
}

/// One statement of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'s> {
    /// Where it starts in the script, in bytes.
    pub offset: usize,
    /// Its text, from its first word up to and with its semicolon.
    pub sql: &'s str,
}

/// A place in a text, both numbers from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// The line and column of the byte at `offset`; past the end of `text`, of its end.
#[must_use]
pub fn position(text: &str, offset: usize) -> Position {
    let mut before = offset.min(text.len());
    while !text.is_char_boundary(before) {
        before -= 1;
    }
    let before = &text[..before];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Position { line: 1 + before.matches('\n').count(), column: 1 + before[line_start..].chars().count() }
}

/// The statement that holds the byte at `offset`, or the last one before it.
#[must_use]
pub fn statement_at<DB: Database>(script: &str, offset: usize) -> Option<Statement<'_>> {
    DB::statements(script).take_while(|statement| statement.offset <= offset).last()
}

/// The first statement that begins with one of these keywords, which are in upper case.
pub(crate) fn statement_that_begins<'s, DB: Database>(script: &'s str, keywords: &[&str]) -> Option<Statement<'s>> {
    DB::statements(script).find(|statement| {
        let word = DB::tokens(statement.sql)
            .find(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment | TokenKind::Semicolon))
            .and_then(|token| statement.sql.get(token.range));
        word.is_some_and(|word| keywords.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        assert_eq!(position("ab\nüx;", 5), Position { line: 2, column: 2 });
        assert_eq!(position("ab\nüx;", 4), Position { line: 2, column: 1 }, "inside of a character");
        assert_eq!(position("", 9), Position { line: 1, column: 1 });
    }
}
