//! A number for a schema.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::{Fact, Object};

/// A number for a schema: two databases have the same one if they have the same tables, indexes, triggers and views.
///
/// It is the sum, modulo 2²⁵⁶, of the SHA-256 of what is said of each object, so the order in which they were made does
/// not count, and after a step only what it changed has to be read again.
///
/// ```
/// # use molos_runtime as molos;
/// use molos::Fingerprint;
///
/// let known = Fingerprint::from_bytes([7; 32]);
/// assert_eq!(known.to_string().parse(), Ok(known));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 hexadecimal digits")]
pub struct NotAFingerprint(());

impl Fingerprint {
    /// Which rules it was made by. Fingerprints of two formats say nothing about each other: whoever keeps one keeps the
    /// format beside it.
    pub const FORMAT: u32 = 1;

    /// A fingerprint from its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The fingerprint of a schema in which there is only this.
    pub(super) fn of(object: &Object, facts: &[Fact]) -> Self {
        let mut digest = Sha256::new();
        digest.update(Self::FORMAT.to_le_bytes());
        let mut add = |said: &dyn fmt::Display| {
            digest.update(said.to_string());
            digest.update([0]);
        };
        add(&object.kind);
        add(&object.name);
        for fact in facts {
            add(fact);
        }
        Self(digest.finalize().into())
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        let mut sum = [0; 32];
        let mut carry = false;
        for (at, byte) in sum.iter_mut().enumerate() {
            let (partial, first) = self.0[at].overflowing_add(other.0[at]);
            let (total, second) = partial.overflowing_add(u8::from(carry));
            (*byte, carry) = (total, first || second);
        }
        Self(sum)
    }

    /// The fingerprint of a schema without the part that has this one.
    #[doc(hidden)]
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let one = Self(std::array::from_fn(|at| u8::from(at == 0)));
        let negative = Self(other.0.map(|byte| !byte)).plus(&one);
        self.plus(&negative)
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAFingerprint(()));
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = str::from_utf8(digits).map_err(|_| NotAFingerprint(()))?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NotAFingerprint(()))?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_back_from_its_text() {
        let fingerprint = Fingerprint(std::array::from_fn(|at| u8::try_from(at * 7).unwrap_or_default()));
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        for text in ["", "0", &"g".repeat(64), &"é".repeat(32), &"+1".repeat(32)] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_taken_away_is_what_was_added() {
        let (one, other) = (Fingerprint([0xff; 32]), Fingerprint([3; 32]));
        assert_eq!(one.plus(&other).minus(&other), one);
        assert_eq!(one.minus(&one), Fingerprint::default());
    }
}
