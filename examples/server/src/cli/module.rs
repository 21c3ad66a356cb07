//! `module`.

use molos::rusqlite::Connection;

use crate::error::Result;
use crate::modules::{self, Action};
use crate::now;
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub(super) struct Module {
    /// What to do; without it, every module is listed.
    #[arg(requires = "module")]
    action: Option<Action>,
    /// Its id.
    module: Option<String>,
}

impl Module {
    pub(super) fn run(self, store: &Store) -> Result<String> {
        let (Some(action), Some(id)) = (self.action, self.module) else {
            return store.read(list);
        };
        let module = modules::find(&id)?;
        store.with(|conn| modules::change(conn, module, action, now()))?;
        Ok(String::new())
    }
}

fn list(conn: &Connection) -> Result<String> {
    Ok(modules::list(conn)?.iter().map(line).collect())
}

fn line(module: &modules::State) -> String {
    let state = match (module.installed, module.enabled) {
        (false, _) => "not installed",
        (true, false) => "disabled",
        (true, true) => "enabled",
    };
    format!("{:<12}  {state:<13}  {} migrations applied\n", module.id, module.migrations.len())
}
