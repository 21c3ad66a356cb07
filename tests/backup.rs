//! Copies that are made before a migration, and put back after it.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{STEPS, assert_whole, count, database, library, library_to};
use molos::__private::Script;
use molos::rusqlite::Connection;
use molos::rusqlite::functions::FunctionFlags;
use molos::{
    BackupProblem, Checksum, Error, ErrorKind, Event, ForeignKeys, Keep, Migration, Migrations, Migrator, Rollback,
    Transactions,
};
use tempfile::TempDir;

type Done = std::result::Result<(), Box<dyn std::error::Error>>;

const BOOKS: usize = 300;
const DATABASE: &str = "MOLOS_TEST_DATABASE";
const BACKUPS: &str = "MOLOS_TEST_BACKUPS";
const RESTORED: &str = "MOLOS_TEST_RESTORED";

fn restore(backup: impl AsRef<Path>, database: impl AsRef<Path>) -> Result<(), Error> {
    Migrator::new(&library()).restore_backup(backup, database)
}

/// A database at version 1, and where its backups go.
struct Place {
    _directory: TempDir,
    path: PathBuf,
    backups: PathBuf,
}

impl Place {
    fn new(journal: &str, books: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, backups) = (directory.path().join("books.db"), directory.path().join("back/ups"));
        database(&path, journal, books);
        Self { _directory: directory, path, backups }
    }

    fn open(&self) -> Connection {
        Connection::open(&self.path).expect("the database")
    }

    /// The names of what is in the directory of backups, in their order.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.backups).into_iter().flatten().map(|entry| entry.expect("an entry"));
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
        names.sort_unstable();
        names
    }

    fn only(&self) -> PathBuf {
        let names = self.names();
        assert_eq!(names.len(), 1, "{names:?}");
        self.backups.join(&names[0])
    }

    /// The error of a migration with a backup that cannot be made.
    fn refused(&self, backups: &Path) -> Error {
        let migrations = library();
        let mut conn = self.open();
        let error =
            Migrator::new(&migrations).backup_before(backups, Keep::All).migrate(&mut conn).expect_err("no backup");
        assert!(conn.is_autocommit());
        assert_eq!(current(&mut conn), 1, "{error}");
        error
    }
}

fn current(conn: &mut Connection) -> i64 {
    Migrator::new(&library()).status(conn).expect("a status").sets()[0].current().unwrap_or(0)
}

#[test]
fn a_backup_holds_what_the_migration_started_from_and_can_be_put_back_under_an_open_connection() -> Done {
    for journal in ["delete", "wal"] {
        let place = Place::new(journal, BOOKS);
        let mut conn = place.open();
        let seen = Mutex::new(Vec::new());
        let migrations = library();
        let migrator =
            Migrator::new(&migrations).transactions(Transactions::PerMigration).on_event(|event| match event {
                Event::BackedUp { path, .. } => seen.lock().expect("the lock").push(path.to_path_buf()),
                Event::Started { .. } => {
                    assert_eq!(seen.lock().expect("the lock").len(), 1, "before the first step, and once");
                }
                _ => {}
            });
        let migrator = migrator.backup_before(&place.backups, Keep::All);
        migrator.migrate(&mut conn)?;
        migrator.migrate(&mut conn)?;
        let backup = place.only();
        assert_eq!(*seen.lock().expect("the lock"), std::slice::from_ref(&backup), "{journal}");
        let name = backup.file_name().and_then(|name| name.to_str()).ok_or("a name")?;
        assert!(name.starts_with("books-library-v1-20") && name.ends_with("Z.db"), "{name}");
        assert_eq!(fs::read(&backup)?[18..20], [1, 1], "it is in no WAL mode, so that it is one file");

        assert_eq!(assert_whole(&mut conn, BOOKS), 4);
        restore(&backup, &place.path)?;
        assert_eq!(assert_whole(&mut conn, BOOKS), 1, "{journal}");
        let mode: String = conn.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        assert_eq!(mode, journal);
        drop(conn);
        assert_eq!(assert_whole(&mut place.open(), BOOKS), 1, "{journal}");
        assert_eq!(place.names().len(), 1, "nothing is beside it");

        // It also makes a file that is gone.
        fs::remove_file(&place.path)?;
        restore(&backup, &place.path)?;
        library().migrate(&mut place.open())?;
        assert_eq!(assert_whole(&mut place.open(), BOOKS), 4);
    }
    Ok(())
}

