//! Everything that can go wrong, said so that the reader knows what to do next.

mod kind;
mod place;
mod text;

use std::borrow::Cow;

pub use self::kind::{
    BackupProblem, Candidate, DatabaseFailure, ErrorKind, HistoryProblem, OtherHistoryProblem, SetsProblem,
    StoredDownProblem, TargetProblem,
};
pub use self::place::{Location, Step};
use crate::model::report::Report;
pub use crate::model::violation::Violation;

/// An error of the database's own driver, or of a function of the program.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why migrations were not run, or not found to be in order.
///
/// Unless its [`kind`](Self::kind) says otherwise, the database is exactly as it was before the call, but for what
/// [`completed`](Self::completed) tells.
///
/// Displayed with `{}` it is one line that says what happened, without its [`source`](std::error::Error::source), so
/// that whoever prints the chain of sources says nothing twice. With `{:#}` it is the whole text: with the source, the
/// place, the statement, what was committed before, and what to do. `{:?}` is the whole text as well, since that is what
/// a `main` shows that returns an error.
///
/// ```
/// # use molos_runtime as molos;
/// use molos::{ErrorKind, Migration, Migrations, rusqlite::Connection};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let list = [Migration::new(1, "notes", "CREATE TABLE notes (body TEXT);\nINSERT INTO note VALUES ('a');")];
/// let mut conn = Connection::open_in_memory()?;
/// let error = Migrations::new("app", "migrations", &list).migrate(&mut conn).unwrap_err();
///
/// assert_eq!(error.to_string(), "migration 1 (notes) failed at migrations/notes:2:1");
/// assert_eq!(
///     format!("{error:#}"),
///     "migration 1 (notes) failed: no such table: note
///   --> migrations/notes:2:1
///    | INSERT INTO note VALUES ('a');
/// help: what this call had not committed is undone; correct the migration and run again"
/// );
/// match error.kind() {
///     ErrorKind::Newer { .. } => println!("a newer program has been here"),
///     ErrorKind::Busy { .. } => println!("try again later"),
///     _ => eprintln!("{error:#}"),
/// }
/// # Ok(())
/// # }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    step: Option<Step>,
    location: Option<Location>,
    /// What was being done, in words such as "reading the history", where the kind does not say it.
    doing: Option<&'static str>,
    source: Option<Source>,
    completed: Option<Report>,
    /// Whether what failed was run outside of a transaction.
    is_alone: bool,
    /// What failed as well, when the connection was put back.
    also: Option<Error>,
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: ErrorKind) -> Self {
        let inner = Inner {
            kind,
            step: None,
            location: None,
            doing: None,
            source: None,
            completed: None,
            is_alone: false,
            also: None,
        };
        Self(Box::new(inner))
    }

    pub(crate) fn of(mut self, step: Step) -> Self {
        self.0.step = Some(step);
        self
    }

    pub(crate) fn at(mut self, location: Option<Location>) -> Self {
        self.0.location = location;
        self
    }

    pub(crate) fn while_doing(mut self, doing: &'static str) -> Self {
        self.0.doing = Some(doing);
        self
    }

    pub(crate) fn because(mut self, source: Source) -> Self {
        self.0.source = Some(source);
        self
    }

    /// The same error, of a script that was run outside of a transaction.
    pub(crate) fn alone(mut self, is_alone: bool) -> Self {
        self.0.is_alone = is_alone;
        self
    }

    /// The same error, after this was committed.
    pub(crate) fn after(mut self, completed: Report) -> Self {
        self.0.completed = Some(completed);
        self
    }

    /// The same error, and what failed when the connection was put back.
    pub(crate) fn and(mut self, also: Self) -> Self {
        self.0.also = Some(also);
        self
    }

    /// The same error as one of another kind.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The migration that it is about.
    #[must_use]
    pub fn step(&self) -> Option<&Step> {
        self.0.step.as_ref()
    }

    /// Where the statement, or the part of it that is at fault, stands.
    #[must_use]
    pub fn location(&self) -> Option<&Location> {
        self.0.location.as_ref()
    }

    /// What to do.
    #[must_use]
    pub fn help(&self) -> Option<Cow<'static, str>> {
        text::help(self)
    }

    /// What this call had committed before it failed: with one transaction for each migration, or with migrations that run
    /// outside of one. `None` if nothing was.
    #[must_use]
    pub fn completed(&self) -> Option<&Report> {
        self.0.completed.as_ref()
    }

    /// Whether the same call may work later, with the same program: another connection held the database, the program
    /// stopped the call, the disk was full or failed, or the database could not be opened or reached.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Database(failure) => failure.is_passing() || failure == DatabaseFailure::CannotOpen,
            ErrorKind::Busy { .. } | ErrorKind::Backup { problem: BackupProblem::NoRoom, .. } => true,
            _ => false,
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests;
