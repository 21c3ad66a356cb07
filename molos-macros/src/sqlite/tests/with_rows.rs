//! What is found in a step on rows, and a step close to it in which nothing is.

use super::checked;
use crate::check::Checked;
use crate::diagnostic::Diagnostic;
use crate::lint::finding::UNTRIED;

/// What the steps are run after.
const SHOP: &str = "\
    CREATE TABLE users (
        id    INTEGER PRIMARY KEY AUTOINCREMENT,
        name  TEXT,
        email TEXT NOT NULL UNIQUE,
        admin BOOLEAN NOT NULL DEFAULT 0,
        since TEXT DEFAULT CURRENT_TIMESTAMP
    );
    CREATE TABLE orders (
        id      INTEGER PRIMARY KEY,
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        size    TEXT NOT NULL CHECK (size IN ('s', 'm', 'l')),
        meta    TEXT
    );";

/// What is found in scripts that are run one after the other, and what could not be tried with rows. A script that
/// begins with `down:` is the down migration of the one before it.
fn findings_in(scripts: &[&str]) -> Vec<String> {
    findings_with("", scripts)
}

/// The same with options of the macro.
fn findings_with(options: &str, scripts: &[&str]) -> Vec<String> {
    let (_, _, Checked { findings, measured, errors, misfits, .. }) = checked(options, scripts);
    assert_eq!(errors.iter().map(Diagnostic::render).collect::<Vec<_>>(), [""; 0]);
    assert!(misfits.is_empty(), "{misfits:?}");
    let findings = findings.iter().filter(|finding| finding.lint != UNTRIED);
    let findings = findings.map(|finding| format!("{}: {}", finding.version, finding.name()));
    findings.chain(measured.unproven.iter().map(|it| format!("{}: not tried: {}", it.version, it.reason))).collect()
}

fn assert_findings(cases: &[(&str, &[&str])]) {
    for (script, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|it| format!("2: {it}")).collect();
        assert_eq!(findings_in(&[SHOP, script]), expected, "{script}");
    }
}

#[test]
fn what_only_empty_tables_take_is_found() {
    assert_findings(&[
        ("ALTER TABLE users ADD COLUMN x TEXT NOT NULL", &["fails-on-rows"]),
        ("ALTER TABLE users ADD COLUMN x TEXT NOT NULL DEFAULT ''", &[]),
        ("ALTER TABLE users ADD COLUMN x TEXT DEFAULT CURRENT_TIMESTAMP", &["fails-on-rows"]),
        ("ALTER TABLE users ADD COLUMN x TEXT", &[]),
        ("ALTER TABLE users ADD COLUMN x INTEGER DEFAULT 1 REFERENCES users (id)", &["fails-on-rows"]),
        ("ALTER TABLE users ADD COLUMN x INTEGER REFERENCES users (id)", &[]),
        ("ALTER TABLE users ADD COLUMN x TEXT DEFAULT ''; CREATE UNIQUE INDEX x ON users (x)", &["fails-on-rows"]),
        ("ALTER TABLE users ADD COLUMN x TEXT; CREATE UNIQUE INDEX x ON users (x)", &[]),
        ("CREATE UNIQUE INDEX names ON users (name)", &["fails-on-rows"]),
        ("CREATE TABLE n (name TEXT NOT NULL); INSERT INTO n SELECT name FROM users", &["fails-on-rows"]),
        ("CREATE TABLE n (name TEXT NOT NULL); INSERT INTO n SELECT name FROM users WHERE name IS NOT NULL", &[]),
        ("CREATE TABLE n (size TEXT CHECK (size = 'm')); INSERT INTO n SELECT size FROM orders", &["fails-on-rows"]),
        ("CREATE TABLE n (size TEXT CHECK (size <> '')); INSERT INTO n SELECT size FROM orders", &[]),
        ("DELETE FROM users", &["fails-on-rows"]),
        ("DELETE FROM users WHERE id NOT IN (SELECT user_id FROM orders) AND name = 'gone'", &[]),
    ]);
}

#[test]
fn values_are_varied_until_a_step_takes_them() {
    assert_findings(&[
        ("UPDATE users SET name = json_extract(name, '$.canary')", &[]),
        (
            "CREATE TABLE n (meta TEXT CHECK (json_valid(meta))); INSERT INTO n SELECT meta FROM orders WHERE meta <> ''",
            &[],
        ),
        ("CREATE TABLE n (at TEXT NOT NULL); INSERT INTO n SELECT datetime(name) FROM users WHERE name <> ''", &[]),
        ("CREATE TABLE n (email INTEGER NOT NULL) STRICT; INSERT INTO n SELECT email FROM users", &[]),
        (
            "CREATE TABLE n (a TEXT, CONSTRAINT is_uuid CHECK (length(a) = 36)); INSERT INTO n SELECT name FROM users",
            &[],
        ),
    ]);
}

#[test]
fn a_step_that_takes_no_made_up_value_is_named_and_no_error() {
    assert_findings(&[
        ("UPDATE users SET name = json_extract(email, name)", &["not tried: malformed JSON"]),
        ("UPDATE users SET email = json_extract(email, '$.own')", &["not tried: malformed JSON"]),
    ]);
}

#[test]
fn rows_that_are_gone_are_found() {
    assert_findings(&[
        ("DELETE FROM orders", &["data-loss orders"]),
        ("DELETE FROM orders WHERE size = 'xl'", &[]),
        ("-- molos: foreign-keys = on\nDELETE FROM users", &["data-loss orders", "data-loss users"]),
        ("UPDATE orders SET meta = NULL", &["data-loss orders.meta"]),
        ("UPDATE orders SET meta = NULL WHERE size = 'xl'", &[]),
        ("ALTER TABLE orders ADD COLUMN note TEXT; UPDATE orders SET note = meta, meta = NULL", &[]),
        ("DROP TABLE orders", &["drop-table orders"]),
        (
            "INSERT INTO orders SELECT NULL, id, 's', NULL FROM users; DELETE FROM orders WHERE meta IS NULL",
            &["data-loss orders"],
        ),
    ]);
}

/// A rebuild of `users` with these columns and this copy.
fn rebuild(columns: &str, copy: &str) -> String {
    format!(
        "CREATE TABLE u ({columns}); INSERT INTO u {copy} FROM users; DROP TABLE users; ALTER TABLE u RENAME TO users;"
    )
}

