//! The errors as people read them.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter, Write as _};
use std::path::Path;

use super::{
    BackupProblem, Candidate, DatabaseFailure, Error, ErrorKind, HistoryProblem, OtherHistoryProblem, SetsProblem,
    Step, StoredDownProblem, TargetProblem,
};
use crate::model::history::HISTORY_TABLE;
use crate::model::migration::Direction;
use crate::model::report::Seconds;
use crate::model::tool::Tool;
use crate::schema::{Difference, ObjectKind};

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        title(self, f)?;
        if f.alternate() {
            return details(self, f);
        }
        match self.location() {
            Some(location) => write!(f, " at {location}"),
            None => Ok(()),
        }
    }
}

/// The whole text.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

/// What happened, in one line.
fn title(error: &Error, f: &mut Formatter<'_>) -> fmt::Result {
    let step = About(error.step());
    match error.kind() {
        ErrorKind::Statement { direction: Direction::Up } => write!(f, "{step} failed"),
        ErrorKind::Statement { direction: Direction::Down } => write!(f, "{step} failed to roll back"),
        ErrorKind::Unregistered => write!(f, "{step} uses what is not registered with this connection"),
        ErrorKind::Hook => write!(f, "the hook of {step} failed"),
        ErrorKind::TransactionEnded => write!(f, "{step} ended the transaction it was run in"),
        ErrorKind::EndsTransaction => write!(f, "{step} would end the transaction it is run in"),
        ErrorKind::ForeignKeys { steps, violations } => {
            if steps.is_empty() {
                return write!(f, "rows refer to nothing: {}", List(violations));
            }
            write!(f, "{} would leave rows that refer to nothing: {}", List(steps), List(violations))
        }
        ErrorKind::OlderEngine { database, running, checked_on, .. } => {
            write!(f, "{step} cannot be run by this {database}, {running}; it was checked on {checked_on}")
        }
        ErrorKind::Edited { applied, embedded } => write!(
            f,
            "{step} was edited after it was applied: its checksum was {applied}, and is {embedded} in this program"
        ),
        ErrorKind::Renamed { applied } => write!(f, "{step} was applied to this database as \"{applied}\""),
        ErrorKind::Newer { unknown, latest } => {
            write!(f, "the database is newer than this program: {} {} applied", List(unknown), were(unknown))?;
            f.write_str(", and the last one this program has is ")?;
            match latest {
                Some(version) => version.fmt(f),
                None => f.write_str("none"),
            }
        }
        ErrorKind::Unknown { unknown } => {
            write!(f, "{} {} applied to this database, and this program does not have it", List(unknown), were(unknown))
        }
        ErrorKind::OutOfOrder { after } => write!(f, "{step} is not applied, though {after} after it is"),
        ErrorKind::Pending { pending } => {
            write!(
                f,
                "{} {} not applied to this database",
                List(pending),
                if pending.len() == 1 { "is" } else { "are" }
            )
        }
        ErrorKind::Drift { .. } => write!(f, "the schema is not what {step} leads to"),
        ErrorKind::History(HistoryProblem::Damaged(problem)) => {
            write!(f, "the table {HISTORY_TABLE} is damaged, or is not one of molos: {problem}")
        }
        ErrorKind::History(HistoryProblem::NewerFormat { format }) => {
            write!(f, "the table {HISTORY_TABLE} was written by a newer version of molos, in format {format}")
        }
        ErrorKind::Irreversible { reason, .. } => {
            write!(f, "{step} cannot be rolled back: ")?;
            match reason.as_deref() {
                None => f.write_str("it has no down migration"),
                Some("") => f.write_str("its file says that it is irreversible"),
                Some(reason) => write!(f, "it is irreversible, its file says: {reason}"),
            }
        }
        ErrorKind::StoredDown(StoredDownProblem::NotStored) => write!(
            f,
            "{step} cannot be rolled back: this program does not have it, and the database holds no down migration for it"
        ),
        ErrorKind::StoredDown(StoredDownProblem::Untrusted(problem)) => {
            write!(f, "the down migration of {step} in the table {HISTORY_TABLE} cannot be trusted: {problem}")
        }
        ErrorKind::StoredDown(StoredDownProblem::Failed) => {
            write!(f, "{step} failed to roll back, with the SQL that the database holds for it")
        }
        ErrorKind::Target { version, problem } => target(*version, problem, f),
        ErrorKind::NotAdopted { candidate: Candidate::Nearest, .. } => {
            write!(f, "no migration leads to the schema of this database; it differs from that of the nearest, {step}")
        }
        ErrorKind::NotAdopted { candidate: Candidate::Asked, .. } => {
            write!(f, "the schema of this database differs from that of {step}")
        }
        ErrorKind::NotAdopted { candidate: Candidate::History(tool), .. } => {
            write!(f, "the history of {tool} ends with {step}, and the schema of this database differs from its")
        }
        ErrorKind::AmbiguousSchema { steps } => write!(f, "the schema of this database is that of {}", List(steps)),
        ErrorKind::NotYetAdopted { tool } => {
            write!(f, "this database was migrated with {tool} so far, and has no history of molos")
        }
        ErrorKind::OtherHistory { tool, problem } => other_history(*tool, problem, f),
        ErrorKind::Sets(problem) => sets(problem, step, f),
        ErrorKind::Busy { waited } => {
            f.write_str("the database is held by another connection")?;
            // Where the connection itself has waited, only it knows how long.
            if waited.is_zero() { Ok(()) } else { write!(f, "; gave up after {}", Seconds(*waited)) }
        }
        ErrorKind::InTransaction => f.write_str("the connection is inside a transaction"),
        ErrorKind::Temporary { names } => {
            write!(f, "the connection has temporary objects of its own: {}", Names(names))
        }
        ErrorKind::Database(failure) => database(*failure, error, f),
        ErrorKind::Backup { path, problem } => backup(path.as_deref().unwrap_or(Path::new("")), problem, error, f),
    }
}

