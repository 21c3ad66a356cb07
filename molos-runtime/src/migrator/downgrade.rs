//! Rolling back a database that is newer than the program, with the SQL that travels in it.

use super::Migrator;
use super::engine::{Course, failed};
use super::run::{of_one_set, refuse_transaction};
use super::session::Session;
use crate::database::{Connection, Database, History as _};
use crate::model::error::{Error, ErrorKind, Step, StoredDownProblem};
use crate::model::event::Event;
use crate::model::history::{Applied, HISTORY_TABLE, read_stored_down};
use crate::model::migration::{Direction, ForeignKeys, Migration, Script};
use crate::model::plan::{self, Rollback};
use crate::model::report::Report;
use crate::model::script::statement_that_begins;
use crate::model::sets::SetHistory;

/// What no down SQL that was compiled begins with: it would end the transaction, or reach beyond the database.
const REFUSED: &[&str] = &["ATTACH", "BEGIN", "COMMIT", "DETACH", "END", "ROLLBACK", "VACUUM"];

/// A migration that this binary does not have, with the SQL that the database holds for it.
struct Stored<'s> {
    set: &'s str,
    applied: &'s Applied,
    down: String,
}

/// A migration to roll back.
enum Back<'s, DB: Database> {
    Known(Box<Migration<'s, DB>>),
    Newer(Stored<'s>),
}

impl<'m, DB: Database> Migrator<'m, DB> {
    /// Rolls back a database that is newer than this program, so that the program can use it: newest first, until the newest
    /// migration that is applied is one that this program has. Of several sets, each is rolled back as far as it is newer, the
    /// last set first.
    ///
    /// What this program does not have is rolled back with the SQL that the newer one has left in the history table, in
    /// one transaction, whatever [`transactions`](Self::transactions) says. Every foreign key is checked before it is
    /// committed. That SQL is run only if it is what molos wrote: beside it there is a checksum, which tells what was
    /// changed by accident or by hand. It is no signature: from a file of unknown origin, do not downgrade.
    ///
    /// A down migration that has to be run outside of a transaction (`-- molos: no-transaction`) changes no schema, and is left
    /// out.
    ///
    /// [`migrate`](Self::migrate) never does this by itself. A down migration drops the columns and tables that the newer program
    /// has added, with what users have put into them since. An older program cannot decide whether that is right: ask the
    /// user, and [back up](Self::backup_before) first.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// # use molos::{ErrorKind, Migration, Migrations, Migrator, rusqlite::Connection};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let list = [
    /// #     Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)"),
    /// #     Migration::new(2, "tags", "CREATE TABLE tags (tag TEXT NOT NULL)").with_down("DROP TABLE tags"),
    /// # ];
    /// # let newer = Migrations::new("app", "migrations", &list);
    /// # let migrations = Migrations::new("app", "migrations", &list[..1]);
    /// let mut conn = Connection::open_in_memory()?;
    /// newer.migrate(&mut conn)?; // next month's program
    ///
    /// let migrator = Migrator::new(&migrations);
    /// if migrator.migrate(&mut conn).is_err_and(|error| matches!(error.kind(), ErrorKind::Newer { .. })) {
    ///     let report = migrator.downgrade(&mut conn)?;
    ///     assert_eq!(report.steps().len(), 1);
    /// }
    /// migrator.verify(&mut conn)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Any of [`Error`], and the database is as it was. [`StoredDownProblem::NotStored`](crate::StoredDownProblem::NotStored), [`ErrorKind::Irreversible`](crate::ErrorKind::Irreversible) and
    /// [`StoredDownProblem::Untrusted`](crate::StoredDownProblem::Untrusted) come before anything is run, as do [`ErrorKind::Edited`](crate::ErrorKind::Edited), [`ErrorKind::Renamed`](crate::ErrorKind::Renamed) and
    /// [`ErrorKind::Unknown`](crate::ErrorKind::Unknown) about what this program should know.
    pub fn downgrade<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
    ) -> C::Outcome<'a, Result<Report, Error>> {
        C::outcome(self.downgrade_until(conn.handle(), None))
    }

    /// Like [`downgrade`](Self::downgrade), until this version is the newest that is applied. Only one set can be asked for
    /// a version.
    ///
    /// # Errors
    ///
    /// As for `downgrade`, and [`TargetProblem::NoSuchVersion`](crate::TargetProblem::NoSuchVersion) and [`TargetProblem::NotApplied`](crate::TargetProblem::NotApplied).
    pub fn downgrade_to<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
        version: i64,
    ) -> C::Outcome<'a, Result<Report, Error>> {
        C::outcome(self.downgrade_until(conn.handle(), Some(version)))
    }

    async fn downgrade_until(&self, mut conn: DB::Handle<'_>, target: Option<i64>) -> Result<Report, Error> {
        refuse_transaction(&mut conn).await?;
        let sets = self.histories(&mut conn).await?;
        if target.is_some() {
            of_one_set(&sets)?;
        }
        if steps(&self.to_downgrade(&mut conn, &sets, target).await?)?.is_empty() {
            return Ok(Report::new(Direction::Down, Vec::new(), sets.len()));
        }
        self.refuse_temporary(&mut conn).await?;
        let mut session = self.open(conn).await?;
        let result = self.downgrade_in_transaction(&mut session, target).await;
        let completed = result.as_ref().ok().cloned();
        if completed.is_some() {
            self.listener().emit(&Event::Committed);
        }
        self.end(session, result).await.map_err(|error| match completed {
            Some(completed) => error.after(completed),
            None => error,
        })
    }

    async fn downgrade_in_transaction(
        &self,
        session: &mut Session<'_, DB>,
        target: Option<i64>,
    ) -> Result<Report, Error> {
        let Session { conn, settings, .. } = session;
        let sets = self.histories(conn).await?;
        let back = self.to_downgrade(conn, &sets, target).await?;
        let steps = steps(&back)?;
        if let Some(backup) = self.backup.as_ref().filter(|_| !steps.is_empty()) {
            backup.make(conn, &sets, self.listener()).await?;
        }
        let (settings, listener) = (&*settings, self.listener());
        let course = Course { direction: Direction::Down, settings, listener, goes_on: false };
        let reports = self.apply(conn, &steps, None, course).await.map_err(|error| stored_down_failed(error, &back))?;
        self.commit(conn, &steps).await?;
        Ok(Report::new(Direction::Down, reports, sets.len()))
    }

    /// What is to be rolled back.
    async fn to_downgrade<'s>(
        &self,
        conn: &mut DB::Handle<'_>,
        sets: &'s [SetHistory<'m, DB>],
        target: Option<i64>,
    ) -> Result<Vec<Back<'s, DB>>, Error> {
        let mut back = Vec::new();
        for SetHistory { set, history } in sets.iter().rev() {
            let latest = set.latest().map(|migration| migration.version());
            let is_old = |applied: &Applied| latest.is_some_and(|latest| set.key(applied.version) <= set.key(latest));
            let (known, newer) = history.split_at(history.partition_point(is_old));
            let known = plan::down(set, known, target.map_or(Rollback::Steps(0), Rollback::To))?;
            for applied in newer.iter().rev() {
                let down = conn.stored_down(set.set(), applied.version).await;
                let Some(down) = down.map_err(|error| failed("reading the history", error))? else {
                    return Err(Error::new(ErrorKind::StoredDown(StoredDownProblem::NotStored)).of(Step::new(
                        set.set(),
                        applied.version,
                        &applied.name,
                    )));
                };
                back.push(Back::Newer(Stored { set: set.set(), applied, down }));
            }
            self.check_dependents(conn, sets, &known).await?;
            back.extend(known.into_iter().map(|migration| Back::Known(Box::new(migration))));
        }
        Ok(back)
    }
}

