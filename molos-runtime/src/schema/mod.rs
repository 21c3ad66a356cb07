//! A schema as a set of facts: what there is in a database, to be compared with what there should be.
//!
//! A database's own part of molos makes the facts from its catalog. Here they are compared, printed and hashed.

pub(crate) mod difference;
mod fact;
mod fingerprint;

use std::collections::BTreeMap;
use std::fmt;

pub(crate) use difference::Changed;
pub use difference::Difference;
pub use fact::{
    Action, Check, Column, Conflict, Event, Expression, Fact, ForeignKey, Generated, Index, KeyPart, PrimaryKey, Term,
    Time, Trigger, Unique, View, VirtualTable,
};
pub use fingerprint::{Fingerprint, NotAFingerprint};

/// A part of a schema that has a name of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name, as the database compares it.
    pub name: String,
    /// The table that it is about; its own name if it is a table or view.
    pub table: String,
}

/// What a part of a schema is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ObjectKind {
    /// An index.
    Index,
    /// A table.
    Table,
    /// A trigger.
    Trigger,
    /// A view.
    View,
}

impl Object {
    pub(crate) const fn new(kind: ObjectKind, name: String, table: String) -> Self {
        Self { kind, name, table }
    }
}

impl ObjectKind {
    /// `index`, `table`, `trigger` or `view`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Table => "table",
            Self::Trigger => "trigger",
            Self::View => "view",
        }
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `table users`
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// Every table, index, trigger and view of a database, without the database's own and the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    objects: BTreeMap<Object, Described>,
    fingerprint: Fingerprint,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Described {
    facts: Vec<Fact>,
    fingerprint: Fingerprint,
}

impl Schema {
    /// The fingerprint of the whole schema.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The objects, in the order of their kinds and names.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.keys()
    }

    /// The objects, each with what is said of it, in order.
    pub fn facts(&self) -> impl Iterator<Item = (&Object, &[Fact])> {
        self.objects.iter().map(|(object, described)| (object, described.facts.as_slice()))
    }

    /// What is said of an object, if it is there.
    #[must_use]
    pub fn facts_of(&self, object: &Object) -> Option<&[Fact]> {
        self.objects.get(object).map(|described| described.facts.as_slice())
    }

    /// What is said of the table of this name, if there is one.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&[Fact]> {
        self.facts_of(&Object::new(ObjectKind::Table, name.to_owned(), name.to_owned()))
    }

    /// The part of it that these objects are, with a fingerprint of its own.
    #[must_use]
    pub fn part(&self, is_in: impl Fn(&Object) -> bool) -> Self {
        let objects: BTreeMap<_, _> = self
            .objects
            .iter()
            .filter(|(object, _)| is_in(object))
            .map(|(object, described)| (object.clone(), described.clone()))
            .collect();
        Self { objects, fingerprint: self.fingerprint_of(is_in) }
    }

    /// The fingerprint of the part of it that these objects are.
    #[doc(hidden)]
    #[must_use]
    pub fn fingerprint_of(&self, is_in: impl Fn(&Object) -> bool) -> Fingerprint {
        let all = self.objects.iter().filter(|(object, _)| is_in(object)).map(|(_, described)| &described.fingerprint);
        all.fold(Fingerprint::default(), |sum, of_one| sum.plus(of_one))
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Whether there is a table or view of this name.
    #[doc(hidden)]
    #[must_use]
    pub fn has(&self, table: &str) -> bool {
        self.objects.keys().any(|object| object.name == table && object.table == table)
    }

    /// Adds an object, or says something else of it than before. Returns what was said before.
    pub(crate) fn insert(&mut self, object: Object, mut facts: Vec<Fact>) -> Option<Vec<Fact>> {
        facts.sort();
        let before = self.remove(&object);
        let fingerprint = Fingerprint::of(&object, &facts);
        self.fingerprint = self.fingerprint.plus(&fingerprint);
        self.objects.insert(object, Described { facts, fingerprint });
        before
    }

    /// Takes an object out. Returns what was said of it.
    pub(crate) fn remove(&mut self, object: &Object) -> Option<Vec<Fact>> {
        let Described { facts, fingerprint } = self.objects.remove(object)?;
        self.fingerprint = self.fingerprint.minus(&fingerprint);
        Some(facts)
    }
}
