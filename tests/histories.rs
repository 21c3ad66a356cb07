//! Histories that are not as molos writes them: what is wrong is said, and nothing is guessed or changed.

use std::collections::BTreeSet;

use molos::rusqlite::types::Value;
use molos::rusqlite::{Connection, params_from_iter};
use molos::{Checksum, Error, ErrorKind, HistoryProblem, Migration, Migrations, Migrator, Rollback};
use proptest::prelude::*;

const COLUMNS: &str = "set_name, version, name, checksum, applied_at, duration_us, down, format";
const CHECKSUM: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// A step with the checksum that these histories have, whatever its SQL is.
fn step(version: i64) -> Migration<'static> {
    let script = |sql| molos::__private::Script { sql, line: 1, keys: molos::ForeignKeys::Off, no_transaction: false };
    // Those with an odd version have no down migration.
    let down = (version % 2 == 0).then(|| script("SELECT 2"));
    Migration::of_file(version, "step", "step", Checksum::from_bytes([7; 32]), script("SELECT 1"), down)
}

fn app<'m>(list: &'m [Migration<'m>]) -> Migrations<'m> {
    Migrations::new("app", "migrations", list)
}

/// Everything there is in a database, as text.
fn dump(conn: &Connection) -> Vec<String> {
    let read = |sql: &str| -> Vec<String> {
        let mut statement = conn.prepare(sql).expect("a query");
        let rows = statement.query_map([], |row| row.get(0)).expect("rows");
        rows.collect::<molos::rusqlite::Result<_>>().expect("rows")
    };
    let mut all = read("SELECT coalesce(sql, name) FROM sqlite_schema");
    let table = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name LIKE '_molos_migrations')";
    if conn.query_row(table, [], |row| row.get(0)).expect("a look") {
        let columns = read("SELECT name FROM pragma_table_info('_molos_migrations')");
        let quoted: Vec<_> = columns.iter().map(|column| format!("quote({column})")).collect();
        all.extend(read(&format!("SELECT {} FROM _molos_migrations", quoted.join(" || ', ' || "))));
    }
    all
}

#[test]
fn a_history_that_cannot_be_written_to_is_refused_before_anything_runs() {
    let whole = "CREATE TABLE _molos_migrations (set_name TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL, \
                 checksum TEXT NOT NULL, applied_at INTEGER NOT NULL, duration_us INTEGER NOT NULL, down TEXT, \
                 format INTEGER NOT NULL, PRIMARY KEY (set_name, version)) WITHOUT ROWID;";
    let row = format!("INSERT INTO _molos_migrations VALUES ('app', 1, 'step', '{CHECKSUM}', 0, 0, NULL, 1);");
    let plain = format!("CREATE TABLE _molos_migrations ({COLUMNS});");
    let keyed = format!("CREATE TABLE _molos_migrations ({COLUMNS}, PRIMARY KEY (set_name, version));");
    let cases = [
        // Of another tool, or of nobody.
        ("CREATE TABLE _MOLOS_Migrations (a)".to_owned(), "no such column: version"),
        (format!("CREATE TABLE t ({COLUMNS}); CREATE VIEW _molos_migrations AS SELECT * FROM t"), "it is a view"),
        (
            "CREATE TABLE t (a); CREATE INDEX _molos_migrations ON t (a)".to_owned(),
            "no such table: main._molos_migrations",
        ),
        // Copied by a tool that keeps columns and forgets the key.
        (plain.clone() + &row, "its primary key is (), and not (set_name, version)"),
        (plain.replace("version", "version INTEGER PRIMARY KEY"), "its primary key is (version), and not (set_name"),
        (plain + &row + &row, "version 1 is there twice"),
        // Changed by hand.
        (keyed.clone() + &row.replace("'app', 1", "NULL, 1"), "set_name is null"),
        (keyed + &row.replace("'app', 1", "x'617070', 1"), "set_name is blob"),
        (whole.to_owned() + &row.replace("0, 0, NULL", "0, -1, NULL"), "the duration of version 1 is negative"),
        (whole.to_owned() + &row.replace(CHECKSUM, "0707"), "the checksum of version 1 is \"0707\": a checksum is 64"),
        (
            whole.replace("format INTEGER NOT NULL,", "format INTEGER NOT NULL, CHECK (version < 2),") + &row,
            "CHECK constraint failed: version < 2",
        ),
        (
            whole.replace("format INTEGER NOT NULL,", "format INTEGER NOT NULL, host TEXT NOT NULL,"),
            "NOT NULL constraint failed: _molos_migrations.host",
        ),
        (
            format!(
                "{whole} CREATE TRIGGER audit BEFORE INSERT ON _molos_migrations
                 BEGIN SELECT raise(ABORT, 'by hand only'); END;"
            ),
            "by hand only",
        ),
    ];
    let list = [step(1), step(2)];
    for (sql, expected) in cases {
        let mut conn = Connection::open_in_memory().expect("a database");
        conn.execute_batch(&sql).expect("a history");
        let before = dump(&conn);
        let error = app(&list).migrate(&mut conn).expect_err(expected);
        match error.kind() {
            ErrorKind::History(HistoryProblem::Damaged(problem)) => {
                assert!(problem.starts_with(expected), "{problem}, not {expected}");
            }
            _ => panic!("{expected}: {error:#}"),
        }
        assert_eq!(dump(&conn), before);
        assert!(conn.is_autocommit());
    }
}

