//! Where a statement of SQLite's begins and ends.
//!
//! The rules are those of [`sqlite3_complete`](https://sqlite.org/c3ref/complete.html): a statement ends at a semicolon
//! outside of strings and comments, and the body of a trigger at `; END ;`.

use crate::model::script::{Statement, Token, TokenKind};

/// The tokens of `sql`, in order; together they are the whole text.
pub fn tokens(sql: &str) -> impl Iterator<Item = Token> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let token = token_at(sql, at)?;
        at = token.range.end;
        Some(token)
    })
}

fn token_at(sql: &str, start: usize) -> Option<Token> {
    let rest = &sql[start..];
    let first = rest.chars().next()?;
    let until = |found: Option<usize>, width: usize| found.map_or(rest.len(), |at| at + width);
    let while_ = |wanted: fn(char) -> bool| until(rest.find(|c| !wanted(c)), 0);
    let closed_by = |quote: char| until(rest[1..].find(quote), 2);
    // A quote inside is doubled.
    let in_quotes = |quote: char| {
        let mut end = 1;
        while let Some(at) = rest[end..].find(quote) {
            end += at + 1;
            if !rest[end..].starts_with(quote) {
                return end;
            }
            end += 1;
        }
        rest.len()
    };
    let (kind, len) = match first {
        ';' => (TokenKind::Semicolon, 1),
        '-' if rest.starts_with("--") => (TokenKind::Comment, until(rest.find('\n'), 0)),
        '/' if rest.starts_with("/*") => (TokenKind::Comment, until(rest[2..].find("*/"), 4)),
        '\'' | '"' | '`' => (TokenKind::Quoted, in_quotes(first)),
        '[' => (TokenKind::Quoted, closed_by(']')),
        _ if is_space(first) => (TokenKind::Space, while_(is_space)),
        _ if is_word(first) => (TokenKind::Word, while_(is_word)),
        _ => (TokenKind::Other, first.len_utf8()),
    };
    Some(Token { kind, range: start..start + len })
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0c' | '\r')
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// The statements of `script`, in order. Comments between them, and empty ones, are left out.
pub fn statements(script: &str) -> impl Iterator<Item = Statement<'_>> {
    let mut tokens = tokens(script);
    std::iter::from_fn(move || {
        let mut start = None;
        let mut end = 0;
        let mut head = Head::Start;
        let mut tail = Tail::Body;
        for Token { kind, range } in tokens.by_ref() {
            if matches!(kind, TokenKind::Space | TokenKind::Comment) {
                continue;
            }
            if start.is_none() && kind == TokenKind::Semicolon {
                continue;
            }
            start.get_or_insert(range.start);
            end = range.end;
            let word = (kind == TokenKind::Word).then(|| &script[range]);
            head = head.next(word);
            tail = tail.next(kind, word);
            let done = if head == Head::Trigger { tail == Tail::AfterEnd } else { true };
            if kind == TokenKind::Semicolon && done {
                break;
            }
            if kind == TokenKind::Semicolon {
                tail = Tail::AfterSemicolon;
            }
        }
        let offset = start?;
        Some(Statement { offset, sql: &script[offset..end] })
    })
}

/// Whether `script` has no statement in it: nothing, or only comments.
#[must_use]
pub fn is_blank(script: &str) -> bool {
    statements(script).next().is_none()
}

/// How a statement begins, until it is known whether it creates a trigger.
#[derive(Clone, Copy, PartialEq)]
enum Head {
    Start,
    Explain,
    Create,
    Trigger,
    Other,
}

impl Head {
    fn next(self, word: Option<&str>) -> Self {
        let is = |keyword: &str| word.is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        match self {
            Self::Start if is("EXPLAIN") => Self::Explain,
            Self::Explain if is("QUERY") || is("PLAN") => Self::Explain,
            Self::Start | Self::Explain if is("CREATE") => Self::Create,
            Self::Create if is("TEMP") || is("TEMPORARY") => Self::Create,
            Self::Create if is("TRIGGER") => Self::Trigger,
            Self::Trigger => Self::Trigger,
            _ => Self::Other,
        }
    }
}

/// How far a trigger's `; END ;` has been seen.
#[derive(Clone, Copy, PartialEq)]
enum Tail {
    Body,
    AfterSemicolon,
    AfterEnd,
}

impl Tail {
    fn next(self, kind: TokenKind, word: Option<&str>) -> Self {
        match self {
            Self::AfterSemicolon if word.is_some_and(|word| word.eq_ignore_ascii_case("END")) => Self::AfterEnd,
            Self::AfterEnd if kind == TokenKind::Semicolon => Self::AfterEnd,
            _ => Self::Body,
        }
    }
}

/// The statement that holds the byte at `offset`, or the last one before it.
#[must_use]
pub fn statement_at(script: &str, offset: usize) -> Option<Statement<'_>> {
    crate::model::script::statement_at::<super::Sqlite>(script, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(script: &str) -> Vec<&str> {
        statements(script).map(|statement| statement.sql).collect()
    }

    #[test]
    fn semicolons_in_strings_names_and_comments_end_nothing() {
        let script = "-- a; b\nINSERT INTO \"a;b\" VALUES ('it''s; ü'); /* ; */ SELECT [;], `;`;";
        assert_eq!(split(script), ["INSERT INTO \"a;b\" VALUES ('it''s; ü');", "SELECT [;], `;`;"]);
    }

    #[test]
    fn a_trigger_is_one_statement_with_all_of_its_body() {
        let trigger = "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN\n\
             SELECT CASE WHEN new.b THEN 1 ELSE 2 END; -- END;\n\
             DELETE FROM a;\nend;";
        let script = format!("{trigger} CREATE TABLE trigger_log (a);");
        assert_eq!(split(&script), [trigger, "CREATE TABLE trigger_log (a);"]);
    }

    #[test]
    fn what_is_left_open_runs_to_the_end() {
        assert_eq!(split("SELECT 'a; SELECT 2;"), ["SELECT 'a; SELECT 2;"]);
        assert_eq!(split("SELECT 1; SELECT 2 /* ; "), ["SELECT 1;", "SELECT 2"]);
        assert_eq!(split(" ;; -- nothing\n/* */ ;"), Vec::<&str>::new());
        assert!(is_blank("\n-- nothing\n;"));
    }

    #[test]
    fn tokens_are_the_whole_text() {
        for sql in ["", "'", "[", "--", "/*", "/**/;é\u{0}x", "a\r\n'b''c'--d", "\"é"] {
            let joined: String = tokens(sql).map(|token| &sql[token.range]).collect();
            assert_eq!(joined, sql);
        }
    }
}
