//! A copy of the database before it is migrated, and putting it back.

mod names;

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use self::names::{Names, PARTIAL, remove, with_suffix};
use super::run::refuse_transaction;
use super::{Migrator, failed};
use crate::database::{BoxFuture, Connection, Copied, Database, DatabaseError, Failure, Files, PutBack};
use crate::model::error::{BackupProblem, DatabaseFailure, Error, ErrorKind};
use crate::model::event::{Event, Listener};
use crate::model::sets::SetHistory;

/// How many backups stay. Only files that have the names of backups of this database are ever removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keep {
    /// All of them.
    All,
    /// So many, the one that was just made among them, which always stays.
    ///
    /// If there are several of the version that was just copied, as when a migration failed again and again, the older
    /// ones of those go first. So a program that is started over and over does not push out the copies of the versions
    /// before.
    Newest(usize),
}

/// A backup that is made before the first step.
pub(crate) struct Before<DB: Database> {
    directory: PathBuf,
    keep: Keep,
    make: Make<DB>,
}

type Make<DB> = for<'a, 'c, 'm> fn(
    &'a mut <DB as Database>::Handle<'c>,
    &'a [SetHistory<'m, DB>],
    Place<'a>,
    Listener<'a>,
) -> BoxFuture<'a, Result<Option<PathBuf>, Error>>;

/// Where backups go, and how many stay.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p> {
    directory: &'p Path,
    keep: Keep,
}

impl<DB: Database> Before<DB> {
    /// Makes the backup. Called under the lock, before anything is written.
    pub(crate) async fn make(
        &self,
        conn: &mut DB::Handle<'_>,
        sets: &[SetHistory<'_, DB>],
        listener: Listener<'_>,
    ) -> Result<(), Error> {
        let place = Place { directory: &self.directory, keep: self.keep };
        (self.make)(conn, sets, place, listener).await.map(drop)
    }
}

impl<DB: Database> fmt::Debug for Before<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Before").field("directory", &self.directory).field("keep", &self.keep).finish_non_exhaustive()
    }
}

