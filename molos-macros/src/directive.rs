//! The `-- molos: …` comments at the head of a file.

use std::ops::Range;

use molos_runtime::ForeignKeys;
use molos_runtime::script::{TokenKind, tokens};

use crate::diagnostic::{Diagnostic, nearest};

/// What the directives of a script say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// Whether foreign keys are enforced while the script runs; `None` if it does not say.
    pub(crate) foreign_keys: Option<ForeignKeys>,
    /// Why there is no way back, if the script says that there is none; empty if it gives no reason.
    pub(crate) irreversible: Option<String>,
    /// Whether a way back may lead to another schema than the one before its migration.
    pub(crate) allow_inexact_down: bool,
}

/// A directive that is wrong: where it stands in the script, and what to say of it.
pub(crate) type Wrong = (Range<usize>, Diagnostic);

/// Reads the directives of `script`.
pub(crate) fn parse(script: &str) -> (Directives, Vec<Wrong>) {
    let mut directives = Directives::default();
    let mut wrong = Vec::new();
    let mut at_head = true;
    for token in tokens(script) {
        match token.kind {
            TokenKind::Space => {}
            TokenKind::Comment => {
                let Some(text) = directive(&script[token.range.clone()]) else { continue };
                let result = if at_head { directives.read(text) } else { Err(misplaced(text)) };
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
fn directive(comment: &str) -> Option<&str> {
    Some(comment.strip_prefix("--")?.trim_start().strip_prefix("molos:")?.trim())
}

impl Directives {
    fn read(&mut self, text: &str) -> Result<(), Diagnostic> {
        let (name, value) = text.split_once('=').map_or((text, ""), |(name, value)| (name.trim(), value.trim()));
        match (name, value) {
            ("foreign-keys", "on") => self.foreign_keys = Some(ForeignKeys::On),
            ("foreign-keys", "off") => self.foreign_keys = Some(ForeignKeys::Off),
            ("foreign-keys", _) => {
                return Err(Diagnostic::new(format!("`foreign-keys` is `on` or `off`, not `{value}`"))
                    .help("`on` enforces foreign keys while this file runs; without it they are checked at the end"));
            }
            ("irreversible", reason) => self.irreversible = Some(reason.to_owned()),
            ("allow inexact-down", "") => self.allow_inexact_down = true,
            _ => return Err(unknown(name)),
        }
        Ok(())
    }
}

fn unknown(name: &str) -> Diagnostic {
    let error = Diagnostic::new(format!("unknown directive `{name}`"));
    match nearest(name, &["foreign-keys", "irreversible", "allow inexact-down"]) {
        Some(meant) => error.help(format!("did you mean `{meant}`?")),
        None => error.help(
            "there are `-- molos: foreign-keys = on` (or `off`, which is the default), \
             `-- molos: irreversible = <the reason>` and, in a way back, `-- molos: allow inexact-down`",
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
