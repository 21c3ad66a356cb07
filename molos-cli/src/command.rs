//! The commands: each asks the library, and says what it answered.

use std::path::Path;
use std::process::ExitCode;

use comfy_table::Cell;
use molos_runtime::__private::{Milliseconds, UtcTime};
use molos_runtime::rusqlite::Connection;
use molos_runtime::{
    AdoptedSet, BackupProblem, Difference, Direction, Error, ErrorKind, Fact, Keep, Loss, Migration, Migrator, Plan,
    Report, Rollback, SetStatus, State, Status, StepRehearsal, StepStatus, Transactions,
};

use crate::ask::{Unattended, confirm};
use crate::interrupt::stoppable;
use crate::json::{HowDifferent, milliseconds};
use crate::output::{Failure, Output, PENDING, Rows, WRONG, bad, cell, code_of, due, good, note, show_error};
use crate::progress::Progress;
use crate::target::{self, Target};
use crate::{Of, Safety, SchemaFormat, json, mermaid, schema};

type Code = Result<ExitCode, Failure>;

const DONE: Code = Ok(ExitCode::SUCCESS);

pub(crate) fn migrate(args: &crate::Migrate, migrator: Migrator<'_>, target: &Target<'_>, output: &Output) -> Code {
    let migrator = up_to(of(migrator, &args.of)?, args.to);
    let mut conn = if args.dry_run { target.look()? } else { target.open()? };
    let plan = stoppable(&mut conn, |conn| migrator.plan(conn))?;
    if args.dry_run {
        return planned(&plan, false, output);
    }
    let migrator = if args.each { migrator.transactions(Transactions::PerMigration) } else { migrator };
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method wants one lifetime for both")]
    let report = carry_out(&plan, migrator, &mut conn, &args.safety, |migrator, conn| migrator.migrate(conn))?;
    ran(&report, output)
}

pub(crate) fn rollback(args: &crate::Rollback, migrator: Migrator<'_>, target: &Target<'_>, output: &Output) -> Code {
    let migrator = of(migrator, &args.of)?;
    let back = match (args.all, args.to, args.steps) {
        (true, ..) => Rollback::All,
        (false, Some(version), _) => Rollback::To(version),
        (false, None, steps) => Rollback::Steps(steps.unwrap_or(1)),
    };
    let mut conn = target.look()?;
    let plan = stoppable(&mut conn, |conn| migrator.plan_rollback(conn, back))?;
    if args.dry_run {
        return planned(&plan, false, output);
    }
    let report = carry_out(&plan, migrator, &mut conn, &args.safety, |migrator, conn| {
        migrator.rollback_planned(conn, back, &plan)
    })?;
    ran(&report, output)
}

/// Shows the plan, asks if it loses something, and runs it.
fn carry_out<'m>(
    plan: &Plan<'m>,
    migrator: Migrator<'m>,
    conn: &mut Connection,
    safety: &Safety,
    run: impl FnOnce(&Migrator<'m>, &mut Connection) -> Result<Report, Error>,
) -> Result<Report, Failure> {
    if !plan.is_empty() {
        note(plan);
    }
    if !plan.losses().is_empty() {
        let losses: Vec<_> = plan.losses().iter().map(ToString::to_string).collect();
        let unattended = match plan.direction() {
            Direction::Up => Unattended::GoesOn,
            Direction::Down => Unattended::IsRefused,
        };
        confirm(safety.yes, &format!("{} will be lost", losses.join(", ")), unattended)?;
    }
    run_with_progress(plan.steps().len(), migrator, conn, safety, run)
}

fn run_with_progress<'m>(
    steps: usize,
    migrator: Migrator<'m>,
    conn: &mut Connection,
    safety: &Safety,
    run: impl FnOnce(&Migrator<'m>, &mut Connection) -> Result<Report, Error>,
) -> Result<Report, Failure> {
    let migrator = match &safety.backup {
        Some(directory) => migrator.backup_before(directory, Keep::All),
        None => migrator,
    };
    let progress = Progress::new(steps);
    let migrator = progress.follow(migrator);
    let report = stoppable(conn, |conn| run(&migrator, conn));
    progress.end();
    Ok(report?)
}

/// Says what was run.
fn ran(report: &Report, output: &Output) -> Code {
    let data = json::Report::of(report);
    if report.steps().is_empty() {
        output.answer(&data, report)?;
        return DONE;
    }
    let mut rows = Rows::by_set(report.steps().iter().map(|step| step.set.as_str()), &["VERSION", "NAME", "TIME"]);
    for step in report.steps() {
        rows.add_of(&step.set, [cell(step.version), cell(&step.name), cell(Milliseconds(step.elapsed))]);
    }
    output.table(&data, &rows)?;
    DONE
}

