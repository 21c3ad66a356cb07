//! Makes rows up from what the catalog says of a table.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use molos_runtime::rusqlite::types::Value;
use molos_runtime::rusqlite::{Connection, Result, Row, params_from_iter};
use molos_runtime::sqlite::catalog::{Column, quote};
use molos_runtime::{Fact, Fingerprint};

use crate::check::lineage::Lineage;
use crate::check::shadow::{Fill, Variation};
use crate::sqlite::canaries::Database;
use crate::sqlite::canaries::candidates::{Candidate, candidates, may_be_null, named, text};
use crate::sqlite::canaries::constraints::{checks, words_of_named};
use crate::sqlite::canaries::search::{Choice, Choices, Chosen, Search};
use crate::sqlite::canaries::table::{Reference, TableToFill};
use crate::sqlite::words;

/// Plants canaries. Wherever a column takes it, a value is one that is nowhere else in the database, a token, by which a
/// row is known again whatever a migration does to it.
pub(crate) struct Planter {
    /// The number that the last value was made of.
    last: i64,
    tokens: HashSet<String>,
    /// Tables that take no token in any column, so that their rows look like those of a seed.
    indistinct: BTreeSet<String>,
    /// How many kinds of values to pass over in a column, because a migration did not take them.
    passed_over: BTreeMap<String, BTreeMap<String, usize>>,
    /// What came of the rows that were tried last, by table.
    tried: BTreeMap<(String, Fill), Tried>,
    /// Keys that refer to rows which were not there yet.
    unresolved: Vec<Unresolved>,
    /// The tables that got rows or other values.
    changed: BTreeSet<String>,
}

/// Leaves room below the next id of an `AUTOINCREMENT`, as when the newest rows were deleted.
const ADVANCE: &str = "UPDATE sqlite_sequence SET seq = seq + 100 WHERE name = ?1 COLLATE NOCASE";

/// What the numbers begin with, far from those that a seed would have.
const FIRST: i64 = 7_340_000;

/// How many bytes a token has at least.
const SHORTEST: usize = FIRST.ilog10() as usize + 1;

/// How far the value of a twin is from that of the row before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Apart {
    Same,
    /// A text that differs in case only.
    Case,
    /// A text that differs in a space at its end, too.
    Space,
    Other,
}

impl Apart {
    /// The next distance that there can be from a value.
    fn next(self, value: &Value, least: Self) -> Self {
        match (self, value) {
            (Self::Same, Value::Text(text)) if least == Self::Case && text.to_uppercase() != *text => Self::Case,
            (Self::Same | Self::Case, Value::Text(_)) => Self::Space,
            _ => Self::Other,
        }
    }
}

/// What came of a row that was tried, and what that depends on.
struct Tried {
    soil: Soil,
    /// The values that were taken, or why an empty table takes none.
    result: std::result::Result<Chosen, String>,
}

/// What decides which rows a table takes.
#[derive(Clone, PartialEq, Eq)]
struct Soil {
    /// What is said of it, and of the tables that it refers to.
    schema: Fingerprint,
    passed_over: BTreeMap<String, BTreeMap<String, usize>>,
}

struct Unresolved {
    table: String,
    column: String,
    placeholder: Value,
    update: String,
}

/// How often a row is tried with other values before it is given up.
const ATTEMPTS: usize = 600;
/// By how many bits columns that may be `NULL` are told apart.
const MOST_BITS: u32 = 3;
/// How many of the values that the schema names for a column are tried.
const MOST_NAMED: usize = 8;
/// How deep parents are made for parents.
const DEEPEST: usize = 16;

impl Default for Planter {
    fn default() -> Self {
        Self {
            last: FIRST,
            tokens: HashSet::new(),
            indistinct: BTreeSet::new(),
            passed_over: BTreeMap::new(),
            tried: BTreeMap::new(),
            unresolved: Vec::new(),
            changed: BTreeSet::new(),
        }
    }
}

