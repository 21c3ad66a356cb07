//! Views and triggers that refer to what is not there. SQLite says so only when they are used.

use std::collections::BTreeMap;

use molos_runtime::database::DatabaseError;
use molos_runtime::rusqlite::{Connection, Result};
use molos_runtime::schema::Event;
use molos_runtime::sqlite::catalog::{self, quote};
use molos_runtime::{Fact, Object, ObjectKind, Schema};

/// The views and triggers that cannot be used, with what SQLite says of each.
pub(crate) fn broken(conn: &Connection, schema: &Schema) -> Result<BTreeMap<Object, String>> {
    let mut broken = BTreeMap::new();
    for (object, facts) in schema.facts() {
        let using = match object.kind {
            ObjectKind::View => format!("SELECT * FROM {}", quote(&object.name)),
            ObjectKind::Trigger => firing(conn, object, facts)?,
            _ => continue,
        };
        if let Err(error) = conn.prepare(&using) {
            broken.insert(object.clone(), DatabaseError::from(error).source.to_string());
        }
    }
    Ok(broken)
}

/// A statement that fires a trigger.
fn firing(conn: &Connection, trigger: &Object, facts: &[Fact]) -> Result<String> {
    let table = quote(&trigger.table);
    let event = facts.iter().find_map(|fact| match fact {
        Fact::Trigger(trigger) => Some(&trigger.event),
        _ => None,
    });
    Ok(match event {
        Some(Event::Delete) => format!("DELETE FROM {table}"),
        Some(Event::Insert) => format!("INSERT INTO {table} DEFAULT VALUES"),
        _ => {
            let mut columns = catalog::columns(conn, &trigger.table)?;
            columns.retain(|column| !column.generated);
            let same: Vec<String> = columns.iter().map(|it| format!("{0} = {0}", quote(&it.name))).collect();
            format!("UPDATE {table} SET {}", same.join(", "))
        }
    })
}
