//! Files that hold both scripts of a migration, marked by comments: goose and dbmate.

use std::ops::Range;

use molos_runtime::__private::layout::{Mark, mark};
use molos_runtime::__private::script::{Token, TokenKind};
use molos_runtime::Direction;

use crate::diagnostic::Diagnostic;
use crate::read::Rules;
use crate::read::directive::directive;

/// The two parts of a file, as bytes of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sections {
    pub(crate) up: Range<usize>,
    pub(crate) down: Option<Range<usize>>,
}

/// Finds the sections of `text`; `None` if it has no such marks and is one script.
pub(crate) fn parse(text: &str, rules: &Rules) -> Option<Result<Sections, (Range<usize>, Diagnostic)>> {
    let mut marks = Vec::new();
    for token in (rules.tokens)(text).filter(|token| token.kind == TokenKind::Comment) {
        match mark(&text[token.range.clone()]) {
            None => {}
            Some(Mark::Section(direction)) => marks.push((direction, token.range)),
            Some(Mark::Unsupported) => return Some(Err((token.range, wants_no_transaction(rules)))),
        }
    }
    let (_, first) = marks.first()?;
    if !rules.is_blank(&text[..first.start]) {
        let diagnostic = Diagnostic::new("a statement stands before the first section of the file")
            .help("move it below the mark of the section it belongs to");
        return Some(Err((first.clone(), diagnostic)));
    }
    let above = |token: &Token| token.kind == TokenKind::Comment && directive(&text[token.range.clone()]).is_some();
    if let Some(token) = (rules.tokens)(&text[..first.start]).find(above) {
        let diagnostic = Diagnostic::new("a directive stands before the first section of the file")
            .help("a directive is about one script; move it below the mark of the section it belongs to");
        return Some(Err((token.range, diagnostic)));
    }
    let mut sections = [None, None];
    for (i, (direction, range)) in marks.iter().enumerate() {
        let start = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at + 1);
        let end = marks.get(i + 1).map_or(text.len(), |(_, next)| next.start);
        let section = &mut sections[usize::from(*direction == Direction::Down)];
        if section.replace(start..end.max(start)).is_some() {
            let diagnostic = Diagnostic::new(format!("the file has two {direction} sections"))
                .help("put all of its statements into one");
            return Some(Err((range.clone(), diagnostic)));
        }
    }
    let [up, down] = sections;
    Some(match up {
        Some(up) => Ok(Sections { up, down }),
        None => Err((first.clone(), Diagnostic::new("the file has a down section and no up section"))),
    })
}

fn wants_no_transaction(rules: &Rules) -> Diagnostic {
    Diagnostic::new("the file asks to be run without a transaction")
        .note("a migration is run inside of one, so that a failure leaves nothing behind")
        .help(format!(
            "remove the mark if no statement needs it; for {}, begin the section with `-- molos: no-transaction`",
            rules.need_no_transaction
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::sqlite::Sqlite;

    const RULES: Rules = Sqlite::RULES;

    fn split(text: &str) -> Option<(&str, Option<&str>)> {
        let sections = parse(text, &RULES)?.expect("sections");
        Some((&text[sections.up], sections.down.map(|down| &text[down])))
    }

    #[test]
    fn goose_and_dbmate_mark_two_sections() {
        let goose =
            "-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n-- +goose StatementEnd\n\n-- +goose Down\nSELECT 2;";
        let up = "-- +goose StatementBegin\nSELECT 1;\n-- +goose StatementEnd\n\n";
        assert_eq!(split(goose), Some((up, Some("SELECT 2;"))));
        assert_eq!(split("-- migrate:up\nSELECT 1;"), Some(("SELECT 1;", None)));
        assert_eq!(split("-- migrate:up\n-- migrate:down"), Some(("", Some(""))));
    }

    #[test]
    fn marks_in_strings_are_text() {
        assert_eq!(parse("SELECT '\n-- migrate:up\n';", &RULES), None);
    }

    #[test]
    fn sections_that_make_no_sense_are_errors() {
        for text in [
            "SELECT 1;\n-- migrate:up\n",
            "-- migrate:up\n-- migrate:up\n",
            "-- +goose Down\nSELECT 1;",
            "-- +goose NO TRANSACTION\n-- +goose Up\n",
            "-- migrate:up transaction:false\n",
        ] {
            assert!(matches!(parse(text, &RULES), Some(Err(_))), "{text}");
        }
    }
}