#[test]
fn users_have_duplicates() {
    let shop = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER, u TEXT NOT NULL UNIQUE); \
                CREATE TABLE pairs (a INTEGER REFERENCES t (id), b INTEGER REFERENCES t (id), c TEXT, PRIMARY KEY (a, b)); \
                CREATE TABLE words (word TEXT PRIMARY KEY) WITHOUT ROWID; \
                CREATE TABLE levels (level TEXT NOT NULL CHECK (level IN ('low', 'high')));";
    let fails = ["2: fails-on-rows"].as_slice();
    let lost = ["2: data-loss t"].as_slice();
    let rebuild = |columns: &str, copy: &str| {
        format!("CREATE TABLE n ({columns}); INSERT {copy} FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;")
    };
    let same = "id INTEGER PRIMARY KEY, a TEXT, b INTEGER, u TEXT NOT NULL UNIQUE, UNIQUE (a, b)";
    let no_case = "id INTEGER PRIMARY KEY, a TEXT, b INTEGER, u TEXT NOT NULL UNIQUE COLLATE NOCASE";
    let first = "DELETE FROM t WHERE id NOT IN (SELECT min(id) FROM t GROUP BY a, b);";
    for (script, expected) in [
        ("CREATE UNIQUE INDEX t_ab ON t (a, b)".to_owned(), fails),
        ("CREATE UNIQUE INDEX t_ab ON t (a, b) WHERE a = ''".to_owned(), &[]),
        ("CREATE UNIQUE INDEX t_au ON t (a, u)".to_owned(), &[]),
        (format!("{first} CREATE UNIQUE INDEX t_ab ON t (a, b)"), lost),
        ("CREATE UNIQUE INDEX t_u ON t (u COLLATE NOCASE)".to_owned(), fails),
        ("CREATE UNIQUE INDEX t_u ON t (lower(u))".to_owned(), fails),
        ("UPDATE t SET u = lower(trim(u))".to_owned(), fails),
        ("UPDATE words SET word = lower(word)".to_owned(), fails),
        ("UPDATE OR REPLACE words SET word = lower(word)".to_owned(), &["2: data-loss words"]),
        ("UPDATE t SET a = lower(trim(a))".to_owned(), &[]),
        (rebuild(same, "INTO n SELECT *"), fails),
        (rebuild(same, "OR IGNORE INTO n SELECT *"), lost),
        (rebuild(no_case, "INTO n SELECT *"), fails),
        (rebuild(no_case, "OR REPLACE INTO n SELECT *"), lost),
        ("CREATE UNIQUE INDEX pairs_a ON pairs (a)".to_owned(), fails),
        ("CREATE UNIQUE INDEX pairs_c ON pairs (c)".to_owned(), fails),
        ("CREATE UNIQUE INDEX one ON levels (level)".to_owned(), fails),
        ("CREATE TABLE names (name TEXT PRIMARY KEY); INSERT INTO names SELECT a FROM t".to_owned(), fails),
        ("CREATE TABLE names (name TEXT PRIMARY KEY); INSERT INTO names SELECT DISTINCT a FROM t".to_owned(), &[]),
    ] {
        assert_eq!(findings_in(&[shop, &script]), expected, "{script}");
    }
}

/// As many new rows as old ones hide them from whoever only counts.
#[test]
fn rows_that_others_take_the_place_of_are_found() {
    let notes = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT UNIQUE, list INTEGER REFERENCES lists (id)); \
                 CREATE TABLE lists (id INTEGER PRIMARY KEY, name TEXT); \
                 CREATE TABLE words (word TEXT PRIMARY KEY, note TEXT) WITHOUT ROWID; \
                 CREATE TRIGGER again AFTER UPDATE OF name ON lists BEGIN DELETE FROM notes; \
                     INSERT INTO notes (body) VALUES ('a'), ('b'), ('c'), ('d'); END;";
    let seed = "INSERT INTO notes (body) VALUES ('a'), ('b'), ('c'), ('d');";
    let copy = "CREATE TEMP TABLE old AS SELECT * FROM notes;";
    let lost = ["2: data-loss notes"].as_slice();
    for (script, expected) in [
        (format!("DELETE FROM notes; {seed}"), lost),
        (format!("DELETE FROM notes WHERE id > 1; {seed}"), lost),
        (format!("{seed} DELETE FROM notes WHERE id > 5;"), lost),
        (format!("{copy} DELETE FROM notes; {seed} DROP TABLE old;"), lost),
        (format!("{copy} DELETE FROM notes; INSERT INTO notes SELECT * FROM old; {seed} DROP TABLE old;"), &[]),
        ("REPLACE INTO notes SELECT NULL, body, list FROM notes".to_owned(), &[]),
        ("REPLACE INTO notes (id, body) SELECT NULL, body FROM notes".to_owned(), &["2: data-loss notes.list"]),
        ("UPDATE notes SET body = 'x' || id".to_owned(), &[]),
        (format!("UPDATE notes SET body = 'x' || rowid; {seed}"), &[]),
        ("UPDATE lists SET name = 'x' || id".to_owned(), lost),
        (
            "DROP TABLE notes; CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT UNIQUE, list INTEGER REFERENCES \
          lists (id)); INSERT INTO notes (body) VALUES ('a'), ('b'), ('c'), ('d');"
                .to_owned(),
            lost,
        ),
        (
            "DELETE FROM words; INSERT INTO words VALUES ('a', ''), ('b', ''), ('c', ''), ('d', '')".to_owned(),
            &["2: data-loss words"],
        ),
        ("UPDATE words SET note = upper(note), word = 'x' || word; INSERT INTO words VALUES ('a', '')".to_owned(), &[]),
    ] {
        assert_eq!(findings_in(&[notes, &script]), expected, "{script}");
    }
}

