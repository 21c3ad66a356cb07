//! Modules that are embedded each by itself and share a database: sets after sets.

use molos::rusqlite::Connection;
use molos::{ErrorKind, Insert as _, Migrator, Rollback, SetsProblem, Table as _};

mod core {
    molos::embed_migrations!("tests/fixtures/modules/core", set = "core", ignore = ["999_scratch.sql"]);
}
mod tasks {
    molos::embed_migrations!(
        "tests/fixtures/modules/tasks",
        set = "tasks",
        after = ["tests/fixtures/modules/core"],
        ignore = ["tests/fixtures/modules/core/999_scratch.sql"],
        table_prefix = "tasks_",
    );
}
mod notes {
    molos::embed_migrations!(
        "tests/fixtures/modules/notes",
        set = "notes",
        after = ["tests/fixtures/modules/core", "tests/fixtures/modules/tasks"],
        ignore = ["tests/fixtures/modules/core/999_scratch.sql"],
        table_prefix = "Notes_",
    );
}

use notes::tables::NewNotesPages;
use tasks::tables::{NewTasksItems, TasksByName};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn all() -> Migrator<'static> {
    Migrator::new([&notes::MIGRATIONS, &tasks::MIGRATIONS, &core::MIGRATIONS])
}

#[test]
fn modules_are_applied_after_what_they_refer_to_and_are_exactly_what_was_rehearsed() -> Result {
    let mut conn = Connection::open_in_memory()?;
    let report = all().migrate(&mut conn)?;
    let steps: Vec<_> = report.steps().iter().map(|step| format!("{} {}", step.set, step.version)).collect();
    assert_eq!(steps, ["core 1", "core 2", "tasks 1", "notes 1"]);
    all().verify(&mut conn)?;
    for set in [&core::MIGRATIONS, &tasks::MIGRATIONS, &notes::MIGRATIONS] {
        Migrator::new(set).verify(&mut conn)?;
    }
    assert_eq!(TasksByName::all(&conn)?[0].title.as_deref(), Some("look around"));
    Ok(())
}

#[test]
fn a_module_has_structs_for_its_own_tables_that_refer_to_those_of_others() -> Result {
    let mut conn = Connection::open_in_memory()?;
    conn.pragma_update(None, "foreign_keys", true)?;
    all().migrate(&mut conn)?;
    let user = core::tables::NewUsers::new("ada@example.org").insert(&conn)?;
    let item = NewTasksItems::new(user.id, "write").insert(&conn)?;
    NewNotesPages { item_id: Some(item.id), ..NewNotesPages::new("…") }.insert(&conn)?;
    assert!(NewTasksItems::new(99, "nobody's").insert(&conn).is_err());
    Ok(())
}

#[test]
fn a_module_that_is_removed_takes_its_own_tables_with_it() -> Result {
    let mut conn = Connection::open_in_memory()?;
    all().migrate(&mut conn)?;
    Migrator::new(&notes::MIGRATIONS).rollback(&mut conn, Rollback::All)?;
    Migrator::new([&core::MIGRATIONS, &tasks::MIGRATIONS]).verify(&mut conn)?;
    assert_eq!(all().plan(&mut conn)?.steps().len(), 1);
    all().rollback(&mut conn, Rollback::All)?;
    let left: i64 = conn.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '%molos%' AND name NOT LIKE 'sqlite%'",
        [],
        |row| row.get(0),
    )?;
    assert_eq!(left, 0);
    Ok(())
}

#[test]
fn a_module_is_not_applied_without_what_it_was_rehearsed_after() -> Result {
    let mut conn = Connection::open_in_memory()?;
    let error = Migrator::new(&tasks::MIGRATIONS).migrate(&mut conn).expect_err("there are no users");
    assert!(matches!(error.kind(), ErrorKind::Sets(SetsProblem::MissingBase { .. })), "{error}");
    Migrator::new(&core::MIGRATIONS).up_to(1).migrate(&mut conn)?;
    let error = Migrator::new(&tasks::MIGRATIONS).migrate(&mut conn).expect_err("users have no names yet");
    assert!(matches!(error.kind(), ErrorKind::Sets(SetsProblem::MissingBase { version: 2, .. })), "{error}");
    Migrator::new(&core::MIGRATIONS).migrate(&mut conn)?;
    tasks::MIGRATIONS.migrate(&mut conn)?;
    Ok(())
}
