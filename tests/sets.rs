//! Several sets in one database: applied together, rolled back alone.

mod common;

use std::sync::Mutex;

use molos::__private::Base;
use molos::rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use molos::rusqlite::{Connection, OpenFlags};
use molos::{Checksum, Error, ErrorKind, Event, Migration, Migrations, Migrator, Rollback, SetsProblem, Transactions};

use common::{memory, tables};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

const USERS: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);";
const TASKS: &str = "CREATE TABLE tasks_items (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES users (id));";
/// Works only where there are users.
const OWNERS: &str = "CREATE TABLE tasks_owners AS SELECT id FROM users;";

fn core_steps() -> [Migration<'static>; 2] {
    [
        Migration::new(1, "users", USERS).with_down("DROP TABLE users;"),
        Migration::new(2, "settings", "CREATE TABLE settings (key TEXT NOT NULL);").with_down("DROP TABLE settings;"),
    ]
}

fn tasks_steps() -> [Migration<'static>; 2] {
    [
        Migration::new(1, "items", TASKS).with_down("DROP TABLE tasks_items;"),
        Migration::new(2, "owners", OWNERS).with_down("DROP TABLE tasks_owners;"),
    ]
}

/// What a set is after that was rehearsed after the first migration of core.
fn after_core() -> [Base<'static>; 1] {
    let checksum = *Checksum::of(USERS).as_bytes();
    [Base { directory: "core/migrations", version: 1, name: "users", checksum }]
}