#[test]
fn a_column_that_a_rebuild_does_not_copy_is_found() {
    const START: &str = "\
        CREATE TABLE users (
            id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE, admin BOOLEAN DEFAULT 0, since TEXT
        );";
    const SAME: &str = "id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE, admin BOOLEAN DEFAULT 0, since TEXT";
    const MOVED: &str = "id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT, admin BOOLEAN DEFAULT 0, since TEXT";
    let all = "(id, name, email, admin, since) SELECT id, name, email, admin, since";
    for (script, expected) in [
        (rebuild(SAME, all), &[][..]),
        (rebuild(SAME, "SELECT *"), &[][..]),
        (rebuild(MOVED, all), &[][..]),
        (rebuild(MOVED, "SELECT *"), &["2: fails-on-rows", "2: data-loss users.email", "2: data-loss users.name"]),
        (rebuild(SAME, "(id, email, admin, since) SELECT id, email, admin, since"), &["2: data-loss users.name"]),
        (rebuild(SAME, "(id, name, email, since) SELECT id, name, email, since"), &["2: data-loss users.admin"]),
        (rebuild(SAME, "(id, name, email, admin) SELECT id, name, email, admin"), &["2: data-loss users.since"]),
        (rebuild(SAME, "SELECT id, lower(name), email || '', admin, since"), &[][..]),
        (rebuild(SAME, "SELECT id, email, email, admin, since"), &["2: data-loss users.name"]),
        (rebuild(SAME, "SELECT id, coalesce(name, email), email, admin, since"), &[][..]),
    ] {
        assert_eq!(findings_in(&[START, &script]), *expected, "{script}");
    }
}

#[test]
fn whether_a_rebuild_renames_or_drops_a_column_is_seen_in_the_rows() {
    let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, secret TEXT, Flag BOOLEAN NOT NULL DEFAULT 0, b TEXT);";
    let rebuild = |columns: &str, copy: &str| {
        format!("CREATE TABLE n ({columns}); INSERT INTO n {copy} FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;")
    };
    let listener = "id INTEGER PRIMARY KEY, listener TEXT, Flag BOOLEAN NOT NULL DEFAULT 0, b TEXT";
    let last = "id INTEGER PRIMARY KEY, b TEXT, Flag BOOLEAN NOT NULL DEFAULT 0, listener TEXT";
    let active = "id INTEGER PRIMARY KEY, secret TEXT, active BOOLEAN NOT NULL DEFAULT 0, b TEXT";
    for (script, expected) in [
        (rebuild(listener, "SELECT id, NULL, Flag, b"), "2: drop-column t.secret"),
        (rebuild(listener, "SELECT id, '', Flag, b"), "2: drop-column t.secret"),
        (rebuild(listener, "SELECT *"), "2: rename-column t.secret"),
        (rebuild(last, "SELECT id, b, Flag, secret"), "2: rename-column t.secret"),
        (rebuild(last, "SELECT id, b, Flag, ''"), "2: drop-column t.secret"),
        (rebuild(active, "SELECT *"), "2: rename-column t.flag"),
        (rebuild(active, "(id, secret, b) SELECT id, secret, b"), "2: drop-column t.flag"),
        ("ALTER TABLE t RENAME COLUMN secret TO listener".to_owned(), "2: rename-column t.secret"),
        (
            "ALTER TABLE t DROP COLUMN secret; ALTER TABLE t ADD COLUMN listener TEXT".to_owned(),
            "2: drop-column t.secret",
        ),
    ] {
        assert_eq!(findings_in(&[table, &script]), [expected], "{script}");
    }
}

#[test]
fn a_sequence_that_goes_back_is_found() {
    const SAME: &str = "id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, email TEXT NOT NULL UNIQUE, \
                        admin BOOLEAN NOT NULL DEFAULT 0, since TEXT DEFAULT CURRENT_TIMESTAMP";
    let careless = rebuild(SAME, "SELECT *");
    let careful = careless.replace(
        "DROP TABLE users;",
        "UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'users') WHERE name = 'u'; \
         DROP TABLE users;",
    );
    assert_findings(&[(&careless, &["sequence-reset users"]), (&careful, &[])]);
}

#[test]
fn what_refers_to_what_is_gone_is_found_where_it_breaks() {
    let names = "CREATE VIEW names AS SELECT name FROM users;";
    let trigger =
        "CREATE TRIGGER t AFTER INSERT ON orders BEGIN UPDATE users SET name = 'x' WHERE id = new.user_id; END;";
    let drop = "DROP TABLE orders; DROP TABLE users;";
    let of_drop = ["2: drop-table orders", "2: drop-table users"];
    assert_eq!(findings_in(&[&format!("{SHOP}{names}"), drop]), [of_drop[0], of_drop[1], "2: broken-reference names"]);
    assert_eq!(findings_in(&[&format!("{SHOP}{names}"), &format!("DROP VIEW names; {drop}")]), of_drop);
    let users = rebuild(
        "id INTEGER PRIMARY KEY, email TEXT NOT NULL, admin BOOLEAN NOT NULL DEFAULT 0, \
         since TEXT DEFAULT CURRENT_TIMESTAMP",
        "SELECT id, email, admin, since",
    );
    let no_names = format!("PRAGMA legacy_alter_table = ON; {users}");
    let sequence = "2: left-out users";
    let column = "2: drop-column users.name";
    let unique = "2: drop-unique users.email";
    assert_eq!(
        findings_in(&[&format!("{SHOP}{trigger}"), &no_names]),
        [sequence, column, unique, "2: broken-reference t"]
    );
    let again = format!("DROP TRIGGER t; {no_names}");
    assert_eq!(findings_in(&[&format!("{SHOP}{trigger}"), &again]), [sequence, column, unique]);
    let later = "DROP VIEW names; CREATE TABLE x (y);";
    assert_eq!(findings_in(&[&format!("{SHOP}{names}"), drop, later]).len(), 3, "it is said once");
}

#[test]
fn down_migrations_are_tried_with_rows() {
    let up = "ALTER TABLE users ADD COLUMN nick TEXT";
    let cascade = "down:-- molos: foreign-keys = on\nALTER TABLE users DROP COLUMN nick";
    assert_eq!(findings_in(&[SHOP, up, cascade]), [""; 0]);
    let up = "CREATE TABLE n (name TEXT NOT NULL); INSERT INTO n SELECT email FROM users; \
              ALTER TABLE users DROP COLUMN name;";
    let down = "down:ALTER TABLE users ADD COLUMN name TEXT NOT NULL; DROP TABLE n;";
    let findings = findings_in(&["CREATE TABLE users (email TEXT NOT NULL, name TEXT NOT NULL)", up, down]);
    assert_eq!(findings, ["2: drop-column users.name", "2: failing-down"]);
    let seed = findings_in(&[
        SHOP,
        "INSERT INTO users (email) VALUES ('root')",
        "down:DELETE FROM users WHERE email = 'root'",
    ]);
    assert_eq!(seed, [""; 0]);
}

