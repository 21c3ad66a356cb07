//! What steps would take from the rows that are there.

use super::failed;
use crate::database::{Database, Inspect as _};
use crate::model::error::Error;
use crate::model::migration::{Direction, Migration};
use crate::model::plan::Loss;

/// How many rows there are of what these steps would take.
pub(crate) async fn count<DB: Database>(
    conn: &mut DB::Handle<'_>,
    steps: &[Migration<'_, DB>],
    direction: Direction,
) -> Result<Vec<Loss>, Error> {
    let mut losses = Vec::new();
    for migration in steps {
        for (table, column) in migration.losses(direction) {
            let rows = conn.count(table, column).await.map_err(|error| failed("counting rows", error))?;
            if rows > 0 {
                losses.push(Loss {
                    set: migration.set().to_owned(),
                    version: migration.version(),
                    table: table.to_owned(),
                    column: column.map(ToOwned::to_owned),
                    rows,
                });
            }
        }
    }
    Ok(losses)
}
