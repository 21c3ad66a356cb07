//! The rows of a table before and after a step, and what it took from them.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Diagnostic;

/// What is known of the rows of a table at one time.
#[derive(Default)]
pub(crate) struct TableRows {
    /// The columns, in lower case.
    pub(crate) columns: Vec<String>,
    /// The declared type of each.
    pub(crate) types: BTreeMap<String, String>,
    /// Those that are computed from the others.
    pub(crate) generated: BTreeSet<String>,
    /// Those that are `NULL` in every row.
    pub(crate) blank: BTreeSet<String>,
    /// The rows that were made up.
    pub(crate) canaries: Vec<Canary>,
    /// How many rows there are, the others among them.
    pub(crate) count: usize,
    /// Whether the database tells how many rows a script inserts into the table.
    pub(crate) counts_inserts: bool,
    /// The largest id that was given out, where the database never gives out one twice.
    pub(crate) sequence: Option<i64>,
}

/// A row that was made up, or made from one that was.
pub(crate) struct Canary {
    /// Its values as texts.
    pub(crate) values: Vec<Option<String>>,
    /// By what it is known again, whatever a script makes of it; nothing if it looks like other rows.
    pub(crate) marks: BTreeSet<String>,
}

/// What a script did to a table, as far as it matters to the rows that were there.
pub(crate) enum Change {
    /// It created the table anew, and may have copied rows into it.
    MadeAnew {
        /// The columns that cannot have values from before, in lower case.
        unread: BTreeSet<String>,
        /// The columns of before that something was read from.
        read: BTreeSet<String>,
    },
    /// It inserted so many rows, and may have removed others.
    Removed { inserted: usize },
    /// It removed no row.
    Kept,
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
    /// This column is `NULL` in every row.
    Cleared(String),
    /// The values of this column are in a new one.
    Moved(String, String),
    /// The next id is one that was given out before.
    Sequence,
}

impl TableRows {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The columns that are `NULL` in every row, where there are rows.
    pub(crate) fn columns_without_values(&self) -> impl Iterator<Item = &String> {
        self.blank.difference(&self.generated)
    }

    /// The same rows under other names of their columns; those without one are gone.
    #[must_use]
    pub(crate) fn with_columns(self, name_of: impl Fn(&str) -> Option<String>) -> Self {
        let names: Vec<Option<String>> = self.columns.iter().map(|column| name_of(column)).collect();
        let set = |columns: &BTreeSet<String>| columns.iter().filter_map(|column| name_of(column)).collect();
        let remaining = |row: Canary| {
            let values = row.values.into_iter().zip(&names).filter(|(_, name)| name.is_some());
            Canary { values: values.map(|(value, _)| value).collect(), ..row }
        };
        Self {
            generated: set(&self.generated),
            blank: set(&self.blank),
            types: self
                .types
                .iter()
                .filter_map(|(column, declared)| Some((name_of(column)?, declared.clone())))
                .collect(),
            canaries: self.canaries.into_iter().map(remaining).collect(),
            columns: names.into_iter().flatten().collect(),
            ..self
        }
    }

    /// What is missing `after` a step. A value that is only another one than before was changed, and not lost; where the
    /// table was made anew, it may have been left out.
    pub(crate) fn losses(
        &self,
        after: &Self,
        change: &Change,
        default_of: impl Fn(&str) -> Result<Option<DefaultValue>, Diagnostic>,
    ) -> Result<Vec<RowLoss>, Diagnostic> {
        if self.lost_rows(after, change) {
            return Ok(vec![RowLoss::Rows]);
        }
        let Change::MadeAnew { unread, read } = change else {
            let replaced = self.replaced_without_a_value(after).filter(|_| self.lost_some(after, change));
            let cleared: BTreeSet<String> = self.cleared(after).chain(replaced).collect();
            return Ok(cleared.into_iter().map(RowLoss::Cleared).collect());
        };
        let mut losses = Vec::new();
        for column in after.columns.iter().filter(|column| !self.generated.contains(*column)) {
            let (before, now) = (self.values(column), after.values(column));
            let is_certain = before.is_empty() || !unread.contains(column) || self.any_mark_in(&before);
            if is_certain && before.is_subset(&now) {
                continue;
            }
            let comes_from = |other: &&String| *other != column && !now.is_empty() && self.values(other) == now;
            let other = self.columns.iter().find(comes_from).filter(|_| before.is_disjoint(&now));
            let is_new = |new: &&String| !self.columns.contains(new) && before.is_subset(&after.values(new));
            let may_move = is_certain || read.contains(column);
            if let Some(new) = after.columns.iter().filter(|_| may_move).find(is_new) {
                losses.push(RowLoss::Moved(column.clone(), new.clone()));
                continue;
            }
            let is_lost = !before.is_subset(&now) && after.is_at_default(column, &default_of)?;
            if other.is_some() || unread.contains(column) || is_lost {
                losses.push(RowLoss::Column(column.clone(), other.cloned()));
            }
        }
        if after.sequence.is_some() && after.sequence < self.sequence {
            losses.push(RowLoss::Sequence);
        }
        Ok(losses)
    }