#[test]
fn rows_are_made_for_every_kind_of_table() {
    // Deleting them all is found only where there are some.
    let tables = [
        "a TEXT NOT NULL CHECK (a IN ('x', 'y')), b INTEGER CHECK (b BETWEEN 3 AND 9), c REAL CHECK (c >= 0 AND c <= 1)",
        "a TEXT PRIMARY KEY CHECK (length(a) = 64), b TEXT NOT NULL CHECK (json_valid(b))",
        "a BLOB NOT NULL CHECK (length(a) = 2), b BLOB NOT NULL CHECK (length(b) = 32), c, d DECIMAL(10, 2) NOT NULL",
        "a INTEGER NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID; CREATE TABLE unused (x",
        "a INT NOT NULL, b ANY NOT NULL, c TEXT NOT NULL AS (a || b) STORED) STRICT; CREATE TABLE unused (x",
        "id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES t (id)",
        "u INTEGER PRIMARY KEY REFERENCES u (id), a TEXT NOT NULL); CREATE TABLE u (id INTEGER PRIMARY KEY, b TEXT UNIQUE",
        "a, b, FOREIGN KEY (a, b) REFERENCES u (a, b)); CREATE TABLE u (a TEXT NOT NULL, b TEXT NOT NULL, PRIMARY KEY (a, b)",
        "at TEXT NOT NULL CHECK (at GLOB '2*Z'), id TEXT NOT NULL CHECK (id LIKE '%-%-%-%-%'), ok BOOLEAN NOT NULL",
        "a TEXT, b TEXT, CONSTRAINT one_of CHECK ((a IS NULL) <> (b IS NULL))",
        "\"select\" TEXT NOT NULL, [a b] TEXT NOT NULL, \"é\" TEXT NOT NULL UNIQUE",
    ];
    for columns in tables {
        let create = format!("CREATE TABLE t ({columns});");
        assert_eq!(findings_in(&[&create, "DELETE FROM t"]), ["2: data-loss t"], "{create}");
        assert_eq!(
            findings_in(&[&create, "ALTER TABLE t ADD COLUMN new TEXT", "DELETE FROM t WHERE new IS NULL"]).len(),
            1
        );
    }
}

#[test]
fn rows_are_made_that_refer_to_each_other() {
    let cycle = "CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER NOT NULL REFERENCES u (id));
                 CREATE TABLE u (id INTEGER PRIMARY KEY, t INTEGER NOT NULL REFERENCES t (id));";
    assert_eq!(findings_in(&[cycle, "DELETE FROM t"]), ["2: fails-on-rows"]);
    assert_eq!(findings_in(&[cycle, "DELETE FROM t; DELETE FROM u"]), ["2: data-loss t", "2: data-loss u"]);
}

#[test]
fn a_table_that_no_row_can_be_made_for_is_named() {
    let findings = findings_in(&["CREATE TABLE t (a TEXT NOT NULL CHECK (a = upper(a) || lower(a)))", "DELETE FROM t"]);
    assert_eq!(
        findings,
        ["1: not tried: no rows could be made up for `t`: CHECK constraint failed: a = upper(a) || lower(a)"]
    );
}

#[test]
fn triggers_do_not_fire_when_rows_are_made() {
    let log = "CREATE TABLE log (id INTEGER PRIMARY KEY CHECK (id = 0)); CREATE TABLE t (a TEXT); \
               CREATE TRIGGER no AFTER INSERT ON t BEGIN SELECT raise(ABORT, 'no'); END;";
    assert_eq!(findings_in(&[log, "DROP TRIGGER no; DELETE FROM t;"]), ["2: data-loss t"]);
}

#[test]
fn rows_that_a_step_put_in_stay_as_they_are() {
    let seed = "CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, config TEXT NOT NULL); \
                INSERT INTO roles VALUES (1, 'admin', 'level=9'), (2, 'user', 'level=1');";
    let parse = "UPDATE roles SET config = json_extract(config, '$.canary') WHERE name NOT IN ('admin', 'user'); \
                 CREATE TABLE n (level TEXT NOT NULL); \
                 INSERT INTO n SELECT nullif(substr(config, 7), '') FROM roles WHERE id < 3;";
    assert_eq!(findings_in(&[seed, parse, "INSERT INTO roles VALUES (3, 'guest', '');"]), [""; 0]);
}

