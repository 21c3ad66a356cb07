//! The SQL that the generated code of a table runs.

use molos_runtime::catalog::{Kind, quote as sql_name};

use crate::table::{Field, Model};

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

/// The most columns that a key can have: the longest tuple that [`molos_runtime::Key`] is implemented for.
const LONGEST_KEY: usize = 16;

/// For what has a primary key.
pub(crate) struct KeyedSql {
    pub(crate) find: String,
    pub(crate) update: String,
    pub(crate) delete: String,
}

impl Sql {
    pub(crate) fn of(model: &Model) -> Self {
        let table = sql_name(&model.table.name);
        let names = |fields: &[&Field]| {
            let names: Vec<String> = fields.iter().map(|field| sql_name(&field.column.name)).collect();
            names.join(", ")
        };
        let all: Vec<&Field> = model.fields.iter().collect();
        let written: Vec<&Field> = model.written().collect();
        let key = model.key();
        let select = format!("SELECT {} FROM {table}", names(&all));
        if model.table.kind != Kind::Table {
            return Self { select, write: None, keyed: None };
        }
        let insert = |values: &dyn Fn(usize, &Field) -> String| {
            let values: Vec<String> = written.iter().enumerate().map(|(i, field)| values(i + 1, field)).collect();
            let (written, all) = (names(&written), names(&all));
            format!("INSERT INTO {table} ({written}) VALUES ({}) RETURNING {all}", values.join(", "))
        };
        let write = WriteSql {
            insert: insert(&|i, _| format!("?{i}")),
            insert_new: insert(&|i, field| match &field.column.default {
                Some(default) => format!("coalesce(?{i}, {})", default_expression(default)),
                None => format!("?{i}"),
            }),
        };
        let equal = |(i, field): (usize, &Field)| format!("{} = ?{}", sql_name(&field.column.name), i + 1);
        let with_key: Vec<String> = key.iter().copied().enumerate().map(equal).collect();
        let with_key = with_key.join(" AND ");
        // The values of an update are numbered like those of an insert.
        let numbered = || written.iter().copied().enumerate();
        let same_key: Vec<String> = numbered().filter(|(_, field)| field.column.key > 0).map(equal).collect();
        let mut changes: Vec<String> = numbered().filter(|(_, field)| field.column.key == 0).map(equal).collect();
        if changes.is_empty() {
            // A statement that changes nothing still tells whether the row is there.
            changes.clone_from(&same_key);
        }
        let keyed = (1..=LONGEST_KEY).contains(&key.len()).then(|| KeyedSql {
            find: format!("{select} WHERE {with_key}"),
            update: format!("UPDATE {table} SET {} WHERE {}", changes.join(", "), same_key.join(" AND ")),
            delete: format!("DELETE FROM {table} WHERE {with_key}"),
        });
        Self { select, write: Some(write), keyed }
    }

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

/// A column's default where an expression is expected: a bare or double-quoted word is a string in a `DEFAULT`, and
/// would be a column here.
pub(crate) fn default_expression(default: &str) -> String {
    let keyword = ["NULL", "TRUE", "FALSE", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"];
    let is_word = default.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && default.chars().all(|c| c.is_alphanumeric() || c == '_');
    if is_word && !keyword.iter().any(|keyword| keyword.eq_ignore_ascii_case(default)) {
        return format!("'{default}'");
    }
    match default.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(word) => format!("'{}'", word.replace("\"\"", "\"").replace('\'', "''")),
        None => format!("({default})"),
    }
}