impl Planter {
    /// The tables that got rows or other values since the last call.
    pub(super) fn take_changed(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.changed)
    }

    /// Forgets every row, and not what came of trying.
    pub(super) fn forget_rows(&mut self) {
        let tried = std::mem::take(&mut self.tried);
        *self = Self { tried, ..Self::default() };
    }

    /// Takes note of other names of tables and columns.
    pub(super) fn rename(&mut self, lineage: &Lineage) {
        let table = |name: &str| lineage.after(name).map(ToOwned::to_owned);
        self.indistinct = self.indistinct.iter().filter_map(|name| table(name)).collect();
        let passed_over = std::mem::take(&mut self.passed_over).into_iter();
        let renamed = passed_over.filter_map(|(of, columns)| {
            let of = table(&of)?;
            let column = |(name, count): (String, usize)| Some((lineage.column(&of, &name)?.to_owned(), count));
            let columns = columns.into_iter().filter_map(column).collect();
            Some((of, columns))
        });
        self.passed_over = renamed.collect();
    }

    /// Takes the rows of a table for made up, whatever is in them.
    pub(super) fn take_for_made_up(&mut self, table: &str) {
        self.indistinct.insert(table.to_owned());
    }

    /// Whether no row of this table has a token.
    pub(super) fn is_indistinct(&self, table: &str) -> bool {
        self.indistinct.contains(table)
    }

    /// The tokens that these values have in them, whole or as a part: a row with one was made up, or made from one that
    /// was.
    pub(super) fn marks(&self, row: &[Option<String>]) -> BTreeSet<String> {
        let mut marks = BTreeSet::new();
        for value in row.iter().flatten().filter(|value| value.len() >= SHORTEST) {
            if self.tokens.contains(value) {
                marks.insert(value.clone());
            }
            let numbers = value.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.trim_start_matches('0'));
            let numbers = numbers.filter_map(|digits| digits.parse().ok());
            marks.extend(
                numbers.filter(|number| (FIRST..=self.last).contains(number)).map(|number: i64| number.to_string()),
            );
        }
        marks
    }

    /// Adds a row to a table for each of `fills`. What the rows refer to is made, too.
    ///
    /// The error is why the first could not be made.
    pub(super) fn plant_in(&mut self, db: Database<'_>, table: &str, fills: &[Fill]) -> Result<(), String> {
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
        let table = TableToFill::read(db, name).map_err(|error| error.to_string())?;
        let Some(table) = table else { return Ok(()) };
        above.push(table.name.clone());
        let soil = self.soil(db, &table.name);
        let mut first = None;
        let mut rows: Vec<Vec<Value>> = Vec::new();
        for fill in fills {
            if *fill == Fill::Twin {
                if let Some(row) = rows.first() {
                    self.plant_twins(db, &table, row);
                }
                if let Some(row) = rows.get(1) {
                    self.plant_twin(db, &table, row.clone(), Apart::Case, None);
                }
                rows.extend(self.plant_halves(db, &table, &soil, above));
                continue;
            }
            let planted = self.plant_row(db, &table, *fill, &soil, above).map(|row| rows.push(row));
            first.get_or_insert(planted);
        }
        if !rows.is_empty() {
            self.plant_missing(db, &table, &rows, above);
            self.plant_named(db, &table, &rows);
        }
        above.pop();
        first.unwrap_or(Ok(()))
    }

    /// Adds a row. What takes none is not tried again, and what took one is given the like first.
    fn plant_row(
        &mut self,
        db: Database<'_>,
        table: &TableToFill,
        fill: Fill,
        soil: &Soil,
        above: &mut Vec<String>,
    ) -> Result<Vec<Value>, String> {
        let place = (table.name.clone(), fill);
        let known = self.tried.get(&place).filter(|tried| tried.soil == *soil).map(|tried| tried.result.clone());
        let mut search = known.transpose()?.map(Search::beginning_with).unwrap_or_default();
        let planted = self.try_to_plant(db, table, fill, &mut search, above);
        let result = match &planted {
            Ok(_) => Ok(search.into_chosen()),
            Err(reason) if above.len() == 1 && is_empty(db.conn, &table.name) => Err(reason.clone()),
            Err(_) => return planted,
        };
        self.tried.insert(place, Tried { soil: soil.clone(), result });
        planted
    }

    /// What decides now which rows a table takes.
    fn soil(&self, db: Database<'_>, table: &str) -> Soil {
        let schema = db.schema.schema();
        let mut tables = BTreeSet::from([table.to_owned()]);
        let mut unread = vec![table.to_owned()];
        while let Some(table) = unread.pop() {
            for fact in schema.table(&table).unwrap_or_default() {
                if let Fact::ForeignKey(key) = fact
                    && tables.insert(key.parent.to_ascii_lowercase())
                {
                    unread.push(key.parent.to_ascii_lowercase());
                }
            }
        }
        let passed_over = self.passed_over.iter().filter(|(of, _)| tables.contains(*of));
        Soil {
            schema: schema.fingerprint_of(|object| tables.contains(&object.table)),
            passed_over: passed_over.map(|(of, columns)| (of.clone(), columns.clone())).collect(),
        }
    }

    /// Adds rows in which some columns are `NULL` and others are not: for each two, one with the first alone.
    fn plant_halves(
        &mut self,
        db: Database<'_>,
        table: &TableToFill,
        soil: &Soil,
        above: &mut Vec<String>,
    ) -> Vec<Vec<Value>> {
        let optional = table.written().into_iter().filter(|at| may_be_null(&table.columns[*at], Fill::Sparse)).count();
        let bits = 0..optional.next_power_of_two().trailing_zeros().min(MOST_BITS);
        let halves = bits.flat_map(|bit| [true, false].map(|filled| Fill::Half { bit, filled }));
        // A check may want all or none.
        halves.filter_map(|half| self.plant_row(db, table, half, soil, above).ok()).collect()
    }

    /// Adds a row with a value in each column that is `NULL` in all of `rows` and in those before them, where there can be
    /// one.
    fn plant_missing(&mut self, db: Database<'_>, table: &TableToFill, rows: &[Vec<Value>], above: &mut Vec<String>) {
        for (place, at) in table.written().into_iter().enumerate() {
            let has_none = || !table.has(db.conn, at, "IS NOT", &Value::Null);
            if rows.iter().all(|row| row[place] == Value::Null) && has_none() {
                let _ = self.try_to_plant(db, table, Fill::Full, &mut Search::needing(at), above);
            }
        }
    }

    /// Adds a row with each value that the schema names for a column and that no row has, where there can be one.
    fn plant_named(&mut self, db: Database<'_>, table: &TableToFill, rows: &[Vec<Value>]) {
        for (place, at) in table.written().into_iter().enumerate().filter(|(_, at)| table.key_of(*at).is_none()) {
            for value in named(&table.columns[at], &table.checks).take(MOST_NAMED) {
                if rows.iter().all(|row| row[place] != value) && !table.has(db.conn, at, "IS", &value) {
                    let mut row = rows[0].clone();
                    row[place] = value;
                    self.plant_twin(db, table, row, Apart::Case, Some(place));
                }
            }
        }
    }

    /// Adds rows that differ from `row`, the values of the columns that are written, only where they have to: where
    /// several columns together keep rows apart, one for each of them that may be alike.
    fn plant_twins(&mut self, db: Database<'_>, table: &TableToFill, row: &[Value]) {
        let apart = self.plant_twin(db, table, row.to_vec(), Apart::Case, None);
        if apart.contains(&Apart::Case) {
            self.plant_twin(db, table, row.to_vec(), Apart::Space, None);
        }
        for kept in (0..apart.len()).filter(|place| apart[*place] != Apart::Same) {
            self.plant_twin(db, table, row.to_vec(), Apart::Case, Some(kept));
        }
    }

    /// Adds a row that differs from `row` only where it has to, and not in the column that is `kept`, if there can be one.
    /// Texts differ by no less than `least`. Returns how each value differs.
    fn plant_twin(
        &mut self,
        db: Database<'_>,
        table: &TableToFill,
        mut row: Vec<Value>,
        least: Apart,
        kept: Option<usize>,
    ) -> Vec<Apart> {
        let written = table.written();
        let insert = table.insert();
        let mut apart = vec![Apart::Same; written.len()];
        for _ in 0..ATTEMPTS {
            let error = match db.conn.prepare_cached(&insert).and_then(|mut it| it.execute(params_from_iter(&row))) {
                Ok(_) => {
                    self.changed.insert(table.name.clone());
                    return apart;
                }
                Err(error) => error.to_string(),
            };
            let named = table.named_in(&error);
            let places = (0..written.len()).filter(|place| Some(*place) != kept && named.contains(&written[*place]));
            // A key of another table's stays as it is as long as another column can differ.
            let refers = |place: &usize| table.key_of(written[*place]).is_some();
            let mut places: Vec<usize> = places.filter(|place| apart[*place] != Apart::Other).collect();
            places
                .sort_by_key(|place| (refers(place), apart[*place] == Apart::Same, table.columns[written[*place]].key));
            let Some(place) = places.first().copied() else { break };
            apart[place] = apart[place].next(&row[place], least);
            let other = match (apart[place], &row[place]) {
                (Apart::Case, Value::Text(text)) => Some(Value::Text(text.to_uppercase())),
                (Apart::Space, Value::Text(text)) => Some(Value::Text(format!("{text} "))),
                _ => self.another_value(db, table, written[place]),
            };
            let Some(other) = other else { break };
            row[place] = other;
        }
        Vec::new()
    }

    /// A value for a column that the newest row does not have.
    fn another_value(&mut self, db: Database<'_>, table: &TableToFill, at: usize) -> Option<Value> {
        if let Some(key) = table.key_of(at) {
            if let ([_], false) = (key.from.as_slice(), key.parent.eq_ignore_ascii_case(&table.name)) {
                // A table may have a row for each of its parents. If that does not work out, there is another, or none.
                let _ = self.plant_below(db, &key.parent, &[Fill::Full], &mut vec![table.name.clone()]);
                return key.unused(db.conn, table);
            }
            let nth = key.from.iter().position(|from| *from == at)?;
            return key.values(db.conn, 1)?.into_iter().nth(nth);
        }
        let column = &table.columns[at];
        let place = self.first_place(table, column);
        let number = self.next_number();
        let all = || candidates(number, column, &table.checks, Fill::Full).skip(place);
        let candidate = all().find(|candidate| candidate.token().is_some()).or_else(|| all().next())?;
        self.tokens.extend(candidate.token());
        Some(candidate.value)
    }

    /// Adds a row, and returns the values of the columns that are written.
    fn try_to_plant(
        &mut self,
        db: Database<'_>,
        table: &TableToFill,
        fill: Fill,
        search: &mut Search,
        above: &mut Vec<String>,
    ) -> Result<Vec<Value>, String> {
        let written = table.written();
        let numbers: Vec<i64> = table.columns.iter().map(|_| self.next_number()).collect();
        let fills = table.fills(fill);
        let mut insert = db.conn.prepare_cached(&table.insert()).map_err(|error| error.to_string())?;
        let mut own: BTreeMap<usize, Own<'_>> = BTreeMap::new();
        let mut unresolved = self.unresolved.len();
        let mut row = self.refer(db, table, &fills, search, above);
        let mut stale: BTreeSet<usize> = written.iter().copied().collect();
        for _ in 0..ATTEMPTS {
            for (place, at) in written.iter().enumerate().filter(|(_, at)| stale.contains(*at)) {
                if row[*at].is_none() {
                    let own = own.entry(*at).or_insert_with(|| self.own(table, *at, numbers[*at], fills[*at]));
                    row[*at] = choose(table, *at, own, search.choice(*at), &row);
                }
                // What was bound before stays.
                let value = row[*at].as_ref().map(|candidate| &candidate.value);
                insert.raw_bind_parameter(place + 1, value).map_err(|error| error.to_string())?;
            }
            let error = match insert.raw_execute() {
                Ok(_) => {
                    let tokens = self.tokens.len();
                    self.tokens.extend(row.iter().flatten().filter_map(Candidate::token));
                    if fill == Fill::Full && tokens == self.tokens.len() && table.keys.is_empty() {
                        self.indistinct.insert(table.name.clone());
                    }
                    self.changed.insert(table.name.clone());
                    if table.has_sequence {
                        db.conn.execute(ADVANCE, [&table.name]).map_err(|error| error.to_string())?;
                    }
                    let values = written.iter().map(|at| row[*at].take().map_or(Value::Null, |it| it.value));
                    return Ok(values.collect());
                }
                Err(error) => error.to_string(),
            };
            let choices = || choices(table, &error, &mut own, &fills, above);
            let Some(chosen) = search.go_on(&error, choices) else {
                self.unresolved.truncate(unresolved);
                return Err(error);
            };
            if chosen.iter().any(|(of, _)| table.key_of(*of).is_some()) {
                self.unresolved.truncate(unresolved);
                for (of, choice) in chosen {
                    if let (Choice::NewParent, Some(key)) = (choice, table.key_of(of)) {
                        // If that does not work out, the row refers to another.
                        let _ = self.plant_below(db, &key.parent, &[Fill::Full], above);
                    }
                }
                unresolved = self.unresolved.len();
                row = self.refer(db, table, &fills, search, above);
                stale = written.iter().copied().collect();
            } else {
                // What was taken from other columns may be theirs no more.
                let is_borrowed = |at: &usize| !table.checked_with(*at).is_empty() && table.key_of(*at).is_none();
                stale = chosen.iter().map(|(of, _)| *of).chain(written.iter().copied().filter(is_borrowed)).collect();
                for at in &stale {
                    row[*at] = None;
                }
            }
        }
        self.unresolved.truncate(unresolved);
        Err(format!("no row was found in {ATTEMPTS} attempts"))
    }

    /// The values to try in a column of a table.
    fn own<'t>(&self, table: &'t TableToFill, at: usize, number: i64, fill: Fill) -> Own<'t> {
        let column = &table.columns[at];
        let first = if may_be_null(column, fill) { 0 } else { self.first_place(table, column) };
        Own { made: Vec::new(), rest: Box::new(candidates(number, column, &table.checks, fill).skip(first)) }
    }

    /// The values of the columns that refer to other rows; those rows are made if there are none.
    fn refer(
        &mut self,
        db: Database<'_>,
        table: &TableToFill,
        fills: &[Fill],
        search: &Search,
        above: &mut Vec<String>,
    ) -> Vec<Option<Candidate>> {
        let mut row: Vec<Option<Candidate>> = vec![None; table.columns.len()];
        for key in &table.keys {
            if key.from.iter().any(|at| row[*at].is_some()) {
                continue;
            }
            let is_optional = key.from.iter().all(|at| may_be_null(&table.columns[*at], Fill::Sparse));
            let is_open = above.contains(&key.parent.to_ascii_lowercase());
            let fill = key.from.first().map_or(Fill::Full, |at| fills[*at]);
            let mut values = None;
            let choice = key.from.first().map_or(Choice::First, |of| search.choice(*of));
            if choice != Choice::Null && !(is_optional && fill == Fill::Sparse) {
                let offset = match choice {
                    Choice::NewParent => 0,
                    Choice::Nth(_) => usize::from(fill != Fill::Sparse),
                    _ => usize::from(fill == Fill::Sparse),
                };
                values = key.values(db.conn, offset);
                if values.is_none() && !is_open && above.len() < DEEPEST {
                    // If that does not work out, this row goes without one.
                    let _ = self.plant_below(db, &key.parent, &[Fill::Full, Fill::Sparse], above);
                    values = key.values(db.conn, offset);
                }
            }
            match values {
                Some(values) => {
                    for (at, value) in key.from.iter().zip(values) {
                        row[*at] = Some(Candidate { value, is_token: false });
                    }
                }
                None if is_open && fill == Fill::Full && choice != Choice::Null => {
                    self.leave_open(table, key, &mut row);
                }
                None if is_optional => {
                    key.from.iter().for_each(|at| row[*at] = Some(Candidate::NULL));
                }
                None => {}
            }
        }
        row
    }

    /// Puts a value in the place of a key that can only be known when the row is there.
    fn leave_open(&mut self, table: &TableToFill, key: &Reference, row: &mut [Option<Candidate>]) {
        let ([from], [to]) = (key.from.as_slice(), key.to.as_slice()) else { return };
        let Some(column) = table.columns.get(*from) else { return };
        let candidate = candidates(self.next_number(), column, &table.checks, Fill::Full).next();
        let Some(placeholder) = candidate.as_ref().map(|candidate| candidate.value.clone()) else { return };
        row[*from] = candidate;
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
    pub(super) fn vary_in(
        &mut self,
        db: Database<'_>,
        tables: &BTreeSet<String>,
        message: &str,
        script: &str,
        variation: Variation,
    ) {
        let mut said = words(message);
        said.extend(words_of_named(&checks(script), message));
        let tables: Vec<TableToFill> =
            tables.iter().filter_map(|table| TableToFill::read(db, table).ok().flatten()).collect();
        let is_said = |table: &TableToFill, at: usize| said.contains(&table.columns[at].name.to_ascii_lowercase());
        // A column that has to be unique may be filled from any other.
        let any_said = variation == Variation::OtherKind
            && tables.iter().any(|table| table.free_columns().any(|at| is_said(table, at)));
        for table in &tables {
            let identity = table.identity(db.conn);
            for at in table.free_columns().filter(|at| !any_said || is_said(table, *at)) {
                // A column that cannot be changed stays as it is.
                let _ = self.vary_column(db.conn, table, (at, &identity), variation);
            }
            if self.changed.contains(&table.name) && self.has_no_token(db.conn, &table.name).unwrap_or_default() {
                self.indistinct.insert(table.name.clone());
            }
        }
    }

    fn has_no_token(&self, conn: &Connection, table: &str) -> Result<bool> {
        let mut statement = conn.prepare(&format!("SELECT * FROM {}", quote(table)))?;
        let width = statement.column_count();
        let texts = |row: &Row<'_>| (0..width).map(|at| row.get_ref(at).map(text)).collect::<Result<Vec<_>>>();
        let rows = statement.query_map([], texts)?.collect::<Result<Vec<_>>>()?;
        Ok(rows.iter().all(|row| self.marks(row).is_empty()))
    }

    fn vary_column(
        &mut self,
        conn: &Connection,
        table: &TableToFill,
        (at, identity): (usize, &[String]),
        variation: Variation,
    ) -> Result<()> {
        let column = &table.columns[at];
        let place = self.first_place(table, column) + usize::from(variation == Variation::OtherKind);
        let (name, quoted) = (quote(&table.name), quote(&column.name));
        let mut statement = conn.prepare(&format!("SELECT {}, {quoted}, * FROM {name}", identity.join(", ")))?;
        let width = statement.column_count();
        let is_indistinct = self.is_indistinct(&table.name);
        let key_and_value = |row: &Row<'_>| {
            // The first value that tells is enough.
            let is_marked = |at: usize| row.get_ref(at).is_ok_and(|value| !self.marks(&[text(value)]).is_empty());
            let is_canary = is_indistinct || (identity.len()..width).any(is_marked);
            let values = (0..=identity.len()).map(|at| row.get(at)).collect::<Result<Vec<Value>>>()?;
            Ok(is_canary.then_some(values))
        };
        let rows: Vec<Option<Vec<Value>>> = statement.query_map([], key_and_value)?.collect::<Result<_>>()?;
        drop(statement);
        let conditions = identity.iter().enumerate().map(|(at, column)| format!("{column} IS ?{}", at + 2));
        let conditions: Vec<String> = conditions.collect();
        let update = format!("UPDATE {name} SET {quoted} = ?1 WHERE {}", conditions.join(" AND "));
        // Rows that are alike, but for case and white space, are so with other values, too.
        let mut seen: Vec<(Value, Value)> = Vec::new();
        let mut update = conn.prepare(&update)?;
        for row in rows.iter().flatten() {
            let [key @ .., current] = row.as_slice() else { continue };
            if *current == Value::Null {
                continue;
            }
            let mut put = |value: &Value| {
                let is_put = update.execute(params_from_iter(std::iter::once(value).chain(key))).is_ok();
                if is_put {
                    self.changed.insert(table.name.clone());
                }
                is_put
            };
            if seen.iter().find_map(|(old, new)| alike(old, new, current)).is_some_and(|value| put(&value)) {
                continue;
            }
            let candidate = candidates(self.last + 1, column, &table.checks, Fill::Full).nth(place);
            let Some(candidate) = candidate else { return Ok(()) };
            if put(&candidate.value) {
                self.tokens.extend(candidate.token());
                if variation == Variation::OtherKind {
                    seen.push((current.clone(), candidate.value));
                }
            }
            self.last += 1;
        }
        let passed_over = self.passed_over.entry(table.name.clone()).or_default();
        passed_over.insert(column.name.to_ascii_lowercase(), place);
        Ok(())
    }

    /// The place of the first candidate to try in a column.
    fn first_place(&self, table: &TableToFill, column: &Column) -> usize {
        let passed_over = self.passed_over.get(&table.name);
        passed_over.and_then(|columns| columns.get(&column.name.to_ascii_lowercase()).copied()).unwrap_or_default()
    }
}

