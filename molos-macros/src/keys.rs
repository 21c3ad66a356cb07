//! Which rows' foreign keys point at nothing. After a step only those keys are looked at again that it may have changed,
//! so that the cost of a directory does not grow with the square of its size.

use std::collections::{BTreeMap, BTreeSet};

use molos_runtime::Change;
use molos_runtime::driver::{DriverError, Violations, violations_of};
use molos_runtime::rusqlite::{Connection, Result, params_from_iter};

use crate::seen::Seen;
use crate::words::words;

/// The foreign keys of a database. Tables are in lower case.
#[derive(Default)]
pub(crate) struct Keys {
    /// Each table that has a foreign key, with the tables that it refers to.
    parents: BTreeMap<String, BTreeSet<String>>,
    /// What was found in each of them.
    found: BTreeMap<String, Violations>,
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
    pub(crate) fn after(&mut self, script: &str, seen: &Seen) {
        if seen.change == Change::Anything && renames_or_drops_an_index(script) {
            self.forget();
        }
        for table in &seen.replaced {
            self.parents.remove(table);
            self.found.remove(table);
        }
        if script.to_ascii_lowercase().contains("references") {
            self.unread.extend(seen.altered.union(&seen.replaced).cloned());
        }
        self.touch(seen.written.union(&seen.replaced).cloned());
    }

    /// How many rows refer to nothing. A key that cannot be enforced is not among them: a later step may still make it one
    /// that can.
    pub(crate) fn violations(&mut self, conn: &Connection) -> Result<Violations, DriverError> {
        for table in self.stale(conn)? {
            let mut found = violations_of(conn, Some(&table))?;
            found.retain(|(_, parent), _| !parent.is_empty());
            self.found.insert(table, found);
        }
        let mut violations = Violations::new();
        for (key, count) in self.found.values().flatten() {
            *violations.entry(key.clone()).or_default() += count;
        }
        Ok(violations)
    }

    /// The tables to look at again.
    fn stale(&mut self, conn: &Connection) -> Result<BTreeSet<String>> {
        const ALL: &str = "\
            SELECT lower(t.name), lower(k.\"table\") FROM sqlite_schema AS t \
            JOIN pragma_foreign_key_list(t.name) AS k WHERE t.type = 'table'";
        const OF_ONE: &str = "SELECT lower(?1), lower(\"table\") FROM pragma_foreign_key_list(?1)";
        let Stale::Some(stale) = std::mem::replace(&mut self.stale, Stale::Some(BTreeSet::new())) else {
            self.parents.clear();
            self.found.clear();
            self.unread.clear();
            self.read(conn, ALL, &[])?;
            return Ok(self.parents.keys().cloned().collect());
        };
        for table in std::mem::take(&mut self.unread) {
            self.parents.remove(&table);
            self.found.remove(&table);
            self.read(conn, OF_ONE, &[&table])?;
        }
        let is_stale = |child: &String, parents| stale.contains(child) || !stale.is_disjoint(parents);
        let unknown = |child: &String| !self.found.contains_key(child);
        let stale = self.parents.iter().filter(|(child, parents)| is_stale(child, parents) || unknown(child));
        Ok(stale.map(|(child, _)| child.clone()).collect())
    }

    fn read(&mut self, conn: &Connection, sql: &str, tables: &[&str]) -> Result<()> {
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(tables))?;
        while let Some(row) = rows.next()? {
            self.parents.entry(row.get(0)?).or_default().insert(row.get(1)?);
        }
        Ok(())
    }
}

/// Whether keys of tables that a script which drops or alters something does not name may now be others.
fn renames_or_drops_an_index(script: &str) -> bool {
    let words = words(script);
    words.contains("rename") || words.contains("index")
}
