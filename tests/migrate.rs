//! The runtime, end to end, on databases of every kind of past.

mod common;

use std::error::Error as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use molos::rusqlite::config::DbConfig::{SQLITE_DBCONFIG_ENABLE_FKEY, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE};
use molos::rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use molos::rusqlite::{self, Connection};
use molos::{
    Checksum, Direction, Error, ErrorKind, Event, ForeignKeys, HistoryProblem, Migration, Migrations, Migrator,
    Rollback, State, Transactions,
};

use common::{count, memory, tables};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

const NOTES: Migration<'static> = step(1, "notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);");
const TAGS: Migration<'static> = step(2, "tags", "CREATE TABLE tags (name TEXT NOT NULL UNIQUE);");

mod irreversible {
    molos::embed_migrations!("tests/fixtures/irreversible");
}

mod notes_with_on {
    molos::embed_migrations!("tests/fixtures/foreign_keys_on");
}

/// A step whose checksum is the one of its version, whatever its SQL is.
const fn step(version: u8, name: &'static str, up: &'static str) -> Migration<'static> {
    let script = molos::__private::Script { sql: up, line: 1, keys: molos::ForeignKeys::Off, no_transaction: false };
    let checksum = molos::Checksum::from_bytes([version; 32]);
    Migration::of_file(version as i64, name, name, checksum, script, None)
}

fn app<'m>(list: &'m [Migration<'m>]) -> Migrations<'m> {
    Migrations::new("app", "migrations", list)
}

fn current(migrator: &Migrator<'_>, conn: &mut Connection) -> Option<i64> {
    migrator.status(conn).expect("a status").sets()[0].current()
}

#[test]
fn steps_are_applied_in_order_and_only_once() -> Result {
    let list = [
        NOTES,
        step(2, "title", "ALTER TABLE notes ADD COLUMN title TEXT;"),
        step(10, "index", "CREATE INDEX notes_title ON notes (title);"),
    ];
    let mut conn = memory();
    let report = app(&list[..2]).migrate(&mut conn)?;
    assert_eq!(report.steps().iter().map(|step| step.version).collect::<Vec<_>>(), [1, 2]);
    let report = app(&list).migrate(&mut conn)?;
    assert_eq!(report.steps().iter().map(|step| step.version).collect::<Vec<_>>(), [10]);
    assert_eq!(app(&list).migrate(&mut conn)?.to_string(), "up to date");
    Ok(())
}

#[test]
fn a_start_with_nothing_to_do_writes_nothing() -> Result {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    let list = [NOTES, TAGS];
    app(&list).migrate(&mut Connection::open(&path)?)?;
    let before = std::fs::read(&path)?;
    let mut permissions = std::fs::metadata(&path)?.permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions)?;
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    app(&list).migrate(&mut Connection::open_with_flags(&path, flags)?)?;
    assert_eq!(std::fs::read(&path)?, before);
    Ok(())
}

#[test]
fn a_step_that_fails_leaves_nothing_of_any_step() -> Result {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    let mut conn = Connection::open(&path)?;
    app(&[NOTES]).migrate(&mut conn)?;
    let before = std::fs::read(&path)?;
    let list =
        [NOTES, TAGS, step(3, "more", "CREATE TABLE more (a);\n\n  INSERT INTO tags (name)\n  VALUES ('a'), ('a');")];
    let error = app(&list).migrate(&mut conn).expect_err("a duplicate");
    assert_eq!(
        format!("{error:#}"),
        "migration 3 (more) failed: UNIQUE constraint failed: tags.name\n  \
         --> migrations/more:3:3\n   | INSERT INTO tags (name)\n\
         help: what this call had not committed is undone; correct the migration and run again"
    );
    let driver_error = error.source().and_then(std::error::Error::source);
    assert!(driver_error.and_then(|error| error.downcast_ref::<rusqlite::Error>()).is_some());
    assert_eq!(tables(&conn), ["notes"]);
    assert_eq!(std::fs::read(&path)?, before);
    Ok(())
}

#[test]
fn with_a_transaction_each_the_steps_before_the_failure_stay() {
    let list =
        [NOTES, TAGS, step(3, "bad", "INSERT INTO nowhere VALUES (1);"), step(4, "late", "CREATE TABLE late (a);")];
    let mut conn = memory();
    let migrations = app(&list);
    let migrator = Migrator::new(&migrations).transactions(Transactions::PerMigration);
    let error = migrator.migrate(&mut conn).expect_err("a bad step");
    assert!(
        matches!(error.kind(), ErrorKind::Statement { .. }) && error.step().is_some_and(|step| step.version == 3),
        "{error}"
    );
    let completed = error.completed().expect("what was committed");
    assert_eq!(completed.steps().iter().map(|step| step.version).collect::<Vec<_>>(), [1, 2]);
    assert!(format!("{error:#}").contains("\nbefore that, this call applied 2 migrations\n  1 notes  "), "{error:#}");
    assert_eq!(tables(&conn), ["notes", "tags"]);
    assert_eq!(current(&migrator, &mut conn), Some(2));
    let again = migrator.migrate(&mut conn).expect_err("a bad step");
    assert!(again.completed().is_none(), "nothing was committed this time");
}

