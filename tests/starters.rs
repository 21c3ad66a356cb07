//! Many processes that start at once on one database.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use molos::rusqlite::Connection;

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
    db::MIGRATIONS.migrate(&mut conn).expect("every process ends well");
}

fn start(path: &Path) -> Child {
    let program = env::current_exe().expect("this test");
    let mut command = Command::new(program);
    command.args(["--exact", "starter"]).env(DATABASE, path).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("a process")
}

fn start_all_at_once(path: &Path) {
    let children: Vec<_> = (0..PROCESSES).map(|_| start(path)).collect();
    for child in children {
        let output = child.wait_with_output().expect("its output");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let conn = Connection::open(path).expect("the database");
    let applied: i64 =
        conn.query_row("SELECT count(*) FROM _molos_migrations", [], |row| row.get(0)).expect("the history");
    assert_eq!(applied, 4, "each step is applied once");
    let check: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(check, "ok");
}

#[test]
fn sixteen_processes_can_start_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    for mode in ["delete", "wal"] {
        for round in 0..3 {
            let new = directory.path().join(format!("new-{mode}-{round}.db"));
            if mode == "wal" {
                Connection::open(&new).and_then(|conn| conn.pragma_update(None, "journal_mode", mode)).expect("WAL");
            }
            start_all_at_once(&new);

            let old = directory.path().join(format!("old-{mode}-{round}.db"));
            let mut conn = Connection::open(&old).expect("a database");
            conn.pragma_update(None, "journal_mode", mode).expect("its journal");
            molos::Migrator::new(&db::MIGRATIONS).to(2).migrate(&mut conn).expect("two steps");
            drop(conn);
            start_all_at_once(&old);
        }
    }
}
