//! Everything that can go wrong, said so that the reader knows what to do next.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Checksum, DEFAULT_SET, Difference, Direction, Migration, Tool};

/// Which migration an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The set it belongs to.
    pub set: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: String,
}

impl Step {
    pub(crate) fn new(set: &str, version: i64, name: &str) -> Self {
        Self { set: set.to_owned(), version, name: name.to_owned() }
    }

    pub(crate) fn of(migration: &Migration<'_>) -> Self {
        Self::new(migration.set(), migration.version(), migration.name())
    }
}

/// Names the set, unless it is the one that has no name of its own.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, version, name } = self;
        write!(f, "migration {version} ({name})")?;
        if set == DEFAULT_SET { Ok(()) } else { write!(f, " of \"{set}\"") }
    }
}

/// A place in a migration's file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The file, with the directory as the macro was given it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The first line of the statement.
    pub statement: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What was being done when the database's file or its disk failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct During {
    /// In words, such as "reading the history"; "running" if it was a migration's statement.
    pub doing: &'static str,
    /// The migration, if it was one that ran.
    pub step: Option<Step>,
    /// Where its statement stands.
    pub location: Option<Box<Location>>,
}

impl fmt::Display for During {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.doing)?;
        if let Some(step) = &self.step {
            write!(f, " {step}")?;
        }
        match &self.location {
            Some(location) => write!(f, " at {location}"),
            None => Ok(()),
        }
    }
}

/// Rows whose foreign keys point at nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The table that the rows are in.
    pub table: String,
    /// The table that they refer to; empty if the key itself is wrong, in words that `table` then has.
    pub parent: String,
    /// How many there are more than before.
    pub rows: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, parent, rows } = self;
        if parent.is_empty() {
            return f.write_str(table);
        }
        let row = if *rows == 1 { "row refers" } else { "rows refer" };
        write!(f, "{table}: {rows} {row} to what is not in {parent}")
    }
}

/// Why a database was compared with a migration when it was to be adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Candidate {
    /// The schema of no other migration is nearer to that of the database.
    Nearest,
    /// It was named, with [`Migrator::to`](crate::Migrator::to).
    Asked,
    /// The history of this tool ends with it.
    History(Tool),
}