#[test]
fn what_a_rebuild_forgets_is_found() {
    const NOTES: &str = "\
        CREATE TABLE authors (id INTEGER PRIMARY KEY);
        CREATE TABLE notes (
            id     INTEGER PRIMARY KEY AUTOINCREMENT,
            author INTEGER REFERENCES authors (id) ON DELETE CASCADE,
            title  TEXT NOT NULL DEFAULT '' COLLATE NOCASE CHECK (length(title) < 1000),
            upper  TEXT AS (upper(title))
        ) STRICT;
        CREATE INDEX notes_author ON notes (author);
        CREATE INDEX notes_titled ON notes (title) WHERE title <> '';
        CREATE TRIGGER notes_kept BEFORE DELETE ON notes WHEN old.id = 0 BEGIN SELECT raise(ABORT, 'kept'); END;
        CREATE VIEW titles AS SELECT title FROM notes;
        CREATE TRIGGER titles_in INSTEAD OF INSERT ON titles BEGIN INSERT INTO notes (title) VALUES (new.title); END;";
    const TABLE: &str = "\
            id     INTEGER PRIMARY KEY AUTOINCREMENT,
            author INTEGER REFERENCES authors (id) ON DELETE CASCADE,
            title  TEXT NOT NULL DEFAULT '' COLLATE NOCASE CHECK (length(title) < 1000),
            upper  TEXT AS (upper(title))";
    const BESIDE: &str = "\
        CREATE INDEX notes_author ON notes (author);
        CREATE INDEX notes_titled ON notes (title) WHERE title <> '';
        CREATE TRIGGER notes_kept BEFORE DELETE ON notes WHEN old.id = 0 BEGIN SELECT raise(ABORT, 'kept'); END;";
    let rebuilt = |first: &str, table: &str, beside: &str| {
        let rebuild = format!(
            "{first};
            DROP VIEW titles;
            CREATE TABLE new_notes ({table};
            INSERT INTO new_notes (id, author, title) SELECT id, author, title FROM notes;
            UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'notes')
            WHERE name = 'new_notes';
            DROP TABLE notes;
            ALTER TABLE new_notes RENAME TO notes;
            CREATE VIEW titles AS SELECT title FROM notes;
            CREATE TRIGGER titles_in INSTEAD OF INSERT ON titles
            BEGIN INSERT INTO notes (title) VALUES (new.title); END;
            {beside}"
        );
        findings_in(&[NOTES, &rebuild]).join("; ")
    };
    let strict = |table: &str| format!("{table}) STRICT");
    let whole = strict(TABLE);
    let without = |words: &str| strict(&TABLE.replacen(words, "", 1));
    for (first, table, beside, expected) in [
        ("", &whole, BESIDE, ""),
        ("", &whole, &BESIDE.replace("CREATE INDEX notes_author", "CREATE INDEX by_author"), ""),
        ("", &whole, &BESIDE.replace("(author)", "(author, id)"), ""),
        ("DROP INDEX notes_author", &whole, &BESIDE.replace("CREATE INDEX notes_author ON notes (author);", ""), ""),
        ("", &whole, "", "2: left-out notes_author; 2: left-out notes_titled; 2: left-out notes_kept"),
        ("DROP TRIGGER notes_kept; DROP INDEX notes_titled", &whole, "", "2: left-out notes_author"),
        ("", &format!("{TABLE})"), BESIDE, "2: left-out notes"),
        ("", &without(" AUTOINCREMENT"), BESIDE, "2: left-out notes"),
        ("", &without(" ON DELETE CASCADE"), BESIDE, "2: left-out notes.author"),
        ("", &without(" REFERENCES authors (id) ON DELETE CASCADE"), BESIDE, "2: left-out notes.author"),
        ("", &strict(&TABLE.replace("CASCADE", "SET NULL")), BESIDE, ""),
        ("", &without(" NOT NULL"), BESIDE, "2: left-out notes.title"),
        ("", &without(" DEFAULT ''"), BESIDE, "2: left-out notes.title"),
        ("", &strict(&TABLE.replace("DEFAULT ''", "DEFAULT 'x'")), BESIDE, ""),
        ("", &without(" COLLATE NOCASE"), BESIDE, "2: left-out notes.title"),
        ("", &without(" CHECK (length(title) < 1000)"), BESIDE, "2: left-out notes"),
        ("", &strict(&TABLE.replace("< 1000", "< 2000")), BESIDE, ""),
        ("", &without(" AS (upper(title))"), BESIDE, "2: left-out notes.upper"),
    ] {
        assert_eq!(rebuilt(first, table, beside), expected, "{first} {table} {beside}");
    }
    let view = "DROP VIEW titles; CREATE VIEW titles AS SELECT title FROM notes WHERE title <> ''";
    assert_eq!(findings_in(&[NOTES, view]), ["2: left-out titles_in"]);
    assert_eq!(findings_in(&[NOTES, "DROP VIEW titles"]), [""; 0]);
}

#[test]
fn a_table_that_is_renamed_and_changed_in_one_file_is_not_dropped() {
    let renamed = "ALTER TABLE users RENAME TO people; ";
    for (change, expected) in [
        ("", ""),
        ("ALTER TABLE people ADD COLUMN x TEXT", ""),
        ("ALTER TABLE people RENAME COLUMN name TO nick", "; 2: rename-column users.name"),
        ("ALTER TABLE people DROP COLUMN name", "; 2: drop-column users.name"),
        ("DELETE FROM orders; DELETE FROM people", "; 2: data-loss orders; 2: data-loss people"),
        ("UPDATE people SET name = NULL", "; 2: data-loss people.name"),
    ] {
        let found = findings_in(&[SHOP, &format!("{renamed}{change}")]).join("; ");
        assert_eq!(found, format!("2: rename-table users{expected}"), "{change}");
    }
    let found =
        findings_in(&[SHOP, "CREATE TABLE people (id INTEGER PRIMARY KEY); DROP TABLE orders; DROP TABLE users"]);
    assert_eq!(found, ["2: drop-table orders", "2: drop-table users"]);
}

#[test]
fn tables_and_columns_are_followed_through_all_of_their_names() {
    const NOTES: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, a TEXT, b TEXT, \"q\"\"s\" BOOLEAN); \
         CREATE TABLE other (id INTEGER PRIMARY KEY, a TEXT);";
    let rebuild = |copied: &str| {
        format!(
            "CREATE TABLE n (id INTEGER PRIMARY KEY, a TEXT, b TEXT, \"q\"\"s\" BOOLEAN); \
             INSERT INTO n SELECT {copied} FROM notes; DROP TABLE notes; ALTER TABLE n RENAME TO notes;"
        )
    };
    for (script, expected) in [
        (
            "ALTER TABLE notes DROP COLUMN b; ALTER TABLE notes RENAME COLUMN a TO b",
            "rename-column notes.a; drop-column notes.b",
        ),
        (
            "ALTER TABLE notes RENAME a TO x; ALTER TABLE notes RENAME b TO a; ALTER TABLE notes RENAME x TO b",
            "rename-column notes.a; rename-column notes.b",
        ),
        ("ALTER TABLE notes DROP COLUMN b; ALTER TABLE notes ADD COLUMN b TEXT", "drop-column notes.b"),
        ("ALTER TABLE notes RENAME COLUMN \"q\"\"s\" TO [x y]", "rename-column notes.q\"s"),
        ("DELETE FROM notes; ALTER TABLE notes RENAME TO n", "rename-table notes; data-loss n"),
        (
            "ALTER TABLE notes RENAME TO x; ALTER TABLE other RENAME TO notes; ALTER TABLE x RENAME TO other",
            "rename-table notes; rename-table other",
        ),
        ("DROP TABLE notes; ALTER TABLE other RENAME TO notes", "rename-table other; drop-table notes"),
        (&rebuild("*"), ""),
        (&rebuild("*").replace("INSERT", "INSERT OR IGNORE"), ""),
        (
            &rebuild("*").replace("INSERT", "INSERT OR IGNORE").replace("b TEXT", "b TEXT CHECK (b <> '')"),
            "data-loss notes",
        ),
        (&rebuild("id, a, '', \"q\"\"s\""), "data-loss notes.b"),
        (&rebuild("id, a, b, 1"), "data-loss notes.q\"s"),
        (&(rebuild("*") + &rebuild("id, 'x', b, \"q\"\"s\"")), "data-loss notes.a"),
        (
            &format!(
                "CREATE TEMP TABLE kept AS SELECT * FROM notes; {} DROP TABLE kept",
                rebuild("*").replace("FROM notes", "FROM kept")
            ),
            "",
        ),
    ] {
        let found: Vec<String> = findings_in(&[NOTES, script]).iter().map(|it| it.replacen("2: ", "", 1)).collect();
        assert_eq!(found.join("; "), expected, "{script}");
    }
}

