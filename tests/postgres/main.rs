//! Migrations on a real PostgreSQL server, which is started for these tests and gone afterwards.
//!
//! Its programs are looked for in the directory that `MOLOS_TEST_POSTGRES_BIN` names, then in the `PATH` and where Debian
//! puts them. Where there are none, the tests are reported as ignored; if `CI` is set, that is a failure.

mod cluster;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use molos::{ErrorKind, Event, Migration, Migrations, Migrator, Postgres, Rollback, State};

use crate::cluster::Cluster;

type Outcome = Result<(), Failed>;
type Test = fn(&Database) -> Outcome;

static CLUSTER: LazyLock<Result<Cluster, String>> = LazyLock::new(Cluster::start);

fn main() {
    let arguments = Arguments::from_args();
    let is_there = cluster::programs().is_some();
    let must_be_there = std::env::var_os("CI").is_some();
    let tests: [(&str, Test); 9] = [
        ("a_blocking_client_migrates_and_rolls_back", a_blocking_client_migrates_and_rolls_back),
        ("an_asynchronous_client_migrates_and_rolls_back", an_asynchronous_client_migrates_and_rolls_back),
        ("a_failure_undoes_everything_and_says_where", a_failure_undoes_everything_and_says_where),
        ("several_that_start_at_once_apply_each_step_once", several_that_start_at_once_apply_each_step_once),
        ("a_cancelled_migration_leaves_nothing_behind", a_cancelled_migration_leaves_nothing_behind),
        ("a_changed_search_path_is_put_back_after_each_script", a_changed_search_path_is_put_back_after_each_script),
        ("hooks_run_in_the_transaction_and_must_not_end_it", hooks_run_in_the_transaction_and_must_not_end_it),
        ("an_open_transaction_is_refused", an_open_transaction_is_refused),
        ("a_temporary_table_is_not_taken_for_the_databases", a_temporary_table_is_not_taken_for_the_databases),
    ];
    let trials = tests.into_iter().map(|(name, test)| {
        let trial = Trial::test(name, move || {
            let cluster = CLUSTER.as_ref().map_err(|error| Failed::from(error.as_str()))?;
            test(&Database::new(cluster))
        });
        trial.with_ignored_flag(!is_there && !must_be_there)
    });
    if !is_there {
        eprintln!(
            "no PostgreSQL server was found: install one, or name its programs' directory in MOLOS_TEST_POSTGRES_BIN"
        );
    }
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if is_there && let Ok(cluster) = &*CLUSTER {
        cluster.stop();
    }
    conclusion.exit();
}

/// A database of its own for a test.
struct Database {
    parameters: String,
}

impl Database {
    fn new(cluster: &Cluster) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut client = postgres::Client::connect(&cluster.parameters("postgres"), postgres::NoTls).expect("a client");
        client.batch_execute(&format!("CREATE DATABASE {name}")).expect("a database");
        Self { parameters: cluster.parameters(&name) }
    }

    fn client(&self) -> postgres::Client {
        postgres::Client::connect(&self.parameters, postgres::NoTls).expect("a client")
    }

    /// Runs `test` with an asynchronous client.
    fn with_client<T>(&self, test: impl AsyncFnOnce(tokio_postgres::Client) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let (client, connection) =
                tokio_postgres::connect(&self.parameters, tokio_postgres::NoTls).await.expect("a client");
            tokio::spawn(connection);
            test(client).await
        })
    }

    fn value(&self, sql: &str) -> i64 {
        self.client().query_one(sql, &[]).expect("a row").get(0)
    }

    /// The names of the tables that migrations made, in order.
    fn tables(&self) -> Vec<String> {
        const TABLES: &str = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
                              AND relname <> '_molos_migrations' ORDER BY 1";
        self.client().query(TABLES, &[]).expect("rows").iter().map(|row| row.get(0)).collect()
    }
}

fn steps() -> Vec<Migration<'static, Postgres>> {
    vec![
        Migration::new(1, "users", "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);")
            .with_down("DROP TABLE users;"),
        Migration::new(
            2,
            "tags",
            "CREATE TABLE tags (user_id bigint NOT NULL REFERENCES users (id), tag text NOT NULL);\n\
             CREATE FUNCTION shout(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN upper(t); END $$;\n\
             INSERT INTO users VALUES (1, shout('ada; lovelace')); INSERT INTO tags VALUES (1, 'first');",
        )
        .with_down("DROP TABLE tags; DELETE FROM users WHERE id = 1; DROP FUNCTION shout(text);"),
    ]
}

