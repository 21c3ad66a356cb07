//! Files that hold both scripts of a migration, marked by comments: goose, dbmate and sql-migrate.

use std::ops::Range;

use molos_runtime::__private::marks::{Mark, Marks, mark};
use molos_runtime::__private::script::{Token, TokenKind};
use molos_runtime::Direction;

use crate::diagnostic::Diagnostic;
use crate::read::Rules;
use crate::read::directive::directive;

/// The two parts of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sections {
    pub(crate) marks: Marks,
    pub(crate) up: Section,
    pub(crate) down: Option<Section>,
}

/// A part of a file, as bytes of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) range: Range<usize>,
    pub(crate) no_transaction: bool,
}

/// Finds the sections of `text`; `None` if it has no such marks and is one script.
pub(crate) fn parse(text: &str, rules: &Rules) -> Option<Result<Sections, (Range<usize>, Diagnostic)>> {
    let mut found = Vec::new();
    let mut doubtful = Vec::new();
    let mut whole_file = false;
    for token in (rules.tokens)(text).filter(|token| token.kind == TokenKind::Comment) {
        match mark(&text[token.range.clone()]) {
            None | Some(Mark::Plain) => {}
            Some(Mark::Section { marks, direction, no_transaction }) => {
                found.push((marks, direction, no_transaction, token.range));
            }
            Some(Mark::NoTransaction) => whole_file = true,
            Some(Mark::Variables) => return Some(Err((token.range, variables()))),
            Some(Mark::Unknown(direction)) => return Some(Err((token.range, unknown(direction)))),
            Some(Mark::Doubtful(direction)) => doubtful.push((direction, token.range)),
        }
    }
    let Some((marks, _, _, first)) = found.first() else { return is_in_doubt(text, doubtful, rules).map(Err) };
    let marks = *marks;
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
    for (i, (of, direction, no_transaction, range)) in found.iter().enumerate() {
        if *of != marks {
            let diagnostic = Diagnostic::new("the file has the marks of two tools")
                .help(format!("write `{}`, as the others", marks.section(*direction)));
            return Some(Err((range.clone(), diagnostic)));
        }
        let start = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at + 1);
        let end = found.get(i + 1).map_or(text.len(), |(.., next)| next.start);
        let section = &mut sections[usize::from(*direction == Direction::Down)];
        let no_transaction = whole_file || *no_transaction;
        if section.replace(Section { range: start..end.max(start), no_transaction }).is_some() {
            let diagnostic = Diagnostic::new(format!("the file has two {direction} sections"))
                .help("put all of its statements into one");
            return Some(Err((range.clone(), diagnostic)));
        }
    }
    let [up, down] = sections;
    Some(match up {
        Some(up) => Ok(Sections { marks, up, down }),
        None => Err((first.clone(), Diagnostic::new("the file has a down section and no up section"))),
    })
}

/// A remark such as `-- Down` is a mark where statements stand above it and below it: they would all be run.
fn is_in_doubt(
    text: &str,
    doubtful: Vec<(Direction, Range<usize>)>,
    rules: &Rules,
) -> Option<(Range<usize>, Diagnostic)> {
    let has_two = |at: &Range<usize>| !rules.is_blank(&text[..at.start]) && !rules.is_blank(&text[at.end..]);
    let (direction, range) =
        doubtful.into_iter().find(|(direction, at)| *direction == Direction::Down && has_two(at))?;
    Some((range, unknown(Some(direction))))
}

fn unknown(direction: Option<Direction>) -> Diagnostic {
    let error = Diagnostic::new("this looks like a mark of another tool, and is none that is read")
        .note("without it, the statements of both ways would be run, one after the other");
    match direction {
        Some(_) => {
            let (goose, dbmate) = (pair(Marks::Goose), pair(Marks::Dbmate));
            error.help(format!("begin the sections with {goose}, or with {dbmate}, exactly so"))
                .help("if it is a remark, put it in other words")
        }
        None => error.help(
            "goose has `Up`, `Down`, `NO TRANSACTION`, `StatementBegin`, `StatementEnd` and `ENVSUB`, sql-migrate `Up`, \
             `Down`, `StatementBegin` and `StatementEnd`",
        ),
    }
}

/// Both marks, for a message.
pub(super) fn pair(marks: Marks) -> String {
    format!("`{}` and `{}`", marks.section(Direction::Up), marks.section(Direction::Down))
}

fn variables() -> Diagnostic {
    Diagnostic::new("the file asks for variables of the environment in its statements")
        .note("what a migration does may not depend on the machine; molos runs the text as it stands")
        .help("write the values into the statements, and remove the mark")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::sqlite::Sqlite;

    const RULES: Rules = Sqlite::RULES;

    fn split(text: &str) -> Option<(&str, Option<&str>)> {
        let sections = parse(text, &RULES)?.expect("sections");
        Some((&text[sections.up.range], sections.down.map(|down| &text[down.range])))
    }

    #[test]
    fn three_tools_mark_two_sections() {
        let goose =
            "-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n-- +goose StatementEnd\n\n-- +goose Down\nSELECT 2;";
        let up = "-- +goose StatementBegin\nSELECT 1;\n-- +goose StatementEnd\n\n";
        assert_eq!(split(goose), Some((up, Some("SELECT 2;"))));
        assert_eq!(split("-- migrate:up\nSELECT 1;"), Some(("SELECT 1;", None)));
        assert_eq!(split("-- migrate:up\n-- migrate:down"), Some(("", Some(""))));
        let sql_migrate = "-- +migrate Up\nSELECT 1;\n-- +migrate Down\nSELECT 2;";
        assert_eq!(split(sql_migrate), Some(("SELECT 1;\n", Some("SELECT 2;"))));
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
            "-- +goose Up\n-- +goose ENVSUB ON\nSELECT 1;",
            "-- +goose Up\n-- migrate:down\n",
            "-- +micrate Up\nSELECT 1;\n-- +micrate Down\nSELECT 2;",
            "-- Up\nSELECT 1;\n-- Down\nSELECT 2;",
        ] {
            assert!(matches!(parse(text, &RULES), Some(Err(_))), "{text}");
        }
    }

    #[test]
    fn sections_say_whether_they_need_no_transaction() {
        let alone = |text: &str| {
            let sections = parse(text, &RULES).expect("sections").expect("no error");
            (sections.up.no_transaction, sections.down.map(|down| down.no_transaction))
        };
        assert_eq!(alone("-- +goose NO TRANSACTION\n-- +goose Up\n-- +goose Down\n"), (true, Some(true)));
        assert_eq!(alone("-- migrate:up transaction:false\n-- migrate:down\n"), (true, Some(false)));
        assert_eq!(alone("-- +migrate Up\n-- +migrate Down notransaction\n"), (false, Some(true)));
    }

    #[test]
    fn a_remark_that_parts_no_statements_is_none() {
        for text in ["-- Up\nSELECT 1;", "-- Down\nSELECT 1;", "SELECT 1;\n-- Down", "SELECT 1; -- up\nSELECT 2;"] {
            assert_eq!(parse(text, &RULES), None, "{text}");
        }
    }
}
