//! The shadow database with rows in it, as users have them: every step is run on it up, down and up again.

use std::collections::{BTreeMap, BTreeSet};

use molos_runtime::__private::Changed;
use molos_runtime::{Difference, Direction, Fingerprint, Object, ObjectKind, Schema};

use crate::check::Unproven;
use crate::check::failure::{Cause, Constraint, Failure};
use crate::check::lineage::Lineage;
use crate::check::ownership::Ownership;
use crate::check::rows::{Change, RowLoss, TableRows};
use crate::check::runner::Runner;
use crate::check::shadow::{Canaries as _, Effects, Fill, Shadow, Variation};
use crate::diagnostic::Diagnostic;
use crate::lint::finding::{
    BROKEN_REFERENCE, DATA_LOSS, FAILS_ON_ROWS, Finding, INEXACT_DOWN, Loss, SEQUENCE_RESET, UNTRIED,
};
use crate::lint::loss::{self, Losses, Moved};
use crate::read::file::{MigrationFile, Script, Step};

/// A down migration that does not run. No file can allow it.
const FAILING_DOWN: &str = "failing-down";
/// An up migration that does not run again after its down migration.
const FAILING_AGAIN: &str = "failing-again";

/// How often a step is tried with other values in the rows.
const VARIANTS: usize = 8;
/// The rows of a table that has none.
const ALL_FILLS: &[Fill] = &[Fill::Full, Fill::Sparse, Fill::Twin];

/// A shadow database with rows in every table.
///
/// To undo a change of the schema can make a database read all of it anew, so nothing is undone while all goes well.
pub(crate) struct WithRows<'s, S: Shadow> {
    runner: Runner<'s, S>,
    ownership: Ownership<'s>,
    canaries: S::Canaries,
    /// The database without rows, where one was needed.
    bare: Option<Bare<'s, S>>,
    /// The rows of every table after the last step.
    rows: BTreeMap<String, TableRows>,
    /// Whether values were put into the rows that the step takes, so that what it makes of them says nothing.
    has_varied: bool,
    /// The migrations that were run.
    passed: Vec<Passed<'s>>,
    /// Words of the statements that failed: what they would have made or changed.
    missing: BTreeSet<String>,
    /// The views and triggers that cannot be used, with what the database says of each.
    broken: BTreeMap<Object, String>,
    /// The rows that the program gives for tables.
    given: Vec<Given>,
    /// The tables of which was said that nothing is tried on their rows.
    untried: BTreeSet<String>,
    outcome: Outcome,
}

/// A migration that was run on empty tables.
pub(crate) struct Passed<'s> {
    pub(crate) file: &'s MigrationFile,
    /// If it has failed, where the statements start that were not run then.
    pub(crate) left_out: Option<BTreeSet<usize>>,
}

/// The first migrations in a database without rows.
struct Bare<'s, S> {
    runner: Runner<'s, S>,
    /// How many they are.
    count: usize,
}

/// Rows that the program gives for a table.
struct Given {
    table: String,
    sql: String,
    /// What came of them when they were needed last.
    result: Option<Result<(), String>>,
}

/// What came of running the steps on rows.
#[derive(Default)]
pub(crate) struct Outcome {
    /// What no directive can allow.
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) unproven: Vec<Unproven>,
    /// What is wrong with the rows that the program gives for tables, by table.
    pub(crate) misfits: BTreeMap<String, String>,
    /// What became of columns in tables that up migrations have rebuilt, by version and table.
    pub(crate) moved: BTreeMap<(i64, String), Moved>,
    /// What the down migrations take from rows, by version.
    pub(crate) losses_of_downs: BTreeMap<i64, BTreeSet<Loss>>,
}

impl<'s, S: Shadow> WithRows<'s, S> {
    pub(crate) fn new(runner: Runner<'s, S>, rows: Vec<(String, String)>) -> Result<Self, Diagnostic> {
        let given = rows.into_iter().map(|(table, sql)| Given { table, sql, result: None }).collect();
        let mut with_rows = Self {
            given,
            ownership: runner.ownership(),
            runner,
            canaries: S::Canaries::default(),
            bare: None,
            rows: BTreeMap::new(),
            has_varied: false,
            passed: Vec::new(),
            missing: BTreeSet::new(),
            broken: BTreeMap::new(),
            untried: BTreeSet::new(),
            outcome: Outcome::default(),
        };
        // Those of the directories that this one comes after; that is said where they are checked.
        let without = with_rows.plant_everywhere()?;
        with_rows.untried.extend(without.into_iter().map(|(table, _)| table));
        Ok(with_rows)
    }