#[test]
fn what_another_connection_writes_at_the_last_moment_is_in_the_backup_and_nothing_after_it_gets_in_between() -> Done {
    for journal in ["delete", "wal"] {
        let place = Place::new(journal, BOOKS);
        let (ready, start) = mpsc::channel();
        let path = place.path.clone();
        let writer = thread::spawn(move || {
            let conn = Connection::open(path).expect("the database");
            conn.busy_timeout(Duration::from_secs(10)).expect("a timeout");
            conn.execute_batch("BEGIN IMMEDIATE; INSERT INTO authors VALUES (-1, 'late')").expect("a row");
            ready.send(()).expect("somebody waits");
            // Longer than it takes to find out what is pending.
            thread::sleep(Duration::from_millis(200));
            conn.execute_batch("COMMIT").expect("it can be committed");
            // These go on until the migration begins, and after it.
            let mut written = 0;
            for id in -100..-1 {
                thread::sleep(Duration::from_millis(2));
                written += conn.execute("INSERT INTO authors VALUES (?1, 'later ' || ?1)", [id]).expect("a row");
            }
            written
        });
        start.recv()?;
        let count_them = "CREATE TABLE found AS SELECT count(*) AS authors FROM authors";
        let list = [STEPS[0], Migration::new(2, "count", count_them)];
        let migrations = Migrations::new("library", "migrations", &list);
        let migrator = Migrator::new(&migrations).backup_before(&place.backups, Keep::All);
        migrator.migrate(&mut place.open())?;
        let written = i64::try_from(writer.join().expect("a writer"))?;
        let backup = Connection::open(place.only())?;
        let late: i64 = backup.query_row("SELECT count(*) FROM authors WHERE id = -1", [], |row| row.get(0))?;
        assert_eq!(late, 1, "{journal}");
        assert_eq!(written, 99);
        assert_eq!(count(&place.open(), "authors"), i64::try_from(BOOKS)? + 1 + written, "{journal}: none is lost");
        // The step has noted how many authors it found.
        let found: i64 = place.open().query_row("SELECT authors FROM found", [], |row| row.get(0))?;
        assert_eq!(count(&backup, "authors"), found, "{journal}");
    }
    Ok(())
}

#[test]
fn the_oldest_go_first_and_nothing_but_backups_of_this_database_goes() -> Done {
    let place = Place::new("delete", 1);
    fs::create_dir_all(&place.backups)?;
    let foreign = ["books-library-v1-20200101T000000Z.db.txt", "books-v1-20200101T000000Z.db", "notes.db"];
    let old = ["books-library-v0-20200101T000000Z.db", "books-library-v1-20200102T000000Z.db"];
    let leftover = ["books-library-v1-20200103T000000Z.db.partial", "books-library-v1-20200103T000000Z.db.partial-wal"];
    for name in foreign.iter().chain(&old).chain(&leftover) {
        fs::write(place.backups.join(name), "")?;
    }
    let failing = [STEPS[0], Migration::new(2, "failing", "INSERT INTO nowhere VALUES (1)")];
    let failing = Migrations::new("library", "migrations", &failing);
    let own = || place.names().into_iter().filter(|name| !foreign.contains(&name.as_str())).collect::<Vec<_>>();
    for attempt in 1..=3 {
        let result = Migrator::new(&failing).backup_before(&place.backups, Keep::Newest(2)).migrate(&mut place.open());
        assert!(matches!(result, Err(ref error) if matches!(error.kind(), ErrorKind::Statement { .. })));
        // Those of the version that is tried again and again make room for each other.
        let own = own();
        assert_eq!(own.len(), 2, "attempt {attempt}: {own:?}");
        assert!(own[0].starts_with("books-library-v0-2020") && own[1].starts_with("books-library-v1-20"), "{own:?}");
        assert!(own[1].as_str() > "books-library-v1-2021", "{own:?}");
    }
    let migrations = library();
    let migrator = Migrator::new(&migrations).backup_before(&place.backups, Keep::Newest(0));
    let mut conn = place.open();
    migrator.migrate(&mut conn)?;
    assert_eq!(own().len(), 1);
    migrator.rollback(&mut conn, Rollback::Steps(1))?;
    assert!(own()[0].starts_with("books-library-v4-"), "{:?}", own());
    let older = library_to(2);
    Migrator::new(&older).backup_before(&place.backups, Keep::Newest(9)).downgrade(&mut conn)?;
    assert!(own()[0].starts_with("books-library-v3-"), "{:?}", own());
    assert_eq!(place.names().len(), own().len() + foreign.len());
    Ok(())
}

