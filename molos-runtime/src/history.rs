//! The history table: what was applied to a database, when, and how to take it back.

use std::time::Duration;

use crate::Checksum;

/// The name of the history table. It belongs to molos; a migration may read it, in a view for example.
pub const HISTORY_TABLE: &str = "_molos_migrations";

/// The name of a set that is given none.
pub const DEFAULT_SET: &str = "app";

/// A migration that was applied, as the history table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// Its version.
    pub version: i64,
    /// Its name at the time.
    pub name: String,
    /// The checksum of its file at the time.
    pub checksum: Checksum,
    /// When it was applied, in unix seconds.
    pub applied_at: i64,
    /// How long it took.
    pub duration: Duration,
}

/// A row about to be written to the history table.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Record<'m> {
    /// The set it belongs to.
    pub set: &'m str,
    /// What is known of the migration from now on.
    pub applied: Applied,
    /// The SQL that takes it back, kept so that an older binary can.
    pub down: Option<&'m str>,
}