impl<DB: Files> Migrator<'_, DB> {
    /// Copies the database into `directory`, which is made if it is not there, before anything is migrated, rolled back or
    /// downgraded. If that fails, nothing is run. When there is nothing to do, or nothing in the database yet, no copy is
    /// made.
    ///
    /// The copy is named after the database's file, the version that it is at and the time in UTC, as in
    /// `app-v4-20261124T173000Z.db`; the names of sets other than `"app"` are in there as well. Give each database a
    /// directory of its own.
    ///
    /// It holds exactly what the migration starts from: it is made while this connection holds the lock that keeps other
    /// writers out. It is an SQLite database of one file, whatever the journal mode, with the permissions of the original.
    /// It is written under another name, checked (`PRAGMA integrity_check`, and its size), synced to the disk, and only
    /// then given its name; a failure leaves nothing of it. All that takes as long as reading the database twice and
    /// writing it once.
    ///
    /// The file is opened by a second connection: that cannot be done with `PRAGMA locking_mode = EXCLUSIVE`, nor with a
    /// database that is encrypted. In tables that use functions or collations of the program, less can be checked. A copy
    /// for which the disk has no room is not begun, and one for which others leave none is removed: [`BackupProblem::NoRoom`](crate::BackupProblem::NoRoom).
    ///
    /// [`restore_backup`](Self::restore_backup) puts it back, and [`Event::BackedUp`] has the path.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// use molos::{Keep, Migration, Migrations, Migrator, rusqlite::Connection};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let place = std::env::temp_dir().join(format!("molos-backup-{}", std::process::id()));
    /// # std::fs::create_dir_all(&place)?;
    /// # let list = [
    /// #     Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)"),
    /// #     Migration::new(2, "tags", "CREATE TABLE tags (tag TEXT NOT NULL)"),
    /// # ];
    /// # let migrations = Migrations::new("app", "migrations", &list);
    /// let path = place.join("app.db");
    /// let mut conn = Connection::open(&path)?;
    /// # Migrator::new(&migrations).up_to(1).migrate(&mut conn)?;
    /// Migrator::new(&migrations).backup_before(place.join("backups"), Keep::Newest(3)).migrate(&mut conn)?;
    ///
    /// // Undo it.
    /// let backup = std::fs::read_dir(place.join("backups"))?.next().ok_or("no backup")??.path();
    /// Migrator::new(&migrations).restore_backup(&backup, &path)?;
    /// assert_eq!(Migrator::new(&migrations).status(&mut conn)?.pending(), 1);
    /// # drop(conn);
    /// # std::fs::remove_dir_all(place)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn backup_before(self, directory: impl Into<PathBuf>, keep: Keep) -> Self {
        Self { backup: Some(Before { directory: directory.into(), keep, make: make::<DB> }), ..self }
    }

    /// Copies the database into `directory` now, in the way that [`backup_before`](Self::backup_before) describes, and returns the path of
    /// the copy, or `None` if there is nothing in the database yet. Other writers wait for it.
    ///
    /// # Errors
    ///
    /// [`BackupProblem::NoFile`](crate::BackupProblem::NoFile) for a database in memory, [`BackupProblem::NotMade`](crate::BackupProblem::NotMade), [`BackupProblem::NoRoom`](crate::BackupProblem::NoRoom), [`BackupProblem::Damaged`](crate::BackupProblem::Damaged), or when
    /// the database cannot be read.
    pub fn create_backup<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
        directory: impl Into<PathBuf>,
        keep: Keep,
    ) -> C::Outcome<'a, Result<Option<PathBuf>, Error>> {
        let mut conn = conn.handle();
        let directory = directory.into();
        C::outcome(async move {
            refuse_transaction(&mut conn).await?;
            let mut session = self.open(conn).await?;
            let place = Place { directory: &directory, keep };
            let result = match self.histories(&mut session.conn).await {
                Ok(sets) => copy_into(&mut session.conn, &sets, place, self.listener()).await,
                Err(error) => Err(error),
            };
            session.end(result).await
        })
    }

    /// Puts a backup back: the database in the file `database` then holds what `backup` does, all of it and nothing else.
    ///
    /// It is done through SQLite, in one transaction, so that it is safe while other connections have the database open:
    /// they see the one or the other. It waits for one that holds it as long as [`busy_timeout`](Self::busy_timeout) says. A file that is not there is made. The
    /// journal mode of the file stays, unless its page size is another than the backup's: then it is `DELETE`. The
    /// backup is checked first, and stays as it is. Whatever was written to the database after the backup is lost; where that
    /// may be wanted, copy the file first.
    ///
    /// ```no_run
    /// # use molos_runtime as molos;
    /// # static MIGRATIONS: molos::Migrations<'static> = molos::Migrations::new("app", "migrations", &[]);
    /// molos::Migrator::new(&MIGRATIONS).restore_backup("backups/app-v4-20261124T173000Z.db", "app.db")?;
    /// # Ok::<(), molos::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`BackupProblem::NotABackup`](crate::BackupProblem::NotABackup), [`ErrorKind::Busy`](crate::ErrorKind::Busy) or [`BackupProblem::NotRestored`](crate::BackupProblem::NotRestored). The database is then as it was.
    pub fn restore_backup(&self, backup: impl AsRef<Path>, database: impl AsRef<Path>) -> Result<(), Error> {
        let (backup, database) = (backup.as_ref(), database.as_ref());
        let not_a_backup = |problem| backup_error(backup, BackupProblem::NotABackup(problem));
        DB::put_back(backup, database, self.busy_timeout).map_err(|error| match error {
            PutBack::NotABackup(problem) => not_a_backup(problem),
            PutBack::Busy(waited, error) => Error::new(ErrorKind::Busy { waited }).because(error.source),
            PutBack::Failed(error) => backup_error(database, BackupProblem::NotRestored).because(error.source),
        })
    }
}

/// [`copy_into`] as the option keeps it.
fn make<'a, DB: Files>(
    conn: &'a mut DB::Handle<'_>,
    sets: &'a [SetHistory<'_, DB>],
    place: Place<'a>,
    listener: Listener<'a>,
) -> BoxFuture<'a, Result<Option<PathBuf>, Error>> {
    Box::pin(async move { copy_into(conn, sets, place, listener).await })
}

