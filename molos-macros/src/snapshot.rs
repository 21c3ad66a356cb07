//! The rows of a table before and after a migration, and what it took from them.

use std::collections::BTreeSet;

use molos_runtime::catalog::{self, Column, quote};
use molos_runtime::rusqlite::{Connection, OptionalExtension as _, Result};

use crate::canary::Canaries;
use crate::ladder::text;
use crate::statements::default_expression;

/// What is known of the rows of a table.
pub(crate) struct Snapshot {
    /// The columns, in lower case.
    columns: Vec<String>,
    /// The canaries, each with its values as texts.
    canaries: Vec<Vec<Option<String>>>,
    rows: usize,
    /// The largest rowid that `AUTOINCREMENT` has given out.
    sequence: Option<i64>,
}

/// What a migration took from the rows of a table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Canaries are gone.
    Rows,
    /// This column has lost its values; those of the other one are in it, if there is one.
    Column(String, Option<String>),
    /// `AUTOINCREMENT` goes on from an earlier number.
    Sequence,
}

/// The most rows that are read: what a seed puts in beyond them is not looked at.
const MOST: usize = 20_000;

impl Snapshot {
    pub(crate) fn read(conn: &Connection, table: &str, canaries: &Canaries, has_sequence: bool) -> Result<Self> {
        const SEQUENCE: &str = "SELECT seq FROM sqlite_sequence WHERE name = ?1 COLLATE NOCASE";
        let mut statement = conn.prepare(&format!("SELECT * FROM {} LIMIT {MOST}", quote(table)))?;
        let names = (0..statement.column_count()).map(|at| statement.column_name(at).map(str::to_lowercase));
        let columns = names.collect::<Result<Vec<String>>>()?;
        let mut found = Self { columns, canaries: Vec::new(), rows: 0, sequence: None };
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let values = (0..found.columns.len()).map(|at| row.get_ref(at).map(text));
            let values = values.collect::<Result<Vec<_>>>()?;
            found.rows += 1;
            if canaries.is_canary(table, &values) {
                found.canaries.push(values);
            }
        }
        if has_sequence {
            found.sequence = conn.query_row(SEQUENCE, [table], |row| row.get(0)).optional()?;
        }
        Ok(found)
    }

    pub(crate) fn canaries(&self) -> usize {
        self.canaries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// What is missing in `after`. A value that is only another one than before was changed, and not taken; where the
    /// table was made anew, it may have been left out.
    pub(crate) fn taken(&self, conn: &Connection, table: &str, after: &Self, made_anew: bool) -> Result<Vec<Taken>> {
        if after.canaries.len() < self.canaries.len() && after.rows < self.rows {
            return Ok(vec![Taken::Rows]);
        }
        let mut taken = Vec::new();
        if !made_anew {
            return Ok(taken);
        }
        let declared = catalog::columns(conn, table)?;
        for column in &after.columns {
            let (before, now) = (self.values(column), after.values(column));
            let comes_from = |other: &&String| {
                *other != column && after.columns.contains(other) && !now.is_empty() && self.values(other) == now
            };
            let other = self.columns.iter().find(comes_from).filter(|_| before.is_disjoint(&now) && !before.is_empty());
            if other.is_some() || (!before.is_subset(&now) && after.is_at_default(conn, &declared, column)?) {
                taken.push(Taken::Column(column.clone(), other.cloned()));
            }
        }
        if after.sequence.is_some() && after.sequence < self.sequence {
            taken.push(Taken::Sequence);
        }
        Ok(taken)
    }

    /// The different values of the canaries in a column, without `NULL`.
    fn values(&self, column: &str) -> BTreeSet<&str> {
        let at = self.columns.iter().position(|name| name == column);
        self.canaries.iter().filter_map(|row| row.get(at?)?.as_deref()).collect()
    }

    /// Whether a column has in all canaries what it has when an insert leaves it out.
    fn is_at_default(&self, conn: &Connection, declared: &[Column], column: &str) -> Result<bool> {
        let values: Vec<&str> = self.values(column).into_iter().collect();
        let default =
            declared.iter().find(|it| it.name.eq_ignore_ascii_case(column)).and_then(|it| it.default.as_ref());
        let (Some(default), [only]) = (default, values.as_slice()) else { return Ok(values.is_empty()) };
        let select = format!("SELECT {}", default_expression(default));
        let value = conn.query_row(&select, [], |row| row.get_ref(0).map(text))?;
        // An expression, such as the time, may give another value each time, but one for all rows of a statement.
        let is_computed = default.contains('(') || default.to_ascii_uppercase().starts_with("CURRENT_");
        let at = self.columns.iter().position(|name| name == column);
        let is_everywhere = self.canaries.iter().all(|row| at.and_then(|at| row.get(at)?.as_deref()) == Some(*only));
        Ok(value.as_deref() == Some(*only) || (is_computed && is_everywhere && self.canaries.len() > 1))
    }
}
