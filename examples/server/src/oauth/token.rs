//! Access and refresh tokens.

use molos::rusqlite::{Connection, OptionalExtension as _, params};
use molos::{Insert as _, Keyed as _};

use super::Refusal;
use super::client::Client;
use super::scope::Scope;
use crate::access::{Access, Denial, denied};
use crate::core::tables::{NewOauthTokens, OauthTokens};
use crate::error::Result;
use crate::secret::{self, Hash, Kind, Secret};

pub const ACCESS_SECONDS: i64 = 15 * 60;
const REFRESH_SECONDS: i64 = 30 * 24 * 60 * 60;

pub struct Tokens {
    pub access: Secret,
    pub refresh: Secret,
    pub scope: String,
}

/// Who holds tokens, for whom, and what for.
#[derive(Clone, Copy)]
pub(super) struct Holder<'a> {
    pub(super) family_id: &'a str,
    pub(super) client_id: &'a str,
    pub(super) user_id: &'a str,
    pub(super) scope: &'a str,
}

pub(super) fn issue(conn: &Connection, holder: &Holder<'_>, now: i64) -> Result<Tokens> {
    let (access, refresh) = (Secret::new(Kind::Access)?, Secret::new(Kind::Refresh)?);
    insert(conn, &access.hash(), "access", holder, now + ACCESS_SECONDS)?;
    insert(conn, &refresh.hash(), "refresh", holder, now + REFRESH_SECONDS)?;
    Ok(Tokens { access, refresh, scope: holder.scope.to_owned() })
}

fn insert(conn: &Connection, hash: &Hash, kind: &str, holder: &Holder<'_>, expires_at: i64) -> Result<()> {
    let Holder { family_id, client_id, user_id, scope } = *holder;
    let token = NewOauthTokens {
        scope: Some(scope),
        ..NewOauthTokens::new(hash, kind, family_id, client_id, user_id, expires_at)
    };
    token.insert(conn)?;
    Ok(())
}

/// Turns a refresh token into new tokens, once. Whoever does it twice has the whole family revoked: one of the two has
/// stolen it, and nobody can tell which.
pub fn refresh(conn: &Connection, client: &Client, token: &str, now: i64) -> Result<Result<Tokens, Refusal>> {
    let hash = secret::hash(token);
    let found = OauthTokens::find(conn, &hash)?.filter(|found| found.kind == "refresh" && found.client_id == client.id);
    let Some(found) = found else { return Ok(Err(Refusal::InvalidGrant)) };
    if found.revoked_at.is_some() {
        tracing::warn!(client = client.id, user = found.user_id, "a refresh token was used again");
        revoke_family(conn, &found.family_id, now)?;
        return Ok(Err(Refusal::InvalidGrant));
    }
    if found.expires_at <= now {
        return Ok(Err(Refusal::InvalidGrant));
    }
    let OauthTokens { family_id, client_id, user_id, scope, .. } = &found;
    let tokens = issue(conn, &Holder { family_id, client_id, user_id, scope }, now)?;
    conn.execute(
        "UPDATE oauth_tokens SET revoked_at = ?2, replaced_by = ?3 WHERE token_hash = ?1",
        params![hash, now, tokens.refresh.hash()],
    )?;
    Ok(Ok(tokens))
}

/// Revokes a token of this client, and all that come from the same consent.
pub fn revoke(conn: &Connection, client: &Client, token: &str, now: i64) -> Result<()> {
    let found = OauthTokens::find(conn, &secret::hash(token))?.filter(|found| found.client_id == client.id);
    found.map_or(Ok(()), |found| revoke_family(conn, &found.family_id, now))
}

pub(super) fn revoke_family(conn: &Connection, family_id: &str, now: i64) -> Result<()> {
    conn.execute(
        "UPDATE oauth_tokens SET revoked_at = ?2 WHERE family_id = ?1 AND revoked_at IS NULL",
        params![family_id, now],
    )?;
    Ok(())
}

/// Whether an access token may do this; for whom, if so.
pub(crate) fn validate(conn: &Connection, token: &str, access: &Access<'_>, now: i64) -> Result<String> {
    let found = conn
        .prepare_cached(
            "SELECT user_id, scope, expires_at, revoked_at, \
               EXISTS (SELECT 1 FROM modules WHERE modules.id = ?2 AND enabled) \
             FROM oauth_tokens WHERE token_hash = ?1 AND kind = 'access'",
        )?
        .query_row(params![secret::hash(token), access.module], |row| {
            Ok(Found {
                user_id: row.get(0)?,
                scope: row.get(1)?,
                expires_at: row.get(2)?,
                revoked_at: row.get(3)?,
                module_is_on: row.get(4)?,
            })
        })
        .optional()?;
    let Some(found) = found else { return Err(denied(Denial::UnknownToken, None, access)) };
    match found.judge(access, now) {
        Ok(()) => Ok(found.user_id),
        Err(denial) => Err(denied(denial, Some(&found.user_id), access)),
    }
}

struct Found {
    user_id: String,
    scope: String,
    expires_at: i64,
    revoked_at: Option<i64>,
    module_is_on: bool,
}

impl Found {
    fn judge(&self, access: &Access<'_>, now: i64) -> Result<(), Denial> {
        if self.revoked_at.is_some() {
            return Err(Denial::RevokedToken);
        }
        if self.expires_at <= now {
            return Err(Denial::ExpiredToken);
        }
        if !self.module_is_on {
            return Err(Denial::ModuleOff);
        }
        // The resource of a module has its name, and a scope is of modules.
        let allows = |scope: Scope| access.resource == access.module && scope.allows(access.module, access.level);
        if !Scope::parse(&self.scope).is_some_and(allows) {
            return Err(Denial::NoPermissionScope);
        }
        Ok(())
    }
}