/// An error of the database's own driver, such as [`rusqlite::Error`].
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why migrations were not run, or not found to be in order.
///
/// Unless a variant says otherwise, the database is exactly as it was before the call. The text of each says what was
/// found and, after `help:`, what to do; [`source`](std::error::Error::source) is the database's own error where one
/// is behind it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database engine is older than the one that the migrations were rehearsed on, and does not understand one of them.
    /// Nothing was run.
    #[error(
        "{step} cannot be run by this SQLite, {}; it was rehearsed on {}: {source}\n  --> {location}\n   | {}\n\
         help: nothing was run; link a newer SQLite, or build with the feature `bundled`",
        dotted(*.running), dotted(*.rehearsed_on), .location.statement
    )]
    #[non_exhaustive]
    OlderEngine {
        /// The migration.
        step: Step,
        /// Where it fails.
        location: Box<Location>,
        /// The version of this engine, as [`rusqlite::version_number`] gives it: 3045001 for 3.45.1.
        running: i32,
        /// The version of the engine that the program was compiled with.
        rehearsed_on: i32,
        /// The database's error.
        source: Source,
    },

    /// The program's own function that belongs to a migration failed.
    #[error(
        "the hook of {step} failed: {source}\nhelp: what this call had not committed is undone; correct the hook and run again"
    )]
    #[non_exhaustive]
    Hook {
        /// The migration.
        step: Step,
        /// What the function returned.
        source: Source,
    },

    /// A statement of a migration failed.
    #[error(
        "{step} failed going {direction}: {source}\n  --> {location}\n   | {}\n\
         help: what this call had not committed is undone; {}", .location.statement, failed_help(*.direction)
    )]
    #[non_exhaustive]
    Statement {
        /// The migration.
        step: Step,
        /// Which way it was run.
        direction: Direction,
        /// Where the statement, or the part that is at fault, stands.
        location: Box<Location>,
        /// The database's error.
        source: Source,
    },

    /// A migration ended the transaction that it was run in, so that it can no longer be undone.
    ///
    /// What ran before the statement is in the database, and is not in the history. `embed_migrations!` refuses such
    /// a migration; this is for those made in other ways.
    #[error(
        "{step} ended the transaction it was run in\n  --> {location}\n\
         help: remove its BEGIN, COMMIT or ROLLBACK, and restore the database from a backup"
    )]
    #[non_exhaustive]
    TransactionEnded {
        /// The migration.
        step: Step,
        /// Where the statement stands.
        location: Box<Location>,
    },

    /// After the migrations ran, rows referred to what is not there, and before they had not.
    #[error(
        "{} would leave rows that refer to nothing: {}\n\
         help: nothing was committed; move, change or delete these rows in the migration",
        list(.steps), list(.violations)
    )]
    #[non_exhaustive]
    ForeignKeys {
        /// The migrations that ran in the transaction.
        steps: Vec<Step>,
        /// What they would have left behind.
        violations: Vec<Violation>,
    },

    /// Rows refer to what is not there, and no migration was run.
    #[error("rows refer to nothing: {}\nhelp: change or delete these rows", list(.violations))]
    #[non_exhaustive]
    BrokenKeys {
        /// What refers to nothing.
        violations: Vec<Violation>,
    },

    /// A migration is not what it was when it was applied to this database.
    #[error(
        "{step} was edited after it was applied: its checksum was {applied}, and is {embedded} in this binary\n\
         help: restore the file as it was, and put the change into a new migration"
    )]
    #[non_exhaustive]
    Edited {
        /// The migration.
        step: Step,
        /// The checksum in the history table.
        applied: Checksum,
        /// The checksum in this binary.
        embedded: Checksum,
    },

    /// A migration has another name than when it was applied.
    #[error(
        "{step} was applied to this database as \"{applied}\"\n\
         help: rename the file back; if these are two different migrations, give the new one a new version"
    )]
    #[non_exhaustive]
    Renamed {
        /// The migration as this binary has it.
        step: Step,
        /// Its name in the history table.
        applied: String,
    },

    /// The database is newer than this binary: migrations were applied that come after the last one it has.
    #[error(
        "the database is newer than this program: {} applied, and the last one this program has is {}\n\
         help: run the newer program, restore the database that belongs to this one, or take it back with \
         `Migrator::downgrade`, which loses what the newer program has put where this one has no place for it",
        were(.unknown), latest_text(*.latest)
    )]
    #[non_exhaustive]
    Newer {
        /// What was applied and is not in this binary.
        unknown: Vec<Step>,
        /// The last version in this binary.
        latest: Option<i64>,
    },

    /// Migrations were applied that this binary does not have, though it has later ones.
    #[error(
        "{} applied to this database, and this program does not have it\n\
         help: a file was removed or renumbered, or the database belongs to another branch; put the file back",
        were(.unknown)
    )]
    #[non_exhaustive]
    Unknown {
        /// What was applied and is not in this binary.
        unknown: Vec<Step>,
    },

    /// A migration is pending though later ones were applied.
    #[error(
        "{step} is not applied, though {after} after it is\n\
         help: give it a version after the last, or allow this with `.allow_out_of_order(true)`"
    )]
    #[non_exhaustive]
    OutOfOrder {
        /// The migration that was left out.
        step: Step,
        /// The last version applied.
        after: i64,
    },

    /// The version that was asked for is not one of the migrations.
    #[error("there is no migration with version {version} in the set \"{set}\"\nhelp: {}", known_text(.known))]
    #[non_exhaustive]
    UnknownTarget {
        /// The set.
        set: String,
        /// What was asked for.
        version: i64,
        /// The versions there are.
        known: Vec<i64>,
    },

    /// Migrating up to a version that the database is already past.
    #[error("the database is at version {current}, past {target}\nhelp: to go back, roll back")]
    #[non_exhaustive]
    TargetBelow {
        /// What was asked for.
        target: i64,
        /// The last version applied.
        current: i64,
    },

    /// Rolling back to a version that is not applied.
    #[error("there is no way back to version {target}: it is not applied\nhelp: {}", applied_text(*.current))]
    #[non_exhaustive]
    TargetNotApplied {
        /// What was asked for.
        target: i64,
        /// The last version applied.
        current: Option<i64>,
    },

    /// A migration that would have to be taken back has no down SQL.
    #[error("{step} cannot be rolled back: {}", no_way_back(.reason.as_deref(), .file))]
    #[non_exhaustive]
    Irreversible {
        /// The migration.
        step: Step,
        /// The file that would hold its down SQL.
        file: String,
        /// Why there is none, if its file says that there can be none; empty if it gives no reason.
        reason: Option<String>,
    },

    /// A migration that this binary does not have cannot be taken back: the database holds no down SQL for it.
    #[error(
        "{step} cannot be taken back: this program does not have it, and the database holds no down SQL for it\n\
         help: nothing was changed; run the newer program, or restore a backup from before it"
    )]
    #[non_exhaustive]
    NoStoredDown {
        /// The migration.
        step: Step,
    },

    /// The down SQL that the database holds for a migration is not as molos wrote it, and is not run.
    #[error(
        "the down SQL of {step} in the table {} cannot be trusted: {problem}\n\
         help: nothing was changed; roll back with the newer program, which has its own, or restore a backup from before it",
        crate::HISTORY_TABLE
    )]
    #[non_exhaustive]
    StoredDown {
        /// The migration.
        step: Step,
        /// What is wrong with it.
        problem: String,
    },

    /// The down SQL that the database holds for a migration failed.
    #[error(
        "{step} failed going down, with the SQL that the database holds for it: {source}\n   | {statement}\n\
         help: nothing was changed; roll back with the newer program, or restore a backup from before it"
    )]
    #[non_exhaustive]
    StoredDownFailed {
        /// The migration.
        step: Step,
        /// The first line of the statement.
        statement: String,
        /// The database's error.
        source: Source,
    },

    /// Migrations of the set are pending, where none should be.
    #[error("{} not applied to this database\nhelp: migrate it", are(.pending))]
    #[non_exhaustive]
    Pending {
        /// What is not applied.
        pending: Vec<Step>,
    },

    /// The schema is not the one that the migrations lead to.
    #[error(
        "the schema is not what {step} leads to:\n{}\n\
         help: put back what was changed by something else than migrations, or bring it about in a new one",
        lines(.differences)
    )]
    #[non_exhaustive]
    Drift {
        /// The last migration that was applied.
        step: Step,
        /// What differs.
        differences: Vec<Difference>,
    },

    /// A database was to be adopted whose schema is not that of any migration, or not of the one that it should be.
    #[error(
        "{}:\n{}\n\
         help: bring the database to the schema of one of the migrations, or add the migration that led to it",
        differs(.step, *.candidate), lines(.differences)
    )]
    #[non_exhaustive]
    NotAdopted {
        /// The migration that it was compared with.
        step: Step,
        /// Why it was this one.
        candidate: Candidate,
        /// How the database differs from what it leads to.
        differences: Vec<Difference>,
    },

    /// A database was to be adopted that has the schema of several migrations: those after the first only change rows.
    #[error(
        "the schema of this database is that of {}\n\
         help: the later ones change rows, which leaves no trace in a schema; name the last that was applied with \
         `.to(version)`",
        list(.steps)
    )]
    #[non_exhaustive]
    AmbiguousSchema {
        /// The migrations that lead to this schema.
        steps: Vec<Step>,
    },

    /// A database was to be adopted in which the history of another tool is about other migrations.
    #[error("the history of {tool} in this database is about other migrations: {problem}\nhelp: {help}")]
    #[non_exhaustive]
    OtherHistory {
        /// The tool.
        tool: Tool,
        /// What does not fit.
        problem: String,
        /// What to do.
        help: &'static str,
    },

    /// A database was to be adopted as another tool left it, and has no history of that tool.
    #[error(
        "this database has no history of {tool}{}\n\
         help: name a tool whose history it has, or none: then the schema alone decides", instead(.found)
    )]
    #[non_exhaustive]
    NoOtherHistory {
        /// The tool.
        tool: Tool,
        /// The tools whose history it has.
        found: Vec<Tool>,
    },

    /// A set was asked for that is none of those that there are.
    #[error("there is no set \"{set}\"\nhelp: the sets of this program are {}", names(.known))]
    #[non_exhaustive]
    UnknownSet {
        /// The name.
        set: String,
        /// The names of the sets.
        known: Vec<String>,
    },

    /// Two of the sets have one name.
    #[error(
        "the set \"{set}\" is given twice\n\
         help: give each set once, and each directory a name of its own with `set = \"…\"`"
    )]
    #[non_exhaustive]
    SetTwice {
        /// The name.
        set: String,
    },

    /// Sets come after each other in a circle.
    #[error(
        "the sets {} come after each other, so that none can be the first\n\
         help: let one of them not come after the others, or put them into one directory", names(.sets)
    )]
    #[non_exhaustive]
    SetCycle {
        /// The sets, each of which comes after the next, and the last after the first.
        sets: Vec<String>,
    },

    /// A set was rehearsed after a migration that is neither applied to the database nor one of those to apply.
    #[error(
        "the set \"{set}\" comes after migration {version} ({name}) of {directory}, \
         which is not applied to this database and in no set that is given\n\
         help: give that set too, as in `Migrator::new([&core::MIGRATIONS, &tasks::MIGRATIONS])`, or migrate it first"
    )]
    #[non_exhaustive]
    MissingBase {
        /// The set that has something pending.
        set: String,
        /// The directory of what it comes after, as the macro was given it.
        directory: String,
        /// The version of what it comes after.
        version: i64,
        /// Its name.
        name: String,
    },

    /// A version or a number of steps was given to several sets, each of which has versions of its own.
    #[error(
        "a version or a number of steps is about one set, and these are several: {}\n\
         help: name the one that is meant, with `Migrator::only` or on the command line with `--set`", names(.sets)
    )]
    #[non_exhaustive]
    SeveralSets {
        /// The sets.
        sets: Vec<String>,
    },

    /// The list of migrations is not in the order of its versions, or has one twice.
    #[error("{step} does not come after version {previous}\nhelp: order the list by version, each version once")]
    #[non_exhaustive]
    Disordered {
        /// The migration that is out of place.
        step: Step,
        /// The version before it in the list.
        previous: i64,
    },

    /// Another connection kept the database for longer than was waited.
    #[error(
        "the database is held by another connection; gave up after {} s\n\
         help: close the connection that holds it, or wait longer with `.busy_timeout(..)`", .waited.as_secs_f32()
    )]
    #[non_exhaustive]
    Busy {
        /// How long was waited.
        waited: Duration,
        /// The database's error.
        source: Source,
    },

    /// The connection was in a transaction of its own, which a migration would become a part of.
    #[error("the connection is inside a transaction\nhelp: commit or roll it back first")]
    InTransaction,

    /// The history table is not as molos writes it.
    #[error(
        "the table {} is damaged, or is not one of molos: {problem}\n\
         help: restore it from a backup; nothing is guessed about what was applied",
        crate::HISTORY_TABLE
    )]
    #[non_exhaustive]
    History {
        /// What is wrong with it.
        problem: String,
    },

    /// The file is not a database, or it is encrypted: to SQLite, these two look the same.
    #[error(
        "the file is not a database, or it is encrypted; found while {during}: {source}\n\
         help: check that this is the right file; if it is encrypted, set its key on this connection first"
    )]
    #[non_exhaustive]
    NotADatabase {
        /// What was being done.
        during: Box<During>,
        /// The database's error.
        source: Source,
    },

    /// The database is damaged: its file was cut off, or written to by something that is not a database engine.
    #[error(
        "the database is damaged; found while {during}: {source}\n\
         help: what this call had not committed is undone; restore the file from a backup, or save what can be read \
         with `.recover` in the sqlite3 shell"
    )]
    #[non_exhaustive]
    Corrupt {
        /// What was being done when it was found.
        during: Box<During>,
        /// The database's error.
        source: Source,
    },

    /// The database cannot be written.
    #[error(
        "the database is read-only; {during} failed: {source}\n\
         help: make the file, what is beside it, and the directory writable for this user; open it for writing, without \
         `PRAGMA query_only`"
    )]
    #[non_exhaustive]
    ReadOnly {
        /// What was being done.
        during: Box<During>,
        /// The database's error.
        source: Source,
    },

    /// There is no room left: on the disk, under `PRAGMA max_page_count`, or, with `AUTOINCREMENT`, after the largest
    /// rowid that there can be.
    #[error(
        "the disk is full; {during} failed: {source}\n\
         help: what this call had not committed is undone; free space where the database is and where temporary files \
         go, and start again. If there is space, `PRAGMA max_page_count` or a table's largest rowid was reached"
    )]
    #[non_exhaustive]
    Full {
        /// What was being done.
        during: Box<During>,
        /// The database's error.
        source: Source,
    },

    /// The disk, or the file system, failed.
    ///
    /// The database is as it was before the call, or, if it failed at the very end of a commit, as it is after the
    /// commit. It is one or the other, and the next call finds out which.
    #[error(
        "the disk failed; {during} failed: {source}\n\
         help: check the disk and its connection, then start again: a transaction that was cut off is undone, or was \
         finished"
    )]
    #[non_exhaustive]
    Io {
        /// What was being done.
        during: Box<During>,
        /// The database's error.
        source: Source,
    },

    /// A file of the database cannot be opened: the database, or the journal beside it.
    #[error(
        "the database, or its journal or WAL beside it, cannot be opened; {during} failed: {source}\n\
         help: check that the directory is there and writable for this user, and that no directory stands where \
         these files belong"
    )]
    #[non_exhaustive]
    CannotOpen {
        /// What was being done.
        during: Box<During>,
        /// The database's error.
        source: Source,
    },

    /// The program stopped the migration, with an interrupt handle or a progress handler.
    #[error(
        "{during} was stopped by the program: {source}\nhelp: what this call had not committed is undone; start again"
    )]
    #[non_exhaustive]
    Interrupted {
        /// What was being done.
        during: Box<During>,
        /// The database's error.
        source: Source,
    },

    /// A backup was asked for of a database that is in no file: in memory, or a temporary one.
    #[error(
        "the database is in memory, or a temporary one, so that there is no file to back up\n\
         help: nothing was migrated; leave out `.backup(..)` for such a database"
    )]
    NoFile,

    /// The backup could not be made.
    #[error(
        "the backup {} could not be made; {doing} failed: {source}\n\
         help: nothing was migrated, and nothing of the copy is left; make the directory writable for this user, or name \
         another", .path.display()
    )]
    #[non_exhaustive]
    Backup {
        /// The file that it should have become.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The database's error, or that of the file system.
        source: Source,
    },

    /// There is no room for the backup.
    #[error(
        "there is no room for the backup {}: {source}\n\
         help: nothing was migrated, and nothing of the copy is left; free as much space there as the database has, \
         name a directory on another disk, or keep fewer backups", .path.display()
    )]
    #[non_exhaustive]
    BackupFull {
        /// The file that it should have become.
        path: PathBuf,
        /// The database's error, or that of the file system.
        source: Source,
    },

    /// The backup was made and is damaged, and so is the database, or the disk.
    #[error(
        "the database, or the disk that the backup {} was to be on, is damaged; the copy does not pass its check: {problem}\n\
         help: nothing was migrated, and nothing of the copy is left; run `PRAGMA integrity_check` on the database: if it \
         is damaged, put an older backup back with `molos::restore`", .path.display()
    )]
    #[non_exhaustive]
    BackupDamaged {
        /// The file that it should have become.
        path: PathBuf,
        /// What the check says.
        problem: String,
    },

    /// A file was to be restored that is no backup, or a damaged one.
    #[error("{} cannot be restored: {problem}\nhelp: nothing was changed; take another backup", .path.display())]
    #[non_exhaustive]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// A backup could not be put back.
    #[error(
        "{} could not be restored: {source}\n\
         help: the database is as it was; make its file and directory writable for this user, with room for a copy. If \
         the file is no database any more, move it away, with its -wal and -journal, and restore again", .path.display()
    )]
    #[non_exhaustive]
    Restore {
        /// The database that was to be overwritten.
        path: PathBuf,
        /// The database's error.
        source: Source,
    },

    /// The database failed at something that is not one of the migrations' statements, for none of the other reasons.
    #[error("{doing} failed: {source}")]
    #[non_exhaustive]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The database's error.
        source: Source,
    },
}

