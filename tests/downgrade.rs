//! A database that is newer than the program, rolled back with what it holds itself.

mod common;

use common::{STEPS, assert_whole, database, library, library_to};
use molos::__private::Script;
use molos::rusqlite::Connection;
use molos::{
    Checksum, Error, ErrorKind, ForeignKeys, Migration, Migrations, Migrator, Schema, StoredDownProblem, TargetProblem,
    Transactions,
};

type Done = std::result::Result<(), Box<dyn std::error::Error>>;

const BOOKS: usize = 40;

/// A database that the newest program has migrated, with rows in it.
fn newest() -> Connection {
    let mut conn = Connection::open_in_memory().expect("a database");
    library_to(1).migrate(&mut conn).expect("the first step");
    common::fill(&conn, BOOKS);
    library().migrate(&mut conn).expect("the others");
    conn
}

fn everything(conn: &Connection) -> Vec<String> {
    let sql = "SELECT version || ' ' || name || ' ' || ifnull(down, 'none') FROM _molos_migrations ORDER BY version";
    let mut statement = conn.prepare(sql).expect("a query");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<molos::rusqlite::Result<_>>().expect("rows")
}

fn refused(conn: &mut Connection, migrations: &Migrations<'_>) -> Error {
    let (schema, history) = (Schema::read(conn).expect("a schema").fingerprint(), everything(conn));
    let error = Migrator::new(migrations).downgrade(conn).expect_err("it cannot be rolled back");
    assert!(conn.is_autocommit());
    assert_eq!(Schema::read(conn).expect("a schema").fingerprint(), schema, "{error}");
    assert_eq!(everything(conn), history, "{error}");
    error
}

#[test]
fn an_older_program_takes_a_database_back_to_what_it_knows_and_the_newer_one_goes_on_from_there() -> Done {
    let mut conn = newest();
    for version in [3, 1] {
        let older = library_to(version);
        let error = older.migrate(&mut conn).expect_err("the database is newer");
        assert!(matches!(error.kind(), ErrorKind::Newer { .. }), "{error}");
        assert!(format!("{error:#}").contains("`Migrator::downgrade`"), "{error}");
        Migrator::new(&older).transactions(Transactions::PerMigration).verify_after(true).downgrade(&mut conn)?;
        Migrator::new(&older).verify(&mut conn)?;
        assert_eq!(assert_whole(&mut conn, BOOKS), version);
        let report = Migrator::new(&older).downgrade(&mut conn)?;
        assert_eq!(report.to_string(), "nothing to roll back");
    }
    library().migrate(&mut conn)?;
    assert_eq!(assert_whole(&mut conn, BOOKS), 4);
    Ok(())
}

#[test]
fn a_version_that_is_asked_for_is_reached_with_the_programs_own_down_migration() -> Done {
    let mut conn = newest();
    let older = library_to(3);
    let report = Migrator::new(&older).downgrade_to(&mut conn, 2)?;
    assert_eq!(report.steps().iter().map(|step| step.version).collect::<Vec<_>>(), [4, 3]);
    assert_eq!(assert_whole(&mut conn, BOOKS), 2);
    let error = Migrator::new(&older).downgrade_to(&mut conn, 4).expect_err("it is not one of the program's");
    assert!(matches!(error.kind(), ErrorKind::Target { problem: TargetProblem::NoSuchVersion { .. }, .. }), "{error}");
    Ok(())
}

#[test]
fn a_step_without_a_down_migration_is_named_before_any_is_rolled_back() -> Done {
    let mut conn = newest();
    conn.execute("UPDATE _molos_migrations SET down = NULL WHERE version = 3", [])?;
    let error = refused(&mut conn, &library_to(2));
    assert_eq!(
        format!("{error:#}"),
        "migration 3 (a name is not null) of \"library\" cannot be rolled back: this program does not have it, and the \
         database holds no down migration for it\n\
         help: nothing was changed; run the newer program, or restore a backup from before it"
    );
    Ok(())
}

#[test]
fn what_molos_did_not_write_is_not_run() -> Done {
    let original = newest();
    let down: String =
        original.query_row("SELECT down FROM _molos_migrations WHERE version = 4", [], |row| row.get(0))?;
    let edits = [
        ("DROP TABLE books; DROP TABLE authors;".to_owned(), "its first line is not one"),
        (down.replace("foreign-keys = off", "foreign-keys = maybe"), "its first line is not one"),
        (down.replace("DROP TABLE copies", "DROP TABLE books"), "it was changed after it was written"),
        (down.replacen("off", "on", 1), "it was changed after it was written"),
    ];
    for (edited, expected) in edits {
        let mut conn = newest();
        conn.execute("UPDATE _molos_migrations SET down = ?1 WHERE version = 4", [&edited])?;
        let error = refused(&mut conn, &library_to(3));
        assert!(
            matches!(error.kind(), ErrorKind::StoredDown(StoredDownProblem::Untrusted(_)))
                && error.step().is_some_and(|step| step.version == 4),
            "{error}"
        );
        assert!(format!("{error:#}").contains(expected), "{error}");
    }
    let mut conn = newest();
    conn.execute(
        "UPDATE _molos_migrations SET down = (SELECT down FROM _molos_migrations WHERE version = 2) WHERE version = 4",
        [],
    )?;
    assert!(matches!(
        refused(&mut conn, &library_to(3)).kind(),
        ErrorKind::StoredDown(StoredDownProblem::Untrusted(_))
    ));
    Ok(())
}

