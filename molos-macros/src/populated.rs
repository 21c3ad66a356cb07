//! The shadow database with rows in it, as users have them: every step is run on it up, down and up again.

use std::collections::{BTreeMap, BTreeSet};

use molos_runtime::script::statements;
use molos_runtime::{Change, Changed, Difference, Direction, Fingerprint, Object, Schema};

use crate::canary::{Canaries, Database, has_sequence};
use crate::diagnostic::Diagnostic;
use crate::explain::{Cause, Failure};
use crate::file::{MigrationFile, Script, underline_statement};
use crate::finding::{BROKEN_REFERENCE, DATA_LOSS, FAILS_ON_ROWS, Finding, INEXACT_DOWN, SEQUENCE_RESET};
use crate::ladder::Fill;
use crate::loss::{self, Losses};
use crate::references;
use crate::rehearsed::{Found, Unproven};
use crate::seen::Seen;
use crate::snapshot::{Snapshot, Taken};
use crate::stage::{Stage, broken};
use crate::territory::Territory;

/// How often a step is tried with other values in the rows.
const VARIANTS: usize = 8;

/// A shadow database with rows in every table.
///
/// To undo a change of the schema would make SQLite read all of it anew, so nothing is undone while all goes well.
pub(crate) struct Populated<'s> {
    stage: Stage<'s>,
    territory: Territory<'s>,
    schema: Schema,
    canaries: Canaries,
    /// The rows of every table after the last step.
    snapshots: BTreeMap<String, Snapshot>,
    /// The steps that were run, all of which work on empty tables.
    passed: Vec<&'s MigrationFile>,
    /// The views and triggers that cannot be used, with what SQLite says of each.
    broken: BTreeMap<Object, String>,
    found: Found,
}

impl<'s> Populated<'s> {
    pub(crate) fn new(stage: Stage<'s>) -> Result<Self, Diagnostic> {
        let mut populated = Self {
            territory: stage.territory()?,
            schema: stage.schema()?,
            stage,
            canaries: Canaries::new(),
            snapshots: BTreeMap::new(),
            passed: Vec::new(),
            broken: BTreeMap::new(),
            found: Found::default(),
        };
        populated.plant_everywhere()?;
        Ok(populated)
    }

    pub(crate) fn finish(self) -> Found {
        self.found
    }

    /// Goes on to the next step, which is known to work on empty tables.
    pub(crate) fn follow(&mut self, file: &'s MigrationFile) -> Result<(), Diagnostic> {
        let before = self.schema.fingerprint();
        self.passed.push(file);
        match self.try_up(file)? {
            Ok(()) => {
                let (seen, changed) = self.refresh()?;
                let shown = self.stage.shown(&file.up);
                let (findings, robbed) = self.compare(Losses::up(file, &shown), &seen)?;
                self.found.findings.extend(findings);
                self.populate(file, &changed, robbed)?;
            }
            Err(failure) => {
                self.blame(file, Direction::Up, FAILS_ON_ROWS, failure);
                self.restart()?;
            }
        }
        if self.stage.sandbox.seen().change == Change::Anything {
            self.check_references(file)?;
        }
        let Some(down) = &file.down else { return Ok(()) };
        let findings = self.found.findings.len();
        let unproven = self.found.unproven.len();
        self.there_and_back(file, down, before)?;
        if (findings, unproven) != (self.found.findings.len(), self.found.unproven.len()) {
            self.restart()?;
        }
        Ok(())
    }

    /// Runs the way up, with other values in the rows if it does not take them.
    fn try_up(&mut self, file: &MigrationFile) -> Result<Result<(), Failure>, Diagnostic> {
        let Err(mut first) = self.stage.run(file, Direction::Up) else { return Ok(Ok(())) };
        let mut message = first.message.clone();
        for _ in 0..VARIANTS {
            let Some(said) = message.filter(|_| first.cause != Cause::Rows) else { break };
            if !self.vary(&said, file.up.sql())? {
                break;
            }
            let Err(failure) = self.stage.run(file, Direction::Up) else { return Ok(Ok(())) };
            if failure.cause != Cause::Constraint {
                first.cause = failure.cause;
            }
            message = failure.message;
        }
        Ok(Err(first))
    }

