//! A migration that is tried on the data that there is, and undone.

mod common;

use std::fs;

use common::{STEPS, database, files, library};
use molos::rusqlite::Connection;
use molos::{ErrorKind, Migration, Migrations, Migrator};

type Done = std::result::Result<(), Box<dyn std::error::Error>>;

const BOOKS: usize = 300;

#[test]
fn a_rehearsal_tells_what_each_step_would_do_and_leaves_every_byte_as_it_was() -> Done {
    for journal in ["delete", "wal"] {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("app.db");
        database(&path, journal, BOOKS);
        let before = files(directory.path());
        let mut conn = Connection::open(&path)?;
        // A cache that is too small has pages written to the file before the end.
        conn.execute_batch("PRAGMA cache_size = 3; PRAGMA cache_spill = 1; PRAGMA foreign_keys = ON")?;
        let migrations = library();
        let rehearsal = Migrator::new(&migrations).rehearse(&mut conn)?;
        let rows: Vec<_> = rehearsal.steps().iter().map(|step| (step.version, step.rows)).collect();
        assert_eq!(rows, [(2, 0), (3, 300), (4, 600)], "{journal}");
        let error = rehearsal.error().map(ToString::to_string);
        assert_eq!(error, None);
        assert!(conn.is_autocommit());
        assert!(conn.query_row("PRAGMA foreign_keys", [], |row| row.get::<_, bool>(0))?);
        drop(conn);
        assert!(files(directory.path()) == before, "{journal}");
        assert_eq!(fs::read_dir(directory.path())?.count(), 1, "{journal}: nothing is left beside it");

        // What is true of the rehearsal is true of the migration.
        migrations.migrate(&mut Connection::open(&path)?)?;
    }
    Ok(())
}

#[test]
fn the_error_that_would_come_is_told_and_undone_as_well() -> Done {
    let orphan = Migration::new(2, "orphans", "INSERT INTO books VALUES (9, 9, 'nobody''s')");
    let failing = Migration::new(2, "failing", "DELETE FROM books;\nINSERT INTO nowhere VALUES (1)");
    let rolling_back = Migration::new(2, "rolling back", "DELETE FROM books; ROLLBACK; DELETE FROM books");
    let mut conn = Connection::open_in_memory()?;
    Migrations::new("library", "migrations", &STEPS[..1]).migrate(&mut conn)?;
    conn.execute_batch("INSERT INTO authors VALUES (1, 'Ada'); INSERT INTO books VALUES (1, 1, 'Notes')")?;
    for (step, ran) in [(orphan, 1), (failing, 0), (rolling_back, 0)] {
        let list = [STEPS[0], step];
        let migrations = Migrations::new("library", "migrations", &list);
        let migrator = Migrator::new(&migrations);
        let rehearsal = migrator.rehearse(&mut conn)?;
        assert_eq!(rehearsal.steps().len(), ran);
        let expected = match step.name() {
            "orphans" => {
                "migration 2 (orphans) of \"library\" would leave rows that refer to nothing: books: 1 row refers to \
                 what is not in authors"
            }
            "failing" => "migration 2 (failing) of \"library\" failed: no such table: nowhere",
            _ => "migration 2 (rolling back) of \"library\" ended the transaction",
        };
        let shown = rehearsal.to_string();
        assert!(shown.contains("nothing was changed"), "{shown}");
        assert!(shown.contains(&format!("\nit would fail: {expected}")), "{shown}");
        assert_eq!(conn.query_row("SELECT count(*) FROM books", [], |row| row.get::<_, i64>(0))?, 1, "{shown}");
        assert_eq!(migrator.status(&mut conn)?.pending(), 1);
    }
    Ok(())
}

#[test]
fn a_migration_that_would_commit_is_not_rehearsed() -> Done {
    let list = [Migration::new(1, "notes", "CREATE TABLE notes (body TEXT);\n/* so */ commit")];
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory()?;
    let error = Migrator::new(&migrations).rehearse(&mut conn).expect_err("it could not be undone");
    assert!(
        matches!(error.kind(), ErrorKind::EndsTransaction)
            && error.location().is_some_and(|location| location.line == 2),
        "{error}"
    );
    assert_eq!(conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?, 0);
    Ok(())
}

#[test]
fn what_migrate_would_refuse_a_rehearsal_refuses() -> Done {
    let mut conn = Connection::open_in_memory()?;
    let migrations = library();
    migrations.migrate(&mut conn)?;
    assert_eq!(Migrator::new(&migrations).rehearse(&mut conn)?.to_string(), "nothing to do");
    let older = common::library_to(3);
    assert!(
        matches!(Migrator::new(&older).rehearse(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::Newer { .. }))
    );
    conn.execute_batch("BEGIN")?;
    assert!(
        matches!(Migrator::new(&migrations).rehearse(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::InTransaction))
    );
    Ok(())
}
