//! The SQL that the generated code of a table runs.

use molos_runtime::sqlite::catalog::{Kind, quote};

use crate::check::table::{Column, KeyedSql, Sql, WriteSql};

/// The most columns that a key can have: the longest tuple that [`molos_runtime::Key`] is implemented for.
const LONGEST_KEY: usize = 16;

/// The statements for a table.
pub(super) fn statements(table: &str, columns: &[Column], kind: Kind) -> Sql {
    let table = quote(table);
    let names = |columns: &[&Column]| {
        let names: Vec<String> = columns.iter().map(|column| quote(&column.name)).collect();
        names.join(", ")
    };
    // Where an expression may stand, a name in quotes that is no column's is a string to SQLite, unless it has its table.
    let qualified = |column: &Column| format!("{table}.{}", quote(&column.name));
    let all: Vec<String> = columns.iter().map(qualified).collect();
    let all = all.join(", ");
    let written: Vec<&Column> = columns.iter().filter(|column| !column.generated).collect();
    let mut key: Vec<&Column> = columns.iter().filter(|column| column.key > 0).collect();
    key.sort_by_key(|column| column.key);
    let select = format!("SELECT {all} FROM {table}");
    if kind != Kind::Table {
        return Sql { select, write: None, keyed: None };
    }
    let insert = |values: &dyn Fn(usize, &Column) -> String| {
        let values: Vec<String> = written.iter().enumerate().map(|(i, column)| values(i + 1, column)).collect();
        format!("INSERT INTO {table} ({}) VALUES ({}) RETURNING {all}", names(&written), values.join(", "))
    };
    let write = WriteSql {
        insert: insert(&|i, _| format!("?{i}")),
        insert_new: insert(&|i, column| match &column.default {
            Some(default) => format!("coalesce(?{i}, {})", default_expression(default)),
            None => format!("?{i}"),
        }),
    };
    let equal = |(i, column): (usize, &Column)| format!("{} = ?{}", qualified(column), i + 1);
    let set = |(i, column): (usize, &Column)| format!("{} = ?{}", quote(&column.name), i + 1);
    let with_key: Vec<String> = key.iter().copied().enumerate().map(equal).collect();
    let with_key = with_key.join(" AND ");
    // The values of an update are numbered like those of an insert.
    let numbered = || written.iter().copied().enumerate();
    let is_key = |(_, column): &(usize, &Column)| column.key > 0;
    let same_key: Vec<String> = numbered().filter(is_key).map(equal).collect();
    let mut changes: Vec<String> = numbered().filter(|of| !is_key(of)).map(set).collect();
    if changes.is_empty() {
        // A statement that changes nothing still tells whether the row is there.
        changes = numbered().filter(is_key).map(set).collect();
    }
    let keyed = (1..=LONGEST_KEY).contains(&key.len()).then(|| KeyedSql {
        find: format!("{select} WHERE {with_key}"),
        update: format!("UPDATE {table} SET {} WHERE {}", changes.join(", "), same_key.join(" AND ")),
        delete: format!("DELETE FROM {table} WHERE {with_key}"),
    });
    Sql { select, write: Some(write), keyed }
}

/// A column's default where an expression is expected: a bare or double-quoted word is a string in a `DEFAULT`, and
/// would be a column here.
pub(super) fn default_expression(default: &str) -> String {
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
