//! Coming over from other tools, with the tables that they really make.

#[path = "fixtures/mod.rs"]
mod fixtures;

use molos::rusqlite::Connection;
use molos::{Candidate, Error, ErrorKind, Migration, Migrations, Migrator, OtherHistoryProblem, Tool};

use fixtures::{dbmate, diesel_text, drizzle, goose, refinery, sql_migrate, up_down};

type Done = std::result::Result<(), Box<dyn std::error::Error>>;

const SQLX: &str = "CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES (20240115093000, 'readings', '2024-01-16 09:00:00', TRUE,
    x'10dea802a3eefdf582f2c0e8a88b73ea89c7419fb0f40fdfad5ccc6042a023c07a2057dc36b6f1566d8acf0bc5d5af56', 1000);";

const REFINERY: &str = "CREATE TABLE refinery_schema_history (
    version INT4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255)
);
INSERT INTO refinery_schema_history VALUES
    (1, 'parcels', '2024-01-16T09:00:00Z', '18003390686705135564'),
    (2, 'tracking', '2024-01-16T09:00:00Z', '14948479920293314810');";

const DRIZZLE: &str =
    "CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric);
INSERT INTO __drizzle_migrations (hash, created_at) VALUES
    ('cb80da663a106fafa33b5c5431a499e0d7c8349f9e5ae67939e16f3ff3b54b8e', 1709300000000),
    ('fe837ddeb256fdd8743e57bca61564f2e148782f71eb86ded76a7a7f7d739b01', 1709200000000);";

const GOOSE: &str = "CREATE TABLE goose_db_version (
    id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL,
    tstamp TIMESTAMP DEFAULT (datetime('now'))
);
INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1);";

const SQL_MIGRATE: &str =
    "CREATE TABLE \"gorp_migrations\" (\"id\" varchar(255) not null primary key, \"applied_at\" datetime);
INSERT INTO gorp_migrations VALUES ('1_people.sql', '2024-01-16 09:00:00'), ('2_age.sql', '2024-01-16 09:00:00');";

const DBMATE: &str = "CREATE TABLE schema_migrations (version varchar(128) primary key);";

const GOLANG_MIGRATE: &str = "CREATE TABLE schema_migrations (version uint64, dirty bool);
CREATE UNIQUE INDEX version_unique ON schema_migrations (version);";

/// A database on which the first `count` migrations were run by a tool that has left this history.
fn made_by_another_tool(migrations: &Migrations<'_>, count: usize, history: &str) -> Connection {
    let conn = Connection::open_in_memory().expect("a database");
    for migration in migrations.iter().take(count) {
        conn.execute_batch(migration.up()).expect("a step");
    }
    conn.execute_batch(history).expect("a history");
    conn
}

fn text<T>(result: Result<T, Error>) -> String {
    result.err().map(|error| format!("{error:#}")).expect("an error")
}

