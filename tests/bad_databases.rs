//! Databases that cannot be migrated, as files: each has an error of its own, and is left as it was.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{assert_whole, database, files, library, library_to};
use molos::rusqlite::{Connection, OpenFlags};
use molos::{DatabaseFailure, Error, ErrorKind, Migrator};
use tempfile::TempDir;

const BOOKS: usize = 300;
const PAGE: usize = 4096;

fn new_directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.db");
    (directory, path)
}

/// The error of a migration, after which every byte is as it was before.
fn refused(conn: &mut Connection, directory: &TempDir) -> Error {
    let before = files(directory.path());
    let error = library().migrate(conn).expect_err("it cannot be migrated");
    assert!(files(directory.path()) == before, "nothing is written: {error}");
    error
}

/// The error of everything that reads a history.
fn refused_by_all(path: &Path, directory: &TempDir) -> Error {
    let before = files(directory.path());
    let mut conn = Connection::open(path).expect("SQLite opens it, without a look");
    let error = refused(&mut conn, directory);
    let (migrations, is_same) =
        (library(), |other: &Error| format!("{:?}", other.kind()) == format!("{:?}", error.kind()));
    let migrator = Migrator::new(&migrations);
    let other = migrator.status(&mut conn).expect_err("status");
    assert!(is_same(&other), "status: {other}, where migrate says {error}");
    let other = migrator.plan(&mut conn).expect_err("plan");
    assert!(is_same(&other), "plan: {other}, where migrate says {error}");
    let other = migrator.verify(&mut conn).expect_err("verify");
    assert!(is_same(&other), "verify: {other}, where migrate says {error}");
    let other = migrator.adopt(&mut conn).expect_err("adopt");
    assert!(is_same(&other), "adopt: {other}, where migrate says {error}");
    drop(conn);
    assert!(files(directory.path()) == before, "nothing is written: {error}");
    error
}

/// Bytes as they stand in an encrypted file: a xorshift sequence.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_file_that_is_no_database_says_so() {
    let contents = [b"hello\n".to_vec(), b"#!/bin/sh\n".repeat(1000), noise(3 * PAGE), vec![0; 2 * PAGE]];
    for content in contents {
        let (directory, path) = new_directory();
        fs::write(&path, content).expect("a file");
        let error = refused_by_all(&path, &directory);
        assert!(matches!(error.kind(), ErrorKind::Database(DatabaseFailure::NotADatabase)), "{error}");
        assert_eq!(
            format!("{error:#}"),
            "the file is not a database, or it is encrypted; found while reading the history: file is not a database\n\
             help: check that this is the right file; if it is encrypted, set its key on this connection first"
        );
    }
}

#[test]
fn an_empty_file_is_a_new_database() {
    let (_directory, path) = new_directory();
    fs::write(&path, "").expect("a file");
    let mut conn = Connection::open(&path).expect("a database");
    assert_eq!(library().migrate(&mut conn).expect("it migrates").steps().len(), 4);
}

#[test]
fn a_file_that_was_cut_off_anywhere_is_damaged() {
    for mode in ["delete", "wal"] {
        let (directory, path) = new_directory();
        database(&path, mode, BOOKS);
        let whole = fs::read(&path).expect("its bytes");
        // Of the last page, SQLite takes a part for the whole, with zeros for what is cut off.
        for length in (512..=whole.len() - PAGE).step_by(512) {
            fs::write(&path, &whole[..length]).expect("a part of it");
            let error = refused_by_all(&path, &directory);
            assert!(
                matches!(error.kind(), ErrorKind::Database(DatabaseFailure::Corrupt)),
                "{length} of {}: {error}",
                whole.len()
            );
        }
    }
}

