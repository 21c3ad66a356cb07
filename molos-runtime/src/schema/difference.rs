//! How one schema differs from another.

use std::fmt;

use super::{Fact, Object, Schema};

/// A difference between the schema that was expected and the one that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// It should be there.
    Missing(Object),
    /// It should not be there.
    Extra(Object),
    /// It is there, and not as it should be.
    #[non_exhaustive]
    Changed {
        /// What it is.
        object: Object,
        /// What should be true of it, and is not.
        missing: Vec<Fact>,
        /// What is true of it, and should not be.
        extra: Vec<Fact>,
    },
}

/// An object that is not as it was, and what was and is said of it: nothing while it was not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which one.
    pub object: Object,
    /// What was said of it.
    pub before: Option<Vec<Fact>>,
    /// What is said of it.
    pub after: Option<Vec<Fact>>,
}

impl Schema {
    /// How this schema, which was found, differs from the one that was `expected`.
    #[must_use]
    pub fn differences(&self, expected: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (object, wanted) in expected.facts() {
            match self.facts_of(object) {
                None => differences.push(Difference::Missing(object.clone())),
                Some(found) if found == wanted => {}
                Some(found) => differences.push(Difference::Changed {
                    object: object.clone(),
                    missing: without(wanted, found),
                    extra: without(found, wanted),
                }),
            }
        }
        let extra = self.objects().filter(|object| expected.facts_of(object).is_none());
        differences.extend(extra.cloned().map(Difference::Extra));
        differences
    }
}

/// The facts that are not among the others. One that is said twice, and by them once, is left once.
fn without(facts: &[Fact], others: &[Fact]) -> Vec<Fact> {
    let mut others: Vec<&Fact> = others.iter().collect();
    let mut left = Vec::new();
    for fact in facts {
        match others.iter().position(|other| *other == fact) {
            Some(at) => drop(others.swap_remove(at)),
            None => left.push(fact.clone()),
        }
    }
    left
}

impl Difference {
    /// What differs.
    #[must_use]
    pub const fn object(&self) -> &Object {
        match self {
            Self::Missing(object) | Self::Extra(object) | Self::Changed { object, .. } => object,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(object) => write!(f, "{object} is missing"),
            Self::Extra(object) => write!(f, "{object} should not be there"),
            Self::Changed { object, missing, extra } => {
                write!(f, "{object} differs")?;
                missing.iter().try_for_each(|fact| write!(f, "\n  - {fact}"))?;
                extra.iter().try_for_each(|fact| write!(f, "\n  + {fact}"))
            }
        }
    }
}
