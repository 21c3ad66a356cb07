//! A disk that fails at the n-th write, for every n: the database is as before or as after, and the next start goes on.

mod common;

use std::fs;
use std::path::Path;

use common::{assert_whole, database, library};
use molos::rusqlite::{Connection, OpenFlags};
use molos::{DatabaseFailure, Error, ErrorKind, Migrator, Report, Rollback, Transactions};
use molos_test_vfs::{Fault, FaultyVfs};

const BOOKS: usize = 40;

/// From which version to which; at version 0, a database is new.
type Way = (usize, usize);

/// Migrates up to the last version, or back to the first.
fn run(conn: &mut Connection, transaction: Transactions, is_up: bool) -> Result<Report, Error> {
    let migrations = library();
    let migrator = Migrator::new(&migrations).transactions(transaction);
    if is_up { migrator.migrate(conn) } else { migrator.rollback(conn, Rollback::To(1)) }
}

fn copy(master: &Path, path: &Path) {
    for beside in ["-journal", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{beside}", path.display()));
    }
    fs::copy(master, path).expect("a copy");
}

/// Has operation 1 fail, then 2, until none of a whole run does. Returns how many there are.
fn fail_each(vfs_name: &str, journal: &str, fault: Fault, transaction: Transactions, (begin, end): Way) -> u64 {
    let vfs = FaultyVfs::register(vfs_name);
    let directory = tempfile::tempdir().expect("a directory");
    let (master, path) = (directory.path().join("master.db"), directory.path().join("app.db"));
    let books = if begin == 0 { 0 } else { BOOKS };
    let is_up = begin < end;
    database(&master, journal, books);
    if !is_up {
        library().migrate(&mut Connection::open(&master).expect("a database")).expect("a whole run");
    }
    for first in 1.. {
        let at = format!("{journal}, {fault:?}, {transaction:?}, {begin} to {end}, operation {first}");
        copy(&master, &path);
        let mut conn =
            Connection::open_with_flags_and_vfs(&path, OpenFlags::default(), vfs_name).expect("the database");
        // A cache that is too small has pages written before the commit, and a WAL that is full is written back.
        conn.execute_batch("PRAGMA cache_size = 3; PRAGMA cache_spill = 1;").expect("pragmas");
        conn.query_row("PRAGMA wal_autocheckpoint = 5", [], |_| Ok(())).expect("a pragma");
        vfs.arm(first, fault);
        let result = run(&mut conn, transaction, is_up);
        if let Err(error) = &result {
            match fault {
                Fault::DiskGone | Fault::Glitch => {
                    assert!(
                        matches!(error.kind(), ErrorKind::Database(DatabaseFailure::Io | DatabaseFailure::CannotOpen)),
                        "{at}: {error}"
                    );
                }
                _ => assert!(matches!(error.kind(), ErrorKind::Database(DatabaseFailure::Full)), "{at}: {error}"),
            }
        }
        // A program that goes on with the same connection, and one that starts anew.
        if first % 2 == 0 {
            vfs.heal();
            assert!(conn.is_autocommit(), "{at}");
            assert_eq!(run(&mut conn, transaction, is_up).err().map(|error| format!("{error:#}")), None, "{at}");
            assert_eq!(assert_whole(&mut conn, books), end, "{at}");
        }
        drop(conn);
        vfs.heal();

        let mut conn = Connection::open(&path).expect("the database");
        conn.pragma_update(None, "synchronous", "off").expect("a pragma");
        let version = assert_whole(&mut conn, books);
        assert!(version == begin || version == end || transaction == Transactions::PerMigration, "{at}: {version}");
        assert!(version == end || result.is_err(), "{at}: it said that all is well");
        run(&mut conn, transaction, is_up).expect("the next start");
        assert_eq!(assert_whole(&mut conn, books), end, "{at}");
        if vfs.failed() == 0 {
            return first - 1;
        }
    }
    0
}

/// For every way and both kinds of transactions.
fn fail_all(journal: &str, fault: Fault) {
    for transaction in [Transactions::Single, Transactions::PerMigration] {
        for (begin, end) in [(0, 4), (1, 4), (4, 1)] {
            let at = format!("{journal}, {fault:?}, {transaction:?}, {begin} to {end}");
            let operations = fail_each(&at, journal, fault, transaction, (begin, end));
            println!("{at}: {operations} operations");
            assert!(operations > 15);
        }
    }
}

#[test]
fn a_disk_that_is_gone_from_any_write_on_loses_nothing() {
    fail_all("delete", Fault::DiskGone);
}

#[test]
fn a_disk_that_is_gone_from_any_write_to_a_wal_on_loses_nothing() {
    fail_all("wal", Fault::DiskGone);
}

#[test]
fn a_disk_that_fails_once_at_any_write_loses_nothing() {
    fail_all("delete", Fault::Glitch);
}

#[test]
fn a_disk_that_fails_once_at_any_write_to_a_wal_loses_nothing() {
    fail_all("wal", Fault::Glitch);
}

#[test]
fn a_disk_that_is_full_from_any_write_on_loses_nothing() {
    fail_all("delete", Fault::DiskFull);
}

#[test]
fn a_disk_that_is_full_from_any_write_to_a_wal_on_loses_nothing() {
    fail_all("wal", Fault::DiskFull);
}

#[test]
fn a_disk_that_is_full_for_a_moment_loses_nothing() {
    fail_all("delete", Fault::DiskFullOnce);
}

#[test]
fn a_disk_that_is_full_for_a_moment_of_a_wal_loses_nothing() {
    fail_all("wal", Fault::DiskFullOnce);
}
