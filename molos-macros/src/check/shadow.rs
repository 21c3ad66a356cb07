//! What checking needs of a database: two traits that each wing implements.

use std::collections::{BTreeMap, BTreeSet};

use molos_runtime::__private::Changed;
use molos_runtime::{Migration, Object, Schema};

use crate::check::failure::Failure;
use crate::check::lineage::{Event, Lineage};
use crate::check::rows::{DefaultValue, TableRows};
use crate::check::table::{Table, Unreadable};
use crate::diagnostic::Diagnostic;
use crate::input::Registered;
use crate::lint::loss;
use crate::read::file::{Script, Step};

/// A database that the compiler runs steps on, in which a script can reach nothing outside of it.
///
/// Where the error is a [`Diagnostic`], the database itself has failed, and nothing can be said of the migrations.
pub(crate) trait Shadow: Sized {
    /// The rows that are made up in it.
    type Canaries: Canaries<Self>;

    /// What the database says of losses.
    const LOSSES: loss::Rules;

    /// Opens one with an empty history table, and with stand-ins for what the program registers.
    fn open(registered: &Registered) -> Result<Self, Diagnostic>;

    /// Becomes a copy of another, whose script that ran last is then the one that ran last in here.
    fn copy_from(&mut self, other: &Self) -> Result<(), Diagnostic>;

    /// Runs a step, which the engine knows as `migration`, in a transaction of its own. One that fails leaves nothing.
    fn run(&mut self, step: Step<'_>, migration: &Migration<'_>) -> Result<(), Failure>;

    /// Runs the statements of a script that do not start at one of these offsets, and returns the offsets of those that
    /// were not run or have failed.
    fn run_without(&mut self, script: &Script, left_out: BTreeSet<usize>) -> BTreeSet<usize>;

    /// What the script that ran last did.
    fn effects(&self) -> Effects;

    /// How many rows have been changed so far.
    fn changed_rows(&self) -> Result<i64, Diagnostic>;

    /// The schema, as it was read last.
    fn schema(&self) -> &Schema;

    /// Reads the schema.
    fn read_schema(&mut self) -> Result<(), Diagnostic>;

    /// Reads again what the script that ran last may have changed in the schema, and returns what it has.
    fn refresh_schema(&mut self) -> Result<Vec<Changed>, Diagnostic>;

    /// The views and triggers that refer to what is not there, with what the database says of each.
    fn broken_references(&self) -> Result<BTreeMap<Object, String>, Diagnostic>;

    /// What is wrong with the foreign keys of the finished schema.
    fn check_keys(&self) -> Result<Vec<Diagnostic>, Diagnostic>;

    /// The tables and views that programs would use, and those that cannot be read.
    fn tables(&self) -> Result<(Vec<Table>, Vec<Unreadable>), Diagnostic>;

    /// Tries whether a statement could be run; the error is why it could not.
    fn prepare(&self, statement: &str) -> Result<(), String>;
}

/// What a script did. Tables are in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    /// The tables that it read, wrote to or altered.
    pub(crate) used: BTreeSet<String>,
    /// Those whose rows it changed.
    pub(crate) written: BTreeSet<String>,
    /// Those whose rows it may have removed, to put others in their place, too.
    pub(crate) removed: BTreeSet<String>,
    /// How many rows it inserted, where the database tells.
    pub(crate) inserted: BTreeMap<String, usize>,
    /// Those that it altered.
    pub(crate) altered: BTreeSet<String>,
    /// Those that it created or dropped.
    pub(crate) replaced: BTreeSet<String>,
    /// What it did with tables, in order.
    pub(crate) events: Vec<Event>,
    /// Whether something that was in the schema may be gone, or have another name.
    pub(crate) removes: bool,
}

/// The rows that are made up in a shadow database, canaries: they stand for those that users have.
pub(crate) trait Canaries<S>: Default {
    /// Adds rows to tables, one for each of their fills, and with them the rows that they refer to.
    fn plant(&mut self, shadow: &mut S, tables: &[(&str, &[Fill])]) -> Result<Planted, Diagnostic>;

    /// Runs what the program says makes a row of `table`, and returns the tables that have other rows then. The inner error
    /// is why it could not be run; it has left nothing.
    fn insert(
        &mut self,
        shadow: &mut S,
        table: &str,
        sql: &str,
    ) -> Result<Result<BTreeSet<String>, String>, Diagnostic>;

    /// Puts other values into the rows of these tables, so that `script` may get over its `failure`. Returns the tables
    /// that it has changed.
    fn vary(
        &mut self,
        shadow: &mut S,
        tables: &BTreeSet<String>,
        failure: &Failure,
        script: &str,
        variation: Variation,
    ) -> Result<BTreeSet<String>, Diagnostic>;

    /// Forgets every row, and not which tables take none.
    fn forget_rows(&mut self);

    /// Takes note of other names of tables and columns.
    fn follow(&mut self, lineage: &Lineage);

    /// Reads the rows that a table has.
    fn read(&self, shadow: &S, table: &str) -> Result<TableRows, Diagnostic>;

    /// What a column has in a row that leaves it out, if it has a default.
    fn default_of(&self, shadow: &S, table: &str, column: &str) -> Result<Option<DefaultValue>, Diagnostic>;
}

/// How much of a row is filled in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fill {
    /// Every column.
    Full,
    /// Those that must not be `NULL`.
    Sparse,
    /// Of those that may be `NULL` about half, by this bit of their number among each other.
    Half { bit: u32, filled: bool },
    /// Every column, with the values of the row before it wherever nothing keeps them apart.
    Twin,
}

/// Which values are put into rows that were made up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variation {
    /// Those of another kind. Rows that are alike stay alike.
    OtherKind,
    /// Those of the same kind, each of which is nowhere else.
    Apart,
}

/// What came of making rows up.
#[derive(Default)]
pub(crate) struct Planted {
    /// The tables that have other rows now.
    pub(crate) changed: BTreeSet<String>,
    /// The tables whose first row could not be made, and why.
    pub(crate) failed: Vec<(String, String)>,
}
