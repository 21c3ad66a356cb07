//! The rows of a table before and after a step, and what it took from them.

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostic;

/// What is known of the rows of a table at one time.
#[derive(Default)]
pub(crate) struct TableRows {
    /// The columns, in lower case.
    pub(crate) columns: Vec<String>,
    /// The rows that were made up, each with its values as texts.
    pub(crate) canaries: Vec<Vec<Option<String>>>,
    /// How many rows there are, the others among them.
    pub(crate) count: usize,
    /// The largest id that was given out, where the database never gives out one twice.
    pub(crate) sequence: Option<i64>,
}

/// What a column has in a row that leaves it out.
pub(crate) struct DefaultValue {
    /// Its text, as the database computes it now; `None` if that is `NULL`.
    pub(crate) value: Option<String>,
    /// Whether it may be another one each time, such as the time.
    pub(crate) is_computed: bool,
}

/// What a step took from the rows of a table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RowLoss {
    /// Rows are gone.
    Rows,
    /// This column has lost its values; those of the other one are in it, if there is one.
    Column(String, Option<String>),
    /// The next id is one that was given out before.
    Sequence,
}

impl TableRows {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What is missing `after` a step. A value that is only another one than before was changed, and not lost; where the
    /// table was made anew, it may have been left out.
    pub(crate) fn losses(
        &self,
        after: &Self,
        made_anew: bool,
        default_of: impl Fn(&str) -> Result<Option<DefaultValue>, Diagnostic>,
    ) -> Result<Vec<RowLoss>, Diagnostic> {
        if after.canaries.len() < self.canaries.len() && after.count < self.count {
            return Ok(vec![RowLoss::Rows]);
        }
        let mut losses = Vec::new();
        if !made_anew {
            return Ok(losses);
        }
        for column in &after.columns {
            let (before, now) = (self.values(column), after.values(column));
            let comes_from = |other: &&String| {
                *other != column && after.columns.contains(other) && !now.is_empty() && self.values(other) == now
            };
            let other = self.columns.iter().find(comes_from).filter(|_| before.is_disjoint(&now) && !before.is_empty());
            if other.is_some() || (!before.is_subset(&now) && after.is_at_default(column, &default_of)?) {
                losses.push(RowLoss::Column(column.clone(), other.cloned()));
            }
        }
        if after.sequence.is_some() && after.sequence < self.sequence {
            losses.push(RowLoss::Sequence);
        }
        Ok(losses)
    }

    /// The different values of the canaries in a column, without `NULL`.
    fn values(&self, column: &str) -> BTreeSet<&str> {
        let at = self.columns.iter().position(|name| name == column);
        self.canaries.iter().filter_map(|row| row.get(at?)?.as_deref()).collect()
    }

    /// Whether a column has in all canaries what it has when an insert leaves it out.
    fn is_at_default(
        &self,
        column: &str,
        default_of: impl Fn(&str) -> Result<Option<DefaultValue>, Diagnostic>,
    ) -> Result<bool, Diagnostic> {
        let values: Vec<&str> = self.values(column).into_iter().collect();
        let [only] = values.as_slice() else { return Ok(values.is_empty()) };
        let Some(default) = default_of(column)? else { return Ok(false) };
        // An expression, such as the time, may give another value each time, but one for all rows of a statement.
        let at = self.columns.iter().position(|name| name == column);
        let is_everywhere = self.canaries.iter().all(|row| at.and_then(|at| row.get(at)?.as_deref()) == Some(*only));
        let is_computed_once = default.is_computed && is_everywhere && self.canaries.len() > 1;
        Ok(default.value.as_deref() == Some(*only) || is_computed_once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of these columns, all of them canaries.
    fn rows(columns: &[&str], rows: &[&[&str]]) -> TableRows {
        let row = |row: &&[&str]| row.iter().map(|value| Some((*value).to_owned()).filter(|it| it != "NULL")).collect();
        TableRows {
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            canaries: rows.iter().map(row).collect(),
            count: rows.len(),
            sequence: None,
        }
    }

    /// The losses in a table that was made anew, whose columns are `x` where they are left out.
    fn losses(before: &TableRows, after: &TableRows) -> Vec<RowLoss> {
        let default_of = |_: &str| Ok(Some(DefaultValue { value: Some("x".to_owned()), is_computed: false }));
        before.losses(after, true, default_of).expect("the default")
    }

    fn column(lost: &str, replaced_by: Option<&str>) -> RowLoss {
        RowLoss::Column(lost.to_owned(), replaced_by.map(ToOwned::to_owned))
    }

    #[test]
    fn a_column_that_was_left_out_has_lost_its_values_and_one_that_was_changed_has_not() {
        let before = rows(&["a", "b"], &[&["1", "2"], &["3", "4"]]);
        assert_eq!(losses(&before, &rows(&["a", "b"], &[&["1", "2"], &["3", "4"]])), []);
        assert_eq!(losses(&before, &rows(&["a", "b"], &[&["1", "5"], &["3", "6"]])), []);
        assert_eq!(losses(&before, &rows(&["a", "b"], &[&["1", "x"], &["3", "x"]])), [column("b", None)]);
        assert_eq!(losses(&before, &rows(&["a", "b"], &[&["1", "NULL"], &["3", "NULL"]])), [column("b", None)]);
        assert_eq!(losses(&before, &rows(&["a"], &[&["1"], &["3"]])), [], "a column that is gone is another finding");
    }

    #[test]
    fn columns_that_were_mixed_up_are_named_with_each_other() {
        let before = rows(&["a", "b"], &[&["1", "2"], &["3", "4"]]);
        let after = rows(&["b", "a"], &[&["1", "2"], &["3", "4"]]);
        assert_eq!(losses(&before, &after), [column("b", Some("a")), column("a", Some("b"))]);
    }

    #[test]
    fn rows_that_are_gone_are_lost_unless_as_many_are_there() {
        let before = rows(&["a"], &[&["1"], &["2"]]);
        assert_eq!(losses(&before, &rows(&["a"], &[&["1"]])), [RowLoss::Rows]);
        let joined = rows(&["a"], &[&["1, 2"]]);
        assert_eq!(losses(&before, &TableRows { count: 2, ..joined }), []);
    }

    #[test]
    fn a_sequence_that_goes_back_is_lost() {
        let with = |sequence| TableRows { sequence: Some(sequence), ..rows(&["a"], &[&["1"]]) };
        assert_eq!(losses(&with(7), &with(6)), [RowLoss::Sequence]);
        assert_eq!(losses(&with(7), &with(7)), []);
    }
}
