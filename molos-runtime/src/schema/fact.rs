//! What a schema says of one object, one thing at a time.
//!
//! Every name in a fact is as the database compares it: where it does not tell case apart, in lower case. A fact has one
//! text, its [`Display`](fmt::Display), and two facts with one text are equal: the text is shown and hashed, and nothing
//! reads it back.

use std::fmt;

/// Something that is said of a table, index, trigger or view.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fact {
    /// A condition that every row of the table meets.
    Check(Check),
    /// A column of the table.
    Column(Column),
    /// The names of the columns of the table, in order.
    Columns(Vec<String>),
    /// A foreign key of the table.
    ForeignKey(ForeignKey),
    /// An index: what it is on.
    Index(Index),
    /// The primary key of the table.
    PrimaryKey(PrimaryKey),
    /// An option of the table, such as `strict`.
    TableOption(String),
    /// A trigger: when it fires, and what it does.
    Trigger(Trigger),
    /// Columns of the table that no two rows have the same.
    Unique(Unique),
    /// A view: what it selects.
    View(View),
    /// A table whose rows a module of the database keeps.
    VirtualTable(VirtualTable),
    /// Any other statement, as it stands.
    Statement(Expression),
}

/// SQL in the form in which it is compared: its tokens, with one space between two of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expression(String);

/// A condition that every row of a table meets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Check {
    /// The condition.
    pub condition: Expression,
    /// What it says to do with a row that does not meet it.
    pub conflict: Option<Conflict>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as declared; empty if none was.
    pub declared_type: String,
    /// What it is computed from, if it is.
    pub generated: Option<Generated>,
    /// How its values are compared, if that is not by their bytes.
    pub collation: Option<String>,
    /// What an insert that leaves it out puts into it.
    pub default: Option<Expression>,
    /// Whether it is declared to refuse `NULL`.
    pub not_null: bool,
    /// What it says to do with a row that has `NULL` in it nevertheless.
    pub null_conflict: Option<Conflict>,
}

/// What a column is computed from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Generated {
    /// Its value.
    pub expression: Expression,
    /// Whether the value is kept in the row, and not computed whenever it is read.
    pub stored: bool,
}

/// What a table knows its rows by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct PrimaryKey {
    /// Its columns, in order.
    pub columns: Vec<KeyPart>,
    /// What it says to do with a row that has the key of another.
    pub conflict: Option<Conflict>,
    /// Whether no number is ever given out twice.
    pub autoincrement: bool,
    /// Whether its one column is another name for the number that the database gives each row.
    pub rowid: bool,
}

/// Columns that no two rows have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Unique {
    /// The columns, in order.
    pub columns: Vec<KeyPart>,
    /// What it says to do with a row that has them as another.
    pub conflict: Option<Conflict>,
}

/// One part of a key or an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct KeyPart {
    /// What is in it.
    pub term: Term,
    /// How it is compared, if it says so itself.
    pub collation: Option<String>,
    /// Whether the largest value comes first.
    pub descending: bool,
}

/// What is in a key or an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Term {
    /// A column.
    Column(String),
    /// What is computed from columns.
    Expression(Expression),
}

/// A reference to rows of another table, or the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct ForeignKey {
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table that they refer to.
    pub parent: String,
    /// The columns that they refer to; empty if that is the primary key.
    pub parent_columns: Vec<String>,
    /// What happens to the row when the other one is deleted.
    pub on_delete: Action,
    /// What happens to the row when the key of the other one changes.
    pub on_update: Action,
    /// Whether it is checked only at the end of a transaction.
    pub deferred: bool,
}

/// What happens to a row when the row that it refers to is deleted, or its key changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Nothing: the change is refused if the reference leads nowhere when the key is checked.
    #[default]
    NoAction,
    /// The change is refused at once.
    Restrict,
    /// It refers to nothing.
    SetNull,
    /// It refers to the row that the defaults of its columns say.
    SetDefault,
    /// It is deleted, or changes with the other.
    Cascade,
}

/// What is done with a row that a constraint stands against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Conflict {
    /// The transaction is rolled back.
    Rollback,
    /// The statement is undone.
    Abort,
    /// The statement ends there.
    Fail,
    /// The row is left out.
    Ignore,
    /// The row takes the place of the others.
    Replace,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Index {
    /// Whether no two rows have the same in it.
    pub unique: bool,
    /// The table that it is on.
    pub table: String,
    /// What is in it, in order.
    pub parts: Vec<KeyPart>,
    /// Which rows are in it, if not all are.
    pub condition: Option<Expression>,
}

/// A trigger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Trigger {
    /// When it fires.
    pub time: Time,
    /// What fires it.
    pub event: Event,
    /// The table or view that it is on.
    pub table: String,
    /// For which rows it fires, if not for all.
    pub condition: Option<Expression>,
    /// What it does.
    pub body: Expression,
}

/// When a trigger fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Time {
    /// Before the row is changed.
    Before,
    /// After the row was changed.
    After,
    /// Instead of a change of the row.
    InsteadOf,
}

/// What fires a trigger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A row is deleted.
    Delete,
    /// A row is inserted.
    Insert,
    /// A row is updated in one of these columns, or in any if there are none.
    Update(Vec<String>),
}

/// A view.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct View {
    /// The names of its columns, where they do not follow from the query.
    pub columns: Vec<String>,
    /// What it selects.
    pub query: Expression,
}

/// A table whose rows a module keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct VirtualTable {
    /// The name of the module.
    pub module: String,
    /// What the module is told, as it was written: what it means is for the module to say.
    pub arguments: Vec<String>,
}

