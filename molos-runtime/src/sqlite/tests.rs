//! That two schemas have the same facts if they are the same, and only then.

use rusqlite::Connection;

use super::schema::{Change, SchemaReader};
use crate::{Fingerprint, Schema};

mod property;

fn conn(sql: &str) -> Connection {
    let conn = Connection::open_in_memory().expect("a database");
    conn.execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    conn
}

fn schema(sql: &str) -> Schema {
    Schema::read(&conn(sql)).expect("it can be read")
}

/// Pairs of tables and indexes that SQLite tells apart.
const DIFFERENT_TABLES: &[(&str, &str)] = &[
    // Strings, words in double quotes, and values that are words.
    (r#"CREATE TABLE t (a DEFAULT "Admin")"#, r#"CREATE TABLE t (a DEFAULT "admin")"#),
    ("CREATE TABLE t (a DEFAULT Admin)", "CREATE TABLE t (a DEFAULT admin)"),
    ("CREATE TABLE t (a DEFAULT [Admin])", "CREATE TABLE t (a DEFAULT [admin])"),
    (r#"CREATE TABLE t (a DEFAULT "true")"#, "CREATE TABLE t (a DEFAULT true)"),
    ("CREATE TABLE t (a DEFAULT [null])", "CREATE TABLE t (a DEFAULT null)"),
    (r#"CREATE TABLE t (a DEFAULT "CURRENT_TIMESTAMP")"#, "CREATE TABLE t (a DEFAULT CURRENT_TIMESTAMP)"),
    ("CREATE TABLE t (a DEFAULT 'a''b')", "CREATE TABLE t (a DEFAULT 'a''B')"),
    ("CREATE TABLE t (a DEFAULT x'0A')", "CREATE TABLE t (a DEFAULT '0A')"),
    ("CREATE TABLE t (a DEFAULT -1.5)", "CREATE TABLE t (a DEFAULT 1.5)"),
    (r#"CREATE TABLE t (b CHECK (b IN ("A")))"#, r#"CREATE TABLE t (b CHECK (b IN ("a")))"#),
    (r#"CREATE TABLE t (b CHECK (b IN ("A")))"#, "CREATE TABLE t (b CHECK (b IN ('a')))"),
    (r#"CREATE TABLE t (a, b CHECK (b <> "a"))"#, "CREATE TABLE t (a, b CHECK (b <> 'a'))"),
    (r#"CREATE TABLE t (a CHECK (a <> "ROWID"))"#, "CREATE TABLE t (a CHECK (a <> 'ROWID'))"),
    (r#"CREATE TABLE t (a, b AS (a || "X"))"#, r#"CREATE TABLE t (a, b AS (a || "x"))"#),
    (r#"CREATE TABLE t (a CHECK (a <> "null"))"#, "CREATE TABLE t (a CHECK (a <> null))"),
    (r#"CREATE TABLE t (a); CREATE INDEX i ON t ("X", a)"#, r#"CREATE TABLE t (a); CREATE INDEX i ON t ("x", a)"#),
    (
        r#"CREATE TABLE t (a); CREATE INDEX i ON t (a) WHERE a <> "X""#,
        r#"CREATE TABLE t (a); CREATE INDEX i ON t (a) WHERE a <> "x""#,
    ),
    // Names.
    ("CREATE TABLE t (É)", "CREATE TABLE t (é)"),
    ("CREATE TABLE É (a)", "CREATE TABLE é (a)"),
    (r#"CREATE TABLE t ("a""b")"#, "CREATE TABLE t (a b)"),
    (r#"CREATE TABLE t ("a b")"#, "CREATE TABLE t (a b)"),
    (r#"CREATE TABLE t ("a , b")"#, "CREATE TABLE t (a, b)"),
    (r#"CREATE TABLE t ("1" INT); CREATE INDEX i ON t ("1")"#, r#"CREATE TABLE t ("1" INT); CREATE INDEX i ON t (1)"#),
    // Types.
    ("CREATE TABLE t (a generated)", "CREATE TABLE t (a)"),
    ("CREATE TABLE t (a BIG /* int */ NUMBER)", "CREATE TABLE t (a BIG NUMBER)"),
    (r#"CREATE TABLE t (a "INTEGER" PRIMARY KEY)"#, "CREATE TABLE t (a INTEGER PRIMARY KEY)"),
    ("CREATE TABLE t (a \"not null\")", "CREATE TABLE t (a not null)"),
    ("CREATE TABLE t (a \"x\" int)", "CREATE TABLE t (a x int)"),
    // Keys.
    ("CREATE TABLE t (a INTEGER PRIMARY KEY DESC)", "CREATE TABLE t (a INTEGER, PRIMARY KEY (a DESC))"),
    ("CREATE TABLE t (a INTEGER PRIMARY KEY)", "CREATE TABLE t (a INT PRIMARY KEY)"),
    ("CREATE TABLE t (a INTEGER PRIMARY KEY)", "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT)"),
    ("CREATE TABLE t (a PRIMARY KEY) WITHOUT ROWID", "CREATE TABLE t (a PRIMARY KEY)"),
    ("CREATE TABLE t (a UNIQUE ON CONFLICT IGNORE)", "CREATE TABLE t (a UNIQUE)"),
    ("CREATE TABLE t (a NOT NULL ON CONFLICT IGNORE)", "CREATE TABLE t (a NOT NULL)"),
    ("CREATE TABLE t (a, UNIQUE (a COLLATE nocase))", "CREATE TABLE t (a, UNIQUE (a))"),
    ("CREATE TABLE t (a REFERENCES p ON DELETE CASCADE)", "CREATE TABLE t (a REFERENCES p ON UPDATE CASCADE)"),
    ("CREATE TABLE t (a REFERENCES p (a))", "CREATE TABLE t (a REFERENCES p)"),
    ("CREATE TABLE t (a REFERENCES p REFERENCES p)", "CREATE TABLE t (a REFERENCES p)"),
    ("CREATE TABLE t (a REFERENCES p, b DEFERRABLE INITIALLY DEFERRED)", "CREATE TABLE t (a REFERENCES p, b)"),
    ("CREATE TABLE t (a, b, UNIQUE (a) CHECK (b > 0))", "CREATE TABLE t (a, b, UNIQUE (a))"),
];

/// Pairs of views and triggers that it does.
const DIFFERENT_QUERIES: &[(&str, &str)] = &[
    (
        r#"CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t WHERE a = "X""#,
        r#"CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t WHERE a = "x""#,
    ),
    (
        r#"CREATE TABLE t (a); CREATE TABLE u (x); CREATE VIEW v AS SELECT a = "X" FROM t UNION SELECT x FROM u"#,
        r#"CREATE TABLE t (a); CREATE TABLE u (x); CREATE VIEW v AS SELECT a = "x" FROM t UNION SELECT x FROM u"#,
    ),
    (
        r#"CREATE TABLE t (a); CREATE TABLE u (x); CREATE VIEW v AS SELECT a = "X" FROM t WHERE 1 IN (SELECT x FROM u)"#,
        r#"CREATE TABLE t (a); CREATE TABLE u (x); CREATE VIEW v AS SELECT a = "x" FROM t WHERE 1 IN (SELECT x FROM u)"#,
    ),
    (
        r#"CREATE TABLE t (a); CREATE VIEW v AS WITH t AS (SELECT 1 AS z) SELECT "A" FROM t"#,
        r#"CREATE TABLE t (a); CREATE VIEW v AS WITH t AS (SELECT 1 AS z) SELECT "a" FROM t"#,
    ),
    (
        r#"CREATE TABLE t (a); CREATE VIEW v AS SELECT * FROM t, (SELECT "A" AS b)"#,
        r#"CREATE TABLE t (a); CREATE VIEW v AS SELECT * FROM t, (SELECT "a" AS b)"#,
    ),
    (
        r#"CREATE TABLE t (a); CREATE VIEW v AS SELECT a AS x, "X" AS y FROM t"#,
        r#"CREATE TABLE t (a); CREATE VIEW v AS SELECT a AS x, "x" AS y FROM t"#,
    ),
    (
        r#"CREATE TABLE t (a); CREATE VIEW v AS SELECT a IS DISTINCT FROM "X" FROM t"#,
        r#"CREATE TABLE t (a); CREATE VIEW v AS SELECT a IS DISTINCT FROM "x" FROM t"#,
    ),
    (
        r#"CREATE TABLE t (a); CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO t VALUES ("A"); END"#,
        r#"CREATE TABLE t (a); CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO t VALUES ("a"); END"#,
    ),
    (
        r#"CREATE TABLE t (a); CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO t SELECT max("A"); END"#,
        r#"CREATE TABLE t (a); CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO t SELECT max("a"); END"#,
    ),
    (
        r#"CREATE TABLE t (a UNIQUE); CREATE TABLE u (x); CREATE TRIGGER g AFTER INSERT ON u BEGIN
               INSERT INTO t SELECT 1 FROM u WHERE 1 ON CONFLICT (a) DO UPDATE SET a = "X"; END"#,
        r#"CREATE TABLE t (a UNIQUE); CREATE TABLE u (x); CREATE TRIGGER g AFTER INSERT ON u BEGIN
               INSERT INTO t SELECT 1 FROM u WHERE 1 ON CONFLICT (a) DO UPDATE SET a = "x"; END"#,
    ),
    (
        r#"CREATE TABLE t (a); CREATE TABLE u (a); CREATE VIEW v AS SELECT * FROM t "left" JOIN u"#,
        "CREATE TABLE t (a); CREATE TABLE u (a); CREATE VIEW v AS SELECT * FROM t left JOIN u",
    ),
    ("CREATE VIEW v AS SELECT x'ab' FROM (SELECT 1 AS x)", "CREATE VIEW v AS SELECT x 'ab' FROM (SELECT 1 AS x)"),
    (
        "CREATE TABLE t (a); CREATE TRIGGER g AFTER UPDATE ON t BEGIN SELECT 1; END",
        "CREATE TABLE t (a); CREATE TRIGGER g AFTER UPDATE OF a ON t BEGIN SELECT 1; END",
    ),
    ("CREATE VIRTUAL TABLE t USING fts5 (a, tokenize = 'ascii')", "CREATE VIRTUAL TABLE t USING fts5 (a)"),
];

#[test]
fn what_is_something_else_has_other_facts_and_another_fingerprint() {
    for (one, other) in DIFFERENT_TABLES.iter().chain(DIFFERENT_QUERIES) {
        let (a, b) = (schema(one), schema(other));
        assert_ne!(a, b, "{one}");
        assert_ne!(a.differences(&b), [], "{one}");
        assert_ne!(a.fingerprint(), b.fingerprint(), "{one}");
    }
}

#[test]
fn what_is_only_written_otherwise_has_the_same_facts() {
    let pairs = [
        (r#"CREATE TABLE t (a DEFAULT "x")"#, "CREATE TABLE t (a DEFAULT 'x')"),
        ("CREATE TABLE t (a DEFAULT (-1.5E3))", "CREATE TABLE t (a DEFAULT -1.5e3)"),
        (r#"CREATE TABLE t (a CHECK (a IN ("A")))"#, "CREATE TABLE t (a CHECK (a IN (a)))"),
        (r#"CREATE TABLE t (A CHECK ("a" IN ("x")))"#, "CREATE TABLE t (a CHECK (a IN ('x')))"),
        (r#"CREATE TABLE t (key CHECK ("KEY" > 0))"#, "CREATE TABLE t (key CHECK (key > 0))"),
        (r#"CREATE TABLE t ("a""b" CHECK ("A""B" > 0))"#, "CREATE TABLE t ([a\"b] CHECK (`a\"b` > 0))"),
        ("CREATE TABLE t (a, UNIQUE (a ASC))", "CREATE TABLE t (a UNIQUE)"),
        (
            r#"CREATE TABLE t (a, b); CREATE VIEW v AS SELECT "A" "X" FROM "T" WHERE "t"."B" = "b""#,
            "CREATE TABLE t (a, b); create view V as select a x from t where t.b=b",
        ),
        (
            r#"CREATE TABLE t (a); CREATE TABLE u (b); CREATE VIEW v AS SELECT * FROM t JOIN u ON "A" = "B" WHERE EXISTS
               (SELECT 1 FROM t AS w WHERE "w"."a" = "b")"#,
            "CREATE TABLE t (a); CREATE TABLE u (b); CREATE VIEW v AS SELECT * FROM t JOIN u ON a = b WHERE EXISTS
               (SELECT 1 FROM t AS w WHERE w.a = b)",
        ),
        (
            r#"CREATE TABLE t (a); CREATE TRIGGER "g" BEFORE UPDATE OF "A" ON "t" FOR EACH ROW WHEN new."a" > 0 BEGIN
               INSERT INTO "t" ("A") VALUES (1) ON CONFLICT DO UPDATE SET "A" = 2; UPDATE "t" SET "a" = "A"; END"#,
            "CREATE TABLE t (a); CREATE TRIGGER g UPDATE OF a ON t WHEN new.a > 0 BEGIN
               INSERT INTO t (a) VALUES (1) ON CONFLICT DO UPDATE SET a = 2; UPDATE t SET a = a; END",
        ),
        (
            r#"CREATE TABLE t (a); CREATE UNIQUE INDEX "I" ON "T" ("A" COLLATE "nocase" DESC) WHERE "a" > 0"#,
            "CREATE TABLE t (a); CREATE UNIQUE INDEX i ON t (a COLLATE NOCASE DESC) WHERE a > 0",
        ),
    ];
    for (one, other) in pairs {
        let (a, b) = (schema(one), schema(other));
        assert_eq!(a.differences(&b), [], "{one}");
        assert_eq!(a.fingerprint(), b.fingerprint(), "{one}");
    }
}

/// Whoever makes this fail on purpose has to change [`Fingerprint::FORMAT`], too.
#[test]
fn a_fingerprint_stays_what_it_is_as_long_as_its_format_does() {
    let everything = schema(
        "CREATE TABLE p (id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT COLLATE NOCASE UNIQUE);
         CREATE TABLE t (
             a INTEGER NOT NULL ON CONFLICT IGNORE DEFAULT -1.5e3 CHECK (a > 0),
             b TEXT REFERENCES p (n) ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED,
             c VARCHAR (9) AS (b || 'x') STORED, \"d e\", PRIMARY KEY (a, b DESC) ON CONFLICT REPLACE
         ) WITHOUT ROWID;
         CREATE TABLE s (a INT) STRICT;
         CREATE UNIQUE INDEX i ON t (lower(b), c COLLATE nocase DESC) WHERE a > 1;
         CREATE VIEW v (x) AS SELECT a FROM t;
         CREATE TRIGGER g INSTEAD OF INSERT ON v WHEN new.x > 1 BEGIN DELETE FROM t; END;
         CREATE TRIGGER h AFTER UPDATE OF a, b ON t BEGIN SELECT 1; END;
         CREATE VIRTUAL TABLE f USING fts5 (title, body);",
    );
    let texts: Vec<String> = everything
        .facts()
        .flat_map(|(object, facts)| facts.iter().map(move |fact| format!("{object}: {fact}")))
        .collect();
    assert_eq!(
        texts,
        [
            "index i: unique index on t ( ( lower ( b ) ) , c collate nocase desc ) where a > 1",
            "table f: using fts5 ( title , body )",
            "table p: column id integer",
            "table p: column n text collate nocase",
            "table p: columns ( id , n )",
            "table p: primary key ( id ) autoincrement as rowid",
            "table p: unique ( n )",
            "table s: column a int",
            "table s: columns ( a )",
            "table s: strict",
            "table t: check ( a > 0 )",
            "table t: column a integer default -1.5e3 not null on conflict ignore",
            "table t: column b text",
            "table t: column c varchar ( 9 ) as ( b || 'x' ) stored",
            "table t: column \"d e\"",
            "table t: columns ( a , b , c , \"d e\" )",
            "table t: foreign key ( b ) references p ( n ) on delete cascade on update set null deferrable initially deferred",
            "table t: primary key ( a , b desc ) on conflict replace",
            "table t: without rowid",
            "trigger g: instead of insert on v when ( new . x > 1 ) begin delete from t ; end",
            "trigger h: after update of ( a , b ) on t begin select 1 ; end",
            "view v: view ( x ) as select a from t",
        ]
    );
    assert_eq!(Fingerprint::FORMAT, 1);
    assert_eq!(
        everything.fingerprint().to_string(),
        "bdf8e42676dd3c3295b040d048bb4c9aa1d19ca30fd0eefdf47e0a160005f223"
    );
}

#[test]
fn the_way_there_does_not_count() {
    let built = schema("CREATE TABLE a (x TEXT, y INTEGER DEFAULT 1); CREATE INDEX i ON a (x); CREATE TABLE b (z);");
    let grown = schema(
        "CREATE TABLE b (z); CREATE TABLE gone (z); CREATE TABLE old (\"X\" TEXT); CREATE INDEX \"i\" ON old(x); \
         ALTER TABLE old RENAME TO a; ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 2; \
         ALTER TABLE a DROP COLUMN y; ALTER TABLE a ADD y INTEGER DEFAULT (1); DROP TABLE gone;",
    );
    assert_eq!(grown.differences(&built), []);
    assert_eq!(grown.fingerprint(), built.fingerprint());
    assert_ne!(built.fingerprint(), Fingerprint::default());
}

#[test]
fn reading_what_changed_is_the_same_as_reading_anew() {
    let changes = [
        ("CREATE TABLE c (x); CREATE INDEX c_x ON c (x); CREATE VIEW w AS SELECT 1", Change::Added(Vec::new())),
        ("ALTER TABLE A ADD COLUMN y; CREATE TABLE d (x)", Change::Added(vec!["A".to_owned()])),
        ("INSERT INTO a VALUES (1)", Change::Nothing),
        ("CREATE VIRTUAL TABLE f USING fts5 (x)", Change::Added(Vec::new())),
        ("ALTER TABLE a ADD COLUMN y; DROP TABLE b; CREATE VIEW w AS SELECT x FROM a", Change::Anything),
        ("ALTER TABLE b RENAME TO e", Change::Anything),
        // What was a string is now a name.
        ("ALTER TABLE a ADD COLUMN q", Change::Added(vec!["a".to_owned()])),
        ("CREATE TABLE later (q)", Change::Added(Vec::new())),
        ("DROP INDEX b_x; DROP TABLE b; CREATE TABLE b (q)", Change::Anything),
    ];
    for (sql, change) in changes {
        let later = if sql.contains("later") { r#"CREATE VIEW l AS SELECT "Q" FROM later;"# } else { "" };
        let conn = conn(&format!(
            r#"CREATE TABLE a (x); CREATE TABLE b (x); CREATE INDEX b_x ON b (x); CREATE INDEX i ON a (x, "Q");
               CREATE VIEW v AS SELECT "Q" FROM a, b; {later}"#,
        ));
        let mut reader = SchemaReader::read(&conn).expect("it can be read");
        let before = reader.schema().clone();
        conn.execute_batch(sql).expect("a change");
        let told = reader.refresh(&conn, &change).expect("it can be read");
        let anew = Schema::read(&conn).expect("it can be read");
        assert_eq!(*reader.schema(), anew, "{sql}");
        let mut told: Vec<_> = told.into_iter().map(|it| it.object).collect();
        told.sort();
        let mut differing: Vec<_> = anew.differences(&before).iter().map(|it| it.object().clone()).collect();
        differing.sort();
        assert_eq!(told, differing, "{sql}");
    }
}

#[test]
fn differences_are_told_object_by_object() {
    let expected = schema(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL); CREATE INDEX users_name ON users (name);",
    );
    let found = schema("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); CREATE VIEW v AS SELECT 1;");
    let told: Vec<String> = found.differences(&expected).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "index users_name is missing",
            "table users differs\n  - column name text not null\n  + column name text",
            "view v should not be there",
        ]
    );
}

#[test]
fn what_belongs_to_sqlite_a_module_or_a_history_is_not_the_applications() {
    let schema = schema(
        "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, b UNIQUE); CREATE VIRTUAL TABLE f USING fts5 (x); \
         CREATE TABLE _molos_migrations (a); CREATE TABLE _sqlx_migrations (a); CREATE INDEX i ON _sqlx_migrations (a);",
    );
    let names: Vec<String> = schema.objects().map(ToString::to_string).collect();
    assert_eq!(names, ["table a", "table f"]);
}
