//! How much a script may take: instructions, time, and room.

use std::time::{Duration, Instant};

use molos_runtime::rusqlite::limits::Limit;
use molos_runtime::rusqlite::{Connection, Result};

use crate::sqlite::sandbox::trace::{Refusal, Watch};
use crate::sqlite::sandbox::versions::done;

/// How many instructions of SQLite's virtual machine one script may take: some seconds in an unoptimised build. On a
/// database without rows, a migration takes thousands.
const INSTRUCTIONS: i64 = 50_000_000;
/// How long one script may take. It is far more than the instructions take, so that a slow machine stops nothing that
/// another lets pass: it is for instructions that are long, such as one that makes or compares a large value.
const LONGEST: Duration = Duration::from_secs(20);
/// How many instructions pass between two looks at how many are left, and at the clock.
const INTERVAL: i32 = 100;
/// The most bytes that a value or row may have; with it goes how long one instruction can take.
pub(crate) const LARGEST_VALUE: i32 = 4 << 20;
/// The most bytes that a pattern of `LIKE` or `GLOB` may have, which is compared at each byte of a value.
pub(crate) const LONGEST_PATTERN: i32 = 1_000;
/// The most bytes that the tables of the database may have, and those of its temporary one.
pub(crate) const LARGEST_DATABASE: i64 = 256 << 20;
/// The most bytes that SQLite may take from the process for all that it does, sorts and intermediate results among them.
/// It is one limit for all databases of the process, which SQLite only ever lowers, so that whoever set a lower one
/// keeps it: <https://sqlite.org/pragma.html#pragma_hard_heap_limit>
pub(crate) const LARGEST_HEAP: i64 = 512 << 20;

/// Sets the limits of a new connection.
pub(super) fn set(conn: &mut Connection, watch: &Watch) -> Result<()> {
    // Neither a sort nor a temporary table may go to a file.
    conn.execute_batch("PRAGMA temp_store = MEMORY")?;
    let page_size: i64 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    for schema in ["main", "temp"] {
        conn.execute_batch(&format!("PRAGMA {schema}.max_page_count = {}", LARGEST_DATABASE / page_size))?;
    }
    conn.execute_batch(&format!("PRAGMA hard_heap_limit = {LARGEST_HEAP}"))?;
    done(conn.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LONGEST_PATTERN))?;
    done(conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, LARGEST_VALUE))?;
    done(conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0))?;
    let watch = watch.clone();
    let progress = move || {
        let state = &mut *watch.lock();
        state.instructions += i64::from(INTERVAL);
        if !state.watching {
            return false;
        }
        let refusal = if state.instructions > INSTRUCTIONS {
            Refusal::Runaway
        } else if state.began.get_or_insert_with(Instant::now).elapsed() > LONGEST {
            Refusal::TooLong(LONGEST)
        } else {
            return false;
        };
        state.trace.refusal = Some(refusal);
        true
    };
    done(conn.progress_handler(INTERVAL, Some(progress)))
}