/// The values to try in a column, made when they are asked for.
struct Own<'t> {
    made: Vec<Candidate>,
    rest: Box<dyn Iterator<Item = Candidate> + 't>,
}

impl Own<'_> {
    fn nth(&mut self, place: usize) -> Option<&Candidate> {
        let missing = (place + 1).saturating_sub(self.made.len());
        self.made.extend(self.rest.by_ref().take(missing));
        self.made.get(place)
    }

    fn count(&mut self) -> usize {
        self.made.extend(self.rest.by_ref());
        self.made.len()
    }
}

/// The value for a column of a row that has the values of the columns before it. Where there are not so many of its own,
/// it is one of theirs, which a check compares it with.
fn choose(
    table: &TableToFill,
    at: usize,
    own: &mut Own<'_>,
    choice: Choice,
    row: &[Option<Candidate>],
) -> Option<Candidate> {
    let place = match choice {
        Choice::Null => return Some(Candidate::NULL),
        Choice::Nth(place) => place,
        Choice::First | Choice::NewParent => 0,
    };
    if let Some(candidate) = own.nth(place) {
        return Some(candidate.clone());
    }
    let mut of_others = table.checked_with(at).iter().filter_map(|other| row[*other].clone());
    let other = of_others.nth(place - own.count())?;
    Some(Candidate { is_token: false, ..other })
}

