//! Text of files, names and databases in Markdown, where it stays text: rustdoc would run a block of code as a test, and
//! show HTML as it is.

use molos_runtime::__private::visible;

/// The text in one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// As many backticks as it takes to enclose this text: at least so many, and more than stand together in it.
fn fence(text: &str, least: usize) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(least.max(longest + 1))
}

/// The text as code within a line.
pub(super) fn code(text: &str) -> String {
    let text = visible(&line(text)).into_owned();
    if text.is_empty() {
        return "(nothing)".to_owned();
    }
    let fence = fence(&text, 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// The text as a block of SQL.
pub(super) fn sql_block(text: &str) -> String {
    let text = visible(text);
    let fence = fence(&text, 3);
    format!("{fence}sql\n{text}\n{fence}")
}

/// The text as text within a line, or within a cell of a table.
pub(super) fn prose(text: &str) -> String {
    let mut prose = String::new();
    for c in visible(&line(text)).chars() {
        if c.is_ascii_punctuation() {
            prose.push('\\');
        }
        prose.push(c);
    }
    prose
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

    use super::*;

    /// What rustdoc makes of it.
    fn events(markdown: &str) -> Vec<Event<'_>> {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_SMART_PUNCTUATION;
        Parser::new_ext(markdown, options).collect()
    }

    fn is_text(event: &Event<'_>) -> bool {
        matches!(event, Event::Text(_))
    }

    /// Whatever Markdown or HTML might be made of.
    fn text() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            "`",
            "```",
            "````",
            "~~~",
            "\n",
            "\r",
            "\r\n",
            "    ",
            "\t",
            " ",
            "|",
            "\\",
            "<b>",
            "</b>",
            "<!--",
            "[a](b)",
            "*",
            "_",
            "# ",
            "- ",
            "1. ",
            "> ",
            "&lt;",
            "---",
            "é",
            "x",
            "assert!(false)",
            "rust",
            "\u{1b}",
            "\u{202e}",
            "\u{0}",
            "\u{85}",
            "\u{2028}",
            "\"",
            "'",
            "!",
            "[^1]:",
            "https://example.org",
            "{{",
            "%%",
        ]);
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_stays_text(text in text()) {
            let doc = format!("A row of {}.\n\n{}\n\n| a | b |\n| --- | --- |\n| {} | 1 |\n", code(&text), sql_block(&text), prose(&text));
            let mut events = events(&doc).into_iter().filter(|event| !is_text(event));
            prop_assert_eq!(events.next(), Some(Event::Start(Tag::Paragraph)));
            let mut next = events.next();
            if !line(&text).is_empty() {
                prop_assert!(matches!(&next, Some(Event::Code(_))), "{:?}", next);
                next = events.next();
            }
            prop_assert_eq!(next, Some(Event::End(TagEnd::Paragraph)));
            let block = events.next();
            prop_assert!(
                matches!(&block, Some(Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(kind)))) if &**kind == "sql"),
                "{:?}", block
            );
            prop_assert_eq!(events.next(), Some(Event::End(TagEnd::CodeBlock)));
            let cells = events.filter(|event| !matches!(event, Event::Start(Tag::TableCell) | Event::End(TagEnd::TableCell)));
            let cells: Vec<Event<'_>> = cells.collect();
            prop_assert!(
                matches!(
                    &cells[..],
                    [
                        Event::Start(Tag::Table(_)), Event::Start(Tag::TableHead), Event::End(TagEnd::TableHead),
                        Event::Start(Tag::TableRow), Event::End(TagEnd::TableRow), Event::End(TagEnd::Table),
                    ]
                ),
                "{:?}", cells
            );
        }

        #[test]
        fn a_cell_is_the_text_itself(text in text()) {
            let doc = format!("x {} x", prose(&text));
            let shown: String = events(&doc).iter().filter_map(|event| match event {
                Event::Text(text) => Some(text.to_string()),
                _ => None,
            }).collect();
            prop_assert_eq!(shown.split_whitespace().collect::<String>(), format!("x{}x", visible(&line(&text)).split_whitespace().collect::<String>()));
        }
    }
}
