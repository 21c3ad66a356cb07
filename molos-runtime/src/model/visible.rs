//! Text of files, names and databases, for people to look at.

use std::borrow::Cow;

/// Whether a terminal does something else with it than show it: a control character, or one that turns the direction of
/// what follows, or ends the line.
fn steers(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() && !matches!(c, '\n' | '\t')
}

/// The text, with what would steer a terminal written out.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let write_out = |c: char| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() };
    // Files may have the line ends of Windows.
    Cow::Owned(text.replace("\r\n", "\n").chars().map(write_out).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_written_out_and_the_line_ends_of_a_file_are_not() {
        assert_eq!(visible("SELECT 1;\r\n\tSELECT 2;\r\n\x1b\r"), "SELECT 1;\n\tSELECT 2;\n\\u{1b}\\u{d}");
        assert_eq!(visible("a\u{202e}b"), "a\\u{202e}b");
    }
}
