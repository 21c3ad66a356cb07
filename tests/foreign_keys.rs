//! Rows that refer to nothing, from times without enforcement: they stay, and no migration may make more of them.

use std::sync::{Arc, Mutex};

use molos::rusqlite::Connection;
use molos::rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use molos::{Error, ErrorKind, Migration, Migrations, Migrator};

mod touched {
    molos::embed_migrations!("tests/fixtures/touched");
}

/// Two tables, of which one has a row that refers to nothing in the other.
const CHILD: &str = "CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1), (2);
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id REFERENCES parent);
    INSERT INTO child VALUES (1, 1), (2, 99);";

/// The same without an `INTEGER PRIMARY KEY`, and without rowids.
const WITHOUT_ROWID: &str = "CREATE TABLE parent (id TEXT PRIMARY KEY); INSERT INTO parent VALUES ('1');
    CREATE TABLE child (id TEXT PRIMARY KEY, parent_id REFERENCES parent) WITHOUT ROWID;
    INSERT INTO child VALUES ('1', '1'), ('2', '99');";

fn migrate(before: &str, up: &str) -> Result<Connection, Error> {
    let mut conn = Connection::open_in_memory().expect("a database");
    conn.execute_batch(&format!("PRAGMA foreign_keys = OFF; {before}")).expect("a database");
    let list = [Migration::new(1, "change", up)];
    Migrations::new("app", "migrations", &list).migrate(&mut conn).map(|_| conn)
}

/// What a migration would leave.
fn told(before: &str, up: &str) -> Vec<String> {
    let error = migrate(before, up).expect_err(up);
    match error.kind() {
        ErrorKind::ForeignKeys { violations, .. } => violations.iter().map(ToString::to_string).collect(),
        _ => panic!("{up}: {error:#}"),
    }
}

#[test]
fn an_old_row_that_refers_to_nothing_stands_in_no_migrations_way() {
    let changes = [
        "ALTER TABLE child RENAME TO kid",
        "ALTER TABLE parent RENAME TO elder",
        "ALTER TABLE child RENAME TO kid; ALTER TABLE parent RENAME TO elder; ALTER TABLE kid RENAME TO Child",
        "ALTER TABLE child RENAME COLUMN parent_id TO elder_id; ALTER TABLE child ADD COLUMN body",
        "ALTER TABLE child RENAME TO other; ALTER TABLE parent RENAME TO child; ALTER TABLE other RENAME TO parent",
        "CREATE TABLE new (id INTEGER PRIMARY KEY, parent_id TEXT REFERENCES parent); \
         INSERT INTO new SELECT * FROM child; DROP TABLE child; ALTER TABLE new RENAME TO child",
        "CREATE TABLE new (parent_id REFERENCES parent, key PRIMARY KEY); \
         INSERT INTO new SELECT parent_id, 'k' || id FROM child ORDER BY id DESC; DROP TABLE child; \
         ALTER TABLE new RENAME TO child",
        "CREATE TABLE new (id INTEGER PRIMARY KEY, name); INSERT INTO new (id) SELECT id FROM parent; \
         DROP TABLE parent; ALTER TABLE new RENAME TO parent",
        "DELETE FROM child WHERE id = 2",
    ];
    for up in changes {
        for before in [CHILD, WITHOUT_ROWID] {
            migrate(before, up).unwrap_or_else(|error| panic!("{up}: {error:#}"));
        }
    }
}

#[test]
fn old_rows_that_refer_to_nothing_by_two_keys_stand_in_no_migrations_way() {
    let before = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
        CREATE TABLE child (
            id TEXT PRIMARY KEY, parent_id REFERENCES parent, elder TEXT REFERENCES child, note TEXT
        ) WITHOUT ROWID;
        INSERT INTO child VALUES ('a', 98, 'x', ''), ('b', 99, 'y', ''), ('c', 99, 'c', '')";
    for up in ["ALTER TABLE child DROP COLUMN elder", "ALTER TABLE child DROP COLUMN note"] {
        migrate(before, up).unwrap_or_else(|error| panic!("{up}: {error:#}"));
    }
}

#[test]
fn a_table_that_is_rebuilt_is_not_one_that_was_dropped_before() {
    let before = format!(
        "{CHILD} CREATE TABLE other (id INTEGER PRIMARY KEY, parent_id REFERENCES parent); \
        INSERT INTO other VALUES (7, 97)"
    );
    let up = "DROP TABLE other; CREATE TABLE new (id INTEGER PRIMARY KEY, parent_id REFERENCES parent); \
        INSERT INTO new SELECT * FROM child; DROP TABLE child; ALTER TABLE new RENAME TO child";
    migrate(&before, up).unwrap_or_else(|error| panic!("{error:#}"));
    let up = up.replace("INSERT INTO new SELECT * FROM child", "INSERT INTO new VALUES (7, 96)");
    assert_eq!(told(&before, &up), ["child: 1 row refers to what is not in parent"]);
}

