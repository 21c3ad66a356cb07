//! What a database could not do, as the engine tells it apart.

use crate::model::error::{DatabaseFailure, HistoryProblem, Source};

/// What a database could not do.
#[derive(Debug)]
pub struct DatabaseError {
    /// What kind of failure it is.
    pub failure: Failure,
    /// The byte of the statement that it is about, when a statement was run.
    pub offset: Option<usize>,
    /// The driver's own error.
    pub source: Source,
}

/// The kinds of failure that the engine tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Another connection holds a lock.
    Busy,
    /// The statement cannot be run on this database.
    Statement,
    /// The statement uses a function, a collation or a module that this connection does not have.
    Unregistered,
    /// The statement, or the program's function, ended the transaction.
    TransactionEnded,
    /// The statement would end the transaction, and was not run.
    EndsTransaction,
    /// A row still refers to nothing when the transaction ends.
    DeferredKey,
    /// The history table is not as it should be.
    History(HistoryProblem),
    /// The database failed, for none of these reasons.
    Database(DatabaseFailure),
}

impl From<DatabaseFailure> for Failure {
    fn from(failure: DatabaseFailure) -> Self {
        Self::Database(failure)
    }
}

impl DatabaseError {
    /// Another failure of the driver.
    pub(crate) fn other(source: impl Into<Source>) -> Self {
        Self { failure: DatabaseFailure::Other.into(), offset: None, source: source.into() }
    }

    /// The same error, about a statement that starts at this byte of its script.
    #[must_use]
    pub fn in_script(self, statement: usize) -> Self {
        Self { offset: Some(statement + self.offset.unwrap_or_default()), ..self }
    }
}