#[test]
fn rows_that_only_a_part_of_a_key_keeps_apart_are_tried() {
    let tags = "CREATE TABLE tags (note INTEGER NOT NULL, \"the tag\" TEXT NOT NULL, PRIMARY KEY (note, \"the tag\"))";
    for script in ["CREATE UNIQUE INDEX i ON tags (note)", "CREATE UNIQUE INDEX i ON tags (\"the tag\")"] {
        assert_eq!(findings_in(&[tags, script]), ["2: fails-on-rows"], "{script}");
    }
    let trimmed = "CREATE TABLE users (name TEXT UNIQUE)";
    for script in ["UPDATE users SET name = trim(name)", "UPDATE users SET name = lower(name)"] {
        assert_eq!(findings_in(&[trimmed, script]), ["2: fails-on-rows"], "{script}");
    }
}

#[test]
fn what_follows_a_step_that_fails_is_tried_on_rows_as_well() {
    let parents = "\
        CREATE TABLE parent (id TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL, type TEXT NOT NULL);
        CREATE TABLE child (id TEXT PRIMARY KEY NOT NULL, parent_id TEXT NOT NULL REFERENCES parent (id));";
    let fails = "-- molos: allow fails-on-rows
        UPDATE parent SET type = CASE WHEN EXISTS (SELECT 1 FROM child WHERE child.id = parent.id) THEN 'child' END";
    let after = ["ALTER TABLE parent ADD COLUMN phone TEXT NOT NULL", "DELETE FROM child; DELETE FROM parent"];
    assert_eq!(findings_in(&[parents, fails, after[0]]), ["2: fails-on-rows", "3: fails-on-rows"]);
    let lost = ["2: fails-on-rows", "3: data-loss child", "3: data-loss parent"];
    assert_eq!(findings_in(&[parents, fails, after[1]]), lost);
    let copied =
        "CREATE TABLE n (a TEXT NOT NULL); INSERT INTO n SELECT NULL FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t";
    let found = findings_in(&["CREATE TABLE t (a TEXT NOT NULL)", copied, "DELETE FROM t"]);
    assert_eq!(found, ["2: fails-on-rows", "3: data-loss t"]);
}

/// Tables as people make them, each with what has to be thought of to get a row into it.
const TABLES_WITH_CHECKS: &[&str] = &[
    "CREATE TABLE mcp_api_keys (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
     key_hash BLOB NOT NULL UNIQUE CHECK (length(key_hash) = 32), \
     allowed_modules TEXT NOT NULL DEFAULT '[]' CHECK (json_type(allowed_modules) = 'array'), \
     expires_at INTEGER, created_at INTEGER NOT NULL DEFAULT (unixepoch()))",
    "CREATE TABLE tasks (id INTEGER PRIMARY KEY); CREATE TABLE depends (task_id INTEGER NOT NULL REFERENCES tasks (id), \
     on_id INTEGER NOT NULL REFERENCES tasks (id), PRIMARY KEY (task_id, on_id), CHECK (task_id <> on_id))",
    "CREATE TABLE threads (id INTEGER PRIMARY KEY); CREATE TABLE direct (id INTEGER PRIMARY KEY); \
     CREATE TABLE messages (id INTEGER PRIMARY KEY, surface TEXT NOT NULL CHECK (surface IN ('thread', 'direct')), \
     thread_id INTEGER REFERENCES threads (id), direct_id INTEGER REFERENCES direct (id), \
     CHECK ((surface = 'thread' AND thread_id IS NOT NULL AND direct_id IS NULL) \
     OR (surface = 'direct' AND direct_id IS NOT NULL AND thread_id IS NULL)))",
    "CREATE TABLE \"Äpfel\" (id INTEGER PRIMARY KEY, \"Größe\" TEXT NOT NULL CHECK (\"Größe\" IN ('S', 'M')))",
    "CREATE TABLE t (a INTEGER CHECK (a IN ('a', 'b', 'x')) NOT NULL)",
    "CREATE TABLE t (data TEXT NOT NULL CHECK (json_valid(data)))",
    "CREATE TABLE t (day TEXT NOT NULL CHECK (date(day) IS day))",
    "CREATE TABLE t (day TEXT NOT NULL CHECK (day IS strftime('%Y-%m-%d', day)))",
    "CREATE TABLE t (at TEXT NOT NULL CHECK (datetime(at) IS at))",
    "CREATE TABLE t (time TEXT NOT NULL CHECK (time(time) = time))",
    "CREATE TABLE t (at INTEGER NOT NULL CHECK (typeof(at) = 'integer' AND at > 1000000000000))",
    "CREATE TABLE t (starts INTEGER NOT NULL, ends INTEGER NOT NULL, CHECK (starts < ends))",
    "CREATE TABLE t (starts TEXT NOT NULL, ends TEXT NOT NULL, CHECK (ends > starts))",
    "CREATE TABLE t (low REAL NOT NULL, high REAL NOT NULL CHECK (high >= low), mid REAL CHECK (mid BETWEEN low AND high))",
    "CREATE TABLE t (a INTEGER, b INTEGER, CHECK ((a IS NULL) <> (b IS NULL)))",
    "CREATE TABLE t (a TEXT, b TEXT, c TEXT, CHECK ((a IS NOT NULL) + (b IS NOT NULL) + (c IS NOT NULL) = 1))",
    "CREATE TABLE t (name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 3))",
    "CREATE TABLE t (code TEXT NOT NULL CHECK (length(code) = 2 AND code = upper(code)))",
    "CREATE TABLE t (country TEXT NOT NULL CHECK (country GLOB '[A-Z][A-Z]'))",
    "CREATE TABLE t (colour TEXT NOT NULL CHECK (colour GLOB '#[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'))",
    "CREATE TABLE t (slug TEXT NOT NULL UNIQUE CHECK (slug NOT GLOB '*[^a-z0-9-]*' AND slug <> ''))",
    "CREATE TABLE t (email TEXT NOT NULL CHECK (email LIKE '%_@_%._%'))",
    "CREATE TABLE t (url TEXT NOT NULL CHECK (url LIKE 'https://%'))",
    "CREATE TABLE t (path TEXT NOT NULL CHECK (path LIKE '/%' AND path NOT LIKE '%/'))",
    "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36 AND id LIKE '________-____-____-____-____________'))",
    "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 26))",
    "CREATE TABLE t (hash TEXT NOT NULL CHECK (length(hash) = 64 AND hash NOT GLOB '*[^0-9a-f]*'))",
    "CREATE TABLE t (id BLOB PRIMARY KEY NOT NULL CHECK (typeof(id) = 'blob' AND length(id) = 16)) STRICT",
    "CREATE TABLE t (score REAL NOT NULL CHECK (score >= 0.0 AND score <= 1.0))",
    "CREATE TABLE t (percent INTEGER NOT NULL CHECK (percent >= 0 AND percent <= 100))",
    "CREATE TABLE t (latitude REAL CHECK (latitude BETWEEN -90 AND 90) NOT NULL)",
    "CREATE TABLE t (cents INTEGER NOT NULL CHECK (cents > 0), currency TEXT NOT NULL CHECK (currency IN ('EUR', 'USD')))",
    "CREATE TABLE t (debit INTEGER NOT NULL DEFAULT 0, credit INTEGER NOT NULL DEFAULT 0, \
     CHECK ((debit > 0 AND credit = 0) OR (debit = 0 AND credit > 0)))",
    "CREATE TABLE t (state TEXT NOT NULL CHECK (state IN ('open', 'done')), done_at TEXT, \
     CHECK ((state = 'done') = (done_at IS NOT NULL)))",
    "CREATE TABLE t (kind TEXT NOT NULL CHECK (kind IN ('a', 'b')), number INTEGER, text TEXT, \
     CHECK (CASE kind WHEN 'a' THEN number IS NOT NULL AND text IS NULL ELSE text IS NOT NULL AND number IS NULL END))",
    "CREATE TABLE t (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL)",
    "CREATE TABLE nodes (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES nodes (id), CHECK (parent_id <> id))",
    "CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE follows (a INTEGER NOT NULL REFERENCES users (id), \
     b INTEGER NOT NULL REFERENCES users (id), CHECK (a < b), UNIQUE (a, b))",
    "CREATE TABLE t (flags INTEGER NOT NULL CHECK ((flags & ~7) = 0))",
    "CREATE TABLE t (a INTEGER NOT NULL CHECK (a % 2 = 0), b TEXT NOT NULL CHECK (b = lower(b) AND trim(b) = b AND b <> ''))",
    "CREATE TABLE t (total INTEGER NOT NULL, used INTEGER NOT NULL CHECK (used <= total), left_over INTEGER AS (total - used))",
    "CREATE TABLE t (month INTEGER NOT NULL CHECK (month BETWEEN 1 AND 12), year INTEGER NOT NULL CHECK (year >= 1970), \
     PRIMARY KEY (year, month)) WITHOUT ROWID",
    "CREATE TABLE t (phone TEXT NOT NULL CHECK (phone GLOB '+[0-9]*' AND length(phone) BETWEEN 8 AND 16))",
];

