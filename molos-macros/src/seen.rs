//! What the sandbox saw a script do.

use std::collections::BTreeSet;

use molos_runtime::Change;

/// What the sandbox saw of the script that ran last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// What it was stopped from doing.
    pub(crate) refusal: Option<Refusal>,
    /// Each `PRAGMA foreign_keys = …` in it, in order: whether it switched enforcement on.
    pub(crate) foreign_keys: Vec<bool>,
    /// What it changed in the schema.
    pub(crate) change: Change,
    /// The tables that it read, wrote to or altered, in lower case.
    pub(crate) used: BTreeSet<String>,
    /// Those whose rows it changed.
    pub(crate) written: BTreeSet<String>,
    /// Those that it altered.
    pub(crate) altered: BTreeSet<String>,
    /// Those that it created or dropped.
    pub(crate) replaced: BTreeSet<String>,
}

/// Something that a migration may not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `BEGIN`, `COMMIT`, `ROLLBACK`, `SAVEPOINT`, `RELEASE`.
    Transaction,
    /// `ATTACH`.
    Attach,
    /// `DETACH`.
    Detach,
    /// A call of `load_extension`.
    LoadExtension,
    /// A pragma, by name.
    Pragma(String),
    /// A change to the history table.
    History,
    /// It ran for too long.
    Runaway,
    /// Something that SQLite may learn to do one day.
    Other(String),
}
