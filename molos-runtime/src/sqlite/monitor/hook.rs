//! SQLite's trace of statements, whatever the rusqlite in use calls it.
//!
//! Up to 0.32 there is only `Connection::profile`, up to 0.40 there are both, and later only `Connection::trace_v2`, which
//! had two signatures. All take a function without an environment, so the function itself has to say whom it tells:
//! there are as many of them as slots, each for one monitor.

use std::array;
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use rusqlite::{Connection, StatementStatus};

use super::{Watch, Work};

/// The monitors that have a slot. One is never given to another monitor: a connection may still be attached to it.
static SLOTS: [OnceLock<Weak<Watch>>; COUNT] = [const { OnceLock::new() }; COUNT];

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The function that attaches a connection to a slot, for each slot.
macro_rules! slots {
    ($($slot:literal)*) => {
        const ATTACH: &[fn(&mut Connection) -> rusqlite::Result<()>] = &[$(attach_to::<$slot>),*];
    };
}

slots! {
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
}

const COUNT: usize = ATTACH.len();

/// Has the connection tell of its statements. Returns whether there was a slot left.
pub(super) fn attach(watch: &Arc<Watch>, conn: &mut Connection) -> rusqlite::Result<bool> {
    let slot = *watch.slot.get_or_init(|| NEXT.fetch_add(1, Ordering::Relaxed));
    let (Some(known), Some(attach)) = (SLOTS.get(slot), ATTACH.get(slot)) else { return Ok(false) };
    known.get_or_init(|| Arc::downgrade(watch));
    attach(conn)?;
    Ok(true)
}

fn watch_at(slot: usize) -> Option<Arc<Watch>> {
    SLOTS.get(slot)?.get()?.upgrade()
}

/// A statement that runs on this thread: a connection does not leave it before its statements are done.
struct Running {
    /// Where SQLite has its text, which tells it apart from all other statements that there are at the time.
    address: usize,
    started: Instant,
    /// A statement that is run again counts on.
    before: [i32; 4],
}

/// More than any program has open at once on a thread; only what a connection that was detached left behind.
const MOST_RUNNING: usize = 256;

thread_local! {
    static RUNNING: RefCell<Vec<Running>> = const { RefCell::new(Vec::new()) };
}

const COUNTERS: [StatementStatus; 4] =
    [StatementStatus::FullscanStep, StatementStatus::Sort, StatementStatus::AutoIndex, StatementStatus::VmStep];

fn start(address: usize, before: [i32; 4]) {
    RUNNING.with_borrow_mut(|running| {
        running.retain(|other| other.address != address);
        if running.len() >= MOST_RUNNING {
            running.remove(0);
        }
        running.push(Running { address, started: Instant::now(), before });
    });
}

fn finish(address: usize, after: [i32; 4]) -> Option<(Duration, Work)> {
    RUNNING.with_borrow_mut(|running| {
        let at = running.iter().rposition(|other| other.address == address)?;
        let Running { started, before, .. } = running.swap_remove(at);
        // They are unsigned in SQLite, and may wrap.
        let [full_scan_steps, sorts, automatic_index_rows, vm_steps] =
            array::from_fn(|at| u64::from(after[at].wrapping_sub(before[at]).cast_unsigned()));
        Some((started.elapsed(), Work { full_scan_steps, sorts, automatic_index_rows, vm_steps }))
    })
}

/// What `trace_v2` returns, or the lack of it: whether statements are told of.
trait Outcome {
    fn told(self) -> rusqlite::Result<bool>;
}

impl Outcome for () {
    fn told(self) -> rusqlite::Result<bool> {
        Ok(true)
    }
}

impl Outcome for rusqlite::Result<()> {
    fn told(self) -> rusqlite::Result<bool> {
        self.map(|()| true)
    }
}

/// What some rusqlite lacks. Its own, where there are any, go before these: an inherent function before one of a
/// trait, what a function imports before what is imported around it.
#[allow(dead_code, clippy::unused_self, reason = "each is used with some rusqlite only")]
mod missing {
    use std::borrow::Cow;
    use std::marker::PhantomData;
    use std::time::Duration;

