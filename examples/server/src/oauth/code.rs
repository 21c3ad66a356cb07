//! Authorization codes: what a user's consent is turned into.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use molos::rusqlite::{Connection, params};
use molos::{Insert as _, Keyed as _};

use super::Refusal;
use super::client::Client;
use super::token::{self, Holder, Tokens};
use crate::core::tables::{NewOauthAuthorizationCodes, OauthAuthorizationCodes};
use crate::error::Result;
use crate::secret::{self, Kind, Secret};

const SECONDS: i64 = 60;

/// What a user has consented to.
#[derive(Debug)]
pub struct Consent<'a> {
    pub client_id: &'a str,
    pub user_id: &'a str,
    pub redirect_uri: &'a str,
    pub scope: &'a str,
    /// The base64url of the SHA-256 of the client's verifier.
    pub code_challenge: &'a str,
}

pub fn issue(conn: &Connection, consent: &Consent<'_>, now: i64) -> Result<Secret> {
    let Consent { client_id, user_id, redirect_uri, scope, code_challenge } = *consent;
    let (code, expires_at) = (Secret::new(Kind::Code)?, now + SECONDS);
    let hash = code.hash();
    let row = NewOauthAuthorizationCodes {
        scope: Some(scope),
        ..NewOauthAuthorizationCodes::new(&hash, client_id, user_id, redirect_uri, code_challenge, expires_at)
    };
    row.insert(conn)?;
    Ok(code)
}

/// Turns a code into tokens, once. Whoever does it twice has the tokens of the first time revoked: one of the two
/// has stolen the code, and nobody can tell which.
pub fn exchange(
    conn: &Connection,
    client: &Client,
    code: &str,
    redirect_uri: &str,
    verifier: &str,
    now: i64,
) -> Result<Result<Tokens, Refusal>> {
    let hash = secret::hash(code);
    let found = OauthAuthorizationCodes::find(conn, &hash)?.filter(|found| found.client_id == client.id);
    let Some(found) = found else { return Ok(Err(Refusal::InvalidGrant)) };
    // The tokens of a code are a family, and this is its name.
    let family_id = secret::hex(&hash);
    if found.used_at.is_some() {
        tracing::warn!(client = client.id, user = found.user_id, "a code was used again");
        token::revoke_family(conn, &family_id, now)?;
        return Ok(Err(Refusal::InvalidGrant));
    }
    if found.expires_at <= now || found.redirect_uri != redirect_uri || !is_proof(verifier, &found.code_challenge) {
        return Ok(Err(Refusal::InvalidGrant));
    }
    conn.execute("UPDATE oauth_authorization_codes SET used_at = ?2 WHERE code_hash = ?1", params![hash, now])?;
    let holder = Holder { family_id: &family_id, client_id: &client.id, user_id: &found.user_id, scope: &found.scope };
    Ok(Ok(token::issue(conn, &holder, now)?))
}

/// Whether this can be the base64url of a SHA-256.
#[must_use]
pub fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

fn is_proof(verifier: &str, challenge: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(is_allowed)
        && secret::is_same(URL_SAFE_NO_PAD.encode(secret::hash(verifier)).as_bytes(), challenge.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636, appendix B.
    #[test]
    fn a_verifier_proves_its_own_challenge() {
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_challenge(challenge) && is_proof(verifier, challenge));
        assert!(!is_proof(challenge, challenge));
        assert!(!is_proof("short", &URL_SAFE_NO_PAD.encode(secret::hash("short"))));
        assert!(!is_challenge("plain") && !is_challenge(""));
    }
}
