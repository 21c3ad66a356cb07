//! Where a statement of PostgreSQL's begins and ends.
//!
//! The rules are those of its own shell, psql: a statement ends at a semicolon outside of strings, comments and
//! parentheses, and outside of the body of a function that is written between `BEGIN ATOMIC` and `END`.

use crate::model::script::{Statement, Token, TokenKind};

/// The tokens of `sql`, in order; together they are the whole text.
pub(super) fn tokens(sql: &str) -> impl Iterator<Item = Token> + Send + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = sql.get(at..).filter(|rest| !rest.is_empty())?;
        let (kind, len) = first_token(rest);
        let range = at..at + len;
        at = range.end;
        Some(Token { kind, range })
    })
}

/// The kind and the length of the token that a text starts with.
fn first_token(rest: &str) -> (TokenKind, usize) {
    let first = rest.chars().next().unwrap_or(' ');
    let while_ = |wanted: fn(char) -> bool| rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    match first {
        ';' => (TokenKind::Semicolon, 1),
        '-' if rest.starts_with("--") => (TokenKind::Comment, rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => (TokenKind::Comment, comment(rest)),
        '\'' | '"' => (TokenKind::Quoted, quoted(rest, first)),
        'e' | 'E' if rest[1..].starts_with('\'') => (TokenKind::Quoted, 1 + escaped(&rest[1..])),
        'u' | 'U' if rest[1..].starts_with("&'") => (TokenKind::Quoted, 2 + quoted(&rest[2..], '\'')),
        'u' | 'U' if rest[1..].starts_with("&\"") => (TokenKind::Quoted, 2 + quoted(&rest[2..], '"')),
        '$' if dollar_tag(rest).is_some() => (TokenKind::Quoted, dollar_quoted(rest)),
        _ if is_space(first) => (TokenKind::Space, while_(is_space)),
        _ if is_word(first) => (TokenKind::Word, while_(is_word)),
        _ => (TokenKind::Other, first.len_utf8()),
    }
}

/// The length of a comment, which may have others in it.
fn comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of a string or name that ends at the next quote; a doubled one begins another.
fn quoted(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |at| at + 2)
}

/// The length of a string in which a backslash keeps a quote from ending it.
fn escaped(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The `$tag$` that a text starts with.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 1;
    let tag = &text[1..end];
    let is_tag = tag.chars().all(is_word_without_dollar) && !tag.starts_with(|c: char| c.is_ascii_digit());
    is_tag.then(|| &text[..=end])
}

