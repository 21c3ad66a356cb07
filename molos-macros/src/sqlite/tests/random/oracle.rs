//! What has to be true of a case: whatever the macro says of it, a user's database does as it says.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;

use molos_runtime::__private::layout::FileNames;
use molos_runtime::__private::{Embedded, Entry};
use molos_runtime::rusqlite::types::Value;
use molos_runtime::rusqlite::{Connection, ffi};
use molos_runtime::{Error, ErrorKind, Loss, Migrations, Migrator, Schema};

use super::rows::{self, RowSeed, Rows};
use super::schema::{Column, Id, Schema as Described, Table};
use super::steps::{Action, File, Flow, Unprovable, files};
use crate::check::{Checked, LossesOfMigration};
use crate::lint::finding::{DATA_LOSS, DROP_COLUMN, DROP_TABLE, FAILS_ON_ROWS, NARROW_TYPE};
use crate::read::source::Source;
use crate::sqlite::tests::checked;
use crate::write::migrations::{lines, table_lines};

/// Files, and the rows that a user had when so many of them were applied.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) asked: Vec<(bool, Vec<Action>)>,
    pub(super) applied: usize,
    pub(super) rows: Vec<RowSeed>,
}

/// What a case was like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    /// The files do not compile, whatever they allow.
    Refused,
    /// The macro says that it could not try them all.
    Untried,
    /// It was migrated, and nothing had to be allowed.
    Clean,
    /// It was migrated with something allowed.
    Allowed,
    /// A step failed as the macro had said.
    FailedAsTold,
    /// A step on the way leaves a key that cannot be enforced.
    Unenforceable,
    /// A step failed for a reason in the small print.
    Unprovable(Unprovable),
}

/// Tries a case. What is wrong is said after the files, line by line.
pub(super) fn judge(case: &Case) -> Result<Seen, String> {
    let files = files(&case.asked);
    let told = |problem: String| {
        let sql = files.iter().map(|file| file.sql.as_str()).collect::<Vec<_>>().join("---\n");
        format!("{problem}\n{sql}")
    };
    let Some(applied) = (case.applied % files.len().max(1)).checked_add(1).filter(|at| *at <= files.len()) else {
        return Ok(Seen::Refused);
    };
    let scripts: Vec<&str> = files.iter().map(|file| file.sql.as_str()).collect();
    let (input, source, checked) = checked("", &scripts);
    if !checked.errors.is_empty() || !source.errors.is_empty() {
        if std::env::var_os("MOLOS_RANDOM_SHOW").is_some() {
            let errors: Vec<String> = checked.errors.iter().map(crate::diagnostic::Diagnostic::render).collect();
            eprintln!("{}", told(format!("refused: {}", errors.join("\n"))));
        }
        return Ok(Seen::Refused);
    }
    if !checked.measured.unproven.is_empty() {
        if std::env::var_os("MOLOS_RANDOM_SHOW").is_some() {
            let reasons: Vec<&str> = checked.measured.unproven.iter().map(|it| it.reason.as_str()).collect();
            eprintln!("{}", told(format!("untried: {}", reasons.join("\n"))));
        }
        return Ok(Seen::Untried);
    }
    let (text, entries) = embedded(&source, &checked, false);
    let (whole_text, whole_entries) = embedded(&source, &checked, true);
    let migrations = |text, entries| {
        Migrations::embedded(Embedded {
            set: &input.set,
            directory: "migrations",
            text,
            entries,
            after: &[],
            table_prefix: "",
            hooks: &[],
            store_down: None,
            checked_on: 0,
            order: source.order,
            files: FileNames::Layout,
            manifest_dir: None,
        })
    };
    let (migrations, whole) = (migrations(&text, &entries), migrations(&whole_text, &whole_entries));
    let trial =
        Trial { files: &files, checked: &checked, migrations: &migrations, whole: &whole, applied, rows: &case.rows };
    trial.run().map_err(told)
}

