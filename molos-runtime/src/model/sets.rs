//! Several sets that share one database, and the order in which they are applied.

use super::error::{Error, ErrorKind, SetsProblem};
use super::history::Applied;
use super::migration::{Migration, Migrations};
use super::plan;
use crate::database::{Database, DefaultDatabase};

/// The sets that a [`Migrator`](crate::Migrator) runs: one, or several that share a database.
///
/// It is made from a reference to one set, or from an array, a slice or a [`Vec`] of them.
#[derive(Clone, Debug)]
pub struct Sets<'m, DB: Database = DefaultDatabase> {
    chosen: Vec<Migrations<'m, DB>>,
    /// Those that were given, and left out since.
    others: Vec<Migrations<'m, DB>>,
}

impl<'m, DB: Database> From<&Migrations<'m, DB>> for Sets<'m, DB> {
    fn from(set: &Migrations<'m, DB>) -> Self {
        Self { chosen: vec![*set], others: Vec::new() }
    }
}

impl<'m, DB: Database> From<&[&Migrations<'m, DB>]> for Sets<'m, DB> {
    fn from(sets: &[&Migrations<'m, DB>]) -> Self {
        Self { chosen: sets.iter().map(|set| **set).collect(), others: Vec::new() }
    }
}

impl<'m, DB: Database, const N: usize> From<[&Migrations<'m, DB>; N]> for Sets<'m, DB> {
    fn from(sets: [&Migrations<'m, DB>; N]) -> Self {
        sets.as_slice().into()
    }
}

impl<'m, DB: Database> From<Vec<&Migrations<'m, DB>>> for Sets<'m, DB> {
    fn from(sets: Vec<&Migrations<'m, DB>>) -> Self {
        sets.as_slice().into()
    }
}

impl<'m, DB: Database> Sets<'m, DB> {
    /// The sets, as they were given.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Migrations<'m, DB>> {
        self.chosen.iter()
    }

    /// The set of this name alone.
    pub(crate) fn only(&self, name: &str) -> Result<Self, Error> {
        let unknown = || {
            let known = self.names().into_iter().map(ToOwned::to_owned).collect();
            Error::new(ErrorKind::Sets(SetsProblem::NoSuchSet { set: name.to_owned(), known }))
        };
        let (chosen, left_out): (Vec<_>, Vec<_>) = self.chosen.iter().partition(|set| set.set() == name);
        let chosen = chosen.into_iter().take(1).collect::<Vec<_>>();
        if chosen.is_empty() {
            return Err(unknown());
        }
        Ok(Self { chosen, others: [self.others.clone(), left_out].concat() })
    }

    /// The sets that were given, and left out by [`only`](Self::only).
    pub(crate) fn others(&self) -> &[Migrations<'m, DB>] {
        &self.others
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<&'m str> {
        self.chosen.iter().map(Migrations::set).collect()
    }

    /// The sets, each after those that it was checked after, and apart from that as they were given.
    pub(crate) fn in_order(&self) -> Result<Vec<Migrations<'m, DB>>, Error> {
        let mut waiting: Vec<&Migrations<'m, DB>> = Vec::with_capacity(self.chosen.len());
        for set in &self.chosen {
            plan::in_order(set)?;
            if waiting.iter().any(|other| other.set() == set.set()) {
                return Err(Error::new(ErrorKind::Sets(SetsProblem::GivenTwice { set: set.set().to_owned() })));
            }
            waiting.push(set);
        }
        let mut ordered = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let is_free = |set: &&Migrations<'m, DB>| !waiting.iter().any(|other| comes_after(set, other));
            let Some(at) = waiting.iter().position(is_free) else {
                return Err(Error::new(ErrorKind::Sets(SetsProblem::Cycle { sets: cycle(&waiting) })));
            };
            ordered.push(*waiting.remove(at));
        }
        Ok(ordered)
    }
}

/// Whether `set` was checked after a migration of `other`.
fn comes_after<DB: Database>(set: &Migrations<'_, DB>, other: &Migrations<'_, DB>) -> bool {
    set.set() != other.set() && set.after.iter().any(|base| other.has(base))
}

