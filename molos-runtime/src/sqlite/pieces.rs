//! The tokens of a `CREATE` statement, each in the one form in which it is compared.

use super::tokens::tokens;
use crate::model::script::TokenKind;

/// A token of a statement that SQLite keeps in its schema, which is therefore known to be right.
#[derive(Clone, Debug)]
pub(super) struct Piece<'s> {
    pub(super) token: Token,
    /// As it was written.
    pub(super) raw: &'s str,
    /// What stands between it and the one before: white space and comments.
    pub(super) gap: &'s str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or a bare name, in lower case.
    Word(String),
    /// A name in quotes, without them. In double quotes, it is a string where there is no such name:
    /// <https://sqlite.org/quirks.html#double_quoted_string_literals_are_accepted>
    Quoted { name: String, is_double: bool },
    /// A string, with its quotes.
    String(String),
    /// A number or a blob.
    Literal(String),
    /// An operator, or other punctuation.
    Sign(String),
}

/// Cuts a statement into pieces.
pub(super) fn pieces(sql: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut end = 0;
    for token in tokens(sql) {
        let start = token.range.start;
        // It may be part of a longer one: a number with a point in it, a name with a doubled quote.
        if start < end || matches!(token.kind, TokenKind::Space | TokenKind::Comment) {
            continue;
        }
        let gap = &sql[end..start];
        let rest = &sql[start..];
        let (len, token) = token_of(rest, token.kind, token.range.len());
        let raw = &rest[..len];
        end = start + len;
        pieces.push(Piece { token, raw, gap });
    }
    pieces
}

fn token_of(rest: &str, kind: TokenKind, len: usize) -> (usize, Token) {
    let first = rest.chars().next().unwrap_or_default();
    let next_is = |wanted: fn(&u8) -> bool| rest.as_bytes().get(1).is_some_and(wanted);
    if first.is_ascii_digit() || (first == '.' && next_is(u8::is_ascii_digit)) {
        let len = number(rest.as_bytes()).max(len);
        return (len, Token::Literal(rest[..len].to_ascii_lowercase()));
    }
    if matches!(first, 'x' | 'X') && next_is(|byte| *byte == b'\'') {
        let len = quoted(rest, 1);
        return (len, Token::Literal(rest[..len].to_ascii_lowercase()));
    }
    match kind {
        TokenKind::Word => (len, Token::Word(rest[..len].to_ascii_lowercase())),
        TokenKind::Quoted => {
            let len = quoted(rest, 0);
            let inner = rest.get(1..len - 1).unwrap_or_default();
            let doubled = format!("{first}{first}");
            match first {
                '\'' => (len, Token::String(rest[..len].to_owned())),
                '[' => (len, Token::Quoted { name: inner.to_owned(), is_double: false }),
                _ => {
                    let name = inner.replace(&doubled, &first.to_string());
                    (len, Token::Quoted { name, is_double: first == '"' })
                }
            }
        }
        _ => {
            const LONG: &[&str] = &["->>", "->", "||", "<=", "<>", "<<", ">=", ">>", "!=", "=="];
            let len = LONG.iter().find(|sign| rest.starts_with(**sign)).map_or(len, |sign| sign.len());
            (len, Token::Sign(rest[..len].to_owned()))
        }
    }
}

/// How long the number at the start is: <https://sqlite.org/lang_expr.html#literal_values_constants_>
fn number(bytes: &[u8]) -> usize {
    let digits = |from: usize, is_digit: fn(&u8) -> bool| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| is_digit(byte) || **byte == b'_').count()
    };
    if bytes.first() == Some(&b'0') && matches!(bytes.get(1), Some(b'x' | b'X')) {
        return digits(2, u8::is_ascii_hexdigit);
    }
    let mut end = digits(0, u8::is_ascii_digit);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1, u8::is_ascii_digit);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end = digits(end + 1 + sign, u8::is_ascii_digit);
        }
    }
    end
}

/// Where what is quoted from `at` ends. The quote itself is in there twice.
fn quoted(rest: &str, at: usize) -> usize {
    let bytes = rest.as_bytes();
    let close = match bytes[at] {
        b'[' => b']',
        quote => quote,
    };
    let mut end = at + 1;
    while end < bytes.len() {
        if bytes[end] != close {
            end += 1;
        } else if close != b']' && bytes.get(end + 1) == Some(&close) {
            end += 2;
        } else {
            return end + 1;
        }
    }
    bytes.len()
}