fn a_blocking_client_migrates_and_rolls_back(database: &Database) -> Outcome {
    let steps = steps();
    let migrations = Migrations::new("app", "migrations", &steps);
    let mut client = database.client();
    assert_eq!(Migrator::new(&migrations).plan(&mut client)?.steps().len(), 2);
    assert_eq!(migrations.migrate(&mut client)?.steps().len(), 2);
    assert_eq!(migrations.migrate(&mut client)?.to_string(), "up to date");
    assert_eq!(database.tables(), ["tags", "users"]);
    assert_eq!(database.value("SELECT count(*) FROM users WHERE name = 'ADA; LOVELACE'"), 1);

    let migrator = Migrator::new(&migrations);
    let status = migrator.status(&mut client)?;
    assert!(status.steps().all(|step| step.state == State::Applied) && status.is_up_to_date());
    assert_eq!(migrator.rehearse(&mut client)?.to_string(), "nothing to do");
    assert_eq!(migrator.rollback(&mut client, Rollback::Steps(1))?.steps().len(), 1);
    assert_eq!(database.tables(), ["users"]);
    assert_eq!(migrator.rehearse(&mut client)?.steps()[0].rows, 2);
    assert_eq!(database.tables(), ["users"]);
    migrator.rollback(&mut client, Rollback::All)?;
    assert_eq!((database.tables(), migrator.status(&mut client)?.pending()), (Vec::new(), 2));
    Ok(())
}

fn an_asynchronous_client_migrates_and_rolls_back(database: &Database) -> Outcome {
    let steps = steps();
    let migrations = Migrations::new("app", "migrations", &steps);
    database.with_client(async |mut client| -> Outcome {
        assert_eq!(migrations.migrate(&mut client).await?.steps().len(), 2);
        let migrator = Migrator::new(&migrations);
        assert!(migrator.status(&mut client).await?.is_up_to_date());
        assert_eq!(migrator.rollback(&mut client, Rollback::To(1)).await?.steps().len(), 1);
        Ok(())
    })?;
    assert_eq!(database.tables(), ["users"]);
    // The future can be sent to another thread.
    let steps: &'static [Migration<'static, Postgres>] = steps.leak();
    let reports = database.with_client(async |mut client| {
        let task = tokio::spawn(async move { Migrations::new("app", "migrations", steps).migrate(&mut client).await });
        task.await.expect("no panic")
    })?;
    assert_eq!(reports.steps().len(), 1);
    Ok(())
}

fn a_failure_undoes_everything_and_says_where(database: &Database) -> Outcome {
    let mut steps = steps();
    steps.push(Migration::new(
        3,
        "typo",
        "CREATE TABLE notes (id bigint);\nINSERT INTO notes (ü, nope) VALUES (1, 2);",
    ));
    let migrations = Migrations::new("app", "migrations", &steps);
    let mut client = database.client();
    let error = migrations.migrate(&mut client).expect_err("there is no such column");
    let shown = format!("{error:#}");
    assert!(shown.contains("migrations/typo:2:20") && shown.contains("column \"ü\""), "{shown}");
    assert_eq!(database.tables(), [""; 0]);
    steps.pop();
    assert_eq!(Migrations::new("app", "migrations", &steps).migrate(&mut client)?.steps().len(), 2);

    steps.push(Migration::new(3, "ends", "CREATE TABLE notes (id bigint);\nCOMMIT;"));
    let error = Migrations::new("app", "migrations", &steps).migrate(&mut client).expect_err("it would commit");
    assert!(format!("{error:#}").contains("migrations/ends:2:1"), "{error:#}");
    assert_eq!(database.tables(), ["tags", "users"]);
    Ok(())
}

fn several_that_start_at_once_apply_each_step_once(database: &Database) -> Outcome {
    let mut steps = steps();
    steps.push(Migration::new(3, "slow", "SELECT pg_sleep(0.3); CREATE TABLE slow (id bigint);"));
    let waits = AtomicU32::new(0);
    let applied = thread::scope(|scope| {
        let starters: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let migrations = Migrations::new("app", "migrations", &steps);
                    let migrator = Migrator::new(&migrations).on_event(|event| {
                        waits.fetch_add(u32::from(matches!(event, Event::Waiting { .. })), Ordering::Relaxed);
                    });
                    Ok::<_, molos::Error>(migrator.migrate(&mut database.client())?.steps().len())
                })
            })
            .collect();
        starters.into_iter().map(|starter| starter.join().expect("no panic")).sum::<Result<usize, _>>()
    })?;
    assert_eq!((applied, database.value("SELECT count(*) FROM public._molos_migrations")), (3, 3));
    assert!(waits.load(Ordering::Relaxed) > 0, "somebody waited");
    Ok(())
}

