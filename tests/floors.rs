//! What is true for every database is in the middle of a crate, and knows nothing of the wings beside it.

use std::fs;
use std::path::{Path, PathBuf};

/// The middle of both crates.
const MIDDLE: &[&str] = &[
    "molos-macros/src/check",
    "molos-macros/src/diagnostic.rs",
    "molos-macros/src/dialect.rs",
    "molos-macros/src/input.rs",
    "molos-macros/src/lint",
    "molos-macros/src/read",
    "molos-macros/src/write",
    "molos-runtime/src/database",
    "molos-runtime/src/migrator",
    "molos-runtime/src/model",
    "molos-runtime/src/schema",
];

/// What only a wing says, in lower case: crates, catalogs, statements and types of one database.
const OF_A_WING: &[&str] =
    &["sqlite", "pragma", "affinity", "postgres", "pg_catalog", "pg_class", "information_schema", "tokio"];

/// The lines of the middle that may: where the database is chosen if nothing is said, and names that are not a wing's.
const ALLOWED: &[(&str, &str)] = &[
    ("molos-runtime/src/database/mod.rs", "pub use crate::sqlite::Sqlite as DefaultDatabase;"),
    // The name of another tool.
    ("molos-runtime/src/model/tool.rs", "Self::RusqliteMigration => \"rusqlite_migration\","),
    ("molos-runtime/src/model/tool.rs", "RusqliteMigration,"),
    // What the compiler says where something else is passed: which connections there are.
    ("molos-runtime/src/database/traits.rs", FOR_SQLITE),
    ("molos-runtime/src/database/traits.rs", FOR_POSTGRESQL),
];

const FOR_SQLITE: &str =
    "note = \"for SQLite, pass a `&mut molos::rusqlite::Connection`; of a pooled connection that is `&mut *pooled`\",";
const FOR_POSTGRESQL: &str = "note = \"for PostgreSQL, turn on molos's feature `postgres` or `tokio-postgres`, and pass a `&mut Client` of that crate\"";

/// The lines of a file with a word of a wing in their code. Comments are for users, who have a database; tests need one.
fn words_of_a_wing(text: &str) -> Vec<(usize, &str)> {
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.starts_with("//"));
    let says = |line: &str| OF_A_WING.iter().any(|word| line.to_ascii_lowercase().contains(word));
    lines.filter(|(_, line)| says(line)).map(|(at, line)| (at + 1, line)).collect()
}

fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a directory").map(|entry| entry.expect("an entry").path());
        entries.for_each(|entry| files(&entry, found));
    } else if path.file_name().is_some_and(|name| name != "tests.rs") {
        found.push(path.to_owned());
    }
}

#[test]
fn the_middle_names_no_database() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut said = Vec::new();
    let mut unused = ALLOWED.to_vec();
    for middle in MIDDLE {
        let mut found = Vec::new();
        files(&root.join(middle), &mut found);
        assert!(!found.is_empty(), "{middle}");
        for path in found {
            let shown = path.strip_prefix(root).expect("a file of the repository").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("a file");
            for (line, code) in words_of_a_wing(&text) {
                unused.retain(|allowed| *allowed != (shown.as_str(), code));
                if !ALLOWED.contains(&(shown.as_str(), code)) {
                    said.push(format!("{shown}:{line}: {code}"));
                }
            }
        }
    }
    assert!(said.is_empty(), "these belong in a wing:\n{}", said.join("\n"));
    assert_eq!(unused, [], "nothing needs these any more");
}

#[test]
fn each_crate_chooses_its_database_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("molos-macros/src/lib.rs")).expect("a file");
    let said: Vec<&str> = words_of_a_wing(&text).into_iter().map(|(_, line)| line).collect();
    assert_eq!(
        said,
        ["mod sqlite;", "use crate::sqlite::Sqlite;", "Ok(manifest) => embed::<Sqlite>(&input, &manifest).into(),"]
    );
}

#[test]
fn a_word_of_a_wing_is_found_in_code_and_in_texts_but_not_in_comments_and_tests() {
    let text = "/// On SQLite.\nuse rusqlite::Row;\nlet sql = \"PRAGMA x\";\nlet other = 1;\n\n#[cfg(test)]\nmod tests {\n    use rusqlite::Connection;\n}\n";
    let found = words_of_a_wing(text);
    assert_eq!(found, [(2, "use rusqlite::Row;"), (3, "let sql = \"PRAGMA x\";")]);
}