    /// Runs the way back and the way up again.
    fn there_and_back(
        &mut self,
        file: &'s MigrationFile,
        down: &Script,
        before: Fingerprint,
    ) -> Result<(), Diagnostic> {
        if let Err(failure) = self.stage.run(file, Direction::Down) {
            let on_empty = self.replay(self.passed.len())?.run(file, Direction::Down);
            self.blame_both(file, "failing-down", failure, on_empty.err());
            return Ok(());
        }
        let (seen, mut changed) = self.refresh()?;
        let shown = self.stage.shown(down);
        self.found.errors.extend(self.territory.check(&changed, &seen, down, &shown));
        if self.schema.fingerprint() != before {
            let expected = self.replay(self.passed.len() - 1)?.schema()?;
            let differences = self.schema.differences(&expected);
            self.find(file, Direction::Down, INEXACT_DOWN, leads_elsewhere(down, &shown, &differences));
            return Ok(());
        }
        let (findings, robbed) = self.compare(Losses::down(file, down, &shown), &seen)?;
        let of_schema = loss::losses(&changed, &self.schema, Losses::down(file, down, &shown));
        let taken = findings.into_iter().chain(of_schema).filter_map(|finding| finding.takes);
        self.found.downs_take.insert(file.version, taken.collect());
        if let Err(failure) = self.stage.run(file, Direction::Up) {
            let mut empty = self.replay(self.passed.len())?;
            let on_empty = empty.run(file, Direction::Down).and_then(|()| empty.run(file, Direction::Up));
            let only_once = |failure: Failure| {
                let diagnostic = failure.diagnostic.note(format!("it works once, and no more after `{shown}`"));
                Failure { diagnostic, ..failure }
            };
            self.blame_both(file, "failing-again", only_once(failure), on_empty.err().map(only_once));
            return Ok(());
        }
        let (_, changed_again) = self.refresh()?;
        changed.extend(changed_again);
        self.populate(file, &changed, robbed)
    }

    /// Reads again what the last script may have changed.
    fn refresh(&mut self) -> Result<(Seen, Vec<Changed>), Diagnostic> {
        let seen = self.stage.sandbox.seen();
        let changed = self.schema.refresh(self.stage.sandbox.conn(), &seen.change).map_err(|error| broken(&error))?;
        for gone in changed.iter().filter(|it| it.after.is_none()) {
            self.snapshots.remove(&gone.object.name);
        }
        Ok((seen, changed))
    }

    /// Looks for what a script took from the rows that were there. Returns the tables that it took whole rows from, too.
    fn compare(&mut self, mut losses: Losses<'_>, seen: &Seen) -> Result<(Vec<Finding>, BTreeSet<String>), Diagnostic> {
        let mut robbed = BTreeSet::new();
        let known = seen.replaced.iter().filter(|table| self.snapshots.contains_key(*table));
        let tables = seen.written.iter().chain(known).filter(|table| self.schema.sql(table).is_some());
        for table in tables.cloned().collect::<BTreeSet<_>>() {
            let after = self.snapshot(&table)?;
            if let Some(before) = self.snapshots.get(&table) {
                let conn = self.stage.sandbox.conn();
                let taken = before.taken(conn, &table, &after, seen.replaced.contains(&table));
                for taken in taken.map_err(|error| broken(&error))? {
                    robbed.extend((taken == Taken::Rows).then(|| table.clone()));
                    report(&mut losses, &table, taken);
                }
            }
            self.snapshots.insert(table, after);
        }
        Ok((losses.found, robbed))
    }