    pub(crate) fn finish(mut self) -> Outcome {
        for Given { table, result, .. } in self.given {
            let problem = match result {
                Some(Ok(())) => continue,
                Some(Err(problem)) => problem,
                None => "there is no such table".to_owned(),
            };
            self.outcome.misfits.insert(table, problem);
        }
        self.outcome
    }

    /// Goes on to the next migration, of which it is known whether it works on empty tables.
    pub(crate) fn follow(&mut self, passed: Passed<'s>) -> Result<(), Diagnostic> {
        let before = self.schema().fingerprint();
        let file = passed.file;
        let up = file.up();
        let missing = passed.left_out.as_ref().map(|left_out| file.up.words_at(left_out));
        self.passed.push(passed);
        if let Some(missing) = missing {
            self.missing.extend(missing);
            return self.restart(up);
        }
        self.has_varied = false;
        match self.try_up(up)? {
            Ok(()) => self.go_on(up)?,
            Err(failure) => {
                let gets_over = failure.is_about(Constraint::Unique)
                    && self.vary(&failure, up.script.sql(), Variation::Apart)?
                    && self.runner.run(up).is_ok();
                self.blame(up, FAILS_ON_ROWS, failure);
                if gets_over {
                    // What else it does is seen on rows that are not alike.
                    self.go_on(up)?;
                }
                self.restart(up)?;
            }
        }
        if self.runner.shadow.effects().removes {
            self.check_references(up)?;
        }
        let Some(down) = file.down() else { return Ok(()) };
        let so_far = (self.outcome.findings.len(), self.outcome.unproven.len());
        self.there_and_back(up, down, before)?;
        if so_far != (self.outcome.findings.len(), self.outcome.unproven.len()) {
            self.restart(up)?;
        }
        Ok(())
    }

    /// Looks at what an up migration did, and adds rows for the next.
    fn go_on(&mut self, up: Step<'s>) -> Result<(), Diagnostic> {
        let (effects, changed, lineage) = self.refresh()?;
        let (findings, to_fill) = self.compare(Losses::up(up.file, &S::LOSSES), &effects, &lineage)?;
        self.outcome.findings.extend(findings);
        self.populate(up, &changed, &to_fill)
    }

    /// Runs an up migration, with other values in the rows if it does not take them.
    fn try_up(&mut self, up: Step<'_>) -> Result<Result<(), Failure>, Diagnostic> {
        let Err(mut first) = self.runner.run(up) else { return Ok(Ok(())) };
        let mut last: Option<Failure> = None;
        for _ in 0..VARIANTS {
            let failure = last.as_ref().unwrap_or(&first);
            let is_certain =
                failure.message.is_none() || first.cause == Cause::Rows || failure.is_about(Constraint::Unique);
            if is_certain || !self.vary(failure, up.script.sql(), Variation::OtherKind)? {
                break;
            }
            let so_far = self.runner.shadow.changed_rows()?;
            let Err(failure) = self.runner.run(up) else {
                // Where no row has been changed any more, the step has passed over all of them.
                let has_changed = self.runner.shadow.changed_rows()? > so_far;
                return Ok(if has_changed { Ok(()) } else { Err(first) });
            };
            if failure.cause != Cause::Values {
                first.cause = failure.cause;
            }
            last = Some(failure);
        }
        Ok(Err(first))
    }