#[test]
fn no_backup_is_no_migration() -> Done {
    let place = Place::new("wal", BOOKS);
    let file = place.path.with_file_name("file");
    fs::write(&file, "")?;
    let error = place.refused(&file);
    assert!(matches!(error.kind(), ErrorKind::Backup { problem: BackupProblem::NotMade, .. }), "{error}");

    let mut exclusive = place.open();
    exclusive.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    let migrations = library();
    let error = Migrator::new(&migrations).backup_before(&place.backups, Keep::All).migrate(&mut exclusive);
    assert!(
        matches!(error, Err(ref error) if matches!(error.kind(), ErrorKind::Backup { problem: BackupProblem::NotMade, .. })),
        "{error:?}"
    );
    drop(exclusive);
    assert_eq!(assert_whole(&mut place.open(), BOOKS), 1);
    assert!(place.names().is_empty());

    let mut memory = Connection::open_in_memory()?;
    let migrator = Migrator::new(&migrations).backup_before(&place.backups, Keep::All);
    for conn in [&mut memory, &mut Connection::open("")?] {
        let error = migrator.migrate(conn).expect_err("there is no file");
        assert!(matches!(error.kind(), ErrorKind::Backup { problem: BackupProblem::NoFile, .. }), "{error}");
        assert_eq!(count(conn, "sqlite_schema"), 0);
    }

    // A new database has nothing that could be lost.
    let new = place.path.with_file_name("new.db");
    migrator.migrate(&mut Connection::open(&new)?)?;
    assert!(place.names().is_empty());
    Ok(())
}

/// What a process does that may write no file of more than a few KiB; on its own, it is a test of nothing.
#[cfg(unix)]
#[test]
fn limited() {
    let (Some(path), Some(backups)) = (std::env::var_os(DATABASE), std::env::var_os(BACKUPS)) else { return };
    if let Some(backup) = std::env::var_os(RESTORED) {
        println!("{:#}", restore(backup, path).expect_err("no room"));
        return;
    }
    let migrations = library();
    let mut conn = Connection::open(path).expect("the database");
    let error = Migrator::new(&migrations).backup_before(backups, Keep::All).migrate(&mut conn).expect_err("no room");
    println!("{error:#}");
}

/// What [`limited`] prints.
#[cfg(unix)]
fn run_limited(place: &Place, restored: Option<&Path>) -> std::result::Result<String, Box<dyn std::error::Error>> {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", r#"trap '' XFSZ; ulimit -f 16; exec "$0" --exact limited --nocapture"#]);
    command.arg(std::env::current_exe()?).env(DATABASE, &place.path).env(BACKUPS, &place.backups);
    command.envs(restored.map(|restored| (RESTORED, restored)));
    Ok(String::from_utf8(command.output()?.stdout)?)
}

#[cfg(unix)]
#[test]
fn a_restore_that_cannot_be_written_to_its_end_leaves_the_database_as_it_was() -> Done {
    let place = Place::new("delete", BOOKS);
    Migrator::new(&library()).backup_before(&place.backups, Keep::All).migrate(&mut place.open())?;
    let before = fs::read(&place.path)?;
    let output = run_limited(&place, Some(&place.only()))?;
    assert!(output.contains("could not be restored: "), "{output}");
    assert_eq!(assert_whole(&mut place.open(), BOOKS), 4);
    assert!(fs::read(&place.path)? == before);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_copy_that_cannot_be_written_to_its_end_leaves_nothing() -> Done {
    let place = Place::new("delete", BOOKS);
    let output = run_limited(&place, None)?;
    assert!(output.contains("could not be made; copying the database failed: "), "{output}");
    assert!(!output.contains("not an error"), "{output}");
    assert!(place.backups.is_dir() && place.names().is_empty(), "{:?}", place.names());
    assert_eq!(assert_whole(&mut place.open(), BOOKS), 1);
    Ok(())
}

#[test]
fn a_damaged_database_is_not_migrated_and_its_copy_is_not_kept() -> Done {
    let place = Place::new("delete", BOOKS);
    let mut bytes = fs::read(&place.path)?;
    // An index page, far from what is read before.
    let root: usize = place.open().query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'books'", [], |row| {
        Ok(usize::try_from(row.get::<_, i64>(0)?).expect("a page"))
    })?;
    let leaf = bytes.len() - 4096;
    assert!(leaf > root * 4096);
    bytes[leaf..leaf + 200].fill(0xff);
    fs::write(&place.path, bytes)?;
    let error = place.refused(&place.backups);
    assert!(matches!(error.kind(), ErrorKind::Backup { problem: BackupProblem::Damaged(_), .. }), "{error}");
    assert!(place.names().is_empty(), "{:?}", place.names());
    Ok(())
}

