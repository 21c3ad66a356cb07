//! Making the finished schema in an empty database, without the program's functions and without a word.

use super::Migrator;
use super::engine::{self, failed};
use super::session::Session;
use crate::database::{Connection, Database, History as _, Run as _};
use crate::model::error::Error;
use crate::model::migration::{Direction, Migrations};

impl<DB: Database> Migrator<'_, DB> {
    /// Makes the schema that all up migrations lead to in an empty database. Hooks are not run and nobody is told, since no
    /// database of the program is touched. What runs outside of a transaction changes no schema, and is left out.
    #[doc(hidden)]
    pub fn build<'a, C: Connection<Database = DB>>(&'a self, conn: &'a mut C) -> C::Outcome<'a, Result<(), Error>> {
        let conn = conn.handle();
        C::outcome(async move {
            let sets = self.sets.in_order()?;
            let mut session = self.open(conn).await?;
            let built = match build(&mut session, &sets).await {
                Ok(()) => self.commit(&mut session.conn, &[]).await,
                failed => failed,
            };
            session.end(built).await
        })
    }
}

async fn build<DB: Database>(session: &mut Session<'_, DB>, sets: &[Migrations<'_, DB>]) -> Result<(), Error> {
    let Session { conn, settings, .. } = session;
    conn.create_history().await.map_err(|error| failed("creating the history table", error))?;
    for migration in sets.iter().flat_map(Migrations::iter) {
        let Some(script) = migration.script(Direction::Up).filter(|script| !script.no_transaction) else { continue };
        let failed = |error| engine::script_failed(&migration, Direction::Up, error);
        conn.begin_script(script.keys).await.map_err(failed)?;
        for statement in DB::statements(script.sql) {
            let ran = conn.execute(statement).await;
            ran.map_err(|error| failed(error.in_script(statement.offset)))?;
        }
        conn.end_script(settings).await.map_err(failed)?;
    }
    Ok(())
}