fn a_cancelled_migration_leaves_nothing_behind(database: &Database) -> Outcome {
    let mut steps = steps();
    steps.push(Migration::new(
        3,
        "slow",
        "SET search_path = pg_temp; SELECT pg_sleep(0.5); CREATE TABLE slow (id bigint);",
    ));
    let migrations = Migrations::new("app", "migrations", &steps);
    for milliseconds in [0, 1, 3, 10, 30, 100] {
        database.with_client(async |mut client| -> Outcome {
            let limit = Duration::from_millis(milliseconds);
            assert!(tokio::time::timeout(limit, migrations.migrate(&mut client)).await.is_err(), "it takes longer");
            // The connection is usable at once, and as it was.
            let path: String = client.query_one("SHOW search_path", &[]).await?.get(0);
            assert_eq!(path, "\"$user\", public");
            assert_eq!(Migrator::new(&migrations).status(&mut client).await?.pending(), 3);
            Ok(())
        })?;
        assert_eq!(database.tables(), [""; 0], "{milliseconds}");
    }
    Ok(())
}

fn a_changed_search_path_is_put_back_after_each_script(database: &Database) -> Outcome {
    let steps = [
        Migration::new(
            1,
            "dump",
            "SELECT pg_catalog.set_config('search_path', '', false);\nCREATE TABLE public.a (b int);",
        ),
        Migration::new(2, "plain", "CREATE TABLE c (d int);"),
    ];
    let migrations = Migrations::new("app", "migrations", &steps);
    let mut client = database.client();
    migrations.migrate(&mut client)?;
    assert_eq!(database.tables(), ["a", "c"]);
    assert_eq!(client.query_one("SHOW search_path", &[])?.get::<_, String>(0), "\"$user\", public");
    Ok(())
}

fn hooks_run_in_the_transaction_and_must_not_end_it(database: &Database) -> Outcome {
    use molos::postgres::Hook;
    let insert = Hook::Blocking(|client| Ok(client.batch_execute("INSERT INTO users VALUES (7, 'hook')")?));
    let commit = Hook::Blocking(|client| Ok(client.batch_execute("COMMIT; BEGIN")?));
    let insert_later = Hook::Asynchronous(|client| {
        Box::pin(async move { Ok(client.batch_execute("INSERT INTO users VALUES (8, 'hook')").await?) })
    });
    let users = steps()[0];
    let run = |hook| {
        let steps = [users.with_client_hook(hook)];
        Migrations::new("app", "migrations", &steps).migrate(&mut database.client()).map(drop)
    };
    let error = run(commit).expect_err("it ends the transaction");
    assert!(
        format!("{error:#}").contains("ended the transaction") || format!("{error:#}").contains("end the transaction")
    );
    database.client().batch_execute("DROP TABLE users")?;
    let error = run(insert_later).expect_err("it is for the other client");
    assert!(format!("{error:#}").contains("a client of the other kind"), "{error:#}");
    run(insert)?;
    assert_eq!(database.value("SELECT count(*) FROM users WHERE id = 7"), 1);

    let steps = [users, Migration::new(2, "more", "SELECT 1").with_client_hook(insert_later)];
    database.with_client(async |mut client| {
        Migrations::new("app", "migrations", &steps).migrate(&mut client).await.map(drop)
    })?;
    assert_eq!(database.value("SELECT count(*) FROM users WHERE id = 8"), 1);
    Ok(())
}

fn an_open_transaction_is_refused(database: &Database) -> Outcome {
    let steps = steps();
    let migrations = Migrations::new("app", "migrations", &steps);
    let mut client = database.client();
    for begin in ["BEGIN", "BEGIN; SELECT 1", "BEGIN; SAVEPOINT a"] {
        client.batch_execute(begin)?;
        let error = migrations.migrate(&mut client).expect_err("it is in a transaction");
        assert!(error.to_string().contains("inside a transaction"), "{error}");
        client.batch_execute("ROLLBACK")?;
    }
    client.batch_execute("BEGIN")?;
    client.batch_execute("nonsense").expect_err("it is no SQL");
    let error = migrations.migrate(&mut client).expect_err("it is in a transaction that failed");
    assert!(error.to_string().contains("inside a transaction"), "{error}");
    client.batch_execute("ROLLBACK")?;
    migrations.migrate(&mut client)?;
    Ok(())
}

fn a_temporary_table_is_not_taken_for_the_databases(database: &Database) -> Outcome {
    let steps = steps();
    let migrations = Migrations::new("app", "migrations", &steps);
    let mut client = database.client();
    client.batch_execute("CREATE TEMPORARY TABLE users (id bigint)")?;
    let error = migrations.migrate(&mut client).expect_err("it is in the way");
    assert!(matches!(error.kind(), ErrorKind::Temporary { names, .. } if names == &["users"]), "{error}");
    assert_eq!(database.tables(), [""; 0]);
    client.batch_execute("DROP TABLE users")?;
    assert_eq!(migrations.migrate(&mut client)?.steps().len(), 2);
    Ok(())
}
