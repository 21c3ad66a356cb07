//! A schema that is not what it should be, and databases that were made without molos.

#[path = "fixtures/mod.rs"]
mod fixtures;

use molos::rusqlite::{Connection, Result};
use molos::{Candidate, Error, ErrorKind, Migration, Migrations, Migrator, Rollback, Schema, Tool};

use fixtures::{diesel, drizzle, molos_schema as app, numbered as books, refinery, rusqlite_migration, up_down};

type Done = std::result::Result<(), Box<dyn std::error::Error>>;

/// A database on which the first `count` migrations were run by something else than molos.
fn made_without_molos(migrations: &Migrations<'_>, count: usize) -> Connection {
    let conn = Connection::open_in_memory().expect("a database");
    for migration in migrations.iter().take(count) {
        conn.execute_batch(migration.up()).expect("a step");
    }
    conn
}

#[test]
fn what_was_changed_by_hand_is_told_object_by_object() -> Done {
    let mut conn = Connection::open_in_memory()?;
    app::MIGRATIONS.migrate(&mut conn)?;
    let migrator = Migrator::new(&app::MIGRATIONS);
    migrator.verify(&mut conn)?;
    conn.execute_batch(
        "DROP INDEX sessions_user_id; ALTER TABLE modules ADD COLUMN colour TEXT; CREATE TABLE scratch (a); \
         CREATE TRIGGER no_one AFTER INSERT ON users BEGIN DELETE FROM users; END;",
    )?;
    let error = migrator.verify(&mut conn).expect_err("drift");
    assert_eq!(
        format!("{error:#}"),
        "the schema is not what migration 4 (rename_allowed_modules_to_allowed_scopes) leads to:\n  \
         index sessions_user_id is missing\n  \
         table modules differs\n    \
         - columns ( id , name , version , enabled , config , created_at , updated_at )\n    \
         + column colour text\n    \
         + columns ( id , name , version , enabled , config , created_at , updated_at , colour )\n  \
         table scratch should not be there\n  \
         trigger no_one should not be there\n\
         help: undo the change by hand, or write a migration that makes it; name the \
         tables of another library with `Migrator::other_tables`"
    );
    Ok(())
}

#[test]
fn drift_stops_a_migration_before_it_starts_where_that_is_asked_for() -> Done {
    let mut conn = Connection::open_in_memory()?;
    Migrator::new(&app::MIGRATIONS).up_to(3).migrate(&mut conn)?;
    conn.execute_batch("DROP INDEX sessions_user_id")?;
    let before = Schema::read(&conn)?.fingerprint();
    let careful = Migrator::new(&app::MIGRATIONS).verify_before(true);
    assert!(matches!(careful.migrate(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::Drift { .. })));
    assert!(
        matches!(careful.rollback(&mut conn, Rollback::All), Err(ref error) if matches!(error.kind(), ErrorKind::Drift { .. }))
    );
    assert_eq!(Schema::read(&conn)?.fingerprint(), before);
    app::MIGRATIONS.migrate(&mut conn)?;
    Ok(())
}

#[test]
fn drift_that_a_migration_would_commit_is_undone_with_it_where_that_is_asked_for() -> Done {
    let mut conn = Connection::open_in_memory()?;
    Migrator::new(&app::MIGRATIONS).up_to(3).migrate(&mut conn)?;
    conn.execute_batch("CREATE VIEW by_hand AS SELECT 1")?;
    let before = Schema::read(&conn)?.fingerprint();
    let careful = Migrator::new(&app::MIGRATIONS).verify_after(true);
    let error = careful.migrate(&mut conn).expect_err("the view is still there");
    assert!(
        matches!(error.kind(), ErrorKind::Drift { .. }) && error.step().is_some_and(|step| step.version == 4),
        "{error}"
    );
    assert_eq!(Schema::read(&conn)?.fingerprint(), before);
    assert_eq!(careful.status(&mut conn)?.sets()[0].current(), Some(3));
    conn.execute_batch("DROP VIEW by_hand")?;
    assert_eq!(careful.migrate(&mut conn)?.steps().len(), 1);
    Ok(())
}

