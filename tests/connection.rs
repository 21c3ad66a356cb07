//! What the program has set on its connection: it stays as it is, whether a migration ends well, badly or in a panic.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{database, files, library};
use molos::rusqlite::config::DbConfig::{SQLITE_DBCONFIG_ENABLE_FKEY, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE};
use molos::rusqlite::functions::FunctionFlags;
use molos::rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use molos::rusqlite::{self, Connection};
use molos::{DatabaseFailure, ErrorKind, Event, Migration, Migrations, Migrator, Rollback};

/// What can be read of a connection's settings.
fn settings(conn: &Connection) -> Vec<i64> {
    const PRAGMAS: [&str; 12] = [
        "busy_timeout",
        "cache_size",
        "cache_spill",
        "cell_size_check",
        "defer_foreign_keys",
        "foreign_keys",
        "ignore_check_constraints",
        "legacy_alter_table",
        "query_only",
        "recursive_triggers",
        "synchronous",
        "writable_schema",
    ];
    let read = |pragma: &&str| conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).expect(pragma);
    PRAGMAS.iter().map(read).collect()
}

/// A step that works, a step that does not, a rollback.
fn list() -> Vec<Migration<'static>> {
    vec![
        Migration::new(1, "notes", "CREATE TABLE notes (body TEXT); INSERT INTO notes VALUES (shout('a'));")
            .with_down("DROP TABLE notes;"),
        Migration::new(2, "broken", "PRAGMA legacy_alter_table = ON; INSERT INTO notes VALUES ('b'); SELECT nothing;"),
    ]
}

fn shout(conn: &Connection) {
    let flags = FunctionFlags::SQLITE_UTF8;
    conn.create_scalar_function("shout", 1, flags, |context| Ok(context.get::<String>(0)?.to_uppercase()))
        .expect("a function");
}

#[test]
fn every_setting_is_put_back_after_success_failure_and_panic() {
    let list = list();
    let migrations = Migrations::new("app", "migrations", &list);
    for is_on in [false, true] {
        for timeout in [0, 1234] {
            let mut conn = Connection::open_in_memory().expect("a database");
            shout(&conn);
            conn.busy_timeout(Duration::from_millis(timeout)).expect("a timeout");
            conn.set_db_config(SQLITE_DBCONFIG_ENABLE_FKEY, is_on).expect("a setting");
            conn.set_db_config(SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, is_on).expect("a setting");
            conn.execute_batch(if is_on { "PRAGMA recursive_triggers = ON" } else { "PRAGMA cell_size_check = ON" })
                .expect("a pragma");
            let before = settings(&conn);
            let panics = Migrator::new(&migrations).up_to(1).on_event(|event| {
                assert!(!matches!(event, Event::Started { .. }), "the program's own code");
            });
            assert!(catch_unwind(AssertUnwindSafe(|| panics.migrate(&mut conn))).is_err());
            assert_eq!(settings(&conn), before, "after a panic");
            let migrator = Migrator::new(&migrations).up_to(1);
            migrator.migrate(&mut conn).expect("it migrates");
            assert_eq!(settings(&conn), before, "after success");
            migrations.migrate(&mut conn).expect_err("it fails");
            assert_eq!(settings(&conn), before, "after a failure");
            migrator.rollback(&mut conn, Rollback::All).expect("it goes back");
            migrator.status(&mut conn).expect("a status");
            assert_eq!(settings(&conn), before, "after all");
            assert!(conn.is_autocommit());
        }
    }
}

#[test]
fn what_the_connection_does_not_have_is_named_with_what_to_do() {
    for (sql, missing) in [
        ("SELECT shout('a')", "no such function: shout"),
        ("CREATE TABLE t (a COLLATE loud); CREATE INDEX i ON t (a)", "no such collation sequence: loud"),
        ("CREATE VIRTUAL TABLE t USING vec0(a float[3])", "no such module: vec0"),
    ] {
        let list = [Migration::new(1, "loud", sql)];
        let mut conn = Connection::open_in_memory().expect("a database");
        let error = Migrations::new("app", "migrations", &list).migrate(&mut conn).expect_err(sql);
        assert!(matches!(error.kind(), ErrorKind::Unregistered), "{error:?}");
        let text = format!("{error:#}");
        assert!(text.starts_with("migration 1 (loud) uses what is not registered with this connection: no such"));
        assert!(text.contains(missing) && text.contains("help: register it with each connection"), "{text}");
    }
}

