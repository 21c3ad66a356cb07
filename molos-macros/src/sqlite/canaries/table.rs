//! What there is to know of a table before rows can be put into it.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use molos_runtime::Fact;
use molos_runtime::rusqlite::types::Value;
use molos_runtime::rusqlite::{Connection, Result};
use molos_runtime::sqlite::catalog::{self, Column, quote};

use crate::check::shadow::Fill;
use crate::sqlite::canaries::Database;
use crate::sqlite::canaries::candidates::may_be_null;
use crate::sqlite::canaries::constraints::{CheckConstraint, checks, words_of_named};
use crate::sqlite::words;

/// A table that rows are made for.
pub(super) struct TableToFill {
    /// In lower case.
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) keys: Vec<Reference>,
    pub(super) checks: Vec<CheckConstraint>,
    pub(super) has_sequence: bool,
    /// For each column, those before it that a check names with it.
    checked_with: Vec<Vec<usize>>,
    /// What errors were found to be about.
    named: RefCell<HashMap<String, Vec<usize>>>,
}

/// A foreign key of such a table.
pub(super) struct Reference {
    pub(super) parent: String,
    /// The columns, by their place in the table.
    pub(super) from: Vec<usize>,
    /// The columns that they refer to.
    pub(super) to: Vec<String>,
}

/// Whether a table keeps the largest id that it has given out.
pub(super) fn has_sequence(facts: &[Fact]) -> bool {
    facts.iter().any(|fact| matches!(fact, Fact::PrimaryKey(key) if key.autoincrement))
}

impl TableToFill {
    /// Reads what there is to know of a table; `None` if there is none of this name that rows can be put into.
    pub(super) fn read(db: Database<'_>, name: &str) -> Result<Option<Self>> {
        let name = name.to_ascii_lowercase();
        let (Some(sql), Some(facts)) = (db.schema.sql(&name), db.schema.schema().table(&name)) else {
            return Ok(None);
        };
        let says = |wanted: fn(&Fact) -> bool| facts.iter().any(wanted);
        if says(|fact| matches!(fact, Fact::VirtualTable(_))) {
            return Ok(None);
        }
        let columns = catalog::columns(db.conn, &name)?;
        let has_keys = says(|fact| matches!(fact, Fact::ForeignKey(_)));
        let keys = if has_keys { references(db.conn, &name, &columns)? } else { Vec::new() };
        let checks = if says(|fact| matches!(fact, Fact::Check(_))) { checks(sql) } else { Vec::new() };
        let (checked_with, has_sequence) = (checked_together(&columns, &checks), has_sequence(facts));
        Ok(Some(Self { columns, keys, checks, has_sequence, checked_with, named: RefCell::default(), name }))
    }

    /// The columns that an insert gives a value, by their place in the table.
    pub(super) fn written(&self) -> Vec<usize> {
        (0..self.columns.len()).filter(|at| !self.columns[*at].generated).collect()
    }

    /// The statement that inserts a row, with a parameter for each written column.
    pub(super) fn insert(&self) -> String {
        let names: Vec<String> = self.written().iter().map(|at| quote(&self.columns[*at].name)).collect();
        let values: Vec<String> = (1..=names.len()).map(|at| format!("?{at}")).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", quote(&self.name), names.join(", "), values.join(", "))
    }

    /// Whether a row has this value in a column, or another, as `operator` says.
    pub(super) fn has(&self, conn: &Connection, at: usize, operator: &str, value: &Value) -> bool {
        let (name, column) = (quote(&self.name), quote(&self.columns[at].name));
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {name} WHERE {column} {operator} ?1)");
        conn.prepare_cached(&sql).and_then(|mut it| it.query_row([value], |row| row.get(0))).unwrap_or_default()
    }

    /// The columns that an error is about; if it names none, those that a check is about, or all.
    pub(super) fn named_in(&self, message: &str) -> Vec<usize> {
        let known = self.named.borrow().get(message).cloned();
        known.unwrap_or_else(|| {
            let named = self.find_named(message);
            self.named.borrow_mut().insert(message.to_owned(), named.clone());
            named
        })
    }

    fn find_named(&self, message: &str) -> Vec<usize> {
        let mut said = words(message);
        said.extend(words_of_named(&self.checks, message));
        let having = |said: &BTreeSet<String>| -> Vec<usize> {
            (0..self.columns.len()).filter(|at| said.contains(&self.columns[*at].name.to_ascii_lowercase())).collect()
        };
        // SQLite puts no quotes around the names, of which one may be several words.
        let whole = message.to_ascii_lowercase();
        let columns = self.columns.iter().map(|column| column.name.to_ascii_lowercase());
        said.extend(columns.filter(|name| whole.contains(&format!(".{name}"))));
        let named = having(&said);
        if !named.is_empty() {
            return named;
        }
        // What fails in a function is said in words like those of its name: "malformed JSON" by `json_type`.
        let is_like = |word: &String| said.iter().any(|said| said.len() > 3 && word.starts_with(said.as_str()));
        let functions = self.checks.iter().filter(|check| check.words.iter().any(is_like));
        let named = having(&functions.flat_map(|check| &check.words).cloned().collect());
        if !named.is_empty() {
            return named;
        }
        let checked = having(&self.checks.iter().flat_map(|check| &check.words).cloned().collect());
        if checked.is_empty() { (0..self.columns.len()).collect() } else { checked }
    }

    /// How each column is filled in, in a row that is filled in so.
    pub(super) fn fills(&self, fill: Fill) -> Vec<Fill> {
        let mut number = 0_usize;
        let of_column = |column: &Column| match fill {
            Fill::Half { bit, filled } if !column.generated && may_be_null(column, Fill::Sparse) => {
                number += 1;
                if ((number - 1) >> bit & 1 == 1) == filled { Fill::Full } else { Fill::Sparse }
            }
            Fill::Half { .. } => Fill::Full,
            fill => fill,
        };
        self.columns.iter().map(of_column).collect()
    }

    /// The foreign key that a column belongs to.
    pub(super) fn key_of(&self, at: usize) -> Option<&Reference> {
        self.keys.iter().find(|key| key.from.contains(&at))
    }

    /// The columns before this one that a check names with it.
    pub(super) fn checked_with(&self, at: usize) -> &[usize] {
        &self.checked_with[at]
    }

    /// The columns whose values nothing else depends on.
    pub(super) fn free_columns(&self) -> impl Iterator<Item = usize> {
        (0..self.columns.len()).filter(|at| {
            let column = &self.columns[*at];
            column.key == 0 && !column.generated && self.key_of(*at).is_none()
        })
    }

    /// The columns by which a row is found again.
    pub(super) fn identity(&self, conn: &Connection) -> Vec<String> {
        if conn.prepare(&format!("SELECT _rowid_ FROM {}", quote(&self.name))).is_ok() {
            return vec!["_rowid_".to_owned()];
        }
        self.columns.iter().filter(|column| column.key > 0).map(|column| quote(&column.name)).collect()
    }
}

