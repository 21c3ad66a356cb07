//! What 1,000 migrations and 333 typed tables add to a build, and what a migration, and molos itself, add to a binary:
//! whole runs of cargo on a program made for it, with everything that the program depends on built before.
//!
//! `cargo bench --bench build`; it takes some minutes, most of them for SQLite.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let program = Program::new()?;
    for profile in ["dev", "release"] {
        program.write_migrations(0)?;
        program.build(profile)?;
        let empty = program.size(profile)?;
        let sql = program.write_migrations(1000)?;
        let first = program.build(profile)?;
        let full = program.size(profile)?;
        let mut again = Vec::new();
        for count in [999, 1000, 999, 1000, 999] {
            program.write_migrations(count)?;
            again.push(program.build(profile)?);
        }
        again.sort();
        println!("{profile}: first build {first:.2?}, rebuild after a change {:.2?}", again[again.len() / 2]);
        println!("{profile}: {} bytes for each migration beside its SQL", (full - empty).saturating_sub(sql) / 1000);
    }
    let sql = program.write_migrations(100)?;
    program.build("small")?;
    let full = program.size("small")?;
    program.run_cargo(&["build", "--example", "plain"], "small")?;
    let plain = program.size_of("small/examples/plain")?;
    println!("small: molos and 100 migrations with {sql} bytes of SQL add {} bytes to rusqlite", full - plain);
    Ok(())
}

struct Program {
    directory: PathBuf,
}

impl Program {
    fn new() -> std::io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-build");
        fs::create_dir_all(directory.join("src"))?;
        fs::create_dir_all(directory.join("examples"))?;
        let manifest = format!(
            "[package]\nname = \"bench-build\"\nedition = \"2024\"\n\n[dependencies]\nmolos.path = '{}'\n\n[workspace]\n\n\
             [profile.release.build-override]\nopt-level = 3\ncodegen-units = 16\n\n\
             [profile.small]\ninherits = \"release\"\nlto = true\ncodegen-units = 1\nstrip = true\n",
            root.display()
        );
        fs::write(directory.join("Cargo.toml"), manifest)?;
        fs::write(directory.join("src/main.rs"), MAIN)?;
        fs::write(directory.join("examples/plain.rs"), PLAIN)?;
        fs::write(directory.join("build.rs"), "fn main() { println!(\"cargo::rerun-if-changed=migrations\"); }\n")?;
        fs::copy(root.join("Cargo.lock"), directory.join("Cargo.lock"))?;
        Ok(Self { directory })
    }

    /// Writes `count` migrations, a third of which create a table, beside a first one. Returns the bytes of their SQL.
    fn write_migrations(&self, count: usize) -> std::io::Result<u64> {
        let migrations = self.directory.join("migrations");
        if migrations.exists() {
            fs::remove_dir_all(&migrations)?;
        }
        fs::create_dir_all(&migrations)?;
        fs::write(migrations.join("0000_first.sql"), "CREATE TABLE first (id INTEGER PRIMARY KEY);\n")?;
        let mut bytes = 0;
        for number in 1..=count {
            let table = number.div_ceil(3);
            let mut sql = String::new();
            let _ = match number % 3 {
                1 => writeln!(
                    sql,
                    "CREATE TABLE orders_{table} (\n    id INTEGER PRIMARY KEY,\n    customer TEXT NOT NULL,\n    \
                     total REAL NOT NULL DEFAULT 0,\n    paid BOOLEAN NOT NULL DEFAULT FALSE,\n    note TEXT,\n    \
                     created_at INTEGER NOT NULL DEFAULT (unixepoch())\n);"
                ),
                2 => writeln!(sql, "CREATE INDEX orders_{table}_customer ON orders_{table} (customer);"),
                _ => writeln!(sql, "ALTER TABLE orders_{table} ADD COLUMN shipped_at INTEGER;"),
            };
            bytes += sql.len() as u64;
            fs::write(migrations.join(format!("{number:04}_step_of_the_way.sql")), sql)?;
        }
        Ok(bytes)
    }

    fn build(&self, profile: &str) -> Result<Duration, Box<dyn std::error::Error>> {
        let started = Instant::now();
        self.run_cargo(&["build"], profile)?;
        Ok(started.elapsed())
    }

    fn run_cargo(&self, command: &[&str], profile: &str) -> Result<(), Box<dyn std::error::Error>> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(command).args(["--quiet", "--offline", "--profile", profile]).current_dir(&self.directory);
        let status = cargo.env("CARGO_TARGET_DIR", self.directory.join("target")).status()?;
        if status.success() { Ok(()) } else { Err("the build failed".into()) }
    }

    fn size(&self, profile: &str) -> std::io::Result<u64> {
        let profile = if profile == "dev" { "debug" } else { profile };
        self.size_of(&format!("{profile}/bench-build"))
    }

    fn size_of(&self, binary: &str) -> std::io::Result<u64> {
        Ok(fs::metadata(self.directory.join("target").join(binary))?.len())
    }
}
