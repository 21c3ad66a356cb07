//! Makes rows up from what the catalog says of a table.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use molos_runtime::rusqlite::types::Value;
use molos_runtime::rusqlite::{Connection, Result, Row, params_from_iter};
use molos_runtime::sqlite::catalog::{Column, quote};

use crate::check::lineage::Lineage;
use crate::check::shadow::{Fill, Variation};
use crate::sqlite::canaries::Database;
use crate::sqlite::canaries::candidates::{Candidate, candidates, may_be_null, text};
use crate::sqlite::canaries::constraints::{checks, words_of_named};
use crate::sqlite::canaries::search::{Choice, Choices, Search};
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
    passed_over: BTreeMap<(String, String), usize>,
    /// Keys that refer to rows which were not there yet.
    unresolved: Vec<Unresolved>,
    /// The tables that got rows or other values.
    changed: BTreeSet<String>,
}

/// Leaves room below the next id of an `AUTOINCREMENT`, as when the newest rows were deleted.
const ADVANCE: &str = "UPDATE sqlite_sequence SET seq = seq + 100 WHERE name = ?1 COLLATE NOCASE";

/// What the numbers begin with, far from those that a seed would have.
const FIRST: i64 = 7_340_000;

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
/// How deep parents are made for parents.
const DEEPEST: usize = 16;

