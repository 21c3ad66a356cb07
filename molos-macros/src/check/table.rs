//! A table as a program sees it: what typed tables are written from.

/// A table, view or something like it.
pub(crate) struct Table {
    pub(crate) name: String,
    /// What it is, in words: "table" or "view", say.
    pub(crate) what: &'static str,
    /// The statement that creates it.
    pub(crate) definition: String,
    /// Its columns, in order, without hidden ones.
    pub(crate) columns: Vec<Column>,
    /// The statements that generated code runs.
    pub(crate) sql: Sql,
}

/// A column.
#[derive(Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its type as declared; empty if none was.
    pub(crate) declared_type: String,
    pub(crate) kind: ValueKind,
    /// Whether `NULL` is refused.
    pub(crate) not_null: bool,
    /// Its default, as an SQL expression.
    pub(crate) default: Option<String>,
    /// Its place in the primary key, from 1; 0 if it is not in there.
    pub(crate) key: u32,
    /// Whether a row that leaves it out gets the next free number.
    pub(crate) numbered: bool,
    /// Whether its value is computed from other columns.
    pub(crate) generated: bool,
}

/// What a column holds, where it is not `NULL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueKind {
    Integer,
    Real,
    Bool,
    Text,
    Blob,
    /// Whatever the database has there: it promises nothing about the column.
    Any,
}

/// The statements for a table.
pub(crate) struct Sql {
    pub(crate) select: String,
    pub(crate) write: Option<WriteSql>,
    pub(crate) keyed: Option<KeyedSql>,
}

/// For what can be inserted.
pub(crate) struct WriteSql {
    pub(crate) insert: String,
    pub(crate) insert_new: String,
}

/// For what has a primary key.
pub(crate) struct KeyedSql {
    pub(crate) find: String,
    pub(crate) update: String,
    pub(crate) delete: String,
}

impl Sql {
    /// Every statement, each with what a program could not do without it.
    pub(crate) fn statements(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let write =
            self.write.iter().flat_map(|sql| [("inserted into", &sql.insert), ("inserted into", &sql.insert_new)]);
        let keyed = self
            .keyed
            .iter()
            .flat_map(|sql| [("found in", &sql.find), ("updated in", &sql.update), ("deleted from", &sql.delete)]);
        let select = std::iter::once(("read from", &self.select));
        select.chain(write).chain(keyed).map(|(what, sql)| (what, sql.as_str()))
    }
}

/// A table or view that is there and cannot be read, and why.
pub(crate) struct Unreadable {
    pub(crate) name: String,
    pub(crate) reason: String,
}
