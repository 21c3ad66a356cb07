//! What became of every table in a script: it has its old name or another, it was made anew, or it is gone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use molos_runtime::__private::Changed;
use molos_runtime::{Object, ObjectKind, Schema};

/// What a statement did with a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Where the statement starts in its script.
    pub(crate) statement: usize,
    pub(crate) what: TableEvent,
}

/// What a script did with a table. Names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TableEvent {
    /// A statement that writes to a table read this column of another, or all where there is none.
    Read {
        table: String,
        column: Option<String>,
        into: String,
    },
    Inserted(String),
    Updated(String, String),
    Deleted(String),
    Created(String),
    Dropped(String),
    Renamed(String, String),
    ColumnDropped(String, String),
    ColumnRenamed(String, String, String),
}

impl TableEvent {
    /// The table in which it changes rows, if it does.
    pub(crate) fn changes(&self) -> Option<&str> {
        match self {
            Self::Inserted(table) | Self::Updated(table, _) | Self::Deleted(table) | Self::Dropped(table) => {
                Some(table)
            }
            _ => None,
        }
    }
}

/// What became of the tables that a script read, created, dropped or renamed; all others are what they were.
#[derive(Debug, Default)]
pub(crate) struct Lineage {
    tables: Vec<Known>,
}

/// A table that is there, or was there for a while.
#[derive(Debug, Default)]
struct Known {
    /// Its name before the script, if it was there.
    before: Option<String>,
    /// Its name after the script, if it is there.
    after: Option<String>,
    /// Every name that it had.
    names: BTreeSet<String>,
    /// The columns of other tables, by number, that were read by what wrote to it; all of a table where there is none.
    read: BTreeSet<(usize, Option<String>)>,
    /// The columns that were renamed or dropped, by the names that they had first: the last name of each, and the
    /// statement.
    columns: BTreeMap<String, (Option<String>, usize)>,
    /// The statements that created, dropped or renamed it last.
    created_at: Option<usize>,
    dropped_at: Option<usize>,
    renamed_at: Option<usize>,
    /// The statements that inserted rows into it last, or deleted some.
    inserted_at: Option<usize>,
    deleted_at: Option<usize>,
    /// The statement that updated a column last.
    updated_at: BTreeMap<String, usize>,
    /// The table that is gone and in whose place it is, by number.
    replaces: Option<usize>,
}

impl Lineage {
    /// What follows from these events in a database that has this `schema` now, in which these objects have `changed`.
    pub(crate) fn of(events: &[Event], changed: &[Changed], schema: &Schema) -> Self {
        let mut lineage = Self::default();
        for event in events {
            lineage.follow_event(event, |name| existed(name, changed, schema));
        }
        lineage
    }

    fn follow_event(&mut self, Event { statement, what }: &Event, existed: impl Fn(&str) -> bool) {
        let at_statement = Some(*statement);
        match what {
            TableEvent::Read { table, column, into } => {
                if let (Some(from), Some(into)) = (self.living(table, &existed), self.living(into, &existed)) {
                    self.tables[into].read.insert((from, column.clone()));
                }
            }
            TableEvent::Inserted(name) => {
                if let Some(at) = self.living(name, &existed) {
                    self.tables[at].inserted_at = at_statement;
                }
            }
            TableEvent::Updated(name, column) => {
                if let Some(at) = self.living(name, &existed) {
                    self.tables[at].updated_at.insert(column.clone(), *statement);
                }
            }
            TableEvent::Deleted(name) => {
                if let Some(at) = self.living(name, &existed) {
                    self.tables[at].deleted_at = at_statement;
                }
            }
            // With `IF NOT EXISTS`, it may be there already.
            TableEvent::Created(name) => {
                if self.living(name, &existed).is_none() {
                    let at = self.add(None, name);
                    self.tables[at].created_at = at_statement;
                    self.replace(at, name);
                }
            }
            TableEvent::Dropped(name) => {
                if let Some(gone) = self.living(name, &existed) {
                    self.tables[gone].after = None;
                    self.tables[gone].dropped_at = at_statement;
                    let names = self.tables[gone].names.clone();
                    let is_in_place = |table: &Known| {
                        table.before.is_none()
                            && table.replaces.is_none()
                            && table.after.as_ref().is_some_and(|name| names.contains(name))
                    };
                    if let Some(new) = self.tables.iter_mut().find(|table| is_in_place(table)) {
                        new.replaces = Some(gone);
                    }
                }
            }
            TableEvent::Renamed(old, new) => {
                if let Some(at) = self.living(old, &existed) {
                    let table = &mut self.tables[at];
                    table.after = Some(new.clone());
                    table.renamed_at = at_statement;
                    table.names.insert(new.clone());
                    self.replace(at, new);
                }
            }
            TableEvent::ColumnDropped(name, column) => {
                if let Some(at) = self.living(name, &existed) {
                    self.rename_column(at, column, None, *statement);
                }
            }
            TableEvent::ColumnRenamed(name, old, new) => {
                if let Some(at) = self.living(name, &existed) {
                    self.rename_column(at, old, Some(new), *statement);
                }
            }
        }
    }

