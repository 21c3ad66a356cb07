//! Migrations that are made up: what a file is to do, how that is written, and what becomes of the columns.

use std::collections::BTreeSet;

use molos_runtime::rusqlite::Connection;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::schema::{
    ACTIONS, CHECKS, COLLATIONS, Column, ColumnSeed, Id, Key, Object, STRICT_TYPES, Schema, TYPES, Table, TableSeed,
    column, column_name, quoted, table,
};

/// A file of migrations.
pub(super) struct File {
    pub(super) sql: String,
    pub(super) flow: Flow,
    /// What is there after it.
    pub(super) schema: Schema,
}

/// What a file says of rows that were there; all others stay as they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    /// Columns whose values become others.
    pub(super) changed: BTreeSet<Id>,
    /// Tables that lose rows, and columns that lose values, where the file names a value that they have.
    pub(super) by_value: BTreeSet<Id>,
    /// Whether it depends on the rows what they lose.
    pub(super) is_conditional: bool,
    /// How each line may fail on values that nobody can know.
    pub(super) risks: Vec<BTreeSet<Unprovable>>,
}

/// What depends on values that no schema hints at. The book's small print has a line for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unprovable {
    Check,
    Type,
    Value,
    Seed,
    Dangling,
    NullKey,
}

impl Unprovable {
    pub(super) const ALL: [Self; 6] = [Self::Check, Self::Type, Self::Value, Self::Seed, Self::Dangling, Self::NullKey];