    /// Looks for views and triggers that refer to what a way up took away.
    fn check_references(&mut self, file: &MigrationFile) -> Result<(), Diagnostic> {
        let broken = references::broken(self.stage.sandbox.conn(), &self.schema).map_err(|error| broken(&error))?;
        let shown = self.stage.shown(&file.up);
        let mut losses = Losses::up(file, &shown);
        for (object, problem) in broken.iter().filter(|(object, _)| !self.broken.contains_key(*object)) {
            let name = &object.name;
            let what = format!("leaves the {} `{name}` behind, which cannot be used any more: {problem}", object.kind);
            losses.add(BROKEN_REFERENCE, name.clone(), &["drop"], &what);
        }
        self.found.findings.extend(losses.found);
        self.broken = broken;
        Ok(())
    }

    /// Adds rows to the tables that were changed: two to a new one, and one to another, which has a value in the new
    /// columns, too; and to those that lost some.
    fn populate(
        &mut self,
        file: &MigrationFile,
        changed: &[Changed],
        mut tables: BTreeSet<String>,
    ) -> Result<(), Diagnostic> {
        let changed = changed.iter().filter(|it| it.object.kind == "table");
        tables.extend(changed.map(|it| it.object.name.clone()));
        tables.retain(|table| self.schema.sql(table).is_some());
        self.plant(file.version, &tables)
    }

    fn plant(&mut self, version: i64, tables: &BTreeSet<String>) -> Result<(), Diagnostic> {
        let Self { stage, schema, canaries, snapshots, found, .. } = self;
        let planted = stage.sandbox.arrange(|conn| {
            for table in tables {
                let known = snapshots.get(table);
                let has_two = known.is_some_and(|rows| rows.canaries() >= 2);
                let fills: &[Fill] = if has_two { &[Fill::Full] } else { &[Fill::Full, Fill::Sparse] };
                let planted = canaries.plant(Database { conn, schema }, table, fills);
                if let (Err(error), true) = (planted, known.is_none_or(Snapshot::is_empty)) {
                    let reason = format!("no rows could be made up for `{table}`: {error}");
                    found.unproven.push(Unproven { version, reason });
                }
            }
            canaries.take_changed()
        });
        self.look_again(planted.map_err(|error| broken(&error))?)
    }

    /// Puts other values into the rows of the tables that the last script used. Returns whether there were any.
    fn vary(&mut self, message: &str, script: &str) -> Result<bool, Diagnostic> {
        let used = self.stage.sandbox.seen().used;
        let Self { stage, schema, canaries, .. } = self;
        let varied = stage.sandbox.arrange(|conn| {
            canaries.vary(Database { conn, schema }, &used, message, script);
            canaries.take_changed()
        });
        let varied = varied.map_err(|error| broken(&error))?;
        let any_varied = !varied.is_empty();
        self.look_again(varied)?;
        Ok(any_varied)
    }

    /// Takes note of the rows that these tables have now.
    fn look_again(&mut self, tables: BTreeSet<String>) -> Result<(), Diagnostic> {
        for table in tables {
            let snapshot = self.snapshot(&table)?;
            self.snapshots.insert(table, snapshot);
        }
        Ok(())
    }

    fn snapshot(&self, table: &str) -> Result<Snapshot, Diagnostic> {
        let has_sequence = self.schema.sql(table).is_some_and(has_sequence);
        Snapshot::read(self.stage.sandbox.conn(), table, &self.canaries, has_sequence).map_err(|error| broken(&error))
    }