#[test]
fn hooks_and_functions_are_called_before_within_and_after() {
    let list = list();
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory().expect("a database");
    shout(&conn);
    let (updates, questions) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&updates);
    let _ = conn.update_hook(Some(move |_, _: &str, table: &str, _| {
        count.fetch_add(usize::from(table == "notes"), Ordering::SeqCst);
    }));
    let count = Arc::clone(&questions);
    let _ = conn.authorizer(Some(move |context: AuthContext<'_>| {
        count.fetch_add(1, Ordering::SeqCst);
        let is_forbidden = matches!(context.action, AuthAction::Pragma { pragma_name: "user_version", .. });
        if is_forbidden { Authorization::Deny } else { Authorization::Allow }
    }));
    Migrator::new(&migrations).up_to(1).migrate(&mut conn).expect("it migrates");
    assert_eq!(updates.load(Ordering::SeqCst), 1);
    let asked = questions.load(Ordering::SeqCst);
    assert!(asked > 0);

    migrations.migrate(&mut conn).expect_err("it fails");
    conn.execute("INSERT INTO notes VALUES (shout('c'))", []).expect("a row");
    assert_eq!(updates.load(Ordering::SeqCst), 3);
    assert!(questions.load(Ordering::SeqCst) > asked);
    let denied = conn.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    assert!(denied.is_err_and(|error| format!("{error:#}").contains("not authorized")));
}

#[test]
fn a_migration_that_the_program_stops_is_not_called_a_mistake_of_its_author() {
    let up = "CREATE TABLE notes (body TEXT);
              WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
              INSERT INTO notes SELECT shout('a') FROM n;";
    let list = [Migration::new(1, "notes", up)];
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory().expect("a database");
    let handle = conn.get_interrupt_handle();
    conn.create_scalar_function("shout", 1, FunctionFlags::SQLITE_UTF8, move |_| {
        handle.interrupt();
        Ok("A")
    })
    .expect("a function");
    let before = settings(&conn);
    let error = Migrator::new(&migrations).up_to(1).migrate(&mut conn).expect_err("it is stopped");
    assert!(matches!(error.kind(), ErrorKind::Database(DatabaseFailure::Interrupted)), "{error}");
    assert_eq!(
        format!("{error:#}"),
        "running migration 1 (notes) was stopped by the program: interrupted\n  --> migrations/notes:2:15\n   | \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)\n\
         help: what this call had not committed is undone; start again"
    );
    assert!(conn.is_autocommit());
    assert_eq!(settings(&conn), before);
    shout(&conn);
    Migrator::new(&migrations).up_to(1).migrate(&mut conn).expect("it starts again");
}

#[test]
fn a_commit_that_the_program_refuses_leaves_nothing() {
    let list = list();
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory().expect("a database");
    shout(&conn);
    let _ = conn.commit_hook(Some(|| true));
    let error = format!("{:#}", Migrator::new(&migrations).up_to(1).migrate(&mut conn).expect_err("a refusal"));
    assert!(error.starts_with("committing failed: "), "{error}");
    assert!(conn.is_autocommit());
    let objects = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    assert_eq!(objects.expect("a count"), 0);
}