    use rusqlite::{Connection, StatementStatus};

    use super::Outcome;

    pub(super) enum TraceEvent<'s> {
        Stmt(StmtRef<'s>, &'s str),
        Profile(StmtRef<'s>, Duration),
        Other,
    }

    pub(super) struct StmtRef<'s>(PhantomData<&'s ()>);

    impl StmtRef<'_> {
        pub(super) fn sql(&self) -> Cow<'_, str> {
            Cow::Borrowed("")
        }

        pub(super) fn get_status(&self, _status: StatementStatus) -> i32 {
            0
        }
    }

    pub(super) struct TraceEventCodes;

    impl TraceEventCodes {
        pub(super) const SQLITE_TRACE_STMT: Self = Self;
        pub(super) const SQLITE_TRACE_PROFILE: Self = Self;

        pub(super) fn union(self, _other: Self) -> Self {
            self
        }
    }

    pub(super) struct NotTold;

    impl Outcome for NotTold {
        fn told(self) -> rusqlite::Result<bool> {
            Ok(false)
        }
    }

    pub(super) trait Trace {
        fn trace_v2(&mut self, _mask: TraceEventCodes, _trace_fn: Option<fn(TraceEvent<'_>)>) -> NotTold {
            NotTold
        }

        fn profile(&mut self, _profile_fn: Option<fn(&str, Duration)>) {}
    }

    impl Trace for Connection {}
}

#[allow(unused_imports, reason = "each is used with some rusqlite only")]
use missing::{Trace as _, TraceEvent, TraceEventCodes};

fn attach_to<const SLOT: usize>(conn: &mut Connection) -> rusqlite::Result<()> {
    #[allow(unused_imports, clippy::wildcard_imports, reason = "to name what is not there would be an error")]
    use rusqlite::trace::*;

    fn on_event<const SLOT: usize>(event: TraceEvent<'_>) {
        match event {
            TraceEvent::Stmt(statement, text) => {
                let sql = statement.sql();
                // A trigger that fires is told of in the same way, with a comment for a text; so is a statement that is run
                // by another, with two dashes before its text: https://sqlite.org/c3ref/c_trace.html
                if text == sql || text.strip_prefix("-- ") == Some(&*sql) {
                    start(sql.as_ptr().addr(), COUNTERS.map(|counter| statement.get_status(counter)));
                }
            }
            TraceEvent::Profile(statement, elapsed) => {
                let sql = statement.sql();
                let after = COUNTERS.map(|counter| statement.get_status(counter));
                let (elapsed, work) =
                    finish(sql.as_ptr().addr(), after).map_or((elapsed, None), |(elapsed, work)| (elapsed, Some(work)));
                if let Some(watch) = watch_at(SLOT) {
                    watch.record(&sql, elapsed, work);
                }
            }
            _ => {}
        }
    }

    fn on_profile<const SLOT: usize>(sql: &str, elapsed: Duration) {
        if let Some(watch) = watch_at(SLOT) {
            watch.record(sql, elapsed, None);
        }
    }

    let codes = TraceEventCodes::SQLITE_TRACE_STMT.union(TraceEventCodes::SQLITE_TRACE_PROFILE);
    let on_event: fn(TraceEvent<'_>) = on_event::<SLOT>;
    if !Connection::trace_v2(conn, codes, Some(on_event)).told()? {
        Connection::profile(conn, Some(on_profile::<SLOT>));
    }
    Ok(())
}

pub(super) fn detach(conn: &mut Connection) -> rusqlite::Result<()> {
    #[allow(unused_imports, clippy::wildcard_imports, reason = "to name what is not there would be an error")]
    use rusqlite::trace::*;

    let codes = TraceEventCodes::SQLITE_TRACE_STMT.union(TraceEventCodes::SQLITE_TRACE_PROFILE);
    if !Connection::trace_v2(conn, codes, None::<fn(TraceEvent<'_>)>).told()? {
        Connection::profile(conn, None);
    }
    Ok(())
}