pub(crate) fn status(args: &crate::Status, migrator: Migrator<'_>, target: &Target<'_>, output: &Output) -> Code {
    let migrator = of(migrator, &args.of)?;
    let mut conn = target.look()?;
    let (status, check) = stoppable(&mut conn, |conn| (migrator.status(conn), migrator.check(conn)));
    let status = status?;
    let wrong = check.err();
    let data = json::Status {
        up_to_date: status.is_up_to_date(),
        pending: status.pending(),
        error: wrong.as_ref().map(json::Error::of),
        sets: status.sets().iter().map(set_status).collect(),
    };
    output.table(&data, &status_rows(&status))?;
    if let Some(error) = wrong {
        show_error(&error);
        return Ok(code_of(&error));
    }
    Ok(if status.pending() > 0 { ExitCode::from(PENDING) } else { ExitCode::SUCCESS })
}

fn set_status(set: &SetStatus) -> json::SetStatus {
    let step = |step: &StepStatus| json::StepStatus {
        version: step.version,
        name: step.name.clone(),
        state: step.state.to_string(),
        applied_at: step.applied.as_ref().map(|applied| applied.applied_at),
        milliseconds: step.applied.as_ref().map(|applied| milliseconds(applied.duration)),
        has_hook: step.has_hook,
        has_down: step.has_down,
    };
    json::SetStatus {
        set: set.set().to_owned(),
        current: set.current(),
        pending: set.pending(),
        steps: set.steps().iter().map(step).collect(),
    }
}

fn status_rows(status: &Status) -> Rows {
    let header = ["VERSION", "NAME", "STATE", "APPLIED", "TIME"];
    let mut rows = Rows::by_set(status.sets().iter().map(SetStatus::set), &header);
    for set in status.sets() {
        for step in set.steps() {
            let (at, took) = step.applied.as_ref().map_or_else(Default::default, |applied| {
                (UtcTime(applied.applied_at).to_string(), Milliseconds(applied.duration).to_string())
            });
            rows.add_of(set.set(), [cell(step.version), cell(&step.name), state(step), cell(at), cell(took)]);
        }
    }
    rows
}

fn state(step: &StepStatus) -> Cell {
    let mut text = step.state.to_string();
    if step.has_hook {
        text.push_str(", with a hook");
    }
    if !step.has_down && step.state != State::Unknown {
        text.push_str(", irreversible");
    }
    match step.state {
        State::Applied => good(&text),
        State::Pending => due(&text),
        _ => bad(&text),
    }
}

pub(crate) fn plan(args: &crate::Plan, migrator: Migrator<'_>, target: &Target<'_>, output: &Output) -> Code {
    let migrator = up_to(of(migrator, &args.of)?, args.to);
    let mut conn = target.look()?;
    let plan = stoppable(&mut conn, |conn| migrator.plan(conn))?;
    planned(&plan, args.sql, output)
}

/// Says what would be run.
fn planned(plan: &Plan<'_>, with_sql: bool, output: &Output) -> Code {
    let direction = plan.direction();
    let step = |step: &Migration<'_>| json::PlannedStep {
        set: step.set().to_owned(),
        version: step.version(),
        name: step.name().to_owned(),
        file: step.path(direction).into_owned(),
        without_transaction: step.is_without_transaction(direction),
        has_hook: direction == Direction::Up && step.hook().is_some(),
        sql: step.sql(direction).filter(|_| with_sql).map(ToOwned::to_owned),
    };
    let loss = |loss: &Loss| json::Loss {
        set: loss.set.clone(),
        version: loss.version,
        table: loss.table.clone(),
        column: loss.column.clone(),
        rows: loss.rows,
    };
    let data = json::Plan {
        direction: direction.to_string(),
        steps: plan.steps().iter().map(step).collect(),
        losses: plan.losses().iter().map(loss).collect(),
    };
    let text = if with_sql { format!("{plan:#}") } else { plan.to_string() };
    output.answer(&data, text)?;
    DONE
}

pub(crate) fn rehearse(args: &crate::Rehearse, migrator: Migrator<'_>, target: &Target<'_>, output: &Output) -> Code {
    let migrator = up_to(of(migrator, &args.of)?, args.to);
    let mut conn = target.look()?;
    let rehearsal = stoppable(&mut conn, |conn| migrator.rehearse(conn))?;
    let step = |step: &StepRehearsal| json::RehearsedStep {
        set: step.set.clone(),
        version: step.version,
        name: step.name.clone(),
        milliseconds: milliseconds(step.elapsed),
        rows: step.rows,
    };
    let data = json::Rehearsal {
        steps: rehearsal.steps().iter().map(step).collect(),
        error: rehearsal.error().map(json::Error::of),
    };
    output.answer(&data, &rehearsal)?;
    Ok(rehearsal.error().map_or(ExitCode::SUCCESS, code_of))
}

