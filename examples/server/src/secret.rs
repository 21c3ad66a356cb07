//! Secrets: made at random, shown once, and known afterwards by their hash alone.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::{Error, Result};

/// 256 random bits behind a prefix that says what they are for. Of so many, a plain hash tells nothing; a password is
/// something else, see [`users`](crate::users).
///
/// It is not `Debug`, so that none gets into a log.
#[derive(Clone)]
pub struct Secret(String);

pub type Hash = [u8; 32];

#[derive(Clone, Copy)]
pub enum Kind {
    Key,
    Session,
    Client,
    Code,
    Access,
    Refresh,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Key => "molos_key_",
            Self::Session => "molos_session_",
            Self::Client => "molos_client_",
            Self::Code => "molos_code_",
            Self::Access => "molos_access_",
            Self::Refresh => "molos_refresh_",
        }
    }

    #[must_use]
    pub fn is_kind_of(self, secret: &str) -> bool {
        secret.starts_with(self.prefix())
    }
}

impl Secret {
    pub fn new(kind: Kind) -> Result<Self> {
        Ok(Self(kind.prefix().to_owned() + &URL_SAFE_NO_PAD.encode(random::<32>()?)))
    }

    #[must_use]
    pub fn hash(&self) -> Hash {
        hash(&self.0)
    }
}

/// The one way to see it.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[must_use]
pub fn hash(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

/// Compares in a time that does not depend on where they differ.
#[must_use]
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // To write into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The id of a new row.
pub fn id() -> Result<String> {
    Ok(hex(&random::<16>()?))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::Internal("the system has no randomness"))?;
    Ok(bytes)
}