    /// Whether a canary is missing, and not only made into another row.
    fn lost_rows(&self, after: &Self, change: &Change) -> bool {
        let is_unread = |column: &String| matches!(change, Change::MadeAnew { unread, .. } if unread.contains(column));
        let any_unread = after.columns.iter().any(is_unread);
        let is_there = |column: &String| after.columns.contains(column) && !is_unread(column);
        // A row may be referred to in a column that is gone, or have nothing but a value that was left behind. It is known
        // by what is in the others, if anything is.
        let remaining: Vec<BTreeSet<&String>> =
            self.canaries.iter().map(|row| self.marks_in(row, is_there).collect()).collect();
        let (known, all) = (counts(remaining.iter().flatten().copied()), counts(self.all_marks()));
        let now = counts(after.all_marks());
        let is_gone = |(row, remaining): (&Canary, &BTreeSet<&String>)| {
            let is_fewer = |mark: &&String, before: &BTreeMap<&String, usize>| now.get(mark) < before.get(mark);
            if remaining.is_empty() {
                !any_unread && !row.marks.is_empty() && row.marks.iter().all(|mark| is_fewer(&mark, &all))
            } else {
                remaining.iter().all(|mark| is_fewer(mark, &known))
            }
        };
        let place = |column: &String| after.columns.iter().position(|name| name == column);
        let places: Vec<Option<usize>> = self.columns.iter().map(place).collect();
        let is_same = |row: &Canary, now: &Canary| {
            let mut values = places.iter().zip(&row.values);
            values.all(|(at, value)| at.is_none_or(|at| now.values.get(at) == Some(value)))
        };
        let is_kept = |row: &Canary| after.canaries.iter().any(|now| is_same(row, now));
        let any_marked = self.canaries.iter().any(|row| !row.marks.is_empty());
        let is_missing = |(row, remaining): (&Canary, &BTreeSet<&String>)| match change {
            // A row that looks like others is known again only as it was, and not at all where all of them do.
            Change::Removed { .. } if row.marks.is_empty() => (!any_marked && self.counts_inserts) || !is_kept(row),
            _ => is_gone((row, remaining)),
        };
        let any_missing = self.canaries.iter().zip(&remaining).any(is_missing);
        let fewer = after.canaries.len() < self.canaries.len() && after.count < self.count;
        fewer
            || any_missing
                && match change {
                    Change::MadeAnew { .. } => true,
                    _ => self.lost_some(after, change),
                }
    }

    /// Whether rows were removed, and others may have been put in their place.
    fn lost_some(&self, after: &Self, change: &Change) -> bool {
        match change {
            Change::Removed { inserted } => !self.counts_inserts || self.count + *inserted > after.count,
            Change::MadeAnew { .. } | Change::Kept => false,
        }
    }

    /// The columns that have no value any more in the place of a row that had one.
    fn replaced_without_a_value(&self, after: &Self) -> impl Iterator<Item = String> {
        let columns = self.columns.iter().filter(|column| !self.generated.contains(*column));
        let is_lost = |column: &&String| {
            let place = |rows: &Self| rows.columns.iter().position(|name| name == *column);
            let (Some(old), Some(new)) = (place(self), place(after)) else { return false };
            self.canaries.iter().filter(|row| row.values[old].is_some()).any(|row| {
                let known_by = (0..row.values.len()).filter(|at| *at != old);
                let mut marks = known_by.filter_map(|at| Some((at, row.values[at].as_ref()?)));
                marks.any(|(at, mark)| {
                    let has_it = |it: &&Canary| it.values.get(at).is_some_and(|value| value.as_ref() == Some(mark));
                    let is_its_own = row.marks.contains(mark) && self.canaries.iter().filter(has_it).count() == 1;
                    let mut in_place = after.canaries.iter().filter(has_it).peekable();
                    is_its_own && in_place.peek().is_some() && in_place.all(|it| it.values[new].is_none())
                })
            })
        };
        columns.filter(is_lost).cloned().collect::<Vec<_>>().into_iter()
    }

