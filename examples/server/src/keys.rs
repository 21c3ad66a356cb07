//! API keys, and what they are granted.

use std::collections::BTreeMap;

use molos::rusqlite::{Connection, params};
use molos::{Insert as _, Table as _};
use serde::Serialize;

use crate::access::{ALL, CORE, Level};
use crate::core::tables::{McpApiKeys, McpModuleScopes, McpPermissionScopes, NewMcpApiKeys};
use crate::error::{Error, Result};
use crate::modules::MODULES;
use crate::secret::{self, Kind, Secret};

/// What the server itself has that a key can be granted.
pub const CORE_RESOURCES: [&str; 2] = ["keys", "modules"];

#[derive(Debug, Serialize)]
pub struct Key {
    pub id: String,
    pub name: String,
    pub expires_at: Option<i64>,
    pub created_at: i64,
    pub modules: Vec<String>,
    pub permissions: BTreeMap<String, String>,
}

/// Creates a key that may do nothing yet. The secret is nowhere else.
pub fn create(conn: &Connection, name: &str, expires_at: Option<i64>) -> Result<(String, Secret)> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(Error::Invalid("a name has 1 to 100 characters".to_owned()));
    }
    let (id, secret) = (secret::id()?, Secret::new(Kind::Key)?);
    NewMcpApiKeys { expires_at, ..NewMcpApiKeys::new(&id, name, &secret.hash()) }.insert(conn)?;
    tracing::info!(id, name, "a key was created");
    Ok((id, secret))
}

/// Every key with its grants, by name.
pub fn list(conn: &Connection) -> Result<Vec<Key>> {
    let mut keys: BTreeMap<String, Key> = McpApiKeys::all(conn)?
        .into_iter()
        .map(|McpApiKeys { id, name, expires_at, created_at, .. }| {
            let key = Key { id, name, expires_at, created_at, modules: Vec::new(), permissions: BTreeMap::new() };
            (key.id.clone(), key)
        })
        .collect();
    for scope in McpModuleScopes::all(conn)? {
        if let Some(key) = keys.get_mut(&scope.api_key_id) {
            key.modules.push(scope.module_name);
        }
    }
    for scope in McpPermissionScopes::all(conn)? {
        if let Some(key) = keys.get_mut(&scope.api_key_id) {
            key.permissions.insert(scope.resource, scope.level);
        }
    }
    let mut keys: Vec<Key> = keys.into_values().collect();
    for key in &mut keys {
        key.modules.sort();
    }
    keys.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    Ok(keys)
}

pub fn grant_module(conn: &Connection, id: &str, module: &str) -> Result<()> {
    find(conn, id)?;
    if !modules().any(|known| known == module) {
        return Err(Error::NotFound(format!("module {module:?}")));
    }
    conn.execute(
        "INSERT INTO mcp_module_scopes (id, api_key_id, module_name) VALUES (?1, ?2, ?3) \
         ON CONFLICT (api_key_id, module_name) DO NOTHING",
        params![secret::id()?, id, module],
    )?;
    tracing::info!(id, module, "a module was granted");
    Ok(())
}

pub fn revoke_module(conn: &Connection, id: &str, module: &str) -> Result<()> {
    find(conn, id)?;
    conn.execute("DELETE FROM mcp_module_scopes WHERE api_key_id = ?1 AND module_name = ?2", [id, module])?;
    tracing::info!(id, module, "a module was revoked");
    Ok(())
}

/// Grants this level, whatever the key had before.
pub fn grant_permission(conn: &Connection, id: &str, resource: &str, level: Level) -> Result<()> {
    find(conn, id)?;
    if !resources().any(|known| known == resource) {
        return Err(Error::NotFound(format!("resource {resource:?}")));
    }
    conn.execute(
        "INSERT INTO mcp_permission_scopes (id, api_key_id, resource, level) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (api_key_id, resource) DO UPDATE SET level = excluded.level",
        params![secret::id()?, id, resource, level.name()],
    )?;
    tracing::info!(id, resource, %level, "a permission was granted");
    Ok(())
}

pub fn revoke_permission(conn: &Connection, id: &str, resource: &str) -> Result<()> {
    find(conn, id)?;
    conn.execute("DELETE FROM mcp_permission_scopes WHERE api_key_id = ?1 AND resource = ?2", [id, resource])?;
    tracing::info!(id, resource, "a permission was revoked");
    Ok(())
}

/// Deletes a key with all its grants.
pub fn delete(conn: &Connection, id: &str) -> Result<()> {
    if conn.execute("DELETE FROM mcp_api_keys WHERE id = ?1", [id])? == 0 {
        return Err(no_key(id));
    }
    tracing::info!(id, "a key was deleted");
    Ok(())
}

/// Every module that can be granted, and last what is all of them.
pub fn modules() -> impl Iterator<Item = &'static str> {
    MODULES.iter().map(|module| module.id).chain([CORE, ALL])
}

/// Every resource that can be granted, and last what is all of them.
pub fn resources() -> impl Iterator<Item = &'static str> {
    MODULES.iter().map(|module| module.id).chain(CORE_RESOURCES).chain([ALL])
}

fn find(conn: &Connection, id: &str) -> Result<()> {
    let exists = conn.prepare_cached("SELECT 1 FROM mcp_api_keys WHERE id = ?1")?.exists([id])?;
    if exists { Ok(()) } else { Err(no_key(id)) }
}

fn no_key(id: &str) -> Error {
    Error::NotFound(format!("key with the id {id:?}"))
}