/// What the macro would write into a program; `is_whole` if every foreign key is looked at after each file.
fn embedded(source: &Source, checked: &Checked, is_whole: bool) -> (String, Vec<Entry>) {
    let mut text = String::new();
    let length = |text: &str| u32::try_from(text.len()).expect("a short text");
    let entry = |file: &crate::read::file::MigrationFile| {
        let none = LossesOfMigration::default();
        let losses = &checked.measured.losses.get(&file.version).unwrap_or(&none).up;
        let losses = lines(losses);
        let (path, sql) = (&file.up.path, file.up.sql());
        let start = length(&text);
        let touched = if is_whole { None } else { checked.measured.touched.get(&file.version) };
        let touched = touched.map(table_lines);
        text += &format!("{path}{sql}{losses}{}", touched.as_deref().unwrap_or_default());
        let place = |at: usize| u16::try_from(at).expect("a short name");
        Entry {
            version: file.version,
            checksum: *file.checksum.as_bytes(),
            fingerprint: *checked.measured.fingerprints[&file.version].as_bytes(),
            start,
            path: place(path.len()),
            name: (place(file.name.start), place(file.name.len())),
            up: length(sql),
            down: 0,
            irreversible: None,
            up_losses: length(&losses),
            down_losses: 0,
            touched: touched.as_deref().map(length),
            down_path: 0,
            up_line: file.up.line(),
            down_line: 1,
            up_keys: file.up.directives.foreign_keys.unwrap_or_default(),
            down_keys: molos_runtime::ForeignKeys::Off,
            up_no_transaction: false,
            down_no_transaction: false,
            up_blanked: &[],
        }
    };
    let entries = source.migrations.iter().map(entry).collect();
    (text, entries)
}

struct Trial<'t> {
    files: &'t [File],
    checked: &'t Checked,
    migrations: &'t Migrations<'t>,
    /// The same, with every foreign key looked at after each file.
    whole: &'t Migrations<'t>,
    /// How many files are applied when the rows come.
    applied: usize,
    rows: &'t [RowSeed],
}

/// Tables whose rows are gone, and columns whose values are.
type Losses = BTreeSet<(Id, Option<Id>)>;

/// What a file took from the rows of a user.
#[derive(Default)]
struct Taken {
    /// What has to be said.
    surely: Losses,
    /// What may be said: it is in another column, or in a row that cannot be made up.
    perhaps: Losses,
}

