//! The real upgrade on the real data, undone.

use std::fmt;
use std::time::Duration;

use crate::driver::Driver;
use crate::engine::{self, failed};
use crate::error::Step;
use crate::event::Listener;
use crate::report::{Milliseconds, SetName};
use crate::script::statement_that_begins;
use crate::{Direction, Error, Migration, Migrator, older};

/// What [`Migrator::rehearse`] found out. Nothing of it is in the database.
#[derive(Debug)]
#[must_use]
pub struct Rehearsal {
    steps: Vec<StepRehearsal>,
    error: Option<Error>,
    /// How many sets it is about.
    sets: usize,
}

/// One migration that was run, and undone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepRehearsal {
    /// The set it belongs to.
    pub set: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// How long it took.
    pub elapsed: Duration,
    /// How many rows its `INSERT`, `UPDATE` and `DELETE` statements changed, with what triggers and foreign keys did
    /// because of them. The rows of a table that is dropped, or created from a query, are not among them.
    pub rows: u64,
}

impl Rehearsal {
    /// The migrations that ran through, in this order; empty when there is nothing to do.
    #[must_use]
    pub fn steps(&self) -> &[StepRehearsal] {
        &self.steps
    }

    /// The error that [`Migrator::migrate`] would end with: that of the step after the last of [`steps`](Self::steps),
    /// or of what is checked at the end, such as [`Error::ForeignKeys`]. `None` if all would go well.
    #[must_use]
    pub const fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

/// A line for each migration that ran, with its set if there are several, and the error that would come.
impl fmt::Display for Rehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() && self.error.is_none() {
            return f.write_str("nothing to do");
        }
        let plural = if self.steps.len() == 1 { "" } else { "s" };
        write!(f, "rehearsed {} migration{plural}; nothing was changed", self.steps.len())?;
        for step in &self.steps {
            let set = SetName::of_several(self.sets, &step.set);
            let plural = if step.rows == 1 { "" } else { "s" };
            let elapsed = Milliseconds(step.elapsed);
            write!(f, "\n  {set}{} {}  {elapsed}, {} row{plural} changed", step.version, step.name, step.rows)?;
        }
        match &self.error {
            Some(error) => write!(f, "\nit would fail: {error}"),
            None => Ok(()),
        }
    }
}

impl Migrator<'_> {
    /// Runs what is pending on the data that there is, inside of one transaction, finds out how long that takes and what
    /// comes of it, and undoes it, whatever comes. The database is then as it was.
    ///
    /// The transaction is a real one. Other writers wait until the rehearsal is over, as they will for the migration, and
    /// so do readers, unless the database is in WAL mode, as soon as it is larger than the page cache. There has to be as
    /// much room on the disk as the migration needs; a WAL stays as long as it has become until it is next written back.
    /// On a copy of the database, a rehearsal holds up nobody.
    ///
    /// A script that has to be run outside of a transaction (`-- molos: no-transaction`) is left out. A hook is run: what it
    /// does elsewhere than in this database is not undone.
    ///
    /// All steps run in one transaction, also with [`Transaction::Each`](crate::Transaction::Each). Of the events, only
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
    /// # Migrator::new(&migrations).to(1).migrate(&mut conn)?;
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
    /// Those that [`migrate`](Self::migrate) gives before it runs anything; [`Error::TransactionEnded`], also before that,
    /// if a migration has a `COMMIT` in it, which could not be undone; or when the rehearsal cannot be undone. What
    /// comes after that is no error but what was asked for: [`Rehearsal::error`].
    pub fn rehearse<D: Driver>(&self, conn: &mut D) -> Result<Rehearsal, Error> {
        if conn.in_transaction() {
            return Err(Error::InTransaction);
        }
        let sets = self.histories(conn)?;
        if self.pending(conn, &sets)?.is_empty() {
            return Ok(Rehearsal { steps: Vec::new(), error: None, sets: sets.len() });
        }
        older::check(conn, &sets)?;
        let session = self.begin(conn)?;
        let conn = &mut *session.conn;
        conn.create_history().map_err(|error| failed("creating the history table", error))?;
        let sets = self.histories(conn)?;
        let pending = self.pending(conn, &sets)?;
        self.verify_before_steps(conn, &sets)?;
        refuse_commits(&pending)?;
        let mut steps = Vec::with_capacity(pending.len());
        let error = self.rehearse_steps(conn, &pending, &mut steps).err();
        conn.rollback().map_err(|error| failed("undoing the rehearsal", error))?;
        Ok(Rehearsal { steps, error, sets: sets.len() })
    }

    fn rehearse_steps<D: Driver>(
        &self,
        conn: &mut D,
        pending: &[Migration<'_>],
        steps: &mut Vec<StepRehearsal>,
    ) -> Result<(), Error> {
        let changes =
            |conn: &mut D| conn.rows_changed().map_err(|error| failed("counting the rows that changed", error));
        let before = conn.violations().map_err(|error| failed("checking foreign keys", error))?;
        let mut reports = Vec::with_capacity(pending.len());
        for migration in pending {
            let rows = changes(conn)?;
            let report = engine::run_step(conn, migration, Direction::Up, None, Listener::default())?;
            steps.push(StepRehearsal {
                set: report.set.clone(),
                version: report.version,
                name: report.name.clone(),
                elapsed: report.elapsed,
                rows: changes(conn)?.saturating_sub(rows),
            });
            reports.push(report);
        }
        engine::finish(conn, Direction::Up, pending, &reports, &before)?;
        self.verify_after_steps(conn)
    }
}

/// Refuses what would commit a part of the rehearsal. `embed_migrations!` does so for its own.
fn refuse_commits(pending: &[Migration<'_>]) -> Result<(), Error> {
    for migration in pending.iter().filter(|migration| !migration.is_outside_of_transactions(Direction::Up)) {
        if let Some(statement) = statement_that_begins(migration.up(), &["COMMIT", "END"]) {
            let location = Box::new(engine::location(migration, Direction::Up, statement.offset));
            return Err(Error::TransactionEnded { step: Step::of(migration), location });
        }
    }
    Ok(())
}
