//! Processes that are killed while they migrate: the database is as before or as after, and the next start goes on.

#![cfg(unix)]

mod common;

use std::env;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::{assert_whole, database, library};
use molos::rusqlite::Connection;
use molos::{Event, Migrator, Rollback, Transactions};

const BOOKS: usize = 600;
const DATABASE: &str = "MOLOS_TEST_DATABASE";
const JOB: &str = "MOLOS_TEST_JOB";

/// A way to migrate: which journal, how many transactions, and from which version to which.
#[derive(Clone, Copy, Debug)]
struct Job {
    journal: &'static str,
    transaction: Transactions,
    from: usize,
    to: usize,
}

const JOBS: [Job; 12] = {
    const fn job(journal: &'static str, transaction: Transactions, (from, to): (usize, usize)) -> Job {
        Job { journal, transaction, from, to }
    }
    const NEW: (usize, usize) = (0, 4);
    const UP: (usize, usize) = (1, 4);
    const DOWN: (usize, usize) = (4, 1);
    [
        job("delete", Transactions::Single, NEW),
        job("delete", Transactions::Single, UP),
        job("delete", Transactions::Single, DOWN),
        job("delete", Transactions::PerMigration, NEW),
        job("delete", Transactions::PerMigration, UP),
        job("delete", Transactions::PerMigration, DOWN),
        job("wal", Transactions::Single, NEW),
        job("wal", Transactions::Single, UP),
        job("wal", Transactions::Single, DOWN),
        job("wal", Transactions::PerMigration, NEW),
        job("wal", Transactions::PerMigration, UP),
        job("wal", Transactions::PerMigration, DOWN),
    ]
};

impl Job {
    /// How many books there are before: none in a new database.
    const fn books(self) -> usize {
        if self.from == 0 { 0 } else { BOOKS }
    }

    /// Migrates, and calls `started` when the first step is about to run.
    fn run(self, conn: &mut Connection, started: impl Fn() + Send + Sync) {
        let migrations = library();
        let migrator = Migrator::new(&migrations).transactions(self.transaction).on_event(|event| {
            if matches!(event, Event::Started { .. }) {
                started();
            }
        });
        let result =
            if self.from < self.to { migrator.migrate(conn) } else { migrator.rollback(conn, Rollback::To(1)) };
        result.expect("it ends well, if it ends");
    }
}

/// What a process does that is to be killed; on its own, it is a test of nothing.
#[test]
fn victim() {
    let (Some(path), Some(job)) = (env::var_os(DATABASE), env::var(JOB).ok()) else { return };
    let job = JOBS[job.parse::<usize>().expect("a number")];
    let mut conn = Connection::open(path).expect("the database");
    // A cache that is too small has pages written before the commit, as those of a large database are.
    conn.pragma_update(None, "cache_size", 10).expect("a pragma");
    job.run(&mut conn, || println!("started"));
}

fn start(path: &Path, job: usize) -> Child {
    let mut command = Command::new(env::current_exe().expect("this test"));
    command.args(["--exact", "victim", "--nocapture"]).env(DATABASE, path).env(JOB, job.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a process")
}

/// Waits until the first step starts. The output has to be read no further: there is little of it.
fn wait_for_start(child: &mut Child) {
    let output = child.stdout.as_mut().expect("its output");
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"started") && output.read(&mut byte).expect("its output") == 1 {
        seen.push(byte[0]);
    }
}

/// Databases for every job, to be copied for each kill.
struct Masters {
    directory: tempfile::TempDir,
    /// How long the run of each job takes, from the first step to the end of the process.
    durations: Vec<Duration>,
}