async fn copy_into<DB: Files>(
    conn: &mut DB::Handle<'_>,
    sets: &[SetHistory<'_, DB>],
    place: Place<'_>,
    listener: Listener<'_>,
) -> Result<Option<PathBuf>, Error> {
    let Place { directory, keep } = place;
    let file = DB::file(conn).await.map_err(|error| failed("looking for the database's file", error))?;
    let file = file.ok_or_else(|| Error::new(ErrorKind::Backup { path: None, problem: BackupProblem::NoFile }))?;
    let names = Names::new(&file, sets);
    fs::create_dir_all(directory).map_err(|error| of_the_file(directory, "creating the directory", error))?;
    names.remove_leftovers(directory);
    let label = Names::label(sets);
    let path = names.new_path(directory, &label);
    let partial = with_suffix(&path, PARTIAL);
    let made = copy::<DB>(&file, &path, &partial).await;
    if !matches!(made, Ok(true)) {
        remove(&partial);
    }
    if !made? {
        return Ok(None);
    }
    names.remove_old(directory, keep, &label, &path);
    listener.emit(&Event::BackedUp { path: &path });
    Ok(Some(path))
}

/// Whether there was something to copy, and now is at `path`.
async fn copy<DB: Files>(file: &Path, path: &Path, partial: &Path) -> Result<bool, Error> {
    has_room(file, path)?;
    create(partial).map_err(|error| of_the_file(path, "creating the copy", error))?;
    match DB::copy(file, partial).await {
        Ok(Copied::Nothing) => return Ok(false),
        Ok(Copied::Unsound(problem)) => return Err(backup_error(path, BackupProblem::Damaged(problem))),
        Ok(Copied::Sound) => {}
        Err(DatabaseError { failure, source, .. }) => {
            return Err(match failure {
                Failure::Database(DatabaseFailure::Full) => backup_error(path, BackupProblem::NoRoom).because(source),
                Failure::Database(DatabaseFailure::Corrupt | DatabaseFailure::NotADatabase) => {
                    backup_error(path, BackupProblem::Damaged(source.to_string()))
                }
                _ => backup_error(path, BackupProblem::NotMade).while_doing("copying the database").because(source),
            });
        }
    }
    // Windows syncs only what is open for writing, which a copy of what may only be read cannot be opened for any more.
    let opened = OpenOptions::new().write(true).open(partial);
    let opened = opened.map_err(|error| of_the_file(path, "opening the copy", error))?;
    let permit = || fs::set_permissions(partial, fs::metadata(file)?.permissions());
    permit().map_err(|error| of_the_file(path, "giving the copy the permissions of the database", error))?;
    opened.sync_all().map_err(|error| of_the_file(path, "syncing the copy", error))?;
    drop(opened);
    fs::rename(partial, path).map_err(|error| of_the_file(path, "renaming the copy", error))?;
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        // The name is on the disk when the directory is.
        let sync = || fs::File::open(directory)?.sync_all();
        sync().map_err(|error| of_the_file(path, "syncing the directory", error))?;
    }
    Ok(true)
}

/// Whether the disk seems to have room for a copy: one that fills it would do harm before it fails.
fn has_room(file: &Path, path: &Path) -> Result<(), Error> {
    let directory = path.parent().unwrap_or(path);
    // Where the system does not say, the copy finds out.
    let Ok(free) = fs4::available_space(directory) else { return Ok(()) };
    let size = |file: &Path| fs::metadata(file).map_or(0, |metadata| metadata.len());
    let needed = size(file) + size(&with_suffix(file, "-wal"));
    if needed <= free {
        return Ok(());
    }
    let source = format!("{needed} bytes are needed, and {free} are free").into();
    Err(backup_error(path, BackupProblem::NoRoom).because(source))
}

/// Creates the file of a copy, which nobody else can read before it has the permissions of the database.
fn create(partial: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(partial).map(drop)
}

fn of_the_file(path: &Path, doing: &'static str, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::StorageFull {
        return backup_error(path, BackupProblem::NoRoom).because(error.into());
    }
    backup_error(path, BackupProblem::NotMade).while_doing(doing).because(error.into())
}

fn backup_error(path: &Path, problem: BackupProblem) -> Error {
    Error::new(ErrorKind::Backup { path: Some(path.to_owned()), problem })
}