#[test]
fn what_an_authorizer_denies_is_refused_and_never_left_out() {
    type Denial = (fn(&AuthAction<'_>) -> bool, &'static str);
    let denials: [Denial; 5] = [
        (
            |action| matches!(action, AuthAction::Pragma { pragma_name: "foreign_key_check", .. }),
            "the check of the keys",
        ),
        (|action| matches!(action, AuthAction::Insert { table_name: "_molos_migrations" }), "the history"),
        (|action| matches!(action, AuthAction::Read { table_name: "_molos_migrations", .. }), "a look at the history"),
        (|action| matches!(action, AuthAction::CreateTable { table_name: "notes" }), "a statement"),
        (|action| matches!(action, AuthAction::Transaction { .. }), "the transaction"),
    ];
    let list = list();
    let migrations = Migrations::new("app", "migrations", &list);
    for (is_denied, what) in denials {
        let mut conn = Connection::open_in_memory().expect("a database");
        shout(&conn);
        migrations_before(&mut conn);
        let before = settings(&conn);
        let is_armed = Arc::new(AtomicBool::new(true));
        let armed = Arc::clone(&is_armed);
        let _ = conn.authorizer(Some(move |context: AuthContext<'_>| {
            // To undo is not denied, or else nobody could.
            let is_undone = matches!(
                context.action,
                AuthAction::Transaction { operation: rusqlite::hooks::TransactionOperation::Rollback }
            );
            let deny = armed.load(Ordering::SeqCst) && !is_undone && is_denied(&context.action);
            if deny { Authorization::Deny } else { Authorization::Allow }
        }));
        let error = format!("{:#}", Migrator::new(&migrations).up_to(1).migrate(&mut conn).expect_err(what));
        assert!(error.contains("not authorized") || error.contains("prohibited"), "{what}: {error}");
        is_armed.store(false, Ordering::SeqCst);
        assert!(conn.is_autocommit(), "{what}");
        assert_eq!(settings(&conn), before, "{what}");
        let tables: i64 = conn
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'notes'", [], |row| row.get(0))
            .expect("a count");
        assert_eq!(tables, 0, "{what}");
        Migrator::new(&migrations).up_to(1).migrate(&mut conn).expect("it migrates when it may");
    }
}

/// Another set's history, so that there is a history table.
fn migrations_before(conn: &mut Connection) {
    let list = [Migration::new(1, "other", "CREATE TABLE other (a)")];
    Migrations::new("other", "migrations", &list).migrate(conn).expect("another set");
}

#[test]
fn a_busy_handler_of_the_program_is_asked_and_kept() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.db");
    database(&path, "delete", 10);
    let holder = Connection::open(&path).expect("a database");
    holder.execute_batch("BEGIN EXCLUSIVE").expect("a lock");
    let mut conn = Connection::open(&path).expect("a database");
    conn.busy_handler(Some(|calls| {
        CALLS.fetch_add(1, Ordering::SeqCst);
        calls < 2
    }))
    .expect("a handler");
    let migrations = library();
    let waits = Mutex::new(0);
    let migrator = Migrator::new(&migrations)
        .busy_timeout(Duration::from_millis(50))
        .on_event(|event| *waits.lock().expect("the lock") += usize::from(matches!(event, Event::Waiting { .. })));
    let before = files(directory.path());
    let started = Instant::now();
    assert!(matches!(migrator.migrate(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::Busy { .. })));
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(files(directory.path()) == before);
    assert!(*waits.lock().expect("the lock") > 0);
    let asked = CALLS.load(Ordering::SeqCst);
    assert!(asked >= 3, "each attempt asks it");
    conn.query_row("SELECT count(*) FROM books", [], |_| Ok(())).expect_err("held");
    assert_eq!(CALLS.load(Ordering::SeqCst), asked + 3, "it is still there");
    holder.execute_batch("COMMIT").expect("it lets go");
    migrator.migrate(&mut conn).expect("it migrates");
}

#[test]
fn a_transaction_or_savepoint_of_the_program_is_refused_and_stays_open() {
    let migrations = library();
    for begin in ["BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE", "SAVEPOINT mine"] {
        let mut conn = Connection::open_in_memory().expect("a database");
        conn.execute_batch(begin).expect("a transaction");
        conn.execute_batch("CREATE TABLE mine (a)").expect("a table");
        let before = settings(&conn);
        let migrator = Migrator::new(&migrations);
        assert!(
            matches!(migrator.migrate(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::InTransaction)),
            "{begin}"
        );
        assert!(
            matches!(migrator.rollback(&mut conn, Rollback::All), Err(ref error) if matches!(error.kind(), ErrorKind::InTransaction)),
            "{begin}"
        );
        assert!(
            matches!(migrator.adopt(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::InTransaction)),
            "{begin}"
        );
        assert_eq!(migrator.status(&mut conn).expect("a status reads, and no more").sets()[0].current(), None);
        assert!(!conn.is_autocommit(), "{begin}");
        assert_eq!(settings(&conn), before);
        conn.execute_batch("COMMIT").expect("it is the program's to end");
        conn.query_row("SELECT count(*) FROM mine", [], |_| Ok(())).expect("its table");
    }
}

