//! What the sandbox saw a script do.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use molos_runtime::__private::sqlite::Change;

use crate::check::lineage::{Event, TableEvent};
use crate::check::shadow::Effects;
use crate::sqlite::sandbox::altering::{altering, copied, copied_whole};

/// What the sandbox saw of the script that ran last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) effects: Effects,
    /// What it changed in the schema.
    pub(crate) change: Change,
    /// What it was stopped from doing.
    pub(crate) refusal: Option<Refusal>,
    /// Each `PRAGMA foreign_keys = …` in it, in order: whether it switched enforcement on.
    pub(crate) foreign_keys: Vec<bool>,
    /// The statement that failed.
    pub(crate) failed: Option<FailedStatement>,
}

/// A statement that failed, as the connection says it.
#[derive(Clone, Debug)]
pub(crate) struct FailedStatement {
    /// The byte of the script that it starts at.
    pub(crate) statement: usize,
    /// The byte of the script that it is about.
    pub(crate) offset: usize,
    /// SQLite's own message.
    pub(crate) message: String,
    /// Whether it is about a constraint.
    pub(crate) is_constraint: bool,
    /// Whether the statement ended the transaction.
    pub(crate) ends_transaction: bool,
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
    /// A call of a function about what the connection did before, by name.
    LeftOver(String),
    /// A change to the history table.
    History,
    /// It ran for too long.
    Runaway,
    /// It took longer than this, without many instructions.
    TooLong(Duration),
    /// Something that SQLite may learn to do one day.
    Other(String),
}

/// What is seen, for the connection and for its callbacks.
#[derive(Clone, Default)]
pub(super) struct Watch(Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    /// Whether a script is running; if not, it is the engine's own statements.
    pub(super) watching: bool,
    /// How many instructions of SQLite's virtual machine it took so far.
    pub(super) instructions: i64,
    /// When it was first seen to run.
    pub(super) began: Option<Instant>,
    /// Whether a statement before the one that is looked at may have changed rows.
    pub(super) has_written: bool,
    /// Where the statement starts that is running.
    pub(super) statement: usize,
    /// The table that the statement creates or makes an index on, whose columns it names, but does not read.
    pub(super) described: Option<String>,
    /// The columns that the statement reads, each with its table.
    pub(super) reads: BTreeSet<(String, String)>,
    /// The tables that it writes to.
    pub(super) targets: BTreeSet<String>,
    /// How many rows with an id were inserted, temporary ones among them.
    pub(super) inserts: usize,
    /// Whether one of them has inserted a row that has an id.
    pub(super) has_inserted: bool,
    pub(super) trace: Trace,
}

impl State {
    /// Takes note of a statement that has run.
    pub(super) fn ran(&mut self, statement: &str) {
        let whole = self.reads.is_empty().then(|| copied_whole(statement)).flatten().map(|table| (table, None));
        let copied = (!self.reads.is_empty()).then(|| copied(statement)).flatten();
        let is_copied = |(_, column): &&(String, String)| copied.as_ref().is_none_or(|copied| copied.contains(column));
        let reads = self.reads.iter().filter(is_copied).map(|(table, column)| (table.clone(), Some(column.clone())));
        let reads = reads.chain(whole);
        let into = |(table, column): (String, Option<String>)| {
            let read = move |into: &String| TableEvent::Read {
                table: table.clone(),
                column: column.clone(),
                into: into.clone(),
            };
            self.targets.iter().map(read)
        };
        let reads: Vec<TableEvent> = reads.flat_map(into).collect();
        self.note(reads);
        self.note(altering(statement));
    }

    /// Takes note of what the statement does.
    pub(super) fn note(&mut self, events: impl IntoIterator<Item = TableEvent>) {
        let statement = self.statement;
        self.trace.effects.events.extend(events.into_iter().map(|what| Event { statement, what }));
    }

    /// Takes note of what is known when another statement begins.
    pub(super) fn next_statement(&mut self, start: usize) {
        self.statement = start;
        self.has_written = self.trace.effects.written.iter().any(|table| !table.starts_with("sqlite_"));
        self.has_inserted = self.inserts > 0;
        self.described = None;
        self.reads.clear();
        self.targets.clear();
    }
}

impl Watch {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
