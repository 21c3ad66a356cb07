//! Taking a database back that is newer than the program, with the SQL that travels in it.

use crate::driver::Driver;
use crate::engine::failed;
use crate::error::Step;
use crate::event::Event;
use crate::history::{Applied, HISTORY_TABLE, read_stored_down};
use crate::migrator::of_one_set;
use crate::report::Report;
use crate::script::statement_that_begins;
use crate::sets::SetHistory;
use crate::{Direction, Error, ForeignKeys, Migration, Migrator, Rollback, Script, plan};

/// What no down SQL that was compiled begins with: it would end the transaction, or reach beyond the database.
const REFUSED: &[&str] = &["ATTACH", "BEGIN", "COMMIT", "DETACH", "END", "ROLLBACK", "VACUUM"];

/// A migration that this binary does not have, with the SQL that the database holds for it.
struct Stored<'s> {
    set: &'s str,
    applied: &'s Applied,
    down: String,
}

/// A migration to take back.
enum Back<'s> {
    Known(Migration<'s>),
    Newer(Stored<'s>),
}

impl Migrator<'_> {
    /// Takes a database back that is newer than this program, so that it can go on with it: newest first, until the newest
    /// migration that is applied is one that this program has, or, with [`to`](Self::to), until it is that version. Of
    /// several sets, each is taken back as far as it is newer, the last set first.
    ///
    /// What this program has never heard of is taken back with the SQL that the newer one has left in the history table, in
    /// one transaction, whatever [`transaction`](Self::transaction) says. As in any run, every foreign key is checked
    /// before it is committed. That SQL is run only if it is what molos wrote: beside it there is a checksum, which tells
    /// what was changed by accident or by hand. It is no signature: from a file of unknown origin, do not downgrade.
    ///
    /// A way back that has to be run outside of a transaction (`-- molos: no-transaction`) changes no schema, and is left
    /// out.
    ///
    /// [`migrate`](Self::migrate) never does this by itself. A way back drops the columns and tables that the newer program
    /// has added, with what users have put into them since; whether that is right is not for a program to decide that
    /// happens to be older. Ask the user, and [back up](Self::backup) first.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// # use molos::{Error, Migration, Migrations, Migrator, rusqlite::Connection};
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
    /// if let Err(Error::Newer { .. }) = migrator.migrate(&mut conn) {
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
    /// Any of [`Error`], and the database is as it was. [`Error::NoStoredDown`], [`Error::Irreversible`] and
    /// [`Error::StoredDown`] come before anything is run, as do [`Error::Edited`], [`Error::Renamed`] and
    /// [`Error::Unknown`] about what this program should know.
    pub fn downgrade<D: Driver>(&self, conn: &mut D) -> Result<Report, Error> {
        if conn.in_transaction() {
            return Err(Error::InTransaction);
        }
        let sets = self.histories(conn)?;
        if steps(&self.to_downgrade(conn, &sets)?)?.is_empty() {
            return Ok(Report::new(Direction::Down, Vec::new(), sets.len()));
        }
        let session = self.begin(conn)?;
        match self.downgrade_in_transaction(session.conn) {
            Ok(report) => {
                self.listener().emit(&Event::Committed);
                Ok(report)
            }
            Err(error) => {
                drop(session);
                self.listener().emit(&Event::RolledBack);
                Err(error)
            }
        }
    }

    fn downgrade_in_transaction<D: Driver>(&self, conn: &mut D) -> Result<Report, Error> {
        let sets = self.histories(conn)?;
        let back = self.to_downgrade(conn, &sets)?;
        let steps = steps(&back)?;
        if !steps.is_empty() {
            self.back_up_first(conn, &sets)?;
        }
        let reports = self.apply(conn, Direction::Down, &steps, None).map_err(|error| match error {
            Error::Statement { step, location, source, .. } if location.file.starts_with(HISTORY_TABLE) => {
                Error::StoredDownFailed { step, statement: location.statement, source }
            }
            error => error,
        })?;
        self.when_free("committing", || conn.commit())?;
        Ok(Report::new(Direction::Down, reports, sets.len()))
    }

    /// What is to be taken back.
    fn to_downgrade<'s, D: Driver>(&self, conn: &mut D, sets: &'s [SetHistory<'_>]) -> Result<Vec<Back<'s>>, Error> {
        if self.target.is_some() {
            of_one_set(sets)?;
        }
        let mut back = Vec::new();
        for SetHistory { set, history } in sets.iter().rev() {
            let latest = set.latest().map(|migration| migration.version());
            let is_old = |applied: &Applied| latest.is_some_and(|latest| applied.version <= latest);
            let (known, newer) = history.split_at(history.partition_point(is_old));
            let known = plan::down(set, known, self.target.map_or(Rollback::Steps(0), Rollback::To))?;
            for applied in newer.iter().rev() {
                let down = conn.stored_down(set.set(), applied.version);
                let Some(down) = down.map_err(|error| failed("reading the history", error))? else {
                    return Err(Error::NoStoredDown { step: Step::new(set.set(), applied.version, &applied.name) });
                };
                back.push(Back::Newer(Stored { set: set.set(), applied, down }));
            }
            back.extend(known.into_iter().map(Back::Known));
        }
        Ok(back)
    }
}

/// The migrations that the engine runs, checked as far as that goes without running them.
fn steps<'s>(back: &'s [Back<'s>]) -> Result<Vec<Migration<'s>>, Error> {
    back.iter().map(step).collect()
}

fn step<'s>(back: &'s Back<'s>) -> Result<Migration<'s>, Error> {
    let Stored { set, applied, down } = match back {
        Back::Known(migration) => return Ok(*migration),
        Back::Newer(stored) => stored,
    };
    let refused = |problem: String| {
        let step = Step::new(set, applied.version, &applied.name);
        Error::StoredDown { step, problem }
    };
    let script = read_stored_down(set, applied.version, down).map_err(|problem| refused(problem.to_owned()))?;
    if let Some(statement) = statement_that_begins(script.sql, REFUSED) {
        let line = statement.sql.lines().next().unwrap_or_default();
        return Err(refused(format!("it has a statement that molos would not have compiled, `{line}`")));
    }
    let name = applied.name.as_str();
    let up = Script { sql: "", line: 1, keys: ForeignKeys::Off, outside: false };
    let migration = Migration::of_file(applied.version, name, name, applied.checksum, up, Some(script));
    Ok(migration.in_set(set, HISTORY_TABLE))
}
