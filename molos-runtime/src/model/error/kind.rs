//! The kinds of errors, as data.

use std::path::PathBuf;
use std::time::Duration;

use super::place::Step;
use crate::model::checksum::Checksum;
use crate::model::migration::Direction;
use crate::model::tool::Tool;
use crate::model::violation::Violation;
use crate::schema::Difference;

/// What kind of error it is, with what only this kind has to say. The [`Error`](super::Error) has the rest.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A statement of a migration failed.
    #[non_exhaustive]
    Statement {
        /// Which of the migration's scripts it is in.
        direction: Direction,
    },
    /// A statement of a migration uses an SQL function, a collation or a virtual-table module that the program has not
    /// registered with this connection.
    Unregistered,
    /// The program's own function that belongs to a migration failed.
    Hook,
    /// A migration, or its hook, ended the transaction that it was run in, so that it can no longer be undone.
    ///
    /// What ran before may be in the database, and is not in the history. `embed_migrations!` refuses such a migration.
    TransactionEnded,
    /// A migration has a statement that would end the transaction that it is run in; the statement was not run.
    /// `embed_migrations!` refuses such a migration.
    EndsTransaction,
    /// Rows refer to what is not there, and did not before the migrations ran; or
    /// [`Migrator::verify`](crate::Migrator::verify) found such rows, and no migration was run.
    #[non_exhaustive]
    ForeignKeys {
        /// The migrations that ran in the transaction; none, if the rows were there before.
        steps: Vec<Step>,
        /// What refers to nothing.
        violations: Vec<Violation>,
    },
    /// The database engine is older than the one that the migrations were checked on, and does not understand one of them.
    /// Nothing was run.
    #[non_exhaustive]
    OlderEngine {
        /// What kind of engine it is.
        database: &'static str,
        /// The version of this engine.
        running: String,
        /// The version of the engine that the migrations were checked on when the program was compiled.
        checked_on: String,
        /// How to get a newer one.
        remedy: &'static str,
    },

    /// A migration is not what it was when it was applied to this database.
    #[non_exhaustive]
    Edited {
        /// The checksum in the history table.
        applied: Checksum,
        /// The checksum in this program.
        embedded: Checksum,
    },
    /// A migration has another name than when it was applied.
    #[non_exhaustive]
    Renamed {
        /// Its name in the history table.
        applied: String,
    },
    /// The database is newer than this program: migrations were applied that come after the last one it has.
    #[non_exhaustive]
    Newer {
        /// What was applied and is not in this program.
        unknown: Vec<Step>,
        /// The last version in this program.
        latest: Option<i64>,
    },
    /// Migrations were applied that this program does not have, though it has later ones.
    #[non_exhaustive]
    Unknown {
        /// What was applied and is not in this program.
        unknown: Vec<Step>,
    },
    /// A migration is pending though later ones were applied.
    #[non_exhaustive]
    OutOfOrder {
        /// The last version applied.
        after: i64,
    },
    /// Migrations of the set are pending, where none should be.
    #[non_exhaustive]
    Pending {
        /// What is not applied.
        pending: Vec<Step>,
    },
    /// The schema is not the one that the migrations lead to.
    #[non_exhaustive]
    Drift {
        /// What differs.
        differences: Vec<Difference>,
    },
    /// The history table is not as molos writes it.
    History(HistoryProblem),

    /// A migration that would have to be rolled back has no down migration.
    #[non_exhaustive]
    Irreversible {
        /// The file that would hold it.
        file: String,
        /// Why there is none, if the migration's file says that there can be none; empty if it gives no reason.
        reason: Option<String>,
    },
    /// The down migration that the database holds for a migration cannot be used.
    StoredDown(StoredDownProblem),
    /// The version that was asked for cannot be reached.
    #[non_exhaustive]
    Target {
        /// What was asked for.
        version: i64,
        /// Why not.
        problem: TargetProblem,
    },

    /// `adopt` found that the schema of the database is not that of any migration, or not of the one that it should be.
    #[non_exhaustive]
    NotAdopted {
        /// Why it was compared with this migration.
        candidate: Candidate,
        /// How the database differs from what the migration leads to.
        differences: Vec<Difference>,
    },
    /// `adopt` found that the database has the schema of several migrations: those after the first only change rows.
    #[non_exhaustive]
    AmbiguousSchema {
        /// The migrations that lead to this schema.
        steps: Vec<Step>,
    },
    /// Another tool has migrated the database so far, and it was not adopted.
    #[non_exhaustive]
    NotYetAdopted {
        /// The tool.
        tool: Tool,
    },
    /// `adopt` found a history of another tool that does not fit.
    #[non_exhaustive]
    OtherHistory {
        /// The tool.
        tool: Tool,
        /// What does not fit.
        problem: OtherHistoryProblem,
    },

    /// The sets, or what was asked of them, make no sense.
    Sets(SetsProblem),

    /// Another connection held the database for longer than the call waited.
    #[non_exhaustive]
    Busy {
        /// How long the call waited.
        waited: Duration,
    },
    /// The connection was in a transaction of its own, which a migration would become a part of.
    InTransaction,
    /// The connection has temporary objects of its own. Where a migration names one of them, it would not reach the
    /// database's.
    #[non_exhaustive]
    Temporary {
        /// The tables, views and triggers.
        names: Vec<String>,
    },
    /// The database failed at something that is not a migration's statement, or for a reason that is not the statement's.
    Database(DatabaseFailure),
    /// A backup could not be made or restored. The database is as it was.
    #[non_exhaustive]
    Backup {
        /// The backup, or the database that one was to be restored to; `None` if there is no file.
        path: Option<PathBuf>,
        /// What is wrong.
        problem: BackupProblem,
    },
}