fn target(version: i64, problem: &TargetProblem, f: &mut Formatter<'_>) -> fmt::Result {
    match problem {
        TargetProblem::NoSuchVersion { set, .. } => {
            write!(f, "there is no migration with version {version} in the set \"{set}\"")
        }
        TargetProblem::Below { current } => write!(f, "the database is at version {current}, past {version}"),
        TargetProblem::NotApplied { .. } => write!(f, "cannot roll back to version {version}: it is not applied"),
        TargetProblem::AppliedMeanwhile { set } => {
            write!(f, "another program has applied migration {version} of the set \"{set}\" meanwhile")
        }
    }
}

fn other_history(tool: Tool, problem: &OtherHistoryProblem, f: &mut Formatter<'_>) -> fmt::Result {
    match problem {
        OtherHistoryProblem::OtherMigrations(problem) => {
            write!(f, "the history of {tool} in this database is about other migrations: {problem}")
        }
        OtherHistoryProblem::NotInProgram { versions } => {
            let versions = List(versions);
            write!(f, "the history of {tool} in this database has what this program does not have: version {versions}")
        }
        OtherHistoryProblem::MoreThanKnown { applied, known } => write!(
            f,
            "the history of {tool} in this database counts {applied} migrations, and this program has {known}"
        ),
        OtherHistoryProblem::Unfinished { version } => {
            write!(f, "the history of {tool} in this database says that migration {version} was not finished")
        }
        OtherHistoryProblem::NotThere { found } => {
            write!(f, "this database has no history of {tool}")?;
            if found.is_empty() { Ok(()) } else { write!(f, ", but of {}", List(found)) }
        }
    }
}

fn sets(problem: &SetsProblem, step: About<'_>, f: &mut Formatter<'_>) -> fmt::Result {
    match problem {
        SetsProblem::NoSuchSet { set, .. } => write!(f, "there is no set \"{set}\""),
        SetsProblem::GivenTwice { set } => write!(f, "the set \"{set}\" is given twice"),
        SetsProblem::Cycle { sets } => {
            write!(f, "the sets {} come after each other, so that none can be the first", Names(sets))
        }
        SetsProblem::MissingBase { set, directory, version, name } => write!(
            f,
            "the set \"{set}\" comes after migration {version} ({name}) of {directory}, which is not applied to this \
             database and in no set that is given"
        ),
        SetsProblem::StandsOn { set } => {
            write!(f, "{step} cannot be rolled back: the set \"{set}\" is applied, and comes after it")
        }
        SetsProblem::Several { sets } => {
            write!(f, "a version or a number of steps is about one set, and these are several: {}", Names(sets))
        }
        SetsProblem::Disordered { previous } => write!(f, "{step} does not come after version {previous}"),
    }
}