    /// Runs the down migration and the up migration again.
    fn there_and_back(&mut self, up: Step<'_>, down: Step<'_>, before: Fingerprint) -> Result<(), Diagnostic> {
        if let Err(failure) = self.runner.run(down) {
            let on_empty = self.bare(self.passed.len())?.copy()?.run(down);
            self.blame_both(down, FAILING_DOWN, failure, on_empty.err());
            return Ok(());
        }
        let (effects, mut changed, lineage) = self.refresh()?;
        self.outcome.errors.extend(self.ownership.check(&changed, &effects, down.script));
        if self.schema().fingerprint() != before {
            let expected = self.bare(self.passed.len() - 1)?.shadow.schema().clone();
            let differences = self.schema().differences(&expected);
            self.find(down, INEXACT_DOWN, leads_elsewhere(down.script, &differences));
            return Ok(());
        }
        let losses = || Losses::down(down.file, down.script, &S::LOSSES);
        let (findings, to_fill) = self.compare(losses(), &effects, &lineage)?;
        let of_schema = loss::losses(&changed, self.schema(), &lineage, losses());
        let lost = findings.into_iter().chain(of_schema).filter_map(|finding| finding.takes);
        self.outcome.losses_of_downs.insert(down.version(), lost.collect());
        if let Err(failure) = self.runner.run(up) {
            let mut empty = self.bare(self.passed.len())?.copy()?;
            let on_empty = empty.run(down).and_then(|()| empty.run(up));
            let only_once = |failure: Failure| {
                let note = format!("it works once, and no more after `{}`", down.script.shown);
                Failure { diagnostic: failure.diagnostic.note(note), ..failure }
            };
            self.blame_both(down, FAILING_AGAIN, only_once(failure), on_empty.err().map(only_once));
            return Ok(());
        }
        let (_, changed_again, _) = self.refresh()?;
        changed.extend(changed_again);
        self.populate(up, &changed, &to_fill)
    }

    fn schema(&self) -> &Schema {
        self.runner.shadow.schema()
    }

    /// Reads again what the script that ran last may have changed. The rows of a table go with it when it is renamed.
    fn refresh(&mut self) -> Result<(Effects, Vec<Changed>, Lineage), Diagnostic> {
        let changed = self.runner.shadow.refresh_schema()?;
        let effects = self.runner.shadow.effects();
        let lineage = Lineage::of(&effects.events, &changed, self.schema());
        if lineage.keeps_names() {
            return Ok((effects, changed, lineage));
        }
        let rows = std::mem::take(&mut self.rows);
        let follow = |(old, rows): (String, TableRows)| {
            let new = lineage.after(&old)?;
            Some((new.to_owned(), rows.with_columns(|column| lineage.column(new, column).map(ToOwned::to_owned))))
        };
        self.rows = rows.into_iter().filter_map(follow).collect();
        let untried = std::mem::take(&mut self.untried);
        self.untried = untried.iter().filter_map(|table| lineage.after(table)).map(ToOwned::to_owned).collect();
        self.canaries.follow(&lineage);
        Ok((effects, changed, lineage))
    }

    /// Looks for what a script took from the rows that were there. Returns the tables that need new ones, too.
    fn compare(
        &mut self,
        mut losses: Losses<'_>,
        effects: &Effects,
        lineage: &Lineage,
    ) -> Result<(Vec<Finding>, BTreeSet<String>), Diagnostic> {
        let mut to_fill = BTreeSet::new();
        let touched = effects.written.iter().flat_map(|table| lineage.all_named(table));
        let replaced = self.rows.keys().map(String::as_str).filter(|table| lineage.is_made_anew(table));
        let tables = touched.chain(replaced).filter(|table| self.schema().table(table).is_some());
        for table in tables.map(ToOwned::to_owned).collect::<BTreeSet<_>>() {
            let after = self.read(&table)?;
            if let Some(before) = self.rows.get(&table) {
                // A user's rows are counted before the step, when the table has its old name.
                let old = lineage.before(&table).unwrap_or(&table);
                let change = change_of(&table, &before.columns, effects, lineage);
                if let (Direction::Up, Change::MadeAnew { .. }) = (losses.direction, &change) {
                    let moved = before.moved(&after, |column| lineage.is_read(&table, column));
                    for (column, new) in moved.iter().filter_map(|(column, new)| Some((column, new.as_ref()?))) {
                        let place = lineage.created_at(&table);
                        losses.narrow_type((old, column), before.types.get(column), after.types.get(new), place);
                    }
                    self.outcome.moved.insert((losses.version, old.to_owned()), moved);
                }
                if after.is_less_than(before) {
                    to_fill.insert(table.clone());
                }
                let default_of = |column: &str| self.canaries.default_of(&self.runner.shadow, &table, column);
                for loss in before.losses(&after, &change, default_of)? {
                    if self.has_varied && matches!(loss, RowLoss::Cleared(_)) {
                        continue;
                    }
                    report(&mut losses, &table, loss, lineage);
                    if let Some((of, column)) = losses.found.last_mut().and_then(|it| it.takes.as_mut()) {
                        *column = column.take().map(|column| lineage.column_before(&table, &column).to_owned());
                        old.clone_into(of);
                    }
                }
            }
            self.rows.insert(table, after);
        }
        Ok((losses.found, to_fill))
    }

