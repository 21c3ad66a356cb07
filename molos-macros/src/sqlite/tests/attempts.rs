//! Attempts at files, memory, time and the terminal of who compiles: each is refused, or ends within bounds.

use std::env::current_exe;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::embed;
use crate::input::Input;
use crate::sqlite::Sqlite;

/// The first line of the compile error that a migration leads to, after one that makes the table `c`; nothing if it
/// compiles.
fn error_of(sql: &str) -> String {
    let manifest = tempfile::tempdir().expect("a directory");
    let directory = manifest.path().join("migrations");
    fs::create_dir(&directory).expect("a directory");
    fs::write(directory.join("1_c.sql"), "CREATE TABLE c (id INTEGER PRIMARY KEY, body TEXT);").expect("a file");
    fs::write(directory.join("2_attempt.sql"), sql).expect("a file");
    let input = syn::parse_str::<Input>("").expect("no options");
    let tokens = embed::<Sqlite>(&input, manifest.path()).to_string();
    let files = fs::read_dir(manifest.path()).expect("the directory").count();
    assert_eq!(files, 1, "{sql} left a file");
    let error = tokens.split_once("compile_error ! (").map_or("", |(_, error)| error);
    assert!(!error.contains(['\u{1b}', '\u{202e}', '\u{7}', '\u{9b}']), "{error:?}");
    error.split("\\n").next().unwrap_or_default().to_owned()
}

/// A query with so many rows that each has a number.
macro_rules! numbers {
    ($count:literal, $query:literal) => {
        concat!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ", $count, ") ", $query, ";")
    };
}

/// What is tried, and what the error says.
const REFUSED: &[(&str, &str)] = &[
    // Files.
    ("ATTACH 'stolen.db' AS x;", "must not attach"),
    ("ATTACH DATABASE ':memory:' AS x;", "must not attach"),
    ("DETACH main;", "must not detach"),
    ("VACUUM INTO 'stolen.db';", "must not `VACUUM`"),
    ("VACUUM;", "must not `VACUUM`"),
    ("SELECT load_extension('x.so');", "must not load an extension"),
    (
        "CREATE TRIGGER t AFTER INSERT ON c BEGIN SELECT load_extension('x.so'); END; INSERT INTO c DEFAULT VALUES;",
        "extension",
    ),
    ("SELECT readfile('/etc/passwd');", "no such function: readfile"),
    ("SELECT writefile('stolen', 'x');", "no such function: writefile"),
    ("SELECT edit('x');", "no such function: edit"),
    ("SELECT fts3_tokenizer('x', x'4141414141414141');", "fts3"),
    ("CREATE VIRTUAL TABLE f USING fsdir('/');", "no such module: fsdir"),
    ("CREATE VIRTUAL TABLE f USING csv(filename = '/etc/passwd');", "no such module: csv"),
    ("PRAGMA writable_schema = ON;", "PRAGMA writable_schema"),
    ("PRAGMA temp_store_directory = '/';", "PRAGMA temp_store_directory"),
    ("PRAGMA data_store_directory = '/';", "PRAGMA data_store_directory"),
    ("PRAGMA temp_store = FILE;", "PRAGMA temp_store"),
    ("PRAGMA journal_mode = DELETE;", "PRAGMA journal_mode"),
    ("SELECT * FROM pragma_writable_schema;", "PRAGMA writable_schema"),
    ("UPDATE sqlite_master SET sql = 'x';", "sqlite_master"),
    // Its own limits.
    ("PRAGMA max_page_count = 4000000000;", "PRAGMA max_page_count"),
    ("PRAGMA hard_heap_limit = 0;", "PRAGMA hard_heap_limit"),
    ("PRAGMA soft_heap_limit = 0;", "PRAGMA soft_heap_limit"),
    ("PRAGMA cache_size = 100000000;", "PRAGMA cache_size"),
    ("PRAGMA threads = 64;", "PRAGMA threads"),
    ("PRAGMA recursive_triggers = ON;", "PRAGMA recursive_triggers"),
    // Memory.
    ("SELECT zeroblob(2000000000);", "too big"),
    ("SELECT randomblob(15000000);", "too big"),
    ("SELECT hex(zeroblob(3000000));", "too big"),
    ("SELECT replace(hex(zeroblob(1000)), '0', hex(zeroblob(100000)));", "too big"),
    (numbers!(100000, "SELECT group_concat(hex(zeroblob(1000))) FROM n"), "too big"),
    (numbers!(100000, "SELECT json_group_array(hex(zeroblob(1000))) FROM n"), "too big"),
    (numbers!(100000, "INSERT INTO c (body) SELECT hex(zeroblob(100000)) FROM n"), "full"),
    (numbers!(100000, "SELECT count(*) FROM (SELECT DISTINCT zeroblob(4000000) || i FROM n)"), "out of memory"),
    (numbers!(100000, "SELECT i FROM n GROUP BY zeroblob(4000000) || i"), "out of memory"),
    (numbers!(100000, "SELECT zeroblob(4000000) || i AS b FROM n ORDER BY b"), "out of memory"),
    (
        "CREATE TEMP TABLE big AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
         SELECT zeroblob(4000000) AS b FROM n;",
        "full",
    ),
    (
        "CREATE TRIGGER t AFTER INSERT ON c BEGIN UPDATE c SET body = body || body; END; \
         INSERT INTO c (body) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 99) SELECT 'x' FROM n;",
        "too big",
    ),
    // Time.
    (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;",
        "does not come to an end",
    ),
    (numbers!(10000, "SELECT count(*) FROM n a, n b, n c, n d"), "does not come to an end"),
    (numbers!(100000, "SELECT count(randomblob(4000000)) FROM n"), "takes too long"),
    ("SELECT hex(zeroblob(1000000)) LIKE '%' || replace(hex(zeroblob(1000)), '0', 'a%');", "too complex"),
    ("SELECT hex(zeroblob(1000000)) GLOB '*' || replace(hex(zeroblob(1000)), '0', '[0]*');", "too complex"),
    // The terminal.
    ("SELECT \u{1b}[2J;", "unrecognized token"),
    ("SELECT * FROM \"\u{1b}[2J\";", "no such table"),
    ("SELECT * FROM \"a\u{202e}b\";", "no such table"),
    ("SELECT * FROM \"a\u{7}\u{9b}b\";", "no such table"),
];

