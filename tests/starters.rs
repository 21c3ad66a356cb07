//! Many processes that start at once on one database.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use molos::rusqlite::Connection;
use molos::{Event, Migrator};

mod db {
    molos::embed_migrations!("migrations");
}

const PROCESSES: usize = 16;
const DATABASE: &str = "MOLOS_TEST_DATABASE";

/// What each of the processes does; on its own, it is a test of nothing.
#[test]
fn starter() {
    let Some(path) = env::var_os(DATABASE).map(PathBuf::from) else { return };
    let mut conn = Connection::open(path).expect("the database");
    let waits = Mutex::new(0);
    let migrator = Migrator::new(&db::MIGRATIONS).on_event(|event| {
        *waits.lock().expect("the lock") += usize::from(matches!(event, Event::Waiting { .. }));
    });
    let report = migrator.migrate(&mut conn).expect("every process ends well");
    println!("\nreport: {} {}", report.steps().len(), *waits.lock().expect("the lock"));
}

fn start(path: &Path) -> Child {
    let program = env::current_exe().expect("this test");
    let mut command = Command::new(program);
    command.args(["--exact", "starter", "--nocapture"]).env(DATABASE, path);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process")
}

/// Returns how many of the processes had to wait.
fn start_all_at_once(path: &Path, pending: usize) -> usize {
    let children: Vec<_> = (0..PROCESSES).map(|_| start(path)).collect();
    let (mut applied, mut waiters) = (Vec::new(), 0);
    for child in children {
        let output = child.wait_with_output().expect("its output");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("database is locked"), "{said}");
        let report = said.lines().find_map(|line| line.strip_prefix("report: ")).expect("a report");
        let (steps, waits) = report.split_once(' ').expect("two numbers");
        applied.extend(steps.parse::<usize>().ok().filter(|steps| *steps > 0));
        waiters += usize::from(waits != "0");
    }
    assert_eq!(applied, [pending], "one process applies everything, and the others nothing");
    let conn = Connection::open(path).expect("the database");
    let applied: i64 =
        conn.query_row("SELECT count(*) FROM _molos_migrations", [], |row| row.get(0)).expect("the history");
    assert_eq!(applied, 4, "each step is applied once");
    let check: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(check, "ok");
    waiters
}

fn start_rounds(rounds: usize) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut waiters = 0;
    for mode in ["delete", "wal"] {
        for round in 0..rounds {
            let new = directory.path().join(format!("new-{mode}-{round}.db"));
            if mode == "wal" {
                Connection::open(&new).and_then(|conn| conn.pragma_update(None, "journal_mode", mode)).expect("WAL");
            }
            waiters += start_all_at_once(&new, 4);

            let old = directory.path().join(format!("old-{mode}-{round}.db"));
            let mut conn = Connection::open(&old).expect("a database");
            conn.pragma_update(None, "journal_mode", mode).expect("its journal");
            Migrator::new(&db::MIGRATIONS).up_to(2).migrate(&mut conn).expect("two steps");
            drop(conn);
            waiters += start_all_at_once(&old, 2);
        }
    }
    println!("{waiters} of {} processes waited", PROCESSES * 4 * rounds);
    assert!(waiters > 0, "they do start at once, and say that they wait");
}

#[test]
fn sixteen_processes_can_start_at_once() {
    start_rounds(3);
}

#[test]
#[ignore = "it takes a minute"]
fn sixteen_processes_can_start_at_once_fifty_times() {
    start_rounds(50);
}
