//! A column is renamed with everything that names it.

use molos::rusqlite::{Connection, Result};
use molos::sqlite::{RenameError, rename_column};

fn database() -> Result<Connection> {
    let conn = Connection::open_in_memory()?;
    conn.execute_batch(
        "CREATE TABLE users (
             id INTEGER PRIMARY KEY, \"full name\" TEXT NOT NULL CHECK (length(\"full name\") > 0),
             full_name_length INTEGER AS (length(\"full name\")), note TEXT DEFAULT 'full name'
         );
         CREATE UNIQUE INDEX users_full_name ON users (\"full name\");
         CREATE TABLE letters (id INTEGER PRIMARY KEY, recipient TEXT REFERENCES users (\"full name\"));
         CREATE VIEW names AS SELECT \"full name\" AS name, 'full name' AS label FROM users;
         CREATE TRIGGER users_note AFTER UPDATE OF \"full name\" ON users BEGIN
             UPDATE users SET note = 'was ' || old.\"full name\" WHERE id = new.id;
         END;
         INSERT INTO users (id, \"full name\") VALUES (1, 'Ada');",
    )?;
    Ok(conn)
}

#[test]
fn indexes_triggers_views_checks_and_keys_follow() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut conn = database()?;
    let tx = conn.transaction()?;
    rename_column(&tx, "users", "full name", "na\"me")?;
    tx.commit()?;
    conn.execute_batch("PRAGMA foreign_keys = ON; UPDATE users SET \"na\"\"me\" = 'Grace'")?;
    let row = conn.query_row("SELECT name, label, note, full_name_length FROM names, users", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, i64>(3)?))
    })?;
    assert_eq!(row, ("Grace".to_owned(), "full name".to_owned(), "was Ada".to_owned(), 5));
    assert!(conn.execute("INSERT INTO users (\"na\"\"me\") VALUES ('Grace')", []).is_err(), "the index is there");
    assert!(conn.execute("INSERT INTO users (\"na\"\"me\") VALUES ('')", []).is_err(), "the check is there");
    assert!(conn.execute("INSERT INTO letters (recipient) VALUES ('Ada')", []).is_err(), "the key is there");
    Ok(())
}

#[test]
fn every_mistake_has_its_own_error() -> Result<()> {
    let conn = database()?;
    let error = |table, old, new| rename_column(&conn, table, old, new).expect_err("a mistake");
    assert!(matches!(error("nobody", "id", "key"), RenameError::NoSuchTable(_)));
    assert!(matches!(error("names", "name", "label"), RenameError::NotATable(_)));
    assert_eq!(
        error("users", "name", "label").to_string(),
        "the table \"users\" has no column \"name\"\nhelp: its columns are id, full name, full_name_length, note"
    );
    assert!(matches!(error("users", "full name", "NOTE"), RenameError::ColumnExists { .. }));
    conn.execute_batch("CREATE VIEW broken AS SELECT missing FROM users")?;
    let refused = error("users", "full name", "name");
    assert!(matches!(refused, RenameError::Database(_)), "{refused}");
    Ok(())
}
