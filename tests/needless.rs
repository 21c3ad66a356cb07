//! Files that have shipped with statements which molos does not need: they are run without them, and stay as they are.

use molos::rusqlite::Connection;
use molos::{Error, Migrator};

type Result<T> = std::result::Result<T, Error>;

mod framed {
    molos::embed_migrations!("tests/fixtures/framed");
}

fn migrated_to(version: i64) -> Result<Connection> {
    let mut conn = Connection::open_in_memory().expect("a database");
    Migrator::new(&framed::MIGRATIONS).up_to(version).migrate(&mut conn)?;
    Ok(conn)
}

#[test]
fn a_shipped_file_is_run_in_the_transaction_and_with_the_keys_that_molos_chooses() -> Result<()> {
    let mut conn = migrated_to(1)?;
    let rows = "INSERT INTO lists VALUES (1, NULL); INSERT INTO notes VALUES (1, 1, 'kept')";
    conn.execute_batch(rows).expect("rows");
    let report = framed::MIGRATIONS.migrate(&mut conn)?;
    assert_eq!(report.steps().len(), 3);
    let kept: String = conn.query_row("SELECT body FROM notes", [], |row| row.get(0)).expect("a note");
    assert_eq!(kept, "kept");
    Migrator::new(&framed::MIGRATIONS).verify(&mut conn)
}

#[test]
fn a_failure_after_a_commit_in_a_shipped_file_leaves_nothing() -> Result<()> {
    let mut conn = migrated_to(1)?;
    conn.execute_batch("CREATE TABLE lists_new (x)").expect("a table that is in the way");
    let error = framed::MIGRATIONS.migrate(&mut conn).expect_err("the table is there");
    let location = error.location().expect("a place").to_string();
    assert!(location.ends_with("002_rebuild.sql:5:14"), "{location}");
    assert!(conn.is_autocommit());
    let keys: bool = conn.query_row("SELECT count(*) = 1 FROM _molos_migrations", [], |row| row.get(0)).expect("a row");
    assert!(keys);
    Ok(())
}
