use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::model::checksum::Checksum;
use crate::model::migration::Direction;
use crate::model::report::StepReport;
use crate::model::tool::Tool;
use crate::model::violation::Dangling;
use crate::schema::{Difference, Object, ObjectKind};

/// An error of every kind, each with all that an error can have.
fn all() -> Vec<Error> {
    let step = || Step::new("app", 2, "tags");
    let sum = Checksum::of("");
    let text = || "what it says".to_owned();
    let steps = || vec![step(), Step::new("core", 3, "more")];
    let violations = || vec![Violation::new("a".to_owned(), "b".to_owned(), [None; 2], vec![Dangling::default(); 2])];
    let differences =
        || vec![Difference::Missing(Object::new(ObjectKind::Table, "notes".to_owned(), "notes".to_owned()))];
    let target = |problem| ErrorKind::Target { version: 7, problem };
    let backup = |problem| ErrorKind::Backup { path: Some(PathBuf::from("backups/app.db")), problem };
    let other = |problem| ErrorKind::OtherHistory { tool: Tool::Sqlx, problem };
    let mut kinds = vec![
        ErrorKind::Statement { direction: Direction::Up },
        ErrorKind::Statement { direction: Direction::Down },
        ErrorKind::Unregistered,
        ErrorKind::Hook,
        ErrorKind::TransactionEnded,
        ErrorKind::EndsTransaction,
        ErrorKind::ForeignKeys { steps: steps(), violations: violations() },
        ErrorKind::ForeignKeys { steps: Vec::new(), violations: violations() },
        ErrorKind::OlderEngine { database: "SQLite", running: text(), checked_on: text(), remedy: "upgrade" },
        ErrorKind::Edited { applied: sum, embedded: sum },
        ErrorKind::Renamed { applied: text() },
        ErrorKind::Newer { unknown: steps(), latest: None },
        ErrorKind::Newer { unknown: steps(), latest: Some(1) },
        ErrorKind::Unknown { unknown: steps() },
        ErrorKind::OutOfOrder { after: 3 },
        ErrorKind::Pending { pending: steps() },
        ErrorKind::Drift { differences: differences() },
        ErrorKind::History(HistoryProblem::Damaged(text())),
        ErrorKind::History(HistoryProblem::NewerFormat { format: 2 }),
        ErrorKind::Irreversible { file: text(), reason: None },
        ErrorKind::Irreversible { file: text(), reason: Some(String::new()) },
        ErrorKind::Irreversible { file: text(), reason: Some(text()) },
        ErrorKind::StoredDown(StoredDownProblem::NotStored),
        ErrorKind::StoredDown(StoredDownProblem::Untrusted(text())),
        ErrorKind::StoredDown(StoredDownProblem::Failed),
        target(TargetProblem::NoSuchVersion { set: text(), known: Vec::new() }),
        target(TargetProblem::NoSuchVersion { set: text(), known: vec![1, 2] }),
        target(TargetProblem::Below { current: 9 }),
        target(TargetProblem::NotApplied { current: None }),
        target(TargetProblem::NotApplied { current: Some(1) }),
        target(TargetProblem::AppliedMeanwhile { set: text() }),
        ErrorKind::AmbiguousSchema { steps: steps() },
        other(OtherHistoryProblem::NotThere { found: vec![Tool::Diesel] }),
        other(OtherHistoryProblem::OtherMigrations(text())),
        other(OtherHistoryProblem::NotInProgram { versions: vec![7, 8] }),
        other(OtherHistoryProblem::MoreThanKnown { applied: 3, known: 2 }),
        other(OtherHistoryProblem::Unfinished { version: 7 }),
        ErrorKind::NotYetAdopted { tool: Tool::Sqlx },
        ErrorKind::Sets(SetsProblem::NoSuchSet { set: text(), known: vec![text()] }),
        ErrorKind::Sets(SetsProblem::GivenTwice { set: text() }),
        ErrorKind::Sets(SetsProblem::Cycle { sets: vec![text(), text()] }),
        ErrorKind::Sets(SetsProblem::MissingBase { set: text(), directory: text(), version: 1, name: text() }),
        ErrorKind::Sets(SetsProblem::StandsOn { set: text() }),
        ErrorKind::Sets(SetsProblem::Several { sets: vec![text(), text()] }),
        ErrorKind::Sets(SetsProblem::Disordered { previous: 3 }),
        ErrorKind::Busy { waited: Duration::from_millis(1250) },
        ErrorKind::InTransaction,
        ErrorKind::Temporary { names: vec![text()] },
        ErrorKind::Backup { path: None, problem: BackupProblem::NoFile },
        backup(BackupProblem::NotMade),
        backup(BackupProblem::NoRoom),
        backup(BackupProblem::Damaged(text())),
        backup(BackupProblem::NotABackup(text())),
        backup(BackupProblem::NotRestored),
    ];
    kinds.extend(
        [Candidate::Nearest, Candidate::Asked, Candidate::History(Tool::Sqlx)]
            .map(|candidate| ErrorKind::NotAdopted { candidate, differences: differences() }),
    );
    kinds.extend(FAILURES.map(ErrorKind::Database));
    let completed = || {
        let step = StepReport { set: "app".to_owned(), version: 1, name: "notes".to_owned(), elapsed: Duration::ZERO };
        Report::new(Direction::Up, vec![step], 1)
    };
    let location = || Location {
        file: "migrations/002_tags.sql".to_owned(),
        line: 3,
        column: 7,
        statement: "the statement".to_owned(),
    };
    let whole = |kind| {
        let also = Error::new(ErrorKind::Hook).because("and its cause".into());
        Error::new(kind).of(step()).at(Some(location())).because("the cause".into()).after(completed()).and(also)
    };
    kinds.into_iter().map(whole).collect()
}

