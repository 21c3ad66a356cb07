//! The whole macro, on directories of its own: reproducible, and no input makes it panic.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::embed;
use crate::input::Input;
use crate::sqlite::Sqlite;

/// What the macro makes of a directory of these files.
fn expand(options: &str, files: &[(String, Vec<u8>)]) -> String {
    let manifest = tempfile::tempdir().expect("a directory");
    let directory = manifest.path().join("migrations");
    fs::create_dir(&directory).expect("a directory");
    for (name, bytes) in files {
        let path = directory.join(name);
        if let Some(folder) = path.parent() {
            // Two of the names may stand in each other's way, and some the file system refuses.
            let _ = fs::create_dir_all(folder);
        }
        let _ = fs::write(path, bytes);
    }
    match syn::parse_str::<Input>(options) {
        Ok(input) => embed::<Sqlite>(&input, manifest.path()).to_string(),
        Err(error) => error.to_string(),
    }
}

/// The tokens for the Molos schema, with line ends as a checkout may give them.
fn molos_schema(line_end: &str) -> String {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).expect("SQL").replace('\n', line_end).into_bytes())
    };
    let files: Vec<_> = fs::read_dir(schema).expect("the Molos schema").map(read).collect();
    let tokens = expand("", &files);
    assert!(tokens.contains("NewMcpApiKeys") && !tokens.contains("compile_error"), "{tokens}");
    tokens
}

#[test]
fn the_same_sql_becomes_the_same_rust_wherever_and_with_whatever_line_ends_it_is_checked_out() {
    let tokens_of_one_checkout = molos_schema("\n");
    assert_eq!(tokens_of_one_checkout, molos_schema("\n"));
    assert_eq!(tokens_of_one_checkout, molos_schema("\r\n"));
}

/// Names of files, most of them nearly right.
fn name() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "1",
        "001",
        "0",
        "99999999999999999999",
        "V1",
        "U2",
        "V",
        "_",
        "__",
        "-",
        "a",
        "é",
        "up",
        "down",
        ".",
        ".sql",
        ".up.sql",
        ".down.sql",
        "/up.sql",
        "/down.sql",
        "/",
        " ",
        "2024-01-02",
        "_030405_",
        "molos.lock",
    ]);
    prop::collection::vec(part, 1..6).prop_map(|parts| parts.concat().trim_start_matches('/').replace("..", "."))
}

/// SQL, most of it nearly right.
fn sql() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "CREATE",
        "TABLE",
        "INDEX",
        "VIEW",
        "TRIGGER",
        "VIRTUAL",
        "USING fts5",
        "a",
        "b",
        "\"c d\"",
        "[e]",
        "`f`",
        "''",
        "'é'",
        "\"",
        "'",
        "(",
        ")",
        ",",
        ";",
        "\n",
        "\r\n",
        "\0",
        "--",
        "/*",
        "*/",
        "ON",
        "AS",
        "SELECT",
        "*",
        "FROM",
        "WHERE",
        "1",
        "?1",
        ":x",
        "INSERT INTO",
        "VALUES",
        "UPDATE",
        "SET",
        "DELETE",
        "DROP",
        "ALTER",
        "RENAME",
        "TO",
        "ADD",
        "COLUMN",
        "TEXT",
        "INTEGER",
        "NOT NULL",
        "DEFAULT",
        "PRIMARY KEY",
        "UNIQUE",
        "CHECK",
        "REFERENCES",
        "GENERATED ALWAYS",
        "STORED",
        "STRICT",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT",
        "END",
        "PRAGMA",
        "foreign_keys",
        "=",
        "off",
        "on",
        "ATTACH",
        "VACUUM",
        "WITH RECURSIVE",
        "EXPLAIN",
        "REINDEX",
        "ANALYZE",
        "WITHOUT ROWID",
        "sqlite_schema",
        "_molos_migrations",
        "-- molos: foreign-keys = on\n",
        "-- molos:",
        "-- +goose Up\n",
        "-- +goose Down\n",
        "-- migrate:up\n",
        "--> statement-breakpoint",
        "CREATE TABLE a (b INTEGER PRIMARY KEY, \"c d\" TEXT NOT NULL);",
        "CREATE TABLE \"\" (\"\");",
        "CREATE TABLE \"1 é\" (\"fn\", \"self\");",
    ]);
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_directory_makes_the_macro_panic(files in prop::collection::vec((name(), sql().prop_map(String::into_bytes)), 1..5)) {
        expand("", &files);
    }

    #[test]
    fn no_sql_makes_the_macro_panic(scripts in prop::collection::vec(sql(), 1..4), down in sql()) {
        let up = |(number, sql): (usize, &String)| (format!("{number}_step.sql"), sql.clone().into_bytes());
        let mut files: Vec<_> = scripts.iter().enumerate().map(up).collect();
        files.push(("0_step.down.sql".to_owned(), down.into_bytes()));
        expand("", &files);
    }

    #[test]
    fn no_bytes_make_the_macro_panic(up: Vec<u8>, down: Vec<u8>, lock: Vec<u8>) {
        let file = |name: &str, bytes| (name.to_owned(), bytes);
        expand("", &[file("1_a.sql", up), file("1_a.down.sql", down), file("molos.lock", lock)]);
    }

    #[test]
    fn no_options_make_the_macro_panic(options in "[\"a-z0-9_/=,{}\\[\\]> -]{0,40}", name in "\\PC{0,12}") {
        expand(&options, &[("1_a.sql".to_owned(), b"CREATE TABLE a (b);".to_vec())]);
        let name = name.replace(['"', '\\'], "");
        let options = format!("functions = [\"{name}/1\"], rename = {{ \"{name}\" => Name }}, ignore = [\"{name}\"], set = \"{name}\"");
        expand(&options, &[("1_a.sql".to_owned(), format!("CREATE TABLE \"{name}\" (\"{name}\");").into_bytes())]);
    }
}