#[test]
fn another_row_in_the_place_of_an_old_one_is_told() {
    let one = ["child: 1 row refers to what is not in parent"];
    for before in [CHILD, WITHOUT_ROWID] {
        for (id, parent) in [("2", "98"), ("3", "99"), ("3", "98")] {
            let up = format!("DELETE FROM child WHERE id = '2'; INSERT INTO child VALUES ('{id}', '{parent}')");
            assert_eq!(told(before, &up), one, "{up}");
        }
    }
    let renamed = "DELETE FROM child WHERE id = 2; INSERT INTO child VALUES (3, 98); \
                   ALTER TABLE child RENAME TO kid; ALTER TABLE parent RENAME TO elder";
    assert_eq!(told(CHILD, renamed), ["kid: 1 row refers to what is not in elder"]);
    // The number stays the same, and two rows are others.
    let more = format!("{CHILD} INSERT INTO child VALUES (3, 98), (4, 97)");
    let up = "DELETE FROM child WHERE id > 2; DELETE FROM parent WHERE id = 1; INSERT INTO child VALUES (5, 96)";
    assert_eq!(told(&more, up), ["child: 2 rows refer to what is not in parent"]);
}

#[test]
fn a_key_that_cannot_be_checked_hides_no_other() {
    const MISMATCH: &str = "CREATE TABLE names (name);
        CREATE TABLE a_wrong (name REFERENCES names (name), parent_id REFERENCES parent); INSERT INTO a_wrong VALUES ('a', 1);";
    let before = format!("{CHILD} {MISMATCH}");
    migrate(&before, "CREATE TABLE more (a)").expect("nothing is worse than before");
    migrate(&before, "ALTER TABLE names RENAME TO titles").expect("it is the same key");
    migrate(&before, "ALTER TABLE a_wrong RENAME TO wrong").expect("it is the same key");
    let up = "INSERT INTO child VALUES (3, 98)";
    assert_eq!(told(&before, up), ["child: 1 row refers to what is not in parent"]);
    assert_eq!(
        told(&before, "INSERT INTO a_wrong VALUES ('b', 97)"),
        ["a_wrong: 1 row refers to what is not in parent"]
    );
    let mismatch = "foreign key mismatch - \"b_wrong\" referencing \"names\"";
    assert_eq!(told(&before, "CREATE TABLE b_wrong (name REFERENCES names (name))"), [mismatch]);

    let mut conn = migrate(&before, "SELECT 1").expect("a database");
    let list = [Migration::new(1, "change", "SELECT 1")];
    let migrations = Migrations::new("app", "migrations", &list);
    let migrator = Migrator::new(&migrations).other_tables(["names", "a_wrong", "child", "parent"]);
    migrator.verify(&mut conn).expect("what is not the program's own is not checked");
}

#[test]
fn only_keys_that_a_migration_may_break_are_checked() {
    let mut conn = Connection::open_in_memory().expect("a database");
    let checked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&checked);
    let _ = conn.authorizer(Some(move |context: AuthContext<'_>| {
        if let AuthAction::Pragma { pragma_name: "foreign_key_check", pragma_value } = context.action {
            noted.lock().expect("the list").push(pragma_value.unwrap_or("everything").to_owned());
        }
        Authorization::Allow
    }));
    let mut checks_of = |version| {
        Migrator::new(&touched::MIGRATIONS).up_to(version).migrate(&mut conn).expect("it migrates");
        std::mem::take(&mut *checked.lock().expect("the list"))
    };
    assert_eq!(checks_of(1), ["lines", "orders"], "afterwards");
    assert_eq!(checks_of(2), [""; 0], "neither a column nor an index breaks a key");
    assert_eq!(checks_of(3), ["reviews"], "afterwards");
    assert_eq!(checks_of(4), ["orders", "orders"], "those that refer to users, before and afterwards");
}

#[test]
fn where_the_database_has_triggers_of_its_own_every_key_is_checked() {
    let mut conn = Connection::open_in_memory().expect("a database");
    Migrator::new(&touched::MIGRATIONS).up_to(3).migrate(&mut conn).expect("it migrates");
    let own = "PRAGMA foreign_keys = OFF; INSERT INTO users VALUES (1, ''); INSERT INTO orders VALUES (1, 1, NULL);
        INSERT INTO reviews VALUES (1, 1);
        CREATE TRIGGER forget AFTER UPDATE ON users BEGIN DELETE FROM orders WHERE user_id = new.id; END";
    conn.execute_batch(own).expect("what the program does not know");
    let error = Migrator::new(&touched::MIGRATIONS).migrate(&mut conn).expect_err("a row refers to nothing");
    let ErrorKind::ForeignKeys { violations, .. } = error.kind() else { panic!("{error:#}") };
    assert_eq!(violations.iter().map(|it| it.table.as_str()).collect::<Vec<_>>(), ["reviews"]);
}
