//! Several processes on one database: at start, under load while it is migrated, and when they are told to stop.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use molos::rusqlite::Connection;
use molos::{Migration, Migrations, Migrator};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, Starting, create_key, run_with_input, succeed};

const TASKS: &str = "/modules/tasks/items";
const NOTES: &str = "/modules/notes/items";

fn database() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("molos.db");
    (directory, database)
}

/// A new user's id.
fn create_user(database: &Path) -> String {
    let output = run_with_input(database, &["user", "create", "ada@example.org"], "correct horse\n");
    String::from_utf8(output.stdout).expect("text").trim().trim_start_matches("id ").to_owned()
}

#[cfg(unix)]
#[test]
fn what_is_running_is_answered_before_the_server_stops() {
    for name in ["TERM", "INT"] {
        let (_directory, database) = database();
        let user = create_user(&database);
        succeed(&database, &["module", "install", "tasks"]);
        let key = create_key(&database, &["--module", "tasks", "--permission", "tasks:write"]);
        let mut server = Process::start(&database);
        assert_eq!(server.get(TASKS, &key).expect("an answer").status, 200);

        // While someone else writes, a request that wants to write waits.
        let other = Connection::open(&database).expect("a database");
        other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
        thread::scope(|scope| {
            let running = scope.spawn(|| server.post(TASKS, &key, &json!({ "text": "write", "user_id": user })));
            thread::sleep(Duration::from_millis(300));
            server.signal(name);
            let since = Instant::now();
            while server.get("/healthz", "").is_ok() {
                assert!(since.elapsed() < Duration::from_secs(5), "it still takes requests");
                thread::sleep(Duration::from_millis(10));
            }
            assert!(!running.is_finished());
            other.execute_batch("COMMIT").expect("the end of the lock");
            assert_eq!(running.join().expect("a thread").expect("an answer").status, 201);
        });
        assert_eq!(server.end(), Some(0), "{name}");
    }
}

#[test]
fn three_copies_start_at_once_on_a_fresh_file_and_share_it() {
    let (_directory, database) = database();
    let starting: Vec<_> = (0..3).map(|_| Process::spawn(&database)).collect();
    let servers: Vec<_> = starting.into_iter().map(Starting::started).collect();
    for server in &servers {
        let health = server.get("/healthz", "").expect("an answer");
        assert_eq!(health.status, 200, "{}", health.body);
    }
    let conn = Connection::open(&database).expect("a database");
    let applied: i64 = conn.query_row("SELECT count(*) FROM _molos_migrations", [], |row| row.get(0)).expect("a count");
    assert_eq!(applied, 5);

    let admin = create_key(&database, &["--module", "*", "--permission", "*:admin"]);
    for (action, status) in [("install", 200), ("disable", 401), ("enable", 200), ("uninstall", 401)] {
        let change = servers[0].post(&format!("/modules/tasks/{action}"), &admin, &Value::Null);
        assert_eq!(change.expect("an answer").status, 204);
        for server in &servers {
            assert_eq!(server.get(TASKS, &admin).expect("an answer").status, status, "{action}");
            assert_eq!(server.get("/healthz", "").expect("an answer").status, 200, "{action}");
        }
    }
    let list = succeed(&database, &["key", "list"]);
    succeed(&database, &["key", "delete", list.split_whitespace().next().expect("an id")]);
    for server in &servers {
        assert_eq!(server.get("/keys", &admin).expect("an answer").status, 401);
    }
}

/// A migration that takes its time, with the database locked for all others that want to write.
fn migrate_slowly(database: &Path) -> Duration {
    const SLOW: &str = "CREATE TABLE slow_rows (body TEXT NOT NULL); INSERT INTO slow_rows \
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) \
        SELECT hex(randomblob(100)) FROM n";
    let list = [Migration::new(1, "rows", SLOW)];
    let mut conn = Connection::open(database).expect("a database");
    let migrations = Migrations::new("slow", "slow", &list).table_prefix("slow_");
    let report = Migrator::new(&migrations).migrate(&mut conn).expect("a migration");
    report.steps()[0].elapsed
}

#[test]
fn under_load_an_upgrade_costs_no_request_and_lets_nobody_in() {
    const CLIENTS: usize = 8;
    const REQUESTS: usize = 250;
    let (_directory, database) = database();
    let user = create_user(&database);
    succeed(&database, &["module", "install", "tasks"]);
    let key = |grants: &[&str]| create_key(&database, grants);
    let reader = key(&["--module", "tasks", "--permission", "tasks:read"]);
    let writer = key(&["--module", "tasks", "--permission", "tasks:write"]);
    let notes = key(&["--module", "notes", "--permission", "notes:read"]);
    let without_module = key(&["--module", "notes", "--permission", "*:admin"]);
    let without_permission = key(&["--module", "*", "--permission", "keys:admin"]);
    let expired = key(&["--module", "*", "--permission", "*:admin"]);
    Connection::open(&database)
        .and_then(|conn| {
            let sql = "UPDATE mcp_api_keys SET expires_at = 1 WHERE key_hash = ?1";
            conn.execute(sql, [molos_example_server::secret::hash(&expired)])
        })
        .expect("an expiry");
    let unknown = "molos_key_unknown".to_owned();

    let item = json!({ "text": "write", "user_id": user });
    // What is sent with which key, and what may be answered. Notes come and go.
    let mix: [(&str, &str, Option<&Value>, &[u16]); 10] = [
        (&reader, TASKS, None, &[200]),
        (&writer, TASKS, None, &[200]),
        (&reader, TASKS, Some(&item), &[401]),
        (&writer, TASKS, Some(&item), &[201]),
        (&notes, NOTES, None, &[200, 401]),
        (&notes, TASKS, None, &[401]),
        (&without_module, TASKS, None, &[401]),
        (&without_permission, TASKS, None, &[401]),
        (&expired, TASKS, None, &[401]),
        (&unknown, NOTES, None, &[401]),
    ];
    let servers = [Process::start(&database), Process::start(&database)];
    thread::scope(|scope| {
        let (servers, mix) = (&servers, &mix);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn(move || {
                    for request in 0..REQUESTS {
                        let (key, path, body, statuses) = mix[(client + request) % mix.len()];
                        let server = &servers[request % servers.len()];
                        let answer = match body {
                            None => server.get(path, key),
                            Some(body) => server.post(path, key, body),
                        };
                        let answer = answer.expect("an answer");
                        assert!(statuses.contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
                    }
                })
            })
            .collect();
        let slow = migrate_slowly(&database);
        assert!(slow > Duration::from_millis(100), "{slow:?}");
        let is_loaded = || clients.iter().any(|client| !client.is_finished());
        assert!(is_loaded());
        while is_loaded() {
            for action in ["install", "disable", "enable", "uninstall"] {
                succeed(&database, &["module", action, "notes"]);
            }
        }
    });
    for server in &servers {
        assert_eq!(server.get("/healthz", "").expect("an answer").status, 200);
    }
    let conn = Connection::open(&database).expect("a database");
    let items: usize = conn
        .query_row("SELECT count(*) FROM tasks_items", [], |row| row.get::<_, u32>(0))
        .expect("a count")
        .try_into()
        .expect("a number");
    assert_eq!(items, CLIENTS * REQUESTS / mix.len());
}