    fn rename_column(&mut self, table: usize, old: &str, new: Option<&String>, statement: usize) {
        let columns = &mut self.tables[table].columns;
        let first = columns.iter().find(|(_, (name, _))| name.as_deref() == Some(old)).map(|(first, _)| first.clone());
        // A column that was added in the script is nobody's.
        if first.is_some() || !columns.contains_key(old) {
            columns.insert(first.unwrap_or_else(|| old.to_owned()), (new.cloned(), statement));
        }
    }

    /// The table that has this name now.
    fn living(&mut self, name: &str, existed: &impl Fn(&str) -> bool) -> Option<usize> {
        let living = self.tables.iter().position(|table| table.after.as_deref() == Some(name));
        let is_met = self.tables.iter().any(|table| table.before.as_deref() == Some(name));
        living.or_else(|| (!is_met && existed(name)).then(|| self.add(Some(name.to_owned()), name)))
    }

    fn add(&mut self, before: Option<String>, name: &str) -> usize {
        let names = BTreeSet::from([name.to_owned()]);
        self.tables.push(Known { before, after: Some(name.to_owned()), names, ..Known::default() });
        self.tables.len() - 1
    }

    /// A new table that gets a name of one that is gone is in its place.
    fn replace(&mut self, new: usize, name: &str) {
        let is_gone = |at: &usize| {
            let table = &self.tables[*at];
            table.after.is_none() && table.names.contains(name) && self.replacement(*at).is_none_or(|by| by == new)
        };
        let gone = (0..self.tables.len()).rev().find(is_gone);
        if gone.is_some() && self.tables[new].before.is_none() {
            self.tables[new].replaces = gone;
        }
    }

    /// What is in the place of a table that is gone.
    fn replacement(&self, gone: usize) -> Option<usize> {
        self.tables.iter().position(|table| table.replaces == Some(gone))
    }

    /// The name that a table of before has now, or the new one in its place; nothing if it is gone.
    pub(crate) fn after<'t>(&'t self, before: &'t str) -> Option<&'t str> {
        let Some(mut at) = self.tables.iter().position(|table| table.before.as_deref() == Some(before)) else {
            return Some(before);
        };
        while self.tables[at].after.is_none() {
            at = self.replacement(at)?;
        }
        self.tables[at].after.as_deref()
    }

    /// The name that a table had before, or the one in whose place it is; nothing if it is new.
    pub(crate) fn before<'t>(&'t self, after: &'t str) -> Option<&'t str> {
        match self.now(after) {
            Some(table) => self.places(table).last()?.before.as_deref(),
            None => Some(after),
        }
    }

    /// Whether a table is a new one in the place of one that is gone.
    pub(crate) fn is_made_anew(&self, after: &str) -> bool {
        self.now(after).is_some_and(|table| table.before.is_none()) && self.before(after).is_some()
    }

    /// Whether a table may have values from before in this column: what was written to it was read from a column of this
    /// name, in a table of before or in one that may have them from there.
    pub(crate) fn may_have_values(&self, after: &str, column: &str) -> bool {
        let now = self.tables.iter().position(|table| table.after.as_deref() == Some(after));
        now.is_none_or(|at| self.may_come_from_before(at, column, &mut BTreeSet::new()))
    }

