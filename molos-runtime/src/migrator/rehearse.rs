//! The real upgrade on the real data, undone.

use super::engine::{self, Course, KeysBefore, failed};
use super::run::refuse_transaction;
use super::session::Session;
use super::{Migrator, engine_version};
use crate::database::{Connection, Database, History as _, Inspect as _, Transact as _};
use crate::model::error::{Error, ErrorKind, Step};
use crate::model::event::Listener;
use crate::model::migration::{Direction, Migration};
use crate::model::rehearsal::{Rehearsal, StepRehearsal};
use crate::model::script::statement_that_begins;

impl<'m, DB: Database> Migrator<'m, DB> {
    /// Runs what is pending on the real data, inside of one transaction, finds out how long that takes and what comes of it,
    /// and undoes it in any case. The database is then as it was.
    ///
    /// The transaction is a real one. Other writers wait until the rehearsal is over, as they will for the migration, and
    /// so do readers, unless the database is in WAL mode, as soon as it is larger than the page cache. There has to be as
    /// much room on the disk as the migration needs; a WAL stays as long as it has become until it is next written back.
    /// On a copy of the database, a rehearsal holds up nobody.
    ///
    /// A script that has to be run outside of a transaction (`-- molos: no-transaction`) is left out. A hook is run: what it
    /// does elsewhere than in this database is not undone.
    ///
    /// All steps run in one transaction, also with [`Transactions::PerMigration`](crate::Transactions::PerMigration). Of the events, only
    /// [`Event::Waiting`](crate::Event::Waiting) is sent.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// use molos::{Migration, Migrations, Migrator, rusqlite::Connection};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let list = [
    /// #     Migration::new(1, "notes", "CREATE TABLE notes (body TEXT)"),
    /// #     Migration::new(2, "shouting", "UPDATE notes SET body = upper(body)"),
    /// # ];
    /// # let migrations = Migrations::new("app", "migrations", &list);
    /// # let mut conn = Connection::open_in_memory()?;
    /// # Migrator::new(&migrations).up_to(1).migrate(&mut conn)?;
    /// conn.execute("INSERT INTO notes VALUES ('a'), ('b')", [])?;
    ///
    /// let rehearsal = Migrator::new(&migrations).rehearse(&mut conn)?;
    /// println!("{rehearsal}");
    /// assert_eq!(rehearsal.steps()[0].rows, 2);
    /// assert!(rehearsal.error().is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those that [`migrate`](Self::migrate) gives before it runs anything; [`ErrorKind::EndsTransaction`](crate::ErrorKind::EndsTransaction), also before that,
    /// if a migration has a `COMMIT` in it, which could not be undone; or when the rehearsal cannot be undone. An error
    /// of the migrations themselves is not among them, but in [`Rehearsal::error`].
    pub fn rehearse<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
    ) -> C::Outcome<'a, Result<Rehearsal, Error>> {
        C::outcome(self.rehearse_on(conn.handle()))
    }

    async fn rehearse_on(&self, mut conn: DB::Handle<'_>) -> Result<Rehearsal, Error> {
        refuse_transaction(&mut conn).await?;
        let sets = self.histories(&mut conn).await?;
        if self.pending(&mut conn, &sets).await?.is_empty() {
            return Ok(Rehearsal::new(Vec::new(), None, sets.len()));
        }
        engine_version::check(&mut conn, &sets).await?;
        self.refuse_temporary(&mut conn).await?;
        let mut session = self.open(conn).await?;
        let result = self.rehearse_in_transaction(&mut session).await;
        session.end(result).await
    }

    async fn rehearse_in_transaction(&self, session: &mut Session<'_, DB>) -> Result<Rehearsal, Error> {
        let Session { conn, settings, .. } = session;
        conn.create_history().await.map_err(|error| failed("creating the history table", error))?;
        let sets = self.histories(conn).await?;
        let pending = self.pending(conn, &sets).await?;
        if let Some(check) = self.verify_before {
            check(conn, &sets, &self.other_tables).await?;
        }
        refuse_commits(&pending)?;
        let course =
            Course { direction: Direction::Up, settings: &*settings, listener: Listener::default(), goes_on: false };
        let mut steps = Vec::with_capacity(pending.len());
        let error = match self.rehearse_steps(conn, &pending, course, &mut steps).await {
            // A hook may have committed what ran before it.
            Err(error) if matches!(error.kind(), ErrorKind::TransactionEnded) && error.location().is_none() => {
                return Err(error);
            }
            result => result.err(),
        };
        conn.rollback().await.map_err(|error| failed("undoing the rehearsal", error))?;
        Ok(Rehearsal::new(steps, error, sets.len()))
    }

    async fn rehearse_steps(
        &self,
        conn: &mut DB::Handle<'_>,
        pending: &[Migration<'m, DB>],
        course: Course<'_, DB>,
        steps: &mut Vec<StepRehearsal>,
    ) -> Result<(), Error> {
        let keys = KeysBefore::look(conn, pending, course.direction).await?;
        let mut reports = Vec::with_capacity(pending.len());
        for migration in pending {
            let rows = rows_changed::<DB>(conn).await?;
            let report = engine::run_step(conn, migration, None, course).await?;
            let rows = rows_changed::<DB>(conn).await?.saturating_sub(rows);
            steps.push(StepRehearsal {
                set: report.set.clone(),
                version: report.version,
                name: report.name.clone(),
                elapsed: report.elapsed,
                rows,
            });
            reports.push(report);
        }
        keys.check(conn, pending, course.goes_on).await?;
        engine::write_history(conn, Direction::Up, pending, &reports).await?;
        self.verify_after_steps(conn).await
    }
}

async fn rows_changed<DB: Database>(conn: &mut DB::Handle<'_>) -> Result<u64, Error> {
    conn.rows_changed().await.map_err(|error| failed("counting the rows that changed", error))
}

/// Refuses what would commit a part of the rehearsal. `embed_migrations!` does so for its own.
fn refuse_commits<DB: Database>(pending: &[Migration<'_, DB>]) -> Result<(), Error> {
    for migration in pending.iter().filter(|migration| !migration.is_without_transaction(Direction::Up)) {
        if let Some(statement) = statement_that_begins::<DB>(migration.up(), &["COMMIT", "END"]) {
            let location = engine::location(migration, Direction::Up, statement.offset);
            return Err(Error::new(ErrorKind::EndsTransaction).of(Step::of(migration)).at(Some(location)));
        }
    }
    Ok(())
}
