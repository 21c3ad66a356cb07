//! Canary rows: they stand for those that users have, and are made up from what the catalog says of a table.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use molos_runtime::Schema;
use molos_runtime::catalog::{self, Column, quote};
use molos_runtime::rusqlite::types::Value;
use molos_runtime::rusqlite::{Connection, Result, params_from_iter};

use crate::ladder::{Check, Fill, Rung, checks, ladder, may_be_null, text, words_of_named};
use crate::words::words;

/// Makes rows up. Wherever a column takes it, a value is one that is nowhere else in the database, a token, by which a
/// row is known again whatever a migration does to it.
pub(crate) struct Canaries {
    /// The number that the last value was made of.
    last: i64,
    tokens: HashSet<String>,
    /// Tables that take no token in any column, so that their rows cannot be told from those of a seed.
    indistinct: BTreeSet<String>,
    /// How many kinds of values to pass over in a column, because a migration did not take them.
    passed_over: BTreeMap<(String, String), usize>,
    /// Keys that refer to rows which were not there yet.
    unresolved: Vec<Unresolved>,
    /// The tables that got rows or other values.
    changed: BTreeSet<String>,
}

/// Where rows are put: a database, and what is known of its schema.
#[derive(Clone, Copy)]
pub(crate) struct Database<'d> {
    pub(crate) conn: &'d Connection,
    pub(crate) schema: &'d Schema,
}

/// Leaves room below the next id of an `AUTOINCREMENT`, as when the newest rows were deleted.
const ADVANCE: &str = "UPDATE sqlite_sequence SET seq = seq + 100 WHERE name = ?1 COLLATE NOCASE";

/// A table that rows are made for.
struct Table {
    /// In lower case.
    name: String,
    columns: Vec<Column>,
    keys: Vec<ForeignKey>,
    checks: Vec<Check>,
    has_sequence: bool,
}

struct ForeignKey {
    parent: String,
    /// The columns, by their place in the table.
    from: Vec<usize>,
    /// The columns that they refer to.
    to: Vec<String>,
}

struct Unresolved {
    table: String,
    column: String,
    placeholder: Value,
    update: String,
}

/// How often a row is tried with other values before it is given up.
const ATTEMPTS: usize = 60;
/// How deep parents are made for parents.
const DEEPEST: usize = 16;

impl Canaries {
    pub(crate) fn new() -> Self {
        Self {
            // Far from what a seed would have.
            last: 7_340_000,
            tokens: HashSet::new(),
            indistinct: BTreeSet::new(),
            passed_over: BTreeMap::new(),
            unresolved: Vec::new(),
            changed: BTreeSet::new(),
        }
    }

