//! Schemas that are made up, each written in several ways: they have the same facts if SQLite reads them as the same, and
//! others if it tells them apart.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::schema;

/// The text of a statement, token by token.
type Tokens = Vec<Token>;

#[derive(Clone, Debug)]
enum Token {
    /// A keyword, a type or a sign.
    Word(String),
    /// A name.
    Name(String),
    /// What is written as it is: a string, say, or a word in double quotes that may be a name.
    Exact(String),
}

fn words(text: &str) -> Tokens {
    text.split(' ').filter(|word| !word.is_empty()).map(|word| Token::Word(word.to_owned())).collect()
}

fn name(name: &str) -> Tokens {
    vec![Token::Name(name.to_owned())]
}

fn exact(text: &str) -> Tokens {
    vec![Token::Exact(text.to_owned())]
}

/// Every table has these columns, and perhaps some of the others.
const COLUMNS: &[&str] = &["a", "key"];
const MORE_COLUMNS: &[&str] = &["b c", "É", "é", "x\"y", "rowid"];

/// A value, or a word that may be one or a column.
fn operand() -> impl Strategy<Value = Tokens> {
    prop_oneof![
        select(COLUMNS).prop_map(name),
        select(&["'A'", "'a'", "\"A\"", "\"a\"", "\"Z\"", "\"z\"", "1", "1.5e0", "-1", "NULL", "x'41'", "'it''s'"][..])
            .prop_map(exact),
    ]
}

fn default() -> impl Strategy<Value = Tokens> {
    const VALUES: &[&str] = &[
        "Admin",
        "admin",
        "\"Admin\"",
        "'Admin'",
        "\"true\"",
        "true",
        "\"CURRENT_DATE\"",
        "NULL",
        "\"null\"",
        "-1.5",
        "+1",
        "(1)",
        "(1 + 1)",
        "0x1F",
        "x'41'",
        "[A]",
        "7.1",
        "('A')",
    ];
    select(VALUES).prop_map(|value| [words("DEFAULT"), exact(value)].concat())
}

fn column() -> impl Strategy<Value = Tokens> {
    const TYPES: &[&str] =
        &["", "INT", "INTEGER", "TEXT", "REAL", "BLOB", "VARCHAR ( 9 )", "generated", "UNSIGNED BIG INT", "NUMERIC"];
    let constraint = prop_oneof![
        Just(words("NOT NULL")),
        Just(words("NOT NULL ON CONFLICT IGNORE")),
        Just(words("UNIQUE")),
        Just(words("UNIQUE ON CONFLICT REPLACE")),
        Just(words("COLLATE NOCASE")),
        Just(words("REFERENCES p ON DELETE CASCADE")),
        default(),
        operand().prop_map(|other| [words("CHECK ( 1 <>"), other, words(")")].concat()),
    ];
    (select(TYPES), vec(constraint, 0..3)).prop_map(|(declared, constraints)| {
        let mut tokens = words(declared);
        tokens.extend(constraints.concat());
        tokens
    })
}

fn key() -> impl Strategy<Value = Tokens> {
    let part = (select(COLUMNS), select(&["", "ASC", "DESC", "COLLATE NOCASE", "COLLATE NOCASE DESC"][..]));
    let kind = select(&["PRIMARY KEY", "UNIQUE"][..]);
    (kind, part)
        .prop_map(|(kind, (column, order))| [words(kind), words("("), name(column), words(order), words(")")].concat())
}

fn check() -> impl Strategy<Value = Tokens> {
    (operand(), select(&["=", "<>", "<=", "IS NOT"][..]), operand())
        .prop_map(|(one, sign, other)| [words("CHECK ("), one, words(sign), other, words(")")].concat())
}

fn table() -> impl Strategy<Value = Tokens> {
    let options = select(&["", "STRICT", "WITHOUT ROWID", "STRICT , WITHOUT ROWID"][..]);
    let orders = select(&["", "PRIMARY KEY", "PRIMARY KEY DESC", "PRIMARY KEY ASC", "PRIMARY KEY AUTOINCREMENT"][..]);
    let of = |name: &'static str| column().prop_map(move |column| (name, column));
    let more = vec((select(MORE_COLUMNS), column()), 0..2);
    let columns = (of("a"), of("key"), more).prop_map(|(a, key, more)| [vec![a, key], more].concat());
    (orders, columns, vec(prop_oneof![key(), check()], 0..3), options).prop_map(
        |(order, columns, constraints, options)| {
            let mut tokens = [words("CREATE TABLE"), name("T t"), words("(")].concat();
            for (at, (of, column)) in columns.into_iter().enumerate() {
                tokens.extend(if at > 0 { words(",") } else { Vec::new() });
                tokens.extend([name(of), column, words(if at == 0 { order } else { "" })].concat());
            }
            for constraint in constraints {
                tokens.extend([words(","), constraint].concat());
            }
            [tokens, words(")"), words(options)].concat()
        },
    )
}

