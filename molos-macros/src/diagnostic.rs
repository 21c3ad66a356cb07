//! What is wrong, and where: drawn as the compiler draws it.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use molos_runtime::__private::visible;

/// One thing to correct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    title: String,
    place: Option<Box<Place>>,
    notes: Vec<String>,
    helps: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: String,
    text: String,
    range: Range<usize>,
    label: String,
}

impl Diagnostic {
    /// `title` says what is wrong: lower case, one line, no full stop.
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into().replace(['\r', '\n'], " "), place: None, notes: Vec::new(), helps: Vec::new() }
    }

    /// What is wrong, in one line.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Points at the bytes `range` of the file at `path`, whose whole text is `text`.
    pub(crate) fn at(mut self, path: &str, text: &str, range: Range<usize>, label: impl Into<String>) -> Self {
        let path = path.replace(['\r', '\n'], " ");
        self.place =
            Some(Box::new(Place { path, text: text.to_owned(), range: within(text, range), label: label.into() }));
        self
    }

    /// Adds something to know.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds something to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.helps.push(help.into());
        self
    }

    /// The text of a `compile_error!`, to which the compiler adds the word "error" and the place of the macro.
    pub(crate) fn render(&self) -> String {
        let title = Level::ERROR.no_name().primary_title(self.title.as_str());
        let mut group = match &self.place {
            None => Group::with_title(title),
            Some(place) => {
                let annotation = AnnotationKind::Primary.span(place.range.clone()).label(place.label.as_str());
                let snippet = Snippet::source(place.text.as_str()).path(place.path.as_str()).annotation(annotation);
                title.element(snippet)
            }
        };
        group = group.elements(self.notes.iter().map(|note| Level::NOTE.message(note.as_str())));
        group = group.elements(self.helps.iter().map(|help| Level::HELP.message(help.as_str())));
        visible(&Renderer::plain().render(&[group])).into_owned()
    }
}

/// The part of `range` that is inside of `text` and ends on its first line, so that one line is drawn.
fn within(text: &str, range: Range<usize>) -> Range<usize> {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(range.start);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    start..boundary(range.end).clamp(start, line_end)
}

/// Several names in a sentence: `a`, `b` and `c`.
pub(crate) fn list<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// The one of `known` that `word` may be meant to be.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |known: &&str| strsim::damerau_levenshtein(word, known);
    let nearest = known.iter().copied().min_by_key(|known| distance(known))?;
    (distance(&nearest) <= 1 + nearest.len() / 4).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_range_of_any_text_can_be_drawn() {
        for text in ["", "a", "é\nb", "\n\n", "a\tb\u{0}\n日本"] {
            for start in 0..text.len() + 3 {
                for end in 0..text.len() + 3 {
                    let drawn = Diagnostic::new("wrong").at("a.sql", text, start..end, "here").help("mend it").render();
                    assert!(drawn.contains("a.sql") && drawn.contains("here"), "{drawn}");
                }
            }
        }
    }

    #[test]
    fn no_text_of_a_file_steers_a_terminal_or_makes_a_line_of_its_own() {
        let drawn = Diagnostic::new("`a\nerror: b`\u{1b}[2J")
            .at("a\nb.sql", "SELECT '\u{1b}[31m\u{202e}';", 0..6, "\u{7}")
            .note("\u{9b}1m")
            .help("\r")
            .render();
        let is_plain = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
        assert!(drawn.chars().all(is_plain), "{drawn:?}");
        assert!(drawn.lines().all(|line| !line.starts_with("error")), "{drawn}");
    }

    #[test]
    fn a_slip_is_told_from_another_word() {
        let known = ["foreign-keys", "irreversible"];
        assert_eq!(nearest("foriegn_keys", &known), Some("foreign-keys"));
        assert_eq!(nearest("ireversible", &known), Some("irreversible"));
        assert_eq!(nearest("allow", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