#[test]
fn a_rebuild_of_a_parent_table_keeps_every_child_row() -> Result {
    let directory = tempfile::tempdir()?;
    let list = [
        step(
            1,
            "initial",
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT);
             CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE);
             CREATE TABLE likes (user_id INTEGER REFERENCES users (id) ON DELETE SET NULL);",
        ),
        step(
            2,
            "email_not_null",
            "PRAGMA foreign_keys=OFF;--> statement-breakpoint
             CREATE TABLE `__new_users` (`id` integer PRIMARY KEY, `email` text NOT NULL);--> statement-breakpoint
             INSERT INTO `__new_users`(\"id\", \"email\") SELECT \"id\", \"email\" FROM `users`;--> statement-breakpoint
             DROP TABLE `users`;--> statement-breakpoint
             ALTER TABLE `__new_users` RENAME TO `users`;--> statement-breakpoint
             PRAGMA foreign_keys=ON;",
        ),
    ];
    for (name, enforced) in [("on.db", true), ("off.db", false)] {
        let mut conn = Connection::open(directory.path().join(name))?;
        conn.set_db_config(SQLITE_DBCONFIG_ENABLE_FKEY, enforced)?;
        app(&list[..1]).migrate(&mut conn)?;
        conn.execute_batch(
            "INSERT INTO users VALUES (1, 'a'), (2, 'b');
             INSERT INTO posts VALUES (1, 1), (2, 1), (3, 2);
             INSERT INTO likes VALUES (1), (2);",
        )?;
        app(&list).migrate(&mut conn)?;
        assert_eq!((count(&conn, "users"), count(&conn, "posts")), (2, 3));
        assert_eq!(count(&conn, "likes WHERE user_id IS NOT NULL"), 2);
        assert_eq!(conn.db_config(SQLITE_DBCONFIG_ENABLE_FKEY)?, enforced, "the setting is put back");
    }
    Ok(())
}

#[test]
fn a_directive_enforces_foreign_keys_for_its_step_alone() -> Result {
    // Step 1 rebuilds the parent, step 2 deletes a parent row and means it, step 3 rebuilds again: one transaction.
    let mut conn = memory();
    let migrator = || Migrator::new(&notes_with_on::MIGRATIONS);
    migrator().up_to(1).migrate(&mut conn)?;
    conn.execute_batch(
        "INSERT INTO users (id, name) VALUES (1, 'kept'), (2, 'gone');
         INSERT INTO posts (user_id) VALUES (1), (1), (2);",
    )?;
    let report = migrator().migrate(&mut conn)?;
    assert_eq!(report.steps().len(), 3);
    assert_eq!((count(&conn, "users"), count(&conn, "posts")), (1, 2));
    Ok(())
}

#[test]
fn rows_that_would_refer_to_nothing_stop_the_commit() -> Result {
    let list = [
        step(
            1,
            "initial",
            "CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE posts (user_id REFERENCES users (id));",
        ),
        step(2, "purge", "DELETE FROM users;"),
    ];
    let mut conn = memory();
    app(&list[..1]).migrate(&mut conn)?;
    conn.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO users VALUES (1); INSERT INTO posts VALUES (1), (7);")?;
    let error = app(&list).migrate(&mut conn).expect_err("a violation");
    // The row that referred to user 7 did so before, and is not counted.
    assert_eq!(
        format!("{error:#}"),
        "migration 2 (purge) would leave rows that refer to nothing: posts: 1 row refers to what is not in users\n\
         help: nothing was committed; move, change or delete these rows in the migration"
    );
    assert_eq!(count(&conn, "users"), 1);
    app(&[list[0], step(2, "tidy", "CREATE TABLE tidy (a);")]).migrate(&mut conn)?;
    Ok(())
}