impl Trial<'_> {
    fn run(&self) -> Result<Seen, String> {
        let (Some(mut stepwise), Some(mut jump)) = (self.user()?, self.user()?) else { return Ok(Seen::Unenforceable) };
        let mut failed = None;
        for at in self.applied..self.files.len() {
            if let Some(seen) = self.step(&mut stepwise, at)? {
                failed = Some((version(at), seen));
                break;
            }
        }
        let before = dump(&jump)?;
        let jumped = self.whole.migrate(&mut jump);
        match (failed, jumped) {
            (None, Ok(_)) => {
                self.compare(&stepwise, &mut jump)?;
                let is_clean = self.checked.findings.is_empty();
                Ok(if is_clean { Seen::Clean } else { Seen::Allowed })
            }
            (Some((version, seen)), Err(error)) => {
                let later = error.step().filter(|step| step.version > version).map(|step| step.version);
                // Keys are looked at when the last step has run.
                let later = later.and_then(|version| usize::try_from(version - 1).ok());
                let is_explained = later.is_some_and(|at| self.explain(&error, at).is_ok());
                if error.step().is_some_and(|step| step.version != version) && !is_explained {
                    return Err(format!("fails at {version} step by step, and otherwise in a jump: {}", all(&error)));
                }
                same("after a jump that failed", &before, &dump(&jump)?)?;
                Ok(seen)
            }
            (None, Err(error)) => Err(format!("fails in a jump only: {}", all(&error))),
            // Keys are looked at when a transaction ends: a later step may have removed what refers to nothing.
            (Some((_, seen)), Ok(_)) => Ok(seen),
        }
    }

    /// A database of a user, with the rows; none where the files so far are not a whole program's.
    fn user(&self) -> Result<Option<Connection>, String> {
        let mut conn = Connection::open_in_memory().map_err(|error| error.to_string())?;
        let applied = Migrator::new(self.migrations).up_to(version(self.applied - 1)).migrate(&mut conn);
        if let Err(error) = applied {
            let is_unenforceable = is_unenforceable(&error);
            return if is_unenforceable { Ok(None) } else { Err(format!("fails without rows: {}", all(&error))) };
        }
        rows::insert(&conn, &self.files[self.applied - 1].schema, self.rows).map_err(|error| error.to_string())?;
        Ok(Some(conn))
    }

    /// Applies a file, and compares the rows with what was said of it.
    fn step(&self, conn: &mut Connection, at: usize) -> Result<Option<Seen>, String> {
        let (file, before) = (&self.files[at], &self.files[at - 1].schema);
        let migrator = Migrator::new(self.migrations).up_to(version(at));
        let plan = migrator.plan(conn).map_err(|error| format!("cannot be planned: {}", all(&error)))?;
        let image = dump(conn)?;
        let rows_before = rows::read(conn, before).map_err(|error| error.to_string())?;
        if let Err(error) = migrator.migrate(conn) {
            same("after a step that failed", &image, &dump(conn)?)?;
            return self.explain(&error, at).map(Some);
        }
        let rows_after = rows::read(conn, &file.schema).map_err(|error| format!("cannot be read: {error}"))?;
        let taken = taken((before, &rows_before), (file, &rows_after));
        self.compare_losses(&taken, plan.losses(), at)?;
        Ok(None)
    }

    /// Why a step may fail.
    fn explain(&self, error: &Error, at: usize) -> Result<Seen, String> {
        let is_told = self.checked.findings.iter().any(|it| it.version == version(at) && it.lint == FAILS_ON_ROWS);
        if is_told {
            return Ok(Seen::FailedAsTold);
        }
        let risks = &self.files[at].flow.risks;
        let reason = match error.kind() {
            ErrorKind::Statement { .. } => {
                let line = error.location().and_then(|location| risks.get(location.line.checked_sub(1)?));
                let of_kind = reasons(error);
                // What other rows are left decides what comes after.
                if !self.files[at].flow.by_value.is_empty() && of_kind.contains(&Unprovable::Value) {
                    return Ok(Seen::Unprovable(Unprovable::Value));
                }
                line.and_then(|risks| of_kind.iter().find(|reason| risks.contains(reason)))
            }
            // It may be one that a later file makes enforceable.
            _ if is_unenforceable(error) => return Ok(Seen::Unenforceable),
            ErrorKind::ForeignKeys { .. } => risks
                .iter()
                .flatten()
                .find(|risk| matches!(risk, Unprovable::Dangling | Unprovable::Value | Unprovable::NullKey)),
            // A deferred key is looked at when the transaction ends.
            _ if reasons(error) == [Unprovable::Dangling] => {
                risks.iter().flatten().find(|risk| **risk == Unprovable::Dangling)
            }
            _ => None,
        };
        let seen = reason.map(|reason| Seen::Unprovable(*reason));
        seen.ok_or_else(|| format!("{} fails, and that was not said: {}", version(at), all(error)))
    }

    /// What is gone was said, by the macro and by the plan; and what the plan says is gone.
    fn compare_losses(&self, taken: &Taken, planned: &[Loss], at: usize) -> Result<(), String> {
        let (before, file) = (&self.files[at - 1].schema, &self.files[at]);
        if self.checked.findings.iter().any(|it| it.version == version(at) && it.lint == FAILS_ON_ROWS) {
            return Ok(());
        }
        let findings = self.checked.findings.iter().filter(|it| it.version == version(at));
        let of_loss = findings.filter(|it| [DATA_LOSS, DROP_COLUMN, DROP_TABLE, NARROW_TYPE].contains(&it.lint));
        // A column that the file has renamed before is taken under its new name.
        let said: BTreeSet<String> = of_loss
            .flat_map(|it| {
                let taken = it.takes.clone().map(|(table, column)| match column {
                    Some(column) => format!("{table}.{column}"),
                    None => table,
                });
                taken.into_iter().chain([it.subject.clone()]).map(|name| name.to_lowercase())
            })
            .collect();
        let narrowed = self.checked.findings.iter().any(|it| it.version == version(at) && it.lint == NARROW_TYPE);
        let name_of = |loss: &Loss| match &loss.column {
            Some(column) => format!("{}.{column}", loss.table).to_lowercase(),
            None => loss.table.to_lowercase(),
        };
        let planned: BTreeSet<String> = planned.iter().map(name_of).collect();
        let names = |(table, column): &(Id, Option<Id>)| {
            let schemas = [before, &file.schema];
            let tables: Vec<&Table> = schemas.iter().filter_map(|schema| schema.table(*table)).collect();
            let columns = tables.iter().filter_map(|table| table.column((*column)?));
            let columns: Vec<String> = columns.map(|column| column.name.to_lowercase()).collect();
            let of = |table: &&Table| {
                let name = table.name.to_lowercase();
                columns.iter().map(|column| format!("{name}.{column}")).chain([name.clone()]).collect::<Vec<_>>()
            };
            tables.iter().flat_map(of).collect::<Vec<_>>()
        };
        for loss in &taken.surely {
            let names = names(loss);
            if !names.iter().any(|name| said.contains(name)) {
                return Err(format!("{} takes {names:?}, and that was not said: {said:?}", version(at)));
            }
            if !narrowed && !names.iter().any(|name| planned.contains(name)) {
                return Err(format!("{} takes {names:?}, and the plan says {planned:?}", version(at)));
            }
        }
        if file.flow.is_conditional {
            return Ok(());
        }
        let taken: BTreeSet<String> = taken.surely.union(&taken.perhaps).flat_map(names).collect();
        let is_taken =
            |name: &&String| taken.contains(name.split('.').next().unwrap_or_default()) || taken.contains(*name);
        match planned.iter().find(|name| !is_taken(name)) {
            Some(name) => Err(format!("the plan for {} says that {name} is lost, and it is not", version(at))),
            None => Ok(()),
        }
    }

    /// Three ways lead to one schema and one history, and two to the same rows.
    fn compare(&self, stepwise: &Connection, jump: &mut Connection) -> Result<(), String> {
        let schema = |conn: &Connection| Schema::read(conn).map_err(|error| error.to_string());
        same("after a jump, compared with step by step", &dump(stepwise)?, &dump(jump)?)?;
        let mut new = Connection::open_in_memory().map_err(|error| error.to_string())?;
        self.migrations.migrate(&mut new).map_err(|error| format!("fails on a new database: {}", all(&error)))?;
        let (of_new, of_user) = (schema(&new)?, schema(jump)?);
        if of_new != of_user {
            return Err(format!("another schema than a new one: {:?}", of_user.differences(&of_new)));
        }
        let history = |conn: &Connection| -> Result<Vec<String>, String> {
            Ok(dump(conn)?.into_iter().filter(|line| line.starts_with("_molos_migrations")).collect())
        };
        same("the history, compared with a new one", &history(&new)?, &history(jump)?)?;
        match Migrator::new(self.migrations).verify(jump) {
            // Rows that referred to nothing before do so afterwards.
            Err(error)
                if matches!(error.kind(), ErrorKind::ForeignKeys { .. })
                    && self.user()?.is_some_and(|conn| rows::dangle(&conn)) =>
            {
                Ok(())
            }
            verified => verified.map_err(|error| format!("is not as the macro found it: {}", all(&error))),
        }
    }
}

