//! What several tests need: databases, migrations with rows in them, and how to tell that nothing was lost.

#![allow(dead_code, reason = "no test uses all of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use molos::rusqlite::Connection;
use molos::{Migration, Migrations};

/// A list whose steps read and write every row: a table and rows, an index, a rebuild of the table that others refer
/// to, more rows.
pub const STEPS: &[Migration<'static>] = &[
    step(
        1,
        "authors and books",
        "CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE books (id INTEGER PRIMARY KEY, author_id REFERENCES authors (id) ON DELETE CASCADE, title TEXT);",
        "DROP TABLE books; DROP TABLE authors;",
    ),
    step(
        2,
        "index",
        "CREATE INDEX books_title ON books (title); ALTER TABLE books ADD COLUMN pages INTEGER NOT NULL DEFAULT 1;",
        "ALTER TABLE books DROP COLUMN pages; DROP INDEX books_title;",
    ),
    step(
        3,
        "a name is not null",
        "CREATE TABLE authors_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
         INSERT INTO authors_new SELECT id, coalesce(name, '') FROM authors;
         DROP TABLE authors;
         ALTER TABLE authors_new RENAME TO authors;",
        "CREATE TABLE authors_new (id INTEGER PRIMARY KEY, name TEXT);
         INSERT INTO authors_new SELECT id, name FROM authors;
         DROP TABLE authors;
         ALTER TABLE authors_new RENAME TO authors;",
    ),
    step(
        4,
        "copies",
        "CREATE TABLE copies (book_id INTEGER NOT NULL REFERENCES books (id), shelf TEXT NOT NULL);
         INSERT INTO copies SELECT id, 'shelf ' || title FROM books;
         CREATE INDEX copies_book_id ON copies (book_id);
         UPDATE books SET pages = pages + 1;",
        "DROP TABLE copies; UPDATE books SET pages = pages - 1;",
    ),
];

const fn step(version: u8, name: &'static str, up: &'static str, down: &'static str) -> Migration<'static> {
    let checksum = molos::Checksum::from_bytes([version; 32]);
    Migration::of_file(version as i64, name, name, checksum, script(up), Some(script(down)))
}

const fn script(sql: &str) -> molos::__private::Script<'_> {
    molos::__private::Script { sql, line: 1, keys: molos::ForeignKeys::Off, no_transaction: false }
}

/// A new database in memory.
pub fn memory() -> Connection {
    Connection::open_in_memory().expect("an in-memory database")
}

/// The tables of a database, without the history and its like.
pub fn tables(conn: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name";
    let mut statement = conn.prepare(sql).expect("a query");
    let names = statement.query_map([], |row| row.get(0)).expect("rows");
    names.collect::<molos::rusqlite::Result<_>>().expect("names")
}

/// How many rows a table has.
pub fn count(conn: &Connection, table: &str) -> i64 {
    conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a count")
}

/// All of [`STEPS`].
pub fn library() -> Migrations<'static> {
    Migrations::new("library", "migrations", STEPS)
}

/// The first of [`STEPS`], up to this version.
pub fn library_to(version: usize) -> Migrations<'static> {
    Migrations::new("library", "migrations", &STEPS[..version])
}

/// Rows for a database at version 1: so many authors, of whom the first tenth has as many books.
pub fn fill(conn: &Connection, books: usize) {
    let sql = format!(
        "BEGIN;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {books})
         INSERT INTO authors SELECT i, 'author ' || i FROM n;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {books})
         INSERT INTO books SELECT i, 1 + i % max(1, {books} / 10), printf('title %d %.*c', i, 60, 'x') FROM n;
         COMMIT;"
    );
    conn.execute_batch(&sql).expect("rows");
}

/// A database file at version 1 with so many books in it; with none, it is a new one.
pub fn database(path: &Path, journal_mode: &str, books: usize) {
    let mut conn = Connection::open(path).expect("a database");
    conn.pragma_update(None, "journal_mode", journal_mode).expect("its journal");
    if books > 0 {
        library_to(1).migrate(&mut conn).expect("the first step");
        fill(&conn, books);
    }
}

/// The bytes of every file in a directory, but for the index of a WAL, which holds locks, and for a WAL with nothing in
/// it, which every reader makes.
pub fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("a file").path());
    let is_data = |path: &PathBuf| path.is_file() && !path.to_string_lossy().ends_with("-shm");
    let files = paths.filter(is_data).map(|path| (path.clone(), fs::read(&path).expect("its bytes")));
    files.filter(|(path, bytes)| !(bytes.is_empty() && path.to_string_lossy().ends_with("-wal"))).collect()
}

/// Everything that must be so in a database that any fault was survived by: it is sound, it is at one version with
/// all of its schema, and the rows are there.
pub fn assert_whole(conn: &mut Connection, books: usize) -> usize {
    let check: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(check, "ok");
    let broken = conn.prepare("PRAGMA foreign_key_check").and_then(|mut check| check.exists([])).expect("a check");
    assert!(!broken, "every key points at something");

    let status = molos::Migrator::new(&library()).status(conn).expect("a history");
    let version = usize::try_from(status.sets()[0].current().unwrap_or(0)).expect("a version");
    let expected = fingerprints()[version];
    assert_eq!(molos::Schema::read(conn).expect("a schema").fingerprint(), expected, "at version {version}");
    if version == 0 || books == 0 {
        return version;
    }
    let sum = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a sum");
    let books = i64::try_from(books).expect("a number");
    assert_eq!(sum("SELECT sum(id) FROM books WHERE length(title) > 60"), books * (books + 1) / 2);
    assert_eq!(
        sum("SELECT count(DISTINCT author_id) FROM books JOIN authors ON authors.id = author_id"),
        (books / 10).max(1)
    );
    if version > 1 {
        let pages = if version == 4 { 2 } else { 1 };
        assert_eq!(sum("SELECT sum(pages) FROM books"), books * pages);
    }
    if version == 4 {
        assert_eq!(sum("SELECT sum(book_id) FROM copies"), books * (books + 1) / 2);
    }
    version
}

/// The fingerprints of an empty schema and of what each of [`STEPS`] leads to, found out step by step.
pub fn fingerprints() -> &'static [molos::Fingerprint] {
    static FINGERPRINTS: std::sync::OnceLock<Vec<molos::Fingerprint>> = std::sync::OnceLock::new();
    FINGERPRINTS.get_or_init(|| {
        let mut conn = Connection::open_in_memory().expect("a database");
        let at = |version| {
            library_to(version).migrate(&mut conn).expect("a clean run");
            molos::Schema::read(&conn).expect("a schema").fingerprint()
        };
        (0..=STEPS.len()).map(at).collect()
    })
}