#[test]
fn the_connection_is_given_back_as_it_was() -> Result {
    let list = [
        step(1, "initial", "PRAGMA legacy_alter_table = ON; CREATE TABLE a (b);"),
        step(2, "bad", "PRAGMA legacy_alter_table = ON; SELECT nothing;"),
    ];
    for list in [&list[..1], &list] {
        let mut conn = memory();
        conn.busy_timeout(Duration::from_millis(1234))?;
        conn.set_db_config(SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
        let _ = app(list).migrate(&mut conn);
        let timeout: i64 = conn.query_row("PRAGMA busy_timeout", [], |row| row.get(0))?;
        assert_eq!(timeout, 1234);
        assert!(conn.db_config(SQLITE_DBCONFIG_ENABLE_FKEY)?);
        assert!(!conn.db_config(SQLITE_DBCONFIG_LEGACY_ALTER_TABLE)?);
        assert!(conn.is_autocommit());
    }
    Ok(())
}

#[test]
fn a_panic_in_the_programs_own_code_leaves_no_transaction_open() {
    let list = [NOTES];
    let migrations = app(&list);
    let mut conn = memory();
    let migrator = Migrator::new(&migrations).on_event(|event| assert!(!matches!(event, Event::Finished { .. })));
    let call = std::panic::AssertUnwindSafe(|| migrator.migrate(&mut conn));
    assert!(std::panic::catch_unwind(call).is_err());
    assert!(conn.is_autocommit());
    assert_eq!(tables(&conn), [""; 0]);
}

#[test]
fn a_connection_inside_of_a_transaction_is_refused() -> Result {
    let list = [NOTES];
    let mut conn = memory();
    conn.execute_batch("BEGIN")?;
    assert!(
        matches!(app(&list).migrate(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::InTransaction))
    );
    assert!(!conn.is_autocommit(), "it is the program's transaction, and still open");
    Ok(())
}

#[test]
fn a_step_that_ends_the_transaction_is_found_out() {
    let list = [step(1, "sneaky", "CREATE TABLE a (b);\nCOMMIT;\nCREATE TABLE c (d);")];
    let mut conn = memory();
    let error = app(&list).migrate(&mut conn).expect_err("a commit");
    assert!(
        matches!(error.kind(), ErrorKind::TransactionEnded)
            && error.location().is_some_and(|location| location.line == 2),
        "{error}"
    );
    assert_eq!(tables(&conn), ["a"], "nothing is run after it");
}

#[test]
fn histories_that_disagree_are_refused_before_anything_runs() -> Result {
    let mut conn = memory();
    app(&[NOTES, TAGS]).migrate(&mut conn)?;
    let more = step(3, "more", "CREATE TABLE more (a);");
    let mut refused = |list: &[Migration<'static>]| {
        let error = format!("{:#}", app(list).migrate(&mut conn).expect_err("a refusal"));
        assert_eq!(tables(&conn), ["notes", "tags"]);
        error
    };
    let edited = Migration::new(2, "tags", "CREATE TABLE tags (name TEXT);");
    let message = refused(&[NOTES, edited, more]);
    assert!(
        message.starts_with("migration 2 (tags) was edited after it was applied: its checksum was 0202"),
        "{message}"
    );
    assert_eq!(
        refused(&[NOTES]),
        "the database is newer than this program: migration 2 (tags) was applied, and the last one this program has is 1\n\
         help: run the newer program, restore the database that belongs to this one, or roll it back with \
         `Migrator::downgrade`, which loses what the newer program has put into tables and columns that this one does not have"
    );
    assert_eq!(
        refused(&[TAGS, more]),
        "migration 1 (notes) was applied to this database, and this program does not have it\n\
         help: a file was removed or renumbered, or the database belongs to another branch; put the file back"
    );
    assert_eq!(
        refused(&[step(0, "zero", "SELECT 1;"), NOTES, TAGS]),
        "migration 0 (zero) is not applied, though 2 after it is\n\
         help: give it a version after the last, or allow this with `.allow_out_of_order(true)`"
    );
    assert_eq!(
        refused(&[NOTES, step(2, "labels", "CREATE TABLE tags (name TEXT NOT NULL UNIQUE);"), more]),
        "migration 2 (labels) was applied to this database as \"tags\"\n\
         help: rename the file back; if these are two different migrations, give the new one a new version"
    );
    Ok(())
}

#[test]
fn a_step_that_was_left_out_is_applied_when_that_is_allowed() -> Result {
    let late = step(0, "late", "CREATE TABLE late (a);");
    let mut conn = memory();
    app(&[NOTES, TAGS]).migrate(&mut conn)?;
    let list = [late, NOTES, TAGS];
    let migrations = app(&list);
    let migrator = Migrator::new(&migrations).allow_out_of_order(true);
    assert_eq!(migrator.status(&mut conn)?.steps().next().map(|step| step.state), Some(State::OutOfOrder));
    assert_eq!(migrator.migrate(&mut conn)?.steps()[0].version, 0);
    migrator.verify(&mut conn)?;
    Ok(())
}

#[test]
fn what_was_rolled_back_can_be_applied_again() -> Result {
    let list = [
        NOTES.with_down("DROP TABLE notes;"),
        TAGS.with_down("DROP TABLE tags;"),
        step(3, "links", "CREATE TABLE links (url TEXT);").with_down("DROP TABLE links;"),
    ];
    for transaction in [Transactions::Single, Transactions::PerMigration] {
        let mut conn = memory();
        let migrations = app(&list);
        let migrator = Migrator::new(&migrations).transactions(transaction);
        migrator.migrate(&mut conn)?;
        let report = migrator.rollback(&mut conn, Rollback::Steps(2))?;
        assert_eq!(report.steps().iter().map(|step| step.version).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(tables(&conn), ["notes"]);
        migrator.migrate(&mut conn)?;
        assert_eq!(tables(&conn), ["links", "notes", "tags"]);
        migrator.rollback(&mut conn, Rollback::All)?;
        assert_eq!(tables(&conn), [""; 0]);
        assert_eq!(migrator.rollback(&mut conn, Rollback::All)?.to_string(), "nothing to roll back");
    }
    Ok(())
}

#[test]
fn a_rollback_that_fails_changes_nothing() -> Result {
    let list = [
        NOTES.with_down("DROP TABLE notes;"),
        step(2, "posts", "CREATE TABLE posts (note INTEGER REFERENCES notes (id));").with_down("DROP TABLE post;"),
    ];
    let mut conn = memory();
    let migrations = app(&list);
    let migrator = Migrator::new(&migrations);
    migrator.migrate(&mut conn)?;
    let error = format!("{:#}", migrator.rollback(&mut conn, Rollback::All).expect_err("a bad down"));
    assert!(
        error.starts_with(
            "migration 2 (posts) failed to roll back: no such table: post\n  --> migrations/posts.down.sql:1:1"
        ),
        "{error}"
    );
    assert_eq!(tables(&conn), ["notes", "posts"]);
    assert_eq!(current(&migrator, &mut conn), Some(2));
    Ok(())
}

#[test]
fn plans_and_statuses_read_well_and_change_nothing() -> Result {
    let list = [NOTES.with_down("DROP TABLE notes;"), TAGS];
    let migrations = app(&list);
    let migrator = Migrator::new(&migrations);
    let mut conn = memory();
    assert_eq!(
        format!("{:#}", migrator.plan(&mut conn)?),
        "would apply 2 migrations\n  \
         1 notes  migrations/notes\n    CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);\n  \
         2 tags  migrations/tags\n    CREATE TABLE tags (name TEXT NOT NULL UNIQUE);"
    );
    assert_eq!(migrator.status(&mut conn)?.to_string(), "1 notes  pending\n2 tags   pending");
    assert_eq!(count(&conn, "sqlite_schema"), 0);

    Migrator::new(&migrations).up_to(1).migrate(&mut conn)?;
    conn.execute("UPDATE _molos_migrations SET applied_at = 1795484040, duration_us = 1234", [])?;
    assert_eq!(
        migrator.status(&mut conn)?.to_string(),
        "1 notes  applied       2026-11-24T01:34:00Z  1.2 ms\n2 tags   pending"
    );
    assert_eq!(
        migrator.plan_rollback(&mut conn, Rollback::Steps(1))?.to_string(),
        "would roll back 1 migration\n  1 notes  migrations/notes.down.sql"
    );
    assert!(matches!(migrator.verify(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::Pending { .. })));
    assert_eq!(Migrator::new(&migrations).up_to(1).plan(&mut conn)?.to_string(), "nothing to do");
    Ok(())
}

#[test]
fn events_tell_what_happens() -> Result {
    let list = [NOTES, TAGS];
    let migrations = app(&list);
    let seen = Mutex::new(Vec::new());
    let migrator = Migrator::new(&migrations).on_event(|event| {
        seen.lock().expect("the lock").push(match event {
            Event::Started { step, .. } => format!("started {}", step.name),
            Event::Finished { step, .. } => format!("finished {}", step.name),
            Event::Statement { number, count, .. } => format!("statement {number}/{count}"),
            other => format!("{other:?}"),
        });
    });
    migrator.migrate(&mut memory())?;
    let expected = [
        "started notes",
        "statement 1/1",
        "finished notes",
        "started tags",
        "statement 1/1",
        "finished tags",
        "Committed",
    ];
    assert_eq!(*seen.lock().expect("the lock"), expected);
    Ok(())
}

#[test]
fn another_process_may_finish_while_this_one_looks_for_the_history() -> Result {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    let mut conn = Connection::open(&path)?;
    let other = path.clone();
    let is_done = AtomicBool::new(false);
    // The look at the schema table is the second; the one at the history has found nothing.
    let migrate_in_between = move |context: AuthContext<'_>| {
        if matches!(context.action, AuthAction::Read { table_name: "sqlite_master" | "sqlite_schema", .. })
            && !is_done.swap(true, Ordering::Relaxed)
        {
            let mut conn = Connection::open(&other).expect("the database");
            app(&[NOTES, TAGS]).migrate(&mut conn).expect("the other process");
        }
        Authorization::Allow
    };
    let _ = conn.authorizer(Some(migrate_in_between));
    assert_eq!(app(&[NOTES, TAGS]).migrate(&mut conn)?.to_string(), "up to date");
    Ok(())
}

#[test]
fn what_another_process_migrates_during_a_verification_is_not_drift() -> Result {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    let list = [NOTES, TAGS];
    app(&list[..1]).migrate(&mut Connection::open(&path)?)?;
    let mut conn = Connection::open(&path)?;
    let is_done = AtomicBool::new(false);
    let migrate_in_between = move |context: AuthContext<'_>| {
        // The history has been read, and the schema is about to be.
        if matches!(context.action, AuthAction::Read { table_name: "sqlite_master" | "sqlite_schema", .. })
            && !is_done.swap(true, Ordering::Relaxed)
        {
            let mut conn = Connection::open(&path).expect("the database");
            app(&[NOTES, TAGS]).migrate(&mut conn).expect("the other process");
        }
        Authorization::Allow
    };
    let _ = conn.authorizer(Some(migrate_in_between));
    let error = Migrator::new(&app(&list[..1])).verify(&mut conn).expect_err("it is newer now");
    assert!(matches!(error.kind(), ErrorKind::Newer { .. }), "{error}");
    Ok(())
}