fn dotted(version: i32) -> String {
    format!("{}.{}.{}", version / 1_000_000, version / 1000 % 1000, version % 1000)
}

fn no_way_back(reason: Option<&str>, file: &str) -> String {
    const HELP: &str = "help: only a backup from before it has what it took away";
    match reason {
        None => format!("it has no down migration\nhelp: write one, for example in {file}"),
        Some("") => format!("its file says that it is irreversible\n{HELP}"),
        Some(reason) => format!("it is irreversible, its file says: {reason}\n{HELP}"),
    }
}

fn failed_help(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "correct the migration and run again",
        Direction::Down => "correct the down migration and roll back again",
    }
}

fn list(items: &[impl fmt::Display]) -> String {
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

fn names(sets: &[String]) -> String {
    let quoted: Vec<String> = sets.iter().map(|set| format!("\"{set}\"")).collect();
    quoted.join(", ")
}

fn instead(found: &[Tool]) -> String {
    if found.is_empty() { String::new() } else { format!(", but of {}", list(found)) }
}

fn lines(differences: &[Difference]) -> String {
    let lines: Vec<String> =
        differences.iter().map(|difference| format!("  {difference}").replace('\n', "\n  ")).collect();
    lines.join("\n")
}

fn differs(step: &Step, candidate: Candidate) -> String {
    match candidate {
        Candidate::Nearest => {
            format!("no migration leads to the schema of this database; it differs from that of the nearest, {step}")
        }
        Candidate::Asked => format!("the schema of this database differs from that of {step}"),
        Candidate::History(tool) => {
            format!("the history of {tool} ends with {step}, and the schema of this database differs from its")
        }
    }
}

fn were(steps: &[Step]) -> String {
    format!("{} {}", list(steps), if steps.len() == 1 { "was" } else { "were" })
}

fn are(steps: &[Step]) -> String {
    format!("{} {}", list(steps), if steps.len() == 1 { "is" } else { "are" })
}

fn latest_text(latest: Option<i64>) -> String {
    latest.map_or_else(|| "none".to_owned(), |version| version.to_string())
}

fn known_text(known: &[i64]) -> String {
    match (known.first(), known.last()) {
        (Some(first), Some(last)) => format!("its versions are {first} to {last}"),
        _ => "it has no migrations".to_owned(),
    }
}

fn applied_text(current: Option<i64>) -> String {
    current.map_or_else(|| "nothing is applied".to_owned(), |version| format!("the database is at version {version}"))
}