#[test]
fn a_history_in_a_newer_format_is_refused_and_says_so() {
    let list = [step(1), step(2)];
    let change_format = "UPDATE _molos_migrations SET format = 2 WHERE version = 2";
    // A format that has the columns of this one, and one that has not.
    for change in
        [change_format, &format!("{change_format}; ALTER TABLE _molos_migrations RENAME COLUMN name TO title")]
    {
        let mut conn = Connection::open_in_memory().expect("a database");
        app(&list).migrate(&mut conn).expect("it migrates");
        conn.execute_batch(change).expect("a newer format");
        let before = dump(&conn);
        let migrations = app(&list);
        let migrator = Migrator::new(&migrations);
        for error in [migrator.migrate(&mut conn).map(drop), migrator.rollback(&mut conn, Rollback::All).map(drop)] {
            let error = error.expect_err("it cannot be read");
            assert!(
                matches!(error.kind(), ErrorKind::History(HistoryProblem::NewerFormat { format: 2, .. })),
                "{error:#}"
            );
        }
        assert_eq!(dump(&conn), before);
    }
}

#[test]
fn a_version_that_no_list_has_is_unknown_and_not_damaged() {
    let mut conn = Connection::open_in_memory().expect("a database");
    let list = [step(1), step(2)];
    app(&list).migrate(&mut conn).expect("it migrates");
    for (version, is_newer) in [(i64::MIN, false), (-1, false), (i64::MAX, true)] {
        conn.execute("UPDATE _molos_migrations SET version = ?1 WHERE version <> 1", [version]).expect("a change");
        let error = app(&list).migrate(&mut conn).expect_err("unknown");
        assert_eq!(matches!(error.kind(), ErrorKind::Newer { .. }), is_newer, "{error}");
        assert_eq!(matches!(error.kind(), ErrorKind::Unknown { .. }), !is_newer, "{error}");
        assert!(format!("{error:#}").contains(&version.to_string()));
        // A program that cannot go on still shows what there is.
        let status = Migrator::new(&app(&list)).status(&mut conn).expect("a status").to_string();
        assert!(status.contains(&version.to_string()), "{status}");
    }
}

/// What is to be done, or the name of what is wrong.
type Outcome = std::result::Result<Vec<i64>, &'static str>;

fn outcome(plan: std::result::Result<molos::Plan<'_>, Error>) -> Outcome {
    let error = match plan {
        Ok(plan) => return Ok(plan.steps().iter().map(Migration::version).collect()),
        Err(error) => error,
    };
    Err(match error.kind() {
        ErrorKind::History(_) => "damaged",
        ErrorKind::Edited { .. } => "edited",
        ErrorKind::Renamed { .. } => "renamed",
        ErrorKind::Newer { .. } => "newer",
        ErrorKind::Unknown { .. } => "unknown",
        ErrorKind::OutOfOrder { .. } => "out of order",
        ErrorKind::Irreversible { .. } => "irreversible",
        _ => panic!("{error:#}"),
    })
}

/// Whether a row is one that molos could have written.
fn is_whole(row: &[Value]) -> bool {
    let is_checksum = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    matches!(
        &row[..6],
        [_, Value::Integer(_), Value::Text(_), Value::Text(checksum), Value::Integer(_), Value::Integer(duration)]
            if is_checksum(checksum) && *duration >= 0
    )
}