impl Masters {
    fn make() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut masters = Self { directory, durations: Vec::new() };
        for (number, job) in JOBS.iter().enumerate() {
            let path = masters.directory.path().join(number.to_string());
            database(&path, job.journal, job.books());
            if job.from > job.to {
                library().migrate(&mut Connection::open(&path).expect("a database")).expect("a whole run");
            }
            let whole_run = || {
                let path = masters.copy(number, "calibration");
                let mut child = start(&path, number);
                wait_for_start(&mut child);
                let started = Instant::now();
                assert!(child.wait().expect("its end").success());
                started.elapsed()
            };
            let durations = [whole_run(), whole_run(), whole_run()];
            masters.durations.push(durations.into_iter().max().unwrap_or_default());
        }
        masters
    }

    fn copy(&self, number: usize, name: &str) -> std::path::PathBuf {
        let path = self.directory.path().join(name);
        for beside in ["-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(self.directory.path().join(format!("{name}{beside}")));
        }
        fs::copy(self.directory.path().join(number.to_string()), &path).expect("a copy");
        path
    }
}

/// How the kills of one thread went.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// So many processes were killed before they were done.
    killed: usize,
    /// So many of them had begun to write, and left a journal that was not empty.
    mid_way: usize,
    /// So many had committed some of their steps, and not all.
    between_steps: usize,
    /// So many were done before the kill came.
    done: usize,
}

/// Kills this many processes at random moments, every `threads`-th of them from `first` on.
fn kill(masters: &Masters, seed: u64, kills: usize, first: usize, threads: usize) -> Tally {
    let mut tally = Tally::default();
    for kill in (first..kills).step_by(threads) {
        let number = kill % JOBS.len();
        let job = JOBS[number];
        // SplitMix64 of the seed and the number of the kill, so that each can be repeated alone.
        let mut random = seed.wrapping_add((kill as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        random ^= random >> 31;
        let longest = u64::try_from(masters.durations[number].as_micros()).unwrap_or(u64::MAX);
        let delay = Duration::from_micros(random % longest.max(1));

        let path = masters.copy(number, &format!("killed-{first}"));
        let mut child = start(&path, number);
        wait_for_start(&mut child);
        thread::sleep(delay);
        child.kill().expect("a kill");
        let is_done = child.wait().expect("its end").success();

        let journal = match job.journal {
            "wal" => path.with_file_name(format!("killed-{first}-wal")),
            _ => path.with_file_name(format!("killed-{first}-journal")),
        };
        let left = fs::metadata(&journal).map_or(0, |journal| journal.len());

        let mut conn = Connection::open(&path).expect("the database");
        let version = assert_whole(&mut conn, job.books());
        let is_whole = version == job.from || version == job.to;
        assert!(is_whole || job.transaction == Transactions::PerMigration, "kill {kill}: {job:?}: {version}");
        tally.done += usize::from(is_done);
        tally.killed += usize::from(!is_done);
        tally.mid_way += usize::from(!is_done && left > 0);
        tally.between_steps += usize::from(!is_whole);

        job.run(&mut conn, || {});
        assert_eq!(assert_whole(&mut conn, job.books()), job.to);
    }
    tally
}

fn kill_at_random(kills: usize) {
    const THREADS: usize = 4;
    let seed = env::var("MOLOS_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_nanos() % u128::from(u64::MAX)).unwrap_or_default()
    });
    // Shown when the test fails.
    println!("MOLOS_TEST_SEED={seed}");
    let masters = Masters::make();
    let tallies = thread::scope(|scope| {
        let masters = &masters;
        let threads: Vec<_> =
            (0..THREADS).map(|first| scope.spawn(move || kill(masters, seed, kills, first, THREADS))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no loss")).collect::<Vec<_>>()
    });
    let sum = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
    let (killed, mid_way, between) = (sum(|t| t.killed), sum(|t| t.mid_way), sum(|t| t.between_steps));
    println!("{kills} processes: {killed} killed, {mid_way} of them while they wrote, {between} between two steps");
    assert_eq!(killed + sum(|t| t.done), kills);
    assert!(mid_way > kills / 10, "kills land inside of a migration");
    assert!(between > 0, "kills land between two transactions");
}

#[test]
fn three_hundred_processes_that_are_killed_lose_nothing() {
    kill_at_random(320);
}

#[test]
#[ignore = "it takes minutes"]
fn ten_thousand_processes_that_are_killed_lose_nothing() {
    kill_at_random(10_000);
}