impl Default for Planter {
    fn default() -> Self {
        Self {
            last: FIRST,
            tokens: HashSet::new(),
            indistinct: BTreeSet::new(),
            passed_over: BTreeMap::new(),
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

    /// Takes note of other names of tables and columns.
    pub(super) fn rename(&mut self, lineage: &Lineage) {
        let table = |name: &str| lineage.after(name).map(ToOwned::to_owned);
        self.indistinct = self.indistinct.iter().filter_map(|name| table(name)).collect();
        let passed_over = std::mem::take(&mut self.passed_over).into_iter();
        let renamed = passed_over.filter_map(|((of, column), count)| {
            let of = table(&of)?;
            let column = lineage.column(&of, &column.to_ascii_lowercase())?.to_owned();
            Some(((of, column), count))
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
        for value in row.iter().flatten() {
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
                rows.extend(self.plant_halves(db, &table, above));
                continue;
            }
            let planted = self.try_to_plant(db, &table, *fill, None, above).map(|row| rows.push(row));
            first.get_or_insert(planted);
        }
        if !rows.is_empty() {
            self.plant_missing(db, &table, &rows, above);
        }
        above.pop();
        first.unwrap_or(Ok(()))
    }

    /// Adds rows in which some columns are `NULL` and others are not: for each two, one with the first alone.
    fn plant_halves(&mut self, db: Database<'_>, table: &TableToFill, above: &mut Vec<String>) -> Vec<Vec<Value>> {
        let optional = table.written().into_iter().filter(|at| may_be_null(&table.columns[*at], Fill::Sparse)).count();
        let bits = 0..optional.next_power_of_two().trailing_zeros().min(MOST_BITS);
        let halves = bits.flat_map(|bit| [true, false].map(|filled| Fill::Half { bit, filled }));
        // A check may want all or none.
        halves.filter_map(|half| self.try_to_plant(db, table, half, None, above).ok()).collect()
    }

    /// Adds a row with a value in each column that has none in all of `rows`, where there can be one.
    fn plant_missing(&mut self, db: Database<'_>, table: &TableToFill, rows: &[Vec<Value>], above: &mut Vec<String>) {
        for (place, at) in table.written().into_iter().enumerate() {
            if rows.iter().all(|row| row[place] == Value::Null) {
                let _ = self.try_to_plant(db, table, Fill::Full, Some(at), above);
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
            let error = match db.conn.execute(&insert, params_from_iter(&row)) {
                Ok(_) => {
                    self.changed.insert(table.name.clone());
                    return apart;
                }
                Err(error) => error.to_string(),
            };
            let named = table.named_in(&error);
            let places = (0..written.len()).filter(|place| Some(*place) != kept && named.contains(&written[*place]));
            // A key of another table's stays as it is as long as another column can differ.
            let refers = |place: &usize| table.keys.iter().any(|key| key.from.contains(&written[*place]));
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
        if let Some(key) = table.keys.iter().find(|key| key.from.contains(&at)) {
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

    /// Adds a row, and returns the values of the columns that are written. Where one is `needed`, it is not `NULL`.
    fn try_to_plant(
        &mut self,
        db: Database<'_>,
        table: &TableToFill,
        fill: Fill,
        needed: Option<usize>,
        above: &mut Vec<String>,
    ) -> Result<Vec<Value>, String> {
        let written = table.written();
        let insert = table.insert();
        let numbers: Vec<i64> = table.columns.iter().map(|_| self.next_number()).collect();
        let fills = table.fills(fill);
        let mut search = Search::default();
        for _ in 0..ATTEMPTS {
            let unresolved = self.unresolved.len();
            let mut row = self.refer(db, table, &fills, &search, above);
            for (at, column) in table.columns.iter().enumerate().filter(|(_, column)| !column.generated) {
                if row[at].is_none() {
                    row[at] = self.choose(table, column, (numbers[at], fills[at]), search.choice(at), &row);
                }
            }
            let values = written.iter().map(|at| row[*at].as_ref().map_or(Value::Null, |it| it.value.clone()));
            let values: Vec<Value> = values.collect();
            let error = match db.conn.prepare_cached(&insert).and_then(|mut it| it.execute(params_from_iter(&values))) {
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
                    return Ok(values);
                }
                Err(error) => error.to_string(),
            };
            self.unresolved.truncate(unresolved);
            let choices = || {
                let mut all = self.choices(table, &error, &numbers, &fills, above);
                all.iter_mut().filter(|it| Some(it.of) == needed).for_each(|it| it.may_be_null = false);
                all
            };
            let Some(chosen) = search.go_on(&error, choices) else { return Err(error) };
            for (of, choice) in chosen {
                if let (Choice::NewParent, Some(key)) = (choice, table.key_of(of)) {
                    // If that does not work out, the row refers to another.
                    let _ = self.plant_below(db, &key.parent, &[Fill::Full], above);
                }
            }
        }
        Err(format!("no row was found in {ATTEMPTS} attempts"))
    }

    /// What there is to choose from in the columns that an error is about.
    fn choices(
        &self,
        table: &TableToFill,
        error: &str,
        numbers: &[i64],
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
                    let all = candidates(numbers[at], column, &table.checks, fill).count();
                    let first = if may_be_null(column, fill) { 0 } else { self.first_place(table, column) };
                    let values = all.saturating_sub(first) + table.checked_with(at).len();
                    Choices { of: at, values, may_be_null: fill == Fill::Full && is_optional(&at), may_be_new: false }
                }
            };
            if choices.iter().all(|known| known.of != choice.of) {
                choices.push(choice);
            }
        }
        choices
    }

    /// The value for a column of a row that has the values of the columns before it. Where it has no other, it is one of
    /// theirs, which a check compares it with.
    fn choose(
        &self,
        table: &TableToFill,
        column: &Column,
        (number, fill): (i64, Fill),
        choice: Choice,
        row: &[Option<Candidate>],
    ) -> Option<Candidate> {
        let place = match choice {
            Choice::Null => return Some(Candidate::NULL),
            Choice::Nth(place) => place,
            Choice::First | Choice::NewParent => 0,
        };
        let first = if may_be_null(column, fill) { 0 } else { self.first_place(table, column) };
        let own = candidates(number, column, &table.checks, fill).skip(first);
        let of_others = table.columns.iter().position(|it| it.name == column.name).into_iter();
        let of_others = of_others.flat_map(|at| table.checked_with(at)).filter_map(|at| row[at].clone());
        own.chain(of_others.map(|other| Candidate { is_token: false, ..other })).nth(place)
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
            for at in table.free_columns().filter(|at| !any_said || is_said(table, *at)) {
                // A column that cannot be changed stays as it is.
                let _ = self.vary_column(db.conn, table, at, variation);
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

    fn vary_column(&mut self, conn: &Connection, table: &TableToFill, at: usize, variation: Variation) -> Result<()> {
        let column = &table.columns[at];
        let place = self.first_place(table, column) + usize::from(variation == Variation::OtherKind);
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
        // Rows that are alike, but for case and white space, are so with other values, too.
        let mut seen: Vec<(Value, Value)> = Vec::new();
        for row in rows {
            let (key, values) = row.split_at(identity.len());
            let texts: Vec<Option<String>> = values.iter().map(|value| text(value.into())).collect();
            let is_canary = self.is_indistinct(&table.name) || !self.marks(&texts).is_empty();
            if values.first() == Some(&Value::Null) || !is_canary {
                continue;
            }
            let mut put = |value: &Value| {
                let is_put = conn.execute(&update, params_from_iter(std::iter::once(value).chain(key))).is_ok();
                if is_put {
                    self.changed.insert(table.name.clone());
                }
                is_put
            };
            if seen.iter().find_map(|(old, new)| alike(old, new, &values[0])).is_some_and(|value| put(&value)) {
                continue;
            }
            let candidate = candidates(self.last + 1, column, &table.checks, Fill::Full).nth(place);
            let Some(candidate) = candidate else { return Ok(()) };
            if put(&candidate.value) {
                self.tokens.extend(candidate.token());
                if variation == Variation::OtherKind {
                    seen.push((values[0].clone(), candidate.value));
                }
            }
            self.last += 1;
        }
        self.passed_over.insert((table.name.clone(), column.name.clone()), place);
        Ok(())
    }

    /// The place of the first candidate to try in a column.
    fn first_place(&self, table: &TableToFill, column: &Column) -> usize {
        let mut known = self.passed_over.iter();
        known
            .find(|((of, name), _)| *of == table.name && name.eq_ignore_ascii_case(&column.name))
            .map_or(0, |(_, place)| *place)
    }
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
