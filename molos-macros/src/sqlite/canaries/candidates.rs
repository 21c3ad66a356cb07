//! The values to try in a column of a row that is made up, the most plausible first.

use std::iter;
use std::time::{Duration, UNIX_EPOCH};

use molos_runtime::rusqlite::types::{Value, ValueRef};
use molos_runtime::sqlite::catalog::Column;

use crate::check::shadow::Fill;
use crate::read::unquoted;
use crate::sqlite::affinity::{Affinity, affinity};
use crate::sqlite::canaries::constraints::CheckConstraint;

/// A value to try in a column.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) value: Value,
    /// Whether it is nowhere else.
    pub(super) is_token: bool,
}

/// What a program may keep in a column.
#[derive(Clone, Copy)]
enum Content {
    Bytes,
    Flag,
    Integer,
    Json,
    Real,
    Text,
    Time,
}

/// The values to try in a column, the most plausible first.
pub(super) fn candidates<'c>(
    number: i64,
    column: &'c Column,
    checks: &'c [CheckConstraint],
    fill: Fill,
) -> impl Iterator<Item = Candidate> + 'c {
    let null = may_be_null(column, fill).then_some(Candidate::NULL);
    let own = move || -> Vec<&CheckConstraint> { checks_of(column, checks).collect() };
    let contents = contents(&column.declared_type.to_ascii_lowercase()).iter();
    // Most rows take the first of each: the others are made when they are asked for.
    let of_content = move |content: &Content| {
        let (content, flag) = (*content, flag(column, fill, number));
        let others = iter::once_with(move || content.others(number, flag, &own())).flatten();
        iter::once(content.first(number, flag)).chain(others)
    };
    let literals = iter::once_with(move || checks_of(column, checks).flat_map(CheckConstraint::literals)).flatten();
    let literals = literals.map(common);
    null.into_iter().chain(contents.flat_map(of_content)).chain(literals)
}

/// The values of a column that its checks name, and its default: what users' rows are most likely to have.
pub(super) fn named<'c>(column: &'c Column, checks: &'c [CheckConstraint]) -> impl Iterator<Item = Value> + 'c {
    let literals = checks_of(column, checks).flat_map(CheckConstraint::literals);
    literals.chain(column.default.as_deref().and_then(constant))
}

/// The checks that name a column.
fn checks_of<'c>(
    column: &Column,
    checks: &'c [CheckConstraint],
) -> impl Iterator<Item = &'c CheckConstraint> + use<'c> {
    let name = column.name.to_ascii_lowercase();
    checks.iter().filter(move |check| check.words.contains(&name))
}

/// The value of a default that is written out.
fn constant(default: &str) -> Option<Value> {
    if let Ok(number) = default.parse() {
        return Some(Value::Integer(number));
    }
    let is_text = default.len() > 1 && default.starts_with('\'') && default.ends_with('\'');
    is_text.then(|| Value::Text(unquoted(default)))
}

/// Yes or no: in a full row what the default is not, so that it is seen when the column is left out of a copy.
fn flag(column: &Column, fill: Fill, number: i64) -> bool {
    match column.default.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("0" | "false") => fill == Fill::Full,
        Some("1" | "true") => fill == Fill::Sparse,
        _ => number % 2 == 1,
    }
}

pub(super) fn may_be_null(column: &Column, fill: Fill) -> bool {
    fill == Fill::Sparse && !column.not_null && column.key == 0 && !column.rowid
}

fn contents(declared: &str) -> &'static [Content] {
    let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
    match affinity(declared) {
        _ if declared.starts_with("bool") => &[Content::Flag],
        _ if declared.is_empty() || declared == "any" => &[Content::Text, Content::Integer, Content::Bytes],
        Affinity::Integer => &[Content::Integer],
        Affinity::Text => &[Content::Text],
        Affinity::Real => &[Content::Real],
        Affinity::Blob => &[Content::Bytes, Content::Text, Content::Integer],
        Affinity::Numeric if has(&["json"]) => &[Content::Json, Content::Text],
        Affinity::Numeric if has(&["date", "time"]) => &[Content::Time, Content::Integer, Content::Text],
        Affinity::Numeric => &[Content::Integer, Content::Text],
    }
}

