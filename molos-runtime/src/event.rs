//! What happens while migrations run, as data.

use std::path::Path;
use std::time::Duration;

use crate::{Direction, Migration};

/// Something that happened during [`Migrator::migrate`](crate::Migrator::migrate) or
/// [`Migrator::rollback`](crate::Migrator::rollback); see [`Migrator::on_event`](crate::Migrator::on_event).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// Another connection holds the database; this is sent before each new attempt to take it.
    #[non_exhaustive]
    Waiting {
        /// For how long it has been waited.
        waited: Duration,
        /// After how long it is given up.
        timeout: Duration,
    },
    /// A copy of the database was made and checked, before the first step; see
    /// [`Migrator::backup`](crate::Migrator::backup).
    #[non_exhaustive]
    BackedUp {
        /// The copy.
        path: &'e Path,
    },
    /// A step is about to run.
    #[non_exhaustive]
    Started {
        /// The migration.
        migration: &'e Migration<'e>,
        /// Which way it is run.
        direction: Direction,
    },
    /// A step ran; it is not yet committed.
    #[non_exhaustive]
    Finished {
        /// The migration.
        migration: &'e Migration<'e>,
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
