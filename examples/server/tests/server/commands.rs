//! The command line: what is wrong is said, and ends with a failure.

use crate::process::{create_key, run, run_with_input, succeed};

#[test]
fn what_is_wrong_is_an_error_that_says_what() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("molos.db");
    for (arguments, error) in [
        (&["module", "install", "nothing"][..], "there is no module \"nothing\""),
        (&["module", "enable", "tasks"], "the module \"tasks\" is not installed"),
        (&["module", "install"], "required"),
        (&["key", "grant", "nobody", "--module", "tasks"], "there is no key with the id \"nobody\""),
        (&["key", "create", "x", "--module", "nothing"], "there is no module \"nothing\""),
        (&["key", "create", "x", "--permission", "tasks"], "a permission is a resource, a colon and a level"),
        (&["key", "create", "x", "--permission", "tasks:owner"], "a level is read, write or admin"),
        (&["key", "create", "x", "--permission", "nothing:read"], "there is no resource \"nothing\""),
        (&["key", "delete", "nobody"], "there is no key"),
        (&["client", "create", "x", "--redirect-uri", "http://example.org"], "is no redirect URI"),
        (&["user", "create", "ada"], "a password has 10 to 200 characters"),
    ] {
        let output = run_with_input(&database, arguments, "short\n");
        let message = String::from_utf8(output.stderr).expect("text");
        assert!(!output.status.success() && message.contains(error), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    // A key whose grants are refused is none.
    assert_eq!(succeed(&database, &["key", "list"]), "");
    let output = run_with_input(&database, &["user", "create", "ada"], "correct horse\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("\"ada\" is no email address"));
}

#[test]
fn a_file_that_is_no_database_and_a_newer_database_are_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("molos.db");
    std::fs::write(&database, "no database, but a text that is longer than the header of one").expect("a file");
    let output = run(&database, &["module"]);
    assert!(!output.status.success() && !String::from_utf8_lossy(&output.stderr).contains("panicked"));

    let database = directory.path().join("newer.db");
    succeed(&database, &["module"]);
    let conn = molos::rusqlite::Connection::open(&database).expect("a database");
    conn.execute_batch(
        "INSERT INTO _molos_migrations SELECT set_name, 5, 'later', checksum, applied_at, duration_us, down, format \
         FROM _molos_migrations WHERE set_name = 'core' AND version = 4",
    )
    .expect("a newer history");
    let output = run(&database, &["module"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && message.contains("newer"), "{message}");
}

#[test]
fn keys_are_granted_listed_and_revoked() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("molos.db");
    let key = create_key(&database, &["--module", "*", "--permission", "*:read", "--expires-in-days", "1"]);
    let list = succeed(&database, &["key", "list"]);
    assert!(list.contains("modules *  permissions *:read  expires") && !list.contains(&key), "{list}");
    let id = list.split_whitespace().next().expect("an id");
    succeed(&database, &["key", "grant", id, "--module", "tasks", "--permission", "tasks:write"]);
    succeed(&database, &["key", "revoke", id, "--module", "*", "--resource", "*"]);
    assert!(succeed(&database, &["key", "list"]).contains("modules tasks  permissions tasks:write"));
    succeed(&database, &["key", "delete", id]);
    assert_eq!(succeed(&database, &["key", "list"]), "");
    for (action, state) in [("install", "enabled"), ("disable", "disabled"), ("uninstall", "not installed")] {
        succeed(&database, &["module", action, "tasks"]);
        let list = succeed(&database, &["module"]);
        assert!(list.lines().any(|line| line.starts_with("tasks") && line.contains(state)), "{list}");
    }
}

#[test]
fn the_database_is_looked_at_and_rolled_back_set_by_set() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("molos.db");
    let output = run(&database, &["db", "status"]);
    assert_eq!(output.status.code(), Some(1), "all is pending");
    assert!(!database.exists());
    succeed(&database, &["module", "install", "tasks"]);
    let status = succeed(&database, &["db", "status"]);
    for set in ["core", "server", "tasks"] {
        assert!(status.lines().any(|line| line.starts_with(set) && line.contains("applied")), "{status}");
    }
    assert!(!status.contains("notes"), "what is not installed is not pending");
    succeed(&database, &["db", "verify"]);
    succeed(&database, &["db", "rollback", "--set", "tasks", "--all", "--yes"]);
    assert!(
        succeed(&database, &["module"]).lines().any(|line| line.starts_with("tasks") && line.contains("not installed"))
    );
    succeed(&database, &["db", "verify"]);
}