#[test]
fn a_database_of_another_tool_that_is_not_adopted_is_not_migrated_and_says_what_to_do() -> Done {
    let expected = |tool: &str| {
        format!(
            "this database was migrated with {tool} so far, and has no history of molos\nhelp: what this call had not \
             committed is undone; call `Migrator::adopt` before `migrate`: it records what is there already"
        )
    };
    // Where names say that it is this program's, nothing is run, not even what would do no harm to the schema.
    let again = [Migration::new(1, "parcels", "INSERT INTO parcels (\"to\") VALUES ('twice')")];
    let again = Migrations::new("app", "migrations", &again);
    let mut conn = made_by_another_tool(&refinery::MIGRATIONS, 2, REFINERY);
    conn.execute_batch("DELETE FROM refinery_schema_history WHERE version = 2")?;
    for migrations in [&refinery::MIGRATIONS, &again] {
        let migrator = Migrator::new(migrations);
        assert_eq!(text(migrator.migrate(&mut conn)), expected("refinery"));
        assert_eq!(text(migrator.plan(&mut conn)), expected("refinery"));
    }
    assert!(conn.prepare("SELECT 1 FROM _molos_migrations").is_err(), "nothing was recorded");
    let mut conn = made_by_another_tool(&up_down::MIGRATIONS, 1, SQLX);
    assert_eq!(text(up_down::MIGRATIONS.migrate(&mut conn)), expected("sqlx"));

    // Elsewhere the failure says it.
    let history = format!("{GOOSE} INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, 1)");
    let mut conn = made_by_another_tool(&goose::MIGRATIONS, 1, &history);
    let error = goose::MIGRATIONS.migrate(&mut conn).expect_err("it has a history of goose");
    assert!(matches!(error.kind(), ErrorKind::NotYetAdopted { tool: Tool::Goose, .. }), "{error}");
    assert!(text::<()>(Err(error)).contains("table visits already exists"));
    Migrator::new(&goose::MIGRATIONS).adopt(&mut conn)?;
    assert_eq!(goose::MIGRATIONS.migrate(&mut conn)?.steps().len(), 1);

    // A library with a set of its own lives beside the other tool's history.
    let own = [Migration::new(1, "jobs", "CREATE TABLE jobs (id INTEGER PRIMARY KEY)")];
    let mut conn = made_by_another_tool(&refinery::MIGRATIONS, 2, REFINERY);
    assert_eq!(Migrations::new("jobs", "migrations", &own).migrate(&mut conn)?.steps().len(), 1);

    // A `user_version` of the program's own explains no mistake in a migration after it.
    let wrong = [own[0], Migration::new(2, "wrong", "INSERT INTO job VALUES (1)")];
    let mut conn = made_by_another_tool(&goose::MIGRATIONS, 0, "PRAGMA user_version = 1");
    let counts = [Migration::new(1, "counts", "PRAGMA user_version = 1; INSERT INTO job VALUES (1)")];
    let error = Migrations::new("jobs", "migrations", &counts).migrate(&mut Connection::open_in_memory()?);
    assert!(matches!(error.expect_err("no such table").kind(), ErrorKind::Statement { .. }));
    let error = Migrations::new("jobs", "migrations", &wrong).migrate(&mut conn).expect_err("no such table");
    assert!(matches!(error.kind(), ErrorKind::Statement { .. }), "{error}");
    Ok(())
}

#[test]
fn the_tables_that_tools_really_make_are_read() -> Done {
    let adopt = |migrations: &Migrations<'_>, count, history: &str| {
        let adopted = Migrator::new(migrations).adopt(&mut made_by_another_tool(migrations, count, history));
        adopted.map(|adopted| (adopted.sets()[0].recorded, adopted.sets()[0].tool))
    };
    assert_eq!(adopt(&refinery::MIGRATIONS, 2, REFINERY)?, (2, Some(Tool::Refinery)));
    // A checkout with the line ends of Windows.
    let windows = REFINERY.replace("18003390686705135564", "4623711505863005887");
    assert_eq!(adopt(&refinery::MIGRATIONS, 2, &windows)?.0, 2);
    assert_eq!(adopt(&up_down::MIGRATIONS, 1, SQLX)?, (1, Some(Tool::Sqlx)));
    assert_eq!(adopt(&drizzle::MIGRATIONS, 2, DRIZZLE)?, (2, Some(Tool::Drizzle)));

    // goose notes that it took one back, and applies it again.
    let rows = "(1, 1), (2, 1), (2, 0)";
    let back = format!("{GOOSE} INSERT INTO goose_db_version (version_id, is_applied) VALUES {rows}");
    assert_eq!(adopt(&goose::MIGRATIONS, 1, &back)?, (1, Some(Tool::Goose)));
    let again = back.replace("(2, 0)", "(2, 0), (2, 1)");
    assert_eq!(adopt(&goose::MIGRATIONS, 2, &again)?, (2, Some(Tool::Goose)));

    let all = format!("{DBMATE} INSERT INTO schema_migrations VALUES ('20240301120000'), ('20240302120000')");
    assert_eq!(adopt(&dbmate::MIGRATIONS, 2, &all)?, (2, Some(Tool::Dbmate)));

    let at = |version: i64| format!("{GOLANG_MIGRATE} INSERT INTO schema_migrations VALUES ({version}, 0)");
    assert_eq!(adopt(&up_down::MIGRATIONS, 2, &at(20_240_220_110_000))?, (2, Some(Tool::GolangMigrate)));
    // The last only inserts rows: no schema tells it from the one before.
    assert_eq!(adopt(&up_down::MIGRATIONS, 3, &at(20_240_301_120_000))?, (3, Some(Tool::GolangMigrate)));
    Ok(())
}