fn database(failure: DatabaseFailure, error: &Error, f: &mut Formatter<'_>) -> fmt::Result {
    let during = During(error);
    match failure {
        DatabaseFailure::NotADatabase => {
            write!(f, "the file is not a database, or it is encrypted; found while {during}")
        }
        DatabaseFailure::Corrupt => write!(f, "the database is damaged; found while {during}"),
        DatabaseFailure::ReadOnly => write!(f, "the database is read-only; {during} failed"),
        DatabaseFailure::Full => write!(f, "the disk is full; {during} failed"),
        DatabaseFailure::Io => write!(f, "the disk failed; {during} failed"),
        DatabaseFailure::CannotOpen => write!(f, "the database cannot be opened or reached; {during} failed"),
        DatabaseFailure::Interrupted => write!(f, "{during} was stopped by the program"),
        DatabaseFailure::Other => write!(f, "{during} failed"),
    }
}

fn backup(path: &Path, problem: &BackupProblem, error: &Error, f: &mut Formatter<'_>) -> fmt::Result {
    let path = path.display();
    match problem {
        BackupProblem::NoFile => {
            f.write_str("the database is in memory, or a temporary one, so that there is no file to back up")
        }
        BackupProblem::NotMade => write!(f, "the backup {path} could not be made; {} failed", During(error)),
        BackupProblem::NoRoom => write!(f, "there is no room for the backup {path}"),
        BackupProblem::Damaged(problem) => write!(
            f,
            "the database, or the disk that the backup {path} was to be on, is damaged; the copy does not pass its \
             check: {problem}"
        ),
        BackupProblem::NotABackup(problem) => write!(f, "{path} cannot be restored: {problem}"),
        BackupProblem::NotRestored => write!(f, "{path} could not be restored"),
    }
}

/// What follows the line that says what happened.
fn details(error: &Error, f: &mut Formatter<'_>) -> fmt::Result {
    match error.kind() {
        ErrorKind::Drift { differences } | ErrorKind::NotAdopted { differences, .. } => lines(differences, f)?,
        _ => {}
    }
    if let Some(source) = std::error::Error::source(error) {
        write!(f, ": {source}")?;
    }
    if let Some(location) = error.location() {
        write!(f, "\n  --> {location}")?;
        if !location.statement.is_empty() {
            write!(f, "\n   | {}", location.statement)?;
        }
    }
    if let Some(completed) = error.completed() {
        write!(f, "\nbefore that, this call {completed}\nthat is committed, and stays")?;
    }
    if let Some(also) = &error.0.also {
        write!(f, "\nand then {also}")?;
        if let Some(source) = std::error::Error::source(also) {
            write!(f, ": {source}")?;
        }
    }
    match error.help() {
        Some(help) => write!(f, "\nhelp: {help}"),
        None => Ok(()),
    }
}