#[test]
fn a_down_migration_that_would_leave_the_transaction_or_the_database_is_not_run() -> Done {
    for down in ["DROP TABLE tags; COMMIT", "/* a */ attach 'elsewhere.db' AS b", "; end", "ROLLBACK"] {
        let newer = [STEPS[0], Migration::new(2, "tags", "CREATE TABLE tags (name TEXT)").with_down(down)];
        let mut conn = Connection::open_in_memory()?;
        Migrations::new("library", "migrations", &newer).migrate(&mut conn)?;
        let error = refused(&mut conn, &library_to(1));
        assert!(format!("{error:#}").contains("would not have compiled"), "{down}: {error}");
    }
    Ok(())
}

#[test]
fn a_down_migration_that_fails_or_breaks_a_key_leaves_everything_as_it_was() -> Done {
    let failing = Migration::new(2, "tags", "CREATE TABLE tags (name TEXT)").with_down("SELECT 1;\nDROP TABLE nowhere");
    let mut conn = Connection::open_in_memory()?;
    let newer = [STEPS[0], failing, Migration::new(3, "more", "SELECT 1").with_down("DELETE FROM books")];
    Migrations::new("library", "migrations", &newer).migrate(&mut conn)?;
    common::fill(&conn, BOOKS);
    let error = refused(&mut conn, &library_to(1));
    assert_eq!(
        format!("{error:#}"),
        "migration 2 (tags) of \"library\" failed to roll back, with the SQL that the database holds for it: \
         no such table: nowhere\n  --> _molos_migrations/tags:3:1\n   | DROP TABLE nowhere\n\
         help: nothing was changed; roll back with the newer program, or restore a backup from before it"
    );
    assert_eq!(conn.query_row("SELECT count(*) FROM books", [], |row| row.get::<_, isize>(0))?, BOOKS.cast_signed());

    let breaking = Migration::new(2, "tags", "CREATE TABLE tags (name TEXT)").with_down("DELETE FROM authors");
    let mut conn = Connection::open_in_memory()?;
    Migrations::new("library", "migrations", &[STEPS[0], breaking]).migrate(&mut conn)?;
    common::fill(&conn, BOOKS);
    assert!(matches!(refused(&mut conn, &library_to(1)).kind(), ErrorKind::ForeignKeys { .. }));
    Ok(())
}

#[test]
fn a_history_that_this_program_contradicts_is_not_rolled_back() {
    let mut edited = STEPS.to_vec();
    edited[1] = Migration::new(2, "index", "SELECT 1");
    let mut conn = newest();
    assert!(matches!(
        refused(&mut conn, &Migrations::new("library", "migrations", &edited[..3])).kind(),
        ErrorKind::Edited { .. }
    ));
    let gap = [STEPS[0], STEPS[2]];
    assert!(matches!(
        refused(&mut conn, &Migrations::new("library", "migrations", &gap)).kind(),
        ErrorKind::Unknown { .. }
    ));
}

#[test]
fn foreign_keys_are_enforced_for_a_down_migration_that_was_written_so() -> Done {
    for (keys, books) in [(ForeignKeys::On, 0), (ForeignKeys::Off, BOOKS)] {
        let script = |sql| Script { sql, line: 1, keys, no_transaction: false };
        // Without enforcement, the rows that refer to the deleted ones have to be looked after.
        let down = "DELETE FROM authors; INSERT INTO authors SELECT DISTINCT author_id, '' FROM books;";
        let checksum = Checksum::of("SELECT 1");
        let step = Migration::of_file(2, "none", "none", checksum, script("SELECT 1"), Some(script(down)));
        let mut conn = Connection::open_in_memory()?;
        Migrations::new("library", "migrations", &[STEPS[0], step]).migrate(&mut conn)?;
        common::fill(&conn, BOOKS);
        Migrator::new(&library_to(1)).downgrade(&mut conn)?;
        let left: isize = conn.query_row("SELECT count(*) FROM books", [], |row| row.get(0))?;
        assert_eq!(left, books.cast_signed(), "{keys:?}");
    }
    Ok(())
}

#[test]
fn another_connection_that_writes_is_waited_for_and_a_transaction_of_ones_own_is_refused() -> Done {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    database(&path, "wal", BOOKS);
    let mut conn = Connection::open(&path)?;
    library().migrate(&mut conn)?;
    let writer = Connection::open(&path)?;
    writer.execute_batch("BEGIN IMMEDIATE")?;
    let older = library_to(1);
    let migrator = Migrator::new(&older).busy_timeout(std::time::Duration::from_millis(20));
    assert!(matches!(migrator.downgrade(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::Busy { .. })));
    drop(writer);
    conn.execute_batch("BEGIN")?;
    assert!(
        matches!(migrator.downgrade(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::InTransaction))
    );
    conn.execute_batch("COMMIT")?;
    migrator.downgrade(&mut conn)?;
    assert_eq!(assert_whole(&mut conn, BOOKS), 1);
    Ok(())
}
