//! Notes: pages of text, and what links them.

use molos::rusqlite::{Connection, Result};
use molos::{Insert as _, Table as _};
use serde_json::{Value, json};

mod db {
    molos::embed_migrations!(
        "migrations",
        set = "notes",
        after = ["../../../../migrations"],
        table_prefix = "notes_",
        rename = { "notes_pages" => Page },
    );
}
pub use db::MIGRATIONS;
use db::tables::{NewPage, Page};

/// The pages of one user, or of all, the newest first.
pub fn list(conn: &Connection, user_id: Option<&str>) -> Result<Value> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT id, user_id, body, created_at FROM notes_pages ",
        "WHERE ?1 IS NULL OR user_id = ?1 ORDER BY id DESC LIMIT 100"
    ))?;
    statement.query_map([user_id], |row| Page::from_row(row).map(|page| json(&page)))?.collect()
}

/// Adds a page for a user.
pub fn add(conn: &Connection, user_id: &str, body: &str) -> Result<Value> {
    NewPage::new(user_id, body).insert(conn).map(|page| json(&page))
}

fn json(Page { id, user_id, body, created_at }: &Page) -> Value {
    json!({ "id": id, "user_id": user_id, "body": body, "created_at": created_at })
}