pub(crate) fn verify(args: &crate::Verify, migrator: Migrator<'_>, target: &Target<'_>, output: &Output) -> Code {
    let migrator = of(migrator, &args.of)?;
    let mut conn = target.look()?;
    let result = stoppable(&mut conn, |conn| migrator.verify(conn));
    let mut data = json::Verification { verified: result.is_ok(), pending: Vec::new(), differences: Vec::new() };
    let Err(error) = result else {
        output.answer(&data, "the database is what the migrations lead to")?;
        return DONE;
    };
    match error.kind() {
        ErrorKind::Pending { pending, .. } => {
            data.pending = pending.iter().map(json::Named::of).collect();
            output.answer(&data, format!("{error:#}"))?;
            Ok(ExitCode::from(PENDING))
        }
        ErrorKind::Drift { differences, .. } => {
            data.differences = differences.iter().map(difference).collect();
            let mut rows = Rows::new(&["WHAT", "SHOULD BE", "IS"]);
            for difference in &data.differences {
                difference_rows(difference, &mut rows);
            }
            output.table(&data, &rows)?;
            show_error(&error);
            Ok(ExitCode::from(WRONG))
        }
        _ => Err(error.into()),
    }
}

fn difference(difference: &Difference) -> json::Difference {
    let (what, expected, found) = match difference {
        Difference::Missing(_) => (HowDifferent::Missing, Vec::new(), Vec::new()),
        Difference::Extra(_) => (HowDifferent::Extra, Vec::new(), Vec::new()),
        Difference::Changed { missing, extra, .. } => (HowDifferent::Changed, texts(missing), texts(extra)),
        _ => (HowDifferent::Changed, vec![difference.to_string()], Vec::new()),
    };
    let object = difference.object();
    json::Difference { kind: object.kind.to_string(), name: object.name.clone(), difference: what, expected, found }
}

fn texts(facts: &[Fact]) -> Vec<String> {
    facts.iter().map(ToString::to_string).collect()
}

fn difference_rows(difference: &json::Difference, rows: &mut Rows) {
    let json::Difference { kind, name, difference, expected, found } = difference;
    let what = format!("{kind} {name}");
    match difference {
        HowDifferent::Missing => rows.add([cell(what), good("there"), bad("missing")]),
        HowDifferent::Extra => rows.add([cell(what), good("not there"), bad("there")]),
        HowDifferent::Changed => {
            for at in 0..expected.len().max(found.len()) {
                let fact = |facts: &[String]| facts.get(at).cloned().unwrap_or_default();
                let what = if at == 0 { what.as_str() } else { "" };
                rows.add([cell(what), good(&fact(expected)), bad(&fact(found))]);
            }
        }
    }
}

pub(crate) fn adopt(args: &crate::Adopt, migrator: Migrator<'_>, target: &Target<'_>, output: &Output) -> Code {
    let migrator = of(migrator, &args.of)?;
    let mut conn = target.look()?;
    let adopted = stoppable(&mut conn, |conn| match (args.from, args.to) {
        (Some(from), _) => migrator.adopt_from(conn, from.tool()),
        (None, Some(version)) => migrator.adopt_at(conn, version),
        (None, None) => migrator.adopt(conn),
    })?;
    let set = |set: &AdoptedSet| json::AdoptedSet {
        set: set.set.clone(),
        version: set.version,
        name: set.name.clone(),
        recorded: set.recorded,
        tool: set.tool.map(|tool| tool.to_string()),
    };
    output.answer(&json::Adoption { sets: adopted.sets().iter().map(set).collect() }, &adopted)?;
    DONE
}

pub(crate) fn backup(args: &crate::Backup, migrator: &Migrator<'_>, target: &Target<'_>, output: &Output) -> Code {
    if !target.is_there() {
        return Err(Failure::new(format!("there is no database at {}", target.name()), "check the path"));
    }
    let beside = || {
        let file = target::file(target.path).unwrap_or_default();
        file.parent().unwrap_or(Path::new("")).join("backups")
    };
    let directory = args.directory.clone().unwrap_or_else(beside);
    let keep = args.keep.map_or(Keep::All, Keep::Newest);
    let mut conn = target.open()?;
    let path = stoppable(&mut conn, |conn| migrator.create_backup(conn, directory, keep))?;
    let shown = path.as_deref().map(|path| path.display().to_string());
    let data = json::BackedUp { path: shown.clone() };
    output.answer(&data, shown.as_deref().unwrap_or("there is nothing in the database, and no copy of it was made"))?;
    DONE
}

