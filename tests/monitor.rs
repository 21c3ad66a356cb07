//! The feature `monitor`: what is counted, of which connections, and what is told of slow statements.
#![cfg(feature = "monitor")]

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use molos::monitor::{Monitor, StatementStats};
use molos::rusqlite::Connection;

/// Whether the rusqlite in use tells more than the time.
fn tells_work(monitor: &Monitor) -> bool {
    monitor.snapshot().statements().iter().any(|statement| statement.vm_steps.is_some())
}

fn statement(monitor: &Monitor, start: &str) -> StatementStats {
    let snapshot = monitor.snapshot();
    snapshot.statements().iter().find(|statement| statement.sql.starts_with(start)).cloned().expect(start)
}

/// A table whose rows are counted by a trigger.
fn fill(conn: &Connection) {
    conn.execute_batch(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);
         CREATE TABLE counts (n INTEGER);
         INSERT INTO counts VALUES (0);
         CREATE TRIGGER counted AFTER INSERT ON notes BEGIN UPDATE counts SET n = n + 1; END;",
    )
    .expect("tables");
    for number in 0..100 {
        let mut insert = conn.prepare_cached("INSERT INTO notes (body) VALUES (?1)").expect("a statement");
        insert.execute([format!("secret {number}")]).expect("a row");
    }
}

#[test]
fn statements_are_counted_by_their_text_and_work_by_what_each_run_did() {
    let monitor = Monitor::new();
    let mut conn = Connection::open_in_memory().expect("a database");
    monitor.attach(&mut conn).expect("a monitor");
    fill(&conn);
    // One statement within the other, which is run again and again.
    let mut outer = conn.prepare("SELECT id FROM notes WHERE body > 'a' LIMIT 3").expect("a statement");
    let ids = outer.query_map([], |row| row.get::<_, i64>(0)).expect("rows");
    let mut inner = conn.prepare("SELECT body FROM notes ORDER BY body").expect("a statement");
    for id in ids {
        id.expect("an id");
        assert_eq!(inner.query_map([], |row| row.get::<_, String>(0)).expect("rows").count(), 100);
    }
    let snapshot = monitor.snapshot();
    assert!(!snapshot.to_string().contains("secret"));
    let is_trigger = |statement: &StatementStats| statement.sql.starts_with("UPDATE");
    assert!(!snapshot.statements().iter().any(is_trigger), "a trigger is part of what fires it");
    assert!(snapshot.statements().is_sorted_by(|one, other| one.total >= other.total));

    let insert = statement(&monitor, "INSERT INTO notes");
    assert_eq!(insert.count, 100);
    assert!(insert.slowest <= insert.total);
    let (outer, inner) = (statement(&monitor, "SELECT id"), statement(&monitor, "SELECT body"));
    assert_eq!((outer.count, inner.count), (1, 3));
    if tells_work(&monitor) {
        assert_eq!((insert.full_scan_steps, insert.sorts), (Some(0), Some(0)));
        assert_eq!((outer.full_scan_steps, outer.sorts), (Some(2), Some(0)));
        assert_eq!((inner.full_scan_steps, inner.sorts), (Some(3 * 99), Some(3)));
    }
}

#[test]
fn connections_of_one_database_are_counted_together_and_others_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.db");
    let (monitor, other) = (Monitor::new(), Monitor::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut conn = Connection::open(&path).expect("a database");
                monitor.clone().attach(&mut conn).expect("a monitor");
                for _ in 0..50 {
                    conn.query_row("SELECT 1", [], |_| Ok(())).expect("a row");
                }
            });
        }
    });
    assert_eq!(statement(&monitor, "SELECT 1").count, 200);

    let mut memory = Connection::open_in_memory().expect("a database");
    let error = format!("{:#}", monitor.attach(&mut memory).expect_err("another database"));
    assert_eq!(
        error,
        "monitoring the connection failed: the connection is one to another database than those before it"
    );
    other.attach(&mut memory).expect("a monitor of its own");
    memory.query_row("SELECT 1", [], |_| Ok(())).expect("a row");
    other.detach(&mut memory).expect("an end");
    memory.query_row("SELECT 1", [], |_| Ok(())).expect("a row");
    assert_eq!((statement(&monitor, "SELECT 1").count, statement(&other, "SELECT 1").count), (200, 1));
}

#[test]
fn a_slow_statement_is_told_with_its_plan() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut conn = Connection::open(directory.path().join("app.db")).expect("a database");
    fill(&conn);
    let told = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&told);
    let monitor = Monitor::with_slow(Duration::ZERO, move |slow| {
        let time = format!("{} ms", slow.elapsed.as_millis());
        all.lock().expect("a list").push(slow.to_string().replace(&time, "0 ms"));
    });
    monitor.attach(&mut conn).expect("a monitor");
    let sql = "SELECT count(*) FROM notes AS a JOIN notes AS b ON b.id = a.id WHERE a.body > ?1";
    conn.query_row(sql, ["a"], |_| Ok(())).expect("a row");
    conn.execute_batch("BEGIN; COMMIT").expect("a transaction");
    let expected = [
        format!("0 ms: {sql}\n  SCAN a\n  SEARCH b USING INTEGER PRIMARY KEY (rowid=?)"),
        "0 ms: BEGIN;".to_owned(),
        "0 ms: COMMIT".to_owned(),
    ];
    assert_eq!(*told.lock().expect("a list"), expected);

    // What panics is the program's own; SQLite and the next statement do not mind.
    let monitor = Monitor::with_slow(Duration::ZERO, |_| panic!("the program's own code"));
    monitor.attach(&mut conn).expect("a monitor");
    conn.query_row(sql, ["a"], |_| Ok(())).expect("a row");
    assert_eq!(statement(&monitor, sql).count, 1);
}

#[test]
fn a_program_that_writes_values_into_its_sql_does_not_fill_the_memory() {
    let monitor = Monitor::new();
    let mut conn = Connection::open_in_memory().expect("a database");
    monitor.attach(&mut conn).expect("a monitor");
    for number in 0..1_500 {
        conn.query_row(&format!("SELECT {number}"), [], |_| Ok(())).expect("a row");
    }
    assert_eq!(monitor.snapshot().statements().len(), 1_001);
    assert_eq!(statement(&monitor, "(other statements)").count, 500);
}
