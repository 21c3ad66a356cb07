//! What was recognised in a database that was made without molos.

use std::fmt;

use super::tool::Tool;

/// What [`Migrator::adopt`](crate::Migrator::adopt) recognised, set by set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    sets: Vec<AdoptedSet>,
}

/// The set of a database that was made without molos.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdoptedSet {
    /// Its name.
    pub set: String,
    /// The migration whose schema the database has.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// How many migrations are now recorded as applied.
    pub recorded: usize,
    /// The other tool whose history agrees, if there is one.
    pub tool: Option<Tool>,
}

impl Adopted {
    pub(crate) const fn new(sets: Vec<AdoptedSet>) -> Self {
        Self { sets }
    }

    /// The sets that were recognised.
    #[must_use]
    pub fn sets(&self) -> &[AdoptedSet] {
        &self.sets
    }
}

/// A line for each set; if there are several, after its name.
impl fmt::Display for Adopted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sets.as_slice() {
            [] => f.write_str("nothing to adopt"),
            [set] => set.fmt(f),
            sets => {
                for (i, set) in sets.iter().enumerate() {
                    let separator = if i == 0 { "" } else { "\n" };
                    write!(f, "{separator}{}: {set}", set.set)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for AdoptedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, name, recorded, tool, .. } = self;
        let plural = if *recorded == 1 { " is" } else { "s are" };
        write!(f, "adopted at migration {version} ({name}): {recorded} migration{plural} recorded as applied")?;
        match tool {
            Some(tool) => write!(f, ", as the history of {tool} says"),
            None => Ok(()),
        }
    }
}
