//! `validate_access`: what it refuses, that the log alone has the reason, and what it costs.

use molos::rusqlite::Connection;
use molos_example_server::access::{Access, Level, SELECT_ACCESS, validate_access};
use molos_example_server::modules::{self, Action};
use molos_example_server::{keys, now};

use crate::log::log_of;
use crate::support::{database, key};

const TASKS: Access<'static> = Access { module: "tasks", resource: "tasks", level: Level::Write };

fn change(conn: &mut Connection, action: Action) {
    let module = modules::find("tasks").expect("a module");
    modules::change(conn, module, action, now()).expect("a change");
}

fn with_tasks() -> Connection {
    let mut conn = database();
    change(&mut conn, Action::Install);
    conn
}

#[test]
fn whatever_is_wrong_the_answer_is_one_and_the_log_has_the_reason_and_not_the_key() {
    let mut conn = with_tasks();
    let good = key(&mut conn, &["tasks"], &[("tasks", Level::Write)]).expect("a key");
    let expired = key(&mut conn, &["tasks"], &[("tasks", Level::Write)]).expect("a key");
    conn.execute("UPDATE mcp_api_keys SET expires_at = unixepoch() WHERE id = ?1", [&expired.0]).expect("an expiry");
    let no_module = key(&mut conn, &["notes", "core"], &[("*", Level::Admin)]).expect("a key");
    let no_permission = key(&mut conn, &["*"], &[("notes", Level::Admin), ("keys", Level::Admin)]).expect("a key");
    let too_low = key(&mut conn, &["tasks"], &[("tasks", Level::Read)]).expect("a key");
    let deleted = key(&mut conn, &["*"], &[("*", Level::Admin)]).expect("a key");
    keys::delete(&conn, &deleted.0).expect("a deletion");
    let unknown = "molos_key_unknown".to_owned();
    let truncated = good.1[..good.1.len() - 1].to_owned();
    let sql = "' OR 1 = 1 --".to_owned();

    let cases = [
        (unknown, "the key is unknown"),
        (String::new(), "the key is unknown"),
        (truncated, "the key is unknown"),
        (sql, "the key is unknown"),
        (deleted.1, "the key is unknown"),
        (expired.1, "the key is expired"),
        (no_module.1, "the module is not in its scope"),
        (no_permission.1, "the resource at this level is not in its scope"),
        (too_low.1, "the resource at this level is not in its scope"),
    ];
    for (secret, reason) in &cases {
        let log = log_of(|| {
            let error = validate_access(&conn, secret, &TASKS, now()).expect_err(reason);
            assert_eq!(error.to_string(), "access denied");
        });
        assert!(log.contains(reason), "{reason}: {log}");
        assert!(secret.is_empty() || !log.contains(secret), "{log}");
    }
    validate_access(&conn, &good.1, &TASKS, now()).expect("access");

    for action in [Action::Disable, Action::Uninstall] {
        change(&mut conn, action);
        let log = log_of(|| {
            validate_access(&conn, &good.1, &TASKS, now()).expect_err("no access");
        });
        assert!(log.contains("the module is disabled or not installed"), "{log}");
    }
}

#[test]
fn a_star_is_a_grant_and_not_a_thing_that_can_be_asked_for() {
    let mut conn = with_tasks();
    let (_, all) = key(&mut conn, &["*"], &[("*", Level::Admin)]).expect("a key");
    let star = Access { module: "*", resource: "*", level: Level::Read };
    validate_access(&conn, &all, &star, now()).expect_err("no access");
    validate_access(&conn, &all, &TASKS, now()).expect("access");
    validate_access(&conn, &all, &Access::core("keys", Level::Admin), now()).expect("access");
}

#[test]
fn a_level_holds_those_below_it_and_none_above() {
    let mut conn = with_tasks();
    for granted in Level::EACH {
        let (_, secret) = key(&mut conn, &["tasks"], &[("tasks", granted)]).expect("a key");
        for level in Level::EACH {
            let result = validate_access(&conn, &secret, &Access { level, ..TASKS }, now());
            assert_eq!(result.is_ok(), level <= granted, "{level} with {granted}");
        }
    }
}

#[test]
fn it_is_one_query_that_only_searches() {
    let conn = with_tasks();
    let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {SELECT_ACCESS}")).expect("a plan");
    let rows = plan.query_map(([0; 32], "tasks", "tasks"), |row| row.get::<_, String>(3)).expect("a plan");
    let lines: Vec<String> = rows.collect::<Result<_, _>>().expect("a plan");
    assert!(lines.iter().any(|line| line.contains("SEARCH mcp_api_keys USING INDEX")), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.contains("SEARCH")).count(), 4, "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("SCAN")), "{lines:#?}");
}
