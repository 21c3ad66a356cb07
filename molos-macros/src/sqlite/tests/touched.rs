//! Whose foreign keys a program has to look at after a script.

use super::checked;
use crate::diagnostic::Diagnostic;

const BEFORE: &str = "\
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), sku TEXT, size TEXT);
    CREATE TABLE old_orders (id INTEGER PRIMARY KEY, sku TEXT);
    CREATE UNIQUE INDEX users_name ON users (name);
    CREATE VIEW named AS SELECT id, name FROM users;
    CREATE TRIGGER rename_user INSTEAD OF UPDATE ON named BEGIN UPDATE users SET name = new.name WHERE id = old.id; END;
    CREATE TRIGGER keep AFTER DELETE ON orders BEGIN INSERT INTO old_orders VALUES (old.id, old.sku); END;";

/// The tables that a script touches, or `any`.
fn touched(script: &str) -> String {
    let (_, _, checked) = checked("", &[BEFORE, script]);
    assert_eq!(checked.errors.iter().map(Diagnostic::render).collect::<Vec<_>>(), [""; 0], "{script}");
    let tables = checked.measured.touched.get(&2);
    tables.map_or("any".to_owned(), |tables| tables.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
}

#[test]
fn a_script_touches_what_it_writes_and_what_its_triggers_write() {
    for (script, expected) in [
        ("UPDATE Users SET name = 'a' WHERE id = 1", "users"),
        ("INSERT INTO orders (sku) SELECT name FROM users", "orders"),
        ("DELETE FROM orders WHERE 0", "old_orders orders"),
        ("REPLACE INTO users (id, name) VALUES (1, 'a')", "users"),
        ("UPDATE named SET name = 'a'", "named users"),
        ("CREATE TEMP TABLE t AS SELECT * FROM orders; DROP TABLE temp.t", ""),
        ("SELECT * FROM users", ""),
        ("-- molos: foreign-keys = on\nDELETE FROM users", "any"),
        ("-- molos: no-transaction\nVACUUM", "any"),
    ] {
        assert_eq!(touched(script), expected, "{script}");
    }
}

#[test]
fn a_script_touches_tables_whose_keys_it_changes_and_not_those_that_get_a_column_or_an_index() {
    for (script, expected) in [
        ("ALTER TABLE orders ADD COLUMN note TEXT", ""),
        ("CREATE INDEX orders_sku ON orders (sku)", ""),
        ("ALTER TABLE orders RENAME COLUMN sku TO article", ""),
        ("ALTER TABLE orders DROP COLUMN size", ""),
        ("CREATE VIEW skus AS SELECT sku FROM orders", ""),
        ("ALTER TABLE orders ADD COLUMN payer INTEGER REFERENCES users (id)", "orders"),
        ("ALTER TABLE orders RENAME COLUMN user_id TO buyer", "orders"),
        ("CREATE UNIQUE INDEX orders_sku ON orders (sku)", "orders"),
        ("DROP INDEX users_name", "users"),
        ("CREATE TABLE lines (order_id INTEGER REFERENCES orders (id))", "lines"),
        ("DROP TABLE old_orders", "old_orders"),
        ("ALTER TABLE users RENAME TO people", "orders people users"),
        (
            "PRAGMA legacy_alter_table = ON; ALTER TABLE orders RENAME TO t; ALTER TABLE old_orders RENAME TO orders; \
             ALTER TABLE t RENAME TO old_orders",
            "old_orders orders",
        ),
        (
            "CREATE TABLE new (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), sku TEXT); \
             INSERT INTO new SELECT id, user_id, sku FROM orders; DROP TABLE orders; ALTER TABLE new RENAME TO orders",
            "orders",
        ),
    ] {
        assert_eq!(touched(script), expected, "{script}");
    }
}