    /// Looks for views and triggers that refer to what an up migration took away.
    fn check_references(&mut self, up: Step<'_>) -> Result<(), Diagnostic> {
        let broken = self.runner.shadow.broken_references()?;
        let mut losses = Losses::up(up.file, &S::LOSSES);
        for (object, problem) in broken.iter().filter(|(object, _)| !self.broken.contains_key(*object)) {
            let name = &object.name;
            let what = format!("leaves the {} `{name}` behind, which cannot be used any more: {problem}", object.kind);
            let place = losses.said(&["drop"]).or_else(|| losses.said(&["rename"]));
            losses.add(BROKEN_REFERENCE, name.clone(), place, &what);
        }
        self.outcome.findings.extend(losses.found);
        self.broken = broken;
        Ok(())
    }

    /// Adds rows to the tables that were changed: to a new one, and to those `to_fill`, as many as tell all kinds of rows
    /// apart; to another, one with a value in the new columns, and one without.
    fn populate(&mut self, step: Step<'_>, changed: &[Changed], to_fill: &BTreeSet<String>) -> Result<(), Diagnostic> {
        let changed = changed.iter().filter(|it| it.object.kind == ObjectKind::Table);
        let tables: BTreeSet<String> = changed
            .map(|it| &it.object.name)
            .chain(to_fill)
            .filter(|table| self.schema().table(table).is_some())
            .cloned()
            .collect();
        let fills = |table: &String| -> &[Fill] {
            let has_two = self.rows.get(table).is_some_and(|rows| rows.canaries.len() >= 2);
            if has_two && !to_fill.contains(table) { &[Fill::Full, Fill::Sparse] } else { ALL_FILLS }
        };
        let tables: Vec<(&str, &[Fill])> = tables.iter().map(|table| (table.as_str(), fills(table))).collect();
        let without = self.plant(&tables)?;
        let had_some = |table: &String| self.given.iter().any(|it| it.table == *table && it.result == Some(Ok(())));
        if without.iter().any(|(table, _)| had_some(table)) {
            // What the program gives is for a database without rows.
            return self.restart(step);
        }
        let blank = tables.iter().filter_map(|(table, _)| self.rows.get_key_value(*table));
        let blank = blank.flat_map(|(table, rows)| rows.columns_without_values().map(|it| (table.clone(), it.clone())));
        let blank: Vec<(String, String)> = blank.collect();
        self.say_untried(step, without, &blank);
        Ok(())
    }

    /// Says which tables have no rows, and why, and which columns no values.
    fn say_untried(&mut self, step: Step<'_>, without: Vec<(String, String)>, blank: &[(String, String)]) {
        let mut losses = Losses::up(step.file, &S::LOSSES);
        let mut say = |subject: &str, table: &str, reason: String| {
            let place = losses.said(&["create", table]);
            losses.add_untried((subject, table), place, &reason);
            self.outcome.unproven.push(Unproven { version: step.version(), reason });
        };
        for (table, reason) in without {
            if self.untried.insert(table.clone()) {
                say(&table, &table, format!("no rows could be made up for `{table}`: {reason}"));
            }
        }
        for (table, column) in blank {
            let subject = format!("{table}.{column}");
            say(&subject, table, format!("no value could be made up for `{subject}`"));
        }
        self.outcome.findings.extend(losses.found);
    }