    /// The tables that got rows or other values since the last call.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.changed)
    }

    /// Whether a row with these values was made up, or made from one that was.
    pub(crate) fn is_canary(&self, table: &str, row: &[Option<String>]) -> bool {
        self.indistinct.contains(table) || row.iter().flatten().any(|value| self.tokens.contains(value))
    }

    /// Adds a row to a table for each of `fills`. What the rows refer to is made, too.
    ///
    /// The error is why the first could not be made.
    pub(crate) fn plant(&mut self, db: Database<'_>, table: &str, fills: &[Fill]) -> Result<(), String> {
        let planted = self.plant_below(db, table, fills, &mut Vec::new());
        self.resolve(db.conn);
        planted
    }

    fn plant_below(
        &mut self,
        db: Database<'_>,
        name: &str,
        fills: &[Fill],
        above: &mut Vec<String>,
    ) -> Result<(), String> {
        let table = Table::read(db, name).map_err(|error| error.to_string())?;
        let Some(table) = table else { return Ok(()) };
        above.push(table.name.clone());
        let planted: Vec<_> = fills.iter().map(|fill| self.try_to_plant(db, &table, *fill, above)).collect();
        above.pop();
        planted.into_iter().next().unwrap_or(Ok(()))
    }

    fn try_to_plant(
        &mut self,
        db: Database<'_>,
        table: &Table,
        fill: Fill,
        above: &mut Vec<String>,
    ) -> Result<(), String> {
        let name = quote(&table.name);
        let written: Vec<usize> = (0..table.columns.len()).filter(|at| !table.columns[*at].generated).collect();
        let names: Vec<String> = written.iter().map(|at| quote(&table.columns[*at].name)).collect();
        let values: Vec<String> = (1..=written.len()).map(|at| format!("?{at}")).collect();
        let insert = format!("INSERT INTO {name} ({}) VALUES ({})", names.join(", "), values.join(", "));
        let first = |column: &Column| if may_be_null(column, fill) { 0 } else { self.first_rung(table, column) };
        let mut rungs: Vec<usize> = table.columns.iter().map(first).collect();
        let numbers: Vec<i64> = table.columns.iter().map(|_| self.next_number()).collect();
        let mut reason = String::new();
        // A column that is `NULL` where a check wants one of several to be.
        let mut null = None;
        for _ in 0..ATTEMPTS {
            let unresolved = self.unresolved.len();
            let mut row = self.refer(db, table, fill, above);
            for (at, column) in table.columns.iter().enumerate().filter(|(_, column)| !column.generated) {
                if row[at].is_none() {
                    let rung = ladder(numbers[at], column, &table.checks, fill).nth(rungs[at]);
                    row[at] = if null == Some(at) { Some(Rung::NULL) } else { rung };
                }
            }
            let values = written.iter().map(|at| row[*at].as_ref().map(|rung| &rung.value));
            let error = match db.conn.prepare_cached(&insert).and_then(|mut it| it.execute(params_from_iter(values))) {
                Ok(_) => {
                    let tokens = self.tokens.len();
                    self.tokens.extend(row.iter().flatten().filter_map(Rung::token));
                    if tokens == self.tokens.len() && table.keys.is_empty() {
                        self.indistinct.insert(table.name.clone());
                    }
                    self.changed.insert(table.name.clone());
                    if table.has_sequence {
                        db.conn.execute(ADVANCE, [&table.name]).map_err(|error| error.to_string())?;
                    }
                    return Ok(());
                }
                Err(error) => error.to_string(),
            };
            self.unresolved.truncate(unresolved);
            let culprits = table.named_in(&error);
            let mut goes_on = false;
            for at in culprits.iter().copied() {
                if let Some(key) = table.keys.iter().find(|key| key.from.contains(&at)) {
                    // The row that it refers to may be spoken for.
                    let is_free = above.len() < DEEPEST && !above.contains(&key.parent.to_lowercase());
                    goes_on |= is_free && self.plant_below(db, &key.parent, &[Fill::Full], above).is_ok();
                } else if ladder(numbers[at], &table.columns[at], &table.checks, fill).nth(rungs[at] + 1).is_some() {
                    rungs[at] += 1;
                    goes_on = true;
                }
            }
            reason = error;
            if !goes_on {
                let later = culprits.into_iter().filter(|at| null.is_none_or(|null| *at > null));
                null = later.filter(|at| may_be_null(&table.columns[*at], Fill::Sparse)).min();
                rungs = table.columns.iter().map(|column| self.first_rung(table, column)).collect();
                if null.is_none() {
                    break;
                }
            }
        }
        Err(reason)
    }

    /// The values of the columns that refer to other rows; those rows are made if there are none.
    fn refer(&mut self, db: Database<'_>, table: &Table, fill: Fill, above: &mut Vec<String>) -> Vec<Option<Rung>> {
        let mut row: Vec<Option<Rung>> = vec![None; table.columns.len()];
        for key in &table.keys {
            if key.from.iter().any(|at| row[*at].is_some()) {
                continue;
            }
            let is_optional = key.from.iter().all(|at| may_be_null(&table.columns[*at], Fill::Sparse));
            let is_open = above.contains(&key.parent.to_lowercase());
            let mut found = None;
            if !(is_optional && fill == Fill::Sparse) {
                let offset = usize::from(fill == Fill::Sparse);
                found = key.values(db.conn, offset);
                if found.is_none() && !is_open && above.len() < DEEPEST {
                    // If that does not work out, this row goes without one.
                    let _ = self.plant_below(db, &key.parent, &[Fill::Full, Fill::Sparse], above);
                    found = key.values(db.conn, offset);
                }
            }
            match found {
                Some(values) => {
                    for (at, value) in key.from.iter().zip(values) {
                        row[*at] = Some(Rung { value, is_token: false });
                    }
                }
                None if is_open && fill == Fill::Full => self.leave_open(table, key, &mut row),
                None if is_optional => {
                    key.from.iter().for_each(|at| row[*at] = Some(Rung::NULL));
                }
                None => {}
            }
        }
        row
    }

    /// Puts a value in the place of a key that can only be known when the row is there.
    fn leave_open(&mut self, table: &Table, key: &ForeignKey, row: &mut [Option<Rung>]) {
        let ([from], [to]) = (key.from.as_slice(), key.to.as_slice()) else { return };
        let Some(column) = table.columns.get(*from) else { return };
        let rung = ladder(self.next_number(), column, &table.checks, Fill::Full).next();
        let Some(placeholder) = rung.as_ref().map(|rung| rung.value.clone()) else { return };
        row[*from] = rung;
        let (name, column, to, parent) = (quote(&table.name), quote(&column.name), quote(to), quote(&key.parent));
        let update = format!(
            "UPDATE {name} SET {column} = (SELECT {to} FROM {parent} WHERE {to} IS NOT NULL ORDER BY 1 DESC LIMIT 1) \
             WHERE {column} IS ?1"
        );
        self.unresolved.push(Unresolved { table: table.name.clone(), column, placeholder, update });
    }

    fn next_number(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// Points the keys that were left open at rows.
    fn resolve(&mut self, conn: &Connection) {
        for Unresolved { table, column, placeholder, update } in std::mem::take(&mut self.unresolved) {
            if conn.execute(&update, [&placeholder]).is_err() {
                // A constraint stands against it; the row then refers to nothing, or is not there.
                let set_null = format!("UPDATE {} SET {column} = NULL WHERE {column} IS ?1", quote(&table));
                let delete = format!("DELETE FROM {} WHERE {column} IS ?1", quote(&table));
                let _ = conn.execute(&set_null, [&placeholder]).or_else(|_| conn.execute(&delete, [&placeholder]));
            }
        }
    }

    /// Gives the canaries of these tables other values in the columns that `message` names, or in all that may hold
    /// anything if it names none. Keys stay as they are.
    pub(crate) fn vary(&mut self, db: Database<'_>, tables: &BTreeSet<String>, message: &str, script: &str) {
        let mut said = words(message);
        said.extend(words_of_named(&checks(script), message));
        let tables: Vec<Table> = tables.iter().filter_map(|table| Table::read(db, table).ok().flatten()).collect();
        let is_said = |table: &Table, at: usize| said.contains(&table.columns[at].name.to_lowercase());
        let any_said = tables.iter().any(|table| table.free_columns().any(|at| is_said(table, at)));
        for table in &tables {
            for at in table.free_columns().filter(|at| !any_said || is_said(table, *at)) {
                // A column that cannot be changed stays as it is.
                let _ = self.vary_column(db.conn, table, at);
            }
        }
    }

    fn vary_column(&mut self, conn: &Connection, table: &Table, at: usize) -> Result<()> {
        let column = &table.columns[at];
        let rung = self.first_rung(table, column) + 1;
        let (name, quoted) = (quote(&table.name), quote(&column.name));
        let identity = table.identity(conn);
        let mut statement = conn.prepare(&format!("SELECT {}, {quoted}, * FROM {name}", identity.join(", ")))?;
        let width = statement.column_count();
        let rows = statement.query_map([], |row| (0..width).map(|at| row.get(at)).collect())?;
        let rows: Vec<Vec<Value>> = rows.collect::<Result<_>>()?;
        drop(statement);
        let conditions = identity.iter().enumerate().map(|(at, column)| format!("{column} IS ?{}", at + 2));
        let conditions: Vec<String> = conditions.collect();
        let update = format!("UPDATE {name} SET {quoted} = ?1 WHERE {}", conditions.join(" AND "));
        for row in rows {
            let (key, values) = row.split_at(identity.len());
            let texts: Vec<Option<String>> = values.iter().map(|value| text(value.into())).collect();
            if values.first() == Some(&Value::Null) || !self.is_canary(&table.name, &texts) {
                continue;
            }
            let rung = ladder(self.next_number(), column, &table.checks, Fill::Full).nth(rung);
            let Some(rung) = rung else { break };
            if conn.execute(&update, params_from_iter(std::iter::once(&rung.value).chain(key))).is_ok() {
                self.tokens.extend(rung.token());
                self.changed.insert(table.name.clone());
            }
        }
        self.passed_over.insert((table.name.clone(), column.name.clone()), rung);
        Ok(())
    }

    /// The place of the first value to try in a column.
    fn first_rung(&self, table: &Table, column: &Column) -> usize {
        let mut known = self.passed_over.iter();
        known.find(|((of, name), _)| *of == table.name && *name == column.name).map_or(0, |(_, rung)| *rung)
    }
}

