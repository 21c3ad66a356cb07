//! One cause, one error: what only follows from a file that failed is not told again.

use super::checked;
use crate::check::Checked;
use crate::diagnostic::Diagnostic;

/// The titles of the errors and the names of the findings.
fn told(scripts: &[&str]) -> Vec<String> {
    let (_, _, Checked { findings, errors, .. }) = checked("", scripts);
    let title = |error: &Diagnostic| error.title().replace("migrations/", "").replace("_step.sql` fails", "`");
    let findings = findings.iter().map(|finding| format!("{}: {}", finding.version, finding.name()));
    errors.iter().map(title).chain(findings).collect()
}

#[test]
fn what_a_failing_statement_would_have_made_is_not_missed_again() {
    for (first, second) in [
        (
            "CREATE TABLE posts (id INTEGER PRIMARY KEY, body TEXT NOT NUL)",
            "CREATE VIEW v AS SELECT 1 FROM posts; SELECT * FROM v",
        ),
        ("CREATE TABLE posts (id INTEGER PRIMARY KEY, body TEXT NOT NUL)", "ALTER TABLE posts ADD COLUMN at TEXT"),
        ("CREATE TABLE \"values\" (\"key\" TEXT NOT NUL)", "INSERT INTO \"values\" VALUES (1)"),
        ("CREATE TABLE t (a); ALTER TABLE t ADD COLUMN \"index\" TEXT NOT NUL", "UPDATE t SET \"index\" = 1"),
        ("CREATE TABLE t (a); ALTER TABLE t RENAME TO table", "INSERT INTO \"table\" VALUES (1)"),
        ("CREATE TABLE t (a); DROP TABLE t CASCADE", "CREATE TABLE t (b)"),
    ] {
        let errors = told(&[first, second, second]);
        assert!(matches!(errors.as_slice(), [one] if one.starts_with("`1`: near")), "{first}: {errors:?}");
    }
}

#[test]
fn what_the_other_statements_of_a_failing_file_make_is_there() {
    let first = "CREATE TABLE a (x); INSERT INTO a VALUES (1, 2); CREATE TABLE b (y UNIQUE); INSERT INTO b VALUES (1)";
    let fails = "`1`: table a has 1 columns but 2 values were supplied";
    assert_eq!(told(&[first, "ALTER TABLE b ADD COLUMN z; INSERT INTO b VALUES (2, 2)"]), [fails]);
    let twice = "INSERT INTO b VALUES (1)";
    assert_eq!(told(&[first, twice]), [fails, "`2`: UNIQUE constraint failed: b.y"]);
}

#[test]
fn what_has_another_cause_is_told_beside_it() {
    let first = "CREATE TABLE posts (id INTEGER PRIMARY KEY); ALTER TABLE posts ADD COLUMN body TEXT NOT NUL";
    let fails = "`1`: near \"NUL\": syntax error";
    for (second, error) in [
        ("UPDATE posts SET title = ''", "`2`: no such column: title"),
        ("INSERT INTO posts (id, title) VALUES (1, '')", "`2`: table posts has no column named title"),
        (
            "CREATE VIEW v AS SELECT * FROM authors; ALTER TABLE posts RENAME TO p",
            "`2`: error in view v: no such table: main.authors",
        ),
        ("INSERT INTO posts (id) VALUES (1), (1)", "`2`: UNIQUE constraint failed: posts.id"),
    ] {
        assert_eq!(told(&[first, second]), [fails, error], "{second}");
    }
}

#[test]
fn what_rows_meet_is_told_beside_it_unless_it_follows() {
    let users = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT)";
    let fills = "UPDATE users SET name = 'x' WHERE nobody = 1";
    let fails = "`2`: no such column: nobody";
    for (column, found) in [("name", &[fails][..]), ("email", &[fails, "3: fails-on-rows"])] {
        let copy = format!(
            "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT, email TEXT, CHECK ({column} <> '')); \
             CREATE TABLE v (x NOT NULL); INSERT INTO v SELECT {column} FROM users"
        );
        let copy = copy.replace("(x NOT NULL)", &format!("({column} NOT NULL)"));
        assert_eq!(told(&[users, fills, &copy]), found, "{column}");
    }
    assert_eq!(told(&[users, "SELECT", "DELETE FROM users"]), ["`2`: incomplete input", "3: data-loss users"]);
}

#[test]
fn a_table_that_a_failing_file_leaves_in_temp_is_nobody_elses() {
    let leaves = "CREATE TEMP TABLE t (a); CREATE TABLE own (a)";
    let errors = told(&[leaves, "CREATE TABLE more (a)", "INSERT INTO own VALUES (1)"]);
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn rows_that_refer_to_nothing_are_told_once() {
    let keys = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p)";
    let dangling = "INSERT INTO c VALUES (1)";
    let errors = told(&[keys, dangling, "CREATE TABLE more (a)"]);
    assert_eq!(errors, ["`migrations/2_step.sql` leaves rows that refer to nothing".replace("migrations/", "")]);
}