#[test]
fn a_database_that_is_held_is_waited_for_and_then_given_up() -> Result {
    let directory = tempfile::tempdir()?;
    for mode in ["delete", "wal"] {
        let path = directory.path().join(mode);
        let holder = Connection::open(&path)?;
        holder.pragma_update(None, "journal_mode", mode)?;
        holder.execute_batch("CREATE TABLE held (a); BEGIN IMMEDIATE; INSERT INTO held VALUES (1);")?;

        let list = [NOTES];
        let migrations = app(&list);
        let waited = Mutex::new(0);
        let migrator = Migrator::new(&migrations).busy_timeout(Duration::from_millis(200)).on_event(|event| {
            *waited.lock().expect("the lock") += usize::from(matches!(event, Event::Waiting { .. }));
        });
        let mut conn = Connection::open(&path)?;
        let started = Instant::now();
        let error = migrator.migrate(&mut conn).expect_err("the database is held");
        assert!(matches!(error.kind(), ErrorKind::Busy { .. }), "{error}");
        assert!(started.elapsed() >= Duration::from_millis(200));
        assert!(*waited.lock().expect("the lock") > 1, "it says that it waits");

        holder.execute_batch("COMMIT")?;
        migrator.migrate(&mut conn)?;
    }
    Ok(())
}

