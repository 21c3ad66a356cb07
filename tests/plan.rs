//! What a plan says of the rows that it would cost.

#[path = "fixtures/mod.rs"]
mod fixtures;

use molos::rusqlite::Connection;
use molos::{Insert as _, Migrator, Rollback};

use fixtures::molos_schema::{self, tables};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

mod allowed {
    molos::embed_migrations!("tests/fixtures/allowed", lints = { drop_table = "allow" }, set = "allowed");
}

#[test]
fn a_rollback_says_which_rows_it_costs() -> Result {
    let mut conn = Connection::open_in_memory()?;
    let migrator = Migrator::new(&molos_schema::MIGRATIONS);
    migrator.migrate(&mut conn)?;
    assert_eq!(migrator.plan_rollback(&mut conn, Rollback::All)?.losses(), []);

    tables::NewUsers::new("u1", "ada@example.org", "…").insert(&conn)?;
    for id in ["k1", "k2"] {
        conn.execute("INSERT INTO mcp_api_keys (id, name, key_hash) VALUES (?1, ?1, randomblob(32))", [id])?;
    }
    let plan = migrator.plan_rollback(&mut conn, Rollback::All)?;
    assert_eq!(
        plan.to_string(),
        "would roll back 4 migrations\n  \
         4 rename_allowed_modules_to_allowed_scopes  migrations/004_rename_allowed_modules_to_allowed_scopes.down.sql\n  \
         3 mcp  migrations/003_mcp.down.sql\n    loses 2 rows of mcp_api_keys\n  \
         2 oauth  migrations/002_oauth.down.sql\n  \
         1 initial  migrations/001_initial.down.sql\n    loses 1 row of users"
    );
    Ok(())
}

#[test]
fn an_upgrade_says_which_rows_it_costs() -> Result {
    let mut conn = Connection::open_in_memory()?;
    let all = Migrator::new(&allowed::MIGRATIONS);
    Migrator::new(&allowed::MIGRATIONS).up_to(8).migrate(&mut conn)?;
    conn.execute_batch(
        "INSERT INTO accounts (email) VALUES ('a@b.c'), (NULL), ('d@e.f'); INSERT INTO sessions VALUES ('t', 1);",
    )?;
    let losses: Vec<String> = all.plan(&mut conn)?.losses().iter().map(|it| format!("{}: {it}", it.version)).collect();
    assert_eq!(losses, ["9: 2 values of accounts.email", "9: 1 row of sessions", "11: 1 row of sessions"]);
    Ok(())
}
