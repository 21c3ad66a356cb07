//! Tasks: what is to be done, and by whom.

use molos::rusqlite::{Connection, Result};
use molos::{Insert as _, Table as _};
use serde_json::{Value, json};

mod db {
    molos::embed_migrations!(
        "migrations",
        set = "tasks",
        after = ["../../../../migrations"],
        table_prefix = "tasks_",
        rename = { "tasks_items" => Item },
    );
}
pub use db::MIGRATIONS;
use db::tables::{Item, NewItem};

/// The tasks of one user, or of all, the newest first.
pub fn list(conn: &Connection, user_id: Option<&str>) -> Result<Value> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT id, user_id, title, created_at, done FROM tasks_items ",
        "WHERE ?1 IS NULL OR user_id = ?1 ORDER BY id DESC LIMIT 100"
    ))?;
    statement.query_map([user_id], |row| Item::from_row(row).map(|item| json(&item)))?.collect()
}

/// Adds a task for a user.
pub fn add(conn: &Connection, user_id: &str, title: &str) -> Result<Value> {
    NewItem::new(user_id, title).insert(conn).map(|item| json(&item))
}

fn json(Item { id, user_id, title, created_at, done }: &Item) -> Value {
    json!({ "id": id, "user_id": user_id, "title": title, "created_at": created_at, "done": done })
}
