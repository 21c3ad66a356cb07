//! The modules that this binary holds, and which of them a database has.
//!
//! That a module is installed is a row of `modules`, which its own first migration inserts: there is no moment at
//! which one is without the other.

use molos::rusqlite::{self, Connection, params};
use molos::{Migrations, Migrator, Rollback};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::{core, server};

/// What a binary knows of a module. Its resource has the name of the module.
pub struct Module {
    pub id: &'static str,
    pub migrations: &'static Migrations<'static>,
    /// What is in it, of one user or of all.
    pub list: fn(&Connection, Option<&str>) -> rusqlite::Result<Value>,
    /// Adds a text for a user.
    pub add: fn(&Connection, &str, &str) -> rusqlite::Result<Value>,
}

pub static MODULES: [Module; 2] = [
    Module {
        id: "notes",
        migrations: &molos_example_notes::MIGRATIONS,
        list: molos_example_notes::list,
        add: molos_example_notes::add,
    },
    Module {
        id: "tasks",
        migrations: &molos_example_tasks::MIGRATIONS,
        list: molos_example_tasks::list,
        add: molos_example_tasks::add,
    },
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Apply its migrations.
    Install,
    /// Give access to it.
    Enable,
    /// Refuse access to it, and keep what is in it.
    Disable,
    /// Take its migrations back, and with them everything that is in it.
    Uninstall,
}

/// Where a module stands in a database.
#[derive(Debug, Serialize)]
pub struct State {
    pub id: String,
    /// Whether this binary has it.
    pub known: bool,
    pub installed: bool,
    pub enabled: bool,
    /// What the view `module_migrations` says of it.
    pub migrations: Vec<AppliedMigration>,
}

#[derive(Debug, Serialize)]
pub struct AppliedMigration {
    pub name: String,
    pub applied_at: i64,
    pub checksum: String,
}

pub fn find(id: &str) -> Result<&'static Module> {
    MODULES.iter().find(|module| module.id == id).ok_or_else(|| Error::NotFound(format!("module {id:?}")))
}

/// What a database is to be migrated with: the core, the server, and every module that is installed.
pub fn sets(conn: &Connection) -> Result<Vec<&'static Migrations<'static>>> {
    let mut sets = vec![&core::MIGRATIONS, &server::MIGRATIONS];
    if conn.table_exists(None, "modules")? {
        let installed = installed(conn)?;
        let is_installed = |module: &&Module| installed.iter().any(|(id, _)| id == module.id);
        sets.extend(MODULES.iter().filter(is_installed).map(|module| module.migrations));
    }
    Ok(sets)
}

fn installed(conn: &Connection) -> Result<Vec<(String, bool)>> {
    let mut statement = conn.prepare_cached("SELECT id, enabled FROM modules ORDER BY id")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Every module of the binary or the database.
pub fn list(conn: &Connection) -> Result<Vec<State>> {
    let state = |id: &str, known, row: Option<&(String, bool)>| {
        Ok(State {
            id: id.to_owned(),
            known,
            installed: row.is_some(),
            enabled: row.is_some_and(|(_, enabled)| *enabled),
            migrations: applied(conn, id)?,
        })
    };
    let installed = installed(conn)?;
    let known = MODULES.iter().map(|module| {
        let row = installed.iter().find(|(id, _)| id == module.id);
        state(module.id, true, row)
    });
    let unknown = installed.iter().filter(|(id, _)| find(id).is_err());
    known.chain(unknown.map(|row| state(&row.0, false, Some(row)))).collect()
}

fn applied(conn: &Connection, module: &str) -> Result<Vec<AppliedMigration>> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT migration_name, applied_at, checksum FROM module_migrations ",
        "WHERE module_name = ?1 ORDER BY applied_at, migration_name"
    ))?;
    let rows = statement.query_map([module], |row| {
        Ok(AppliedMigration { name: row.get(0)?, applied_at: row.get(1)?, checksum: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Does what was asked for. To ask twice does no harm.
pub fn change(conn: &mut Connection, module: &Module, action: Action, now: i64) -> Result<()> {
    match action {
        Action::Install => {
            Migrator::new(module.migrations).migrate(conn)?;
        }
        Action::Uninstall => {
            Migrator::new(module.migrations).rollback(conn, Rollback::All)?;
        }
        Action::Enable => set_enabled(conn, module, true, now)?,
        Action::Disable => set_enabled(conn, module, false, now)?,
    }
    tracing::info!(module = module.id, ?action, "a module has changed");
    Ok(())
}

fn set_enabled(conn: &Connection, module: &Module, enabled: bool, now: i64) -> Result<()> {
    let changed = conn
        .execute("UPDATE modules SET enabled = ?2, updated_at = ?3 WHERE id = ?1", params![module.id, enabled, now])?;
    if changed == 0 {
        return Err(Error::Conflict(format!("the module {:?} is not installed", module.id)));
    }
    Ok(())
}
