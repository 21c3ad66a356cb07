//! Rows through the generated types: an API key of the Molos schema and its scopes, from insert to delete.
//!
//! Run it with `cargo run --example tables`.

use molos::rusqlite::Connection;
use molos::{Checksum, Insert as _, Keyed as _, Table};

mod db {
    molos::embed_migrations!("migrations", rename = { "mcp_api_keys" => ApiKey });
}

use db::tables::{ApiKey, McpPermissionScopes, NewApiKey, NewMcpPermissionScopes};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut conn = Connection::open_in_memory()?;
    db::MIGRATIONS.migrate(&mut conn)?;
    conn.pragma_update(None, "foreign_keys", true)?;

    // `new` takes what the database cannot fill in; the rest is `None` until it is named.
    let key_hash = Checksum::of("molos_4xP…");
    let new = NewApiKey {
        allowed_scopes: Some("[\"notes\"]"),
        expires_at: Some(1_900_000_000),
        ..NewApiKey::new("k1", "laptop", key_hash.as_bytes())
    };
    let key = new.insert(&conn)?;
    println!("inserted {} for {}, good until {:?}\n", key.id, key.name, key.expires_at);

    for (id, resource, level) in [("s1", "notes", "write"), ("s2", "tags", "read")] {
        NewMcpPermissionScopes::new(id, &key.id, resource, level).insert(&conn)?;
    }
    // Other queries are SQL, as ever; `SELECT` and `from_row` belong together.
    let sql = format!("{} WHERE level = ?1", McpPermissionScopes::SELECT);
    let writers =
        conn.prepare(&sql)?.query_map(["write"], McpPermissionScopes::from_row)?.collect::<Result<Vec<_>, _>>()?;
    println!("may write: {writers:?}\n");

    let renamed = ApiKey { name: "desktop".to_owned(), ..key };
    println!("updated: {}", renamed.update(&conn)?);
    println!("found: {:?}\n", ApiKey::find(&conn, "k1")?.map(|key| key.name));

    count::<ApiKey>(&conn)?;
    count::<McpPermissionScopes>(&conn)?;
    println!("deleted: {}, and with it its scopes", renamed.delete(&conn)?);
    count::<ApiKey>(&conn)?;
    count::<McpPermissionScopes>(&conn)
}

/// One function for every table.
fn count<T: Table>(conn: &Connection) -> Result<(), Box<dyn std::error::Error>> {
    let rows: i64 = conn.query_row(&format!("SELECT count(*) FROM {}", T::NAME), [], |row| row.get(0))?;
    println!("{} has {rows} rows of {} columns", T::NAME, T::COLUMNS.len());
    Ok(())
}
