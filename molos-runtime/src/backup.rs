//! A copy of the database before it is migrated, and the way back.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::driver::{Copied, Driver, DriverError, Failure, PutBack, put_back};
use crate::engine::failed;
use crate::event::Event;
use crate::sets::SetHistory;
use crate::{DEFAULT_SET, Error, Migrator};

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

/// Where backups go.
#[derive(Clone, Debug)]
pub(crate) struct Backup {
    directory: PathBuf,
    keep: Keep,
}

impl Migrator<'_> {
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
    /// for which the disk has no room is not begun, and one for which others leave none is removed: [`Error::BackupFull`].
    ///
    /// [`restore`] is the way back, and [`Event::BackedUp`] has the path.
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
    /// # Migrator::new(&migrations).to(1).migrate(&mut conn)?;
    /// Migrator::new(&migrations).backup(place.join("backups"), Keep::Newest(3)).migrate(&mut conn)?;
    ///
    /// // It was not to be.
    /// let backup = std::fs::read_dir(place.join("backups"))?.next().ok_or("no backup")??.path();
    /// molos::restore(&backup, &path)?;
    /// assert_eq!(Migrator::new(&migrations).status(&mut conn)?.pending(), 1);
    /// # drop(conn);
    /// # std::fs::remove_dir_all(place)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn backup(mut self, directory: impl Into<PathBuf>, keep: Keep) -> Self {
        self.backup = Some(Backup { directory: directory.into(), keep });
        self
    }

    /// Copies the database into `directory` now, in the way that [`backup`](Self::backup) describes, and returns the path of
    /// the copy, or `None` if there is nothing in the database yet. Other writers wait for it.
    ///
    /// # Errors
    ///
    /// [`Error::NoFile`] for a database in memory, [`Error::Backup`], [`Error::BackupFull`], [`Error::BackupDamaged`], or when
    /// the database cannot be read.
    pub fn back_up<D: Driver>(
        &self,
        conn: &mut D,
        directory: impl AsRef<Path>,
        keep: Keep,
    ) -> Result<Option<PathBuf>, Error> {
        if conn.in_transaction() {
            return Err(Error::InTransaction);
        }
        let session = self.begin(conn)?;
        let sets = self.histories(session.conn)?;
        self.copy_into(session.conn, &sets, directory.as_ref(), keep)
    }

    /// Makes the backup, if one is wanted. Called under the lock, before anything is written.
    pub(crate) fn back_up_first<D: Driver>(&self, conn: &mut D, sets: &[SetHistory<'_>]) -> Result<(), Error> {
        let Some(Backup { directory, keep }) = &self.backup else { return Ok(()) };
        self.copy_into(conn, sets, directory, *keep)?;
        Ok(())
    }

    fn copy_into<D: Driver>(
        &self,
        conn: &mut D,
        sets: &[SetHistory<'_>],
        directory: &Path,
        keep: Keep,
    ) -> Result<Option<PathBuf>, Error> {
        let file = conn.file().map_err(|error| failed("looking for the database's file", error))?;
        let file = file.ok_or(Error::NoFile)?;
        let names = Names::new(&file, sets);
        fs::create_dir_all(directory).map_err(|error| of_the_file(directory, "creating the directory", error))?;
        names.remove_leftovers(directory);
        let label = Names::label(sets);
        let path = names.new_path(directory, &label);
        let partial = with_suffix(&path, PARTIAL);
        let made = copy(conn, &file, &path, &partial);
        if !matches!(made, Ok(true)) {
            remove(&partial);
        }
        if !made? {
            return Ok(None);
        }
        names.remove_old(directory, keep, &label, &path);
        self.listener().emit(&Event::BackedUp { path: &path });
        Ok(Some(path))
    }
}

/// Whether there was something to copy, and now is at `path`.
fn copy<D: Driver>(conn: &mut D, file: &Path, path: &Path, partial: &Path) -> Result<bool, Error> {
    has_room(file, path)?;
    create(partial).map_err(|error| of_the_file(path, "creating the copy", error))?;
    match conn.copy(file, partial) {
        Ok(Copied::Nothing) => return Ok(false),
        Ok(Copied::Unsound(problem)) => return Err(Error::BackupDamaged { path: path.to_owned(), problem }),
        Ok(Copied::Sound) => {}
        Err(DriverError { failure, source, .. }) => {
            let path = path.to_owned();
            return Err(match failure {
                Failure::Full => Error::BackupFull { path, source },
                Failure::Corrupt | Failure::NotADatabase => Error::BackupDamaged { path, problem: source.to_string() },
                _ => Error::Backup { path, doing: "copying the database", source },
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
    Err(Error::BackupFull { path: path.to_owned(), source })
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
    let (path, is_full) = (path.to_owned(), error.kind() == io::ErrorKind::StorageFull);
    let source = Box::new(error);
    if is_full { Error::BackupFull { path, source } } else { Error::Backup { path, doing, source } }
}

const PARTIAL: &str = ".partial";

/// What the files of a database end with.
const FILES: [&str; 4] = ["", "-journal", "-wal", "-shm"];

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Removes a copy that is not complete, with what SQLite has put beside it.
fn remove(partial: &Path) {
    for suffix in FILES {
        // What is not there need not be removed, and what cannot be removed is tried again before the next backup.
        let _ = fs::remove_file(with_suffix(partial, suffix));
    }
}

/// How the backups of a database are named.
#[derive(Debug)]
struct Names {
    /// The name of its file, without the extension.
    stem: String,
    /// The sets, of which the default one has no name.
    sets: Vec<String>,
}

/// The name of a backup, taken apart; ordered as they were made.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    time: String,
    number: u32,
    label: String,
    file: String,
}

impl Names {
    fn new(file: &Path, sets: &[SetHistory<'_>]) -> Self {
        let stem = file.file_stem().map(|stem| plain(&stem.to_string_lossy())).unwrap_or_default();
        Self { stem, sets: sets.iter().map(|known| set_name(known.set.set())).collect() }
    }

    /// The versions that the sets are at.
    fn label(sets: &[SetHistory<'_>]) -> String {
        let version = |known: &SetHistory<'_>| {
            let version = known.history.last().map_or(0, |applied| applied.version);
            match set_name(known.set.set()).as_str() {
                "" => format!("v{version}"),
                set => format!("{set}-v{version}"),
            }
        };
        sets.iter().map(version).collect::<Vec<_>>().join("-")
    }

    /// A path that there is no file at.
    fn new_path(&self, directory: &Path, label: &str) -> PathBuf {
        let first = format!("{}-{label}-{}", self.stem, time());
        let mut path = directory.join(format!("{first}.db"));
        let mut number = 1_u32;
        while fs::symlink_metadata(&path).is_ok() {
            number += 1;
            path = directory.join(format!("{first}-{number}.db"));
        }
        path
    }

    /// Takes the name of a backup apart, or what only looks like one is `None`.
    fn parse(&self, file: &str) -> Option<Name> {
        let whole = file.strip_suffix(".db")?.strip_prefix(self.stem.as_str())?.strip_prefix('-')?;
        let mut rest = whole;
        for set in &self.sets {
            if !set.is_empty() {
                rest = rest.strip_prefix(set.as_str())?.strip_prefix('-')?;
            }
            rest = rest.strip_prefix('v')?;
            let version = rest.strip_prefix('-').unwrap_or(rest);
            rest = version.trim_start_matches(|c: char| c.is_ascii_digit());
            if rest.len() == version.len() {
                return None;
            }
            rest = rest.strip_prefix('-')?;
        }
        let label = whole.get(..whole.len() - rest.len())?.strip_suffix('-')?;
        let (time, rest) = rest.split_at_checked(TIME.len())?;
        let is_time = time.bytes().zip(TIME.bytes()).all(|(byte, model)| match model {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        });
        let number = if rest.is_empty() { 1 } else { rest.strip_prefix('-')?.parse().ok()? };
        is_time.then(|| Name { time: time.to_owned(), number, label: label.to_owned(), file: file.to_owned() })
    }

    /// The backups in a directory, oldest first. A directory that cannot be read has none.
    fn list(&self, directory: &Path, suffix: &str) -> Vec<Name> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter_map(|name| self.parse(name.strip_suffix(suffix)?)).collect();
        names.sort_unstable();
        names
    }

    /// Removes what a process left that was killed during its backup. No other makes one now: this one has the lock.
    fn remove_leftovers(&self, directory: &Path) {
        for suffix in FILES {
            for name in self.list(directory, &format!("{PARTIAL}{suffix}")) {
                remove(&directory.join(name.file + PARTIAL));
            }
        }
    }

    /// Removes what is too many. One that cannot be removed stays: a copy too many is no reason not to migrate.
    fn remove_old(&self, directory: &Path, keep: Keep, label: &str, made: &Path) {
        let Keep::Newest(count) = keep else { return };
        let mut others = self.list(directory, "");
        others.retain(|name| directory.join(&name.file) != made);
        while others.len() >= count.max(1) {
            let at = others.iter().position(|name| name.label == label).unwrap_or(0);
            let _ = fs::remove_file(directory.join(others.remove(at).file));
        }
    }
}

fn set_name(set: &str) -> String {
    if set == DEFAULT_SET { String::new() } else { plain(set) }
}

/// A name that every file system has room for.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' }).collect()
}

/// What [`time`] looks like.
const TIME: &str = "00000000T000000Z";

/// The time in UTC, without the characters that not every file system takes.
fn time() -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    // A clock that is off by thousands of years has no such text.
    match write!(text, "{}", humantime::format_rfc3339_seconds(SystemTime::now().max(SystemTime::UNIX_EPOCH))) {
        Ok(()) => text.replace(['-', ':'], ""),
        Err(_) => TIME.to_owned(),
    }
}

/// Puts a backup back: the database in the file `database` then holds what `backup` does, all of it and nothing else.
///
/// It is done through SQLite, in one transaction, so that it is safe while other connections have the database open:
/// they see the one or the other. It waits up to 30 seconds for one that holds it. A file that is not there is made. The
/// journal mode of the file stays, unless its page size is another than the backup's: then it is `DELETE`. The
/// backup is checked first, and stays as it is. Whatever was written to the database after the backup is lost; where that
/// may be wanted, copy the file first.
///
/// ```no_run
/// # use molos_runtime as molos;
/// molos::restore("backups/app-v4-20261124T173000Z.db", "app.db")?;
/// # Ok::<(), molos::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::NotABackup`], [`Error::Busy`] or [`Error::Restore`]. The database is then as it was.
pub fn restore(backup: impl AsRef<Path>, database: impl AsRef<Path>) -> Result<(), Error> {
    const TIMEOUT: Duration = Duration::from_secs(30);
    let (backup, database) = (backup.as_ref(), database.as_ref());
    let not_a_backup = |problem: String| Error::NotABackup { path: backup.to_owned(), problem };
    let same = |(backup, database): (PathBuf, PathBuf)| backup == database;
    if fs::canonicalize(backup).ok().zip(fs::canonicalize(database).ok()).is_some_and(same) {
        return Err(not_a_backup("it is the database itself".to_owned()));
    }
    put_back(backup, database, TIMEOUT).map_err(|error| match error {
        PutBack::NotABackup(problem) => not_a_backup(problem),
        PutBack::Busy(waited, error) => Error::Busy { waited, source: error.source },
        PutBack::Failed(error) => Error::Restore { path: database.to_owned(), source: error.source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(stem: &str, sets: &[&str]) -> Names {
        Names { stem: stem.to_owned(), sets: sets.iter().map(|set| set_name(set)).collect() }
    }

    #[test]
    fn only_the_name_of_a_backup_is_taken_for_one() {
        let app = names("app", &["app"]);
        let name = app.parse("app-v4-20261124T173000Z-2.db").expect("a backup");
        assert_eq!((name.label.as_str(), name.time.as_str(), name.number), ("v4", "20261124T173000Z", 2));
        assert!(app.parse("app-v-4-20261124T173000Z.db").is_some());
        let others = [
            "app.db",
            "app-v4.db",
            "app-v4-.db",
            "app-v-20261124T173000Z.db",
            "app-4-20261124T173000Z.db",
            "app-v4-20261124T17300Z.db",
            "app-v4-20261124T173000Z",
            "app-v4-20261124T173000Z.db.partial",
            "app-v4-20261124T173000Z-x.db",
            "app-v4-20261124T173000Z-copy.db",
            "app-core-v4-20261124T173000Z.db",
            "apps-v4-20261124T173000Z.db",
            "app-v4-tasks-v1-20261124T173000Z.db",
            "app-v4-2026112\u{e9}T173000Z.db",
        ];
        for other in others {
            assert_eq!(app.parse(other), None, "{other}");
        }
        let two = names("app", &["core", "a/b"]).parse("app-core-v4-a_b-v1-20261124T173000Z.db").expect("a backup");
        assert_eq!(two.label, "core-v4-a_b-v1");
        assert!(app.parse(&format!("app-v4-{}.db", time())).is_some());
    }
}