/// What to do.
pub(super) fn help(error: &Error) -> Option<Cow<'static, str>> {
    const BEFORE_IT: &str = "nothing was changed; run the newer program, or restore a backup from before it";
    let text = match error.kind() {
        ErrorKind::Statement { .. } if error.0.is_alone => {
            "it runs outside of a transaction, so that its statements before this one stay; correct it and run again: it \
             starts from its beginning"
        }
        ErrorKind::Statement { direction: Direction::Up } => {
            "what this call had not committed is undone; correct the migration and run again"
        }
        ErrorKind::Statement { direction: Direction::Down } => {
            "what this call had not committed is undone; correct the down migration and roll back again"
        }
        ErrorKind::Unregistered => {
            "register it with each connection that migrates, before that; what this call had not committed is undone"
        }
        ErrorKind::Hook => "what this call had not committed is undone; correct the hook and run again",
        ErrorKind::TransactionEnded => "remove its BEGIN, COMMIT or ROLLBACK, and restore the database from a backup",
        ErrorKind::EndsTransaction => {
            "remove its BEGIN, COMMIT or ROLLBACK; what this call had not committed is undone"
        }
        ErrorKind::ForeignKeys { steps, .. } if steps.is_empty() => "change or delete these rows",
        ErrorKind::ForeignKeys { .. } => "nothing was committed; move, change or delete these rows in the migration",
        ErrorKind::OlderEngine { remedy, .. } => return Some(format!("nothing was run; {remedy}").into()),
        ErrorKind::Edited { .. } => "restore the file as it was, and put the change into a new migration",
        ErrorKind::Renamed { .. } => {
            "rename the file back; if these are two different migrations, give the new one a new version"
        }
        ErrorKind::Newer { .. } => {
            "run the newer program, restore the database that belongs to this one, or roll it back with \
             `Migrator::downgrade`, which loses what the newer program has put into tables and columns that this one does not have"
        }
        ErrorKind::Unknown { .. } => {
            "a file was removed or renumbered, or the database belongs to another branch; put the file back"
        }
        ErrorKind::OutOfOrder { .. } => {
            "give it a version after the last, or allow this with `.allow_out_of_order(true)`"
        }
        ErrorKind::Pending { .. } => "migrate it",
        ErrorKind::Drift { differences } => {
            let put_back = "undo the change by hand, or write a migration that makes it";
            return Some(with_other_tables(put_back, differences));
        }
        ErrorKind::History(HistoryProblem::Damaged(_)) => {
            "restore it from a backup; nothing is guessed about what was applied"
        }
        ErrorKind::History(HistoryProblem::NewerFormat { .. }) => {
            "nothing was changed; run the newer program, or build this one with the newer molos"
        }
        ErrorKind::Irreversible { reason: Some(_), .. } => "only a backup from before it has what it removed",
        ErrorKind::Irreversible { file, .. } => return Some(format!("write one, for example in {file}").into()),
        ErrorKind::StoredDown(StoredDownProblem::NotStored) => BEFORE_IT,
        ErrorKind::StoredDown(StoredDownProblem::Untrusted(_)) => {
            "nothing was changed; roll back with the newer program, which has its own, or restore a backup from before it"
        }
        ErrorKind::StoredDown(StoredDownProblem::Failed) => {
            "nothing was changed; roll back with the newer program, or restore a backup from before it"
        }
        ErrorKind::Target { problem, .. } => return Some(target_help(problem)),
        ErrorKind::NotAdopted { differences, .. } => {
            let bring = "change the schema to that of one of the migrations, or add the migration that led to it";
            return Some(with_other_tables(bring, differences));
        }
        ErrorKind::NotYetAdopted { .. } => {
            "what this call had not committed is undone; call `Migrator::adopt` before `migrate`: it records what is there \
             already"
        }
        ErrorKind::AmbiguousSchema { .. } => {
            "the later ones change rows, which leaves no trace in a schema; name the last that was applied with \
             `Migrator::adopt_at`"
        }
        ErrorKind::OtherHistory { problem, .. } => other_history_help(problem),
        ErrorKind::Sets(problem) => return Some(sets_help(problem)),
        ErrorKind::Busy { .. } => "close the connection that holds it, or wait longer with `.busy_timeout(..)`",
        ErrorKind::InTransaction => "commit or roll it back first",
        ErrorKind::Temporary { .. } => {
            "migrate before they are made, or on another connection: a statement that names one does not reach the database"
        }
        ErrorKind::Database(failure) => return database_help(*failure),
        ErrorKind::Backup { problem, .. } => backup_help(problem),
    };
    Some(text.into())
}

/// What to do, and what else if there are tables that should not be there.
fn with_other_tables(help: &'static str, differences: &[Difference]) -> Cow<'static, str> {
    let is_extra =
        |difference: &Difference| matches!(difference, Difference::Extra(object) if object.kind == ObjectKind::Table);
    if !differences.iter().any(is_extra) {
        return help.into();
    }
    format!("{help}; name the tables of another library with `Migrator::other_tables`").into()
}

fn target_help(problem: &TargetProblem) -> Cow<'static, str> {
    match problem {
        TargetProblem::NoSuchVersion { known, .. } => match (known.first(), known.last()) {
            (Some(first), Some(last)) => format!("its versions are {first} to {last}").into(),
            _ => "it has no migrations".into(),
        },
        TargetProblem::Below { .. } => "to go back, roll back".into(),
        TargetProblem::NotApplied { current: Some(version) } => format!("the database is at version {version}").into(),
        TargetProblem::NotApplied { current: None } => "nothing is applied".into(),
        TargetProblem::AppliedMeanwhile { .. } => {
            "look at what there is to roll back now, and call again if you still want to".into()
        }
    }
}

const fn other_history_help(problem: &OtherHistoryProblem) -> &'static str {
    match problem {
        OtherHistoryProblem::OtherMigrations(_) => {
            "correct it, or name the last migration that was applied with `Migrator::adopt_at`"
        }
        OtherHistoryProblem::NotInProgram { .. } | OtherHistoryProblem::MoreThanKnown { .. } => {
            "it is a newer database, or a file is missing; run the newer program, or put the file back"
        }
        OtherHistoryProblem::Unfinished { .. } => {
            "finish or undo it with that tool; if it is known what was done, name the last that was applied with \
             `Migrator::adopt_at`"
        }
        OtherHistoryProblem::NotThere { .. } => {
            "name a tool that has a history here, or none: then the schema alone decides"
        }
    }
}