/// Whether a table keeps the largest id that it has given out.
pub(crate) fn has_sequence(sql: &str) -> bool {
    says(sql, "autoincrement") && words(sql).contains("autoincrement")
}

/// Whether a word stands in a statement, perhaps in a comment.
fn says(sql: &str, word: &str) -> bool {
    sql.to_ascii_lowercase().contains(word)
}

impl Table {
    /// Reads what there is to know of a table; `None` if there is none of this name that rows can be put into.
    fn read(db: Database<'_>, name: &str) -> Result<Option<Self>> {
        let Some(sql) = db.schema.sql(name).filter(|sql| !sql.starts_with("CREATE VIRTUAL TABLE")) else {
            return Ok(None);
        };
        let columns = catalog::columns(db.conn, name)?;
        let keys = if says(sql, "references") { foreign_keys(db.conn, name, &columns)? } else { Vec::new() };
        let checks = if says(sql, "check") { checks(sql) } else { Vec::new() };
        let has_sequence = has_sequence(sql);
        Ok(Some(Self { name: name.to_lowercase(), columns, keys, checks, has_sequence }))
    }

    /// The columns that an error is about; if it names none, those that a check is about, or all.
    fn named_in(&self, message: &str) -> Vec<usize> {
        let mut said = words(message);
        said.extend(words_of_named(&self.checks, message));
        let having = |said: &BTreeSet<String>| -> Vec<usize> {
            (0..self.columns.len()).filter(|at| said.contains(&self.columns[*at].name.to_lowercase())).collect()
        };
        let named = having(&said);
        if !named.is_empty() {
            return named;
        }
        let checked = having(&self.checks.iter().flat_map(|check| &check.words).cloned().collect());
        if checked.is_empty() { (0..self.columns.len()).collect() } else { checked }
    }