impl CheckConstraint {
    /// The values that it names, whatever the column's type.
    fn literals(&self) -> impl Iterator<Item = Value> {
        let strings = self.strings.iter().cloned().map(Value::Text);
        strings.chain(self.numbers.iter().copied().map(Value::Integer))
    }
}

impl Content {
    /// The most plausible value.
    fn first(self, number: i64, flag: bool) -> Candidate {
        match self {
            Self::Flag => common(Value::Integer(flag.into())),
            Self::Json => token(Value::Text(json(number))),
            Self::Time => token(Value::Text(time(number))),
            Self::Integer => token(Value::Integer(number)),
            #[expect(clippy::cast_precision_loss, reason = "they are small")]
            Self::Real => token(Value::Real(number as f64 + 0.5)),
            Self::Text => token(Value::Text(format!("w{number}"))),
            Self::Bytes => token(Value::Blob(of_length(number, 16).into_bytes())),
        }
    }

    /// The values to try after that.
    fn others(self, number: i64, flag: bool, checks: &[&CheckConstraint]) -> Vec<Candidate> {
        let text = |text: String| token(Value::Text(text));
        let numbers = checks.iter().flat_map(|check| check.numbers.iter().copied());
        let around = numbers.clone().flat_map(|number| [number, number.saturating_add(1), number.saturating_sub(1)]);
        let lengths = around.clone().filter_map(|length| usize::try_from(length).ok()).filter(|length| *length <= 4096);
        let mut values = Vec::new();
        match self {
            Self::Flag => values.extend([common(Value::Integer((!flag).into())), token(Value::Integer(number))]),
            Self::Json | Self::Time => {}
            Self::Integer => {
                values.push(common(Value::Integer(number % 2)));
                values.extend(
                    rotated(around.chain(numbers.map(i64::saturating_neg)), number).map(Value::Integer).map(common),
                );
                values.push(token(Value::Integer(-number)));
            }
            #[expect(clippy::cast_precision_loss, reason = "they are small")]
            Self::Real => {
                values.push(common(Value::Real(if number % 2 == 0 { 0.25 } else { 0.75 })));
                values.extend(around.map(|bound| common(Value::Real(bound as f64))));
            }
            Self::Text => {
                let strings = checks.iter().flat_map(|check| check.strings.iter().cloned());
                values.extend(rotated(strings, number).map(Value::Text).map(common));
                let time = time(number);
                values.extend([number.to_string(), json(number), format!("[{number}]"), time.clone()].map(text));
                values.push(text(format!("{number:08x}-0000-4000-8000-{number:012}")));
                values.push(text(format!("w{number}@example.org")));
                values.push(text(rfc3339(seconds(number) % 40_000 * 86_400)[..10].to_owned()));
                values.push(text(time[..19].replace('T', " ")));
                values.push(common(Value::Text(time[11..19].to_owned())));
                let patterns = checks.iter().flat_map(|check| check.matching(number));
                values.extend(patterns.map(Value::Text).map(common));
                values.extend(lengths.map(|length| common(Value::Text(of_length(number, length)))));
            }
            Self::Bytes => {
                values.push(common(Value::Blob(of_length(number, 2).into_bytes())));
                values.extend(lengths.map(|length| common(Value::Blob(of_length(number, length).into_bytes()))));
            }
        }
        values
    }
}

const fn token(value: Value) -> Candidate {
    Candidate { value, is_token: true }
}

const fn common(value: Value) -> Candidate {
    Candidate { value, is_token: false }
}

fn json(number: i64) -> String {
    format!("{{\"canary\":{number}}}")
}

/// A time of this century.
fn time(number: i64) -> String {
    rfc3339(seconds(number))
}

const fn seconds(number: i64) -> u64 {
    1_700_000_000 + number.unsigned_abs()
}

fn rfc3339(seconds: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
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

impl Candidate {
    pub(super) const NULL: Self = Self { value: Value::Null, is_token: false };

    /// The text by which it is known again.
    pub(super) fn token(&self) -> Option<String> {
        if self.is_token { text((&self.value).into()) } else { None }
    }
}

/// A value as text, so that it is known again in a column of another type; `None` for `NULL`.
pub(super) fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(value) => Some(value.to_string()),
        ValueRef::Real(value) => Some(value.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    }
}