/// What there is to choose from in the columns that an error is about.
fn choices(
    table: &TableToFill,
    error: &str,
    own: &mut BTreeMap<usize, Own<'_>>,
    fills: &[Fill],
    above: &[String],
) -> Vec<Choices> {
    let mut choices: Vec<Choices> = Vec::new();
    for at in table.named_in(error) {
        let (column, fill) = (&table.columns[at], fills[at]);
        let is_optional = |at: &usize| may_be_null(&table.columns[*at], Fill::Sparse);
        let choice = match table.key_of(at) {
            Some(key) => Choices {
                of: key.from[0],
                values: 2,
                may_be_null: fill == Fill::Full && key.from.iter().all(is_optional),
                may_be_new: above.len() < DEEPEST && !above.contains(&key.parent.to_ascii_lowercase()),
            },
            None if column.generated => continue,
            None => {
                let values = own.get_mut(&at).map_or(0, Own::count) + table.checked_with(at).len();
                Choices { of: at, values, may_be_null: fill == Fill::Full && is_optional(&at), may_be_new: false }
            }
        };
        if choices.iter().all(|known| known.of != choice.of) {
            choices.push(choice);
        }
    }
    choices
}

/// Whether a table has no rows.
fn is_empty(conn: &Connection, table: &str) -> bool {
    conn.prepare(&format!("SELECT 1 FROM {}", quote(table))).and_then(|mut rows| rows.exists([])).is_ok_and(|any| !any)
}

