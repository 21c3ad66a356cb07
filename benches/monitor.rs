//! What a monitor costs a statement: a row found by its key, and a thousand rows read, with and without one.
//!
//! `cargo bench --bench monitor --features monitor`

use divan::{Bencher, black_box};
use molos::monitor::Monitor;
use molos::rusqlite::Connection;

fn main() {
    divan::main();
}

fn database() -> Connection {
    let conn = Connection::open_in_memory().expect("a database");
    conn.execute_batch(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO users SELECT i, 'user ' || i FROM n;",
    )
    .expect("rows");
    conn
}

fn find_one(bencher: Bencher, conn: &Connection) {
    let mut statement = conn.prepare("SELECT name FROM users WHERE id = ?1").expect("a statement");
    bencher.bench_local(|| statement.query_row([black_box(500)], |row| row.get::<_, String>(0)).expect("a row"));
}

fn read_all(bencher: Bencher, conn: &Connection) {
    let mut statement = conn.prepare("SELECT sum(length(name)) FROM users").expect("a statement");
    bencher.bench_local(|| statement.query_row([], |row| row.get::<_, i64>(0)).expect("a sum"));
}

#[divan::bench_group(sample_count = 1000, sample_size = 500)]
mod find_one_of_1000 {
    use super::{Bencher, Monitor, database, find_one};

    #[divan::bench]
    fn alone(bencher: Bencher) {
        find_one(bencher, &database());
    }

    #[divan::bench]
    fn monitored(bencher: Bencher) {
        let (monitor, mut conn) = (Monitor::new(), database());
        monitor.attach(&mut conn).expect("a monitor");
        find_one(bencher, &conn);
    }
}

#[divan::bench_group(sample_count = 1000, sample_size = 10)]
mod read_1000 {
    use super::{Bencher, Monitor, database, read_all};

    #[divan::bench]
    fn alone(bencher: Bencher) {
        read_all(bencher, &database());
    }

    #[divan::bench]
    fn monitored(bencher: Bencher) {
        let (monitor, mut conn) = (Monitor::new(), database());
        monitor.attach(&mut conn).expect("a monitor");
        read_all(bencher, &conn);
    }
}
