//! An engine that is older than the one that the migrations were rehearsed on, as when a program links the system's SQLite:
//! before anything is run, it shows in memory what it can do.

use crate::driver::{Driver, Failure};
use crate::engine::script_failed;
use crate::sets::SetHistory;
use crate::{Direction, Error, Migration};

/// Checks that this engine understands every migration, if it is older than the one they were rehearsed on.
pub(crate) fn check<D: Driver>(conn: &mut D, sets: &[SetHistory<'_>]) -> Result<(), Error> {
    let newest = sets.iter().map(|known| known.set.rehearsed_on).max().unwrap_or_default();
    let running = conn.version();
    if running >= newest {
        return Ok(());
    }
    let steps: Vec<Migration<'_>> = sets.iter().flat_map(|known| known.set.iter()).collect();
    let mut last = None;
    let mut scripts = steps.iter().inspect(|step| last = Some(*step)).filter_map(|step| step.script(Direction::Up));
    let Err(error) = conn.rehearse(&mut scripts) else { return Ok(()) };
    drop(scripts);
    // The database in memory has none of the program's own functions; what comes after a use of one is seen when it runs.
    let is_own_function = error.source.to_string().starts_with("no such function: ");
    let Some(failed) = last.filter(|_| error.failure == Failure::Script && !is_own_function) else { return Ok(()) };
    match script_failed(failed, Direction::Up, error) {
        Error::Statement { step, location, source, .. } => {
            Err(Error::OlderEngine { step, location, running, rehearsed_on: newest, source })
        }
        other => Err(other),
    }
}
