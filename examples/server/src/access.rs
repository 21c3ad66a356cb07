//! Who may do what: the one place that decides it.

use std::fmt;

use molos::rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::oauth::token;
use crate::secret::{self, Hash, Kind};

/// What the keys, modules and clients of the server itself belong to. It cannot be disabled.
pub const CORE: &str = "core";

/// A grant of all modules, or of all resources.
pub const ALL: &str = "*";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Read,
    Write,
    Admin,
}

impl Level {
    pub const EACH: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::EACH.into_iter().find(|level| level.name() == name)
    }

    const fn rank(self) -> i64 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Admin => 3,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What someone wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    pub module: &'a str,
    pub resource: &'a str,
    pub level: Level,
}

impl Access<'static> {
    #[must_use]
    pub const fn core(resource: &'static str, level: Level) -> Self {
        Self { module: CORE, resource, level }
    }
}

/// Why not. It is for the log: a client is told nothing but that access is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    NoSecret,
    UnknownKey,
    ExpiredKey,
    ModuleOff,
    NoModuleScope,
    NoPermissionScope,
    UnknownToken,
    RevokedToken,
    ExpiredToken,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSecret => "nothing was presented",
            Self::UnknownKey => "the key is unknown",
            Self::ExpiredKey => "the key is expired",
            Self::ModuleOff => "the module is disabled or not installed",
            Self::NoModuleScope => "the module is not in its scope",
            Self::NoPermissionScope => "the resource at this level is not in its scope",
            Self::UnknownToken => "the token is unknown",
            Self::RevokedToken => "the token is revoked",
            Self::ExpiredToken => "the token is expired",
        })
    }
}

/// All that is to be known of a key, in one look.
pub const SELECT_ACCESS: &str = "\
SELECT id, key_hash, expires_at, \
  ?2 = 'core' OR EXISTS (SELECT 1 FROM modules WHERE modules.id = ?2 AND enabled), \
  EXISTS (SELECT 1 FROM mcp_module_scopes WHERE api_key_id = mcp_api_keys.id AND module_name IN (?2, '*')), \
  (SELECT max(CASE level WHEN 'read' THEN 1 WHEN 'write' THEN 2 WHEN 'admin' THEN 3 END) \
   FROM mcp_permission_scopes WHERE api_key_id = mcp_api_keys.id AND resource IN (?3, '*')) \
FROM mcp_api_keys WHERE key_hash = ?1";

struct Found {
    id: String,
    key_hash: Hash,
    expires_at: Option<i64>,
    module_is_on: bool,
    has_module: bool,
    rank: Option<i64>,
}

impl Found {
    fn judge(&self, hash: &Hash, level: Level, now: i64) -> Result<(), Denial> {
        if !secret::is_same(&self.key_hash, hash) {
            return Err(Denial::UnknownKey);
        }
        if self.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(Denial::ExpiredKey);
        }
        if !self.module_is_on {
            return Err(Denial::ModuleOff);
        }
        if !self.has_module {
            return Err(Denial::NoModuleScope);
        }
        if self.rank.is_none_or(|rank| rank < level.rank()) {
            return Err(Denial::NoPermissionScope);
        }
        Ok(())
    }
}

/// Whether a key may do this: it is known and not expired, the module is on and in the key's scope, and so is the
/// resource, at this level or above.
pub fn validate_access(conn: &Connection, key: &str, access: &Access<'_>, now: i64) -> Result<()> {
    let hash = secret::hash(key);
    let found = conn
        .prepare_cached(SELECT_ACCESS)?
        .query_row((hash, access.module, access.resource), |row| {
            Ok(Found {
                id: row.get(0)?,
                key_hash: row.get(1)?,
                expires_at: row.get(2)?,
                module_is_on: row.get(3)?,
                has_module: row.get(4)?,
                rank: row.get(5)?,
            })
        })
        .optional()?;
    let verdict = found.as_ref().map_or(Err(Denial::UnknownKey), |found| found.judge(&hash, access.level, now));
    verdict.map_err(|denial| denied(denial, found.as_ref().map(|found| &*found.id), access))
}

/// Notes the reason, with the id of who was denied, and gives none.
pub(crate) fn denied(denial: Denial, id: Option<&str>, access: &Access<'_>) -> Error {
    let Access { module, resource, level } = access;
    tracing::info!(reason = %denial, id, ?module, ?resource, %level, "access denied");
    Error::Denied
}

/// Who was let in.
#[derive(Debug)]
pub struct Caller {
    /// The user on whose behalf an application acts; a key acts for nobody.
    pub user_id: Option<String>,
}

/// Whether a bearer of this may do it.
pub fn authorize(conn: &Connection, bearer: Option<&str>, access: &Access<'_>, now: i64) -> Result<Caller> {
    let Some(bearer) = bearer else { return Err(denied(Denial::NoSecret, None, access)) };
    if Kind::Access.is_kind_of(bearer) {
        return token::validate(conn, bearer, access, now).map(|user_id| Caller { user_id: Some(user_id) });
    }
    validate_access(conn, bearer, access, now)?;
    Ok(Caller { user_id: None })
}