#[test]
fn tables_take_a_row_whatever_they_check() {
    let untried: Vec<_> = TABLES_WITH_CHECKS.iter().flat_map(|sql| findings_in(&[sql])).collect();
    assert_eq!(untried, [""; 0]);
}

#[test]
fn rows_of_the_programs_own_are_tried_where_none_can_be_made_up() {
    let halves = "CREATE TABLE whole (id INTEGER PRIMARY KEY);
        CREATE TABLE halves (whole INTEGER NOT NULL REFERENCES whole, a TEXT CHECK (a = upper(a) || lower(a)) NOT NULL)";
    assert_eq!(findings_in(&[halves]).len(), 1);
    let row = "INSERT INTO whole VALUES (1); INSERT INTO halves (whole, a) VALUES (1, \'\')";
    let options = format!("rows = {{ \"Halves\" => \"{row}\" }}").replace("\\'", "'");
    assert_eq!(findings_with(&options, &[halves]), [""; 0]);
    for (script, expected) in [
        ("ALTER TABLE halves ADD COLUMN b TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP", "2: fails-on-rows"),
        // The row that the program gives leaves `b` out.
        (
            "ALTER TABLE halves ADD COLUMN b TEXT NOT NULL",
            "2: fails-on-rows; 2: not tried: no rows could be made up for `halves`: \
             CHECK constraint failed: a = upper(a) || lower(a)",
        ),
        ("DELETE FROM halves", "2: data-loss halves"),
        ("ALTER TABLE halves RENAME TO n", "2: rename-table halves"),
    ] {
        assert_eq!(findings_with(&options, &[halves, script]).join("; "), expected, "{script}");
    }
}

#[test]
fn findings_are_in_the_order_of_the_files() {
    let found = findings_in(&[SHOP, "CREATE UNIQUE INDEX i ON users (name)", "ALTER TABLE users DROP COLUMN since"]);
    assert_eq!(found, ["2: fails-on-rows", "3: drop-column users.since"]);
}

#[test]
fn after_a_step_that_only_rows_without_twins_take_there_are_twins_again() {
    let emails = "CREATE TABLE emails (email TEXT UNIQUE, note TEXT NOT NULL)";
    let lower = "UPDATE emails SET email = lower(email)";
    let delete = "DELETE FROM emails WHERE rowid NOT IN (SELECT min(rowid) FROM emails GROUP BY email)";
    assert_eq!(findings_in(&[emails, lower, delete]), ["2: fails-on-rows", "3: data-loss emails"]);
    let of_twins = "DELETE FROM emails WHERE rowid NOT IN (SELECT min(rowid) FROM emails GROUP BY note)";
    assert_eq!(findings_in(&[emails, lower, of_twins]), ["2: fails-on-rows", "3: data-loss emails"]);
}

#[test]
fn a_column_that_no_value_fills_is_named() {
    let never =
        "CREATE TABLE odd (id INTEGER PRIMARY KEY, word TEXT CHECK (word GLOB '[q]*[!a-z]z' AND instr(word, id)))";
    assert_eq!(findings_in(&[never]), ["1: not tried: no value could be made up for `odd.word`"]);
    let bytes = "CREATE TABLE odd (a BLOB, b TEXT AS (a) STORED, CHECK (b <> a))";
    assert_eq!(findings_in(&[bytes, "DELETE FROM odd WHERE a IS NOT NULL"]), ["2: data-loss odd"]);
}