#[test]
fn what_only_the_connection_has_is_not_taken_for_the_databases() -> Result<(), Box<dyn std::error::Error>> {
    let list = [
        Migration::new(1, "notes", "CREATE TABLE notes (body TEXT)"),
        Migration::new(2, "color", "ALTER TABLE notes ADD COLUMN color"),
    ];
    for own in
        ["CREATE TEMP TABLE notes (body TEXT)", "CREATE TEMP VIEW names AS SELECT 1", "CREATE TEMP TABLE x AS SELECT 1"]
    {
        let mut conn = Connection::open_in_memory()?;
        Migrations::new("app", "migrations", &list[..1]).migrate(&mut conn)?;
        conn.execute_batch(own)?;
        let migrations = Migrations::new("app", "migrations", &list);
        let error = migrations.migrate(&mut conn).expect_err(own);
        assert!(matches!(error.kind(), ErrorKind::Temporary { names, .. } if names.len() == 1), "{error}");
        let count = "SELECT count(*) FROM pragma_table_info('notes', 'main')";
        let columns: i64 = conn.query_row(count, [], |row| row.get(0))?;
        assert_eq!(columns, 1, "{own}");
        Migrations::new("app", "migrations", &list[..1]).migrate(&mut conn)?;
    }
    Ok(())
}

/// Without a journal, nothing that failed could be undone, and a kill would leave a damaged file.
#[test]
fn a_connection_without_a_journal_has_one_while_it_migrates() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.db");
    let mode = |conn: &Connection| conn.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
    let journal = path.with_file_name("app.db-journal");
    let list = [
        Migration::new(1, "notes", "CREATE TABLE notes (body TEXT); INSERT INTO notes VALUES ('a')"),
        Migration::new(2, "wrong", "DELETE FROM notes; INSERT INTO note VALUES ('b')"),
    ];
    let migrations = Migrations::new("app", "migrations", &list);
    for (is_file, own) in [(true, "off"), (true, "memory"), (false, "off")] {
        let _ = std::fs::remove_file(&path);
        let mut conn = if is_file { Connection::open(&path) } else { Connection::open_in_memory() }.expect("one");
        conn.query_row(&format!("PRAGMA journal_mode = {own}"), [], |_| Ok(())).expect("a mode");
        let is_seen = AtomicBool::new(false);
        let look = |event: &Event<'_>| {
            if matches!(event, Event::Statement { number: 2, .. }) {
                is_seen.store(journal.exists(), Ordering::SeqCst);
            }
        };
        Migrator::new(&migrations).up_to(1).migrate(&mut conn).expect("it migrates");
        Migrator::new(&migrations).on_event(look).migrate(&mut conn).expect_err("it fails");
        assert_eq!(is_seen.load(Ordering::SeqCst), is_file, "{own}");
        let notes: i64 = conn.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).expect("it is undone");
        assert_eq!((notes, mode(&conn).expect("a mode").as_str()), (1, own));
    }
}

#[test]
fn a_setting_that_cannot_be_put_back_is_told_with_what_was_committed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut conn = Connection::open(directory.path().join("app.db")).expect("a database");
    conn.query_row("PRAGMA journal_mode = OFF", [], |_| Ok(())).expect("a mode");
    let _ = conn.authorizer(Some(|context: AuthContext<'_>| match context.action {
        AuthAction::Pragma { pragma_name: "journal_mode", pragma_value: Some("OFF") } => Authorization::Deny,
        _ => Authorization::Allow,
    }));
    let list = [Migration::new(1, "notes", "CREATE TABLE notes (body TEXT)").with_down("DROP TABLE notes")];
    let migrations = Migrations::new("app", "migrations", &list);
    let told = |error: molos::Error| {
        let line = error.to_string();
        assert!(line.starts_with("putting back the settings of the connection failed"), "{line}");
        error.completed().map(|report| report.steps().len())
    };
    assert_eq!(told(migrations.migrate(&mut conn).expect_err("it cannot be put back")), Some(1));
    let none = Migrations::new("app", "migrations", &[]);
    conn.query_row("PRAGMA journal_mode = MEMORY", [], |_| Ok(())).expect("a mode");
    let _ = conn.authorizer(Some(|context: AuthContext<'_>| match context.action {
        AuthAction::Pragma { pragma_name: "journal_mode", pragma_value: Some("MEMORY") } => Authorization::Deny,
        _ => Authorization::Allow,
    }));
    assert_eq!(told(Migrator::new(&none).downgrade(&mut conn).expect_err("it cannot be put back")), Some(1));
}
