//! The generated structs, used: every kind of column and key that SQLite has.

use molos::rusqlite::types::Value;
use molos::rusqlite::{Connection, Result};
use molos::{Insert, Keyed, Table};

mod db {
    molos::embed_migrations!("tests/fixtures/kinds", rename = { "no_key" => Line, "no_key.body" => text });
}

use db::tables::{
    Descending, Line, NewDescending, NewLine, NewOnlyKey, NewOrder, NewPlain, NewStrictKey, NewTextKey, OnlyKey, Order,
    Plain, Search, StrictKey, TextKey, Totals,
};

fn database() -> Connection {
    let mut conn = Connection::open_in_memory().expect("a database");
    db::MIGRATIONS.migrate(&mut conn).expect("its schema");
    conn
}

#[test]
fn what_is_left_out_of_an_insert_is_filled_in_by_the_database() -> Result<()> {
    let conn = database();
    let row = NewPlain::default().insert(&conn)?;
    let Value::Text(at) = &row.at else { panic!("{row:?}") };
    assert_eq!(at.len(), "2026-11-24 00:00:00".len());
    let expected = Plain {
        id: 1,
        r#type: "word".to_owned(),
        _2fa: true,
        score: -1.5,
        größe: None,
        at: row.at.clone(),
        anything: Value::Null,
        quoted: "double".to_owned(),
        bare: "bare".to_owned(),
        computed: "abcit's".to_owned(),
        doubled: Some(2),
        stored: 2,
    };
    assert_eq!(row, expected);
    let row = NewPlain { id: Some(7), r#type: Some("x"), anything: Some(Value::Real(0.5)), ..NewPlain::new() };
    let row = row.insert(&conn)?;
    assert_eq!((row.id, row.r#type.as_str(), row.anything, row.doubled), (7, "x", Value::Real(0.5), Some(14)));
    Ok(())
}

#[test]
fn rows_are_found_changed_and_deleted_by_their_key() -> Result<()> {
    let conn = database();
    let row = NewTextKey { id: Some("a"), note: Some("one") }.insert(&conn)?;
    assert_eq!(TextKey::find(&conn, "a")?.as_ref(), Some(&row));
    let changed = TextKey { note: None, ..row };
    assert!(changed.update(&conn)?);
    assert_eq!(TextKey::all(&conn)?, std::slice::from_ref(&changed));
    assert!(changed.delete(&conn)?);
    assert!(!changed.delete(&conn)? && !changed.update(&conn)?, "it is gone");
    assert_eq!(TextKey::find(&conn, "a")?, None);
    assert_eq!(changed.insert(&conn)?, changed, "a row struct can be inserted as well");
    Ok(())
}

#[test]
fn a_null_in_a_key_finds_and_deletes_no_other_row() -> Result<()> {
    // SQLite allows NULL in a primary key that is not the rowid: https://sqlite.org/lang_createtable.html
    let conn = database();
    let nameless = NewTextKey { id: None, note: None }.insert(&conn)?;
    NewTextKey { id: None, note: Some("other") }.insert(&conn)?;
    assert_eq!(nameless.key(), None);
    assert!(!nameless.delete(&conn)? && !nameless.update(&conn)?);
    assert_eq!(TextKey::all(&conn)?.len(), 2);
    Ok(())
}

#[test]
fn a_composite_key_is_a_tuple_in_its_own_order() -> Result<()> {
    let conn = database();
    let row = NewOrder { select: Some(b"x"), ..NewOrder::new("g", 3) }.insert(&conn)?;
    assert_eq!(
        Order::find(&conn, (3, "g"))?,
        Some(Order { group: "g".to_owned(), index: 3, select: Some(b"x".to_vec()) })
    );
    assert!(Order { select: None, ..row.clone() }.update(&conn)?);
    assert_eq!(Order::find(&conn, (3, "g"))?.map(|order| order.select), Some(None));
    assert!(row.delete(&conn)?);

    let only = NewOnlyKey::new(1, 2).insert(&conn)?;
    assert!(only.update(&conn)? && OnlyKey::find(&conn, (1, 2))?.is_some());
    Ok(())
}

#[test]
fn nullability_follows_sqlites_own_rules() -> Result<()> {
    let conn = database();
    let strict: StrictKey = NewStrictKey { data: Some(Value::Integer(1)), ..NewStrictKey::new("k") }.insert(&conn)?;
    let _: &String = &strict.id;
    // `INTEGER PRIMARY KEY DESC` is, for old times' sake, no rowid.
    let descending: Descending = NewDescending { id: None, a: None }.insert(&conn)?;
    assert_eq!(descending.id, None);
    let line: Line = NewLine::new("a line").insert(&conn)?;
    assert_eq!(line.text, "a line");
    Ok(())
}

#[test]
fn views_and_virtual_tables_are_read() -> Result<()> {
    let conn = database();
    NewPlain { größe: Some(4), ..NewPlain::new() }.insert(&conn)?;
    let totals = Totals::all(&conn)?;
    assert_eq!(totals.len(), 1);
    assert_eq!(totals[0].size, Some(4));
    conn.execute("INSERT INTO search VALUES ('t', 'b')", [])?;
    assert_eq!(Search::all(&conn)?, [Search { title: Value::Text("t".into()), body: Value::Text("b".into()) }]);
    Ok(())
}

#[test]
fn a_program_can_be_generic_over_tables() -> Result<()> {
    fn insert_and_count<N: Insert>(conn: &Connection, new: &N) -> Result<(&'static str, usize)> {
        new.insert(conn)?;
        Ok((N::Row::NAME, N::Row::all(conn)?.len()))
    }
    let conn = database();
    assert_eq!(insert_and_count(&conn, &NewOnlyKey::new(1, 1))?, ("only_key", 1));
    assert_eq!(insert_and_count(&conn, &NewOnlyKey::new(1, 2))?, ("only_key", 2));
    assert_eq!(OnlyKey::COLUMNS, ["a", "b"]);
    Ok(())
}

#[test]
fn a_value_of_another_type_is_an_error_and_no_panic() -> Result<()> {
    let conn = database();
    conn.execute("INSERT INTO plain (score, \"größe\") VALUES (1, 'wide')", [])?;
    assert!(Plain::all(&conn).is_err());
    Ok(())
}

/// A name in double quotes that is no column's is a string to SQLite: `DELETE … WHERE "id" = 'id'` would delete every row.
#[test]
fn on_a_schema_with_other_columns_every_statement_is_an_error() -> Result<()> {
    let conn = database();
    let row = NewTextKey { id: Some("id"), note: Some("note") }.insert(&conn)?;
    conn.execute_batch("ALTER TABLE text_key RENAME COLUMN id TO name")?;
    assert!(TextKey::all(&conn).is_err(), "it reads");
    assert!(TextKey::find(&conn, "id").is_err(), "it finds");
    assert!(row.update(&conn).is_err(), "it updates");
    assert!(row.delete(&conn).is_err(), "it deletes");
    assert!(row.insert(&conn).is_err(), "it inserts");
    conn.execute_batch(
        "ALTER TABLE text_key RENAME COLUMN name TO id; ALTER TABLE text_key RENAME COLUMN note TO text",
    )?;
    assert!(TextKey::all(&conn).is_err(), "it reads");
    assert!(row.update(&conn).is_err(), "it updates");
    assert!(row.delete(&conn)?, "its key is there");
    Ok(())
}
