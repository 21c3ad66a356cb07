//! Steps that SQL alone cannot do: functions of the program's, in the transaction of the migration.

use molos::rusqlite::Connection;
use molos::{Error, Migration, Migrations, Migrator, Transaction};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

mod db {
    molos::embed_migrations!("tests/fixtures/hooks", hooks = { 2 => super::hash_tokens });
}

/// What no function of SQLite's does.
fn hash_tokens(conn: &Connection) -> Result {
    let mut tokens = conn.prepare("SELECT id, token FROM tokens")?;
    let tokens = tokens.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    for (id, token) in tokens.collect::<std::result::Result<Vec<_>, _>>()? {
        if token == "broken" {
            return Err(format!("token {id} cannot be hashed").into());
        }
        conn.execute("UPDATE tokens SET token = ?2 WHERE id = ?1", (id, format!("{:016x}", token.len() * 7)))?;
    }
    Ok(())
}

fn with_token(token: &str) -> Connection {
    let mut conn = Connection::open_in_memory().expect("a database");
    Migrator::new(&db::MIGRATIONS).to(1).migrate(&mut conn).expect("the table");
    conn.execute("INSERT INTO tokens (token) VALUES (?1)", [token]).expect("a row");
    conn
}

fn token(conn: &Connection) -> String {
    conn.query_row("SELECT token FROM tokens", [], |row| row.get(0)).expect("a row")
}

#[test]
fn a_hook_is_run_with_its_migration_and_is_part_of_the_plan_and_of_the_status() -> Result {
    let mut conn = with_token("secret");
    let migrator = Migrator::new(&db::MIGRATIONS);
    assert_eq!(
        migrator.plan(&mut conn)?.to_string(),
        "would apply 2 migrations\n  \
         2 hash_tokens  tests/fixtures/hooks/002_hash_tokens.sql, then its hook\n  \
         3 index  tests/fixtures/hooks/003_index.sql"
    );
    let hooked: Vec<_> = migrator.status(&mut conn)?.steps().map(|step| step.has_hook).collect();
    assert_eq!(hooked, [false, true, false]);
    migrator.migrate(&mut conn)?;
    assert_eq!(token(&conn), "000000000000002a");
    migrator.verify(&mut conn)?;
    assert!(migrator.status(&mut conn)?.to_string().lines().nth(1).is_some_and(|line| line.ends_with("with a hook")));
    Ok(())
}

#[test]
fn a_hook_that_fails_undoes_what_came_before_it() {
    for (transaction, left) in [(Transaction::All, 2), (Transaction::Each, 2)] {
        let mut conn = with_token("broken");
        let migrator = Migrator::new(&db::MIGRATIONS).transaction(transaction);
        let error = migrator.migrate(&mut conn).expect_err("it cannot be hashed");
        assert!(matches!(error, Error::Hook { .. }));
        assert_eq!(
            error.to_string(),
            "the hook of migration 2 (hash_tokens) failed: token 1 cannot be hashed\n\
             help: what this call had not committed is undone; correct the hook and run again"
        );
        assert_eq!(token(&conn), "broken");
        assert_eq!(migrator.status(&mut conn).expect("a status").pending(), left);
    }
}

#[test]
fn a_hook_that_ends_the_transaction_is_told_so() {
    let list = [Migration::new(1, "hasty", "CREATE TABLE a (b)").with_hook(|conn| Ok(conn.execute_batch("COMMIT")?))];
    let migrations = Migrations::new("app", "migrations", &list);
    let error = migrations.migrate(&mut Connection::open_in_memory().expect("a database")).expect_err("too early");
    assert!(error.to_string().contains("it ended the transaction that it was run in"), "{error}");
}

#[test]
fn a_hook_whose_rows_refer_to_nothing_is_not_committed() {
    let list = [Migration::new(1, "keys", "CREATE TABLE a (id INTEGER PRIMARY KEY, b REFERENCES a (id))")
        .with_hook(|conn| Ok(conn.execute_batch("INSERT INTO a (b) VALUES (9)")?))];
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory().expect("a database");
    assert!(matches!(migrations.migrate(&mut conn), Err(Error::ForeignKeys { .. })));
    assert!(conn.prepare("SELECT * FROM a").is_err());
}