/// The error of a statement, as one of the SQL that the database holds if it is that of a newer migration.
fn stored_down_failed<DB: Database>(error: Error, back: &[Back<'_, DB>]) -> Error {
    let is_stored = |step: &Step| {
        back.iter().any(|back| match back {
            Back::Known(_) => false,
            Back::Newer(stored) => stored.set == step.set && stored.applied.version == step.version,
        })
    };
    match error.kind() {
        ErrorKind::Statement { .. } if error.step().is_some_and(is_stored) => {
            error.with_kind(ErrorKind::StoredDown(StoredDownProblem::Failed))
        }
        _ => error,
    }
}

/// The migrations that the engine runs, checked as far as that goes without running them.
fn steps<'s, DB: Database>(back: &'s [Back<'s, DB>]) -> Result<Vec<Migration<'s, DB>>, Error> {
    back.iter().map(step).collect()
}

fn step<'s, DB: Database>(back: &'s Back<'s, DB>) -> Result<Migration<'s, DB>, Error> {
    let Stored { set, applied, down } = match back {
        Back::Known(migration) => return Ok(**migration),
        Back::Newer(stored) => stored,
    };
    let refused = |problem: String| {
        let step = Step::new(set, applied.version, &applied.name);
        Error::new(ErrorKind::StoredDown(StoredDownProblem::Untrusted(problem))).of(step)
    };
    let script = read_stored_down(set, applied.version, down).map_err(|problem| refused(problem.to_owned()))?;
    if let Some(statement) = statement_that_begins::<DB>(script.sql, REFUSED) {
        let line = statement.sql.lines().next().unwrap_or_default();
        return Err(refused(format!("it has a statement that molos would not have compiled, `{line}`")));
    }
    let name = applied.name.as_str();
    let up = Script { sql: "", line: 1, keys: ForeignKeys::Off, no_transaction: false };
    let migration = Migration::of_file(applied.version, name, name, applied.checksum, up, Some(script));
    Ok(migration.in_set(set, HISTORY_TABLE))
}