    /// The columns that a rebuild left out, each with the new one that its values are in `after` it, if there is one.
    /// Nothing is known of a column without values.
    pub(crate) fn moved(&self, after: &Self, is_read: impl Fn(&str) -> bool) -> BTreeMap<String, Option<String>> {
        let gone = self.columns.iter().filter(|column| !after.columns.contains(column));
        let has_values = gone.filter(|column| !self.generated.contains(*column) && !self.values(column).is_empty());
        let has_all_rows = after.canaries.len() >= self.canaries.len();
        let moved = has_values.map(|column| {
            let values = self.values(column);
            let has_them = |new: &&String| {
                let now = after.values(new);
                if has_all_rows { values.is_subset(&now) } else { !values.is_disjoint(&now) }
            };
            let new_columns = after.columns.iter().filter(|new| !self.columns.contains(new));
            let new = new_columns.filter(|_| is_read(column)).find(has_them);
            (column.clone(), new.cloned())
        });
        moved.collect()
    }

    /// Whether one of these values is in no other row and in no other column.
    fn any_mark_in(&self, values: &BTreeSet<&str>) -> bool {
        self.canaries.iter().any(|row| values.iter().any(|value| row.marks.contains(*value)))
    }

    /// Whether nothing can be seen any more in rows or columns where something was before.
    pub(crate) fn is_less_than(&self, before: &Self) -> bool {
        let has_lost_all = |column: &String| {
            self.columns.contains(column) && !before.values(column).is_empty() && self.values(column).is_empty()
        };
        self.canaries.len() < before.canaries.len() || before.columns.iter().any(has_lost_all)
    }

    /// The marks of all rows.
    fn all_marks(&self) -> impl Iterator<Item = &String> {
        self.canaries.iter().flat_map(|row| &row.marks)
    }

    /// The marks of a row that stand in these columns.
    fn marks_in<'r>(&self, row: &'r Canary, columns: impl Fn(&String) -> bool) -> impl Iterator<Item = &'r String> {
        let values = self.columns.iter().zip(&row.values).filter(|(column, _)| columns(column));
        let values: Vec<&String> = values.filter_map(|(_, value)| value.as_ref()).collect();
        row.marks.iter().filter(move |mark| values.iter().any(|value| value.contains(mark.as_str())))
    }

    /// The columns that no canary has a value in any more, whose values are in no other column either.
    fn cleared(&self, after: &Self) -> impl Iterator<Item = String> {
        let new = |column: &String| after.values(column).difference(&self.values(column)).copied().collect::<Vec<_>>();
        let elsewhere: BTreeSet<&str> = after.columns.iter().flat_map(new).collect();
        let is_cleared = move |column: &&String| {
            let before = self.values(column);
            let is_stored = after.columns.contains(column) && !self.generated.contains(*column);
            // A row that is not known again may have a value.
            let all_are_known = after.count - after.canaries.len() <= self.count - self.canaries.len();
            let has_none = after.blank.contains(*column)
                || all_are_known && !after.canaries.is_empty() && after.values(column).is_empty();
            is_stored && !before.is_empty() && has_none && !before.is_subset(&elsewhere)
        };
        self.columns.iter().filter(is_cleared).cloned().collect::<Vec<_>>().into_iter()
    }

    /// The different values of the canaries in a column, without `NULL`.
    fn values(&self, column: &str) -> BTreeSet<&str> {
        let at = self.columns.iter().position(|name| name == column);
        self.canaries.iter().filter_map(|row| row.values.get(at?)?.as_deref()).collect()
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
        let is_everywhere =
            self.canaries.iter().all(|row| at.and_then(|at| row.values.get(at)?.as_deref()) == Some(*only));
        let is_computed_once = default.is_computed && is_everywhere && self.canaries.len() > 1;
        Ok(default.value.as_deref() == Some(*only) || is_computed_once)
    }
}