#[test]
fn the_wait_for_a_database_that_cannot_even_be_read_is_molos_own() -> Result {
    type Verb<'v> = Box<dyn Fn(&mut Connection) -> Option<Error> + 'v>;

    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    let list = [NOTES, TAGS];
    app(&list[..1]).migrate(&mut Connection::open(&path)?)?;
    let holder = Connection::open(&path)?;
    holder.execute_batch("BEGIN EXCLUSIVE")?;

    let migrations = app(&list);
    let waited = Mutex::new(0);
    let migrator = Migrator::new(&migrations).busy_timeout(Duration::from_millis(200)).on_event(|event| {
        *waited.lock().expect("the lock") += usize::from(matches!(event, Event::Waiting { .. }));
    });
    let mut conn = Connection::open(&path)?;
    conn.busy_timeout(Duration::from_secs(20))?;
    let verbs: [Verb<'_>; 5] = [
        Box::new(|conn| migrator.migrate(conn).err()),
        Box::new(|conn| migrator.rollback(conn, Rollback::All).err()),
        Box::new(|conn| migrator.status(conn).err()),
        Box::new(|conn| migrator.verify(conn).err()),
        Box::new(|conn| migrator.adopt(conn).err()),
    ];
    for verb in &verbs {
        *waited.lock().expect("the lock") = 0;
        let started = Instant::now();
        let error = verb(&mut conn).expect("the database is held");
        assert!(matches!(error.kind(), ErrorKind::Busy { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10), "it is not the wait of the connection");
        assert!(*waited.lock().expect("the lock") > 1, "it says that it waits");
        let timeout: i64 = conn.query_row("PRAGMA busy_timeout", [], |row| row.get(0))?;
        assert_eq!(timeout, 20_000, "that is put back");
    }
    holder.execute_batch("COMMIT")?;
    assert_eq!(migrator.migrate(&mut conn)?.steps().len(), 1);
    Ok(())
}

#[test]
fn a_reader_holds_up_the_commit_and_not_for_ever() -> Result {
    // With a rollback journal, a commit needs every reader to be gone: https://sqlite.org/lockingv3.html
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    let list = [NOTES, TAGS];
    app(&list[..1]).migrate(&mut Connection::open(&path)?)?;
    let reader = Connection::open(&path)?;
    let mut statement = reader.prepare("SELECT name FROM sqlite_schema")?;
    let mut rows = statement.query([])?;
    rows.next()?;

    let migrations = app(&list);
    let events = Mutex::new(Vec::new());
    let migrator = Migrator::new(&migrations).busy_timeout(Duration::from_millis(100)).on_event(|event| {
        events.lock().expect("the lock").push(format!("{event:?}"));
    });
    let mut conn = Connection::open(&path)?;
    let before = std::fs::read(&path)?;
    assert!(matches!(migrator.migrate(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::Busy { .. })));
    assert_eq!(std::fs::read(&path)?, before);
    let seen = std::mem::take(&mut *events.lock().expect("the lock"));
    let is_waiting = |event: &&String| event.starts_with("Waiting");
    assert!(seen.iter().rev().skip(1).take_while(is_waiting).count() > 1, "it says that it waits: {seen:?}");
    assert_eq!(seen.last().map(String::as_str), Some("RolledBack"));
    drop(rows);
    drop(statement);
    assert_eq!(migrator.migrate(&mut conn)?.steps().len(), 1);
    Ok(())
}

#[test]
fn a_damaged_history_is_named_and_never_guessed_at() -> Result {
    let list = [NOTES];
    let cases = [
        ("CREATE TABLE _molos_migrations (id INTEGER)", "no such column: version"),
        ("CREATE VIEW _molos_migrations AS SELECT 1 AS version", "no such column: name"),
        ("1, NULL, 'x', 0, 0", "name is Null"),
        ("1, 'notes', 'x', 0, 0", "the checksum of version 1 is \"x\": a checksum is 64 hexadecimal digits"),
        ("'one', 'notes', 'x', 0, 0", "version is Text"),
        ("1, x'ff', 'x', 0, 0", "name is Blob"),
        ("1, CAST(x'ff' AS TEXT), 'x', 0, 0", "name is not UTF-8"),
        ("1, 'notes', printf('%064d', 0), 1e300, 0", "applied_at is Real"),
        ("1, 'notes', printf('%064d', 0), 0, -1", "the duration of version 1 is negative"),
    ];
    for (damage, problem) in cases {
        let mut conn = memory();
        if damage.starts_with("CREATE") {
            conn.execute_batch(damage)?;
        } else {
            conn.execute_batch(&format!(
                "CREATE TABLE _molos_migrations (set_name, version, name, checksum, applied_at, duration_us, down, format);
                 INSERT INTO _molos_migrations VALUES ('app', {damage}, NULL, 1);"
            ))?;
        }
        for result in [app(&list).migrate(&mut conn).map(drop), Migrator::new(&app(&list)).status(&mut conn).map(drop)]
        {
            let error = result.expect_err(damage);
            match error.kind() {
                ErrorKind::History(HistoryProblem::Damaged(found)) => assert_eq!(found, problem, "{damage}"),
                _ => panic!("{damage}: {error:#}"),
            }
        }
        assert_eq!(tables(&conn), [""; 0]);
    }
    Ok(())
}

#[test]
fn sets_share_a_database_and_not_a_history() -> Result {
    let tasks = [step(1, "tasks", "CREATE TABLE tasks (a);").with_down("DROP TABLE tasks;")];
    let tasks = Migrations::new("tasks", "migrations", &tasks);
    let list = [NOTES];
    let mut conn = memory();
    app(&list).migrate(&mut conn)?;
    tasks.migrate(&mut conn)?;
    Migrator::new(&tasks).rollback(&mut conn, Rollback::All)?;
    assert_eq!(tables(&conn), ["notes"]);
    Migrator::new(&app(&list)).verify(&mut conn)?;
    Ok(())
}

#[test]
fn verify_finds_rows_that_refer_to_nothing() -> Result {
    let list = [step(1, "a", "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id));")];
    let mut conn = memory();
    app(&list).migrate(&mut conn)?;
    conn.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO b VALUES (1), (2);")?;
    let error = format!("{:#}", Migrator::new(&app(&list)).verify(&mut conn).expect_err("a violation"));
    assert!(error.starts_with("rows refer to nothing: b: 2 rows refer to what is not in a"), "{error}");
    Ok(())
}

#[test]
fn a_database_that_cannot_be_written_says_so() -> Result {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    Connection::open(&path)?.execute_batch("CREATE TABLE a (b)")?;
    let mut conn = Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let error = format!("{:#}", app(&[NOTES]).migrate(&mut conn).expect_err("read-only"));
    assert_eq!(
        error,
        "the database is read-only; creating the history table failed: attempt to write a readonly database\n\
         help: open it for writing; of a database in a file, make the file, what is beside it, and the directory writable \
         for this user"
    );
    Ok(())
}

#[test]
fn what_is_irreversible_says_why_and_nothing_is_rolled_back() {
    let mut conn = memory();
    let roll_back = |conn: &mut Connection, version| {
        Migrator::new(&irreversible::MIGRATIONS).up_to(version).migrate(conn).expect("it is applied");
        let error = Migrator::new(&irreversible::MIGRATIONS).rollback(conn, Rollback::Steps(1));
        format!("{:#}", error.expect_err("irreversible"))
    };
    assert_eq!(
        roll_back(&mut conn, 2),
        "migration 2 (hashed) cannot be rolled back: it is irreversible, its file says: \
         what is hashed cannot be read any more\n\
         help: only a backup from before it has what it removed"
    );
    assert_eq!(
        roll_back(&mut conn, 3),
        "migration 3 (salted) cannot be rolled back: its file says that it is irreversible\n\
         help: only a backup from before it has what it removed"
    );
    assert_eq!(current(&Migrator::new(&irreversible::MIGRATIONS), &mut conn), Some(3));
}

#[test]
fn the_history_of_an_attached_database_or_a_temporary_table_is_not_this_ones() -> Result {
    let directory = tempfile::tempdir()?;
    let other = directory.path().join("other.db");
    app(&[NOTES, TAGS]).migrate(&mut Connection::open(&other)?)?;
    let mut conn = memory();
    conn.execute("ATTACH ?1 AS other", [other.to_str()])?;
    assert_eq!(app(&[NOTES]).migrate(&mut conn)?.steps().len(), 1);
    conn.execute_batch("CREATE TEMP TABLE _molos_migrations (a)")?;
    assert_eq!(app(&[NOTES]).migrate(&mut conn)?.to_string(), "up to date");
    assert_eq!(tables(&conn), ["notes"]);
    assert_eq!(Migrator::new(&app(&[NOTES])).rollback(&mut conn, Rollback::Steps(0))?.steps().len(), 0);
    assert_eq!(app(&[NOTES, TAGS]).migrate(&mut Connection::open(&other)?)?.to_string(), "up to date");
    Migrator::new(&app(&[NOTES])).verify(&mut conn)?;
    Ok(())
}

#[test]
fn an_older_engine_that_does_not_understand_a_migration_is_told_before_anything_runs() {
    const FUTURE: i32 = 9_001_002;
    let steps = [
        Migration::new(1, "notes", "CREATE TABLE notes (body TEXT)"),
        Migration::new(2, "future", "CREATE TABLE tags (tag TEXT);\nCREATE FUTURE INDEX tags_tag ON tags (tag)"),
    ];
    let migrations = Migrations::new("app", "migrations", &steps).checked_on(FUTURE);
    let mut conn = Connection::open_in_memory().expect("a database");
    let error = migrations.migrate(&mut conn).expect_err("it is too old");
    let running = molos::rusqlite::version();
    assert_eq!(
        format!("{error:#}"),
        format!(
            "migration 2 (future) cannot be run by this SQLite, {running}; it was checked on 9.1.2: near \"FUTURE\": syntax \
             error\n  --> migrations/future:2:8\n   | CREATE FUTURE INDEX tags_tag ON tags (tag)\n\
             help: nothing was run; link a newer SQLite, or build with the feature `bundled`"
        )
    );
    assert_eq!(tables(&conn), [""; 0]);

    let own = [Migration::new(1, "own", "CREATE TABLE notes (body TEXT); INSERT INTO notes VALUES (own_function())")];
    let known = Migrations::new("app", "migrations", &own).checked_on(FUTURE);
    let flags = rusqlite::functions::FunctionFlags::SQLITE_UTF8;
    conn.create_scalar_function("own_function", 0, flags, |_| Ok(7)).expect("a function");
    known.migrate(&mut conn).expect("what a function of the program's needs is not known before");
}

const TAGS_TABLE: &str = "CREATE TABLE tags (name TEXT)";

#[test]
fn migrations_made_at_run_time_are_validated_up_and_down_and_up_again() {
    let list = |down, again| {
        [
            Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)").with_down("DROP TABLE notes"),
            Migration::new(2, "tags", again).with_down(down),
        ]
    };
    let validate = |down, up| Migrations::new("app", "migrations", &list(down, up)).validate();
    validate("DROP TABLE tags", TAGS_TABLE).expect("they are right");
    assert!(
        matches!(validate("DROP TABLE tags", "CREATE TABLE tags"), Err(ref error) if matches!(error.kind(), ErrorKind::Statement { .. }))
    );
    assert!(
        matches!(validate("DROP TABLE tag", TAGS_TABLE), Err(ref error) if matches!(error.kind(), ErrorKind::Statement { direction: Direction::Down, .. }))
    );
    let error =
        validate("DELETE FROM tags", "CREATE TABLE IF NOT EXISTS tags (name TEXT)").expect_err("it leads elsewhere");
    assert!(
        matches!(error.kind(), ErrorKind::Drift { .. }) && error.step().is_some_and(|step| step.version == 2),
        "{error}"
    );
    let error = validate("DROP TABLE tags; CREATE TABLE tag (a); DROP TABLE tag; PRAGMA user_version = 1", TAGS_TABLE);
    error.expect("the schema is the same");
}