#[test]
fn a_page_of_noise_is_found_wherever_it_is() {
    let (directory, path) = new_directory();
    database(&path, "delete", BOOKS);
    let whole = fs::read(&path).expect("its bytes");
    let mut in_a_statement = 0;
    for page in 0..whole.len() / PAGE {
        let mut damaged = whole.clone();
        damaged[page * PAGE..][..PAGE].copy_from_slice(&noise(PAGE));
        fs::write(&path, damaged).expect("a file");
        let error = refused(&mut Connection::open(&path).expect("a database"), &directory);
        match error.kind() {
            ErrorKind::Database(DatabaseFailure::NotADatabase) => assert_eq!(page, 0),
            ErrorKind::Database(DatabaseFailure::Corrupt) => in_a_statement += usize::from(error.step().is_some()),
            _ => panic!("page {page}: {error:#}"),
        }
    }
    // What only a statement reads: `violations` looks at tables with keys, and at nothing else.
    assert!(in_a_statement > 0);
}

#[test]
fn a_schema_that_makes_no_sense_is_damaged() {
    let (directory, path) = new_directory();
    database(&path, "delete", BOOKS);
    let conn = Connection::open(&path).expect("a database");
    conn.execute_batch(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE books (' WHERE name = 'books'",
    )
    .expect("damage");
    drop(conn);
    let error = format!("{:#}", refused_by_all(&path, &directory));
    assert!(
        error.starts_with(
            "the database is damaged; found while reading the history: malformed database schema (books) - incomplete input"
        ),
        "{error}"
    );
}

#[test]
fn what_cannot_be_written_is_read_only() {
    let (directory, path) = new_directory();
    database(&path, "delete", BOOKS);
    let check = |conn: &mut Connection| {
        let error = refused(conn, &directory);
        assert!(matches!(error.kind(), ErrorKind::Database(DatabaseFailure::ReadOnly)), "{error}");
        let migrations = library();
        let migrator = Migrator::new(&migrations);
        assert_eq!(migrator.status(conn).expect("it can be read").sets()[0].current(), Some(1));
        assert_eq!(migrator.plan(conn).expect("it can be read").steps().len(), 3);
        library_to(1).migrate(conn).expect("there is nothing to do");
        format!("{error:#}")
    };
    let opened =
        |uri: &str, flags| Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI).expect("it opens");
    let shown = path.display();
    assert_eq!(
        check(&mut opened(&format!("file:{shown}"), OpenFlags::SQLITE_OPEN_READ_ONLY)),
        "the database is read-only; running migration 2 (index) of \"library\" failed: attempt to write a readonly database\n  \
         --> migrations/index:1:1\n   | CREATE INDEX books_title ON books (title);\n\
         help: open it for writing; of a database in a file, make the file, what is beside it, and the directory writable \
         for this user"
    );
    check(&mut opened(&format!("file:{shown}?immutable=1"), OpenFlags::SQLITE_OPEN_READ_WRITE));
    check(&mut opened(&format!("file:{shown}?mode=ro"), OpenFlags::SQLITE_OPEN_READ_WRITE));
    let mut query_only = Connection::open(&path).expect("a database");
    query_only.execute_batch("PRAGMA query_only = ON").expect("a pragma");
    check(&mut query_only);
}

#[cfg(unix)]
#[test]
fn a_file_or_directory_without_permission_is_read_only() {
    use std::os::unix::fs::PermissionsExt as _;

    for mode in ["delete", "wal"] {
        for is_directory in [false, true] {
            let (directory, path) = new_directory();
            database(&path, mode, BOOKS);
            let (guarded, bits) = if is_directory { (directory.path(), 0o555) } else { (path.as_path(), 0o444) };
            fs::set_permissions(guarded, fs::Permissions::from_mode(bits)).expect("permissions");
            // They do not hold root back.
            let is_held_back = if is_directory {
                fs::write(directory.path().join("probe"), "").is_err()
            } else {
                fs::OpenOptions::new().append(true).open(&path).is_err()
            };
            if is_held_back {
                let error =
                    library().migrate(&mut Connection::open(&path).expect("a database")).expect_err("a refusal");
                // Without its directory, a WAL cannot even be read.
                assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::Database(DatabaseFailure::ReadOnly | DatabaseFailure::CannotOpen)
                    ),
                    "{mode}: {error}"
                );
            }
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
            // SQLite makes the WAL and its index with the permissions of the database, and there they stay.
            for path in fs::read_dir(directory.path()).expect("files").map(|entry| entry.expect("a file").path()) {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("permissions");
            }
            let mut conn = Connection::open(&path).expect("a database");
            library().migrate(&mut conn).expect("it can be written again");
            assert_eq!(assert_whole(&mut conn, BOOKS), 4);
        }
    }
}

