//! A step that did not work, and what stands against it.

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostic;

/// A step that did not work.
pub(crate) struct Failure {
    pub(crate) diagnostic: Diagnostic,
    /// What the database says of it, if it may be about rows, or about something that an earlier failure left out.
    pub(crate) message: Option<Box<Message>>,
    pub(crate) cause: Cause,
    /// Where the statement starts that failed, if one did.
    pub(crate) statement: Option<usize>,
}

/// What the database says of a failure.
pub(crate) struct Message {
    pub(crate) text: String,
    /// The names that it is about, in lower case.
    pub(crate) names: BTreeSet<String>,
    /// The constraint that it is about, if it is one.
    pub(crate) constraint: Option<Constraint>,
}

/// What stands against a step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The values that are in a row.
    Values,
    /// That there are rows, whatever is in them.
    Rows,
    Other,
}

/// A constraint on the values of rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constraint {
    NotNull,
    Unique,
    Check,
}

impl Failure {
    /// A failure that has nothing to do with what is in the database.
    pub(crate) fn of_its_own(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, message: None, cause: Cause::Other, statement: None }
    }

    /// Whether this is about a constraint of that kind.
    pub(crate) fn is_about(&self, constraint: Constraint) -> bool {
        self.message.as_ref().is_some_and(|message| message.constraint == Some(constraint))
    }

    /// Whether this is about something that statements with these words failed to make.
    pub(crate) fn follows_from(&self, missing: &BTreeSet<String>) -> bool {
        self.message.as_ref().is_some_and(|message| !message.names.is_disjoint(missing))
    }
}

impl Constraint {
    /// What makes rows fulfil it.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::NotNull => "give the rows a value first, with an `UPDATE` or with `coalesce(…)` in the copy",
            Self::Unique => {
                "users may have rows that are alike there, or differ only in case or white space: change or delete all but one of them \
                 first, or leave the constraint out"
            }
            Self::Check => "bring the rows into line first, with an `UPDATE` or with a `CASE` in the copy",
        }
    }
}
