//! The values to try in a column of a row that is made up, the most plausible first.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use molos_runtime::catalog::Column;
use molos_runtime::rusqlite::types::{Value, ValueRef};
use molos_runtime::script::{TokenKind, tokens};

use crate::affinity::{Affinity, affinity};
use crate::words::QUOTES;

/// How much of a row is filled in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Every column.
    Full,
    /// Those that must not be `NULL`.
    Sparse,
}

/// A value to try in a column.
#[derive(Clone)]
pub(crate) struct Rung {
    pub(crate) value: Value,
    /// Whether it is nowhere else.
    pub(crate) is_token: bool,
}

/// What a program may keep in a column.
#[derive(Clone, Copy)]
enum Kind {
    Bytes,
    Flag,
    Integer,
    Json,
    Real,
    Text,
    Time,
}

/// The values to try in a column, the most plausible first.
pub(crate) fn ladder<'c>(
    number: i64,
    column: &'c Column,
    checks: &'c [Check],
    fill: Fill,
) -> impl Iterator<Item = Rung> + 'c {
    let null = may_be_null(column, fill).then_some(Rung::NULL);
    let name = column.name.to_lowercase();
    let own: Vec<&Check> = checks.iter().filter(|check| check.words.contains(&name)).collect();
    let kinds = kinds(&column.declared_type.to_lowercase()).iter();
    let flag = flag(column, fill, number);
    null.into_iter().chain(kinds.flat_map(move |kind| kind.rungs(number, flag, &own)))
}

/// Yes or no: in a full row what the default is not, so that it is seen when the column is left out of a copy.
fn flag(column: &Column, fill: Fill, number: i64) -> bool {
    match column.default.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("0" | "false") => fill == Fill::Full,
        Some("1" | "true") => fill == Fill::Sparse,
        _ => number % 2 == 1,
    }
}

pub(crate) fn may_be_null(column: &Column, fill: Fill) -> bool {
    fill == Fill::Sparse && !column.not_null && column.key == 0 && !column.rowid
}

fn kinds(declared: &str) -> &'static [Kind] {
    let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
    match affinity(declared) {
        _ if declared.starts_with("bool") => &[Kind::Flag],
        Affinity::Integer => &[Kind::Integer],
        Affinity::Text => &[Kind::Text],
        Affinity::Real => &[Kind::Real],
        Affinity::Blob if declared.is_empty() => &[Kind::Text, Kind::Integer, Kind::Bytes],
        Affinity::Blob => &[Kind::Bytes, Kind::Text],
        Affinity::Numeric if has(&["json"]) => &[Kind::Json, Kind::Text],
        Affinity::Numeric if has(&["date", "time"]) => &[Kind::Time, Kind::Integer, Kind::Text],
        Affinity::Numeric => &[Kind::Integer, Kind::Text],
    }
}

impl Kind {
    fn rungs(self, number: i64, flag: bool, checks: &[&Check]) -> Vec<Rung> {
        let token = |value| Rung { value, is_token: true };
        let common = |value| Rung { value, is_token: false };
        let text = |text: String| token(Value::Text(text));
        let numbers = checks.iter().flat_map(|check| check.numbers.iter().copied());
        let around = numbers.clone().flat_map(|number| [number, number + 1, number - 1]);
        let lengths = around.clone().filter_map(|length| usize::try_from(length).ok()).filter(|length| *length <= 4096);
        let seconds = 1_700_000_000 + number.unsigned_abs();
        let time = || humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string();
        let json = || format!("{{\"canary\":{number}}}");
        match self {
            Self::Flag => vec![common(Value::Integer(flag.into()))],
            Self::Json => vec![text(json())],
            Self::Time => vec![text(time())],
            Self::Integer => {
                let mut rungs = vec![token(Value::Integer(number)), common(Value::Integer(number % 2))];
                rungs.extend(
                    rotated(around.chain(numbers.map(|number| -number)), number).map(Value::Integer).map(common),
                );
                rungs.push(token(Value::Integer(-number)));
                rungs
            }
            #[expect(clippy::cast_precision_loss, reason = "they are small")]
            Self::Real => {
                let mut rungs = vec![token(Value::Real(number as f64 + 0.5))];
                rungs.push(common(Value::Real(if number % 2 == 0 { 0.25 } else { 0.75 })));
                rungs.extend(around.map(|bound| common(Value::Real(bound as f64))));
                rungs
            }
            Self::Text => {
                let mut rungs = vec![text(format!("w{number}"))];
                let strings = checks.iter().flat_map(|check| check.strings.iter().cloned());
                rungs.extend(rotated(strings, number).map(Value::Text).map(common));
                rungs.extend([number.to_string(), json(), format!("[{number}]"), time()].map(text));
                rungs.push(text(format!("{number:08x}-0000-4000-8000-{number:012}")));
                rungs.push(text(format!("w{number}@example.org")));
                rungs.extend(lengths.map(|length| common(Value::Text(of_length(number, length)))));
                rungs
            }
            Self::Bytes => {
                let mut rungs = vec![token(Value::Blob(of_length(number, 16).into_bytes()))];
                rungs.push(common(Value::Blob(of_length(number, 2).into_bytes())));
                rungs.extend(lengths.map(|length| common(Value::Blob(of_length(number, length).into_bytes()))));
                rungs
            }
        }
    }
}