/// The names of sets that come after each other, each followed by one that it comes after. Each of `waiting` comes after
/// another of them.
fn cycle<DB: Database>(waiting: &[&Migrations<'_, DB>]) -> Vec<String> {
    let mut way: Vec<&Migrations<'_, DB>> = Vec::new();
    let mut next = waiting.first();
    while let Some(set) = next {
        if let Some(start) = way.iter().position(|passed| passed.set() == set.set()) {
            way.drain(..start);
            break;
        }
        way.push(set);
        next = waiting.iter().find(|other| comes_after(set, other));
    }
    way.iter().map(|set| set.set().to_owned()).collect()
}

/// A set, and what a database's history says of it.
pub struct SetHistory<'m, DB: Database> {
    pub(crate) set: Migrations<'m, DB>,
    pub(crate) history: Vec<Applied>,
}

impl<'m, DB: Database> SetHistory<'m, DB> {
    pub(crate) fn new(set: Migrations<'m, DB>, applied: Vec<Applied>) -> Self {
        let mut history: Vec<Applied> = Vec::with_capacity(applied.len());
        // They nearly always come in this order, and a sort is more code in every program.
        for applied in applied {
            let at = history.partition_point(|known| set.key(known.version) <= set.key(applied.version));
            history.insert(at, applied);
        }
        Self { set, history }
    }

    /// The migrations that are applied.
    pub(crate) fn applied(&self) -> Vec<Migration<'m, DB>> {
        self.set.iter().filter(|migration| plan::is_applied(&self.set, &self.history, migration.version())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::checksum::Checksum;
    use crate::model::migration::Base;

    /// A set of one migration that is named like it, after those of the sets `after`.
    fn set(name: &'static str, after: &[&'static str]) -> Migrations<'static> {
        let base =
            |name: &&'static str| Base { directory: name, version: 1, name, checksum: *Checksum::of(name).as_bytes() };
        let after: Vec<_> = after.iter().map(base).collect();
        Migrations::new(name, name, vec![Migration::new(1, name, name)].leak()).after(after.leak())
    }

    fn order(sets: &[Migrations<'static>]) -> Result<String, Error> {
        let sets: Vec<_> = sets.iter().collect();
        Ok(Sets::from(sets).in_order()?.iter().map(Migrations::set).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_set_comes_after_those_it_was_checked_after_and_else_where_it_was_given() {
        let (core, tasks) = (set("core", &[]), set("tasks", &["core"]));
        let (notes, links) = (set("notes", &["core"]), set("links", &["tasks", "notes"]));
        let cases = [
            (vec![], ""),
            (vec![core], "core"),
            (vec![core, tasks, notes, links], "core tasks notes links"),
            (vec![links, notes, tasks, core], "core notes tasks links"),
            (vec![tasks, links, notes, core], "core tasks notes links"),
            (vec![notes, set("other", &[]), core], "other core notes"),
            (vec![links, tasks], "tasks links"),
            (vec![set("own", &["own"]), core], "own core"),
        ];
        for (given, ordered) in cases {
            assert_eq!(order(&given).expect("an order"), ordered);
        }
    }

    #[test]
    fn a_migration_of_another_content_is_not_the_one_that_a_set_comes_after() {
        let edited = Migrations::new("core", "core", &[]);
        let other = Migrations::new("core", "core", vec![Migration::new(1, "core", "edited")].leak());
        for core in [edited, other] {
            assert_eq!(order(&[set("tasks", &["core"]), core]).expect("an order"), "tasks core");
        }
    }

    #[test]
    fn two_sets_of_one_name_and_sets_in_a_circle_are_refused() {
        let error = order(&[set("core", &[]), set("tasks", &[]), set("core", &["tasks"])]).expect_err("twice");
        assert_eq!(
            format!("{error:#}"),
            "the set \"core\" is given twice\nhelp: give each set once, and each directory a name of its own with `set = \"…\"`"
        );
        let circle = [set("core", &[]), set("d", &["a", "core"]), set("a", &["b"]), set("b", &["c"]), set("c", &["a"])];
        assert_eq!(
            format!("{:#}", order(&circle).expect_err("a circle")),
            "the sets \"a\", \"b\", \"c\" come after each other, so that none can be the first\n\
             help: let one of them not come after the others, or put them into one directory"
        );
    }
}