pub(crate) fn restore(args: &crate::Restore, migrator: &Migrator<'_>, target: &Target<'_>, output: &Output) -> Code {
    let (name, backup) = (target.name(), target::name(&args.backup));
    // The library compares paths, not what URIs stand for.
    let file = |path| target::file(path).and_then(|file| file.canonicalize().ok());
    if file(&args.backup).is_some_and(|backup| file(target.path) == Some(backup)) {
        return Err(Failure::new(
            format!("{backup} cannot be restored: it is the database itself"),
            "nothing was changed; take another backup",
        ));
    }
    if target.is_there() {
        confirm(args.yes, &format!("what was written to {name} after {backup} will be lost"), Unattended::IsRefused)?;
    }
    migrator.restore_backup(&args.backup, target.path).map_err(|error| {
        // The library says the paths as it was given them, with the parameters of a URI.
        let problem = match error.kind() {
            ErrorKind::Backup { problem: BackupProblem::NotABackup(problem), .. } => {
                format!("{backup} cannot be restored: {problem}")
            }
            ErrorKind::Backup { .. } => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                format!("{name} could not be restored{}", cause.unwrap_or_default())
            }
            _ => return Failure::Molos(error),
        };
        Failure::new(problem, error.help().unwrap_or_default())
    })?;
    let data = json::Restored { database: name.clone().into_owned(), backup: backup.clone().into_owned() };
    output.answer(&data, format!("{name} is what {backup} was"))?;
    DONE
}

pub(crate) fn schema(args: &crate::Schema, migrator: &Migrator<'_>, target: &Target<'_>, output: &Output) -> Code {
    let mut conn = target.in_memory()?;
    stoppable(&mut conn, |conn| migrator.build(conn))?;
    let unreadable = |error: molos_runtime::rusqlite::Error| {
        Failure::new(format!("the schema cannot be read: {error}"), "run `db verify`; it says what is wrong")
    };
    let data = schema::read(&conn).map_err(unreadable)?;
    let text = match args.format {
        SchemaFormat::Sql => schema::sql(&conn).map_err(unreadable)?,
        SchemaFormat::Mermaid => mermaid::diagram(&data),
        // `output` writes the data itself then.
        SchemaFormat::Json => String::new(),
    };
    output.answer(&data, text)?;
    DONE
}

pub(crate) fn downgrade(args: &crate::Downgrade, migrator: Migrator<'_>, target: &Target<'_>, output: &Output) -> Code {
    let migrator = of(migrator, &args.of)?;
    let mut conn = target.look()?;
    let status = stoppable(&mut conn, |conn| migrator.status(conn))?;
    let is_target = |step: &StepStatus| args.to == Some(step.version);
    let kept = args.to.map_or(usize::MAX, |_| status.steps().take_while(|step| !is_target(step)).count());
    let goes =
        |(at, step): &(usize, &StepStatus)| step.applied.is_some() && (*at > kept || step.state == State::Unknown);
    let mut back: Vec<_> = status.steps().enumerate().filter(goes).map(|(_, step)| step).collect();
    back.reverse();
    if !back.is_empty() {
        let names: Vec<_> = back.iter().map(|step| format!("{} {}", step.version, step.name)).collect();
        let loss = format!("{} will be rolled back, with what only they can keep", names.join(", "));
        confirm(args.safety.yes, &loss, Unattended::IsRefused)?;
    }
    let run = |migrator: &Migrator<'_>, conn: &mut Connection| match args.to {
        Some(version) => migrator.downgrade_to(conn, version),
        None => migrator.downgrade(conn),
    };
    let report = run_with_progress(back.len(), migrator, &mut conn, &args.safety, run)?;
    ran(&report, output)
}

#[cfg(debug_assertions)]
pub(crate) fn new(args: &crate::New, migrator: Migrator<'_>, output: &Output) -> Code {
    let migrator = of(migrator, &args.of)?;
    let sets: Vec<_> = migrator.sets().iter().collect();
    let [set] = sets.as_slice() else {
        let names: Vec<_> = sets.iter().map(|set| set.set()).collect();
        return Err(Failure::new(
            "a migration belongs to one set",
            format!("give --set, one of: {}", names.join(", ")),
        ));
    };
    let files = crate::new::create(set, &args.name, args.down)?;
    let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    output.answer(&json::Written { files: files.clone() }, files.join("\n"))?;
    note("written, and nothing else was changed: say what it does, and remove the line `-- molos: unfinished`");
    DONE
}

/// The migrator for what the command line says.
fn of<'m>(migrator: Migrator<'m>, of: &Of) -> Result<Migrator<'m>, Failure> {
    match &of.set {
        Some(set) => Ok(migrator.only(set)?),
        None => Ok(migrator),
    }
}

fn up_to(migrator: Migrator<'_>, version: Option<i64>) -> Migrator<'_> {
    match version {
        Some(version) => migrator.up_to(version),
        None => migrator,
    }
}