/// A text of hexadecimal digits.
fn of_length(number: i64, length: usize) -> String {
    let digits = format!("{number:0length$}");
    digits[digits.len().saturating_sub(length)..].to_owned()
}

/// The same values, beginning with another one for another number.
fn rotated<T>(values: impl Iterator<Item = T>, number: i64) -> impl Iterator<Item = T> {
    let mut values: Vec<T> = values.collect();
    let by = usize::try_from(number).unwrap_or(0).checked_rem(values.len()).unwrap_or(0);
    values.rotate_left(by);
    values.into_iter()
}

impl Rung {
    pub(crate) const NULL: Self = Self { value: Value::Null, is_token: false };

    /// The text by which it is known again.
    pub(crate) fn token(&self) -> Option<String> {
        if self.is_token { text((&self.value).into()) } else { None }
    }
}

/// A value as text, so that it is known again in a column of another type; `None` for `NULL`.
pub(crate) fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(value) => Some(value.to_string()),
        ValueRef::Real(value) => Some(value.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// A `CHECK`, as far as it tells which values may pass it.
pub(crate) struct Check {
    name: Option<String>,
    /// The names in it, in lower case.
    pub(crate) words: BTreeSet<String>,
    strings: Vec<String>,
    numbers: Vec<i64>,
}

/// The words of the checks that SQLite's message names.
pub(crate) fn words_of_named(checks: &[Check], message: &str) -> BTreeSet<String> {
    let Some((_, name)) = message.split_once("CHECK constraint failed: ") else { return BTreeSet::new() };
    checks.iter().filter(|check| check.name.as_deref() == Some(name)).flat_map(|check| &check.words).cloned().collect()
}

/// The `CHECK`s that stand in a statement or script.
pub(crate) fn checks(sql: &str) -> Vec<Check> {
    let known = tokens(sql).filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment));
    let pieces: Vec<(TokenKind, &str)> = known.map(|token| (token.kind, &sql[token.range])).collect();
    let is = |at: usize, word: &str| pieces.get(at).is_some_and(|(_, piece)| piece.eq_ignore_ascii_case(word));
    let mut checks = Vec::new();
    for at in (0..pieces.len()).filter(|at| is(*at, "check") && is(at + 1, "(")) {
        let named = at.checked_sub(2).filter(|before| is(*before, "constraint"));
        let name = named.map(|before| pieces[before + 1].1.trim_matches(QUOTES).to_owned());
        let mut check = Check { name, words: BTreeSet::new(), strings: Vec::new(), numbers: Vec::new() };
        let mut depth = 0_usize;
        for (kind, piece) in &pieces[at + 1..] {
            match (kind, piece.chars().next()) {
                (_, Some('(')) => depth += 1,
                (_, Some(')')) => depth = depth.saturating_sub(1),
                (TokenKind::Quoted, Some('\'')) => {
                    let inner = piece.get(1..piece.len().saturating_sub(1)).unwrap_or_default();
                    check.strings.push(inner.replace("''", "'"));
                }
                (TokenKind::Word, Some(first)) if first.is_ascii_digit() => {
                    check.numbers.extend(piece.parse::<i32>().map(i64::from));
                }
                (TokenKind::Word | TokenKind::Quoted, _) => {
                    check.words.insert(piece.trim_matches(QUOTES).to_lowercase());
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        checks.push(check);
    }
    checks
}
