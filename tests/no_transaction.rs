//! Steps that cannot be run in a transaction.

use std::path::Path;

use molos::rusqlite::Connection;
use molos::{Event, Migration, Migrations, Migrator, Rollback};

mod db {
    molos::embed_migrations!("tests/fixtures/no_transaction");
}

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn pragma(conn: &Connection, name: &str) -> String {
    let value = conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, molos::rusqlite::types::Value>(0));
    match value.expect("a value") {
        molos::rusqlite::types::Value::Text(text) => text,
        other => format!("{other:?}"),
    }
}

fn open(directory: &Path) -> Connection {
    Connection::open(directory.join("app.db")).expect("a database")
}

#[test]
fn a_step_outside_of_a_transaction_is_run_between_those_before_and_after_it() -> Result {
    let directory = tempfile::tempdir()?;
    let mut conn = open(directory.path());
    let events = std::sync::Mutex::new(Vec::new());
    let migrator = Migrator::new(&db::MIGRATIONS).on_event(|event| match event {
        Event::Started { step, .. } => events.lock().expect("the lock").push(format!("started {}", step.version)),
        Event::Committed => events.lock().expect("the lock").push("committed".to_owned()),
        _ => {}
    });
    let plan = migrator.plan(&mut conn)?.to_string();
    assert!(plan.contains("002_wal.sql, without a transaction\n"));
    assert!(plan.ends_with(" is committed by itself: if one fails, those before it stay"), "{plan}");
    let report = migrator.migrate(&mut conn)?;
    assert_eq!(report.steps().iter().map(|step| step.version).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let expected = (1..=4).flat_map(|version| [format!("started {version}"), "committed".to_owned()]);
    assert_eq!(*events.lock().expect("the lock"), expected.collect::<Vec<_>>());
    assert_eq!((pragma(&conn, "journal_mode").as_str(), pragma(&conn, "auto_vacuum").as_str()), ("wal", "Integer(1)"));
    migrator.verify(&mut conn)?;
    let back = Migrator::new(&db::MIGRATIONS).rollback(&mut conn, Rollback::Steps(3));
    assert!(back.is_err(), "the last has no down migration");
    Ok(())
}

#[test]
fn a_down_migration_can_be_outside_of_a_transaction_too() -> Result {
    let directory = tempfile::tempdir()?;
    let mut conn = open(directory.path());
    let migrator = Migrator::new(&db::MIGRATIONS).up_to(3);
    migrator.migrate(&mut conn)?;
    assert_eq!(migrator.rollback(&mut conn, Rollback::To(1))?.steps().len(), 2);
    assert_eq!(pragma(&conn, "journal_mode"), "delete");
    Ok(())
}

#[test]
fn a_step_that_was_run_and_not_recorded_is_run_again() -> Result {
    let directory = tempfile::tempdir()?;
    let mut conn = open(directory.path());
    Migrator::new(&db::MIGRATIONS).up_to(1).migrate(&mut conn)?;
    // Here the program was cut off, between the two.
    conn.execute_batch("PRAGMA journal_mode = WAL")?;
    drop(conn);
    let mut conn = open(directory.path());
    assert_eq!(db::MIGRATIONS.migrate(&mut conn)?.steps().len(), 3);
    assert_eq!(pragma(&conn, "auto_vacuum"), "Integer(1)");
    Ok(())
}

#[test]
fn what_was_before_a_step_outside_of_a_transaction_stays_when_one_after_it_fails() -> Result {
    let directory = tempfile::tempdir()?;
    let mut conn = open(directory.path());
    conn.execute_batch("CREATE TABLE tags (by_hand)")?;
    let error = db::MIGRATIONS.migrate(&mut conn).expect_err("there are tags already");
    assert!(format!("{error:#}").contains("table tags already exists"), "{error}");
    assert_eq!(error.completed().map(|report| report.steps().len()), Some(2));
    assert!(format!("{error:#}").contains("before that, this call applied 2 migrations"), "{error:#}");
    assert!(format!("{error:#}").contains("\nthat is committed, and stays\nhelp: "), "{error:#}");
    let status = Migrator::new(&db::MIGRATIONS).status(&mut conn)?;
    assert_eq!(status.sets()[0].current(), Some(2));
    conn.execute_batch("DROP TABLE tags")?;
    assert_eq!(db::MIGRATIONS.migrate(&mut conn)?.steps().len(), 2);
    Ok(())
}

#[test]
fn several_starters_end_well() -> Result {
    let directory = tempfile::tempdir()?;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| db::MIGRATIONS.migrate(&mut open(directory.path())).expect("it ends well"));
        }
    });
    let mut conn = open(directory.path());
    Migrator::new(&db::MIGRATIONS).verify(&mut conn)?;
    assert_eq!(pragma(&conn, "journal_mode"), "wal");
    Ok(())
}

#[test]
fn lists_made_at_run_time_stay_in_their_transaction() {
    let list = [Migration::new(1, "vacuum", "VACUUM")];
    let migrations = Migrations::new("app", "migrations", &list);
    let error = migrations.migrate(&mut Connection::open_in_memory().expect("a database")).expect_err("it is in one");
    assert!(format!("{error:#}").contains("cannot VACUUM from within a transaction"), "{error}");
}

#[test]
fn a_step_outside_of_a_transaction_that_fails_says_what_stays_of_it() -> Result {
    let list = [Migration::new(1, "modes", "PRAGMA application_id = 3;\nVACUUM nowhere;")
        .without_transaction(molos::Direction::Up)];
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory()?;
    let error = migrations.migrate(&mut conn).expect_err("there is no such database");
    let help = error.help().expect("what to do").into_owned();
    assert!(help.contains("its statements before this one stay"), "{help}");
    assert_eq!(pragma(&conn, "application_id"), "Integer(3)");
    Ok(())
}