/// How the database failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseFailure {
    /// The file is not a database, or it is encrypted: these two look the same.
    NotADatabase,
    /// The database is damaged: its file was cut off, or written to by something that is not a database engine.
    Corrupt,
    /// The database cannot be written.
    ReadOnly,
    /// There is no room left.
    Full,
    /// The disk, or the file system, failed.
    ///
    /// The database is as it was before the call, or, if it failed at the very end of a commit, as it is after the
    /// commit. It is one or the other, and the next call finds out which.
    Io,
    /// The database cannot be opened or reached: a file of it, or its server.
    CannotOpen,
    /// The program stopped what was running.
    Interrupted,
    /// None of these.
    Other,
}

impl DatabaseFailure {
    /// Whether the same work may succeed later, whatever file or database it was done on.
    pub(crate) const fn is_passing(self) -> bool {
        matches!(self, Self::Full | Self::Interrupted | Self::Io)
    }
}

/// What is wrong with the history table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoryProblem {
    /// It is damaged, in this way.
    Damaged(String),
    /// A newer version of molos has written to it, in a format that this one does not know.
    #[non_exhaustive]
    NewerFormat {
        /// The format.
        format: i64,
    },
}

/// Why the down migration that the database holds cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoredDownProblem {
    /// There is none.
    NotStored,
    /// It is not as molos wrote it, and is not run.
    Untrusted(String),
    /// It failed.
    Failed,
}

/// Why a version cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetProblem {
    /// It is not one of the migrations.
    #[non_exhaustive]
    NoSuchVersion {
        /// The set.
        set: String,
        /// The versions there are.
        known: Vec<i64>,
    },
    /// The database is already past it.
    #[non_exhaustive]
    Below {
        /// The last version applied.
        current: i64,
    },
    /// It is not applied, so nothing can be rolled back to it.
    #[non_exhaustive]
    NotApplied {
        /// The last version applied.
        current: Option<i64>,
    },
    /// Another program has applied it since this call looked for what to roll back.
    #[non_exhaustive]
    AppliedMeanwhile {
        /// The set.
        set: String,
    },
}

/// What does not fit in the history of another tool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtherHistoryProblem {
    /// It is not there.
    #[non_exhaustive]
    NotThere {
        /// The tools whose history the database has.
        found: Vec<Tool>,
    },
    /// It is about other migrations, in this way.
    OtherMigrations(String),
    /// It has migrations that this program does not have, after all those that it should have.
    #[non_exhaustive]
    NotInProgram {
        /// Their versions.
        versions: Vec<i64>,
    },
    /// It counts more migrations than this program has.
    #[non_exhaustive]
    MoreThanKnown {
        /// How many it counts.
        applied: usize,
        /// How many this program has.
        known: usize,
    },
    /// The tool stopped in the middle of a migration.
    #[non_exhaustive]
    Unfinished {
        /// The version of the migration.
        version: i64,
    },
}

/// What is wrong with sets, or with what was asked of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetsProblem {
    /// A set was asked for that is not one of those that there are.
    #[non_exhaustive]
    NoSuchSet {
        /// The name.
        set: String,
        /// The names of the sets.
        known: Vec<String>,
    },
    /// Two of the sets have one name.
    #[non_exhaustive]
    GivenTwice {
        /// The name.
        set: String,
    },
    /// Sets come after each other in a circle.
    #[non_exhaustive]
    Cycle {
        /// The sets, each of which comes after the next, and the last after the first.
        sets: Vec<String>,
    },
    /// A set was checked after a migration that is neither applied to the database nor one of those to apply.
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
    /// Another set, which is applied and was not given, comes after a migration that is to be rolled back.
    #[non_exhaustive]
    StandsOn {
        /// The other set.
        set: String,
    },
    /// A version or a number of steps was given to several sets, each of which has versions of its own.
    #[non_exhaustive]
    Several {
        /// The sets.
        sets: Vec<String>,
    },
    /// The list of migrations is not in the order of its versions, or has one twice.
    #[non_exhaustive]
    Disordered {
        /// The version before the migration that is out of place.
        previous: i64,
    },
}

/// What is wrong with a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupProblem {
    /// The database is in no file: it is in memory, or a temporary one.
    NoFile,
    /// It could not be made.
    NotMade,
    /// There is no room for it.
    NoRoom,
    /// It was made and is damaged, in this way; and so is the database, or the disk.
    Damaged(String),
    /// What was to be restored is no backup, or a damaged one, for this reason.
    NotABackup(String),
    /// It could not be restored.
    NotRestored,
}

/// Why a database was compared with a migration when it was to be adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Candidate {
    /// The schema of no other migration is nearer to that of the database.
    Nearest,
    /// It was named, with [`Migrator::adopt_at`](crate::Migrator::adopt_at).
    Asked,
    /// The history of this tool ends with it.
    History(Tool),
}