    /// The columns whose values nothing else depends on.
    fn free_columns(&self) -> impl Iterator<Item = usize> {
        (0..self.columns.len()).filter(|at| {
            let column = &self.columns[*at];
            column.key == 0 && !column.generated && !self.keys.iter().any(|key| key.from.contains(at))
        })
    }

    /// The columns by which a row is found again.
    fn identity(&self, conn: &Connection) -> Vec<String> {
        if conn.prepare(&format!("SELECT _rowid_ FROM {}", quote(&self.name))).is_ok() {
            return vec!["_rowid_".to_owned()];
        }
        self.columns.iter().filter(|column| column.key > 0).map(|column| quote(&column.name)).collect()
    }
}

impl ForeignKey {
    /// The key of a row of the parent, the newest first.
    fn values(&self, conn: &Connection, offset: usize) -> Option<Vec<Value>> {
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

/// The foreign keys of a table, those of most columns first.
fn foreign_keys(conn: &Connection, table: &str, columns: &[Column]) -> Result<Vec<ForeignKey>> {
    const KEYS: &str = "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq";
    let mut keys: BTreeMap<i64, ForeignKey> = BTreeMap::new();
    let mut statement = conn.prepare_cached(KEYS)?;
    let mut rows = statement.query([table])?;
    while let Some(row) = rows.next()? {
        let (parent, from): (String, String) = (row.get(1)?, row.get(2)?);
        let key = keys.entry(row.get(0)?).or_insert(ForeignKey { parent, from: Vec::new(), to: Vec::new() });
        key.from.extend(columns.iter().position(|column| column.name.eq_ignore_ascii_case(&from)));
        key.to.extend(row.get::<_, Option<String>>(3)?);
    }
    let mut keys: Vec<_> = keys.into_values().collect();
    for key in &mut keys {
        if key.to.is_empty() {
            let mut primary = catalog::columns(conn, &key.parent)?;
            primary.retain(|column| column.key > 0);
            primary.sort_by_key(|column| column.key);
            key.to = primary.into_iter().map(|column| column.name).collect();
        }
    }
    keys.retain(|key| key.from.len() == key.to.len() && !key.to.is_empty());
    keys.sort_by_key(|key| std::cmp::Reverse(key.from.len()));
    Ok(keys)
}
