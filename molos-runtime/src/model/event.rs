//! What happens while migrations run, as data.

use std::path::Path;
use std::time::Duration;

use super::error::Step;
use super::migration::Direction;
use super::observe;

/// Something that happened during [`Migrator::migrate`](crate::Migrator::migrate) or
/// [`Migrator::rollback`](crate::Migrator::rollback); see [`Migrator::on_event`](crate::Migrator::on_event).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// Another connection holds the database; this is sent before each new attempt to take it.
    #[non_exhaustive]
    Waiting {
        /// How long the call has waited.
        waited: Duration,
        /// After how long it gives up.
        timeout: Duration,
    },
    /// A copy of the database was made and checked, before the first step; see
    /// [`Migrator::backup_before`](crate::Migrator::backup_before).
    #[non_exhaustive]
    BackedUp {
        /// The copy.
        path: &'e Path,
    },
    /// A step is about to run.
    #[non_exhaustive]
    Started {
        /// The migration.
        step: &'e Step,
        /// Which way it is run.
        direction: Direction,
    },
    /// A statement of a step is about to run: how far a step is that takes long.
    ///
    /// There is no news from inside of a single statement: SQLite has one progress handler for each connection, which
    /// cannot be read back, so that to set one would take away the program's own.
    #[non_exhaustive]
    Statement {
        /// The migration.
        step: &'e Step,
        /// Which way it is run.
        direction: Direction,
        /// Which of its statements, from 1.
        number: usize,
        /// How many it has.
        count: usize,
        /// The statement, without the comments before it.
        sql: &'e str,
    },
    /// A step ran; it is not yet committed.
    #[non_exhaustive]
    Finished {
        /// The migration.
        step: &'e Step,
        /// Which way it was run.
        direction: Direction,
        /// How long it took.
        elapsed: Duration,
    },
    /// Everything up to here is in the database for good.
    Committed,
    /// Something failed, and everything since the last commit is undone.
    RolledBack,
}

/// Where events go, if anybody listens: by default, nowhere.
#[derive(Clone, Copy, Default)]
pub struct Listener<'l> {
    on_event: Option<&'l (dyn Fn(&Event<'_>) + Send + Sync)>,
    is_traced: bool,
}

impl<'l> Listener<'l> {
    pub(crate) fn new(on_event: Option<&'l (dyn Fn(&Event<'_>) + Send + Sync)>) -> Self {
        Self { on_event, is_traced: true }
    }

    /// Whether anybody wants to know of each statement, for which they have to be counted.
    pub(crate) fn wants_statements(self) -> bool {
        self.on_event.is_some() || (self.is_traced && observe::wants_statements())
    }

    pub(crate) fn emit(self, event: &Event<'_>) {
        if self.is_traced {
            observe::event(event);
        }
        if let Some(on_event) = self.on_event {
            on_event(event);
        }
    }
}
