//! What cargo sees of a directory of migrations: real builds of a small program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MAIN: &str = r#"
mod db {
    molos::embed_migrations!();
}

fn main() {
    for migration in db::MIGRATIONS.iter() {
        println!("{} {} {}", migration.version(), migration.name(), migration.up().trim_end());
    }
}
"#;

const NOTES: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);\n";
const TAGS: &str = "CREATE TABLE tags (name TEXT NOT NULL);\n";

/// A program in a directory of its own, built in the directory that the other tests have filled.
struct Program {
    directory: tempfile::TempDir,
    target: PathBuf,
}

impl Program {
    fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository");
        let target =
            Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory").join("tests/trybuild");
        let program = Self { directory: tempfile::tempdir().expect("a directory"), target };
        let manifest = format!(
            "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dependencies]\nmolos.path = '{}'\n\n[workspace]\n",
            root.display()
        );
        program.write("Cargo.toml", &manifest);
        program.write("src/main.rs", MAIN);
        program.write("migrations/001_notes.sql", NOTES);
        std::fs::copy(root.join("Cargo.lock"), program.directory.path().join("Cargo.lock")).expect("a copy");
        program
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.directory.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }

    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.directory.path().join(path)).ok()
    }

    fn cargo(&self, arguments: &[&str]) -> Output {
        self.cargo_with_lock("", arguments)
    }

    fn cargo_with_lock(&self, lock: &str, arguments: &[&str]) -> Output {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(arguments).arg("--offline").current_dir(&self.directory).env("CARGO_TARGET_DIR", &self.target);
        cargo.env("MOLOS_LOCK", lock).output().expect("cargo")
    }

    /// Builds, and returns what was said if that failed.
    fn build(&self, lock: &str) -> Option<String> {
        let output = self.cargo_with_lock(lock, &["build", "--quiet"]);
        (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn run(&self) -> String {
        let output = self.cargo(&["run", "--quiet"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn an_edit_of_a_file_compiles_the_program_again() {
    let program = Program::new("molos-edited");
    assert_eq!(program.run(), format!("1 notes {NOTES}"));
    let edited = NOTES.replace("body", "text");
    program.write("migrations/001_notes.sql", &edited);
    assert_eq!(program.run(), format!("1 notes {edited}"));
}

#[test]
fn a_new_file_is_missed_only_without_the_line_in_the_build_script_and_then_a_test_says_so() {
    let program = Program::new("molos-extended");
    program.write("migrations/README.md", "not a migration");
    assert!(program.cargo(&["test", "--quiet"]).status.success());

    program.write("migrations/002_tags.sql", TAGS);
    let output = program.cargo(&["test", "--quiet"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let help = "`002_tags.sql` is not in this binary; write \
                `println!(\"cargo::rerun-if-changed=migrations\");` in build.rs, so that cargo sees new files";
    assert!(said.contains(help), "{said}");

    program.write("build.rs", "fn main() { println!(\"cargo::rerun-if-changed=migrations\"); }");
    assert_eq!(program.run(), format!("1 notes {NOTES}2 tags {TAGS}"));
    program.write("migrations/003_tags.sql", "CREATE VIEW all_tags AS SELECT * FROM tags;\n");
    assert!(program.run().contains("3 tags CREATE VIEW all_tags AS SELECT * FROM tags;"));
    assert!(program.cargo(&["test", "--quiet"]).status.success());
}

#[test]
fn a_development_build_compiles_sqlite_once_for_the_compiler_and_the_program() {
    let program = Program::new("molos-once");
    let output = program.cargo(&["build", "--message-format=json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let sqlite = messages
        .lines()
        .filter(|message| message.contains("\"build-script-executed\"") && message.contains("libsqlite3-sys"));
    assert_eq!(sqlite.count(), 1);
}

#[test]
fn the_lock_is_written_only_when_that_is_asked_for_and_then_holds() {
    let program = Program::new("molos-locked");
    program.write("build.rs", "fn main() { println!(\"cargo::rerun-if-changed=migrations\"); }");
    let lock = || program.read("migrations/molos.lock");
    let names = || -> Vec<String> {
        let text = lock().unwrap_or_default();
        let entries = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
        entries.filter_map(|line| line.rsplit(' ').next().map(ToOwned::to_owned)).collect()
    };
    assert_eq!(program.build(""), None);
    assert_eq!(lock(), None);
    assert_eq!(program.build("update"), None);
    assert_eq!(names(), ["notes"]);

    program.write("migrations/002_tags.sql", TAGS);
    assert_eq!(program.build(""), None);
    assert_eq!(names(), ["notes"], "a new migration can still be changed");
    assert_eq!(program.build("update"), None);
    assert_eq!(names(), ["notes", "tags"]);
    let locked = lock();

    let text = locked.clone().unwrap_or_default();
    let fingerprint = text.rsplit(' ').nth(1).expect("a fingerprint");
    let other = text.replace(fingerprint, &"0".repeat(64));
    program.write("migrations/molos.lock", &other);
    assert!(program.build("").expect("an error").contains("migration 2 (tags) leads to another schema"));
    program.write("migrations/molos.lock", &other.replace("fingerprints = ", "fingerprints = 9"));
    assert_eq!(program.build(""), None, "fingerprints of another format are not compared");
    assert_eq!(program.build("update"), None);
    assert_eq!(lock(), locked);

    program.write("migrations/001_notes.sql", &NOTES.replace('\n', "\r\n"));
    assert_eq!(program.build(""), None, "another line end is no edit");

    program.write("migrations/001_notes.sql", &NOTES.replace("body", "text"));
    for request in ["", "update"] {
        let said = program.build(request).expect("an error");
        assert!(said.contains("`migrations/001_notes.sql` was edited after it shipped"), "{said}");
        assert_eq!(lock(), locked);
    }
    assert_eq!(program.build("overwrite"), None);
    assert_ne!(lock(), locked);
    assert_eq!(program.build(""), None);

    let said = program.build("yes").expect("an error");
    assert!(said.contains("MOLOS_LOCK is `yes`"), "{said}");
}

#[test]
fn a_baseline_accepts_what_has_shipped_and_nothing_after_it() {
    let program = Program::new("molos-baseline");
    program.write("build.rs", "fn main() { println!(\"cargo::rerun-if-changed=migrations\"); }");
    program.write("migrations/002_tags.sql", TAGS);
    program.write("migrations/002_tags.down.sql", "CREATE TABLE tags_old (name TEXT);\nDROP TABLE tags;\n");
    for request in ["", "update"] {
        let said = program.build(request).expect("an error");
        assert!(said.contains("`migrations/002_tags.down.sql` does not lead back"), "{said}");
        assert_eq!(program.read("migrations/molos.lock"), None);
    }
    assert_eq!(program.build("baseline"), None);
    let lock = program.read("migrations/molos.lock").expect("a lock");
    assert!(lock.ends_with(" tags\n  inexact-down\n"), "{lock}");
    assert_eq!(program.build(""), None);
    program.write("migrations/003_more.sql", "ALTER TABLE tags ADD COLUMN colour TEXT;\n");
    assert_eq!(program.build("update"), None);
    let longer = program.read("migrations/molos.lock").expect("a lock");
    assert!(longer.starts_with(&lock), "{longer}");

    program.write("migrations/004_links.sql", "CREATE TABLE links (url TEXT);\n");
    program.write("migrations/004_links.down.sql", "ALTER TABLE links RENAME TO old_links;\n");
    let said = program.build("update").expect("an error");
    assert!(said.contains("`migrations/004_links.down.sql` does not lead back"), "{said}");
    program.write(
        "migrations/004_links.down.sql",
        "-- molos: allow inexact-down\nALTER TABLE links RENAME TO old_links;\n",
    );
    assert_eq!(program.build("update"), None);
}

#[test]
fn text_of_sql_files_is_no_documentation_test() {
    let program = Program::new("molos-hostile");
    program.write("src/lib.rs", "pub mod db {\n    molos::embed_migrations!();\n}\n");
    program.write(
        "migrations/002_ways_out.sql",
        "CREATE TABLE fence (a /*\n````\n\n```rust\npanic!()\n```\n\n````sql\n*/);\n\
         CREATE TABLE text_default (a TEXT DEFAULT ('x\n\n    panic!(\"default\")\n'));\n\
         CREATE TABLE kind (a [INT\n\n    panic!(\"type\")\n\n]);\n",
    );
    program.write("migrations/003_a\n\n    panic!(\"name\")\n.sql", "SELECT 1;\n");
    let output = program.cargo(&["test", "--doc"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("running 0 tests"), "{said}");
}
