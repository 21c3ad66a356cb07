//! How much a script may take: instructions, and room.

use molos_runtime::rusqlite::limits::Limit;
use molos_runtime::rusqlite::{Connection, Result};

use crate::sqlite::sandbox::trace::{Refusal, Watch};
use crate::sqlite::sandbox::versions::done;

/// How many instructions of SQLite's virtual machine one script may take: some seconds in an unoptimised build. On a
/// database without rows, a migration takes thousands.
const INSTRUCTIONS: i64 = 50_000_000;
/// How many instructions pass between two looks at how many are left.
const INTERVAL: i32 = 10_000;
/// The most bytes that a value or row may have.
pub(crate) const LARGEST_VALUE: i32 = 16 << 20;
/// The most bytes that the tables of the database may have, and those of its temporary one.
pub(crate) const LARGEST_DATABASE: i64 = 256 << 20;

/// Sets the limits of a new connection.
pub(super) fn set(conn: &mut Connection, watch: &Watch) -> Result<()> {
    // Neither a sort nor a temporary table may go to a file.
    conn.execute_batch("PRAGMA temp_store = MEMORY")?;
    let page_size: i64 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    for schema in ["main", "temp"] {
        conn.execute_batch(&format!("PRAGMA {schema}.max_page_count = {}", LARGEST_DATABASE / page_size))?;
    }
    done(conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, LARGEST_VALUE))?;
    done(conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0))?;
    let watch = watch.clone();
    let progress = move || {
        let state = &mut *watch.lock();
        state.instructions += i64::from(INTERVAL);
        let stop = state.watching && state.instructions > INSTRUCTIONS;
        if stop {
            state.trace.refusal = Some(Refusal::Runaway);
        }
        stop
    };
    done(conn.progress_handler(INTERVAL, Some(progress)))
}