    fn may_come_from_before(&self, at: usize, column: &str, looked_at: &mut BTreeSet<usize>) -> bool {
        let table = &self.tables[at];
        let is_of_column = |read: &Option<String>| read.as_ref().is_none_or(|read| read == column);
        table.before.is_some()
            || looked_at.insert(at)
                && table
                    .read
                    .iter()
                    .any(|(from, read)| is_of_column(read) && self.may_come_from_before(*from, column, looked_at))
    }

    /// Whether anything was read from this column of the table of before in whose place a table is.
    pub(crate) fn is_read(&self, after: &str, column: &str) -> bool {
        let now = self.tables.iter().position(|table| table.after.as_deref() == Some(after));
        let old = std::iter::successors(now, |at| self.tables[*at].replaces).last();
        let reads = self.tables.iter().flat_map(|table| &table.read);
        reads.into_iter().any(|(from, read)| Some(*from) == old && read.as_ref().is_none_or(|read| read == column))
    }

    /// The name that a column of before has now, in the table that has the name `after`, or had in the one of before when
    /// that went; nothing if it was dropped.
    pub(crate) fn column<'t>(&'t self, after: &str, column: &'t str) -> Option<&'t str> {
        let old = self.now(after).and_then(|table| self.places(table).last());
        match old.and_then(|table| table.columns.get(column)) {
            Some((name, _)) => name.as_deref(),
            None => Some(column),
        }
    }

    /// The name that a column had before, if it was there under another.
    pub(crate) fn column_before<'t>(&'t self, after: &str, column: &'t str) -> &'t str {
        let old = self.now(after).and_then(|table| self.places(table).last());
        let columns = old.into_iter().flat_map(|table| &table.columns);
        let mut first = columns.filter(|(_, (name, _))| name.as_deref() == Some(column));
        first.next().map_or(column, |(first, _)| first.as_str())
    }

    /// The statement that dropped a table of before.
    pub(crate) fn dropped_at(&self, before: &str) -> Option<usize> {
        self.tables.iter().find(|table| table.before.as_deref() == Some(before))?.dropped_at
    }

    /// The statement that gave a table the name that it has, or put it in the place of another.
    pub(crate) fn renamed_at(&self, after: &str) -> Option<usize> {
        self.now(after)?.renamed_at
    }

    /// The statement that created a table.
    pub(crate) fn created_at(&self, after: &str) -> Option<usize> {
        self.now(after)?.created_at
    }

    /// The statement that renamed or dropped a column of before.
    pub(crate) fn column_changed_at(&self, after: &str, column: &str) -> Option<usize> {
        Some(self.places(self.now(after)?).last()?.columns.get(column)?.1)
    }

    /// The statement that filled a table.
    pub(crate) fn filled_at(&self, after: &str) -> Option<usize> {
        self.now(after)?.inserted_at
    }

    /// The statement that set a column to another value.
    pub(crate) fn updated_at(&self, after: &str, column: &str) -> Option<usize> {
        self.now(after)?.updated_at.get(column).copied()
    }

    /// The statement that took rows from a table: it deleted them, put others in their place, copied some and not all,
    /// or dropped the table.
    pub(crate) fn emptied_at(&self, after: &str) -> Option<usize> {
        let table = self.now(after)?;
        let updated = || table.updated_at.values().max().copied();
        let dropped = || self.places(table).find_map(|table| table.dropped_at);
        table.deleted_at.or(table.inserted_at).or_else(updated).or_else(dropped)
    }

    /// The table that has this name, if the script had to do with it.
    fn now(&self, name: &str) -> Option<&Known> {
        self.tables.iter().find(|table| table.after.as_deref() == Some(name))
    }

    /// A table and those in whose place it is, the newest first.
    fn places<'t>(&'t self, table: &'t Known) -> impl Iterator<Item = &'t Known> {
        std::iter::successors(Some(table), |table| table.replaces.map(|gone| &self.tables[gone]))
    }

    /// Whether a table had this name at some time.
    pub(crate) fn had_name(&self, after: &str, name: &str) -> bool {
        match self.tables.iter().find(|table| table.after.as_deref() == Some(after)) {
            Some(table) => table.names.contains(name),
            None => after == name,
        }
    }

