//! A schema as a Mermaid entity-relationship diagram, which code hosts show as a picture.

use std::collections::BTreeSet;

use crate::json::{Column, ForeignKey, Schema, Table};

/// The diagram of the tables; views have nothing of their own.
pub(crate) fn diagram(schema: &Schema) -> String {
    let mut lines = vec!["erDiagram".to_owned()];
    let tables = || schema.tables.iter().filter(|table| table.kind != "view");
    for table in tables() {
        lines.push(format!("    {} {{", entity(&table.name)));
        lines.extend(table.columns.iter().map(|column| format!("        {}", attribute(table, column))));
        lines.push("    }".to_owned());
    }
    for table in tables() {
        for key in &table.foreign_keys {
            let ends = (one(table, key), many(table, key));
            let label = in_quotes(&key.columns.join(", "));
            let (parent, child) = (entity(&key.table), entity(&table.name));
            lines.push(format!("    {parent} {}--{} {child} : \"{label}\"", ends.0, ends.1));
        }
    }
    lines.join("\n")
}

/// In quotes, since a table may be called like one of Mermaid's own words.
fn entity(name: &str) -> String {
    format!("\"{}\"", in_quotes(name))
}

/// Without what Mermaid does not take between quotes.
fn in_quotes(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '"' | '%' | '\\') || c.is_control() { '\'' } else { c }).collect()
}

fn attribute(table: &Table, column: &Column) -> String {
    let declared = if column.declared_type.is_empty() { "ANY" } else { &column.declared_type };
    let mut text = format!("{} {}", word(declared), word(&column.name));
    let is_foreign = table.foreign_keys.iter().any(|key| key.columns.iter().any(|name| same(name, &column.name)));
    let of_keys = [
        (column.primary_key.is_some(), "PK"),
        (is_foreign, "FK"),
        (column.primary_key.is_none() && is_unique(table, &BTreeSet::from([lower(&column.name)])), "UK"),
    ];
    let keys: Vec<_> = of_keys.into_iter().filter_map(|(is, key)| is.then_some(key)).collect();
    if !keys.is_empty() {
        text = format!("{text} {}", keys.join(", "));
    }
    if word(&column.name) != column.name {
        text = format!("{text} \"{}\"", in_quotes(&column.name));
    }
    text
}

/// What Mermaid takes for the name or the type of an attribute; what it does not is replaced.
fn word(name: &str) -> String {
    let mut text: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect();
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || matches!(text.as_str(), "PK" | "FK" | "UK") {
        text.insert(0, 'x');
    }
    text
}

/// How many rows one row refers to.
fn one(table: &Table, key: &ForeignKey) -> &'static str {
    let may_be_null = |name: &String| {
        let column = table.columns.iter().find(|column| same(&column.name, name));
        column.is_none_or(|column| !column.not_null)
    };
    if key.columns.iter().any(may_be_null) { "|o" } else { "||" }
}

/// How many rows may refer to one.
fn many(table: &Table, key: &ForeignKey) -> &'static str {
    if is_unique(table, &key.columns.iter().map(|name| lower(name)).collect()) { "o|" } else { "o{" }
}

/// Whether no two rows have the same in these columns.
fn is_unique(table: &Table, columns: &BTreeSet<String>) -> bool {
    let keys = table.columns.iter().filter(|column| column.primary_key.is_some());
    let primary: BTreeSet<String> = keys.map(|column| lower(&column.name)).collect();
    let is_it = |index: &crate::json::Index| {
        let of: Option<BTreeSet<String>> = index.columns.iter().map(|name| name.as_deref().map(lower)).collect();
        index.unique && !index.partial && of.is_some_and(|of| of == *columns)
    };
    primary == *columns || table.indexes.iter().any(is_it)
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use molos_runtime::rusqlite::Connection;

    use super::*;
    use crate::schema;

    fn drawn(sql: &str) -> String {
        let conn = Connection::open_in_memory().expect("a database");
        conn.execute_batch(sql).expect("a schema");
        diagram(&schema::read(&conn).expect("it can be read"))
    }

    #[test]
    fn keys_say_how_many_rows_may_refer_to_how_many() {
        let text = drawn(
            "CREATE TABLE users (id TEXT NOT NULL PRIMARY KEY, email VARCHAR(20) UNIQUE); \
             CREATE TABLE notes (author TEXT NOT NULL REFERENCES users (id), reader TEXT REFERENCES users (id)); \
             CREATE TABLE profiles (user TEXT NOT NULL PRIMARY KEY REFERENCES Users (id)); \
             CREATE TABLE pairs (a TEXT, b TEXT, FOREIGN KEY (a, b) REFERENCES others (x, y)); \
             CREATE VIEW active AS SELECT * FROM users",
        );
        assert_eq!(
            text,
            "erDiagram
    \"notes\" {
        TEXT author FK
        TEXT reader FK
    }
    \"pairs\" {
        TEXT a FK
        TEXT b FK
    }
    \"profiles\" {
        TEXT user PK, FK
    }
    \"users\" {
        TEXT id PK
        VARCHAR_20_ email UK
    }
    \"users\" ||--o{ \"notes\" : \"author\"
    \"users\" |o--o{ \"notes\" : \"reader\"
    \"others\" |o--o{ \"pairs\" : \"a, b\"
    \"Users\" ||--o| \"profiles\" : \"user\""
        );
    }

    #[test]
    fn names_that_mermaid_does_not_take_are_said_beside_those_that_it_does() {
        let text = drawn(r#"CREATE TABLE "my 100% ""table""" ("a b" "UNSIGNED BIG INT", é, PK PK)"#);
        assert_eq!(
            text,
            "erDiagram
    \"my 100' 'table'\" {
        UNSIGNED_BIG_INT a_b \"a b\"
        ANY x_ \"é\"
        xPK xPK \"PK\"
    }"
        );
    }
}