#[test]
fn a_full_disk_is_never_called_a_mistake_of_the_migration() {
    for mode in ["delete", "wal"] {
        let (directory, path) = new_directory();
        database(&path, mode, BOOKS);
        let mut conn = Connection::open(&path).expect("a database");
        let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a number");
        // A tiny cache has pages written before the commit, which have to be rolled back.
        conn.pragma_update(None, "cache_size", 5).expect("a pragma");
        let mut in_a_statement = 0;
        for room in pages.. {
            conn.query_row(&format!("PRAGMA max_page_count = {room}"), [], |_| Ok(())).expect("a limit");
            let before = fs::read(&path).expect("its bytes");
            let Err(error) = library().migrate(&mut conn) else { break };
            let is_full = matches!(error.kind(), ErrorKind::Database(DatabaseFailure::Full));
            assert!(is_full && error.is_retryable(), "{room} pages: {error:#}");
            assert!(format!("{error:#}").contains("help: what this call had not committed is undone; free space"));
            in_a_statement += usize::from(error.location().is_some());
            assert!(fs::read(&path).expect("its bytes") == before, "{room} pages: it is rolled back");
            assert_eq!(assert_whole(&mut conn, BOOKS), 1);
            assert!(room < pages + 100, "it fits at last");
        }
        assert!(in_a_statement > 5);
        assert_eq!(assert_whole(&mut conn, BOOKS), 4);
        drop(directory);
    }
}

#[test]
fn a_journal_that_cannot_be_opened_is_told_from_a_database_that_cannot_be_written() {
    for (mode, journal) in [("delete", "app.db-journal"), ("wal", "app.db-wal")] {
        let (directory, path) = new_directory();
        database(&path, mode, BOOKS);
        fs::create_dir(directory.path().join(journal)).expect("a directory");
        let error = refused(&mut Connection::open(&path).expect("a database"), &directory);
        assert!(
            matches!(error.kind(), ErrorKind::Database(DatabaseFailure::CannotOpen | DatabaseFailure::Io)),
            "{mode}: {error}"
        );
        fs::remove_dir(directory.path().join(journal)).expect("it goes");
        library().migrate(&mut Connection::open(&path).expect("a database")).expect("it migrates");
    }
}

#[test]
fn what_a_killed_process_leaves_beside_its_database_is_recovered() {
    for (mode, journal, expected) in [("wal", "app.db-wal", BOOKS + 1), ("delete", "app.db-journal", BOOKS)] {
        let (directory, path) = new_directory();
        database(&path, mode, BOOKS);
        let writer = Connection::open(&path).expect("a database");
        // In the WAL, a row that is committed; in the journal, pages of a transaction that is not, and that are in the
        // file already since the cache is too small for them.
        writer
            .execute_batch("PRAGMA foreign_keys = OFF; PRAGMA cache_size = 2; PRAGMA cache_spill = 1; BEGIN")
            .expect("a transaction");
        if mode == "delete" {
            writer.execute_batch("UPDATE books SET title = upper(title); DELETE FROM authors;").expect("changes");
        }
        writer.execute_batch("INSERT INTO books VALUES (301, 1, printf('title %.*c', 60, 'x'))").expect("a row");
        if mode == "wal" {
            writer.execute_batch("COMMIT").expect("a commit");
        }

        let copy = tempfile::tempdir().expect("a directory");
        let left = copy.path().join("app.db");
        fs::copy(&path, &left).expect("a copy");
        fs::copy(directory.path().join(journal), copy.path().join(journal)).expect("a journal");
        let mut conn = Connection::open(&left).expect("a database");
        library().migrate(&mut conn).expect("it is recovered and migrated");
        assert_eq!(assert_whole(&mut conn, expected), 4, "{mode}");
    }
}