    /// Puts rows into tables. Returns those that have none then, and why.
    fn plant(&mut self, tables: &[(&str, &[Fill])]) -> Result<Vec<(String, String)>, Diagnostic> {
        for given in &mut self.given {
            let is_empty = self.rows.get(&given.table).is_none_or(TableRows::is_empty);
            if is_empty && tables.iter().any(|(table, _)| *table == given.table) {
                let inserted = self.canaries.insert(&mut self.runner.shadow, &given.table, &given.sql)?;
                let changed = match inserted {
                    Ok(changed) => {
                        given.result = Some(Ok(()));
                        changed
                    }
                    // It may be for the table as it is later.
                    Err(problem) => {
                        given.result.get_or_insert(Err(problem));
                        continue;
                    }
                };
                for table in changed {
                    let rows = self.canaries.read(&self.runner.shadow, &table)?;
                    self.rows.insert(table, rows);
                }
            }
        }
        let mut planted = self.canaries.plant(&mut self.runner.shadow, tables)?;
        self.read_again(planted.changed)?;
        planted.failed.retain(|(table, _)| self.rows.get(table).is_none_or(|rows| rows.canaries.is_empty()));
        Ok(planted.failed)
    }

    /// Puts other values into the rows of the tables that the last script used. Returns whether there were any.
    fn vary(&mut self, failure: &Failure, script: &str, variation: Variation) -> Result<bool, Diagnostic> {
        let shadow = &mut self.runner.shadow;
        let used = shadow.effects().used;
        let varied = self.canaries.vary(shadow, &used, failure, script, variation)?;
        let any_varied = !varied.is_empty();
        self.has_varied |= any_varied;
        self.read_again(varied)?;
        Ok(any_varied)
    }

    /// Takes note of the rows that these tables have now.
    fn read_again(&mut self, tables: BTreeSet<String>) -> Result<(), Diagnostic> {
        for table in tables {
            let rows = self.read(&table)?;
            self.rows.insert(table, rows);
        }
        Ok(())
    }

    fn read(&self, table: &str) -> Result<TableRows, Diagnostic> {
        self.canaries.read(&self.runner.shadow, table)
    }

    /// The first `count` migrations in a database without rows. It goes on from those that were in it, where there are no
    /// more.
    fn bare(&mut self, count: usize) -> Result<&Runner<'s, S>, Diagnostic> {
        let mut bare = match self.bare.take().filter(|bare| bare.count <= count) {
            Some(bare) => bare,
            None => Bare { runner: self.runner.another()?, count: 0 },
        };
        for Passed { file, left_out } in &self.passed[bare.count..count] {
            match left_out {
                None => bare.runner.run(file.up()).map_err(|failure| failure.diagnostic)?,
                Some(left_out) => drop(bare.runner.shadow.run_without(&file.up, left_out.clone())),
            }
        }
        if bare.count < count {
            bare.runner.shadow.read_schema()?;
        }
        bare.count = count;
        Ok(&self.bare.insert(bare).runner)
    }

    /// Starts again with the migrations so far, as if rows had come in after the last of them.
    fn restart(&mut self, step: Step<'_>) -> Result<(), Diagnostic> {
        self.bare(self.passed.len())?;
        if let Some(bare) = &self.bare {
            self.runner.shadow.copy_from(&bare.runner.shadow)?;
        }
        self.rows.clear();
        // Which values to pass over was learned from a step that has left nothing.
        self.canaries.forget_rows();
        let without = self.plant_everywhere()?;
        self.say_untried(step, without, &[]);
        Ok(())
    }

    /// Puts rows into every table. Returns those that have none then, and why.
    fn plant_everywhere(&mut self) -> Result<Vec<(String, String)>, Diagnostic> {
        let objects = self.schema().objects().filter(|object| object.kind == ObjectKind::Table);
        let tables: BTreeSet<String> = objects.map(|object| object.name.clone()).collect();
        let tables: Vec<(&str, &[Fill])> = tables.iter().map(|table| (table.as_str(), ALL_FILLS)).collect();
        self.plant(&tables)
    }

    /// Notes a failure that there is only with rows.
    fn blame(&mut self, step: Step<'_>, lint: &'static str, failure: Failure) {
        if failure.follows_from(&self.missing) {
            return;
        }
        if failure.cause == Cause::Other {
            let reason = failure.message.map_or_else(|| failure.diagnostic.title().to_owned(), |message| message.text);
            let diagnostic = failure.diagnostic.note("it works on empty tables, and was not tried with rows");
            self.find(step, UNTRIED, diagnostic.help(format!("if that is known, write `-- molos: allow {UNTRIED}`")));
            self.outcome.unproven.push(Unproven { version: step.version(), reason });
            return;
        }
        let diagnostic = failure.diagnostic.note("on empty tables it works; the rows that it was tried on are made up");
        let diagnostic = match failure.message.and_then(|message| message.constraint) {
            Some(constraint) => diagnostic.help(constraint.help()),
            None => diagnostic,
        };
        let diagnostic = if lint == FAILS_ON_ROWS {
            diagnostic
                .help(format!("if users have no such rows, write `-- molos: allow {lint}` at the head of the file"))
        } else {
            diagnostic
        };
        self.find(step, lint, diagnostic);
    }

    /// Notes a failure of a down migration, or of the up migration after it: the one without rows if there is one.
    fn blame_both(&mut self, step: Step<'_>, lint: &'static str, failure: Failure, on_empty: Option<Failure>) {
        match on_empty {
            Some(failure) => self.find(step, lint, failure.diagnostic),
            None => self.blame(step, lint, failure),
        }
    }

    fn find(&mut self, step: Step<'_>, lint: &'static str, diagnostic: Diagnostic) {
        let (version, direction, subject) = (step.version(), step.direction, String::new());
        self.outcome.findings.push(Finding { version, direction, lint, subject, takes: None, place: None, diagnostic });
    }
}

