//! OAuth 2: authorization codes with PKCE, and tokens that are rotated.
//!
//! The rules are few and are all about rows: what is single-use, what belongs to whom, what revokes what. `oxide-auth`
//! leaves exactly those to the program (its `Authorizer` and `Issuer` know neither families of tokens nor reuse, and
//! its PKCE allows `plain`), so they are written out here.

pub mod client;
pub mod code;
pub mod scope;
pub mod token;

/// Why there are no tokens, in the words of RFC 6749.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    UnsupportedGrantType,
    UnsupportedResponseType,
    AccessDenied,
}

impl Refusal {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::AccessDenied => "access_denied",
        }
    }
}