/// What compiles, because it stays small.
const SMALL: &[&str] = &[
    "CREATE TRIGGER t AFTER INSERT ON c BEGIN INSERT INTO c (body) VALUES ('x'); END; INSERT INTO c DEFAULT VALUES;",
    "CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES (replace(hex(zeroblob(50000)), '0', 'a '));",
    "SELECT hex(zeroblob(1000000)) LIKE '%0%0%0%0%0%0%0%0%0%0%1';",
];

/// What some versions of SQLite refuse, and others make small.
const REFUSED_OR_SMALL: &[&str] = &["SELECT printf('%*s', 2000000000, 'x');"];

#[test]
#[ignore = "run by the test below, in a process of its own"]
fn each_attempt() {
    let deep = format!("SELECT 1{};", " + 1".repeat(5_000));
    for (sql, expected) in REFUSED.iter().copied().chain([(deep.as_str(), "too large")]) {
        let started = Instant::now();
        let error = error_of(sql);
        let elapsed = started.elapsed();
        assert!(error.contains(expected), "{sql:?} should be refused with {expected:?}: {error}");
        assert!(elapsed < Duration::from_secs(60), "{sql:?} took {elapsed:?}");
    }
    for sql in SMALL {
        let started = Instant::now();
        assert_eq!(error_of(sql), "", "{sql:?}");
        assert!(started.elapsed() < Duration::from_secs(60), "{sql:?}");
    }
    for sql in REFUSED_OR_SMALL {
        let started = Instant::now();
        error_of(sql);
        assert!(started.elapsed() < Duration::from_secs(60), "{sql:?}");
    }
    // The highest that the process ever had, where the system says it.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    let peak: u64 = peak.unwrap_or(0);
    println!("at most {} MiB", peak >> 10);
    assert!(peak >> 10 < 700, "{} MiB", peak >> 10);
}

/// The limit on memory is one for the process, where other tests run at the same time.
#[test]
fn no_migration_reaches_a_file_or_the_terminal_or_takes_memory_and_time_without_end() {
    let name = "sqlite::tests::attempts::each_attempt";
    let output = Command::new(current_exe().expect("the tests"))
        .args(["--ignored", "--exact", name, "--nocapture"])
        .output()
        .expect("the tests run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
