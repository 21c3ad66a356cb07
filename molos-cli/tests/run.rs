//! What a program brings to its command line: several sets, functions of its own, a listener.

use std::process::ExitCode;
use std::sync::Mutex;

use clap::Parser as _;
use molos_cli::Db;
use molos_runtime::rusqlite::functions::FunctionFlags;
use molos_runtime::rusqlite::{self, Connection};
use molos_runtime::{Event, Keep, Migration, Migrations, Migrator, SetStatus};

type Done = Result<(), Box<dyn std::error::Error>>;

#[derive(clap::Parser)]
struct App {
    #[command(subcommand)]
    db: Db,
}

fn parsed(line: &str) -> Result<Db, clap::Error> {
    App::try_parse_from(line.split_whitespace()).map(|app| app.db)
}

fn is_success(code: ExitCode) -> bool {
    format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS)
}

fn register(conn: &Connection) -> rusqlite::Result<()> {
    conn.create_scalar_function("shout", 1, FunctionFlags::SQLITE_UTF8, |context| {
        context.get::<String>(0).map(|text| text.to_uppercase())
    })
}

#[test]
fn functions_of_the_program_are_there_for_every_command() -> Done {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    let steps = [
        Migration::new(1, "words", "CREATE TABLE words (word TEXT NOT NULL)"),
        Migration::new(2, "loud", "INSERT INTO words VALUES (shout('a'))"),
    ];
    let migrations = Migrations::new("app", "migrations", &steps);
    let migrator = || Migrator::new(&migrations);
    for line in ["db rehearse", "db migrate", "db schema"] {
        assert!(!is_success(parsed(line)?.run(migrator(), &path)), "{line}");
    }
    for line in ["db rehearse", "db migrate", "db schema"] {
        assert!(is_success(parsed(line)?.run_with(migrator(), &path, register)), "{line}");
    }
    let word: String = Connection::open(&path)?.query_row("SELECT word FROM words", [], |row| row.get(0))?;
    assert_eq!(word, "A");
    assert!(!is_success(parsed("db status")?.run_with(migrator(), &path, |_| Err(rusqlite::Error::InvalidQuery))));
    Ok(())
}

#[test]
fn the_schema_is_that_of_all_migrations_whatever_the_migrator_was_told() -> Done {
    let directory = tempfile::tempdir()?;
    let steps = [Migration::new(1, "words", "CREATE TABLE words (word TEXT NOT NULL)")];
    let migrations = Migrations::new("app", "migrations", &steps);
    let events = Mutex::new(0);
    let migrator = Migrator::new(&migrations)
        .backup_before(directory.path().join("backups"), Keep::All)
        .on_event(|_| *events.lock().expect("the lock") += 1);
    assert!(is_success(parsed("db schema")?.run(migrator, directory.path().join("app.db"))));
    assert_eq!((*events.lock().expect("the lock"), directory.path().read_dir()?.count()), (0, 0));
    Ok(())
}

#[test]
fn one_of_several_sets_is_rolled_back_and_the_programs_listener_still_listens() -> Done {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    let core = [Migration::new(1, "users", "CREATE TABLE users (a)").with_down("DROP TABLE users")];
    let tasks = [Migration::new(1, "items", "CREATE TABLE tasks_items (a)").with_down("DROP TABLE tasks_items")];
    let core = Migrations::new("core", "core/migrations", &core);
    let tasks = Migrations::new("tasks", "tasks/migrations", &tasks).table_prefix("tasks_");
    let commits = Mutex::new(0);
    let migrator = || {
        Migrator::new([&core, &tasks])
            .on_event(|event| *commits.lock().expect("the lock") += usize::from(matches!(event, Event::Committed)))
    };
    let run = |line| Ok::<_, clap::Error>(is_success(parsed(line)?.run(migrator(), &path)));
    assert!(run("db migrate")?);
    assert!(!run("db rollback")?, "which set is meant is not said");
    assert!(run("db rollback --set tasks --all")?);
    let status = migrator().status(&mut Connection::open(&path)?)?;
    assert_eq!(status.sets().iter().map(SetStatus::current).collect::<Vec<_>>(), [Some(1), None]);
    assert_eq!(*commits.lock().expect("the lock"), 2);
    Ok(())
}