impl Reference {
    /// The key of a row of the parent that no row of `table` refers to, by the one column of the key.
    pub(super) fn unused(&self, conn: &Connection, table: &TableToFill) -> Option<Value> {
        let (to, from) = (quote(self.to.first()?), quote(&table.columns[*self.from.first()?].name));
        let (parent, child) = (quote(&self.parent), quote(&table.name));
        let sql = format!(
            "SELECT p.{to} FROM {parent} AS p WHERE p.{to} IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM {child} AS c WHERE c.{from} = p.{to}) ORDER BY 1 DESC LIMIT 1"
        );
        conn.prepare_cached(&sql).ok()?.query_row([], |row| row.get(0)).ok()
    }

    /// The key of a row of the parent, the newest first.
    pub(super) fn values(&self, conn: &Connection, offset: usize) -> Option<Vec<Value>> {
        let to: Vec<String> = self.to.iter().map(|column| quote(column)).collect();
        let filled: Vec<String> = to.iter().map(|column| format!("{column} IS NOT NULL")).collect();
        let (to, parent) = (to.join(", "), quote(&self.parent));
        let sql = format!("SELECT {to} FROM {parent} WHERE {} ORDER BY 1 DESC LIMIT 2", filled.join(" AND "));
        let mut statement = conn.prepare_cached(&sql).ok()?;
        let width = statement.column_count();
        let rows = statement.query_map([], |row| (0..width).map(|at| row.get(at)).collect::<Result<Vec<Value>>>());
        let rows: Vec<_> = rows.ok()?.collect::<Result<_>>().ok()?;
        rows.get(offset).or(rows.last()).cloned()
    }
}

/// For each column, those before it that a check names with it.
fn checked_together(columns: &[Column], checks: &[CheckConstraint]) -> Vec<Vec<usize>> {
    let names: Vec<String> = columns.iter().map(|column| column.name.to_ascii_lowercase()).collect();
    let mut together = vec![BTreeSet::new(); columns.len()];
    for check in checks {
        let said: Vec<usize> = (0..names.len()).filter(|at| check.words.contains(&names[*at])).collect();
        for (place, at) in said.iter().enumerate() {
            together[*at].extend(&said[..place]);
        }
    }
    together.into_iter().map(|others| others.into_iter().collect()).collect()
}

/// The foreign keys of a table that can be fulfilled, those of most columns first.
fn references(conn: &Connection, table: &str, columns: &[Column]) -> Result<Vec<Reference>> {
    let place = |name: &String| columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    let reference = |key: catalog::ForeignKey| {
        let from = key.columns.iter().filter_map(place).collect();
        Reference { parent: key.parent, from, to: key.parent_columns }
    };
    // SQLite checks them from the last.
    let mut references: Vec<_> = catalog::foreign_keys(conn, table)?.into_iter().rev().map(reference).collect();
    references.retain(|key| key.from.len() == key.to.len() && !key.to.is_empty());
    // A row always refers to itself by a key that is what it refers to.
    let is_itself = |key: &Reference| {
        key.parent.eq_ignore_ascii_case(table)
            && key.from.iter().zip(&key.to).all(|(from, to)| columns[*from].name.eq_ignore_ascii_case(to))
    };
    references.retain(|key| !is_itself(key));
    references.sort_by_key(|key| std::cmp::Reverse(key.from.len()));
    Ok(references)
}
