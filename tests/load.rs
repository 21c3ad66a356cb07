//! Long migrations of large databases: how far they are, how they are stopped, and how much memory they take.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

use common::{assert_whole, database, files, library_to};
use molos::rusqlite::Connection;
use molos::{DatabaseFailure, ErrorKind, Event, Migration, Migrations, Migrator, Rollback};

#[test]
fn every_statement_is_announced_before_it_runs() {
    let up =
        "-- The notes.\nCREATE TABLE notes (body TEXT); /* ; */ INSERT INTO notes VALUES ('a;b');\n;SELECT nothing;";
    let list = [
        Migration::new(1, "one", "CREATE TABLE one (a);").with_down("DROP TABLE one"),
        Migration::new(2, "nothing", "-- nothing"),
        Migration::new(3, "notes", up),
    ];
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory().expect("a database");
    let seen = Mutex::new(Vec::new());
    let migrator = Migrator::new(&migrations).on_event(|event| {
        seen.lock().expect("the lock").push(match event {
            Event::Statement { step, direction, number, count, sql, .. } => {
                format!("{direction} {} {number}/{count} {sql}", step.name)
            }
            Event::Started { .. } => "started".to_owned(),
            other => format!("{other:?}").chars().take_while(|c| c.is_alphabetic()).collect(),
        });
    });
    migrator.migrate(&mut conn).expect_err("a statement fails");
    let expected = [
        "started",
        "up one 1/1 CREATE TABLE one (a);",
        "Finished",
        "started",
        "Finished",
        "started",
        "up notes 1/3 CREATE TABLE notes (body TEXT);",
        "up notes 2/3 INSERT INTO notes VALUES ('a;b');",
        "up notes 3/3 SELECT nothing;",
        "RolledBack",
    ];
    assert_eq!(std::mem::take(&mut *seen.lock().expect("the lock")), expected);

    Migrator::new(&migrations).up_to(1).migrate(&mut conn).expect("the first step");
    migrator.rollback(&mut conn, Rollback::All).expect("the rollback");
    assert_eq!(
        std::mem::take(&mut *seen.lock().expect("the lock")),
        ["started", "down one 1/1 DROP TABLE one", "Finished", "Committed"]
    );
}

/// Changes every row, and then does not come to an end.
const ENDLESS: &str = "UPDATE books SET pages = 7; \
    UPDATE books SET pages = (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n);";

#[test]
fn another_thread_can_stop_a_migration_at_any_time_and_nothing_is_changed() {
    const BOOKS: usize = 2_000;
    let mut steps = common::STEPS[..2].to_vec();
    steps.push(Migration::new(3, "endless", ENDLESS));
    let migrations = Migrations::new("library", "migrations", &steps);
    for journal_mode in ["delete", "wal"] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("app.db");
        database(&path, journal_mode, BOOKS);
        let before = files(directory.path());
        let mut conn = Connection::open(&path).expect("the database");
        // A cache that is too small has pages written before the commit, as those of a large database are.
        conn.pragma_update(None, "cache_size", 10).expect("a pragma");
        let (sender, receiver) = mpsc::channel();
        let (handle, is_over) = (conn.get_interrupt_handle(), &AtomicBool::new(false));
        let error = thread::scope(|scope| {
            scope.spawn(move || {
                receiver.recv().expect("the last statement");
                // Often enough that it also meets what undoes the transaction.
                while !is_over.load(Ordering::SeqCst) {
                    handle.interrupt();
                    thread::sleep(Duration::from_micros(50));
                }
            });
            let migrator = Migrator::new(&migrations).on_event(move |event| {
                if let Event::Statement { sql, .. } = event
                    && sql.contains("RECURSIVE")
                {
                    sender.send(()).expect("the other thread");
                }
            });
            let result = migrator.migrate(&mut conn);
            is_over.store(true, Ordering::SeqCst);
            result.expect_err("it is stopped")
        });
        let is_interrupted = matches!(error.kind(), ErrorKind::Database(DatabaseFailure::Interrupted));
        assert!(is_interrupted && error.is_retryable(), "{error:#}");
        assert_eq!(
            error.to_string(),
            "running migration 3 (endless) of \"library\" was stopped by the program at migrations/endless:1:29"
        );
        assert!(conn.is_autocommit());
        if journal_mode == "delete" {
            assert_eq!(files(directory.path()), before);
        }
        assert_eq!(assert_whole(&mut conn, BOOKS), 1);
        library_to(4).migrate(&mut conn).expect("the program can go on");
        assert_eq!(assert_whole(&mut conn, BOOKS), 4);
    }
}

#[test]
fn a_panic_between_two_statements_leaves_the_connection_as_it_was() {
    let list = [Migration::new(1, "one", "PRAGMA legacy_alter_table = ON; CREATE TABLE one (a);")];
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory().expect("a database");
    let panics = Migrator::new(&migrations).on_event(|event| {
        assert!(!matches!(event, Event::Statement { number: 2, .. }), "the program's own code");
    });
    assert!(catch_unwind(AssertUnwindSafe(|| panics.migrate(&mut conn))).is_err());
    let setting: i64 = conn.query_row("PRAGMA legacy_alter_table", [], |row| row.get(0)).expect("a setting");
    assert_eq!((setting, conn.is_autocommit()), (0, true));
}

const DATABASE: &str = "MOLOS_TEST_LOAD_DATABASE";

/// What a process does whose memory is measured; on its own, it is a test of nothing.
#[test]
#[cfg(target_os = "linux")]
fn upgrader() {
    let Some(path) = env::var_os(DATABASE) else { return };
    let mut conn = Connection::open(path).expect("the database");
    let report = library_to(4).migrate(&mut conn).expect("it migrates");
    assert_eq!(report.steps().len(), 3);
    let status = std::fs::read_to_string("/proc/self/status").expect("the memory");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    println!("peak={}", peak.trim().trim_end_matches(" kB"));
}

/// The most memory, in KiB, that a process takes which upgrades a database with so many rows: an index, a rebuild, a
/// copy and an update of all of them.
#[cfg(target_os = "linux")]
fn peak(path: &Path, rows: usize) -> u64 {
    database(path, "delete", rows);
    let mut upgrader = Command::new(env::current_exe().expect("this test"));
    upgrader.args(["--exact", "upgrader", "--nocapture", "--test-threads=1"]).env(DATABASE, path);
    let output = upgrader.output().expect("a process");
    let output = String::from_utf8_lossy(&output.stdout);
    let (_, peak) = output.split_once("peak=").expect("a measurement");
    peak.lines().next().and_then(|peak| peak.parse().ok()).expect("a number")
}

#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_data() {
    let directory = tempfile::tempdir().expect("a directory");
    let (few, many) = (directory.path().join("few.db"), directory.path().join("many.db"));
    let (least, most) = (peak(&few, 1_000), peak(&many, 200_000));
    let size = std::fs::metadata(&many).expect("a file").len() / 1024;
    assert!(size > 60_000, "{size} KiB are too few to tell");
    // SQLite's page cache is 2 MiB unless the program says otherwise, and sorting takes some more.
    assert!(most < least + 16 * 1024, "{least} KiB for 1,000 rows, {most} KiB for 200,000");
}