fn dollar_quoted(text: &str) -> usize {
    let tag = dollar_tag(text).unwrap_or_default();
    text[tag.len()..].find(tag).map_or(text.len(), |at| at + 2 * tag.len())
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn is_word(c: char) -> bool {
    is_word_without_dollar(c) || c == '$'
}

fn is_word_without_dollar(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// The statements of `script`, in order. Comments between them, and empty ones, are left out.
pub(super) fn statements(script: &str) -> impl Iterator<Item = Statement<'_>> + Send {
    let mut tokens = tokens(script);
    std::iter::from_fn(move || {
        let mut start = None;
        let mut end = 0;
        let mut body = Body::default();
        for Token { kind, range } in tokens.by_ref() {
            if matches!(kind, TokenKind::Space | TokenKind::Comment) {
                continue;
            }
            if start.is_none() && kind == TokenKind::Semicolon {
                continue;
            }
            start.get_or_insert(range.start);
            end = range.end;
            body.next(kind, &script[range]);
            if kind == TokenKind::Semicolon && body.may_end() {
                break;
            }
        }
        let offset = start?;
        Some(Statement { offset, sql: &script[offset..end] })
    })
}

/// How deep a statement is in parentheses, and in the body of a function.
#[derive(Default)]
struct Body {
    parentheses: usize,
    /// The first words of the statement, until it is known what it creates.
    words: usize,
    head: Head,
    blocks: usize,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Head {
    #[default]
    Start,
    Create,
    CreateOr,
    CreateOrReplace,
    Routine,
    Other,
}

impl Body {
    fn next(&mut self, kind: TokenKind, text: &str) {
        match (kind, text) {
            (TokenKind::Other, "(") => self.parentheses += 1,
            (TokenKind::Other, ")") => self.parentheses = self.parentheses.saturating_sub(1),
            (TokenKind::Word, word) => self.word(word),
            _ => {}
        }
        self.words += 1;
    }

    fn word(&mut self, word: &str) {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        self.head = match self.head {
            Head::Start if is("CREATE") => Head::Create,
            Head::Create if is("OR") => Head::CreateOr,
            Head::CreateOr if is("REPLACE") => Head::CreateOrReplace,
            Head::Create | Head::CreateOrReplace if is("FUNCTION") || is("PROCEDURE") => Head::Routine,
            Head::Routine => Head::Routine,
            _ => Head::Other,
        };
        if self.head != Head::Routine || self.parentheses > 0 {
            return;
        }
        if is("BEGIN") || (is("CASE") && self.blocks > 0) {
            self.blocks += 1;
        } else if is("END") {
            self.blocks = self.blocks.saturating_sub(1);
        }
    }

    const fn may_end(&self) -> bool {
        self.parentheses == 0 && self.blocks == 0
    }
}

/// Whether a statement begins or ends a transaction.
pub(super) fn ends_transaction(statement: &str) -> bool {
    let mut words =
        tokens(statement).filter(|token| token.kind == TokenKind::Word).map(|token| &statement[token.range]);
    let (first, second, third) =
        (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is = |word: &str, keyword: &str| word.eq_ignore_ascii_case(keyword);
    match () {
        () if is(first, "PREPARE") => is(second, "TRANSACTION"),
        () if is(first, "ROLLBACK") => {
            let is_noise = is(second, "WORK") || is(second, "TRANSACTION");
            !is(if is_noise { third } else { second }, "TO")
        }
        () => ["ABORT", "BEGIN", "COMMIT", "END", "START"].iter().any(|keyword| is(first, keyword)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(script: &str) -> Vec<&str> {
        statements(script).map(|statement| statement.sql).collect()
    }

    #[test]
    fn semicolons_in_strings_names_comments_and_parentheses_end_nothing() {
        let statements = [
            "INSERT INTO \"a;b\" VALUES ('it''s; ü', E'\\';', U&'d\\0061t;', $$;$$, $a$ $$; $b$ ;$a$);",
            "CREATE RULE r AS ON INSERT TO a DO ALSO (DELETE FROM b; DELETE FROM c);",
            "SELECT $1, a$b;",
        ];
        let script = format!("-- a; b\n{} /* ; /* ; */ ; */ {} ;; {}", statements[0], statements[1], statements[2]);
        assert_eq!(split(&script), statements);
    }

    #[test]
    fn the_body_of_a_function_is_a_part_of_its_statement() {
        let function = "CREATE OR REPLACE FUNCTION f(a int DEFAULT (1)) RETURNS int BEGIN ATOMIC\n\
                        SELECT CASE WHEN a > 0 THEN 1 END; SELECT 2;\nEND;";
        let block = "DO $do$ BEGIN PERFORM 1; END $do$;";
        assert_eq!(split(&format!("{function} {block} SELECT 1")), [function, block, "SELECT 1"]);
    }

    #[test]
    fn what_is_left_open_runs_to_the_end_and_no_text_is_too_broken_to_be_read() {
        assert_eq!(split("SELECT 'a; SELECT 2;"), ["SELECT 'a; SELECT 2;"]);
        assert_eq!(split(" ;; -- nothing\n/* */ ;"), Vec::<&str>::new());
        for sql in
            ["", "'", "\"", "e'", "E'\\", "u&", "$", "$$", "$é$", "$a", "/*", "/*/", "*/", "--", "é$x", "U&'", "\0"]
        {
            let joined: String = tokens(sql).map(|token| &sql[token.range]).collect();
            assert_eq!(joined, sql);
        }
    }

    #[test]
    fn what_ends_a_transaction_is_told_from_what_goes_back_in_it() {
        for sql in [
            "commit",
            "BEGIN;",
            "/* */ ROLLBACK",
            "ROLLBACK /* go TO x */",
            "ROLLBACK TRANSACTION",
            "START TRANSACTION",
            "PREPARE TRANSACTION 'a'",
            "ABORT",
            "END",
        ] {
            assert!(ends_transaction(sql), "{sql}");
        }
        for sql in [
            "ROLLBACK TO\nSAVEPOINT a",
            "rollback work to a",
            "SAVEPOINT a",
            "PREPARE a AS SELECT 1",
            "SELECT 'COMMIT'",
            "",
        ] {
            assert!(!ends_transaction(sql), "{sql}");
        }
    }
}