/// The versions that are applied, if nothing is wrong with them.
fn model(versions: &BTreeSet<i64>, rows: &[Vec<Value>]) -> Outcome {
    let text = |value: &str| Value::Text(value.to_owned());
    let rows: Vec<_> = rows.iter().filter(|row| row[0] == text("app")).collect();
    let applied: BTreeSet<i64> =
        rows.iter().filter_map(|row| if let Value::Integer(version) = row[1] { Some(version) } else { None }).collect();
    if !rows.iter().all(|row| is_whole(row)) || applied.len() < rows.len() {
        return Err("damaged");
    }
    let row_of = |version: i64| rows.iter().find(|row| row[1] == Value::Integer(version)).expect("its row");
    for version in applied.intersection(versions) {
        if !matches!(&row_of(*version)[3], Value::Text(checksum) if checksum.eq_ignore_ascii_case(CHECKSUM)) {
            return Err("edited");
        }
        if row_of(*version)[2] != text("step") {
            return Err("renamed");
        }
    }
    match applied.difference(versions).next() {
        None => Ok(applied.into_iter().collect()),
        Some(first) if versions.last().is_none_or(|last| first > last) => Err("newer"),
        Some(_) => Err("unknown"),
    }
}

fn model_up(versions: &BTreeSet<i64>, rows: &[Vec<Value>]) -> Outcome {
    let applied = model(versions, rows)?;
    let pending: Vec<i64> = versions.iter().copied().filter(|version| !applied.contains(version)).collect();
    match (pending.first(), applied.last()) {
        (Some(first), Some(last)) if first < last => Err("out of order"),
        _ => Ok(pending),
    }
}

fn model_down(versions: &BTreeSet<i64>, rows: &[Vec<Value>], steps: usize) -> Outcome {
    let applied = model(versions, rows)?;
    let back: Vec<i64> = applied.into_iter().rev().take(steps).collect();
    if back.iter().all(|version| version % 2 == 0) { Ok(back) } else { Err("irreversible") }
}

fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Real),
        any::<String>().prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..80).prop_map(Value::Blob),
    ]
}

/// Mostly what is in a history, and now and then anything else.
fn mostly<T: Strategy<Value = Value> + 'static>(usual: T) -> impl Strategy<Value = Value> {
    prop_oneof![60 => usual, 1 => anything()]
}

fn text(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    // The first is what it should be.
    let others = prop::sample::select(values).prop_map(|value| Value::Text(value.to_owned()));
    prop_oneof![30 => Just(Value::Text(values[0].to_owned())), 1 => others]
}

fn row() -> impl Strategy<Value = Vec<Value>> {
    let numbers = || any::<i64>().prop_map(Value::Integer);
    let version = prop_oneof![40 => 0..9_i64, 1 => any::<i64>()].prop_map(Value::Integer);
    (
        mostly(text(&["app", "other", "App", ""])),
        mostly(version),
        mostly(text(&["step", "stop", "", "step "])),
        mostly(text(&[
            CHECKSUM,
            "0707",
            "",
            "0807070707070707070707070707070707070707070707070707070707070707",
            "\u{e9}07070707070707070707070707070707070707070707070707070707070707",
        ])),
        mostly(numbers()),
        mostly((0..i64::MAX).prop_map(Value::Integer)),
        anything(),
    )
        .prop_map(|(a, b, c, d, e, f, g)| vec![a, b, c, d, e, f, g])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn any_history_and_any_list_make_the_plan_of_the_model_or_its_error(
        versions in prop::collection::btree_set(0..9_i64, 0..9),
        rows in prop::collection::vec(row(), 0..6),
        steps in 0..4_usize,
    ) {
        let mut conn = Connection::open_in_memory().expect("a database");
        // Without types or a key, so that any row can be in it.
        conn.execute_batch(&format!("CREATE TABLE _molos_migrations ({COLUMNS})")).expect("a table");
        for row in &rows {
            let insert = "INSERT INTO _molos_migrations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)";
            conn.execute(insert, params_from_iter(row)).expect("a row");
        }
        let before = dump(&conn);
        let list: Vec<_> = versions.iter().copied().map(step).collect();
        let migrations = app(&list);
        let migrator = Migrator::new(&migrations);
        let up = outcome(migrator.plan(&mut conn));
        prop_assert_eq!(&up, &model_up(&versions, &rows));
        prop_assert_eq!(
            outcome(migrator.plan_rollback(&mut conn, Rollback::Steps(steps))),
            model_down(&versions, &rows, steps)
        );
        if let Ok(status) = migrator.status(&mut conn) {
            prop_assert!(!status.to_string().is_empty() || (list.is_empty() && rows.is_empty()));
        }
        // What there is to do is refused under the lock, because the key is missing.
        let migrated = migrator.migrate(&mut conn);
        prop_assert_eq!(migrated.is_ok(), up.is_ok_and(|steps| steps.is_empty()));
        prop_assert_eq!(dump(&conn), before);
    }
}
