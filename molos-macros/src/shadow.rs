//! The shadow database: every step is run on it, in order, and what they lead to is read back.

use std::collections::{BTreeMap, BTreeSet};

use molos_runtime::catalog::{self, Unreadable};
use molos_runtime::rusqlite::Connection;

use crate::diagnostic::Diagnostic;
use crate::expand;
use crate::file::Source;
use crate::finding::BROKEN_REFERENCE;
use crate::input::Input;
use crate::populated::Populated;
use crate::rehearsed::{Found, Rehearsed, Takes};
use crate::stage::{Set, Stage, broken};
use crate::statements::Sql;
use crate::table::{self, Model};
use crate::territory::Territory;
use crate::words::words;

/// Runs every migration, and writes the structs for the schema that they lead to.
pub(crate) fn rehearse(source: &Source, input: &Input) -> Result<Rehearsed, Diagnostic> {
    let set = Set { name: &input.set, table_prefix: &input.table_prefix, functions: &input.functions };
    let mut populated = Populated::new(Stage::open(source, set)?)?;
    let mut errors = source.errors.clone();
    // Words of the scripts that failed: what they would have made, and later ones may miss.
    let mut missing = BTreeSet::new();
    for file in &source.migrations {
        match populated.follow(file)? {
            Ok(()) => {}
            // What a file that could not be read would have made may be what is missing here.
            Err(failure) if failure.message.is_some() && !source.errors.is_empty() => {}
            Err(failure) if failure.follows_from(&missing) => {}
            Err(failure) => {
                missing.extend(words(file.up.sql()));
                errors.push(failure.diagnostic);
            }
        }
    }
    let Populated { stage, territory, found, .. } = populated;
    let Found { fingerprints, errors: trespasses, findings, unproven, downs_take } = found;
    errors.extend(trespasses);
    if errors.is_empty() {
        // Whether a key can be enforced at all is seen once, at the end: it may be only then that it can.
        let violations = stage.sandbox.check_all_keys().map_err(|error| broken(&error.source))?;
        errors.extend(violations.keys().filter_map(unenforceable));
    }
    let (models, unusable) = read_back(stage.sandbox.conn(), &territory, input, &mut errors)?;
    // What refers to what is gone is told where it broke.
    if findings.iter().all(|finding| finding.lint != BROKEN_REFERENCE) {
        errors.extend(unusable);
    }
    let mut takes: BTreeMap<i64, Takes> = BTreeMap::new();
    for finding in &findings {
        takes.entry(finding.version).or_default().up.extend(finding.takes.clone());
    }
    for (version, taken) in downs_take {
        takes.entry(version).or_default().down = taken;
    }
    let tables = expand::tables(&models, &input.molos);
    Ok(Rehearsed { tables, fingerprints, errors, findings, unproven, takes })
}

/// The structs for the schema that the migrations lead to, and what in there cannot be used.
fn read_back(
    conn: &Connection,
    territory: &Territory<'_>,
    input: &Input,
    errors: &mut Vec<Diagnostic>,
) -> Result<(Vec<Model>, Vec<Diagnostic>), Diagnostic> {
    let (mut tables, mut unreadable) =
        catalog::tables(conn).map_err(|error| Diagnostic::new(format!("the schema cannot be read back: {error}")))?;
    tables.retain(|table| !territory.others.has(&table.name.to_ascii_lowercase()));
    unreadable.retain(|table| !territory.others.has(&table.name.to_ascii_lowercase()));
    let (models, misnamed) = table::models(tables, &input.rename);
    let mut unusable = Vec::new();
    if errors.is_empty() {
        errors.extend(misnamed);
        unusable.extend(unreadable.into_iter().map(|Unreadable { name, source }| {
            Diagnostic::new(format!("after the last migration, `{name}` cannot be used: {source}"))
                .help("drop it, or create it again, in a new migration")
        }));
        unusable.extend(models.iter().filter_map(|model| unusable_rows(conn, model)));
    }
    Ok((models, unusable))
}

/// What is wrong with a key that cannot be enforced. What rows refer to was checked after each step.
fn unenforceable((problem, parent): &(String, String)) -> Option<Diagnostic> {
    parent.is_empty().then(|| {
        Diagnostic::new(format!("after the last migration, a foreign key cannot be enforced: {problem}"))
            .note("with `PRAGMA foreign_keys = ON`, every change of either table would fail")
            .help("refer to the primary key of the other table, or to columns with a `UNIQUE` index")
    })
}

/// Prepares every statement that is generated for a table.
fn unusable_rows(conn: &Connection, model: &Model) -> Option<Diagnostic> {
    let sql = Sql::of(model);
    sql.statements().find_map(|(what, statement)| {
        let error = conn.prepare(statement).err()?;
        let title = format!("after the last migration, rows cannot be {what} `{}`: {error}", model.table.name);
        Some(Diagnostic::new(title).help("a trigger or view may refer to what is gone; drop it in a new migration"))
    })
}