#[test]
fn diesels_history_is_in_diesels_order() -> Done {
    let history = |versions: &str| {
        format!(
            "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL,
                 run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
             INSERT INTO __diesel_schema_migrations (version) VALUES {versions};"
        )
    };
    let versions = ["('00000000000000')", "('202510281759200000')", "('20251115232503')"];
    for count in [2, 3] {
        let history = history(&versions[..count].join(", "));
        let mut conn = made_by_another_tool(&diesel_text::MIGRATIONS, count, &history);
        let migrator = Migrator::new(&diesel_text::MIGRATIONS);
        let adopted = migrator.adopt(&mut conn)?;
        assert_eq!((adopted.sets()[0].recorded, adopted.sets()[0].tool), (count, Some(Tool::Diesel)));
        assert_eq!(migrator.migrate(&mut conn)?.steps().len(), 3 - count);
        migrator.verify(&mut conn)?;
    }
    Ok(())
}

#[test]
fn a_tool_that_has_applied_nothing_says_nothing_of_a_new_database() -> Done {
    for history in [GOOSE, DBMATE, GOLANG_MIGRATE] {
        let mut conn = made_by_another_tool(&goose::MIGRATIONS, 0, history);
        assert_eq!(Migrator::new(&goose::MIGRATIONS).adopt(&mut conn)?.sets(), []);
        assert_eq!(goose::MIGRATIONS.migrate(&mut conn)?.steps().len(), 2);
        Migrator::new(&goose::MIGRATIONS).verify(&mut conn)?;
    }
    Ok(())
}

#[test]
fn a_history_of_other_files_is_not_believed() {
    let refused = |migrations: &Migrations<'_>, count, history: &str| {
        let mut conn = made_by_another_tool(migrations, count, history);
        let error = Migrator::new(migrations).adopt(&mut conn).expect_err(history);
        assert!(conn.prepare("SELECT 1 FROM _molos_migrations").is_err(), "nothing was recorded");
        match error.kind() {
            ErrorKind::OtherHistory { problem, .. } => problem.clone(),
            _ => panic!("{error}"),
        }
    };
    let edited = |version: i64| {
        OtherHistoryProblem::OtherMigrations(format!(
            "the checksum of version {version} is not that of its file, which was edited since"
        ))
    };
    let sqlx = |from: &str, to: &str| refused(&up_down::MIGRATIONS, 1, &SQLX.replace(from, to));
    assert_eq!(sqlx("x'10dea8", "x'10dea9"), edited(20_240_115_093_000));
    assert!(matches!(sqlx("TRUE", "FALSE"), OtherHistoryProblem::Unfinished { version: 20_240_115_093_000, .. }));
    assert_eq!(
        sqlx("'readings'", "'writings'"),
        OtherHistoryProblem::OtherMigrations(
            "version 20240115093000 is \"writings\" in it, and \"readings\" in this program".to_owned()
        )
    );
    assert_eq!(
        refused(&refinery::MIGRATIONS, 2, &REFINERY.replace("14948479920293314810", "14948479920293314811")),
        edited(2)
    );
    assert_eq!(refused(&drizzle::MIGRATIONS, 2, &DRIZZLE.replace("cb80da", "cb80db")), edited(1));
    let dirty = format!("{GOLANG_MIGRATE} INSERT INTO schema_migrations VALUES (20240220110000, 1)");
    assert!(matches!(
        refused(&up_down::MIGRATIONS, 2, &dirty),
        OtherHistoryProblem::Unfinished { version: 20_240_220_110_000, .. }
    ));
}

