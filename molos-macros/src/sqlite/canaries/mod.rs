//! Canary rows: they are made up in a sandbox, and stand for those that users have.

mod candidates;
mod constraints;
mod planter;
mod search;
mod table;

use std::collections::BTreeSet;

use molos_runtime::__private::sqlite::SchemaReader;
use molos_runtime::Fact;
use molos_runtime::rusqlite::{Connection, OptionalExtension as _, Result};
use molos_runtime::sqlite::catalog::{self, quote};

use crate::check::failure::Failure;
use crate::check::lineage::Lineage;
use crate::check::rows::{Canary, DefaultValue, TableRows};
use crate::check::shadow::{Canaries, Fill, Planted, Variation};
use crate::diagnostic::Diagnostic;
use crate::lint::loss;
use crate::sqlite::canaries::candidates::text;
use crate::sqlite::canaries::table::has_sequence;
use crate::sqlite::sandbox::Sandbox;
use crate::sqlite::statements::default_expression;

pub(crate) use planter::Planter;

/// Where rows are put: a database, and what is known of its schema.
#[derive(Clone, Copy)]
struct Database<'d> {
    conn: &'d Connection,
    schema: &'d SchemaReader,
}

impl Canaries<Sandbox> for Planter {
    fn plant(&mut self, sandbox: &mut Sandbox, tables: &[(&str, &[Fill])]) -> Result<Planted, Diagnostic> {
        let mut failed = Vec::new();
        let changed = sandbox.arrange(|conn, schema| {
            let db = Database { conn, schema };
            // What refers to another row refers to the newest: a table comes after those that it refers to.
            for (table, fills) in parents_first(db, tables) {
                if let Err(reason) = self.plant_in(db, table, fills) {
                    failed.push((table.to_owned(), reason));
                }
            }
            self.take_changed()
        })?;
        Ok(Planted { changed, failed })
    }

    fn insert(
        &mut self,
        sandbox: &mut Sandbox,
        table: &str,
        sql: &str,
    ) -> Result<Result<BTreeSet<String>, String>, Diagnostic> {
        let inserted = sandbox.insert(sql)?;
        if inserted.is_ok() {
            self.take_for_made_up(table);
        }
        Ok(inserted)
    }

    fn vary(
        &mut self,
        sandbox: &mut Sandbox,
        tables: &BTreeSet<String>,
        failure: &Failure,
        script: &str,
        variation: Variation,
    ) -> Result<BTreeSet<String>, Diagnostic> {
        let message = failure.message.as_ref().map_or("", |message| message.text.as_str());
        let changed = sandbox.arrange(|conn, schema| {
            self.vary_in(Database { conn, schema }, tables, message, script, variation);
            self.take_changed()
        })?;
        Ok(changed)
    }

    fn read(&self, sandbox: &Sandbox, table: &str) -> Result<TableRows, Diagnostic> {
        let db = Database { conn: sandbox.conn(), schema: sandbox.schema_reader() };
        Ok(read(db, table, self)?)
    }

    fn forget_rows(&mut self) {
        self.forget_rows();
    }

    fn follow(&mut self, lineage: &Lineage) {
        self.rename(lineage);
    }

    fn default_of(&self, sandbox: &Sandbox, table: &str, column: &str) -> Result<Option<DefaultValue>, Diagnostic> {
        Ok(default_of(sandbox.conn(), table, column)?)
    }
}

/// Tables in such an order that each comes after those that it refers to, where there are no cycles.
fn parents_first<'t>(db: Database<'_>, tables: &[(&'t str, &'t [Fill])]) -> Vec<(&'t str, &'t [Fill])> {
    let names: BTreeSet<&str> = tables.iter().map(|(table, _)| *table).collect();
    let parents = |table: &str| -> BTreeSet<String> {
        let keys = db.schema.schema().table(table).unwrap_or_default().iter().filter_map(|fact| match fact {
            Fact::ForeignKey(key) if key.parent != table => Some(key.parent.to_ascii_lowercase()),
            _ => None,
        });
        keys.filter(|parent| names.contains(parent.as_str())).collect()
    };
    let mut left: Vec<_> = tables.iter().map(|it| (*it, parents(it.0))).collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_ready = |(_, parents): &(_, BTreeSet<String>)| parents.is_empty();
        let (next, _) = left.remove(left.iter().position(is_ready).unwrap_or_default());
        for (_, parents) in &mut left {
            parents.remove(next.0);
        }
        ordered.push(next);
    }
    ordered
}

fn read(db: Database<'_>, table: &str, planter: &Planter) -> Result<TableRows> {
    const SEQUENCE: &str = "SELECT seq FROM sqlite_sequence WHERE name = ?1 COLLATE NOCASE";
    let mut statement = db.conn.prepare(&format!("SELECT * FROM {}", quote(table)))?;
    let names = (0..statement.column_count()).map(|at| statement.column_name(at).map(str::to_ascii_lowercase));
    let columns = names.collect::<Result<Vec<String>>>()?;
    let facts = db.schema.schema().table(table).unwrap_or_default();
    let is_generated = |name: &&String| loss::column(facts, name).is_some_and(|column| column.generated.is_some());
    let generated = columns.iter().filter(is_generated).cloned().collect();
    let declared = |name: &String| Some((name.clone(), loss::column(facts, name)?.declared_type.clone()));
    let types = columns.iter().filter_map(declared).collect();
    let blank = columns.iter().cloned().collect();
    let mut known = TableRows { columns, types, generated, blank, ..TableRows::default() };
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..known.columns.len()).map(|at| row.get_ref(at).map(text));
        let values = values.collect::<Result<Vec<_>>>()?;
        known.count += 1;
        let columns = known.columns.iter().zip(&values);
        columns.filter(|(_, value)| value.is_some()).for_each(|(column, _)| {
            known.blank.remove(column);
        });
        let marks = planter.marks(&values);
        let is_blank = values.iter().all(Option::is_none);
        if !marks.is_empty() || is_blank || planter.is_indistinct(table) {
            known.canaries.push(Canary { values, marks });
        }
    }
    known.counts_inserts = db.conn.prepare(&format!("SELECT _rowid_ FROM {}", quote(table))).is_ok();
    if db.schema.schema().table(table).is_some_and(has_sequence) {
        known.sequence = db.conn.query_row(SEQUENCE, [table], |row| row.get(0)).optional()?;
    }
    if known.count == 0 {
        known.blank.clear();
    }
    Ok(known)
}

fn default_of(conn: &Connection, table: &str, column: &str) -> Result<Option<DefaultValue>> {
    let columns = catalog::columns(conn, table)?;
    let column = columns.into_iter().find(|it| it.name.eq_ignore_ascii_case(column));
    let Some(default) = column.and_then(|column| column.default) else { return Ok(None) };
    let select = format!("SELECT {}", default_expression(&default));
    let value = conn.query_row(&select, [], |row| row.get_ref(0).map(text))?;
    let is_computed = default.contains('(') || default.to_ascii_uppercase().starts_with("CURRENT_");
    Ok(Some(DefaultValue { value, is_computed }))
}