impl Piece<'_> {
    /// Whether it is this keyword, which is in lower case.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(&self.token, Token::Word(word) if word == keyword)
    }

    pub(super) fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(&self.token, Token::Sign(it) if it == sign)
    }

    /// What it names where only a name can stand, as SQLite compares it: it folds the case of ASCII, and no other.
    pub(super) fn name(&self) -> String {
        match &self.token {
            Token::Word(word) => word.clone(),
            Token::Quoted { name, .. } => name.to_ascii_lowercase(),
            Token::String(string) => inside(string).to_ascii_lowercase(),
            Token::Literal(text) | Token::Sign(text) => text.clone(),
        }
    }

    /// Whether it is a bare name and no keyword, or in quotes.
    pub(super) fn is_name(&self) -> bool {
        match &self.token {
            Token::Word(word) => !is_keyword(word),
            Token::Quoted { .. } => true,
            _ => false,
        }
    }

    /// As a name, in an expression.
    pub(super) fn as_name(&self) -> String {
        let name = self.name();
        if matches!(self.token, Token::Quoted { .. }) && !is_plain(&name) {
            return format!("\"{}\"", name.replace('"', "\"\""));
        }
        name
    }

    /// As it is, case and all. It is neither a bare name nor a string.
    pub(super) fn exact(&self) -> String {
        match &self.token {
            Token::Quoted { name, .. } => format!("\"{}\"", name.replace('"', "\"\"")),
            Token::Word(text) | Token::String(text) | Token::Literal(text) | Token::Sign(text) => text.clone(),
        }
    }

    /// As a string.
    pub(super) fn as_string(&self) -> String {
        match &self.token {
            Token::Quoted { name, .. } => format!("'{}'", name.replace('\'', "''")),
            Token::String(string) => string.clone(),
            _ => format!("'{}'", self.raw),
        }
    }
}

/// What is in a string.
fn inside(string: &str) -> String {
    string.get(1..string.len().saturating_sub(1)).unwrap_or_default().replace("''", "'")
}

/// Whether a name means the same without quotes, wherever it stands.
fn is_plain(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    name.starts_with(is_first)
        && name.chars().all(is_word)
        && (!is_keyword(name) || HARMLESS.contains(&name))
        && !["true", "false"].contains(&name)
}

fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// Keywords that are a name wherever a name can stand, in quotes or not.
const HARMLESS: &[&str] = &[
    "action", "column", "current", "database", "first", "groups", "key", "last", "plan", "query", "range", "row",
    "rows", "trigger", "view",
];

/// <https://sqlite.org/lang_keywords.html>
const KEYWORDS: &[&str] = &[
    "abort",
    "action",
    "add",
    "after",
    "all",
    "alter",
    "always",
    "analyze",
    "and",
    "as",
    "asc",
    "attach",
    "autoincrement",
    "before",
    "begin",
    "between",
    "by",
    "cascade",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "commit",
    "conflict",
    "constraint",
    "create",
    "cross",
    "current",
    "current_date",
    "current_time",
    "current_timestamp",
    "database",
    "default",
    "deferrable",
    "deferred",
    "delete",
    "desc",
    "detach",
    "distinct",
    "do",
    "drop",
    "each",
    "else",
    "end",
    "escape",
    "except",
    "exclude",
    "exclusive",
    "exists",
    "explain",
    "fail",
    "filter",
    "first",
    "following",
    "for",
    "foreign",
    "from",
    "full",
    "generated",
    "glob",
    "group",
    "groups",
    "having",
    "if",
    "ignore",
    "immediate",
    "in",
    "index",
    "indexed",
    "initially",
    "inner",
    "insert",
    "instead",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "key",
    "last",
    "left",
    "like",
    "limit",
    "match",
    "materialized",
    "natural",
    "no",
    "not",
    "nothing",
    "notnull",
    "null",
    "nulls",
    "of",
    "offset",
    "on",
    "or",
    "order",
    "others",
    "outer",
    "over",
    "partition",
    "plan",
    "pragma",
    "preceding",
    "primary",
    "query",
    "raise",
    "range",
    "recursive",
    "references",
    "regexp",
    "reindex",
    "release",
    "rename",
    "replace",
    "restrict",
    "returning",
    "right",
    "rollback",
    "row",
    "rows",
    "savepoint",
    "select",
    "set",
    "table",
    "temp",
    "temporary",
    "then",
    "ties",
    "to",
    "transaction",
    "trigger",
    "unbounded",
    "union",
    "unique",
    "update",
    "using",
    "vacuum",
    "values",
    "view",
    "virtual",
    "when",
    "where",
    "window",
    "with",
    "within",
    "without",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(sql: &str) -> Vec<&str> {
        pieces(sql).iter().map(|piece| piece.raw).collect()
    }

    #[test]
    fn a_number_a_blob_and_a_doubled_quote_are_in_one_piece() {
        assert_eq!(raw("-1.5e3+.5-7.-0x1F*1e-2"), ["-", "1.5e3", "+", ".5", "-", "7.", "-", "0x1F", "*", "1e-2"]);
        assert_eq!(raw("1.a"), ["1.", "a"]);
        assert_eq!(raw("x'0A' X 'b'"), ["x'0A'", "X", "'b'"]);
        assert_eq!(raw("'it''s' \"a\"\"b\" `c``d` [e]"), ["'it''s'", "\"a\"\"b\"", "`c``d`", "[e]"]);
        assert_eq!(raw("a||b<=c->>'$'--x"), ["a", "||", "b", "<=", "c", "->>", "'$'"]);
    }

    #[test]
    fn no_text_is_too_broken_to_be_cut() {
        for sql in ["", "'", "\"", "[", "`", "x'", "'a''", ".", "1e+", "é\"é", "/*"] {
            pieces(sql);
        }
    }
}