#[test]
fn sql_migrate_notes_the_names_of_files() -> Done {
    let mut conn = made_by_another_tool(&sql_migrate::MIGRATIONS, 2, SQL_MIGRATE);
    let adopted = Migrator::new(&sql_migrate::MIGRATIONS).adopt(&mut conn)?;
    assert_eq!((adopted.sets()[0].version, adopted.sets()[0].tool), (2, Some(Tool::SqlMigrate)));
    let of_another = SQL_MIGRATE.replace("2_age", "2_size");
    let mut conn = made_by_another_tool(&sql_migrate::MIGRATIONS, 2, &of_another);
    let error = text(Migrator::new(&sql_migrate::MIGRATIONS).adopt(&mut conn));
    assert!(error.contains("version 2 is \"size\" in it, and \"age\" in this program"), "{error}");
    Ok(())
}

#[test]
fn a_new_file_with_a_user_version_of_the_programs_own_is_new() -> Done {
    let mut conn = made_by_another_tool(&refinery::MIGRATIONS, 0, "PRAGMA user_version = 7");
    let migrator = Migrator::new(&refinery::MIGRATIONS);
    assert!(migrator.adopt(&mut conn)?.sets().is_empty());
    assert_eq!(migrator.migrate(&mut conn)?.steps().len(), refinery::MIGRATIONS.len());
    Ok(())
}

#[test]
fn one_migration_more_than_the_program_has_is_a_newer_database_or_a_missing_file() {
    let adopt = |migrations: &Migrations<'_>, count, history: &str| {
        text(Migrator::new(migrations).adopt(&mut made_by_another_tool(migrations, count, history)))
    };
    let help = "help: it is a newer database, or a file is missing; run the newer program, or put the file back";
    let goose = format!("{GOOSE} INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, 1), (2, 1), (3, 1)");
    assert_eq!(
        adopt(&goose::MIGRATIONS, 2, &goose),
        format!("the history of goose in this database has what this program does not have: version 3\n{help}")
    );
    let golang = format!("{GOLANG_MIGRATE} INSERT INTO schema_migrations VALUES (20250101000000, 0)");
    assert!(adopt(&up_down::MIGRATIONS, 3, &golang).ends_with(&format!("version 20250101000000\n{help}")));
    let drizzle = format!("{DRIZZLE} INSERT INTO __drizzle_migrations (hash) VALUES ('c'), ('d')");
    assert_eq!(
        adopt(&drizzle::MIGRATIONS, 3, &drizzle),
        format!("the history of drizzle in this database counts 4 migrations, and this program has 3\n{help}")
    );
}

#[test]
fn a_directive_that_was_added_since_does_not_make_another_file() -> Done {
    let sqlx = SQLX.replace("'readings'", "'compact notes'").replace("20240115093000", "1");
    let adopt = |up: &str, sha384: &str| {
        let list = [Migration::new(1, "compact_notes", up)];
        let migrations = Migrations::new("app", "migrations", &list);
        let (start, rest) = sqlx.split_once("x'").expect("a checksum");
        let history = format!("{start}x'{sha384}'{}", rest.split_once('\'').expect("its end").1);
        Migrator::new(&migrations).adopt(&mut made_by_another_tool(&migrations, 1, &history)).map(drop)
    };
    // Of `CREATE TABLE notes (body TEXT);`, and of the same after a line `-- no-transaction`.
    let plain = "4d9ae102a548ebcee1b6a3e466dec9ceb43a3f7441f83c0b234923a77e37f07d793e8446ed61d4f6cdaec491f93d61e0";
    let alone = "bc856b9480ce072e64c5bf5f5b3a644d77721cca4d470c2c2eecb64a52a12be7688b0b7aa0b8c99840327ec6ea698314";
    adopt("-- molos: allow drop-table old\nCREATE TABLE notes (body TEXT);\n", plain)?;
    adopt("-- molos: no-transaction\nCREATE TABLE notes (body TEXT);\n", alone)?;
    assert!(adopt("-- molos: allow drop-table old\nCREATE TABLE notes (body);\n", plain).is_err());
    Ok(())
}