fn core<'m>(steps: &'m [Migration<'m>]) -> Migrations<'m> {
    Migrations::new("core", "core/migrations", steps)
}

fn tasks<'m>(steps: &'m [Migration<'m>], after: &'m [Base<'m>]) -> Migrations<'m> {
    Migrations::new("tasks", "tasks/migrations", steps).after(after).table_prefix("tasks_")
}

fn told(result: std::result::Result<impl Sized, Error>) -> String {
    format!("{:#}", result.err().expect("a refusal"))
}

#[test]
fn sets_are_applied_in_one_transaction_each_after_what_it_needs_however_they_are_given() -> Result {
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let (core, tasks) = (core(&core_steps), tasks(&tasks_steps, &after));
    for sets in [[&core, &tasks], [&tasks, &core]] {
        let seen = Mutex::new(Vec::new());
        let migrator = Migrator::new(sets).on_event(|event| match event {
            Event::Started { step, .. } => {
                seen.lock().expect("the lock").push(format!("{} {}", step.set, step.version));
            }
            Event::Committed => seen.lock().expect("the lock").push("committed".to_owned()),
            _ => {}
        });
        let mut conn = memory();
        let report = migrator.migrate(&mut conn)?;
        assert_eq!(*seen.lock().expect("the lock"), ["core 1", "core 2", "tasks 1", "tasks 2", "committed"]);
        assert_eq!(report.steps().iter().filter(|step| step.set == "tasks").count(), 2);
        migrator.verify(&mut conn)?;
        assert_eq!(migrator.migrate(&mut conn)?.to_string(), "up to date");
    }
    // What a program has found out about its modules can be a slice or a vector, too.
    let sets = vec![&tasks, &core];
    Migrator::new(sets.as_slice()).migrate(&mut memory())?;
    Migrator::new(sets).migrate(&mut memory())?;
    assert_eq!(Migrator::new([]).migrate(&mut memory())?.to_string(), "up to date");
    Ok(())
}

#[test]
fn a_failure_in_one_set_undoes_the_others_too() -> Result {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    let mut conn = Connection::open(&path)?;
    let (core_steps, after) = (core_steps(), after_core());
    let bad = [Migration::new(1, "items", TASKS), Migration::new(2, "bad", "SELECT missing;")];
    let (core_set, tasks_set) = (core(&core_steps), tasks(&bad, &after));
    core(&core_steps[..1]).migrate(&mut conn)?;
    let before = std::fs::read(&path)?;
    assert_eq!(
        told(Migrator::new([&core_set, &tasks_set]).migrate(&mut conn)),
        "migration 2 (bad) of \"tasks\" failed: no such column: missing\n  \
         --> tasks/migrations/bad:1:8\n   | SELECT missing;\n\
         help: what this call had not committed is undone; correct the migration and run again"
    );
    assert_eq!(std::fs::read(&path)?, before);

    let each = Migrator::new([&core_set, &tasks_set]).transactions(Transactions::PerMigration);
    told(each.migrate(&mut conn));
    assert_eq!(
        tables(&conn),
        ["settings", "tasks_items", "users"],
        "with a transaction each, the steps before it stay"
    );
    Ok(())
}

#[test]
fn a_module_that_is_removed_takes_its_own_tables_and_no_others() -> Result {
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let (core, tasks) = (core(&core_steps), tasks(&tasks_steps, &after));
    let all = Migrator::new([&core, &tasks]);
    let mut conn = memory();
    all.migrate(&mut conn)?;
    conn.execute_batch("INSERT INTO users VALUES (1, 'ada'); INSERT INTO tasks_items VALUES (1, 1);")?;

    let report = Migrator::new(&tasks).rollback(&mut conn, Rollback::All)?;
    assert_eq!(report.steps().iter().map(|step| step.version).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(tables(&conn), ["settings", "users"]);
    Migrator::new(&core).verify(&mut conn)?;
    assert_eq!(core.migrate(&mut conn)?.to_string(), "up to date");

    assert_eq!(all.migrate(&mut conn)?.steps().len(), 2, "it can be installed again");
    let plan = all.plan_rollback(&mut conn, Rollback::All)?;
    let order: Vec<_> = plan.steps().iter().map(|step| (step.set(), step.version())).collect();
    assert_eq!(order, [("tasks", 2), ("tasks", 1), ("core", 2), ("core", 1)]);
    all.rollback(&mut conn, Rollback::All)?;
    assert_eq!(tables(&conn), [""; 0]);
    let left: i64 = conn.query_row("SELECT count(*) FROM _molos_migrations", [], |row| row.get(0))?;
    assert_eq!(left, 0);
    Ok(())
}

#[test]
fn what_tasks_needs_is_given_or_applied_before_or_an_error_before_anything_runs() -> Result {
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let tasks_set = tasks(&tasks_steps, &after);
    let missing = "the set \"tasks\" comes after migration 1 (users) of core/migrations, \
                   which is not applied to this database and in no set that is given\n\
                   help: give that set too, as in `Migrator::new([&core::MIGRATIONS, &tasks::MIGRATIONS])`, or migrate it first";
    let mut conn = memory();
    let edited = [Migration::new(1, "users", "CREATE TABLE users (id INTEGER PRIMARY KEY);")];
    let edited = core(&edited);
    for migrator in [Migrator::new(&tasks_set), Migrator::new([&edited, &tasks_set])] {
        assert_eq!(told(migrator.plan(&mut conn)), missing);
        assert_eq!(told(migrator.migrate(&mut conn)), missing);
        assert_eq!(tables(&conn), [""; 0]);
        assert!(conn.prepare("SELECT * FROM _molos_migrations").is_err());
    }

    core(&core_steps).migrate(&mut conn)?;
    assert_eq!(tasks(&tasks_steps[..1], &after).migrate(&mut conn)?.steps().len(), 1);

    // Without anything pending, there is nothing that the base would be needed for.
    conn.execute_batch("DELETE FROM _molos_migrations WHERE set_name = 'core'")?;
    assert_eq!(tasks(&tasks_steps[..1], &after).migrate(&mut conn)?.to_string(), "up to date");
    assert_eq!(told(tasks_set.migrate(&mut conn)), missing);
    Ok(())
}

#[test]
fn sets_that_cannot_go_together_are_refused_by_every_verb() {
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let items = Base { directory: "t", version: 1, name: "items", checksum: *Checksum::of(TASKS).as_bytes() };
    let after_tasks = [items];
    let (core, tasks) = (core(&core_steps).after(&after_tasks), tasks(&tasks_steps, &after));
    let mut conn = memory();
    for (migrator, is_right) in [
        (
            Migrator::new([&core, &core]),
            (|problem| matches!(problem, SetsProblem::GivenTwice { set, .. } if set == "core")) as fn(&_) -> _,
        ),
        (
            Migrator::new([&core, &tasks]),
            |problem| matches!(problem, SetsProblem::Cycle { sets, .. } if *sets == ["core", "tasks"]),
        ),
    ] {
        let errors = [
            migrator.migrate(&mut conn).map(drop),
            migrator.rollback(&mut conn, Rollback::All).map(drop),
            migrator.plan(&mut conn).map(drop),
            migrator.status(&mut conn).map(drop),
            migrator.verify(&mut conn),
            migrator.adopt(&mut conn).map(drop),
        ];
        for error in errors.map(|result| result.expect_err("a refusal")) {
            let ErrorKind::Sets(problem) = error.kind() else { panic!("{error:#}") };
            assert!(is_right(problem), "{error}");
        }
        assert!(conn.is_autocommit());
        assert!(conn.prepare("SELECT * FROM _molos_migrations").is_err());
    }
}

#[test]
fn a_version_or_a_number_of_steps_is_about_one_set() -> Result {
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let (core, tasks) = (core(&core_steps), tasks(&tasks_steps, &after));
    let all = || Migrator::new([&core, &tasks]);
    let mut conn = memory();
    let several = "a version or a number of steps is about one set, and these are several: \"core\", \"tasks\"\n\
                   help: name one of them, with `Migrator::only` or on the command line with `--set`";
    assert_eq!(told(all().up_to(1).migrate(&mut conn)), several);
    assert_eq!(told(all().adopt_at(&mut conn, 1)), several);
    all().migrate(&mut conn)?;
    assert_eq!(told(all().rollback(&mut conn, Rollback::Steps(1))), several);
    assert_eq!(told(all().plan_rollback(&mut conn, Rollback::To(1))), several);
    Migrator::new(&tasks).rollback(&mut conn, Rollback::To(1))?;
    assert_eq!(Migrator::new([&tasks]).up_to(2).migrate(&mut conn)?.steps().len(), 1);
    Ok(())
}

#[test]
fn texts_name_the_sets_where_there_are_several() -> Result {
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let (core_set, tasks_set) = (core(&core_steps), tasks(&tasks_steps, &after));
    let all = Migrator::new([&core_set, &tasks_set]);
    let mut conn = memory();
    core(&core_steps[..1]).migrate(&mut conn)?;
    conn.execute("UPDATE _molos_migrations SET applied_at = 1795484040, duration_us = 1234", [])?;
    let status = all.status(&mut conn)?;
    assert_eq!(
        status.to_string(),
        "core\n  1 users     applied       2026-11-24T01:34:00Z  1.2 ms\n  2 settings  pending\n\
         tasks\n  1 items   pending\n  2 owners  pending"
    );
    assert_eq!((status.pending(), status.steps().count(), status.is_up_to_date()), (3, 4, false));
    let sets: Vec<_> = status.sets().iter().map(|set| (set.set(), set.current(), set.pending())).collect();
    assert_eq!(sets, [("core", Some(1), 1), ("tasks", None, 2)]);
    assert!(status.set("other").is_none());
    assert_eq!(
        all.plan(&mut conn)?.to_string(),
        "would apply 3 migrations\n  core 2 settings  core/migrations/settings\n  \
         tasks 1 items  tasks/migrations/items\n  tasks 2 owners  tasks/migrations/owners"
    );
    let report = all.migrate(&mut conn)?.to_string();
    assert!(report.starts_with("applied 3 migrations\n  core 2 settings  "), "{report}");
    assert!(report.contains("\n  tasks 2 owners  "), "{report}");
    assert!(all.status(&mut conn)?.is_up_to_date());
    assert_eq!(
        Migrator::new(&tasks_set).plan_rollback(&mut conn, Rollback::Steps(1))?.to_string(),
        "would roll back 1 migration\n  2 owners  tasks/migrations/owners.down.sql"
    );
    let nothing = Migrations::new("nothing", "nothing", &[]);
    assert_eq!(
        Migrator::new([&nothing, &core(&core_steps[..1])]).status(&mut memory())?.to_string(),
        "nothing\n  no migrations\ncore\n  1 users  pending"
    );
    Ok(())
}

#[test]
fn drift_is_told_as_that_of_the_set_whose_part_it_is_in() -> Result {
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let notes_steps = [Migration::new(1, "notes", "CREATE TABLE notes (body TEXT);").with_down("DROP TABLE notes;")];
    let notes = Migrations::new("notes", "notes/migrations", &notes_steps);
    let (core, tasks) = (core(&core_steps), tasks(&tasks_steps, &after));
    let cases = [
        ("CREATE INDEX by_hand ON tasks_items (owner)", "tasks", "index by_hand should not be there"),
        ("CREATE TABLE Tasks_Extra (a)", "tasks", "table tasks_extra should not be there"),
        ("CREATE INDEX by_hand ON users (name)", "core", "index by_hand should not be there"),
        ("CREATE INDEX by_hand ON notes (body)", "notes", "index by_hand should not be there"),
        ("DROP TABLE notes", "notes", "table notes is missing"),
        ("CREATE TABLE by_hand (a)", "core", "table by_hand should not be there"),
    ];
    for (change, set, difference) in cases {
        let mut conn = memory();
        let all = Migrator::new([&tasks, &core, &notes]).verify_before(true);
        all.migrate(&mut conn)?;
        all.verify(&mut conn)?;
        conn.execute_batch(change)?;
        for error in [all.verify(&mut conn), all.rollback(&mut conn, Rollback::All).map(drop)] {
            let error = told(error);
            assert!(error.starts_with("the schema is not what migration "), "{change}: {error}");
            assert!(error.contains(&format!(" of \"{set}\" leads to:\n  {difference}\nhelp: ")), "{change}: {error}");
        }
    }
    Ok(())
}

#[test]
fn a_set_alone_is_compared_with_its_own_part_and_the_rest_is_anothers() -> Result {
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let (core, tasks) = (core(&core_steps), tasks(&tasks_steps[..1], &after));
    let mut conn = memory();
    Migrator::new([&core, &tasks]).migrate(&mut conn)?;
    conn.execute_batch("CREATE TABLE by_hand (a); ALTER TABLE users ADD COLUMN email TEXT")?;
    Migrator::new(&tasks).verify(&mut conn)?;
    let error = told(Migrator::new(&core).verify(&mut conn));
    assert!(error.contains("of \"core\" leads to:\n  table users differs"), "{error}");
    assert!(!error.contains("by_hand"), "it may be of a set that this migrator does not know: {error}");
    conn.execute_batch("ALTER TABLE tasks_items ADD COLUMN title TEXT")?;
    let error = told(Migrator::new(&tasks).verify(&mut conn));
    assert!(error.contains("of \"tasks\" leads to:\n  table tasks_items differs"), "{error}");
    Ok(())
}

#[test]
fn where_a_set_alone_cannot_be_rehearsed_the_error_says_what_is_not_there() -> Result {
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let (core, tasks) = (core(&core_steps), tasks(&tasks_steps, &after));
    let mut conn = memory();
    Migrator::new([&core, &tasks]).migrate(&mut conn)?;
    assert_eq!(
        told(Migrator::new(&tasks).verify(&mut conn)),
        "running the migrations in memory, without the sets they come after, to compare schemas failed: no such table: users"
    );
    Ok(())
}

#[test]
fn sets_made_by_hand_are_adopted_each_at_the_step_whose_part_it_has() -> Result {
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let notes_steps = [Migration::new(1, "notes", "CREATE TABLE notes (body TEXT);").with_down("DROP TABLE notes;")];
    let notes = Migrations::new("notes", "notes/migrations", &notes_steps);
    let (core, tasks) = (core(&core_steps), tasks(&tasks_steps, &after));
    let both = Migrator::new([&core, &tasks]);

    let mut conn = memory();
    conn.execute_batch(&format!("{USERS} CREATE TABLE settings (key TEXT NOT NULL); {TASKS}"))?;
    assert_eq!(
        both.adopt(&mut conn)?.to_string(),
        "core: adopted at migration 2 (settings): 2 migrations are recorded as applied\n\
         tasks: adopted at migration 1 (items): 1 migration is recorded as applied"
    );
    assert_eq!(both.migrate(&mut conn)?.steps().len(), 1);
    both.verify(&mut conn)?;
    assert_eq!(both.adopt(&mut conn)?.to_string(), "nothing to adopt");

    let mut conn = memory();
    conn.execute_batch(USERS)?;
    let adopted = both.adopt(&mut conn)?;
    assert_eq!(adopted.to_string(), "adopted at migration 1 (users): 1 migration is recorded as applied");
    assert_eq!(adopted.sets()[0].set, "core");
    assert_eq!(both.migrate(&mut conn)?.steps().len(), 3, "a module of which nothing is there is pending");

    let mut conn = memory();
    conn.execute_batch(&format!("{USERS} CREATE TABLE tasks_items (id INTEGER PRIMARY KEY);"))?;
    let error = told(both.adopt(&mut conn));
    assert!(error.contains("the nearest, migration 1 (items) of \"tasks\":\n  table tasks_items differs\n"), "{error}");
    assert!(!error.contains("table users"), "{error}");
    assert!(conn.prepare("SELECT * FROM _molos_migrations").is_err(), "nothing is recorded of either");
    assert_eq!(both.adopt(&mut memory())?.sets(), []);

    let mut conn = memory();
    conn.execute_batch(&format!("{USERS} CREATE TABLE notes (body TEXT); {TASKS}"))?;
    let all = Migrator::new([&core, &tasks, &notes]);
    assert_eq!(all.adopt(&mut conn)?.sets().len(), 3, "two of them without a prefix");
    assert_eq!(all.migrate(&mut conn)?.steps().len(), 2);
    all.verify(&mut conn)?;
    Ok(())
}

#[test]
fn a_start_with_nothing_to_do_reads_the_history_once_for_each_set_and_no_more() -> Result {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let (core, tasks) = (core(&core_steps), tasks(&tasks_steps, &after));
    Migrator::new([&core, &tasks]).migrate(&mut Connection::open(&path)?)?;
    let before = std::fs::read(&path)?;

    let mut conn = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let writer = seen.clone();
    let _ = conn.authorizer(Some(move |context: AuthContext<'_>| {
        // Its own setting is in the connection, and costs no look at the database.
        let is_setting = matches!(context.action, AuthAction::Pragma { pragma_name: "busy_timeout", .. });
        if !is_setting && !matches!(context.action, AuthAction::Read { .. }) {
            writer.lock().expect("a lock").push(format!("{:?}", context.action));
        }
        Authorization::Allow
    }));
    assert_eq!(Migrator::new([&tasks, &core]).migrate(&mut conn)?.to_string(), "up to date");
    assert_eq!(*seen.lock().expect("a lock"), ["Select", "Select"]);
    assert_eq!(std::fs::read(&path)?, before);
    Ok(())
}

#[test]
fn one_set_of_several_is_run_alone_and_another_name_is_none_of_them() -> Result {
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let (core, tasks) = (core(&core_steps), tasks(&tasks_steps, &after));
    let both = || Migrator::new([&core, &tasks]);
    let mut conn = memory();
    both().only("core")?.up_to(1).migrate(&mut conn)?;
    both().only("tasks")?.migrate(&mut conn)?;
    both().only("tasks")?.rollback(&mut conn, Rollback::Steps(1))?;
    assert_eq!(tables(&conn), ["tasks_items", "users"]);
    assert_eq!(
        format!("{:#}", both().only("notes").expect_err("no such set")),
        "there is no set \"notes\"\nhelp: the sets of this program are \"core\", \"tasks\""
    );
    Ok(())
}

#[test]
fn everybody_who_wants_to_know_is_told() -> Result {
    let steps = core_steps();
    let core = core(&steps);
    let told = Mutex::new(Vec::new());
    let tell = |who: &'static str| {
        let told = &told;
        move |event: &Event<'_>| {
            if matches!(event, Event::Committed) {
                told.lock().expect("the lock").push(who);
            }
        }
    };
    Migrator::new(&core).on_event(tell("first")).on_event(tell("second")).migrate(&mut memory())?;
    assert_eq!(*told.lock().expect("the lock"), ["first", "second"]);
    Ok(())
}

#[test]
fn a_downgrade_takes_nothing_that_another_set_stands_on() -> Result {
    let (core_steps, tasks_steps) = (core_steps(), tasks_steps());
    let settings = &core_steps[1];
    let after = [Base {
        directory: "core/migrations",
        version: 2,
        name: "settings",
        checksum: *settings.checksum().as_bytes(),
    }];
    let (core, tasks) = (core(&core_steps), tasks(&tasks_steps, &after));
    let mut conn = memory();
    Migrator::new([&core, &tasks]).migrate(&mut conn)?;
    let before = tables(&conn);
    let alone = Migrator::new([&core, &tasks]).only("core")?;
    let error = alone.downgrade_to(&mut conn, 1).expect_err("tasks stands on it");
    assert_eq!(
        error.to_string(),
        "migration 2 (settings) of \"core\" cannot be rolled back: the set \"tasks\" is applied, and comes after it"
    );
    assert_eq!(tables(&conn), before);
    Migrator::new([&core, &tasks]).only("tasks")?.rollback(&mut conn, Rollback::All)?;
    assert_eq!(alone.downgrade_to(&mut conn, 1)?.steps().len(), 1);
    Ok(())
}

#[test]
fn what_another_set_stands_on_is_not_rolled_back_without_it() -> Result {
    let (core_steps, tasks_steps, after) = (core_steps(), tasks_steps(), after_core());
    let (core, tasks) = (core(&core_steps), tasks(&tasks_steps, &after));
    let mut conn = memory();
    Migrator::new([&core, &tasks]).migrate(&mut conn)?;
    let alone = Migrator::new([&core, &tasks]).only("core")?;
    let before = tables(&conn);
    let expected = "migration 1 (users) of \"core\" cannot be rolled back: the set \"tasks\" is applied, and comes after it\n\
                    help: roll \"tasks\" back first, or all sets with one call";
    assert_eq!(told(alone.rollback(&mut conn, Rollback::All)), expected);
    assert_eq!(told(alone.plan_rollback(&mut conn, Rollback::Steps(2))), expected);
    assert_eq!(tables(&conn), before);
    assert_eq!(alone.rollback(&mut conn, Rollback::Steps(1))?.steps().len(), 1, "tasks does not come after settings");
    Migrator::new([&core, &tasks]).only("tasks")?.rollback(&mut conn, Rollback::All)?;
    assert_eq!(alone.rollback(&mut conn, Rollback::All)?.steps().len(), 1);
    Ok(())
}