impl Expression {
    /// The expression of these tokens. A wing has to write a token in such a way that no two different ones look alike.
    pub(crate) fn new(tokens: &[String]) -> Self {
        Self(tokens.join(" "))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyPart {
    /// The column, if it is one.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        match &self.term {
            Term::Column(name) => Some(name),
            Term::Expression(_) => None,
        }
    }
}

impl Fact {
    /// The columns of which it says that no two rows have the same, whatever else is in the rows. Not every key or index
    /// is about columns, nor about every row.
    #[must_use]
    pub fn unique_columns(&self) -> Option<&[KeyPart]> {
        let parts = match self {
            Self::PrimaryKey(key) => &key.columns,
            Self::Unique(unique) => &unique.columns,
            Self::Index(index) if index.unique && index.condition.is_none() => &index.parts,
            _ => return None,
        };
        parts.iter().all(|part| part.column().is_some()).then_some(parts)
    }
}

impl Action {
    /// As it is written in SQL, such as `SET NULL`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
            Self::Cascade => "CASCADE",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(it) => write!(f, "check ( {} ){}", it.condition, OnConflict(it.conflict)),
            Self::Column(it) => it.fmt(f),
            Self::Columns(names) => write!(f, "columns {}", Names(names)),
            Self::ForeignKey(it) => it.fmt(f),
            Self::Index(it) => {
                let unique = if it.unique { "unique " } else { "" };
                write!(f, "{unique}index on {} {}", Name(&it.table), Parts(&it.parts))?;
                it.condition.iter().try_for_each(|condition| write!(f, " where {condition}"))
            }
            Self::PrimaryKey(it) => {
                write!(f, "primary key {}{}", Parts(&it.columns), OnConflict(it.conflict))?;
                f.write_str(if it.autoincrement { " autoincrement" } else { "" })?;
                f.write_str(if it.rowid { " as rowid" } else { "" })
            }
            Self::Statement(statement) => write!(f, "statement {statement}"),
            Self::TableOption(option) => f.write_str(option),
            Self::Trigger(it) => it.fmt(f),
            Self::Unique(it) => write!(f, "unique {}{}", Parts(&it.columns), OnConflict(it.conflict)),
            Self::View(it) if it.columns.is_empty() => write!(f, "view as {}", it.query),
            Self::View(it) => write!(f, "view {} as {}", Names(&it.columns), it.query),
            Self::VirtualTable(it) => write!(f, "using {} ( {} )", Name(&it.module), it.arguments.join(" , ")),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}", Name(&self.name))?;
        if !self.declared_type.is_empty() {
            write!(f, " {}", self.declared_type)?;
        }
        if let Some(Generated { expression, stored }) = &self.generated {
            write!(f, " as ( {expression} ){}", if *stored { " stored" } else { "" })?;
        }
        self.collation.iter().try_for_each(|collation| write!(f, " collate {}", Name(collation)))?;
        self.default.iter().try_for_each(|default| write!(f, " default {default}"))?;
        f.write_str(if self.not_null { " not null" } else { "" })?;
        OnConflict(self.null_conflict).fmt(f)
    }
}

impl fmt::Display for ForeignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "foreign key {} references {}", Names(&self.columns), Name(&self.parent))?;
        if !self.parent_columns.is_empty() {
            write!(f, " {}", Names(&self.parent_columns))?;
        }
        for (change, action) in [("delete", self.on_delete), ("update", self.on_update)] {
            if action != Action::NoAction {
                write!(f, " on {change} {}", action.as_str().to_ascii_lowercase())?;
            }
        }
        f.write_str(if self.deferred { " deferrable initially deferred" } else { "" })
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.time {
            Time::Before => "before",
            Time::After => "after",
            Time::InsteadOf => "instead of",
        })?;
        match &self.event {
            Event::Delete => f.write_str(" delete")?,
            Event::Insert => f.write_str(" insert")?,
            Event::Update(columns) if columns.is_empty() => f.write_str(" update")?,
            Event::Update(columns) => write!(f, " update of {}", Names(columns))?,
        }
        write!(f, " on {}", Name(&self.table))?;
        self.condition.iter().try_for_each(|condition| write!(f, " when ( {condition} )"))?;
        write!(f, " begin {} end", self.body)
    }
}

/// A name, in quotes if what is in it could be taken for something else.
struct Name<'n>(&'n str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
        if self.0.chars().all(is_plain) && self.0.starts_with(|c: char| !c.is_ascii_digit()) {
            f.write_str(self.0)
        } else {
            write!(f, "\"{}\"", self.0.replace('"', "\"\""))
        }
    }
}

/// Names in parentheses.
struct Names<'n>(&'n [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_parentheses(f, self.0.iter().map(|name| Name(name)))
    }
}

/// The parts of a key in parentheses.
struct Parts<'p>(&'p [KeyPart]);

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_parentheses(f, self.0.iter())
    }
}

impl fmt::Display for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.term {
            Term::Column(name) => Name(name).fmt(f)?,
            Term::Expression(expression) => write!(f, "( {expression} )")?,
        }
        self.collation.iter().try_for_each(|collation| write!(f, " collate {}", Name(collation)))?;
        f.write_str(if self.descending { " desc" } else { "" })
    }
}

fn in_parentheses(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = impl fmt::Display>) -> fmt::Result {
    f.write_str("( ")?;
    for (at, item) in items.enumerate() {
        f.write_str(if at > 0 { " , " } else { "" })?;
        item.fmt(f)?;
    }
    f.write_str(" )")
}

struct OnConflict(Option<Conflict>);

impl fmt::Display for OnConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "",
            Some(Conflict::Rollback) => " on conflict rollback",
            Some(Conflict::Abort) => " on conflict abort",
            Some(Conflict::Fail) => " on conflict fail",
            Some(Conflict::Ignore) => " on conflict ignore",
            Some(Conflict::Replace) => " on conflict replace",
        })
    }
}