#[test]
fn a_migration_made_at_run_time_can_say_what_a_file_can() {
    let list = [
        Migration::new(
            1,
            "shop",
            "CREATE TABLE users (id INTEGER PRIMARY KEY);
             CREATE TABLE orders (user_id REFERENCES users (id) ON DELETE CASCADE);
             INSERT INTO users VALUES (1); INSERT INTO orders VALUES (1);",
        ),
        Migration::new(2, "gone", "DELETE FROM users")
            .with_down("INSERT INTO users VALUES (1)")
            .foreign_keys(Direction::Up, ForeignKeys::On),
        Migration::new(3, "compact", "VACUUM").without_transaction(Direction::Up),
        Migration::new(4, "last", "SELECT 1").with_down("SELECT 1").irreversible("that was all"),
    ];
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory().expect("a database");
    migrations.migrate(&mut conn).expect("it migrates");
    assert_eq!(count(&conn, "orders"), 0, "the key's action ran");
    let error = Migrator::new(&migrations).rollback(&mut conn, Rollback::Steps(1)).expect_err("it is irreversible");
    let is_told =
        matches!(error.kind(), ErrorKind::Irreversible { reason: Some(reason), .. } if reason == "that was all");
    assert!(is_told, "{error}");
}

#[test]
fn a_migrator_can_be_shared_between_threads_and_kept_in_a_static() {
    static MIGRATOR: std::sync::LazyLock<Migrator<'static>> = std::sync::LazyLock::new(|| {
        static LIST: &[Migration<'static>] = &[];
        static EMPTY: Migrations<'static> = Migrations::new("app", "migrations", LIST);
        Migrator::new(&EMPTY).on_event(|event| println!("{event:?}"))
    });
    let migrate = || MIGRATOR.migrate(&mut Connection::open_in_memory().expect("a database")).expect("nothing to do");
    let report = std::thread::spawn(migrate).join().expect("no panic");
    assert_eq!(report.to_string(), "up to date");
}

