//! Steps that SQL alone cannot do: functions of the program's, in the transaction of the migration.

use molos::rusqlite::Connection;
use molos::{DatabaseFailure, ErrorKind, Migration, Migrations, Migrator, Transactions};

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
    Migrator::new(&db::MIGRATIONS).up_to(1).migrate(&mut conn).expect("the table");
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
    let mut conn = with_token("broken");
    let error = db::MIGRATIONS.migrate(&mut conn).expect_err("it cannot be hashed");
    assert!(matches!(error.kind(), ErrorKind::Hook));
    assert_eq!(
        format!("{error:#}"),
        "the hook of migration 2 (hash_tokens) failed: token 1 cannot be hashed\n\
         help: what this call had not committed is undone; correct the hook and run again"
    );
    assert_eq!(token(&conn), "broken");

    let list = [
        Migration::new(1, "first", "CREATE TABLE a (b)"),
        Migration::new(2, "second", "INSERT INTO a VALUES (1)").with_hook(|_| Err("it cannot be done".into())),
    ];
    let migrations = Migrations::new("app", "migrations", &list);
    for (transactions, pending, rows) in [(Transactions::Single, 2, None), (Transactions::PerMigration, 1, Some(0))] {
        let mut conn = Connection::open_in_memory().expect("a database");
        let migrator = Migrator::new(&migrations).transactions(transactions);
        migrator.migrate(&mut conn).expect_err("the hook fails");
        assert_eq!(migrator.status(&mut conn).expect("a status").pending(), pending);
        assert_eq!(conn.query_row("SELECT count(*) FROM a", [], |row| row.get::<_, i64>(0)).ok(), rows);
    }
}

#[test]
fn a_hook_that_ends_the_transaction_is_told_so_even_if_it_begins_another() {
    let hooks: [molos::Hook; 5] = [
        |conn| Ok(conn.execute_batch("COMMIT")?),
        |conn| Ok(conn.execute_batch("COMMIT; BEGIN")?),
        |conn| Ok(conn.execute_batch("ROLLBACK; BEGIN IMMEDIATE")?),
        |conn| Ok(conn.execute_batch("COMMIT; BEGIN; SAVEPOINT other")?),
        |conn| {
            conn.execute_batch("COMMIT")?;
            Err("and then it fails".into())
        },
    ];
    for hook in hooks {
        let list = [Migration::new(1, "hasty", "CREATE TABLE a (b)").with_hook(hook)];
        let migrations = Migrations::new("app", "migrations", &list);
        let open = || Connection::open_in_memory().expect("a database");
        let (mut conn, mut rehearsed) = (open(), open());
        let errors = [
            migrations.migrate(&mut conn).expect_err("too early"),
            Migrator::new(&migrations).rehearse(&mut rehearsed).expect_err("something may be in the database"),
        ];
        for error in errors {
            assert!(matches!(error.kind(), ErrorKind::TransactionEnded), "{error:#}");
            assert_eq!(error.to_string(), "migration 1 (hasty) ended the transaction it was run in");
        }
        assert!(conn.is_autocommit() && rehearsed.is_autocommit());
    }
}

#[test]
fn a_hook_that_the_program_stops_can_be_run_again() {
    let list = [Migration::new(1, "long", "CREATE TABLE a (b)").with_hook(|conn| {
        let forever = "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n";
        let handle = conn.get_interrupt_handle();
        let stop = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            handle.interrupt();
        });
        let result = conn.query_row(forever, [], |row| row.get::<_, i64>(0));
        stop.join().map_err(|_| "the thread that stops it")?;
        Ok(result.map(drop)?)
    })];
    let mut conn = Connection::open_in_memory().expect("a database");
    let error = Migrations::new("app", "migrations", &list).migrate(&mut conn).expect_err("it is stopped");
    assert!(matches!(error.kind(), ErrorKind::Database(DatabaseFailure::Interrupted)), "{error:#}");
    assert!(error.is_retryable());
    assert_eq!(error.step().map(|step| step.version), Some(1));
    assert!(conn.prepare("SELECT * FROM a").is_err() && conn.is_autocommit());
}

#[test]
fn a_hook_may_use_savepoints() {
    let list = [Migration::new(1, "careful", "CREATE TABLE a (b)").with_hook(|conn| {
        Ok(conn.execute_batch(
            "SAVEPOINT s; INSERT INTO a VALUES (1); ROLLBACK TO s; RELEASE s; INSERT INTO a VALUES (2)",
        )?)
    })];
    let mut conn = Connection::open_in_memory().expect("a database");
    Migrations::new("app", "migrations", &list).migrate(&mut conn).expect("it stays in the transaction");
    assert_eq!(conn.query_row("SELECT sum(b) FROM a", [], |row| row.get::<_, i64>(0)), Ok(2));
}

#[test]
fn a_hook_whose_rows_refer_to_nothing_is_not_committed() {
    let list = [Migration::new(1, "keys", "CREATE TABLE a (id INTEGER PRIMARY KEY, b REFERENCES a (id))")
        .with_hook(|conn| Ok(conn.execute_batch("INSERT INTO a (b) VALUES (9)")?))];
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory().expect("a database");
    assert!(
        matches!(migrations.migrate(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::ForeignKeys { .. }))
    );
    assert!(conn.prepare("SELECT * FROM a").is_err());
}

#[test]
fn a_finished_schema_is_made_without_hooks_and_without_a_word() {
    fn fails(_: &Connection) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err("a hook was run".into())
    }
    let list = [
        Migration::new(1, "notes", "CREATE TABLE notes (body TEXT)").with_hook(fails),
        Migration::new(2, "applied", "CREATE VIEW applied AS SELECT name FROM _molos_migrations"),
    ];
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory().expect("a database");
    let migrator = Migrator::new(&migrations).on_event(|event| panic!("{event:?}"));
    migrator.build(&mut conn).expect("a schema");
    let names: String = conn
        .query_row("SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema ORDER BY 1)", [], |row| row.get(0))
        .expect("names");
    assert_eq!(names, "_molos_migrations,applied,notes");
}