/// The value that is to `new` what `value` is to `old`, if the two are alike.
fn alike(old: &Value, new: &Value, value: &Value) -> Option<Value> {
    if old == value {
        return Some(new.clone());
    }
    let (Value::Text(old), Value::Text(new), Value::Text(value)) = (old, new, value) else { return None };
    let bare = |text: &str| text.trim().to_lowercase();
    let like = |text: &str| if *value == value.to_uppercase() { text.to_uppercase() } else { text.to_lowercase() };
    let space = if value.ends_with(' ') { " " } else { "" };
    (bare(old) == bare(value)).then(|| Value::Text(like(new.trim()) + space))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use molos_runtime::__private::sqlite::SchemaReader;
    use molos_runtime::rusqlite::functions::FunctionFlags;

    use super::*;

    const FILLS: &[Fill] = &[Fill::Full, Fill::Sparse, Fill::Twin];

    /// Runs this, and has rows planted in `child`, and in what it refers to. Returns why there are none, and how many
    /// numbers that has taken.
    fn plant(planter: &mut Planter, conn: &Connection, sql: &str) -> (Option<String>, i64) {
        conn.execute_batch(sql).expect("SQL");
        let schema = SchemaReader::read(conn).expect("the schema");
        let (db, before) = (Database { conn, schema: &schema }, planter.last);
        let reason = planter.plant_in(db, "child", FILLS).err();
        (reason, planter.last - before)
    }

    #[test]
    fn a_table_that_takes_no_row_is_tried_again_only_when_what_decides_it_has_changed() {
        let conn = Connection::open_in_memory().expect("a database");
        let mut planter = Planter::default();
        let parent = "CREATE TABLE parent (id INTEGER PRIMARY KEY, size INTEGER);";
        let child = "CREATE TABLE child (
            parent INTEGER REFERENCES parent (id), x TEXT NOT NULL, CONSTRAINT same CHECK (x || 'a' = 'b' || x)
        );";
        let (reason, tried) = plant(&mut planter, &conn, &format!("{parent} {child}"));
        assert!(reason.is_some() && tried > 0, "{reason:?}");
        assert_eq!(plant(&mut planter, &conn, ""), (reason.clone(), 0));
        planter.forget_rows();
        conn.execute_batch("DELETE FROM parent").expect("SQL");
        assert_eq!(plant(&mut planter, &conn, "CREATE TABLE other (x)").0, reason);
        assert_eq!(planter.last, FIRST, "nothing of it has changed");
        for change in ["ALTER TABLE parent ADD COLUMN name TEXT", "CREATE INDEX xs ON child (x)"] {
            let (again, tried) = plant(&mut planter, &conn, change);
            assert!(again == reason && tried > 0, "{change}");
        }
        let free = "DROP TABLE child; CREATE TABLE child (parent INTEGER REFERENCES parent (id), x TEXT NOT NULL);";
        assert_eq!(plant(&mut planter, &conn, free).0, None);
    }

    #[test]
    fn rows_like_those_of_before_are_made_with_fewer_attempts() {
        let conn = Connection::open_in_memory().expect("a database");
        let attempts = Arc::new(AtomicUsize::new(0));
        let counting = attempts.clone();
        conn.create_scalar_function("attempt", 1, FunctionFlags::SQLITE_INNOCUOUS, move |_| {
            Ok(counting.fetch_add(1, Ordering::Relaxed) < usize::MAX)
        })
        .expect("a function");
        let tables = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
            CREATE TABLE child (
                parent INTEGER NOT NULL UNIQUE REFERENCES parent (id),
                a TEXT CHECK (attempt(a)), b TEXT NOT NULL CHECK (b IN ('x', 'y')), c INTEGER CHECK (c BETWEEN 3 AND 4)
            );";
        let mut planter = Planter::default();
        let mut plant = |sql: &str| {
            assert_eq!(plant(&mut planter, &conn, sql).0, None);
            planter.forget_rows();
            let rows = conn.query_row("SELECT count(*) FROM child", [], |row| row.get::<_, i64>(0)).expect("a number");
            (rows, attempts.swap(0, Ordering::Relaxed))
        };
        let (first, again) = (plant(tables), plant("DELETE FROM child; DELETE FROM parent"));
        assert!(first.0 > 2 && again.0 == first.0 && again.1 < first.1, "{first:?} {again:?}");
    }

    #[test]
    fn a_table_that_took_rows_before_is_tried_again_when_they_are_gone() {
        let conn = Connection::open_in_memory().expect("a database");
        let mut planter = Planter::default();
        let only_two = "CREATE TABLE child (x TEXT NOT NULL UNIQUE CHECK (x IN ('a', 'b')));";
        assert_eq!(plant(&mut planter, &conn, only_two).0, None);
        assert!(plant(&mut planter, &conn, "").0.is_some(), "all values are there");
        assert_eq!(plant(&mut planter, &conn, "DELETE FROM child").0, None);
    }
}