#[test]
fn tables_that_need_the_program_do_not_keep_the_others_from_being_checked() -> Done {
    let place = Place::new("delete", BOOKS);
    let mut conn = place.open();
    conn.create_scalar_function("odd", 1, FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_UTF8, |_| Ok(1))?;
    conn.execute_batch("CREATE TABLE odd (a TEXT); CREATE INDEX odd_a ON odd (odd(a)); INSERT INTO odd VALUES ('a')")?;
    let migrations = library();
    Migrator::new(&migrations).backup_before(&place.backups, Keep::All).migrate(&mut conn)?;
    restore(place.only(), &place.path)?;
    assert_eq!(count(&conn, "odd"), 1);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_backup_can_be_read_by_those_who_can_read_the_database() -> Done {
    use std::os::unix::fs::PermissionsExt as _;
    for mode in [0o600, 0o640] {
        let place = Place::new("wal", BOOKS);
        fs::set_permissions(&place.path, fs::Permissions::from_mode(mode))?;
        Migrator::new(&library()).backup_before(&place.backups, Keep::All).migrate(&mut place.open())?;
        assert_eq!(fs::metadata(place.only())?.permissions().mode() & 0o777, mode);
    }
    Ok(())
}

#[test]
fn a_backup_is_put_back_when_whoever_writes_is_done_and_readers_see_the_one_or_the_other() -> Done {
    for journal in ["delete", "wal"] {
        let place = Place::new(journal, BOOKS);
        Migrator::new(&library()).backup_before(&place.backups, Keep::All).migrate(&mut place.open())?;
        let writer = place.open();
        writer.execute_batch("BEGIN IMMEDIATE; UPDATE copies SET shelf = 'late'")?;
        let (path, backup) = (place.path.clone(), place.only());
        let restoring = thread::spawn(move || restore(backup, path));
        thread::sleep(Duration::from_millis(100));
        assert!(!restoring.is_finished(), "{journal}");
        assert_eq!(current(&mut place.open()), 4, "{journal}");
        writer.execute_batch("COMMIT")?;
        restoring.join().expect("it does not panic")?;
        assert_eq!(assert_whole(&mut place.open(), BOOKS), 1, "{journal}");
    }
    Ok(())
}

#[test]
fn one_backup_is_made_though_a_step_divides_the_transaction_and_a_downgrade_passes_that_step() -> Done {
    let place = Place::new("delete", BOOKS);
    let script = |sql, no_transaction| Script { sql, line: 1, keys: ForeignKeys::Off, no_transaction };
    let vacuum = script("VACUUM", true);
    let divider = Migration::of_file(2, "vacuum", "vacuum", Checksum::of("VACUUM"), vacuum, Some(vacuum));
    let list = [STEPS[0], divider, Migration::new(3, "tags", "CREATE TABLE tags (a)").with_down("DROP TABLE tags")];
    let migrations = Migrations::new("library", "migrations", &list);
    let mut conn = place.open();
    let rehearsal = Migrator::new(&migrations).rehearse(&mut conn)?;
    assert_eq!((rehearsal.steps().len(), rehearsal.error().is_none()), (2, true));
    Migrator::new(&migrations).backup_before(&place.backups, Keep::All).migrate(&mut conn)?;
    assert!(place.names()[0].contains("-v1-") && place.names().len() == 1, "{:?}", place.names());
    Migrator::new(&library_to(1)).downgrade(&mut conn)?;
    assert_eq!(assert_whole(&mut conn, BOOKS), 1);
    Ok(())
}

#[test]
fn a_backup_with_pages_of_another_size_is_put_back_as_well() -> Done {
    let place = Place::new("wal", BOOKS);
    Migrator::new(&library()).backup_before(&place.backups, Keep::All).migrate(&mut place.open())?;
    let conn = place.open();
    for sql in ["PRAGMA journal_mode = DELETE", "PRAGMA page_size = 8192", "VACUUM", "PRAGMA journal_mode = WAL"] {
        conn.prepare(sql)?.query([])?.next()?;
    }
    assert_eq!(conn.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?, 8192);
    drop(conn);
    restore(place.only(), &place.path)?;
    assert_eq!(assert_whole(&mut place.open(), BOOKS), 1);
    Ok(())
}

#[test]
fn what_is_no_backup_does_not_replace_a_database() -> Done {
    let place = Place::new("wal", BOOKS);
    let [empty, text, gone] = ["empty.db", "text.db", "gone.db"].map(|name| place.path.with_file_name(name));
    fs::write(&empty, "")?;
    fs::write(&text, "CREATE TABLE notes (body TEXT);".repeat(100))?;
    let link = place.path.with_file_name("link.db");
    fs::hard_link(&place.path, &link)?;
    let uri = PathBuf::from(format!("file:{}?mode=ro", place.path.display()));
    let cases = [
        (&empty, "there is no table in it"),
        (&text, "file is not a database"),
        (&gone, "unable to open database file"),
        (&place.path, "it is the database itself"),
        (&uri, "it is the database itself"),
        #[cfg(unix)]
        (&link, "it is the database itself"),
    ];
    for (backup, expected) in cases {
        let error = restore(backup, &place.path).expect_err("it is no backup");
        assert!(matches!(error.kind(), ErrorKind::Backup { problem: BackupProblem::NotABackup(_), .. }), "{error}");
        assert!(format!("{error:#}").contains(expected), "{error}");
    }
    assert!(!gone.exists());
    assert_eq!(assert_whole(&mut place.open(), BOOKS), 1);

    // The target is a file that is no database.
    let error = restore(&place.path, &text).expect_err("it is not overwritten");
    assert!(matches!(error.kind(), ErrorKind::Backup { problem: BackupProblem::NotRestored, .. }), "{error}");
    Ok(())
}

#[test]
fn a_copy_that_the_disk_has_no_room_for_is_not_begun() {
    const MORE_THAN_ANY_DISK_HAS_FREE: u64 = 8 << 40;
    let place = Place::new("delete", BOOKS);
    let file = fs::OpenOptions::new().write(true).open(&place.path).expect("the database");
    if file.set_len(MORE_THAN_ANY_DISK_HAS_FREE).is_err() {
        return; // Not every file system lets a file be so large.
    }
    let migrations = library();
    let migrator = Migrator::new(&migrations).backup_before(&place.backups, Keep::All);
    let error = migrator.migrate(&mut place.open()).expect_err("there is no room");
    assert!(matches!(error.kind(), ErrorKind::Backup { problem: BackupProblem::NoRoom, .. }), "{error}");
    assert!(format!("{error:#}").contains("8796093022208 bytes are needed, and "), "{error}");
    assert_eq!(place.names(), [""; 0]);
    assert_eq!(library_to(1).migrate(&mut place.open()).expect("it is as it was").steps().len(), 0);
}

#[test]
fn a_copy_is_made_whenever_it_is_asked_for_and_nothing_else_changes() -> Done {
    let place = Place::new("WAL", BOOKS);
    let migrations = library();
    let mut conn = place.open();
    let path =
        Migrator::new(&migrations).create_backup(&mut conn, &place.backups, Keep::Newest(1))?.ok_or("no copy")?;
    assert_eq!(path, place.only());
    assert_eq!(assert_whole(&mut Connection::open(&path)?, BOOKS), 1);
    assert_eq!(Migrator::new(&migrations).status(&mut conn)?.sets()[0].current(), Some(1));
    assert!(conn.is_autocommit());

    let again =
        Migrator::new(&migrations).create_backup(&mut conn, &place.backups, Keep::Newest(1))?.ok_or("no copy")?;
    assert_eq!(again, place.only());

    let nothing = place.backups.join("nothing.db");
    assert_eq!(
        Migrator::new(&migrations).create_backup(&mut Connection::open(nothing)?, &place.backups, Keep::All)?,
        None
    );
    let memory =
        Migrator::new(&migrations).create_backup(&mut Connection::open_in_memory()?, &place.backups, Keep::All);
    assert!(
        matches!(memory, Err(ref error) if matches!(error.kind(), ErrorKind::Backup { problem: BackupProblem::NoFile, .. })),
        "{memory:?}"
    );
    Ok(())
}
