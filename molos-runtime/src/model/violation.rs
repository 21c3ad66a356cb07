//! Foreign keys that refer to nothing, before and after migrations.

use std::collections::BTreeMap;
use std::fmt;

/// Rows whose foreign keys point at nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The table that the rows are in.
    pub table: String,
    /// The table that they refer to; empty if the key itself is wrong, in words that `table` then has.
    pub parent: String,
    /// How many there are more than before.
    pub rows: u64,
    /// The table that has the key, whatever is wrong with it.
    child: String,
    /// What stays of the two tables when they are renamed, where the database has such a thing.
    ids: [Option<i64>; 2],
    /// Which rows they are.
    dangling: Vec<Dangling>,
}

/// A row that refers to nothing, as far as it takes to know it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dangling {
    /// A hash of what tells it from the other rows of its table.
    pub row: u64,
    /// A hash of what it refers to.
    pub key: u64,
}

impl Violation {
    /// Rows of `table` that refer to what is not in `parent`.
    pub(crate) fn new(table: String, parent: String, ids: [Option<i64>; 2], dangling: Vec<Dangling>) -> Self {
        Self { child: table.clone(), table, parent, rows: dangling.len() as u64, ids, dangling }
    }

    /// A key of `child` that cannot be checked.
    pub(crate) fn unenforceable(child: String, problem: String, ids: [Option<i64>; 2]) -> Self {
        Self { child, ..Self::new(problem, String::new(), ids, vec![Dangling::default()]) }
    }

    /// The table that has the key.
    pub(crate) fn child(&self) -> &str {
        &self.child
    }

    /// More rows of the same tables.
    pub(crate) fn add(&mut self, dangling: Vec<Dangling>) {
        self.dangling.extend(dangling);
        self.rows = self.dangling.len() as u64;
    }

    /// Whether it is about the same tables, which may have been renamed or rebuilt.
    fn is_about_the_tables_of(&self, other: &Self) -> bool {
        let is_same = |at: usize, name: &str, other_name: &str| {
            (self.ids[at].is_some() && self.ids[at] == other.ids[at]) || name.eq_ignore_ascii_case(other_name)
        };
        self.parent.is_empty() == other.parent.is_empty()
            && is_same(0, &self.table, &other.table)
            && is_same(1, &self.parent, &other.parent)
    }

    /// Whether these refer to what rows of the other did, in whatever table.
    fn is_among(&self, other: &Self) -> bool {
        !self.parent.is_empty() && !other.parent.is_empty() && self.rows_beside(other, by_key) == 0
    }

    /// How many of its rows are not among those of the other, which are told apart by `identity`.
    fn rows_beside(&self, other: &Self, identity: fn(&Dangling) -> Dangling) -> u64 {
        let mut known: BTreeMap<Dangling, u64> = BTreeMap::new();
        for dangling in &other.dangling {
            *known.entry(identity(dangling)).or_default() += 1;
        }
        let is_new = |dangling: &&Dangling| match known.get_mut(&identity(dangling)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        };
        self.dangling.iter().filter(is_new).count() as u64
    }

    /// How many of its rows were not there before.
    fn rows_since(&self, before: &Self) -> u64 {
        // In a table that was rebuilt, a row may have got another number.
        let is_rebuilt = self.ids[0] != before.ids[0];
        self.rows_beside(before, if is_rebuilt { by_key } else { Dangling::clone })
    }
}

/// A row as one that is known by what it refers to alone.
const fn by_key(dangling: &Dangling) -> Dangling {
    Dangling { row: 0, key: dangling.key }
}

/// What of `after` was not there `before`: row by row, whatever the tables were called.
pub(crate) fn more(before: &[Violation], after: &[Violation]) -> Vec<Violation> {
    let is_known = |known: &&Violation| after.iter().any(|violation| violation.is_about_the_tables_of(known));
    let (_, left): (Vec<_>, Vec<_>) = before.iter().partition(is_known);
    let grown = |violation: &Violation| {
        let of_tables = || before.iter().filter(|known| violation.is_about_the_tables_of(known));
        // A table may have the old name of another, or its number. One that was rebuilt and has another name is known by
        // its rows.
        let of_rows = || left.iter().find(|known| violation.is_among(known)).map(|known| violation.rows_since(known));
        let rows =
            of_tables().map(|known| violation.rows_since(known)).min().or_else(of_rows).unwrap_or(violation.rows);
        (rows > 0).then(|| Violation { rows, ..violation.clone() })
    };
    after.iter().filter_map(grown).collect()
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, parent, rows, .. } = self;
        if parent.is_empty() {
            return f.write_str(table);
        }
        let row = if *rows == 1 { "row refers" } else { "rows refer" };
        write!(f, "{table}: {rows} {row} to what is not in {parent}")
    }
}