    /// How the line in the book begins.
    pub(super) fn in_the_book(self) -> &'static str {
        match self {
            Self::Check => "A value that a `CHECK` refuses.",
            Self::Type => "A value of another type than its column declares.",
            Self::Value => "A value that the migration's own words depend on.",
            Self::Seed => "A row that the migration inserts, and the user has.",
            Self::Dangling => "A row that referred to nothing before.",
            Self::NullKey => "`NULL` in a `PRIMARY KEY`.",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Create(TableSeed),
    Drop(usize),
    RenameTable(usize, usize),
    RenameColumn(usize, usize, usize),
    AddColumn(usize, ColumnSeed),
    DropColumn(usize, usize),
    Index { table: usize, columns: (usize, usize), unique: bool, part: &'static str, condition: &'static str },
    View { table: usize, column: usize },
    Trigger { on: usize, other: usize, column: usize, text: &'static str },
    DropObject(usize),
    Rebuild(Rebuild),
    Update { table: usize, column: usize, other: usize, to: Expression, condition: Condition, or: &'static str },
    Delete { table: usize, column: usize, condition: Condition },
    Insert { table: usize, or: &'static str, values: Vec<usize>, count: usize, after_delete: bool },
    DeleteTwins { table: usize, columns: (usize, usize) },
}

/// An expression over a column, and whether what comes of it depends on its values.
type Expression = (&'static str, bool);
/// A condition on a column, and whether only its values tell whether a row fulfils it.
type Condition = (&'static str, bool);

#[derive(Clone, Debug)]
pub(super) struct Rebuild {
    table: usize,
    changes: Vec<Change>,
    copy: &'static str,
    condition: Option<(usize, Condition)>,
    forgets: bool,
    keeps_sequence: bool,
    moves_away: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Drop(usize),
    Add(ColumnSeed),
    Rename(usize, usize),
    Retype(usize, &'static str),
    NotNull(usize, bool),
    Unique(usize, usize),
    Check(&'static str, usize, usize),
    Collate(usize, &'static str),
    References(usize, usize, &'static str),
    Key(Key),
    Strict,
    WithoutRowid,
    /// Copies this expression in the place of the column.
    Lose(usize, &'static str),
    Swap(usize, usize),
}

const EXPRESSIONS: &[Expression] = &[
    ("lower({0})", false),
    ("trim({0})", false),
    ("{0} || ''", false),
    ("coalesce({0}, 'x')", false),
    ("NULL", false),
    ("'x'", false),
    ("upper({0})", false),
    ("nullif({0}, 'a')", true),
    ("{0} + 1", true),
    ("CAST({0} AS INTEGER)", true),
    ("abs({0})", true),
    ("{1}", true),
    ("json_extract({0}, '$.a')", true),
    ("substr({0}, 1, 1)", true),
];
const CONDITIONS: &[Condition] = &[
    ("", false),
    (" WHERE {0} IS NULL", false),
    (" WHERE {0} IS NOT NULL", false),
    (" WHERE length({0}) >= 0", false),
    (" WHERE {0} = 'a'", true),
    (" WHERE {0} > 1", true),
    (" WHERE {0} < 'b'", true),
];
const TRIGGERS: &[&str] = &[
    "AFTER UPDATE ON {0} BEGIN INSERT INTO {1} ({2}) VALUES ('x'); END",
    "AFTER DELETE ON {0} BEGIN DELETE FROM {1}; END",
    "AFTER DELETE ON {0} BEGIN DELETE FROM {1} WHERE {2} IS NULL; END",
    "AFTER INSERT ON {0} BEGIN UPDATE {1} SET {2} = {2} || 'x'; END",
    "AFTER UPDATE ON {0} BEGIN UPDATE {1} SET {2} = NULL; END",
    "BEFORE DELETE ON {0} BEGIN SELECT raise(IGNORE); END",
];
/// What a file inserts.
const SEEDS: &[&str] = &["'a'", "'x'", "'b'", "NULL", "1", "0", "2", "1.5", "'A'"];

impl Action {
    /// The statements, if there is something to do it to; `schema` and `flow` are what they lead to.
    fn write(&self, schema: &mut Schema, flow: &mut Flow, has_keys_on: bool) -> Option<Vec<(String, Risks)>> {
        let none = Risks::new();
        let one = |sql: String| Some(vec![(sql, Risks::new())]);
        match self {
            Self::Create(seed) => {
                let table = schema.new_table(seed);
                let sql = schema.create(&table)?;
                schema.tables.push(table);
                one(sql)
            }
            Self::Drop(at) => {
                let (id, name) = schema.pick(*at).map(|table| (table.id, quoted(&table.name)))?;
                schema.remove(id);
                one(format!("DROP TABLE {name}"))
            }
            Self::RenameTable(at, name) => {
                let (id, name) = (schema.pick(*at)?.id, schema.free_name(*name));
                let sql = format!("ALTER TABLE {} RENAME TO {}", schema.name_of(id)?, quoted(&name));
                schema.table_mut(id)?.name = name;
                one(sql)
            }
            Self::RenameColumn(at, column, name) => {
                let table = schema.pick(*at)?.clone();
                let (old, name) = (table.pick(*column), column_name(&table, *name));
                let (of, to) = (quoted(&table.name), quoted(&name));
                let sql = format!("ALTER TABLE {of} RENAME COLUMN {} TO {to}", quoted(&old.name));
                schema.table_mut(table.id)?.columns.iter_mut().find(|it| it.id == old.id)?.name = name;
                one(sql)
            }
            Self::AddColumn(at, seed) => {
                let mut table = schema.pick(*at)?.clone();
                let id = schema.add_column(&mut table, &ColumnSeed { check: None, ..seed.clone() });
                let column = schema.column(&table, table.column(id)?)?;
                let sql = format!("ALTER TABLE {} ADD COLUMN {column}", quoted(&table.name));
                // What a default refers to may be there, or not.
                let refers = seed.references.and(seed.default).map(|_| Unprovable::Value);
                let takes_null = matches!(table.key, Key::Columns(_)) && seed.generated.is_some();
                let risks = refers.into_iter().chain(takes_null.then_some(Unprovable::NullKey)).collect();
                let id = table.id;
                *schema.table_mut(id)? = table;
                Some(vec![(sql, risks)])
            }
            Self::DropColumn(at, column) => {
                let table = schema.pick(*at)?.clone();
                let column = table.pick(*column);
                schema.table_mut(table.id)?.columns.retain(|it| it.id != column.id);
                one(format!("ALTER TABLE {} DROP COLUMN {}", quoted(&table.name), quoted(&column.name)))
            }
            Self::Index { table, columns: (first, second), unique, part, condition } => {
                let table = schema.pick(*table)?;
                let (first, second) = (table.pick(*first).id, table.pick(*second).id);
                let other = if first == second { "" } else { ", {2}" };
                let object = Object {
                    kind: if *unique { "UNIQUE INDEX" } else { "INDEX" },
                    name: schema.free_name(4),
                    table: table.id,
                    names: vec![table.id, first, second],
                    text: format!(
                        "ON {{0}} ({}{other}){}",
                        part.replace("{0}", "{1}"),
                        condition.replace("{0}", "{1}")
                    ),
                };
                let is_by_value = *unique && (part.contains("substr") || condition.contains("'a'"));
                let is_text = [first, second].iter().all(|id| table.column(*id).is_some_and(is_text));
                let of_type = (*unique && !is_text).then_some(Unprovable::Type);
                let risks = is_by_value.then_some(Unprovable::Value).into_iter().chain(of_type).collect();
                add(schema, object, risks)
            }
            Self::View { table, column } => {
                let table = schema.pick(*table)?;
                let names = vec![table.id, table.pick(*column).id];
                let text = "AS SELECT {1} FROM {0}".to_owned();
                let object = Object { kind: "VIEW", name: schema.free_name(4), table: table.id, names, text };
                add(schema, object, none)
            }
            Self::Trigger { on, other, column, text } => {
                let (on, other) = (schema.pick(*on)?, schema.pick(*other)?);
                let names = vec![on.id, other.id, other.pick(*column).id];
                let name = schema.free_name(4);
                let object = Object { kind: "TRIGGER", name, table: on.id, names, text: (*text).to_owned() };
                add(schema, object, none)
            }
            Self::DropObject(at) => {
                let at = at.checked_rem(schema.objects.len())?;
                one(drop_of(&schema.objects.remove(at)))
            }
            Self::Rebuild(rebuild) => rebuild.write(schema, flow),
            Self::Update { table, column, other, to: (to, by_value), condition: (condition, picks), or } => {
                let table = schema.pick(*table)?.clone();
                let (column, other) = (table.pick(*column), table.pick(*other));
                let name = quoted(&column.name);
                let to = to.replace("{0}", &name).replace("{1}", &quoted(&other.name));
                let condition = condition.replace("{0}", &name);
                flow.changed.insert(column.id);
                flow.by_value.extend((*by_value || *picks).then_some(column.id));
                let is_by_value = *by_value || *picks || !is_text(column);
                flow.by_value.extend((*or == " OR REPLACE" && is_by_value).then_some(table.id));
                flow.fire(schema, column.id);
                flow.by_value.extend(flow.changed.iter().copied().filter(|_| *picks));
                let mut risks = risks_of_values(&table, column.id, *by_value || *picks);
                // A row is known by its key, where it has no other number.
                let is_its_own = table.key_columns().any(|key| key.id == column.id)
                    && table.columns.iter().any(|column| column.references.is_some());
                let is_of_key = column.references.is_some() || schema.is_referred_to(column.id) || is_its_own;
                risks.extend((has_keys_on || is_of_key).then_some(Unprovable::Dangling));
                Some(vec![(format!("UPDATE{or} {} SET {name} = {to}{condition}", quoted(&table.name)), risks)])
            }
            Self::Delete { table, column, condition: (condition, by_value) } => {
                let table = schema.pick(*table)?.clone();
                let column = table.pick(*column);
                let condition = condition.replace("{0}", &quoted(&column.name));
                let is_odd = |table: &Table| table.columns.iter().any(|column| schema.refers_oddly(column));
                let by_value = &(*by_value || schema.refers_oddly(column));
                if *by_value {
                    flow.by_value.insert(table.id);
                    let others = schema.tables.iter().map(|table| table.id);
                    flow.by_value.extend(others.filter(|_| has_keys_on || schema.fires()));
                }
                flow.fire(schema, table.id);
                let is_risky = *by_value || schema.tables.iter().any(is_odd);
                let risks = if is_risky { [Unprovable::Dangling].into() } else { none };
                Some(vec![(format!("DELETE FROM {}{condition}", quoted(&table.name)), risks)])
            }
            Self::Insert { table, or, values, count, after_delete } => {
                let table = schema.pick(*table)?.clone();
                let columns: Vec<String> = table.written().map(|column| quoted(&column.name)).collect();
                let row = |nth: usize| {
                    let seed = |at: usize| SEEDS[(values[at % values.len()] + nth) % SEEDS.len()];
                    let is_id = matches!(table.key, Key::Rowid | Key::Autoincrement);
                    let value = |at: usize| if at == 0 && is_id { "NULL" } else { seed(at) };
                    format!("({})", (0..columns.len()).map(value).collect::<Vec<_>>().join(", "))
                };
                let rows: Vec<String> = (0..*count).map(row).collect();
                let name = quoted(&table.name);
                let insert = format!("INSERT{or} INTO {name} ({}) VALUES {}", columns.join(", "), rows.join(", "));
                if *or == " OR REPLACE" && (!after_delete || schema.fires()) {
                    flow.by_value.insert(table.id);
                }
                flow.fire(schema, table.id);
                let delete = after_delete.then(|| (format!("DELETE FROM {name}"), Risks::new()));
                let is_risky = *or == " OR REPLACE" || schema.fires();
                let refers = table.columns.iter().any(|column| column.references.is_some());
                let risks = is_risky.then_some(Unprovable::Dangling).into_iter().chain([Unprovable::Seed]);
                let risks = risks.chain(refers.then_some(Unprovable::Value));
                Some(delete.into_iter().chain([(insert, risks.collect())]).collect())
            }
            Self::DeleteTwins { table, columns: (first, second) } => {
                let table = schema.pick(*table).filter(|table| !table.without_rowid)?.clone();
                let (first, second) = (table.pick(*first), table.pick(*second));
                // An expression over values of another type may make some alike.
                let is_odd =
                    |column: &Column| column.generated.is_some_and(|(_, of)| !table.column(of).is_some_and(is_text));
                flow.by_value.extend((is_odd(first) || is_odd(second)).then_some(table.id));
                flow.fire(schema, table.id);
                let (name, first, second) = (quoted(&table.name), quoted(&first.name), quoted(&second.name));
                let kept = format!("SELECT min(rowid) FROM {name} GROUP BY {first}, {second}");
                one(format!("DELETE FROM {name} WHERE rowid NOT IN ({kept})"))
            }
        }
    }
}

impl Action {
    /// Whether it depends on the rows what they lose.
    fn is_conditional(&self) -> bool {
        match self {
            Self::Rebuild(rebuild) => rebuild.condition.is_some() || rebuild.copy != "INSERT",
            Self::Update { condition: (condition, _), or, .. } => !condition.is_empty() || !or.is_empty(),
            Self::Delete { condition: (condition, _), .. } => !condition.is_empty(),
            Self::Insert { or, after_delete, .. } => !or.is_empty() || *after_delete,
            Self::DeleteTwins { .. } => true,
            _ => false,
        }
    }
}

type Risks = BTreeSet<Unprovable>;

fn add(schema: &mut Schema, object: Object, risks: Risks) -> Option<Vec<(String, Risks)>> {
    let sql = schema.create_object(&object)?;
    schema.objects.push(object);
    Some(vec![(sql, risks)])
}

fn drop_of(object: &Object) -> String {
    format!("DROP {} {}", object.kind.trim_start_matches("UNIQUE "), quoted(&object.name))
}

fn is_text(column: &Column) -> bool {
    column.declared.contains("TEXT")
}

/// How other values in a column can fail.
fn risks_of_values(table: &Table, column: Id, by_value: bool) -> Risks {
    let is_checked = table.checks.iter().any(|(_, columns)| columns.contains(&column));
    let check = is_checked.then_some(Unprovable::Check);
    let is_number = table.has_numbers() && table.columns[0].id == column;
    let of_type = (table.strict || is_number || !table.column(column).is_some_and(is_text)).then_some(Unprovable::Type);
    check.into_iter().chain(of_type).chain(by_value.then_some(Unprovable::Value)).collect()
}

impl Schema {
    fn is_referred_to(&self, column: Id) -> bool {
        let columns = self.tables.iter().flat_map(|table| &table.columns);
        columns.into_iter().any(|it| it.references.is_some_and(|(_, to, _)| to == column))
    }

    /// Whether a column refers to one of another type, so that values in it may refer to nothing whatever they are.
    fn refers_oddly(&self, column: &Column) -> bool {
        let declared = |to: Id| self.tables.iter().find_map(|table| table.column(to)).map(|column| column.declared);
        column.references.is_some_and(|(_, to, _)| declared(to) != Some(column.declared))
    }

    fn fires(&self) -> bool {
        self.objects.iter().any(|object| object.kind == "TRIGGER")
    }
}

impl Flow {
    /// What triggers and keys change when a statement changes rows of a table, or values of a column.
    fn fire(&mut self, schema: &Schema, changed: Id) {
        for trigger in schema.objects.iter().filter(|object| object.text.contains(" SET {2} = ")) {
            self.changed.insert(trigger.names[2]);
        }
        for column in schema.tables.iter().flat_map(|table| &table.columns) {
            let depends = |of: Id| self.changed.contains(&of) || of == changed;
            let cascades = column.references.is_some_and(|(_, to, action)| action.contains("UPDATE") && depends(to));
            if cascades || column.generated.is_some_and(|(_, of)| depends(of)) {
                self.changed.insert(column.id);
            }
        }
    }
}

impl Rebuild {
    fn write(&self, schema: &mut Schema, flow: &mut Flow) -> Option<Vec<(String, Risks)>> {
        let old = schema.pick(self.table)?.clone();
        let mut new = old.clone();
        new.name = schema.free_name(1);
        // What each column is copied from; nothing where it is new.
        let mut from: Vec<(Id, String)> = old.written().map(|column| (column.id, quoted(&column.name))).collect();
        let mut risks = Risks::new();
        let (mut condition, mut is_filtered) = (String::new(), false);
        for change in &self.changes {
            change.make(schema, &mut new, &mut from, &mut risks, flow)?;
        }
        if let Some((at, (text, by_value))) = self.condition {
            condition = text.replace("{0}", &quoted(&old.pick(at).name));
            is_filtered = by_value;
        }
        if new.columns.is_empty() {
            return None;
        }
        let is_other = |(id, from): &&(Id, String)| old.quoted(*id).as_ref() != Some(from);
        let is_checked = |(id, _): &(Id, String)| new.checks.iter().any(|(_, columns)| columns.contains(id));
        risks.extend(from.iter().filter(is_other).any(is_checked).then_some(Unprovable::Check));
        let is_number = new.has_numbers();
        let is_own = |(id, from): &(Id, String)| *id != new.columns[0].id || old.quoted(*id).as_ref() == Some(from);
        let from_others = is_number && (!old.has_numbers() || !from.iter().all(is_own));
        let takes_null = matches!(old.key, Key::Columns(_)) && !old.strict && !old.without_rowid;
        risks.extend(takes_null.then_some(Unprovable::NullKey));
        risks.extend(is_filtered.then_some(Unprovable::Value));
        let leaves_out = self.copy != "INSERT" || self.condition.is_some();
        let is_new_key = |change: &Change| matches!(change, Change::References(..));
        risks.extend((leaves_out && self.changes.iter().any(is_new_key)).then_some(Unprovable::Dangling));
        risks.extend((new.strict || from_others).then_some(Unprovable::Type));
        flow.by_value.extend(is_filtered.then_some(old.id));
        flow.fire(schema, old.id);
        let written: Vec<&(Id, String)> =
            from.iter().filter(|(id, _)| new.column(*id).is_some_and(|column| column.generated.is_none())).collect();
        let columns: Vec<String> = written.iter().map(|(id, _)| new.quoted(*id)).collect::<Option<_>>()?;
        let values: Vec<&str> = written.iter().map(|(_, from)| from.as_str()).collect();
        let (temporary, name) = (quoted(&new.name), quoted(&old.name));
        let (made, source) = if self.moves_away { (&name, &temporary) } else { (&temporary, &name) };
        let copy = format!(
            "{} INTO {made} ({}) SELECT {} FROM {source}{condition}",
            self.copy,
            columns.join(", "),
            values.join(", ")
        );
        let sequence = format!(
            "UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = '{0}') WHERE name = '{1}'",
            old.name, new.name
        );
        let moved = Table { name: old.name.clone(), ..new.clone() };
        let create = schema.create(if self.moves_away { &moved } else { &new })?;
        let rename = |one: &str, to: &str| format!("ALTER TABLE {one} RENAME TO {to}");
        let mut statements: Vec<String> = Vec::new();
        let refers = |object: &&Object| object.names.contains(&old.id);
        let outside: Vec<Object> = schema
            .objects
            .iter()
            .filter(refers)
            .filter(|it| it.table != old.id || it.kind == "VIEW")
            .cloned()
            .collect();
        let inside: Vec<Object> =
            schema.objects.iter().filter(|it| it.table == old.id && it.kind != "VIEW").cloned().collect();
        statements.extend(outside.iter().map(drop_of));
        if self.moves_away {
            statements.extend([rename(&name, &temporary), create, copy, format!("DROP TABLE {source}")]);
        } else {
            statements.extend([create, copy]);
            let has_sequence = new.key == Key::Autoincrement && old.key == Key::Autoincrement;
            statements.extend((self.keeps_sequence && has_sequence).then_some(sequence));
            statements.extend([format!("DROP TABLE {source}"), rename(&temporary, &name)]);
        }
        *schema.table_mut(old.id)? = moved;
        schema.objects.retain(|object| !object.names.contains(&old.id));
        for object in outside.into_iter().chain(inside.into_iter().filter(|_| !self.forgets)) {
            let Some(sql) = schema.create_object(&object) else { continue };
            statements.push(sql);
            schema.objects.push(object);
        }
        Some(statements.into_iter().map(|sql| (sql, risks.clone())).collect())
    }
}

impl Change {
    fn make(
        &self,
        schema: &mut Schema,
        new: &mut Table,
        from: &mut Vec<(Id, String)>,
        risks: &mut Risks,
        flow: &mut Flow,
    ) -> Option<()> {
        if new.columns.is_empty() {
            return None;
        }
        match self {
            Self::Drop(at) => {
                let id = new.pick(*at).id;
                if new.columns[0].id == id && new.has_numbers() {
                    new.key = Key::None;
                }
                new.columns.retain(|column| column.id != id);
                new.uniques.retain(|unique| !unique.contains(&id));
                new.checks.retain(|(_, columns)| !columns.contains(&id));
                if let Key::Columns(count) = new.key {
                    new.key = Key::Columns(count.min(new.columns.len()));
                }
            }
            Self::Add(seed) => {
                risks.extend(seed.check.map(|_| Unprovable::Check));
                schema.add_column(new, seed);
            }
            Self::Rename(at, name) => {
                let (id, name) = (new.pick(*at).id, column_name(new, *name));
                new.columns.iter_mut().find(|column| column.id == id)?.name = name;
            }
            Self::Retype(at, declared) => {
                let (id, is_known) = (new.pick(*at).id, !new.strict || STRICT_TYPES.contains(declared));
                let is_id = new.columns[0].id == id && new.has_numbers();
                // What a check says of a value depends on its type.
                let is_checked = new.checks.iter().any(|(_, columns)| columns.contains(&id));
                risks.extend(is_checked.then_some(Unprovable::Type));
                let is_key = new.column(id)?.references.is_some();
                risks.extend(is_key.then_some(Unprovable::Dangling));
                let column = new.columns.iter_mut().find(|column| column.id == id)?;
                column.declared = if is_known && !is_id { declared } else { column.declared };
            }
            Self::NotNull(at, coalesce) => {
                let id = new.pick(*at).id;
                new.columns.iter_mut().find(|column| column.id == id)?.not_null = true;
                let (_, from) = from.iter_mut().find(|(of, _)| *of == id)?;
                if *coalesce {
                    *from = format!("coalesce({from}, 'x')");
                    flow.changed.insert(id);
                    risks.extend(risks_of_values(new, id, false));
                }
            }
            Self::Unique(one, other) => {
                let mut unique = vec![new.pick(*one).id, new.pick(*other).id];
                unique.dedup();
                new.uniques.push(unique);
            }
            Self::Check(check, one, other) => {
                risks.insert(Unprovable::Check);
                new.checks.push((check, vec![new.pick(*one).id, new.pick(*other).id]));
            }
            Self::Collate(at, collation) => {
                let id = new.pick(*at).id;
                let column = new.columns.iter_mut().find(|column| column.id == id)?;
                risks.extend((!is_text(column)).then_some(Unprovable::Type));
                flow.by_value.extend((!is_text(column)).then_some(new.id));
                column.collation = Some(collation);
            }
            Self::References(at, parent, action) => {
                let (id, parent) = (new.pick(*at).id, schema.pick(*parent)?);
                let to = parent.referable()?;
                new.columns.iter_mut().find(|column| column.id == id)?.references = Some((parent.id, to, action));
            }
            Self::Key(key) => {
                let is_id = |key: &Key| matches!(key, Key::Rowid | Key::Autoincrement);
                if is_id(key) && !is_id(&new.key) {
                    return None;
                }
                new.key = match key {
                    Key::Columns(count) => Key::Columns((*count).min(new.columns.len())),
                    key => key.clone(),
                };
                new.without_rowid &= matches!(new.key, Key::Columns(_));
            }
            Self::Strict => {
                new.strict = true;
                let loose = new.columns.iter_mut().filter(|column| !STRICT_TYPES.contains(&column.declared));
                loose.for_each(|column| column.declared = "ANY");
            }
            Self::WithoutRowid => new.without_rowid = matches!(new.key, Key::Columns(_)),
            Self::Lose(at, with) => {
                // What is there afterwards is another column, though it has the same name.
                let (id, other) = (new.pick(*at).id, schema.next_id());
                new.forget(id, other);
                let place = from.iter_mut().find(|(of, _)| *of == id)?;
                *place = (other, (*with).to_owned());
            }
            Self::Swap(one, other) => {
                let (one, other) = (new.pick(*one).id, new.pick(*other).id);
                let at = |id: Id| from.iter().position(|(of, _)| *of == id);
                let (first, second) = (at(one)?, at(other)?);
                if first == second {
                    return None;
                }
                let values = (from[first].1.clone(), from[second].1.clone());
                for (place, id, value) in [(first, one, values.1), (second, other, values.0)] {
                    let fresh = schema.next_id();
                    new.forget(id, fresh);
                    from[place] = (fresh, value);
                }
            }
        }
        Some(())
    }
}

impl Table {
    /// Takes a column for another one from here on.
    fn forget(&mut self, id: Id, other: Id) {
        let of_checks = self.checks.iter_mut().flat_map(|(_, columns)| columns);
        for known in of_checks.chain(self.uniques.iter_mut().flatten()).filter(|known| **known == id) {
            *known = other;
        }
        for column in &mut self.columns {
            if column.id == id {
                column.id = other;
            }
            if let Some((_, of)) = column.generated.as_mut().filter(|(_, of)| *of == id) {
                *of = other;
            }
        }
    }
}

/// Files that SQLite takes on empty tables: what it does not take is left out.
pub(super) fn files(asked: &[(bool, Vec<Action>)]) -> Vec<File> {
    let conn = Connection::open_in_memory().expect("a database");
    conn.execute_batch("PRAGMA foreign_keys = OFF").expect("a pragma");
    let mut schema = Schema::default();
    let mut files = Vec::new();
    for (has_keys_on, actions) in asked {
        let mut flow = Flow::default();
        let mut sql = String::new();
        if *has_keys_on {
            sql += "-- molos: foreign-keys = on\n";
            flow.risks.push(Risks::new());
        }
        let before = sql.len();
        for action in actions {
            let (mut next, mut flow_after) = (schema.clone(), flow.clone());
            let Some(statements) = action.write(&mut next, &mut flow_after, *has_keys_on) else { continue };
            flow_after.is_conditional |= *has_keys_on || next.fires() || action.is_conditional();
            conn.execute_batch("SAVEPOINT action").expect("a savepoint");
            if statements.iter().all(|(sql, _)| conn.execute_batch(sql).is_ok()) {
                conn.execute_batch("RELEASE action").expect("the savepoint");
                (schema, flow) = (next, flow_after);
                for (statement, mut risks) in statements {
                    risks.extend(has_keys_on.then_some(Unprovable::Dangling));
                    sql += &format!("{statement};\n");
                    flow.risks.push(risks);
                }
            } else {
                conn.execute_batch("ROLLBACK TO action; RELEASE action").expect("the savepoint");
            }
        }
        if sql.len() > before {
            files.push(File { sql, flow, schema: schema.clone() });
        }
    }
    files
}

fn change() -> impl Strategy<Value = Change> {
    let at = || 0..4_usize;
    prop_oneof![
        at().prop_map(Change::Drop),
        column().prop_map(Change::Add),
        (at(), at()).prop_map(|(at, name)| Change::Rename(at, name)),
        (at(), select(TYPES)).prop_map(|(at, declared)| Change::Retype(at, declared)),
        (at(), any::<bool>()).prop_map(|(at, coalesce)| Change::NotNull(at, coalesce)),
        (at(), at()).prop_map(|(one, other)| Change::Unique(one, other)),
        (select(CHECKS), at(), at()).prop_map(|(check, one, other)| Change::Check(check, one, other)),
        (at(), select(COLLATIONS)).prop_map(|(at, collation)| Change::Collate(at, collation)),
        (at(), at(), select(ACTIONS)).prop_map(|(at, parent, action)| Change::References(at, parent, action)),
        select(&[Key::None, Key::Autoincrement, Key::Rowid, Key::Columns(1), Key::Columns(2)][..])
            .prop_map(Change::Key),
        Just(Change::Strict),
        Just(Change::WithoutRowid),
        (at(), select(&["NULL", "''", "'x'", "1"][..])).prop_map(|(at, with)| Change::Lose(at, with)),
        (at(), at()).prop_map(|(one, other)| Change::Swap(one, other)),
    ]
}

fn rebuild() -> impl Strategy<Value = Rebuild> {
    let copies = &["INSERT", "INSERT", "INSERT OR IGNORE", "INSERT OR REPLACE"][..];
    let condition = proptest::option::weighted(0.1, (0..4_usize, select(&CONDITIONS[1..])));
    let rest = (proptest::bool::weighted(0.1), any::<bool>(), proptest::bool::weighted(0.15));
    (0..3_usize, vec(change(), 0..3), select(copies), condition, rest).prop_map(
        |(table, changes, copy, condition, (forgets, keeps_sequence, moves_away))| Rebuild {
            table,
            changes,
            copy,
            condition,
            forgets,
            keeps_sequence,
            moves_away,
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let at = || 0..4_usize;
    let parts = &["{0}", "{0} COLLATE NOCASE", "lower({0})", "{0} DESC", "substr({0}, 1, 1)"][..];
    let conflicts = &["", "", " OR IGNORE", " OR REPLACE"][..];
    prop_oneof![
        2 => table().prop_map(Action::Create),
        1 => at().prop_map(Action::Drop),
        1 => (at(), at()).prop_map(|(at, name)| Action::RenameTable(at, name)),
        1 => (at(), at(), at()).prop_map(|(at, column, name)| Action::RenameColumn(at, column, name)),
        2 => (at(), column()).prop_map(|(at, column)| Action::AddColumn(at, column)),
        1 => (at(), at()).prop_map(|(at, column)| Action::DropColumn(at, column)),
        2 => (at(), (at(), at()), any::<bool>(), select(parts), select(&CONDITIONS[..5])).prop_map(
            |(table, columns, unique, part, (condition, _))| Action::Index { table, columns, unique, part, condition }
        ),
        1 => (at(), at()).prop_map(|(table, column)| Action::View { table, column }),
        1 => (at(), at(), at(), select(TRIGGERS))
            .prop_map(|(on, other, column, text)| Action::Trigger { on, other, column, text }),
        1 => at().prop_map(Action::DropObject),
        6 => rebuild().prop_map(Action::Rebuild),
        3 => (at(), at(), at(), select(EXPRESSIONS), select(CONDITIONS), select(conflicts)).prop_map(
            |(table, column, other, to, condition, or)| Action::Update { table, column, other, to, condition, or }
        ),
        1 => (at(), at(), select(CONDITIONS))
            .prop_map(|(table, column, condition)| Action::Delete { table, column, condition }),
        2 => (at(), select(conflicts), vec(0..SEEDS.len(), 1..4), 1..4_usize, any::<bool>()).prop_map(
            |(table, or, values, count, after_delete)| Action::Insert { table, or, values, count, after_delete }
        ),
        1 => (at(), (at(), at())).prop_map(|(table, columns)| Action::DeleteTwins { table, columns }),
    ]
}

/// The first file makes tables, the others do anything.
pub(super) fn asked() -> impl Strategy<Value = Vec<(bool, Vec<Action>)>> {
    let first = vec(table().prop_map(Action::Create), 1..4);
    let keys = proptest::bool::weighted(0.1);
    (first, vec((keys, vec(action(), 1..3)), 1..4))
        .prop_map(|(first, others)| std::iter::once((false, first)).chain(others).collect())
}
