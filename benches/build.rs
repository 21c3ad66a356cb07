//! What 1,000 migrations and 333 typed tables add to a build, and what a migration, and molos itself, add to a binary:
//! whole runs of cargo on a program made for it, with everything that the program depends on built before.
//!
//! `cargo bench --bench build`; it takes some minutes, most of them for SQLite.

mod program;

use std::fs;

use crate::program::{Program, Result};

const MAIN: &str = "mod db {
    molos::embed_migrations!();
}

fn main() {
    let mut conn = molos::rusqlite::Connection::open_in_memory().unwrap();
    println!(\"{}\", db::MIGRATIONS.migrate(&mut conn).unwrap());
}
";

/// What a program with a database does at least.
const PLAIN: &str = "use molos::rusqlite::Connection;

fn main() -> molos::rusqlite::Result<()> {
    let conn = Connection::open_in_memory()?;
    conn.execute_batch(\"CREATE TABLE first (id INTEGER PRIMARY KEY)\")?;
    conn.execute(\"INSERT INTO first VALUES (?1)\", [1])?;
    let id: i64 = conn.query_row(\"SELECT id FROM first\", [], |row| row.get(0))?;
    println!(\"{id}\");
    Ok(())
}
";

/// What cargo builds the program with.
const PROFILES: &str = "[profile.release.build-override]
opt-level = 3
codegen-units = 16

[profile.small]
inherits = \"release\"
lto = true
codegen-units = 1
strip = true
";

fn main() -> Result<()> {
    let program = Program::new("bench-build", PROFILES, &[("src/main.rs", MAIN), ("examples/plain.rs", PLAIN)])?;
    for (profile, binary) in [("dev", "debug/bench-build"), ("release", "release/bench-build")] {
        write_migrations(&program, 0)?;
        program.run_cargo(&["build"], profile, &[])?;
        let empty = size(&program, binary)?;
        let sql = write_migrations(&program, 1000)?;
        let first = program.run_cargo(&["build"], profile, &[])?;
        let full = size(&program, binary)?;
        let mut again = Vec::new();
        for count in [999, 1000, 999, 1000, 999] {
            write_migrations(&program, count)?;
            again.push(program.run_cargo(&["build"], profile, &[])?);
        }
        again.sort();
        println!("{profile}: first build {first:.2?}, rebuild after a change {:.2?}", again[again.len() / 2]);
        println!("{profile}: {} bytes for each migration beside its SQL", (full - empty).saturating_sub(sql) / 1000);
    }
    let sql = write_migrations(&program, 100)?;
    program.run_cargo(&["build"], "small", &[])?;
    let full = size(&program, "small/bench-build")?;
    program.run_cargo(&["build", "--example", "plain"], "small", &[])?;
    let plain = size(&program, "small/examples/plain")?;
    println!("small: molos and 100 migrations with {sql} bytes of SQL add {} bytes to rusqlite", full - plain);
    Ok(())
}

/// `count` migrations, a third of which create a table, after a first one; and the bytes of their SQL.
fn migrations(count: usize) -> (Vec<(String, String)>, u64) {
    let mut files = vec![("0000_first.sql".to_owned(), "CREATE TABLE first (id INTEGER PRIMARY KEY);\n".to_owned())];
    let mut bytes = 0;
    for number in 1..=count {
        let table = number.div_ceil(3);
        let sql = match number % 3 {
            1 => format!(
                "CREATE TABLE orders_{table} (\n    id INTEGER PRIMARY KEY,\n    customer TEXT NOT NULL,\n    \
                 total REAL NOT NULL DEFAULT 0,\n    paid BOOLEAN NOT NULL DEFAULT FALSE,\n    note TEXT,\n    \
                 created_at INTEGER NOT NULL DEFAULT (unixepoch())\n);\n"
            ),
            2 => format!("CREATE INDEX orders_{table}_customer ON orders_{table} (customer);\n"),
            _ => format!("ALTER TABLE orders_{table} ADD COLUMN shipped_at INTEGER;\n"),
        };
        bytes += sql.len() as u64;
        files.push((format!("{number:04}_step_of_the_way.sql"), sql));
    }
    (files, bytes)
}

/// Writes so many migrations, and returns the bytes of their SQL.
fn write_migrations(program: &Program, count: usize) -> Result<u64> {
    let (files, bytes) = migrations(count);
    program.write_migrations(&files)?;
    Ok(bytes)
}

fn size(program: &Program, path: &str) -> Result<u64> {
    Ok(fs::metadata(program.built(path))?.len())
}
