//! The `CHECK`s of tables and scripts, as far as they tell which values may pass them.

use std::collections::BTreeSet;

use molos_runtime::__private::script::TokenKind;
use molos_runtime::__private::sqlite::tokens;

use crate::read::unquoted;

/// A `CHECK`, as far as it tells which values may pass it.
pub(super) struct CheckConstraint {
    name: Option<String>,
    /// The names in it, in lower case.
    pub(super) words: BTreeSet<String>,
    pub(super) strings: Vec<String>,
    pub(super) numbers: Vec<i64>,
}

impl CheckConstraint {
    /// Texts that may match the patterns in it, with this number in them where anything can be.
    pub(super) fn matching(&self, number: i64) -> impl Iterator<Item = String> {
        let (is_glob, is_like) = (self.words.contains("glob"), self.words.contains("like"));
        let globs = self.strings.iter().filter(move |_| is_glob).map(move |pattern| matching_glob(pattern, number));
        let likes = self.strings.iter().filter(move |_| is_like);
        globs.chain(
            likes.map(move |pattern| pattern.replacen('%', &number.to_string(), 1).replace('%', "").replace('_', "a")),
        )
    }
}

/// A text that matches a pattern of `GLOB`: <https://sqlite.org/lang_expr.html#glob>
fn matching_glob(pattern: &str, number: i64) -> String {
    let mut text = String::new();
    let mut any = Some(number);
    let mut rest = pattern.chars();
    while let Some(next) = rest.next() {
        match next {
            '*' => text.extend(any.take().map(|number| number.to_string())),
            '?' => text.push('a'),
            '[' => {
                let class: String = rest.by_ref().take_while(|c| *c != ']').collect();
                let first = match class.strip_prefix('^') {
                    Some(none) => ['a', '0', 'A', '-'].into_iter().find(|c| !none.contains(*c)),
                    None => class.chars().next(),
                };
                text.extend(first);
            }
            other => text.push(other),
        }
    }
    text
}

/// The words of the checks that SQLite's message names.
pub(super) fn words_of_named(checks: &[CheckConstraint], message: &str) -> BTreeSet<String> {
    let Some((_, name)) = message.split_once("CHECK constraint failed: ") else { return BTreeSet::new() };
    checks.iter().filter(|check| check.name.as_deref() == Some(name)).flat_map(|check| &check.words).cloned().collect()
}

/// The `CHECK`s that stand in a statement or script.
pub(super) fn checks(sql: &str) -> Vec<CheckConstraint> {
    let known = tokens(sql).filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment));
    let pieces: Vec<(TokenKind, &str)> = known.map(|token| (token.kind, &sql[token.range])).collect();
    let is = |at: usize, word: &str| pieces.get(at).is_some_and(|(_, piece)| piece.eq_ignore_ascii_case(word));
    let mut checks = Vec::new();
    for at in (0..pieces.len()).filter(|at| is(*at, "check") && is(at + 1, "(")) {
        let named = at.checked_sub(2).filter(|before| is(*before, "constraint"));
        let name = named.map(|before| unquoted(pieces[before + 1].1));
        let mut check = CheckConstraint { name, words: BTreeSet::new(), strings: Vec::new(), numbers: Vec::new() };
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
                    check.numbers.extend(piece.parse::<i64>());
                }
                (TokenKind::Word | TokenKind::Quoted, _) => {
                    check.words.insert(unquoted(piece).to_ascii_lowercase());
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
