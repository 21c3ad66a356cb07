//! Which rows' foreign keys point at nothing. After a step only those keys are looked at again that it may have changed,
//! so that the cost of a directory does not grow with the square of its size.

use std::collections::{BTreeMap, BTreeSet};

use molos_runtime::__private::sqlite::Change;
use molos_runtime::__private::sqlite::violations_of;
use molos_runtime::database::{DatabaseError, Violations};
use molos_runtime::rusqlite::{Connection, Result};
use molos_runtime::sqlite::catalog;

use crate::sqlite::sandbox::trace::Trace;
use crate::sqlite::words;

/// The foreign keys of a database. Tables are in lower case.
#[derive(Default)]
pub(crate) struct Keys {
    /// Each table that has a foreign key, with the tables that it refers to.
    parents: BTreeMap<String, BTreeSet<String>>,
    /// The violations in each of them.
    violations: BTreeMap<String, Violations>,
    /// Tables that may have other keys than those above.
    unread: BTreeSet<String>,
    stale: Stale,
}

/// Which tables may no longer be as they were when they were looked at.
#[derive(Default)]
enum Stale {
    #[default]
    All,
    Some(BTreeSet<String>),
}

impl Keys {
    /// Makes everything be looked at again.
    pub(crate) fn forget(&mut self) {
        self.stale = Stale::All;
    }

    /// Takes note of rows that were changed in these tables.
    pub(crate) fn touch(&mut self, tables: impl IntoIterator<Item = String>) {
        if let Stale::Some(stale) = &mut self.stale {
            stale.extend(tables);
        }
    }

    /// Takes note of what a script did.
    pub(crate) fn after(&mut self, script: &str, trace: &Trace) {
        let effects = &trace.effects;
        if trace.change == Change::Anything && renames_or_drops_an_index(script) {
            self.forget();
        }
        for table in &effects.replaced {
            self.parents.remove(table);
            self.violations.remove(table);
        }
        if script.to_ascii_lowercase().contains("references") {
            self.unread.extend(effects.altered.union(&effects.replaced).cloned());
        }
        self.touch(effects.written.union(&effects.replaced).cloned());
    }

    /// How many rows refer to nothing. A key that cannot be enforced is not among them: a later step may still make it one
    /// that can.
    pub(crate) fn violations(&mut self, conn: &Connection) -> Result<Violations, DatabaseError> {
        for table in self.stale(conn)? {
            let mut violations = violations_of(conn, Some(&table))?;
            violations.retain(|violation| !violation.parent.is_empty());
            self.violations.insert(table, violations);
        }
        Ok(self.violations.values().flatten().cloned().collect())
    }

    /// The tables to look at again.
    fn stale(&mut self, conn: &Connection) -> Result<BTreeSet<String>> {
        let Stale::Some(stale) = std::mem::replace(&mut self.stale, Stale::Some(BTreeSet::new())) else {
            self.parents.clear();
            self.violations.clear();
            self.unread.clear();
            catalog::names(conn)?.into_iter().try_for_each(|table| self.read(conn, table))?;
            return Ok(self.parents.keys().cloned().collect());
        };
        for table in std::mem::take(&mut self.unread) {
            self.parents.remove(&table);
            self.violations.remove(&table);
            self.read(conn, table)?;
        }
        let is_stale = |child: &String, parents| stale.contains(child) || !stale.is_disjoint(parents);
        let unknown = |child: &String| !self.violations.contains_key(child);
        let stale = self.parents.iter().filter(|(child, parents)| is_stale(child, parents) || unknown(child));
        Ok(stale.map(|(child, _)| child.clone()).collect())
    }

    /// Reads which tables a table refers to.
    fn read(&mut self, conn: &Connection, table: String) -> Result<()> {
        let parents: BTreeSet<String> =
            catalog::foreign_keys(conn, &table)?.iter().map(|key| key.parent.to_ascii_lowercase()).collect();
        if !parents.is_empty() {
            self.parents.insert(table, parents);
        }
        Ok(())
    }
}

/// Whether keys of tables that a script which drops or alters something does not name may now be others.
fn renames_or_drops_an_index(script: &str) -> bool {
    let words = words(script);
    words.contains("rename") || words.contains("index")
}
