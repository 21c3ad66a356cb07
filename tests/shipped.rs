//! Files that have shipped with another tool, and say what molos does anyway.

use molos::rusqlite::{Connection, params};
use molos::{Migrator, Rollback};

mod shipped {
    molos::embed_migrations!("tests/fixtures/shipped");
}

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Version, name, text, and the SHA-384 of it that sqlx keeps.
const FILES: [(i64, &str, &str, &str); 3] = [
    (
        1,
        "notes",
        include_str!("fixtures/shipped/1_notes.sql"),
        "694bd094350b31b67a07605dd2581ad4d1c0ce508c455b3a46616cfd4023e9145ad0cbec788935d327f97ba17bd8d2ef",
    ),
    (
        2,
        "rebuild",
        include_str!("fixtures/shipped/2_rebuild.sql"),
        "4aad76ae5eb1de7f8ee69d5ee3cec086728dc400f54f369a644949abc24134687b2c18cf28fe5c8f3f7cb62af222a0c0",
    ),
    (
        3,
        "settings",
        include_str!("fixtures/shipped/3_settings.sql"),
        "0e210df040fea249b1a0ce0a313aed7e088e362c0427ce42cf2497031c23a8a58c7054808b50ed9dfe931fcd0d155f9f",
    ),
];

#[test]
fn a_transaction_and_the_switch_of_foreign_keys_are_left_to_molos() -> Result {
    let mut conn = Connection::open_in_memory()?;
    conn.pragma_update(None, "foreign_keys", true)?;
    let migrator = Migrator::new(&shipped::MIGRATIONS);
    Migrator::new(&shipped::MIGRATIONS).up_to(1).migrate(&mut conn)?;
    conn.execute_batch("INSERT INTO folders VALUES (1, 'a'); INSERT INTO notes VALUES (1, 1)")?;
    migrator.migrate(&mut conn)?;
    migrator.verify(&mut conn)?;
    let notes: i64 = conn.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))?;
    assert_eq!(notes, 1, "no `DROP TABLE` cascades");
    assert!(conn.pragma_query_value(None, "foreign_keys", |row| row.get::<_, bool>(0))?);
    Ok(())
}

#[test]
fn all_of_them_are_one_transaction() -> Result {
    let mut conn = Connection::open_in_memory()?;
    conn.execute_batch("CREATE TABLE tags (name TEXT)")?;
    Migrator::new(&shipped::MIGRATIONS).migrate(&mut conn).expect_err("the third fails");
    let tables: i64 =
        conn.query_row("SELECT count(*) FROM sqlite_schema WHERE name IN ('folders', 'notes')", [], |row| row.get(0))?;
    assert_eq!(tables, 0, "nothing was committed");
    Ok(())
}

#[test]
fn a_down_migration_is_stored_as_it_is_run() -> Result {
    let mut conn = Connection::open_in_memory()?;
    let migrator = Migrator::new(&shipped::MIGRATIONS);
    migrator.migrate(&mut conn)?;
    let down: String = conn.query_row("SELECT down FROM _molos_migrations WHERE version = 3", [], |row| row.get(0))?;
    assert!(down.contains("DROP TABLE tags;") && !down.contains("COMMIT"), "{down}");
    migrator.rollback(&mut conn, Rollback::To(2))?;
    Migrator::new(&shipped::MIGRATIONS).up_to(2).verify(&mut conn)?;
    Ok(())
}

#[test]
fn the_checksum_stays_that_of_the_file() -> Result {
    let mut conn = Connection::open_in_memory()?;
    conn.execute_batch(
        "CREATE TABLE _sqlx_migrations (
            version BIGINT PRIMARY KEY, description TEXT NOT NULL,
            installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
            checksum BLOB NOT NULL, execution_time BIGINT NOT NULL
        )",
    )?;
    for (version, name, file, sum) in FILES {
        assert_eq!(shipped::MIGRATIONS.get(version).expect("it is there").checksum(), molos::Checksum::of(file));
        let in_transaction = file.trim_start().starts_with("COMMIT");
        conn.execute_batch(if in_transaction { "BEGIN" } else { "" })?;
        conn.execute_batch(file)?;
        conn.execute_batch(if in_transaction { "COMMIT" } else { "" })?;
        let record = format!("INSERT INTO _sqlx_migrations VALUES (?, ?, '', 1, x'{sum}', 0)");
        conn.execute(&record, params![version, name])?;
    }
    let adopted = Migrator::new(&shipped::MIGRATIONS).adopt(&mut conn)?;
    assert!(adopted.to_string().contains("3 (settings)"), "{adopted}");
    Ok(())
}
