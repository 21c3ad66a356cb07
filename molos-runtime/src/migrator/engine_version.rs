//! An engine that is older than the one that the migrations were checked on, as when a program links the system's library:
//! before anything is run, it shows beside the database what it can do.

use super::engine::{failed, script_failed};
use crate::database::{Database, DatabaseError, Failure, Inspect as _};
use crate::model::error::{Error, ErrorKind};
use crate::model::migration::{Direction, Migration};
use crate::model::sets::SetHistory;

/// Checks that this engine understands every migration, if it is older than the one they were checked on.
pub(crate) async fn check<DB: Database>(conn: &mut DB::Handle<'_>, sets: &[SetHistory<'_, DB>]) -> Result<(), Error> {
    let newest = sets.iter().map(|known| known.set.checked_on).max().unwrap_or_default();
    if newest == 0 {
        return Ok(());
    }
    let running = conn.version().await.map_err(|error| failed("reading the version of the database engine", error))?;
    if running >= newest {
        return Ok(());
    }
    let steps: Vec<Migration<'_, DB>> = sets.iter().flat_map(|known| known.set.iter()).collect();
    let scripts: Vec<_> = steps.iter().filter_map(|step| step.script(Direction::Up)).collect();
    let rejected = conn.first_rejected(&scripts).await;
    let rejected = rejected.map_err(|error| failed("trying the migrations on this version of the engine", error))?;
    let is_unknown =
        |(_, error): &(usize, DatabaseError)| matches!(error.failure, Failure::Statement | Failure::Unregistered);
    let Some((at, error)) = rejected.filter(is_unknown) else { return Ok(()) };
    let Some(step) = steps.get(at) else { return Ok(()) };
    let (running, checked_on) = (DB::version_name(running), DB::version_name(newest));
    let kind = ErrorKind::OlderEngine { database: DB::NAME, running, checked_on, remedy: DB::UPGRADE };
    Err(script_failed(step, Direction::Up, error).with_kind(kind))
}
