//! A program's start, against the least that it could cost: the same SQL through `execute_batch` in one transaction,
//! or, when there is nothing to do, opening the database and reading its schema once.
//!
//! `cargo bench --bench start`; the two lines of a group are to be compared with each other, not across runs.

use divan::{Bencher, black_box};
use molos::rusqlite::Connection;
use molos::{Migration, Migrations};
use tempfile::TempDir;

fn main() {
    divan::main();
}

/// A third of them create a table, a third an index, and a third change a table's columns and rows.
fn scripts(count: usize) -> Vec<(String, String)> {
    let script = |number: usize| {
        let table = number / 3;
        match number % 3 {
            0 => format!(
                "CREATE TABLE t{table} (\n    id INTEGER PRIMARY KEY,\n    parent INTEGER REFERENCES t{table} (id),\n    \
                 name TEXT NOT NULL,\n    created_at INTEGER NOT NULL DEFAULT (unixepoch())\n);\n"
            ),
            1 => format!("CREATE INDEX t{table}_parent ON t{table} (parent);\n"),
            _ => format!(
                "-- A note.\nALTER TABLE t{table} ADD COLUMN note TEXT;\n\
                 INSERT INTO t{table} (name, note) VALUES ('one', 'a'), ('two', 'b');\n"
            ),
        }
    };
    (0..count).map(|number| (format!("{number:04}_step"), script(number))).collect()
}

fn migrations(scripts: &[(String, String)]) -> Vec<Migration<'_>> {
    let numbered = (0..).zip(scripts);
    numbered
        .map(|(version, (name, up))| {
            Migration::new(version, name, up).with_down("DROP TABLE IF EXISTS some_table_of_some_name;")
        })
        .collect()
}

#[divan::bench_group(sample_count = 40, sample_size = 1)]
mod fresh_apply {
    use super::{Bencher, Connection, Migrations, TempDir, black_box, migrations, scripts};

    #[divan::bench(args = [100, 1000])]
    fn floor(bencher: Bencher, count: usize) {
        let scripts = scripts(count);
        bencher.with_inputs(new_database).bench_refs(|(_directory, conn)| {
            let tx = conn.transaction().expect("a transaction");
            for (_, sql) in &scripts {
                tx.execute_batch(sql).expect("a step");
            }
            tx.commit().expect("a commit");
        });
    }

    #[divan::bench(args = [100, 1000])]
    fn molos(bencher: Bencher, count: usize) {
        let scripts = scripts(count);
        let list = migrations(&scripts);
        let migrations = Migrations::new("app", "migrations", &list);
        bencher.with_inputs(new_database).bench_refs(|(_directory, conn)| {
            black_box(migrations.migrate(conn).expect("all steps"));
        });
    }

    fn new_database() -> (TempDir, Connection) {
        let directory = tempfile::tempdir().expect("a directory");
        let conn = Connection::open(directory.path().join("app.db")).expect("a database");
        (directory, conn)
    }
}

/// 100 tables, each with an index, from 100 migrations; nothing to do.
#[divan::bench_group(sample_count = 500, sample_size = 1)]
mod no_op_start {
    use super::{Bencher, Connection, Migrations, TempDir, black_box, migrations};

    #[divan::bench]
    fn floor(bencher: Bencher) {
        let (directory, _) = migrated();
        bencher.bench_local(|| {
            let conn = Connection::open(directory.path().join("app.db")).expect("a database");
            black_box(
                conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).expect("a count"),
            )
        });
    }

    #[divan::bench]
    fn molos(bencher: Bencher) {
        let (directory, scripts) = migrated();
        let list = migrations(&scripts);
        let migrations = Migrations::new("app", "migrations", &list);
        bencher.bench_local(|| {
            let mut conn = Connection::open(directory.path().join("app.db")).expect("a database");
            black_box(migrations.migrate(&mut conn).expect("nothing to do"))
        });
    }

    fn tables(count: usize) -> Vec<(String, String)> {
        let script = |number: usize| {
            format!(
                "CREATE TABLE t{number} (\n    id INTEGER PRIMARY KEY,\n    parent INTEGER REFERENCES t{number} (id),\n    \
                 name TEXT NOT NULL\n);\nCREATE INDEX t{number}_parent ON t{number} (parent);\n"
            )
        };
        (0..count).map(|number| (format!("{number:04}_table"), script(number))).collect()
    }

    fn migrated() -> (TempDir, Vec<(String, String)>) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut conn = Connection::open(directory.path().join("app.db")).expect("a database");
        let scripts = tables(100);
        let list = migrations(&scripts);
        Migrations::new("app", "migrations", &list).migrate(&mut conn).expect("all steps");
        (directory, scripts)
    }
}