#[test]
fn a_user_version_of_the_programs_own_does_not_stand_against_the_schema() -> Done {
    for user_version in [2, 3, 40] {
        let history = format!("PRAGMA user_version = {user_version}");
        let mut conn = made_by_another_tool(&refinery::MIGRATIONS, 1, &history);
        let adopted = Migrator::new(&refinery::MIGRATIONS).adopt(&mut conn)?;
        assert_eq!((adopted.sets()[0].version, adopted.sets()[0].tool), (1, None));
        refinery::MIGRATIONS.migrate(&mut conn)?;
    }
    // It still tells migrations of one schema apart, and is not passed over where it is asked for.
    let mut conn = made_by_another_tool(&up_down::MIGRATIONS, 3, "PRAGMA user_version = 3");
    assert_eq!(Migrator::new(&up_down::MIGRATIONS).adopt(&mut conn)?.sets()[0].recorded, 3);
    let mut conn = made_by_another_tool(&refinery::MIGRATIONS, 1, "PRAGMA user_version = 2");
    let error = Migrator::new(&refinery::MIGRATIONS).adopt_from(&mut conn, Tool::RusqliteMigration).expect_err("2");
    assert!(
        matches!(error.kind(), ErrorKind::NotAdopted { candidate: Candidate::History(Tool::RusqliteMigration), .. }),
        "{error}"
    );
    Ok(())
}

#[test]
fn tables_of_another_library_are_named_and_then_not_compared() -> Done {
    const QUEUE: &str =
        "PRAGMA foreign_keys = OFF; CREATE TABLE Queue_Jobs (id INTEGER PRIMARY KEY, worker REFERENCES queue_workers);
        CREATE TABLE queue_workers (id INTEGER PRIMARY KEY); CREATE INDEX by_worker ON queue_jobs (worker);
        CREATE TRIGGER done AFTER DELETE ON queue_jobs BEGIN DELETE FROM queue_workers; END;
        CREATE VIEW idle AS SELECT * FROM queue_workers; INSERT INTO queue_jobs VALUES (1, 7);";
    let plain = Migrator::new(&goose::MIGRATIONS);
    let named = Migrator::new(&goose::MIGRATIONS).other_tables(["queue_*"]).other_tables(["IDLE"]);
    for count in [0, 1, 2] {
        let mut conn = made_by_another_tool(&goose::MIGRATIONS, count, QUEUE);
        let told = text(plain.adopt(&mut conn));
        assert!(told.ends_with("; name the tables of another library with `Migrator::other_tables`"), "{told}");
        assert_eq!(named.adopt(&mut conn)?.sets().iter().map(|set| set.recorded).sum::<usize>(), count);
        let careful = Migrator::new(&goose::MIGRATIONS).other_tables(["queue_*", "idle"]);
        let careful = careful.verify_before(true).verify_after(true);
        assert_eq!(careful.migrate(&mut conn)?.steps().len(), 2 - count);
        named.verify(&mut conn)?;
        let told = text(plain.verify(&mut conn));
        assert!(told.contains("table queue_jobs should not be there"), "{told}");
        // One's own is still compared.
        conn.execute_batch("CREATE TABLE queues (a); CREATE INDEX by_hand ON pages (visits)")?;
        let told = text(named.verify(&mut conn));
        assert!(told.contains("table queues") && told.contains("index by_hand") && !told.contains("queue_"), "{told}");
    }
    Ok(())
}

#[test]
fn a_set_without_migrations_has_nothing_to_adopt() -> Done {
    let none = Migrations::new("app", "migrations", &[]);
    for history in ["", REFINERY, "PRAGMA user_version = 3"] {
        let mut conn = made_by_another_tool(&refinery::MIGRATIONS, 2, history);
        assert_eq!(Migrator::new(&none).adopt(&mut conn)?.to_string(), "nothing to adopt");
    }
    Ok(())
}