#[test]
fn a_table_that_takes_no_row_after_a_step_that_failed_is_named() {
    let table = "CREATE TABLE t (a TEXT PRIMARY KEY, b INTEGER NOT NULL CHECK (b IN ('x', 'y')))";
    let refers = "CREATE TABLE u (a TEXT PRIMARY KEY, b INTEGER NOT NULL REFERENCES u (a) CHECK (b IN ('x', 'y'))); \
                  INSERT INTO u SELECT * FROM t; DROP TABLE t; ALTER TABLE u RENAME TO t";
    let expected = [
        "2: fails-on-rows",
        "2: not tried: no rows could be made up for `t`: CHECK constraint failed: b IN ('x', 'y')",
    ];
    assert_eq!(findings_in(&[table, refers, "DELETE FROM t"]), expected);
}

#[test]
fn a_column_of_any_type_has_texts_that_differ_in_case() {
    let any = "CREATE TABLE t (a ANY PRIMARY KEY) STRICT";
    let rebuild = "CREATE TABLE u (a ANY COLLATE NOCASE PRIMARY KEY) STRICT; INSERT OR IGNORE INTO u SELECT a FROM t; \
                   DROP TABLE t; ALTER TABLE u RENAME TO t";
    assert_eq!(findings_in(&[any, rebuild]), ["2: data-loss t"]);
}

#[test]
fn a_row_is_there_though_nothing_refers_to_it_any_more() {
    let nodes = "CREATE TABLE nodes (id INTEGER PRIMARY KEY, word TEXT, parent TEXT REFERENCES nodes (id), \
                 CHECK (word IN ('a', 'b', 'x')))";
    let rebuild = "CREATE TABLE n (id INTEGER PRIMARY KEY, word TEXT, CHECK (word IN ('a', 'b', 'x'))); \
                   INSERT INTO n SELECT id, word FROM nodes; DROP TABLE nodes; ALTER TABLE n RENAME TO nodes";
    assert_eq!(findings_in(&[nodes, rebuild]), ["2: drop-column nodes.parent"]);
    assert_eq!(findings_in(&[nodes, "ALTER TABLE nodes DROP COLUMN parent"]), ["2: drop-column nodes.parent"]);
}

#[test]
fn rows_that_a_migration_inserts_stand_for_no_users() {
    let selves = "CREATE TABLE selves (id INTEGER PRIMARY KEY REFERENCES selves (id)); INSERT INTO selves VALUES (1)";
    assert_eq!(findings_in(&[selves, "DELETE FROM selves"]), ["2: data-loss selves"]);
    let odd = "CREATE TABLE odd (a TEXT NOT NULL CHECK (a = upper(a) || lower(a))); INSERT INTO odd VALUES ('')";
    let untried = "1: not tried: no rows could be made up for `odd`: CHECK constraint failed: a = upper(a) || lower(a)";
    assert_eq!(findings_in(&[odd]), [untried]);
}

#[test]
fn a_column_that_a_copy_only_looks_at_is_left_behind() {
    let copy = |selected: &str| {
        format!(
            "CREATE TABLE o (id INTEGER PRIMARY KEY, meta TEXT); INSERT INTO o SELECT id, {selected} FROM orders \
             WHERE meta IS NOT NULL OR meta IS NULL; DROP TABLE orders; ALTER TABLE o RENAME TO orders"
        )
    };
    let orders = "CREATE TABLE orders (id INTEGER PRIMARY KEY, meta TEXT)";
    assert_eq!(findings_in(&[orders, &copy("''")]), ["2: data-loss orders.meta"]);
    assert_eq!(findings_in(&[orders, &copy("iif(meta IS NULL, '', meta)")]), [""; 0]);
    assert_eq!(findings_in(&[orders, &copy("iif(meta = 'new', 1, 0)")]), [""; 0]);
}

#[test]
fn a_column_that_was_added_with_a_default_may_be_null() {
    let added = "ALTER TABLE t ADD COLUMN word TEXT DEFAULT ''";
    let copied = "CREATE TABLE n (word TEXT NOT NULL); INSERT INTO n SELECT word FROM t";
    assert_eq!(findings_in(&["CREATE TABLE t (id INTEGER PRIMARY KEY)", added, copied]), ["3: fails-on-rows"]);
}

#[test]
fn a_flag_that_moved_before_its_name_was_given_to_another_is_not_lost() {
    let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, flag BOOLEAN)";
    let twice = "CREATE TABLE u (id INTEGER PRIMARY KEY, mark BOOLEAN); INSERT INTO u SELECT id, flag FROM t; DROP TABLE t; \
        ALTER TABLE u RENAME TO t; CREATE TABLE u (id INTEGER PRIMARY KEY, mark BOOLEAN, flag TEXT); \
        INSERT INTO u (id, mark) SELECT id, mark FROM t; DROP TABLE t; ALTER TABLE u RENAME TO t";
    assert_eq!(findings_in(&[table, twice]), ["2: rename-column t.flag"]);
}

#[test]
fn a_row_is_there_though_its_only_value_was_left_behind() {
    let words = "CREATE TABLE words (word TEXT)";
    let rebuild = "CREATE TABLE w (word TEXT); INSERT INTO w SELECT NULL FROM words; DROP TABLE words; ALTER TABLE w RENAME TO words";
    assert_eq!(findings_in(&[words, rebuild]), ["2: data-loss words.word"]);
    assert_eq!(findings_in(&[words, &rebuild.replace("FROM words", "FROM words LIMIT 1")]), ["2: data-loss words"]);
}

#[test]
fn rows_have_each_value_that_the_schema_names() {
    let posts = "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'draft' \
                 CHECK (status IN ('draft', 'live', 'gone')), origin TEXT DEFAULT 'web', level INTEGER DEFAULT 3)";
    for condition in ["status = 'draft'", "status = 'live'", "status = 'gone'", "origin = 'web'", "level = 3"] {
        let delete = format!("DELETE FROM posts WHERE {condition}");
        assert_eq!(findings_in(&[posts, &delete]), ["2: data-loss posts"], "{condition}");
    }
    assert_eq!(findings_in(&[posts, "DELETE FROM posts WHERE status = 'nowhere' OR origin = 'mail'"]), [""; 0]);
}

#[test]
fn a_table_with_a_row_for_each_of_its_parents_has_duplicates() {
    let profiles = "CREATE TABLE users (id INTEGER PRIMARY KEY); \
        CREATE TABLE profiles (user_id INTEGER PRIMARY KEY REFERENCES users (id), handle TEXT NOT NULL)";
    let unique = "CREATE UNIQUE INDEX handles ON profiles (handle)";
    assert_eq!(findings_in(&[profiles, unique]), ["2: fails-on-rows"]);
}