    /// The tables that had this name at some time and are there, by their names now.
    pub(crate) fn all_named<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t str> {
        let had_name = self.tables.iter().filter(|table| table.names.contains(name));
        let is_unknown = !self.tables.iter().any(|table| table.names.contains(name));
        had_name.filter_map(|table| table.after.as_deref()).chain(is_unknown.then_some(name))
    }

    /// Whether the tables of before and their columns have the names that they had, and none is gone or made anew.
    pub(crate) fn keeps_names(&self) -> bool {
        let old = self.tables.iter().filter(|table| table.before.is_some());
        old.into_iter().all(|table| table.before == table.after && table.columns.is_empty())
    }

    /// The tables of before that have another name now, or whose place is taken by one that has: old names and new ones.
    pub(crate) fn renamed(&self) -> impl Iterator<Item = (&str, &str)> {
        let old_names = self.tables.iter().filter_map(|table| table.before.as_deref());
        old_names.filter_map(|old| Some((old, self.after(old)?))).filter(|(old, new)| old != new)
    }

    /// The tables of before that are there, and in which columns were renamed or dropped: old names and new ones.
    pub(crate) fn with_other_columns(&self) -> impl Iterator<Item = (&str, &str)> {
        let touched = self.tables.iter().filter(|table| !table.columns.is_empty());
        touched.filter_map(|table| Some((table.before.as_deref()?, table.after.as_deref()?)))
    }

    /// What has changed in each table, whatever its name: objects are called what they are called now. What went with a
    /// table that is gone is left out.
    pub(crate) fn follow<'c>(&self, changed: &'c [Changed]) -> Cow<'c, [Changed]> {
        if self.tables.iter().all(|table| table.before == table.after) {
            return Cow::Borrowed(changed);
        }
        let mut followed: BTreeMap<Object, Changed> = BTreeMap::new();
        let mut gone = Vec::new();
        for it in changed.iter().filter(|it| it.before.is_some()) {
            let Some(table) = self.after(&it.object.table) else {
                let is_table = it.object.kind == ObjectKind::Table;
                gone.extend(is_table.then(|| Changed { after: None, ..it.clone() }));
                continue;
            };
            let mut object = it.object.clone();
            if object.kind == ObjectKind::Table {
                table.clone_into(&mut object.name);
            }
            table.clone_into(&mut object.table);
            followed.insert(object.clone(), Changed { object, before: it.before.clone(), after: None });
        }
        for it in changed.iter().filter(|it| it.after.is_some()) {
            let new = || Changed { object: it.object.clone(), before: None, after: None };
            followed.entry(it.object.clone()).or_insert_with(new).after.clone_from(&it.after);
        }
        followed.into_values().filter(|it| it.before != it.after).chain(gone).collect()
    }
}

/// Whether a table of this name was there before.
fn existed(name: &str, changed: &[Changed], schema: &Schema) -> bool {
    let of_name = |it: &&Changed| it.object.kind == ObjectKind::Table && it.object.name == name;
    changed.iter().find(of_name).map_or_else(|| schema.table(name).is_some(), |it| it.before.is_some())
}

#[cfg(test)]
mod tests {
    use super::TableEvent::{Created, Dropped, Renamed};
    use super::*;

    /// What became of the tables `a` and `b`.
    fn lineage(events: &[TableEvent]) -> Lineage {
        let mut lineage = Lineage::default();
        for (statement, what) in events.iter().enumerate() {
            let event = Event { statement, what: what.clone() };
            lineage.follow_event(&event, |name| ["a", "b"].contains(&name));
        }
        lineage
    }

    fn created(name: &str) -> TableEvent {
        Created(name.to_owned())
    }

    fn dropped(name: &str) -> TableEvent {
        Dropped(name.to_owned())
    }

    fn renamed(old: &str, new: &str) -> TableEvent {
        Renamed(old.to_owned(), new.to_owned())
    }

    #[test]
    fn a_table_is_followed_through_its_names() {
        let swap = lineage(&[renamed("a", "c"), renamed("b", "a"), renamed("c", "b")]);
        assert_eq!(swap.renamed().collect::<Vec<_>>(), [("a", "b"), ("b", "a")]);
        assert_eq!((swap.after("a"), swap.before("a"), swap.is_made_anew("a")), (Some("b"), Some("b"), false));
        let gone = lineage(&[dropped("a"), renamed("b", "a")]);
        assert_eq!((gone.after("a"), gone.after("b"), gone.before("a")), (None, Some("a"), Some("b")));
        let beside = lineage(&[renamed("a", "c"), created("a")]);
        assert_eq!((beside.after("a"), beside.before("a")), (Some("c"), None));
    }

