//! What a rehearsal on the real data found out.

use std::fmt;
use std::time::Duration;

use super::error::Error;
use super::report::{Milliseconds, SetName};

/// What [`Migrator::rehearse`](crate::Migrator::rehearse) found out. Nothing of it is in the database.
#[derive(Debug)]
#[must_use]
pub struct Rehearsal {
    steps: Vec<StepRehearsal>,
    error: Option<Error>,
    /// How many sets it is about.
    sets: usize,
}

/// One migration that was run, and undone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepRehearsal {
    /// The set it belongs to.
    pub set: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// How long it took.
    pub elapsed: Duration,
    /// How many rows its `INSERT`, `UPDATE` and `DELETE` statements changed, with what triggers and foreign keys did
    /// because of them. The rows of a table that is dropped, or created from a query, are not among them.
    pub rows: u64,
}

impl Rehearsal {
    pub(crate) const fn new(steps: Vec<StepRehearsal>, error: Option<Error>, sets: usize) -> Self {
        Self { steps, error, sets }
    }

    /// The migrations that ran through, in this order; empty when there is nothing to do.
    #[must_use]
    pub fn steps(&self) -> &[StepRehearsal] {
        &self.steps
    }

    /// The error that [`Migrator::migrate`](crate::Migrator::migrate) would end with: that of the step after the last of [`steps`](Self::steps),
    /// or of what is checked at the end, such as [`ErrorKind::ForeignKeys`](crate::ErrorKind::ForeignKeys). `None` if all would go well.
    #[must_use]
    pub const fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

/// A line for each migration that ran, with its set if there are several, and the error that would come.
impl fmt::Display for Rehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() && self.error.is_none() {
            return f.write_str("nothing to do");
        }
        let plural = if self.steps.len() == 1 { "" } else { "s" };
        write!(f, "rehearsed {} migration{plural}; nothing was changed", self.steps.len())?;
        for step in &self.steps {
            let set = SetName::of_several(self.sets, &step.set);
            let plural = if step.rows == 1 { "" } else { "s" };
            let elapsed = Milliseconds(step.elapsed);
            write!(f, "\n  {set}{} {}  {elapsed}, {} row{plural} changed", step.version, step.name, step.rows)?;
        }
        match &self.error {
            Some(error) => write!(f, "\nit would fail: {error:#}"),
            None => Ok(()),
        }
    }
}