    /// The first `count` steps in a database without rows.
    fn replay(&self, count: usize) -> Result<Stage<'s>, Diagnostic> {
        let mut stage = self.stage.another()?;
        for file in self.passed.iter().take(count) {
            stage.run(file, Direction::Up).map_err(|failure| failure.diagnostic)?;
        }
        Ok(stage)
    }

    /// Starts again with the steps so far, as if rows had come in after the last of them.
    fn restart(&mut self) -> Result<(), Diagnostic> {
        self.stage = self.replay(self.passed.len())?;
        self.schema = self.stage.schema()?;
        self.snapshots.clear();
        self.plant_everywhere()
    }

    fn plant_everywhere(&mut self) -> Result<(), Diagnostic> {
        let objects = self.schema.objects().filter(|object| object.kind == "table");
        let tables: BTreeSet<String> = objects.map(|object| object.name.clone()).collect();
        let unproven = self.found.unproven.len();
        self.plant(0, &tables)?;
        // It was said when they were new.
        self.found.unproven.truncate(unproven);
        Ok(())
    }

    /// Notes a failure that there is only with rows.
    fn blame(&mut self, file: &MigrationFile, direction: Direction, lint: &'static str, failure: Failure) {
        if failure.cause == Cause::Other {
            let reason = failure.message.unwrap_or_else(|| failure.diagnostic.title().to_owned());
            self.found.unproven.push(Unproven { version: file.version, reason });
            return;
        }
        let diagnostic = failure.diagnostic.note("on empty tables it works; the rows that it was tried on are made up");
        let diagnostic = match failure.message.as_deref().and_then(way_out) {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        };
        let diagnostic = if lint == FAILS_ON_ROWS {
            diagnostic
                .help(format!("if users have no such rows, write `-- molos: allow {lint}` at the head of the file"))
        } else {
            diagnostic
        };
        self.find(file, direction, lint, diagnostic);
    }

    /// Notes a failure of the way back, or of the way up after it: the one without rows if there is one.
    fn blame_both(&mut self, file: &MigrationFile, lint: &'static str, failure: Failure, on_empty: Option<Failure>) {
        match on_empty {
            Some(failure) => self.find(file, Direction::Down, lint, failure.diagnostic),
            None => self.blame(file, Direction::Down, lint, failure),
        }
    }

    fn find(&mut self, file: &MigrationFile, direction: Direction, lint: &'static str, diagnostic: Diagnostic) {
        let (version, subject) = (file.version, String::new());
        self.found.findings.push(Finding { version, direction, lint, subject, takes: None, diagnostic });
    }
}

fn report(losses: &mut Losses<'_>, table: &str, taken: Taken) {
    match taken {
        Taken::Rows => {
            // Where no statement is about the table, it went with the rows that it refers to.
            let said_with: &[&str] = if losses.says(&["delete", table]) { &["delete", table] } else { &["drop"] };
            losses.add_taking(DATA_LOSS, (table.to_owned(), None), said_with, &format!("deletes rows of `{table}`"));
        }
        Taken::Column(column, None) => {
            let what = format!("makes `{table}` anew, and leaves the values of `{column}` behind");
            losses.add_taking(DATA_LOSS, (table.to_owned(), Some(column)), &["insert", "select"], &what);
        }
        Taken::Column(column, Some(other)) => {
            let what = format!("puts the values of `{table}.{other}` into `{column}`, and leaves its own behind");
            losses.add_taking(DATA_LOSS, (table.to_owned(), Some(column)), &["insert", "select"], &what);
        }
        Taken::Sequence => {
            let what = format!("lets `{table}` give out ids that it has given out before");
            losses.add(SEQUENCE_RESET, table.to_owned(), &["drop", table], &what);
        }
    }
}

/// What makes rows pass a constraint.
fn way_out(message: &str) -> Option<&'static str> {
    let (constraint, _) = message.split_once(" constraint failed")?;
    match constraint {
        "NOT NULL" => Some("give the rows a value first, with an `UPDATE` or with `coalesce(…)` in the copy"),
        "UNIQUE" => Some("make the values differ first, or leave the constraint out"),
        "CHECK" => Some("bring the rows into line first, with an `UPDATE` or with a `CASE` in the copy"),
        _ => None,
    }
}

fn leads_elsewhere(down: &Script, shown: &str, differences: &[Difference]) -> Diagnostic {
    let title = format!("`{shown}` does not lead back to the schema before its migration");
    let first_statement = statements(down.sql()).next().map_or(0, |statement| statement.offset);
    let error = underline_statement(Diagnostic::new(title), down, shown, first_statement);
    let error = differences.iter().fold(error, |error, difference| error.note(difference.to_string()));
    error.help("correct it; if that is how it is to be, write `-- molos: allow inexact-down` at its head")
}

#[cfg(test)]
mod tests;