/// What happens in another process between the look at the history and the lock.
fn rollback_after(meanwhile: &str, back: Rollback) -> std::result::Result<(usize, Vec<i64>), String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.db");
    let list = [
        NOTES.with_down("DROP TABLE notes"),
        TAGS.with_down("DROP TABLE tags"),
        Migration::new(3, "pins", "CREATE TABLE pins (note)").with_down("DROP TABLE pins"),
    ];
    let migrations = app(&list);
    Migrator::new(&migrations).up_to(2).migrate(&mut Connection::open(&path).expect("a database")).expect("its schema");
    let (waits, is_waiting) = std::sync::mpsc::channel();
    let other = Connection::open(&path).expect("a database");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let report = std::thread::scope(|scope| {
        let rollback = scope.spawn(|| {
            let migrator = Migrator::new(&migrations).on_event(move |event| {
                if matches!(event, Event::Waiting { .. }) {
                    let _ = waits.send(());
                }
            });
            migrator.rollback(&mut Connection::open(&path).expect("a database"), back)
        });
        is_waiting.recv().expect("it waits");
        other.execute_batch(meanwhile).expect("what happens meanwhile");
        other.execute_batch("COMMIT").expect("a commit");
        rollback.join().expect("no panic")
    });
    let status = Migrator::new(&migrations).status(&mut Connection::open(&path).expect("a database"));
    let status = status.expect("the history");
    let applied = status.steps().filter(|step| step.applied.is_some()).map(|step| step.version).collect();
    report.map(|report| (report.steps().len(), applied)).map_err(|error| format!("{error:#}"))
}

