//! `key`.

use std::str::FromStr;

use molos::rusqlite::Connection;

use crate::access::Level;
use crate::error::Result;
use crate::store::Store;
use crate::{keys, now};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Key {
    /// Create a key, and show it, this once.
    Create {
        name: String,
        /// After how many days it expires; without it, it does not.
        #[arg(long)]
        expires_in_days: Option<u32>,
        #[command(flatten)]
        grants: Grants,
    },
    /// Show every key's id, name and grants, and no key.
    List,
    /// Grant a key more.
    Grant {
        id: String,
        #[command(flatten)]
        grants: Grants,
    },
    /// Revoke grants of a key.
    Revoke {
        id: String,
        #[arg(long = "module")]
        modules: Vec<String>,
        /// All levels of it.
        #[arg(long = "resource")]
        resources: Vec<String>,
    },
    /// Delete a key with all its grants.
    Delete { id: String },
}

#[derive(Debug, clap::Args)]
pub(super) struct Grants {
    /// A module that it may talk to: `tasks`, `core`, or `*` for all.
    #[arg(long = "module", value_name = "MODULE")]
    modules: Vec<String>,
    /// What it may do there: `tasks:write`, `keys:admin`, `*:read`.
    #[arg(long = "permission", value_name = "RESOURCE:LEVEL")]
    permissions: Vec<Permission>,
}

#[derive(Clone, Debug)]
struct Permission {
    resource: String,
    level: Level,
}

impl FromStr for Permission {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (resource, level) = text.rsplit_once(':').ok_or("a permission is a resource, a colon and a level")?;
        let level = Level::of_name(level).ok_or("a level is read, write or admin")?;
        Ok(Self { resource: resource.to_owned(), level })
    }
}

impl Grants {
    fn apply(&self, conn: &Connection, id: &str) -> Result<()> {
        for module in &self.modules {
            keys::grant_module(conn, id, module)?;
        }
        for Permission { resource, level } in &self.permissions {
            keys::grant_permission(conn, id, resource, *level)?;
        }
        Ok(())
    }
}

impl Key {
    pub(super) fn run(self, store: &Store) -> Result<String> {
        match self {
            Self::Create { name, expires_in_days, grants } => store.write(|conn| {
                let expires_at = expires_in_days.map(|days| now() + i64::from(days) * 24 * 60 * 60);
                let (id, secret) = keys::create(conn, &name, expires_at)?;
                grants.apply(conn, &id)?;
                Ok(format!("id  {id}\nkey {secret}\n"))
            }),
            Self::List => Ok(store.read(keys::list)?.iter().map(line).collect()),
            Self::Grant { id, grants } => store.write(|conn| grants.apply(conn, &id)).map(|()| String::new()),
            Self::Revoke { id, modules, resources } => store.write(|conn| {
                modules.iter().try_for_each(|module| keys::revoke_module(conn, &id, module))?;
                resources.iter().try_for_each(|resource| keys::revoke_permission(conn, &id, resource))?;
                Ok(String::new())
            }),
            Self::Delete { id } => store.write(|conn| keys::delete(conn, &id)).map(|()| String::new()),
        }
    }
}

fn line(key: &keys::Key) -> String {
    let permissions: Vec<_> = key.permissions.iter().map(|(resource, level)| format!("{resource}:{level}")).collect();
    let expiry = match key.expires_at {
        Some(at) if at <= now() => "  expired",
        Some(_) => "  expires",
        None => "",
    };
    format!(
        "{}  {}  modules {}  permissions {}{expiry}\n",
        key.id,
        key.name,
        key.modules.join(","),
        permissions.join(",")
    )
}
