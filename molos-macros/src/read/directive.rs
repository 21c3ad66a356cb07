//! The `-- molos: …` comments at the head of a file.

use std::ops::Range;

use molos_runtime::__private::script::TokenKind;
use molos_runtime::ForeignKeys;

use crate::diagnostic::{Diagnostic, list, nearest};
use crate::lint::finding::{
    BROKEN_REFERENCE, DATA_LOSS, DROP_TABLE, DROP_UNIQUE, LEFTOVER_TABLE, LINTS, MAY_HAVE_SUBJECT, NEEDLESS,
    RENAME_TABLE, SEQUENCE_RESET, WITHOUT_SUBJECT,
};
use crate::read::Rules;

/// What the directives of a script say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// Whether foreign keys are enforced while the script runs; `None` if it does not say.
    pub(crate) foreign_keys: Option<ForeignKeys>,
    /// Why there is no down migration, if the script says that there is none; empty if it gives no reason.
    pub(crate) irreversible: Option<String>,
    /// Whether the script is run without a transaction.
    pub(crate) no_transaction: bool,
    /// What is meant, although it would be an error.
    pub(crate) allows: Vec<Allow>,
}

/// Something that a file may do: `-- molos: allow drop-column users.name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allow {
    pub(crate) lint: &'static str,
    /// What it may do that to; empty where the kind says it all.
    pub(crate) subject: String,
    /// Where it stands in the script.
    pub(crate) range: Range<usize>,
}

/// A directive that is wrong: where it stands in the script, and what to say of it.
pub(crate) type Wrong = (Range<usize>, Diagnostic);

/// Reads the directives of `script`.
pub(crate) fn parse(script: &str, rules: &Rules) -> (Directives, Vec<Wrong>) {
    let mut directives = Directives::default();
    let mut wrong = Vec::new();
    let mut at_head = true;
    for token in (rules.tokens)(script) {
        match token.kind {
            TokenKind::Space => {}
            TokenKind::Comment => {
                let Some(text) = directive(&script[token.range.clone()]) else { continue };
                let result = if at_head { directives.read(text, token.range.clone()) } else { Err(misplaced(text)) };
                if let Err(diagnostic) = result {
                    wrong.push((token.range, diagnostic));
                }
            }
            _ => at_head = false,
        }
    }
    (directives, wrong)
}

/// The text of a comment after `-- molos:`.
pub(crate) fn directive(comment: &str) -> Option<&str> {
    Some(comment.strip_prefix("--")?.trim_start().strip_prefix("molos:")?.trim())
}

impl Directives {
    fn read(&mut self, text: &str, range: Range<usize>) -> Result<(), Diagnostic> {
        if let Some(allowed) = text.strip_prefix("allow").filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            self.allows.push(allow(allowed.trim(), range)?);
            return Ok(());
        }
        let (name, value) = text.split_once('=').map_or((text, ""), |(name, value)| (name.trim(), value.trim()));
        match (name, value) {
            ("foreign-keys", "on") => self.foreign_keys = Some(ForeignKeys::On),
            ("foreign-keys", "off") => self.foreign_keys = Some(ForeignKeys::Off),
            ("foreign-keys", _) => {
                return Err(Diagnostic::new(format!("`foreign-keys` is `on` or `off`, not `{value}`"))
                    .help("`on` enforces foreign keys while this file runs; without it they are checked at the end"));
            }
            ("no-transaction", "") => self.no_transaction = true,
            ("unfinished", "") => {
                return Err(Diagnostic::new("this migration is not written yet")
                    .help("write it, and remove this line; nothing runs it before that"));
            }
            ("irreversible", reason) => self.irreversible = Some(reason.to_owned()),
            _ => return Err(unknown(name)),
        }
        Ok(())
    }
}

fn allow(text: &str, range: Range<usize>) -> Result<Allow, Diagnostic> {
    let (name, subject) = text.split_once(' ').map_or((text, ""), |(name, subject)| (name, subject.trim()));
    let Some(lint) = LINTS.iter().copied().find(|lint| *lint == name) else {
        let error = Diagnostic::new(format!("`{name}` is nothing that can be allowed"));
        return Err(match nearest(name, LINTS) {
            Some(meant) => error.help(format!("did you mean `{meant}`?")),
            None => error.help(format!("there are {}", list(LINTS))),
        });
    };
    let has_none = WITHOUT_SUBJECT.contains(&lint);
    if subject.is_empty() != has_none && !MAY_HAVE_SUBJECT.contains(&lint) {
        if has_none {
            return Err(Diagnostic::new(format!("`allow {lint}` is about its own file"))
                .help(format!("write no more than `-- molos: allow {lint}`")));
        }
        let error = Diagnostic::new(format!("`allow {lint}` does not say what it is about"));
        return Err(match lint {
            DROP_TABLE | LEFTOVER_TABLE | RENAME_TABLE | SEQUENCE_RESET => {
                error.help(format!("name the table: `-- molos: allow {lint} users`"))
            }
            DATA_LOSS => error.help(
                "name the table, or the table and the column: `-- molos: allow data-loss users`, or `… users.name`",
            ),
            BROKEN_REFERENCE => error.help("name the view or trigger: `-- molos: allow broken-reference active_users`"),
            DROP_UNIQUE => {
                error.help("name the index, or the table and the columns: `-- molos: allow drop-unique users.email`")
            }
            NEEDLESS => error.help("name what is not needed: `-- molos: allow needless transaction`"),
            _ => error.help(format!("name the table and the column: `-- molos: allow {lint} users.name`")),
        });
    }
    Ok(Allow { lint, subject: subject.to_owned(), range })
}

fn unknown(name: &str) -> Diagnostic {
    let error = Diagnostic::new(format!("unknown directive `{name}`"));
    match nearest(name, &["foreign-keys", "irreversible", "no-transaction", "unfinished", "allow"]) {
        Some(meant) => error.help(format!("did you mean `{meant}`?")),
        None => error.help(
            "there are `-- molos: foreign-keys = on` (or `off`, which is the default), \
             `-- molos: irreversible = <the reason>`, `-- molos: no-transaction`, `-- molos: unfinished` and \
             `-- molos: allow <lint> <subject>`",
        ),
    }
}

fn misplaced(text: &str) -> Diagnostic {
    Diagnostic::new(format!("the directive `{text}` stands after a statement"))
        .help("a directive is about the whole file; move it above the first statement")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::sqlite::Sqlite;

    fn parse(script: &str) -> (Directives, Vec<Wrong>) {
        super::parse(script, &Sqlite::RULES)
    }

    #[test]
    fn directives_are_comments_above_the_first_statement() {
        let (directives, wrong) = parse("-- a comment\n--molos:foreign-keys=on\nSELECT '-- molos: nonsense';");
        assert_eq!(directives.foreign_keys, Some(ForeignKeys::On));
        assert_eq!(wrong, []);
        let (directives, _) = parse("-- molos: irreversible = x = y\n-- molos: foreign-keys = off\n");
        assert_eq!(directives.irreversible.as_deref(), Some("x = y"));
        assert_eq!(parse("-- molos: irreversible").0.irreversible.as_deref(), Some(""));
    }

    #[test]
    fn what_would_be_passed_over_in_silence_is_an_error() {
        for script in ["-- molos: foriegn-keys = on", "SELECT 1;\n-- molos: foreign-keys = on", "-- molos:"] {
            assert_eq!(parse(script).1.len(), 1, "{script}");
        }
    }
}
