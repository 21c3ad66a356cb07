//! Schemas that are made up: what there is, with a number for each table and column by which it is known whatever it is
//! called, and how it is written.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

/// What a table or a column is known by.
pub(super) type Id = u32;

#[derive(Clone, Debug, Default)]
pub(super) struct Schema {
    pub(super) tables: Vec<Table>,
    pub(super) objects: Vec<Object>,
    last: Id,
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) key: Key,
    pub(super) uniques: Vec<Vec<Id>>,
    pub(super) checks: Vec<(&'static str, Vec<Id>)>,
    pub(super) strict: bool,
    pub(super) without_rowid: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) declared: &'static str,
    pub(super) not_null: bool,
    pub(super) default: Option<&'static str>,
    pub(super) collation: Option<&'static str>,
    /// An expression over another column.
    pub(super) generated: Option<(&'static str, Id)>,
    /// A table, a column of it, and what follows.
    pub(super) references: Option<(Id, Id, &'static str)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    None,
    Rowid,
    Autoincrement,
    /// So many of the first columns.
    Columns(usize),
}

/// An index, a trigger or a view.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) table: Id,
    /// Tables and columns that `text` has marks for: `{0}`, `{1}`.
    pub(super) names: Vec<Id>,
    pub(super) text: String,
}

/// A table as it is asked for; what does not fit is passed over.
#[derive(Clone, Debug)]
pub(super) struct TableSeed {
    pub(super) name: usize,
    pub(super) key: Key,
    pub(super) columns: Vec<ColumnSeed>,
    pub(super) unique: Option<(usize, usize)>,
    pub(super) check: Option<(&'static str, usize, usize)>,
    pub(super) strict: bool,
    pub(super) without_rowid: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ColumnSeed {
    pub(super) name: usize,
    pub(super) declared: &'static str,
    pub(super) not_null: bool,
    pub(super) default: Option<&'static str>,
    pub(super) collation: Option<&'static str>,
    pub(super) check: Option<&'static str>,
    pub(super) generated: Option<&'static str>,
    pub(super) references: Option<(usize, &'static str)>,
}

const TABLES: &[&str] = &["t", "u", "Notes", "Äpfel", "group", "list items"];
const COLUMNS: &[&str] = &["a", "b", "c", "Name", "Öl", "naïve", "order", "x y", "q\"s"];
pub(super) const TYPES: &[&str] =
    &["TEXT", "INTEGER", "REAL", "BLOB", "", "NUMERIC", "VARCHAR(9)", "BOOLEAN", "datetime"];
pub(super) const STRICT_TYPES: &[&str] = &["TEXT", "INTEGER", "REAL", "BLOB", "ANY"];
const DEFAULTS: &[&str] = &["''", "'x'", "0", "1.5", "NULL", "CURRENT_TIMESTAMP", "(1 + 1)", "(lower('X'))"];
pub(super) const COLLATIONS: &[&str] = &["NOCASE", "RTRIM", "BINARY"];
pub(super) const CHECKS: &[&str] = &[
    "{0} <> 'no'",
    "length({0}) < 30",
    "{0} IN ('a', 'b', 'x')",
    "{0} >= 0",
    "typeof({0}) <> 'blob'",
    "{0} IS NOT NULL OR {1} IS NOT NULL",
    "{0} <> {1}",
];
const GENERATED: &[&str] = &["({0} || 'x') VIRTUAL", "(lower({0})) STORED", "(length({0})) VIRTUAL", "({0}) STORED"];
pub(super) const ACTIONS: &[&str] =
    &["", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON UPDATE CASCADE", " DEFERRABLE INITIALLY DEFERRED"];

impl Schema {
    pub(super) fn next_id(&mut self) -> Id {
        self.last += 1;
        self.last
    }

    pub(super) fn table(&self, id: Id) -> Option<&Table> {
        self.tables.iter().find(|table| table.id == id)
    }

    /// The table that a number asks for.
    pub(super) fn pick(&self, at: usize) -> Option<&Table> {
        (!self.tables.is_empty()).then(|| &self.tables[at % self.tables.len()])
    }

    pub(super) fn table_mut(&mut self, id: Id) -> Option<&mut Table> {
        self.tables.iter_mut().find(|table| table.id == id)
    }

    /// What a table or a column is called, in quotes.
    pub(super) fn name_of(&self, id: Id) -> Option<String> {
        let of_table = |table: &Table| if table.id == id { Some(quoted(&table.name)) } else { table.quoted(id) };
        self.tables.iter().find_map(of_table)
    }

    /// The text with names in the place of its marks, if all of them are there.
    fn filled(&self, text: &str, names: &[Id]) -> Option<String> {
        names
            .iter()
            .enumerate()
            .try_fold(text.to_owned(), |text, (at, id)| Some(text.replace(&format!("{{{at}}}"), &self.name_of(*id)?)))
    }

    /// A name for a table, index, trigger or view that nothing has yet.
    pub(super) fn free_name(&self, at: usize) -> String {
        let tables = self.tables.iter().map(|table| &table.name);
        free(TABLES[at % TABLES.len()], tables.chain(self.objects.iter().map(|object| &object.name)))
    }

    pub(super) fn new_table(&mut self, seed: &TableSeed) -> Table {
        let (id, name) = (self.next_id(), self.free_name(seed.name));
        let mut table = Table {
            id,
            name,
            columns: Vec::new(),
            key: seed.key.clone(),
            uniques: Vec::new(),
            checks: Vec::new(),
            strict: seed.strict,
            without_rowid: seed.without_rowid && matches!(seed.key, Key::Columns(_)),
        };
        if matches!(seed.key, Key::Rowid | Key::Autoincrement) {
            let column = Column { name: "id".to_owned(), ..Column::new(self.next_id(), "INTEGER") };
            table.columns.push(column);
        }
        for column in &seed.columns {
            self.add_column(&mut table, column);
        }
        if let Key::Columns(count) = table.key {
            table.key = Key::Columns(count.min(table.columns.len()));
        }
        let id_at = |at: usize| table.columns[at % table.columns.len()].id;
        if let Some((one, other)) = seed.unique {
            let mut columns = vec![id_at(one), id_at(other)];
            columns.dedup();
            table.uniques.push(columns);
        }
        if let Some((check, one, other)) = seed.check {
            table.checks.push((check, vec![id_at(one), id_at(other)]));
        }
        table
    }

    pub(super) fn add_column(&mut self, table: &mut Table, seed: &ColumnSeed) -> Id {
        let id = self.next_id();
        let declared = if table.strict && !STRICT_TYPES.contains(&seed.declared) { "ANY" } else { seed.declared };
        let other = table.columns.iter().find(|column| column.generated.is_none()).map(|column| column.id);
        let references = seed.references.and_then(|(at, action)| {
            let parent = if at == 0 { Some(&*table) } else { self.pick(at - 1) }?;
            Some((parent.id, parent.referable()?, action))
        });
        let generated = seed.generated.zip(other);
        let column = Column {
            name: free(COLUMNS[seed.name % COLUMNS.len()], table.columns.iter().map(|column| &column.name)),
            not_null: seed.not_null,
            default: seed.default.filter(|_| generated.is_none()),
            collation: seed.collation,
            generated,
            references: references.filter(|_| generated.is_none()),
            ..Column::new(id, declared)
        };
        table.columns.push(column);
        if let Some(check) = seed.check {
            table.checks.push((check, vec![id, other.unwrap_or(id)]));
        }
        id
    }

    /// `name` and what stands behind it in `CREATE TABLE`.
    pub(super) fn create(&self, table: &Table) -> Option<String> {
        let column = |column: &Column| self.column(table, column);
        let mut parts: Vec<String> = table.columns.iter().map(column).collect::<Option<_>>()?;
        if let Key::Columns(count) = table.key {
            let columns = table.columns.iter().take(count).map(|column| quoted(&column.name)).collect::<Vec<_>>();
            parts.push(format!("PRIMARY KEY ({})", columns.join(", ")));
        }
        for unique in &table.uniques {
            let columns: Vec<String> = unique.iter().map(|id| table.quoted(*id)).collect::<Option<_>>()?;
            parts.push(format!("UNIQUE ({})", columns.join(", ")));
        }
        for (check, columns) in &table.checks {
            parts.push(format!("CHECK ({})", table.filled(check, columns)?));
        }
        let options = match (table.strict, table.without_rowid) {
            (false, false) => "",
            (true, false) => " STRICT",
            (false, true) => " WITHOUT ROWID",
            (true, true) => " STRICT, WITHOUT ROWID",
        };
        Some(format!("CREATE TABLE {} ({}){options}", quoted(&table.name), parts.join(", ")))
    }

    /// A column as it is defined.
    pub(super) fn column(&self, table: &Table, column: &Column) -> Option<String> {
        let mut text = format!("{} {}", quoted(&column.name), column.declared).trim_end().to_owned();
        if column.id == table.columns[0].id {
            text += match table.key {
                Key::Rowid => " PRIMARY KEY",
                Key::Autoincrement => " PRIMARY KEY AUTOINCREMENT",
                _ => "",
            };
        }
        if let Some((expression, other)) = column.generated {
            text += &format!(" AS {}", table.filled(expression, &[other])?);
        }
        text += if column.not_null { " NOT NULL" } else { "" };
        text += &column.default.map(|default| format!(" DEFAULT {default}")).unwrap_or_default();
        text += &column.collation.map(|collation| format!(" COLLATE {collation}")).unwrap_or_default();
        if let Some((parent, to, action)) = column.references {
            let parent = if parent == table.id { table } else { self.table(parent)? };
            text += &format!(" REFERENCES {} ({}){action}", quoted(&parent.name), parent.quoted(to)?);
        }
        Some(text)
    }

    pub(super) fn create_object(&self, object: &Object) -> Option<String> {
        Some(format!("CREATE {} {} {}", object.kind, quoted(&object.name), self.filled(&object.text, &object.names)?))
    }

    /// Takes a table out, and what goes with it.
    pub(super) fn remove(&mut self, table: Id) {
        self.tables.retain(|it| it.id != table);
        self.objects.retain(|object| object.table != table || object.kind == "VIEW");
    }
}

impl Column {
    fn new(id: Id, declared: &'static str) -> Self {
        let name = String::new();
        let (default, collation, generated, references) = (None, None, None, None);
        Self { id, name, declared, not_null: false, default, collation, generated, references }
    }
}

impl Table {
    pub(super) fn column(&self, id: Id) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == id)
    }

    /// The column that a number asks for.
    pub(super) fn pick(&self, at: usize) -> &Column {
        &self.columns[at % self.columns.len()]
    }

    pub(super) fn quoted(&self, id: Id) -> Option<String> {
        self.column(id).map(|column| quoted(&column.name))
    }

    fn filled(&self, text: &str, columns: &[Id]) -> Option<String> {
        columns
            .iter()
            .enumerate()
            .try_fold(text.to_owned(), |text, (at, id)| Some(text.replace(&format!("{{{at}}}"), &self.quoted(*id)?)))
    }

    /// Whether its first column is the number of the row.
    pub(super) fn has_numbers(&self) -> bool {
        match self.key {
            Key::Rowid | Key::Autoincrement => true,
            Key::Columns(1) => self.columns[0].declared == "INTEGER",
            Key::Columns(_) | Key::None => false,
        }
    }

    /// The columns of its key.
    pub(super) fn key_columns(&self) -> impl Iterator<Item = &Column> {
        let count = match self.key {
            Key::Columns(count) => count,
            Key::None | Key::Rowid | Key::Autoincrement => 0,
        };
        self.columns.iter().take(count)
    }

    /// The columns that can be written.
    pub(super) fn written(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.generated.is_none())
    }

    /// A column that a key can refer to.
    pub(super) fn referable(&self) -> Option<Id> {
        match &self.key {
            Key::Rowid | Key::Autoincrement | Key::Columns(1) => self.columns.first().map(|column| column.id),
            _ => self.uniques.iter().find(|unique| unique.len() == 1).map(|unique| unique[0]),
        }
    }
}

pub(super) fn quoted(name: &str) -> String {
    if name.len() < 3 && name.chars().all(|c| c.is_ascii_lowercase()) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `name`, or with a number behind it if another has it.
fn free<'n>(name: &str, taken: impl Iterator<Item = &'n String>) -> String {
    let taken: Vec<&String> = taken.collect();
    let is_free = |name: &String| !taken.iter().any(|other| other.eq_ignore_ascii_case(name));
    let names = (2..).map(|number| format!("{name}{number}"));
    std::iter::once(name.to_owned()).chain(names).find(is_free).unwrap_or_default()
}

pub(super) fn column_name(table: &Table, at: usize) -> String {
    free(COLUMNS[at % COLUMNS.len()], table.columns.iter().map(|column| &column.name))
}

pub(super) fn column() -> impl Strategy<Value = ColumnSeed> {
    let words = (0..COLUMNS.len(), select(TYPES), weighted(0.3, select(DEFAULTS)), weighted(0.15, select(COLLATIONS)));
    let rules = (
        proptest::bool::weighted(0.3),
        weighted(0.15, select(CHECKS)),
        weighted(0.1, select(GENERATED)),
        weighted(0.25, (0..4_usize, select(ACTIONS))),
    );
    (words, rules).prop_map(|((name, declared, default, collation), (not_null, check, generated, references))| {
        ColumnSeed { name, declared, not_null, default, collation, check, generated, references }
    })
}

pub(super) fn table() -> impl Strategy<Value = TableSeed> {
    let key = prop_oneof![
        2 => Just(Key::Rowid),
        1 => Just(Key::None),
        1 => Just(Key::Autoincrement),
        1 => (1..3_usize).prop_map(Key::Columns),
    ];
    let place = || 0..4_usize;
    let options = (
        weighted(0.25, (place(), place())),
        weighted(0.15, (select(CHECKS), place(), place())),
        proptest::bool::weighted(0.15),
        any::<bool>(),
    );
    (0..TABLES.len(), key, vec(column(), 1..4), options).prop_map(
        |(name, key, columns, (unique, check, strict, without_rowid))| TableSeed {
            name,
            key,
            columns,
            unique,
            check,
            strict,
            without_rowid,
        },
    )
}
