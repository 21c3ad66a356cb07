//! The checksum of a migration: SHA-256 over its text, whatever line ends the checkout gave it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The SHA-256 of a migration's normalised text.
///
/// Normalised means: no byte order mark, and every line ends in a single line feed. A checkout with CRLF line
/// ends and one with LF therefore have one checksum.
///
/// ```
/// use molos_runtime::Checksum;
///
/// assert_eq!(Checksum::of("SELECT 1;\r\n"), Checksum::of("SELECT 1;\n"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// A checksum from its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The checksum of `text`, which is normalised first.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(normalise(text).as_bytes()).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// `text` without a byte order mark, CRLF and CR made LF.
#[must_use]
pub fn normalise(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(text) }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

/// What is said of a text that is no checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a checksum is 64 hexadecimal digits")]
pub struct NotAChecksum;

impl FromStr for Checksum {
    type Err = NotAChecksum;

    fn from_str(text: &str) -> Result<Self, NotAChecksum> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(NotAChecksum) };
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() {
            return Err(NotAChecksum);
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

const fn digit(character: u8) -> Result<u8, NotAChecksum> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        b'A'..=b'F' => Ok(character - b'A' + 10),
        _ => Err(NotAChecksum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_byte_order_mark_do_not_count() {
        let unix = Checksum::of("CREATE TABLE a (\n  b\n);\n");
        assert_eq!(Checksum::of("CREATE TABLE a (\r\n  b\r\n);\r\n"), unix);
        assert_eq!(Checksum::of("\u{feff}CREATE TABLE a (\r  b\r);\r"), unix);
        assert_ne!(Checksum::of("CREATE TABLE a (\n  c\n);\n"), unix);
    }

    #[test]
    fn it_is_sha_256_and_survives_its_own_display() {
        let empty = Checksum::of("");
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(empty.to_string(), text);
        assert_eq!(text.parse(), Ok(empty));
        assert_eq!(text[1..].parse::<Checksum>(), Err(NotAChecksum));
        assert_eq!(text.replace('e', "g").parse::<Checksum>(), Err(NotAChecksum));
    }
}
