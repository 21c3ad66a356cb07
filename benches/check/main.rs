//! How long the macro checks directories as projects have them, in a development build, in which neither the macro nor
//! the SQLite in it is optimised: `cargo check` of the crate alone, less that of the crate without migrations. Beside
//! it, the floor: the same SQL through `execute_batch` on a database in memory, in the same profile.
//!
//! `cargo bench --bench check`; it takes some minutes, most of them for SQLite.

mod directories;
#[path = "../program/mod.rs"]
mod program;

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::directories::Directory;
use crate::program::{Program, Result};

const LIBRARY: &str = "mod db {
    #![allow(dead_code)]

    molos::embed_migrations!();
}
";

/// Runs every up migration in the order of their names.
const FLOOR: &str = "use std::time::Instant;

fn main() {
    let files = std::fs::read_dir(\"migrations\").unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == \"sql\")).collect();
    files.retain(|path| !path.to_string_lossy().ends_with(\".down.sql\"));
    files.sort();
    let scripts: Vec<String> = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let started = Instant::now();
    let conn = molos::rusqlite::Connection::open_in_memory().unwrap();
    for script in &scripts {
        conn.execute_batch(script).unwrap();
    }
    println!(\"{}\", started.elapsed().as_micros());
}
";

/// What the book says makes it faster.
const OPTIMISED: &str = "[profile.dev.package]
libsqlite3-sys.opt-level = 3
molos-macros.opt-level = 3
molos-runtime.opt-level = 3
rusqlite.opt-level = 3
";

fn main() -> Result<()> {
    let files = [("src/lib.rs", LIBRARY), ("examples/floor.rs", FLOOR)];
    measure(&Program::new("bench-check", "", &files)?)?;
    println!("with the macro and SQLite optimised:");
    measure(&Program::new("bench-check-optimised", OPTIMISED, &files)?)
}

fn measure(program: &Program) -> Result<()> {
    let first = ("0001_first.sql".to_owned(), "CREATE TABLE first (id INTEGER PRIMARY KEY);\n".to_owned());
    let least = check(program, &Directory { name: "first", files: vec![first] })?;
    program.run_cargo(&["build", "--example", "floor"], "dev", &[])?;
    for directory in directories::all() {
        let whole = check(program, &directory)?;
        println!(
            "{}: {} files, {:.2?} beside a floor of {:.2?}",
            directory.name,
            directory.files.len(),
            whole.saturating_sub(least),
            floor(program)?
        );
    }
    Ok(())
}

/// How long it takes to do no more than run the SQL.
fn floor(program: &Program) -> Result<Duration> {
    let said = Command::new(program.built("debug/examples/floor")).current_dir(&program.directory).output()?.stdout;
    Ok(Duration::from_micros(String::from_utf8(said)?.trim().parse()?))
}

/// The median of some runs of `cargo check`, once what is found is accepted.
fn check(program: &Program, directory: &Directory) -> Result<Duration> {
    program.write_migrations(&directory.files)?;
    program.run_cargo(&["check"], "dev", &[("MOLOS_LOCK", "baseline")])?;
    let mut times = Vec::new();
    for _ in 0..5 {
        // As after a change of the program.
        fs::write(program.directory.join("src/lib.rs"), LIBRARY)?;
        times.push(program.run_cargo(&["check"], "dev", &[])?);
    }
    times.sort();
    Ok(times[times.len() / 2])
}
