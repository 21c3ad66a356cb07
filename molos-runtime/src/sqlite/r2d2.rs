//! A pool of connections to a database that is migrated before there are any.

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use ::r2d2::{Pool, PooledConnection};
use rusqlite::{Connection, OpenFlags};

use super::Handle;
use super::copy::file_of;
use crate::database::{DatabaseError, ready};
use crate::migrator::{Migrator, failed, when_free};
use crate::model::error::Error;
use crate::model::sets::Sets;

const OPENING: &str = "opening the database of the pool";

/// Opens the connections of an `r2d2::Pool` to a SQLite file.
///
/// A manager is there only once the database is migrated, so a pool never has a connection to one that is not. What
/// went wrong is an [`Error`] of the manager, at once; a pool tries again and again for 30 seconds, and then gives no
/// more than a text.
///
/// The database has `journal_mode = WAL`, so that readers do not wait for a writer. Every connection has `foreign_keys =
/// ON`, waits five seconds for others, and has `synchronous = NORMAL`: with a WAL, a loss of power can take the last
/// commits and never damages the database. The migrations themselves ran with SQLite's default, which loses nothing. A
/// connection that comes back with an open transaction is closed, and not handed out to someone else.
///
/// There is no pool of databases in memory: each connection would be one of its own, with nothing in it. Tests use a
/// file in a temporary directory, or one connection without a pool.
///
/// ```
/// # use molos_runtime as molos;
/// # use molos::{Checksum, ForeignKeys, Migration, Migrations, __private::Script};
/// # const UP: Script<'static> = Script { sql: "CREATE TABLE notes (body TEXT NOT NULL)", line: 1, keys: ForeignKeys::Off, no_transaction: false };
/// # const NOTES: Migration<'static> = Migration::of_file(1, "notes", "notes", Checksum::from_bytes([1; 32]), UP, None);
/// # static MIGRATIONS: Migrations<'static> = Migrations::new("app", "migrations", &[NOTES]);
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = std::env::temp_dir().join(format!("molos-r2d2-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("app.db");
/// use molos::r2d2::{Manager, Pool};
///
/// let pool = Pool::new(Manager::file(path, &MIGRATIONS)?)?;
///
/// std::thread::spawn({
///     let pool = pool.clone();
///     move || pool.get().map(|conn| conn.execute("INSERT INTO notes VALUES ('a')", []))
/// });
/// let conn = pool.get()?;
/// let notes: i64 = conn.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))?;
/// # assert!(notes < 2);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Manager {
    path: PathBuf,
    sets: Sets<'static>,
    busy_timeout: Duration,
}

impl Manager {
    /// Opens the database, which is created if it is not there, and migrates it.
    ///
    /// # Errors
    ///
    /// Those of [`Migrator::migrate`], among them [`ErrorKind::Newer`](crate::ErrorKind::Newer) and [`ErrorKind::Statement`](crate::ErrorKind::Statement), and [`DatabaseFailure::Other`](crate::DatabaseFailure::Other) if
    /// `path` is a database in memory. The database is then as it was. If it cannot have a WAL, because its file system
    /// has no shared memory, that is [`DatabaseFailure::Other`](crate::DatabaseFailure::Other), too, and it is migrated.
    pub fn file(path: impl AsRef<Path>, sets: impl Into<Sets<'static>>) -> Result<Self, Error> {
        let sets = sets.into();
        Self::file_with(path, &Migrator::new(sets))
    }

    /// Like [`file`](Self::file), with a migrator that was told more, such as where its events go.
    ///
    /// # Errors
    ///
    /// As for `file`.
    pub fn file_with(path: impl AsRef<Path>, migrator: &Migrator<'static>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let mut conn = Connection::open(&path).map_err(|error| failed(OPENING, DatabaseError::from(error)))?;
        let file = patiently(migrator, &mut conn, OPENING, file_of)?;
        if file.is_none() {
            return Err(refused("a database in memory belongs to one connection; use a file"));
        }
        migrator.migrate(&mut conn)?;
        // Only now, so that a database that is refused is not changed.
        if patiently(migrator, &mut conn, "turning on the WAL", turn_on_wal)? != "wal" {
            return Err(refused("it cannot have a WAL, for which its file system has no shared memory"));
        }
        Ok(Self { path, sets: migrator.sets().clone(), busy_timeout: Duration::from_secs(5) })
    }

    /// How long a connection waits for others before a statement fails with `database is locked`.
    pub fn busy_timeout(self, timeout: Duration) -> Self {
        Self { busy_timeout: timeout, ..self }
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        // A file that is gone is not made anew: it would have nothing in it.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let conn = Connection::open_with_flags(&self.path, flags)?;
        conn.busy_timeout(self.busy_timeout)?;
        conn.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL;")?;
        Ok(conn)
    }
}

impl ::r2d2::ManageConnection for Manager {
    type Connection = Connection;
    type Error = Error;

    /// Opens a connection. That no newer program has migrated the database since is looked up first.
    fn connect(&self) -> Result<Connection, Error> {
        let mut conn = self.open().map_err(|error| failed(OPENING, DatabaseError::from(error)))?;
        let migrator = Migrator::new(self.sets.clone()).busy_timeout(self.busy_timeout);
        migrator.check(&mut conn)?;
        Ok(conn)
    }

    /// There is no server that could have gone away.
    fn is_valid(&self, _conn: &mut Connection) -> Result<(), Error> {
        Ok(())
    }

    fn has_broken(&self, conn: &mut Connection) -> bool {
        !conn.is_autocommit()
    }
}

fn refused(problem: &'static str) -> Error {
    failed(OPENING, DatabaseError::other(problem))
}

/// Tries until no other connection holds the database.
fn patiently<T: Send>(
    migrator: &Migrator<'_>,
    conn: &mut Connection,
    doing: &'static str,
    attempt: fn(&Connection) -> rusqlite::Result<T>,
) -> Result<T, Error> {
    let mut conn = Handle(conn);
    let conn = &mut conn;
    ready(async { when_free!(migrator, conn, async { attempt(conn.0).map_err(DatabaseError::from) }, doing) })
}

/// Returns the journal that there is then. It is remembered in the file; to ask for it again would take a lock.
fn turn_on_wal(conn: &Connection) -> rusqlite::Result<String> {
    let ask = |sql| conn.query_row(sql, [], |row| row.get::<_, String>(0));
    let journal_mode = ask("PRAGMA journal_mode")?;
    if journal_mode == "wal" { Ok(journal_mode) } else { ask("PRAGMA journal_mode = WAL") }
}