#[test]
fn a_down_migration_that_leaves_something_is_undone_where_that_is_asked_for() -> Done {
    let list = [
        Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)"),
        Migration::new(2, "tags", "CREATE TABLE tags (name TEXT)").with_down("SELECT 1"),
    ];
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory()?;
    let careful = Migrator::new(&migrations).verify_after(true);
    careful.migrate(&mut conn)?;
    let error = careful.rollback(&mut conn, Rollback::Steps(1)).expect_err("the down migration leaves the table");
    assert!(
        matches!(error.kind(), ErrorKind::Drift { .. }) && error.step().is_some_and(|step| step.version == 1),
        "{error}"
    );
    assert_eq!(careful.status(&mut conn)?.sets()[0].current(), Some(2));
    Ok(())
}

#[test]
fn a_migration_that_is_still_to_come_in_between_is_no_drift() -> Done {
    let list = [
        Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)"),
        Migration::new(2, "title", "ALTER TABLE notes ADD COLUMN title TEXT"),
        Migration::new(3, "tags", "CREATE TABLE tags (name TEXT NOT NULL)"),
    ];
    let mut conn = Connection::open_in_memory()?;
    Migrations::new("app", "migrations", &[list[0], list[2]]).migrate(&mut conn)?;
    let migrations = Migrations::new("app", "migrations", &list);
    Migrator::new(&migrations).allow_out_of_order(true).verify_before(true).migrate(&mut conn)?;
    Migrator::new(&migrations).verify(&mut conn)?;
    Ok(())
}

#[test]
fn the_tables_of_another_set_are_no_drift_and_a_change_of_ones_own_still_is() -> Done {
    let mut conn = Connection::open_in_memory()?;
    books::MIGRATIONS.migrate(&mut conn)?;
    app::MIGRATIONS.migrate(&mut conn)?;
    Migrator::new(&app::MIGRATIONS).verify(&mut conn)?;
    Migrator::new(&books::MIGRATIONS).verify(&mut conn)?;
    conn.execute_batch("CREATE INDEX by_hand ON users (name)")?;
    Migrator::new(&books::MIGRATIONS).verify(&mut conn)?;
    assert!(
        matches!(Migrator::new(&app::MIGRATIONS).verify(&mut conn), Err(ref error) if matches!(error.kind(), ErrorKind::Drift { .. }))
    );
    Ok(())
}

#[test]
fn a_database_made_by_hand_is_adopted_at_the_step_whose_schema_it_has() -> Done {
    let mut conn = made_without_molos(&app::MIGRATIONS, 2);
    let adopted = Migrator::new(&app::MIGRATIONS).adopt(&mut conn)?;
    assert_eq!(adopted.to_string(), "adopted at migration 2 (oauth): 2 migrations are recorded as applied");
    let report = app::MIGRATIONS.migrate(&mut conn)?;
    assert_eq!(report.steps().iter().map(|step| step.version).collect::<Vec<_>>(), [3, 4]);
    Migrator::new(&app::MIGRATIONS).verify(&mut conn)?;
    Ok(())
}

#[test]
fn adopting_at_each_start_does_no_harm() -> Done {
    let migrator = Migrator::new(&app::MIGRATIONS);
    for mut conn in [Connection::open_in_memory()?, made_without_molos(&app::MIGRATIONS, 2)] {
        let is_new = Schema::read(&conn)?.objects().next().is_none();
        let adopted = migrator.adopt(&mut conn)?;
        assert_eq!(adopted.sets().is_empty(), is_new);
        if is_new {
            assert_eq!(adopted.to_string(), "nothing to adopt");
            assert!(conn.prepare("SELECT 1 FROM _molos_migrations").is_err(), "it leaves no trace");
        }
        migrator.migrate(&mut conn)?;
        let changes = |conn: &Connection| conn.query_row("SELECT total_changes()", [], |row| row.get::<_, i64>(0));
        let before = changes(&conn)?;
        assert_eq!(migrator.adopt(&mut conn)?.sets(), []);
        assert_eq!(changes(&conn)?, before);
        migrator.verify(&mut conn)?;
    }
    // What is said of an empty database has to be true of it.
    let mut conn = Connection::open_in_memory()?;
    assert!(
        matches!(Migrator::new(&app::MIGRATIONS).adopt_at(&mut conn, 2), Err(ref error) if matches!(error.kind(), ErrorKind::NotAdopted { .. }))
    );
    conn.pragma_update(None, "user_version", 2)?;
    assert!(
        matches!(migrator.adopt_from(&mut conn, Tool::RusqliteMigration), Err(ref error) if matches!(error.kind(), ErrorKind::NotAdopted { .. }))
    );
    assert_eq!(migrator.adopt(&mut conn)?.to_string(), "nothing to adopt");
    Ok(())
}