fn others() -> impl Strategy<Value = Vec<Tokens>> {
    let index = (operand(), operand()).prop_map(|(one, condition)| {
        let head = [words("CREATE UNIQUE INDEX"), name("I"), words("ON"), name("T t"), words("(")].concat();
        [head, one, words("DESC ) WHERE 1 <>"), condition].concat()
    });
    let view = (operand(), operand()).prop_map(|(one, other)| {
        let head = [words("CREATE VIEW"), name("V"), words("AS SELECT"), one, words("AS"), name("one")].concat();
        [head, words("FROM"), name("T t"), words("WHERE 1 <>"), other].concat()
    });
    vec(prop_oneof![index, view], 0..2)
}

/// A way of writing: how the next token is written, and what stands before it.
type Style = Vec<(u8, u8)>;

fn written(statement: &[Token], style: &[(u8, u8)]) -> String {
    let mut text = String::new();
    for (token, (case, space)) in statement.iter().zip(style.iter().cycle()) {
        text += [" ", "\n\t", " /* ; ' */ ", " -- \"\n"][usize::from(space % 4)];
        match token {
            Token::Exact(token) => text += token,
            Token::Word(word) if case % 2 == 0 => text += &word.to_ascii_lowercase(),
            Token::Word(word) => text += &word.to_ascii_uppercase(),
            Token::Name(name) => {
                let name = if case % 2 == 0 { name.to_ascii_uppercase() } else { name.clone() };
                let is_word = name.chars().all(char::is_alphanumeric) && !name.eq_ignore_ascii_case("rowid");
                let quoted = match case / 2 % 4 {
                    0 if is_word => name,
                    1 => format!("[{name}]"),
                    2 => format!("`{name}`"),
                    _ => format!("\"{}\"", name.replace('"', "\"\"")),
                };
                text += &quoted;
            }
        }
    }
    text
}

fn style() -> impl Strategy<Value = Style> {
    vec(any::<(u8, u8)>(), 1..40)
}

fn made(statements: &[String]) -> Option<Connection> {
    let conn = Connection::open_in_memory().expect("a database");
    conn.execute_batch("PRAGMA foreign_keys = OFF").expect("a pragma");
    conn.execute_batch(&statements.join(";\n")).ok()?;
    Some(conn)
}

/// What SQLite says of the table, in what does not depend on how it was written.
fn catalog(conn: &Connection) -> Vec<String> {
    let queries = [
        "SELECT cid, name, replace(replace(type, char(10, 9), ''), ' ', ''), \"notnull\", pk, hidden FROM pragma_table_xinfo('t t')",
        "SELECT \"unique\", origin, partial, (SELECT group_concat(coalesce(cid, '') || \"desc\" || coll || key) \
         FROM pragma_index_xinfo(l.name)) AS parts FROM pragma_index_list('t t') AS l",
        "SELECT \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list('t t')",
    ];
    let mut all: Vec<_> =
        queries.iter().flat_map(|query| rows(conn, query)).map(|row| row.to_ascii_lowercase()).collect();
    all.sort();
    all
}

fn rows(conn: &Connection, query: &str) -> Vec<String> {
    let mut statement = match conn.prepare(query) {
        Ok(statement) => statement,
        Err(error) => return vec![error.to_string()],
    };
    let width = statement.column_count();
    let rows =
        statement.query_map([], |row| (0..width).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>());
    rows.expect("rows").map(|row| format!("{row:?}")).collect()
}

/// What comes of rows that are put into the table.
fn behaviour(conn: &Connection) -> Vec<String> {
    let values = [
        Value::Null,
        Value::Integer(1),
        Value::Integer(1),
        Value::Real(1.5),
        Value::Text("A".to_owned()),
        Value::Text("a".to_owned()),
        Value::Text("1".to_owned()),
        Value::Text("Z".to_owned()),
        Value::Blob(b"A".to_vec()),
        Value::Integer(-1),
    ];
    let columns = rows(conn, "SELECT 1 FROM pragma_table_xinfo('t t')").len();
    let mut results = Vec::new();
    let insert = format!("INSERT INTO \"t t\" VALUES ({})", vec!["?"; columns].join(", "));
    for at in 0..values.len() * 2 {
        let row = (0..columns).map(|column| &values[(at + column * (1 + at / values.len())) % values.len()]);
        results.push(outcome(conn.execute(&insert, params_from_iter(row))));
    }
    results.push(outcome(conn.execute("INSERT INTO \"t t\" DEFAULT VALUES", [])));
    for (_, at) in (0..columns).zip(0_i64..) {
        let name: String = conn
            .query_row("SELECT name FROM pragma_table_xinfo('t t') WHERE cid = ?1", [at], |row| row.get(0))
            .expect("a name");
        let insert = format!("INSERT INTO \"t t\" ({}) VALUES (41)", super::super::catalog::quote(&name));
        results.push(outcome(conn.execute(&insert, [])));
    }
    results.extend(rows(conn, "SELECT * FROM \"t t\""));
    results.extend(rows(conn, "SELECT * FROM v"));
    results
}