    #[test]
    fn what_was_not_read_for_a_table_is_not_in_it() {
        let read = |table: &str, column: Option<&str>, into: &str| TableEvent::Read {
            table: table.to_owned(),
            column: column.map(ToOwned::to_owned),
            into: into.to_owned(),
        };
        let rebuild =
            |reads: &[TableEvent]| lineage(&[&[created("c")], reads, &[dropped("a"), renamed("c", "a")]].concat());
        let once = rebuild(&[read("a", Some("x"), "c"), read("a", Some("y"), "other")]);
        assert_eq!((once.may_have_values("a", "x"), once.may_have_values("a", "y")), (true, false));
        assert!(rebuild(&[read("a", None, "c")]).may_have_values("a", "x"));
        assert!(once.may_have_values("b", "y"));
        let with_copy = rebuild(&[created("d"), read("a", None, "d"), read("d", Some("x"), "c")]);
        assert_eq!((with_copy.may_have_values("a", "x"), with_copy.may_have_values("a", "y")), (true, false));
    }

    #[test]
    fn what_happened_to_a_table_is_known_by_its_statement() {
        let own = ToOwned::to_owned;
        let rebuild = [created("c"), TableEvent::Inserted(own("c")), dropped("a"), renamed("c", "a")];
        let lineage = lineage(&[&rebuild[..], &[TableEvent::Deleted(own("b")), dropped("b")]].concat());
        assert_eq!(
            (lineage.created_at("a"), lineage.filled_at("a"), lineage.renamed_at("a")),
            (Some(0), Some(1), Some(3))
        );
        assert_eq!(
            (lineage.dropped_at("a"), lineage.dropped_at("b"), lineage.emptied_at("a")),
            (Some(2), Some(5), Some(1))
        );
    }

    #[test]
    fn a_column_is_followed_through_its_names() {
        let own = ToOwned::to_owned;
        let column = |old: &str, new: &str| TableEvent::ColumnRenamed(own("a"), own(old), own(new));
        let gone = |name: &str| TableEvent::ColumnDropped(own("a"), own(name));
        let swap = lineage(&[column("x", "z"), column("y", "x"), column("z", "y"), renamed("a", "c")]);
        assert_eq!(
            (swap.column("c", "x"), swap.column("c", "y"), swap.column("b", "x")),
            (Some("y"), Some("x"), Some("x"))
        );
        let taken = lineage(&[gone("x"), column("y", "x"), column("x", "w")]);
        assert_eq!(
            (taken.column("a", "x"), taken.column("a", "y"), taken.column("a", "v")),
            (None, Some("w"), Some("v"))
        );
    }

    #[test]
    fn a_new_table_is_in_the_place_of_one_whose_name_it_had() {
        let rebuilds: &[&[TableEvent]] = &[
            &[dropped("a"), created("a")],
            &[created("c"), dropped("a"), renamed("c", "a")],
            &[renamed("a", "c"), created("a"), dropped("c")],
            &[created("a"), created("c"), dropped("a"), dropped("a"), renamed("c", "a")],
        ];
        for events in rebuilds {
            let lineage = lineage(events);
            assert_eq!((lineage.after("a"), lineage.before("a")), (Some("a"), Some("a")), "{events:?}");
            assert!(lineage.is_made_anew("a") && lineage.renamed().next().is_none(), "{events:?}");
        }
        let and_renamed = lineage(&[created("c"), dropped("a"), renamed("c", "a"), renamed("a", "d")]);
        assert_eq!((and_renamed.after("a"), and_renamed.is_made_anew("d")), (Some("d"), true));
        let of_b = lineage(&[dropped("b"), created("b"), dropped("a"), renamed("b", "a")]);
        assert_eq!((of_b.after("a"), of_b.after("b")), (Some("a"), None));
        let other = lineage(&[dropped("a"), created("c")]);
        assert_eq!((other.after("a"), other.before("c"), other.is_made_anew("c")), (None, None, false));
    }
}