#[test]
fn two_sets_without_a_prefix_are_told_apart_by_what_they_make() -> Done {
    let mut conn = made_without_molos(&app::MIGRATIONS, 2);
    for migration in books::MIGRATIONS.iter() {
        conn.execute_batch(migration.up())?;
    }
    let both = Migrator::new([&books::MIGRATIONS, &app::MIGRATIONS]);
    let adopted = both.adopt(&mut conn)?;
    let recorded: Vec<_> = adopted.sets().iter().map(|set| set.recorded).collect();
    assert_eq!(recorded, [books::MIGRATIONS.len(), 2]);
    both.migrate(&mut conn)?;
    both.verify(&mut conn)?;
    Ok(())
}

#[test]
fn the_histories_of_other_tools_are_read_and_left_alone() -> Done {
    fn adopt(migrations: &Migrations<'_>, count: usize, history: &str) -> Result<(i64, Option<Tool>), Error> {
        let mut conn = made_without_molos(migrations, count);
        conn.execute_batch(history).expect("a history");
        let dump = |conn: &Connection| -> i64 {
            let sql = "SELECT coalesce(sum(length(sql)), 0) FROM sqlite_schema WHERE tbl_name <> '_molos_migrations'";
            conn.query_row(sql, [], |row| row.get(0)).expect("a sum")
        };
        let before = dump(&conn);
        let adopted = Migrator::new(migrations).adopt(&mut conn)?;
        assert_eq!(dump(&conn), before);
        migrations.migrate(&mut conn)?;
        Ok((adopted.sets()[0].version, adopted.sets()[0].tool))
    }
    let refinery = "CREATE TABLE refinery_schema_history (version INT4 PRIMARY KEY, name VARCHAR(255), applied_on \
                    VARCHAR(255), checksum VARCHAR(255)); \
                    INSERT INTO refinery_schema_history (version) VALUES (1), (2), (3);";
    assert_eq!(adopt(&refinery::MIGRATIONS, 3, refinery)?, (3, Some(Tool::Refinery)));

    let sqlx = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL); \
                INSERT INTO _sqlx_migrations VALUES (20240115093000, 'readings');";
    assert_eq!(adopt(&up_down::MIGRATIONS, 1, sqlx)?, (20_240_115_093_000, Some(Tool::Sqlx)));

    let diesel = "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP); \
                  INSERT INTO __diesel_schema_migrations (version) VALUES ('0'), ('20230101123456');";
    let versions: Vec<i64> = diesel::MIGRATIONS.iter().map(|migration| migration.version()).take(2).collect();
    assert_eq!(versions, [0, 20_230_101_123_456]);
    assert_eq!(adopt(&diesel::MIGRATIONS, 2, diesel)?, (20_230_101_123_456, Some(Tool::Diesel)));

    let count = rusqlite_migration::MIGRATIONS.len();
    let (version, tool) = adopt(&rusqlite_migration::MIGRATIONS, count, &format!("PRAGMA user_version = {count}"))?;
    assert_eq!(
        (Some(version), tool),
        (rusqlite_migration::MIGRATIONS.latest().map(|last| last.version()), Some(Tool::RusqliteMigration))
    );

    let drizzle = "CREATE TABLE __drizzle_migrations (id INTEGER PRIMARY KEY, hash text NOT NULL, created_at numeric); \
                   INSERT INTO __drizzle_migrations (hash) VALUES \
                   ('fe837ddeb256fdd8743e57bca61564f2e148782f71eb86ded76a7a7f7d739b01');";
    assert_eq!(adopt(&drizzle::MIGRATIONS, 1, drizzle)?.1, Some(Tool::Drizzle));
    Ok(())
}