/// Whether the schema has a key that cannot be enforced, which a later file may make one that can.
fn is_unenforceable(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ForeignKeys { violations, .. } if violations.iter().all(|it| it.parent.is_empty()))
}

fn version(at: usize) -> i64 {
    i64::try_from(at).map_or(0, |at| at + 1)
}

fn dump(conn: &Connection) -> Result<Vec<String>, String> {
    rows::dump(conn).map_err(|error| error.to_string())
}

fn same(when: &str, one: &[String], other: &[String]) -> Result<(), String> {
    if one == other {
        return Ok(());
    }
    let only = |these: &[String], those: &[String]| these.iter().filter(|it| !those.contains(it)).cloned().collect();
    let (gone, new): (Vec<String>, Vec<String>) = (only(one, other), only(other, one));
    Err(format!("differs {when}: {gone:#?} {new:#?}"))
}

fn all(error: &Error) -> String {
    format!("{error:#} {:?}", error.kind())
}

/// What in the small print may make a statement fail so.
fn reasons(error: &Error) -> &'static [Unprovable] {
    use Unprovable::{Check, Dangling, NullKey, Seed, Type, Value};
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<molos_runtime::rusqlite::Error>() {
            return match error.sqlite_error().map(|error| error.extended_code) {
                Some(ffi::SQLITE_CONSTRAINT_CHECK) => &[Check, Seed, Type],
                Some(ffi::SQLITE_CONSTRAINT_DATATYPE | ffi::SQLITE_MISMATCH) => &[Type],
                Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => &[Seed, Value, Type],
                Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => &[Dangling],
                Some(ffi::SQLITE_CONSTRAINT_NOTNULL) => &[Value, NullKey],
                Some(ffi::SQLITE_ERROR) => &[Value],
                _ => &[],
            };
        }
        source = error.source();
    }
    &[]
}