fn sets_help(problem: &SetsProblem) -> Cow<'static, str> {
    let text = match problem {
        SetsProblem::NoSuchSet { known, .. } => return format!("the sets of this program are {}", Names(known)).into(),
        SetsProblem::GivenTwice { .. } => "give each set once, and each directory a name of its own with `set = \"…\"`",
        SetsProblem::Cycle { .. } => "let one of them not come after the others, or put them into one directory",
        SetsProblem::MissingBase { .. } => {
            "give that set too, as in `Migrator::new([&core::MIGRATIONS, &tasks::MIGRATIONS])`, or migrate it first"
        }
        SetsProblem::StandsOn { set } => {
            return format!("roll \"{set}\" back first, or all sets with one call").into();
        }
        SetsProblem::Several { .. } => "name one of them, with `Migrator::only` or on the command line with `--set`",
        SetsProblem::Disordered { .. } => "order the list by version, each version once",
    };
    text.into()
}

fn database_help(failure: DatabaseFailure) -> Option<Cow<'static, str>> {
    let text = match failure {
        DatabaseFailure::NotADatabase => {
            "check that this is the right file; if it is encrypted, set its key on this connection first"
        }
        DatabaseFailure::Corrupt => {
            "what this call had not committed is undone; restore the database from a backup, or save what can be read of it"
        }
        DatabaseFailure::ReadOnly => {
            "open it for writing; of a database in a file, make the file, what is beside it, and the directory writable for \
             this user"
        }
        DatabaseFailure::Full => {
            "what this call had not committed is undone; free space where the database is and where temporary files \
             go, and start again. If there is space, a limit of the database was reached: its largest size, or the largest \
             id of a table"
        }
        DatabaseFailure::Io => {
            "check the disk and its connection, then start again: a transaction that was cut off is undone, or was finished"
        }
        DatabaseFailure::CannotOpen => {
            "of a database in a file, check that the directory is there and writable for this user, and that no directory \
             stands where the database, its journal or its WAL belong; of a server, that it runs"
        }
        DatabaseFailure::Interrupted => "what this call had not committed is undone; start again",
        DatabaseFailure::Other => return None,
    };
    Some(text.into())
}

const fn backup_help(problem: &BackupProblem) -> &'static str {
    match problem {
        BackupProblem::NoFile => "nothing was changed; leave out the backup for such a database",
        BackupProblem::NotMade => {
            "nothing was changed, and nothing of the copy is left; make the directory writable for this user, or name \
             another"
        }
        BackupProblem::NoRoom => {
            "nothing was changed, and nothing of the copy is left; free as much space there as the database has, name a \
             directory on another disk, or keep fewer backups"
        }
        BackupProblem::Damaged(_) => {
            "nothing was changed, and nothing of the copy is left; check the database: if it is damaged, put an older \
             backup back with `Migrator::restore_backup`"
        }
        BackupProblem::NotABackup(_) => "nothing was changed; take another backup",
        BackupProblem::NotRestored => {
            "the database is as it was; make its file and directory writable for this user, with room for a copy. If the \
             file is no database any more, move it away, with its -wal and -journal, and restore again"
        }
    }
}

/// The migration that an error is about.
#[derive(Clone, Copy)]
struct About<'e>(Option<&'e Step>);

impl Display for About<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(step) => step.fmt(f),
            None => f.write_str("a migration"),
        }
    }
}

/// What was being done.
struct During<'e>(&'e Error);

impl Display for During<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.0.0.doing, self.0.step()) {
            (Some(doing), None) => f.write_str(doing),
            (Some(doing), Some(step)) => write!(f, "{doing} {step}"),
            (None, step) => write!(f, "running {}", About(step)),
        }
    }
}

/// Several things in a sentence.
struct List<'l, T>(&'l [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, item) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            item.fmt(f)?;
        }
        Ok(())
    }
}

/// Several names in a sentence, each in quotes.
struct Names<'n>(&'n [String]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            write!(f, "{}\"{name}\"", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn were(steps: &[Step]) -> &'static str {
    if steps.len() == 1 { "was" } else { "were" }
}

/// Each difference on a line of its own.
fn lines(differences: &[Difference], f: &mut Formatter<'_>) -> fmt::Result {
    f.write_char(':')?;
    for difference in differences {
        for line in difference.to_string().lines() {
            write!(f, "\n  {line}")?;
        }
    }
    Ok(())
}