#[test]
fn a_history_that_the_schema_or_the_program_contradicts_is_not_believed() -> Done {
    let history = |versions: &str| {
        let conn = made_without_molos(&refinery::MIGRATIONS, 2);
        let sql = format!(
            "CREATE TABLE refinery_schema_history (version INT4 PRIMARY KEY); \
             INSERT INTO refinery_schema_history VALUES {versions}"
        );
        conn.execute_batch(&sql).expect("a history");
        conn
    };
    let adopt = |conn: &mut Connection| Migrator::new(&refinery::MIGRATIONS).adopt(conn).expect_err("a contradiction");
    let error = adopt(&mut history("(1), (2), (3)"));
    assert!(
        matches!(error.kind(), ErrorKind::NotAdopted { candidate: Candidate::History(Tool::Refinery), .. })
            && error.step().is_some_and(|step| step.version == 3),
        "{error}"
    );
    let other = Migrator::new(&refinery::MIGRATIONS).adopt_from(&mut history("(1), (2)"), Tool::Sqlx);
    assert_eq!(
        format!("{:#}", other.expect_err("it is refinery's")),
        "this database has no history of sqlx, but of refinery\n\
         help: name a tool that has a history here, or none: then the schema alone decides"
    );
    // A `user_version` of the program's own is not looked at beside another history, unless that is asked for.
    let numbered = history("(1), (2)");
    numbered.pragma_update(None, "user_version", 2)?;
    let adopted = Migrator::new(&refinery::MIGRATIONS).adopt_from(&mut { numbered }, Tool::RusqliteMigration)?;
    assert_eq!((adopted.sets()[0].version, adopted.sets()[0].tool), (2, Some(Tool::RusqliteMigration)));
    let error = adopt(&mut history("(1), (7)"));
    assert_eq!(
        format!("{error:#}"),
        "the history of refinery in this database is about other migrations: it has version 7 where this program has 2\n\
         help: correct it, or name the last migration that was applied with `Migrator::adopt_at`"
    );
    let mut conn = history("(1), (7)");
    assert_eq!(Migrator::new(&refinery::MIGRATIONS).adopt_at(&mut conn, 2)?.sets()[0].version, 2);
    Ok(())
}

#[test]
fn a_schema_that_no_migration_leads_to_is_compared_with_the_nearest() -> Done {
    let mut conn = made_without_molos(&app::MIGRATIONS, 2);
    conn.execute_batch("DROP VIEW module_migrations; ALTER TABLE users RENAME COLUMN name TO full_name")?;
    let error = Migrator::new(&app::MIGRATIONS).adopt(&mut conn).expect_err("no such schema");
    assert_eq!(
        format!("{error:#}"),
        "no migration leads to the schema of this database; it differs from that of the nearest, migration 2 (oauth):\n  \
         table users differs\n    \
         - column name text\n    \
         - columns ( id , email , password , name , created_at , updated_at )\n    \
         + column full_name text\n    \
         + columns ( id , email , password , full_name , created_at , updated_at )\n  \
         view module_migrations is missing\n\
         help: change the schema to that of one of the migrations, or add the migration that led to it"
    );
    assert!(conn.prepare("SELECT * FROM _molos_migrations").is_err(), "nothing was recorded");
    Ok(())
}

#[test]
fn a_step_that_only_changes_rows_has_to_be_named() -> Done {
    let list = [
        Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)"),
        Migration::new(2, "welcome", "INSERT INTO notes VALUES ('welcome')"),
        Migration::new(3, "tags", "CREATE TABLE tags (name TEXT NOT NULL)"),
    ];
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = made_without_molos(&migrations, 2);
    let error = Migrator::new(&migrations).adopt(&mut conn).expect_err("two steps with one schema");
    assert_eq!(
        format!("{error:#}"),
        "the schema of this database is that of migration 1 (notes), migration 2 (welcome)\n\
         help: the later ones change rows, which leaves no trace in a schema; name the last that was applied with \
         `Migrator::adopt_at`"
    );
    assert!(
        matches!(Migrator::new(&migrations).adopt_at(&mut conn, 3), Err(ref error) if matches!(error.kind(), ErrorKind::NotAdopted { .. }))
    );
    assert_eq!(Migrator::new(&migrations).adopt_at(&mut conn, 2)?.sets()[0].recorded, 2);
    migrations.migrate(&mut conn)?;
    Migrator::new(&migrations).verify(&mut conn)?;
    Ok(())
}
