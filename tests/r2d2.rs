//! The feature `r2d2`: what a pool's connections are like, and the databases of which there are none.
#![cfg(feature = "r2d2")]

use std::sync::Barrier;
use std::thread;

use molos::__private::Script;
use molos::r2d2::{Manager, Pool, PooledConnection};
use molos::rusqlite::Connection;
use molos::{Checksum, DatabaseFailure, ErrorKind, ForeignKeys, Migration, Migrations, Migrator};

const NOTES: Migration<'static> = migration(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)");
const TAGS: Migration<'static> = migration(2, "tags", "CREATE TABLE tags (tag TEXT NOT NULL)");
const BROKEN: Migration<'static> = migration(2, "broken", "CREATE TABLE more (a); INSERT INTO missing VALUES (1)");

const fn migration(version: u8, name: &'static str, sql: &'static str) -> Migration<'static> {
    let (checksum, up) =
        (Checksum::from_bytes([version; 32]), Script { sql, line: 1, keys: ForeignKeys::Off, no_transaction: false });
    Migration::of_file(version as i64, name, name, checksum, up, None)
}

static OLD: Migrations<'static> = Migrations::new("app", "migrations", &[NOTES]);
static NEW: Migrations<'static> = Migrations::new("app", "migrations", &[NOTES, TAGS]);
static FAILING: Migrations<'static> = Migrations::new("app", "migrations", &[NOTES, BROKEN]);

fn settings(conn: &Connection) -> (String, i64, i64, i64) {
    let read = |pragma: &str| conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).expect("a setting");
    let journal_mode = conn.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("a setting");
    (journal_mode, read("foreign_keys"), read("busy_timeout"), read("synchronous"))
}

#[test]
fn eight_threads_share_a_new_database_and_each_has_every_setting() {
    const THREADS: usize = 8;
    let directory = tempfile::tempdir().expect("a directory");
    let manager = Manager::file(directory.path().join("app.db"), &NEW).expect("it migrates");
    let pool = Pool::builder().max_size(8).build(manager).expect("a pool");
    let all_at_once = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let conn = pool.get().expect("a connection");
                all_at_once.wait();
                assert_eq!(settings(&conn), ("wal".to_owned(), 1, 5_000, 1));
                for _ in 0..20 {
                    conn.execute("INSERT INTO notes VALUES ('a')", []).expect("a row");
                }
            });
        }
    });
    let conn = pool.get().expect("a connection");
    let rows: i64 = conn.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).expect("a count");
    assert_eq!(rows, 160);
}

#[test]
fn managers_may_be_made_by_many_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.db");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| Manager::file(&path, &NEW).expect("it migrates, or another does"));
        }
    });
}

#[test]
fn there_is_no_pool_of_a_newer_database_and_no_connection_to_one_that_becomes_newer() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.db");
    let manager = Manager::file(&path, &OLD).expect("it migrates");
    let pool = Pool::builder().max_size(1).build(manager.clone()).expect("a pool");
    drop(pool);
    NEW.migrate(&mut Connection::open(&path).expect("the database")).expect("a newer program");
    let refused = r2d2::ManageConnection::connect(&manager).expect_err("it is newer");
    assert!(matches!(refused.kind(), ErrorKind::Newer { .. }), "{refused}");

    let before = std::fs::read(&path).expect("its bytes");
    let refused = Manager::file(&path, &OLD).expect_err("it is newer");
    assert!(matches!(refused.kind(), ErrorKind::Newer { .. }), "{refused}");
    assert_eq!(std::fs::read(&path).expect("its bytes"), before);

    std::fs::remove_file(&path).expect("the file");
    let refused = r2d2::ManageConnection::connect(&manager).expect_err("it is gone");
    assert!(matches!(refused.kind(), ErrorKind::Database(DatabaseFailure::CannotOpen)), "{refused}");
}

#[test]
fn a_migration_that_fails_is_told_in_full_and_leaves_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.db");
    let failed = Manager::file(&path, &FAILING).expect_err("a statement fails");
    assert_eq!(
        format!("{failed:#}"),
        "migration 2 (broken) failed: no such table: missing\n  --> migrations/broken:1:24\n   | \
         INSERT INTO missing VALUES (1)\n\
         help: what this call had not committed is undone; correct the migration and run again"
    );
    assert_eq!(std::fs::metadata(&path).expect("a file").len(), 0);
    let migrator = Migrator::new(&FAILING).up_to(1);
    let _manager = Manager::file_with(&path, &migrator).expect("up to here it migrates");
}

#[test]
fn a_database_in_memory_has_no_pool() {
    for path in [":memory:", "", "file:shared?mode=memory&cache=shared"] {
        let refused = format!("{:#}", Manager::file(path, &NEW).expect_err("it is in memory"));
        assert_eq!(
            refused,
            "opening the database of the pool failed: a database in memory belongs to one connection; use a file"
        );
    }
}

#[test]
fn a_transaction_that_is_left_open_is_nobody_elses() {
    let directory = tempfile::tempdir().expect("a directory");
    let manager = Manager::file(directory.path().join("app.db"), &NEW).expect("it migrates");
    let pool = Pool::builder().max_size(1).build(manager).expect("a pool");
    let conn: PooledConnection<Manager> = pool.get().expect("a connection");
    conn.execute_batch("BEGIN; INSERT INTO notes VALUES ('a')").expect("a transaction");
    drop(conn);
    let conn = pool.get().expect("another connection");
    assert!(conn.is_autocommit());
    let rows: i64 = conn.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).expect("a count");
    assert_eq!(rows, 0);
}