/// A value as it reads, whatever type a column makes of it.
fn read(value: &Value) -> String {
    match value {
        Value::Text(text) => match text.parse() {
            Ok(number) if text.contains('.') => read(&Value::Real(number)),
            _ => text.clone(),
        },
        Value::Integer(number) => number.to_string(),
        #[expect(clippy::cast_possible_truncation, reason = "it is as large as an integer, or printed as it is")]
        Value::Real(number) if number.fract() == 0.0 && number.abs() < 1e18 => (*number as i64).to_string(),
        Value::Real(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// What is not there any more after a file, and not because the file names its value.
fn taken((before, rows): (&Described, &BTreeMap<Id, Rows>), (file, after): (&File, &BTreeMap<Id, Rows>)) -> Taken {
    let mut taken = Taken::default();
    for table in &before.tables {
        let all = &rows[&table.id];
        let (Some(now), Some(new)) = (after.get(&table.id), file.schema.table(table.id)) else {
            taken.surely.extend((!all.is_empty()).then_some((table.id, None)));
            continue;
        };
        if file.flow.by_value.contains(&table.id) {
            taken.perhaps.insert((table.id, None));
            continue;
        }
        taken.perhaps.extend(taken_from(table, all, (new, now), &file.flow).0);
        // Made-up rows have no `NULL` in a key.
        let has_key = |row: &&BTreeMap<Id, Value>| table.key_columns().all(|column| row[&column.id] != Value::Null);
        let (gone, moved) = taken_from(table, &all.iter().filter(has_key).cloned().collect(), (new, now), &file.flow);
        taken.surely.extend(gone);
        taken.perhaps.extend(moved);
    }
    taken
}

/// What is gone from a table, and what is in another column of it.
fn taken_from(table: &Table, old: &Rows, (new, now): (&Table, &Rows), flow: &Flow) -> (Losses, Losses) {
    let (mut gone, mut moved) = (Losses::new(), Losses::new());
    if now.len() < old.len() {
        gone.insert((table.id, None));
    }
    let mut whole = Vec::new();
    for column in table.written() {
        let id = column.id;
        let (had, has) = (values_of(old, id), values_of(now, id));
        if flow.by_value.contains(&id) {
            moved.insert((table.id, Some(id)));
            continue;
        }
        let is_lost = if new.column(id).is_none() {
            !had.is_empty()
        } else if flow.changed.contains(&id) {
            !had.is_empty() && has.is_empty()
        } else {
            whole.extend(old.iter().all(|row| row[&id] != Value::Null).then_some(id));
            !is_within(&had, &has)
        };
        let is_overwritten = |other: Id| values_of(old, other) != values_of(now, other);
        // A column of numbers makes numbers of texts, and rounds them.
        let as_numbers = |values: &BTreeMap<String, usize>| {
            let mut counts = BTreeMap::new();
            for (value, count) in values {
                let number = value.parse().map_or_else(|_| value.clone(), |it: f64| it.to_string());
                *counts.entry(number).or_default() += count;
            }
            counts
        };
        let is_moved = |now: &BTreeMap<String, usize>| is_within(&as_numbers(&had), &as_numbers(now));
        let is_in = |other: &Column| other.id != id && is_overwritten(other.id) && is_moved(&values_of(now, other.id));
        let into = if is_lost && new.written().any(is_in) { &mut moved } else { &mut gone };
        into.extend(is_lost.then_some((table.id, Some(id))));
    }
    let rows = |rows: &Rows| {
        let text = |row: &BTreeMap<Id, Value>| whole.iter().map(|id| row.get(id).map(read)).collect::<Vec<_>>();
        let mut counts = BTreeMap::new();
        for row in rows {
            *counts.entry(text(row)).or_insert(0_usize) += 1;
        }
        counts
    };
    gone.extend((gone.is_empty() && !is_within(&rows(old), &rows(now))).then_some((table.id, None)));
    (gone, moved)
}

/// How often each value is in a column.
fn values_of(rows: &Rows, id: Id) -> BTreeMap<String, usize> {
    counted(rows.iter().map(|row| row.get(&id).filter(|it| **it != Value::Null)))
}

fn counted<'v>(values: impl Iterator<Item = Option<&'v Value>>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    values.flatten().for_each(|value| *counts.entry(read(value)).or_insert(0) += 1);
    counts
}

fn is_within<K: Ord>(few: &BTreeMap<K, usize>, all: &BTreeMap<K, usize>) -> bool {
    few.iter().all(|(value, count)| all.get(value).is_some_and(|there| there >= count))
}