/// What happened to a table that had these `columns`.
fn change_of(table: &str, columns: &[String], effects: &Effects, lineage: &Lineage) -> Change {
    if lineage.is_made_anew(table) {
        let unread = columns.iter().filter(|column| !lineage.may_have_values(table, column)).cloned().collect();
        let read = columns.iter().filter(|column| lineage.is_read(table, column)).cloned().collect();
        return Change::MadeAnew { unread, read };
    }
    let had_name = |name: &String| lineage.had_name(table, name);
    if effects.removed.iter().any(had_name) {
        let inserted = effects.inserted.iter().filter(|(name, _)| had_name(name));
        return Change::Removed { inserted: inserted.map(|(_, count)| count).sum() };
    }
    Change::Kept
}

fn report(losses: &mut Losses<'_>, table: &str, loss: RowLoss, lineage: &Lineage) {
    let of = |column: Option<String>| (table.to_owned(), column);
    let filled = lineage.filled_at(table).or_else(|| lineage.created_at(table));
    match loss {
        RowLoss::Rows => {
            // Where no statement is about the table, it went with the rows that it refers to.
            let place = lineage.emptied_at(table).or_else(|| losses.said(&["drop"]));
            losses.add_loss(DATA_LOSS, of(None), place, &format!("deletes rows of `{table}`"));
        }
        RowLoss::Column(column, None) => {
            let what = format!("makes `{table}` anew, and leaves the values of `{column}` behind");
            losses.add_loss(DATA_LOSS, of(Some(column)), filled, &what);
        }
        RowLoss::Column(column, Some(other)) => {
            let what = format!("puts the values of `{table}.{other}` into `{column}`, and leaves its own behind");
            losses.add_loss(DATA_LOSS, of(Some(column)), filled, &what);
        }
        RowLoss::Cleared(column) => {
            let what = format!("sets `{table}.{column}` to NULL in every row");
            let place = lineage.updated_at(table, &column).or_else(|| lineage.emptied_at(table));
            losses.add_loss(DATA_LOSS, of(Some(column)), place, &what);
        }
        RowLoss::Moved(column, new) => losses.rename_column((table, &column), &new, filled),
        RowLoss::Sequence => {
            let what = format!("lets `{table}` give out ids that it has given out before");
            let place = lineage.dropped_at(lineage.before(table).unwrap_or(table));
            losses.add(SEQUENCE_RESET, table.to_owned(), place, &what);
        }
    }
}

fn leads_elsewhere(down: &Script, differences: &[Difference]) -> Diagnostic {
    let title = format!("`{}` does not lead back to the schema before its migration", down.shown);
    let first_statement = down.statements().next().map_or(0, |statement| statement.offset);
    let error = down.underline_statement(Diagnostic::new(title), first_statement);
    let error = differences.iter().fold(error, |error, difference| error.note(difference.to_string()));
    error.help("correct it; if you want it so, write `-- molos: allow inexact-down` at its head")
}
