//! Views and triggers that refer to what is not there. SQLite says so only when they are used.

use std::collections::BTreeMap;

use molos_runtime::catalog::{self, quote};
use molos_runtime::driver::DriverError;
use molos_runtime::rusqlite::{Connection, Result};
use molos_runtime::{Object, Schema};

/// The views and triggers that cannot be used, with what SQLite says of each.
pub(crate) fn broken(conn: &Connection, schema: &Schema) -> Result<BTreeMap<Object, String>> {
    let mut broken = BTreeMap::new();
    for (object, facts) in schema.facts() {
        let using = match object.kind.as_str() {
            "view" => format!("SELECT * FROM {}", quote(&object.name)),
            "trigger" => firing(conn, object, facts)?,
            _ => continue,
        };
        if let Err(error) = conn.prepare(&using) {
            broken.insert(object.clone(), DriverError::from(error).source.to_string());
        }
    }
    Ok(broken)
}

/// A statement that fires a trigger.
fn firing(conn: &Connection, trigger: &Object, facts: &[String]) -> Result<String> {
    let table = quote(&trigger.table);
    let words = facts.iter().flat_map(|fact| fact.split(' '));
    let event =
        words.skip_while(|word| *word != trigger.name).find(|word| ["delete", "insert", "update"].contains(word));
    Ok(match event {
        Some("delete") => format!("DELETE FROM {table}"),
        Some("insert") => format!("INSERT INTO {table} DEFAULT VALUES"),
        _ => {
            let mut columns = catalog::columns(conn, &trigger.table)?;
            columns.retain(|column| !column.generated);
            let same: Vec<String> = columns.iter().map(|it| format!("{0} = {0}", quote(&it.name))).collect();
            format!("UPDATE {table} SET {}", same.join(", "))
        }
    })
}
