//! What a migration costs in memory, counted and not timed.

use molos::rusqlite::Connection;
use molos::{Migration, Migrations};

/// How many bytes are allocated for a script of so many statements, and how many it has itself.
fn allocated(statements: usize) -> (u64, u64) {
    let script = "INSERT INTO notes VALUES ('some text of a certain length');\n".repeat(statements);
    let list = [Migration::new(1, "notes", "CREATE TABLE notes (body TEXT)"), Migration::new(2, "seed", &script)];
    let migrations = Migrations::new("app", "migrations", &list);
    let mut conn = Connection::open_in_memory().expect("a database");
    let info = allocation_counter::measure(|| {
        migrations.migrate(&mut conn).expect("it migrates");
    });
    let rows: i64 = conn.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).expect("a count");
    assert_eq!(usize::try_from(rows), Ok(statements));
    (info.bytes_total, script.len().try_into().expect("a length"))
}

/// For each statement of a script, rusqlite's `execute_batch` copies all that is left of it.
#[test]
fn a_long_script_costs_memory_in_its_length_and_not_its_square() {
    for statements in [100, 10_000] {
        let (bytes, length) = allocated(statements);
        assert!(bytes < 10 * length + 100_000, "{bytes} bytes are allocated for a script of {length}");
    }
}