/// Whether it worked, or which kind of constraint stood against it.
fn outcome(result: rusqlite::Result<usize>) -> String {
    match result {
        Ok(count) => count.to_string(),
        Err(error) => format!("{:?}", error.sqlite_error().map(|error| error.extended_code)),
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_global_rejects: 1_000_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn a_schema_that_is_written_otherwise_has_the_same_facts(
        table in table(), others in others(), one in style(), other in style(),
    ) {
        let all: Vec<_> = std::iter::once(table).chain(others).collect();
        let write = |style: &Style| all.iter().map(|tokens| written(tokens, style)).collect::<Vec<_>>();
        let (one, other) = (write(&one), write(&other));
        prop_assume!(made(&one).is_some());
        let (a, b) = (schema(&one.join(";")), schema(&other.join(";")));
        prop_assert_eq!(a.differences(&b), [], "{:?}\n{:?}", one, other);
        prop_assert_eq!(a.fingerprint(), b.fingerprint());
    }
}

proptest! {
    #![proptest_config(config(200))]

    /// Two schemas that are nearly the same: one token of the first is replaced by one of the others, or written
    /// otherwise.
    #[test]
    fn schemas_with_the_same_facts_are_the_same_to_sqlite(
        table in table(), others in others(), changes in vec((any::<usize>(), select(REPLACEMENTS)), 1..40),
        style in style(),
    ) {
        let all: Vec<Tokens> = std::iter::once(table).chain(others).collect();
        let write = |all: &[Tokens], style: &[(u8, u8)]| -> Vec<String> {
            all.iter().map(|tokens| written(tokens, style)).collect()
        };
        let one = write(&all, &[(3, 0)]);
        prop_assume!(made(&one).is_some());
        let described = schema(&one.join(";"));
        let conn = made(&one).expect("it was made before");
        let (reported, behaved) = (catalog(&conn), behaviour(&conn));
        for (at, replacement) in changes {
            let mut changed = all.clone();
            let len = changed.iter().map(Vec::len).sum::<usize>();
            let Some(token) = changed.iter_mut().flatten().nth(at % len) else { continue };
            *token = Token::Exact(replacement.to_owned());
            let style: Style = style.iter().map(|(case, space)| (*case, space % 2)).collect();
            let other = write(&changed, &style);
            let Some(conn) = made(&other) else { continue };
            let read = super::Schema::read(&conn).expect("it can be read");
            prop_assert_eq!(read == described, read.fingerprint() == described.fingerprint(), "{:?}", other);
            if read == described {
                prop_assert_eq!(&reported, &catalog(&conn), "{:?}\n{:?}", one, other);
                prop_assert_eq!(&behaved, &behaviour(&conn), "{:?}\n{:?}", one, other);
            }
        }
    }
}

const REPLACEMENTS: &[&str] = &[
    "",
    "a",
    "A",
    "\"A\"",
    "\"a\"",
    "'a'",
    "'A'",
    "[a]",
    "[A]",
    "É",
    "é",
    "\"true\"",
    "true",
    "NULL",
    "\"null\"",
    "key",
    "\"rowid\"",
    "\"ROWID\"",
    "rowid",
    "1",
    "1.0",
    "-1",
    "1 /* int */",
    "INT",
    "\"INT\"",
    "INTEGER",
    "\"INTEGER\"",
    "generated always",
    "/* text */",
    "DESC",
    "ASC",
    "UNIQUE",
    "NOT NULL",
    "NULL",
    "COLLATE BINARY",
    "COLLATE \"nocase\"",
    "CONSTRAINT x",
    "DEFAULT a",
    "DEFAULT A",
    "DEFAULT 'a'",
    "DEFAULT (1)",
    "DEFAULT 1",
    ", CHECK (a)",
    "CHECK (\"z\" <> 1)",
    "DEFERRABLE INITIALLY DEFERRED",
    "AUTOINCREMENT",
    "+",
    "\"Z\"",
    "\"z\"",
    "x'41'",
    "'x''41'",
    "ON CONFLICT IGNORE",
];