#[test]
fn a_rollback_takes_what_it_saw_and_nothing_that_came_or_went_meanwhile() {
    let rolled_back = "DROP TABLE tags; DELETE FROM _molos_migrations WHERE version = 2;";
    assert_eq!(rollback_after(rolled_back, Rollback::Steps(1)), Ok((0, vec![1])));
    assert_eq!(rollback_after(rolled_back, Rollback::Steps(2)), Ok((1, vec![])));
    assert_eq!(rollback_after(rolled_back, Rollback::All), Ok((1, vec![])));
    let pins = Checksum::of("CREATE TABLE pins (note)");
    let migrated = format!(
        "CREATE TABLE pins (note); INSERT INTO _molos_migrations SELECT set_name, 3, 'pins', '{pins}', applied_at, \
         duration_us, NULL, format FROM _molos_migrations WHERE version = 2;"
    );
    for back in [Rollback::Steps(1), Rollback::To(1), Rollback::All] {
        let error = rollback_after(&migrated, back).expect_err("it was not seen");
        assert_eq!(
            error,
            "another program has applied migration 3 of the set \"app\" meanwhile\n\
             help: look at what there is to roll back now, and call again if you still want to"
        );
    }
}

#[test]
fn of_a_plan_that_was_shown_only_what_is_in_it_is_rolled_back() {
    let list = [NOTES.with_down("DROP TABLE notes"), TAGS.with_down("DROP TABLE tags")];
    let migrations = app(&list);
    let migrator = Migrator::new(&migrations);
    let mut conn = memory();
    migrator.migrate(&mut conn).expect("it migrates");
    let back = Rollback::Steps(1);
    let plan = migrator.plan_rollback(&mut conn, back).expect("a plan");
    migrator.rollback(&mut conn, back).expect("somebody else was quicker");
    let report = migrator.rollback_planned(&mut conn, back, &plan).expect("there is nothing left of it");
    assert_eq!((report.steps().len(), tables(&conn)), (0, vec!["notes".to_owned()]));
    let plan = migrator.plan_rollback(&mut conn, back).expect("a plan");
    migrator.migrate(&mut conn).expect("somebody else has migrated");
    let error = migrator.rollback_planned(&mut conn, back, &plan).expect_err("tags was not shown");
    assert!(error.to_string().contains("has applied migration 2"), "{error}");
    assert_eq!(tables(&conn).len(), 2);
}

#[test]
fn a_nul_in_a_migration_does_not_hide_what_comes_after_it() {
    let scripts = [
        "CREATE TABLE a (x);\0CREATE TABLE b (x);",
        "CREATE TABLE a (x) \0; CREATE TABLE b (x)",
        "CREATE TABLE a (x); INSERT INTO a VALUES ('1\0', 2)",
        "CREATE TABLE a (x); /* a */ CREATE TABLE b /* \0 */ (x)",
    ];
    for up in scripts {
        let list = [Migration::new(1, "notes", up)];
        let mut conn = memory();
        let error = app(&list).migrate(&mut conn).expect_err("it is not run");
        assert!(matches!(error.kind(), ErrorKind::Statement { .. }), "{error}");
        let column = 1 + up.find('\0').expect("a NUL");
        assert_eq!(error.location().map(|place| place.column), Some(column));
        assert!(format!("{error:#}").contains("there is a NUL character in it"), "{error:#}");
        assert_eq!(tables(&conn), Vec::<String>::new());
    }
    let list = [Migration::new(1, "notes", "CREATE TABLE a (x); -- \0\nCREATE TABLE b (x)")];
    app(&list).migrate(&mut memory()).expect("a comment between statements is not read");
}

#[test]
fn a_list_out_of_order_is_refused_by_every_call() {
    let list = [TAGS, NOTES];
    let mut conn = memory();
    app(&[NOTES, TAGS]).migrate(&mut conn).expect("it migrates");
    let migrations = app(&list);
    let migrator = Migrator::new(&migrations);
    let errors = [
        migrator.status(&mut conn).err(),
        migrator.plan(&mut conn).err(),
        migrator.migrate(&mut conn).err(),
        migrator.adopt(&mut conn).err(),
        migrator.verify(&mut conn).err(),
        migrator.downgrade(&mut conn).err(),
    ];
    for error in errors {
        assert_eq!(error.expect("it is refused").to_string(), "migration 1 (notes) does not come after version 2");
    }
}