const FAILURES: [DatabaseFailure; 8] = [
    DatabaseFailure::NotADatabase,
    DatabaseFailure::Corrupt,
    DatabaseFailure::ReadOnly,
    DatabaseFailure::Full,
    DatabaseFailure::Io,
    DatabaseFailure::CannotOpen,
    DatabaseFailure::Interrupted,
    DatabaseFailure::Other,
];

#[test]
fn every_error_is_one_line_and_says_nothing_that_its_source_or_its_help_says() {
    for error in all() {
        let line = error.to_string();
        assert!(!line.contains('\n') && !line.contains("the cause") && !line.ends_with('.'), "{line}");
        assert!(line.starts_with(|c: char| c.is_lowercase()), "{line}");
        if let Some(help) = error.help() {
            assert!(!line.contains(&*help), "{line}");
        }
        // As a reporter prints a chain of sources.
        let source = error.source().expect("a source");
        assert_eq!(format!("{line}: {source}").matches("the cause").count(), 1, "{line}");
    }
}

#[test]
fn the_whole_text_says_everything_once() {
    for error in all() {
        let text = format!("{error:#}");
        let expected =
            ["the cause", "migrations/002_tags.sql:3:7", "the statement", "applied 1 migration", "and its cause"];
        for part in expected.into_iter().chain(error.help().as_deref()) {
            assert_eq!(text.matches(part).count(), 1, "{part:?} in:\n{text}");
        }
        assert_eq!(format!("{error:?}"), text, "as a `main` shows it that returns it");
    }
}

#[test]
fn the_same_call_may_work_later_only_where_nothing_of_the_program_is_at_fault() {
    let retryable: Vec<String> =
        all().iter().filter(|error| error.is_retryable()).map(|error| format!("{:?}", error.kind())).collect();
    assert_eq!(
        retryable,
        [
            "Busy { waited: 1.25s }",
            "Backup { path: Some(\"backups/app.db\"), problem: NoRoom }",
            "Database(Full)",
            "Database(Io)",
            "Database(CannotOpen)",
            "Database(Interrupted)",
        ]
    );
}