/// How often each is there.
fn counts<'m>(marks: impl Iterator<Item = &'m String>) -> BTreeMap<&'m String, usize> {
    let mut counts = BTreeMap::new();
    marks.for_each(|mark| *counts.entry(mark).or_default() += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of these columns, all of them canaries.
    fn rows(columns: &[&str], rows: &[&[&str]]) -> TableRows {
        let row = |row: &&[&str]| {
            let values = row.iter().map(|value| Some((*value).to_owned()).filter(|it| it != "NULL"));
            let values: Vec<Option<String>> = values.collect();
            let marks = values.iter().flatten().flat_map(|value| value.split(", ")).map(ToOwned::to_owned);
            Canary { marks: marks.collect(), values }
        };
        TableRows {
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            types: BTreeMap::new(),
            generated: BTreeSet::new(),
            blank: BTreeSet::new(),
            canaries: rows.iter().map(row).collect(),
            count: rows.len(),
            counts_inserts: true,
            sequence: None,
        }
    }

    /// The losses in a table that was made anew with a copy of all its columns, which are `x` where they are left out.
    fn losses(before: &TableRows, after: &TableRows) -> Vec<RowLoss> {
        losses_of_copy(before, after, &[])
    }

    fn losses_of_copy(before: &TableRows, after: &TableRows, unread: &[String]) -> Vec<RowLoss> {
        let default_of = |_: &str| Ok(Some(DefaultValue { value: Some("x".to_owned()), is_computed: false }));
        let change = Change::MadeAnew { unread: unread.iter().cloned().collect(), read: BTreeSet::new() };
        before.losses(after, &change, default_of).expect("the default")
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
    fn a_column_that_nothing_has_read_has_lost_its_values_whatever_is_in_it_now() {
        let before = rows(&["a", "b"], &[&["1", "2"], &["3", "4"]]);
        let after = rows(&["a", "b"], &[&["1", "y"], &["3", "y"]]);
        assert_eq!(losses_of_copy(&before, &after, &["b".to_owned()]), [column("b", None)]);
        assert_eq!(losses(&before, &after), [], "what was read may have been changed");
        let computed = TableRows { generated: BTreeSet::from(["b".to_owned()]), ..before };
        assert_eq!(losses_of_copy(&computed, &after, &["b".to_owned()]), [], "there was nothing but the others");
    }

    #[test]
    fn columns_that_were_mixed_up_are_named_with_each_other() {
        let before = rows(&["a", "b"], &[&["1", "2"], &["3", "4"]]);
        let after = rows(&["b", "a"], &[&["1", "2"], &["3", "4"]]);
        assert_eq!(losses(&before, &after), [column("b", Some("a")), column("a", Some("b"))]);
    }

    #[test]
    fn rows_that_are_gone_are_lost_unless_they_are_in_others() {
        let before = rows(&["a"], &[&["1"], &["2"]]);
        assert_eq!(losses(&before, &rows(&["a"], &[&["1"]])), [RowLoss::Rows]);
        assert_eq!(losses(&before, &rows(&["a"], &[&["1"], &["3"], &["4"]])), [RowLoss::Rows]);
        let joined = rows(&["a"], &[&["1, 2"]]);
        assert_eq!(losses(&before, &TableRows { count: 2, ..joined }), []);
    }

    #[test]
    fn a_row_is_lost_where_more_were_removed_than_it_takes_to_change_it() {
        let before = rows(&["a"], &[&["1"], &["2"]]);
        let after = TableRows { count: 3, ..rows(&["a"], &[&["1"]]) };
        let lost =
            |change: Change| before.losses(&after, &change, |_| Ok(None)).expect("no default") == [RowLoss::Rows];
        assert!(lost(Change::Removed { inserted: 2 }));
        assert!(!lost(Change::Removed { inserted: 1 }));
        assert!(!lost(Change::Kept));
    }

    #[test]
    fn a_column_is_cleared_where_no_value_of_it_is_left_and_none_has_moved() {
        let before = rows(&["a", "b"], &[&["1", "2"], &["3", "NULL"]]);
        let cleared = |after: &TableRows| before.losses(after, &Change::Kept, |_| Ok(None)).expect("no default");
        assert_eq!(cleared(&rows(&["a", "b"], &[&["1", "NULL"], &["3", "NULL"]])), [RowLoss::Cleared("b".to_owned())]);
        assert_eq!(cleared(&rows(&["a", "b"], &[&["2", "NULL"], &["3", "NULL"]])), []);
        assert_eq!(cleared(&rows(&["a", "b"], &[&["1", "2"], &["NULL", "NULL"]])), []);
    }

    #[test]
    fn a_sequence_that_goes_back_is_lost() {
        let with = |sequence| TableRows { sequence: Some(sequence), ..rows(&["a"], &[&["1"]]) };
        assert_eq!(losses(&with(7), &with(6)), [RowLoss::Sequence]);
        assert_eq!(losses(&with(7), &with(7)), []);
    }
}
