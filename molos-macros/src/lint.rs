//! What a migration would take away from the rows that are there and from the programs that use them.

use molos_runtime::script::statements;
use molos_runtime::{Changed, Direction, Schema};

use crate::affinity::{Affinity, affinity};
use crate::diagnostic::{Diagnostic, list};
use crate::explain::{underline, underline_statement};
use crate::input::Input;
use crate::lock::Lock;
use crate::shadow::Fingerprints;
use crate::source::{MigrationFile, Script, Source, words};

pub(crate) const BROKEN_REFERENCE: &str = "broken-reference";
pub(crate) const DATA_LOSS: &str = "data-loss";
pub(crate) const DROP_COLUMN: &str = "drop-column";
pub(crate) const DROP_TABLE: &str = "drop-table";
pub(crate) const DROP_UNIQUE: &str = "drop-unique";
pub(crate) const FAILS_ON_ROWS: &str = "fails-on-rows";
pub(crate) const INEXACT_DOWN: &str = "inexact-down";
pub(crate) const LEFTOVER_TABLE: &str = "leftover-table";
pub(crate) const NARROW_TYPE: &str = "narrow-type";
pub(crate) const RENAME_COLUMN: &str = "rename-column";
pub(crate) const RENAME_TABLE: &str = "rename-table";
pub(crate) const SEQUENCE_RESET: &str = "sequence-reset";

/// What a file can allow.
pub(crate) const LINTS: &[&str] = &[
    BROKEN_REFERENCE,
    DATA_LOSS,
    DROP_COLUMN,
    DROP_TABLE,
    DROP_UNIQUE,
    FAILS_ON_ROWS,
    INEXACT_DOWN,
    LEFTOVER_TABLE,
    NARROW_TYPE,
    RENAME_COLUMN,
    RENAME_TABLE,
    SEQUENCE_RESET,
];

/// Those that can be about nothing but the file that they are found in.
pub(crate) const WITHOUT_SUBJECT: &[&str] = &[FAILS_ON_ROWS, INEXACT_DOWN];

/// What a finding is to the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Deny,
    Warn,
    Allow,
}

/// Something wrong with a migration that can still be changed; one that has shipped may have to be lived with.
pub(crate) struct Finding {
    pub(crate) version: i64,
    pub(crate) direction: Direction,
    /// What kind of thing it is.
    pub(crate) lint: &'static str,
    /// What it is about: `users.name`, say.
    pub(crate) subject: String,
    /// The table whose rows are taken, or the table and the column whose values are.
    pub(crate) takes: Option<Taking>,
    pub(crate) diagnostic: Diagnostic,
}

/// A table, or a table and one of its columns.
pub(crate) type Taking = (String, Option<String>);

impl Finding {
    /// The kind and the subject, as a directive and the lock write them.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.lint, self.subject).trim_end().to_owned()
    }
}

/// The findings by what is done about them.
#[derive(Default)]
pub(crate) struct Settled {
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// Those that the lock is to note.
    pub(crate) accepted: Vec<Finding>,
}

/// Looks up what the files, the lock and the macro's options say of the findings.
pub(crate) fn settle(
    mut findings: Vec<Finding>,
    source: &Source,
    passed: &Fingerprints,
    lock: &Lock,
    input: &Input,
) -> Settled {
    let mut settled = Settled::default();
    for file in &source.migrations {
        let scripts = [(Direction::Up, Some(&file.up)), (Direction::Down, file.down.as_ref())];
        for (direction, script) in scripts {
            let Some(script) = script else { continue };
            let is_here = |finding: &Finding| finding.version == file.version && finding.direction == direction;
            for allow in &script.directives.allows {
                let before = findings.len();
                findings.retain(|finding| {
                    let named = finding.lint == allow.lint && finding.subject.eq_ignore_ascii_case(&allow.subject);
                    !(is_here(finding) && named)
                });
                let is_known = passed.contains_key(&file.version) && !lock.holds(file.version);
                if findings.len() == before && is_known {
                    let others = findings.iter().filter(|finding| is_here(finding) && finding.lint == allow.lint);
                    let others = list(others.map(Finding::name));
                    let shown = format!("{}/{}", source.directory, script.path);
                    let error = Diagnostic::new(format!("`{shown}` allows what it does not do"));
                    let help = if others.is_empty() {
                        "remove the line".to_owned()
                    } else {
                        format!("what it does is {others}")
                    };
                    settled.errors.push(underline(error, script, &shown, allow.range.clone()).help(help));
                }
            }
        }
    }
    for finding in findings {
        if lock.accepts(&finding) {
            settled.accepted.push(finding);
            continue;
        }
        match input.lints.get(finding.lint).copied().unwrap_or(Level::Deny) {
            Level::Allow => {}
            Level::Warn if !lock.is_updated() => settled.warnings.push(finding.diagnostic),
            Level::Warn | Level::Deny => settled.errors.push(finding.diagnostic),
        }
    }
    settled
}

/// What a step took away from the schema.
pub(crate) fn losses(changed: &[Changed], schema: &Schema, mut losses: Losses<'_>) -> Vec<Finding> {
    let script = losses.script;
    for new in changed.iter().filter(|it| it.object.kind == "table" && it.before.is_none()) {
        let name = &new.object.name;
        let is_new = |table: &str| changed.iter().any(|it| it.before.is_none() && it.object.name == table);
        if let Some(rebuilt) = rebuilt(name).filter(|table| schema.has(table) && !is_new(table)) {
            losses.add(LEFTOVER_TABLE, name.clone(), &["create", name], &format!("leaves `{name}` beside `{rebuilt}`"));
        }
    }
    if changed.iter().all(|it| it.before.is_none()) {
        return losses.found;
    }
    let renames = words(script.sql()).contains("rename");
    let tables =
        |wanted: fn(&Changed) -> bool| changed.iter().filter(move |it| it.object.kind == "table" && wanted(it));
    for gone in tables(|it| it.after.is_none()) {
        let name = &gone.object.name;
        let new_name = tables(|it| it.before.is_none()).find(|new| {
            renames
                && columns(new.after.as_deref().unwrap_or_default())
                    == columns(gone.before.as_deref().unwrap_or_default())
        });
        match new_name {
            Some(new) => losses.add(
                RENAME_TABLE,
                name.clone(),
                &[name, &new.object.name],
                &format!("renames the table `{name}` to `{}`", new.object.name),
            ),
            None => losses.add_taking(
                DROP_TABLE,
                (name.clone(), None),
                &["drop", name],
                &format!("drops the table `{name}` with all of its rows"),
            ),
        }
    }
    for table in tables(|it| it.before.is_some() && it.after.is_some()) {
        losses.of_columns(table, renames);
    }
    for it in changed.iter().filter(|it| it.before.is_some()) {
        let (table, name) = (&it.object.table, &it.object.name);
        let Some(facts) = facts_of(schema, table) else { continue };
        let own = it
            .before
            .as_deref()
            .unwrap_or_default()
            .iter()
            .filter(|fact| !it.after.as_deref().unwrap_or_default().contains(*fact));
        for unique in own.filter_map(|fact| unique(fact)) {
            let remain = columns(facts);
            let all_remain = unique.iter().all(|column| remain.iter().any(|(name, _)| name == column));
            if !all_remain || is_unique(schema, table, facts, &unique) {
                continue;
            }
            let subject =
                if it.object.kind == "index" { name.clone() } else { format!("{table}.{}", unique.join(",")) };
            let what = format!("lets rows of `{table}` have the same {}", list(&unique));
            losses.add(DROP_UNIQUE, subject, &["drop", name], &what);
        }
    }
    losses.found
}

/// The findings of a script.
pub(crate) struct Losses<'f> {
    version: i64,
    direction: Direction,
    script: &'f Script,
    shown: &'f str,
    pub(crate) found: Vec<Finding>,
}

impl<'f> Losses<'f> {
    pub(crate) const fn up(file: &'f MigrationFile, shown: &'f str) -> Self {
        Self { version: file.version, direction: Direction::Up, script: &file.up, shown, found: Vec::new() }
    }

    pub(crate) const fn down(file: &MigrationFile, script: &'f Script, shown: &'f str) -> Self {
        Self { version: file.version, direction: Direction::Down, script, shown, found: Vec::new() }
    }

    /// Adds what takes rows or values away.
    pub(crate) fn add_taking(&mut self, lint: &'static str, taken: Taking, said_with: &[&str], what: &str) {
        let (table, column) = &taken;
        let subject = column.as_ref().map_or_else(|| table.clone(), |column| format!("{table}.{column}"));
        self.add(lint, subject, said_with, what);
        if let Some(finding) = self.found.last_mut() {
            finding.takes = Some(taken);
        }
    }

    /// Whether a statement has all of these words in it.
    pub(crate) fn says(&self, words: &[&str]) -> bool {
        statements_with(self.script, words).next().is_some()
    }

    /// Adds what a statement with these words in it does.
    pub(crate) fn add(&mut self, lint: &'static str, subject: String, said_with: &[&str], what: &str) {
        let script = self.script;
        let error = Diagnostic::new(format!("`{}` {what}", self.shown));
        let error = match statement_with(script, said_with) {
            Some(offset) => underline_statement(error, script, self.shown, offset),
            None => error,
        };
        let diagnostic = error.note(note(lint));
        let allow = format!("`-- molos: allow {lint} {subject}` at the head of the file");
        let diagnostic = match lint {
            SEQUENCE_RESET => diagnostic
                .help(format!(
                    "before the old table is dropped: `UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence \
                     WHERE name = '{subject}') WHERE name = '<the new table>'`"
                ))
                .help(format!("if it does not matter, write {allow}")),
            BROKEN_REFERENCE => diagnostic
                .help("drop it in this file, and create it again as it is to be")
                .help(format!("if that comes later, write {allow}")),
            _ => diagnostic.help(format!("if that is meant, write {allow}")),
        };
        let (version, direction) = (self.version, self.direction);
        self.found.push(Finding { version, direction, lint, subject, takes: None, diagnostic });
    }

    fn of_columns(&mut self, table: &Changed, renames: bool) {
        let name = &table.object.name;
        let (before, after) =
            (columns(table.before.as_deref().unwrap_or_default()), columns(table.after.as_deref().unwrap_or_default()));
        for (at, (column, declared)) in before.iter().enumerate() {
            let subject = format!("{name}.{column}");
            match after.iter().find(|(after, _)| after == column) {
                Some((_, now)) if is_narrower(declared, now) => {
                    let what = format!("makes `{subject}` {}, which was {}", type_name(now), type_name(declared));
                    self.add(NARROW_TYPE, subject, &[name, column], &what);
                }
                Some(_) => {}
                None => {
                    let is_new =
                        |new: &&(String, String)| new.1 == *declared && !before.iter().any(|(old, _)| *old == new.0);
                    let said = |new: &&(String, String)| {
                        statements_with(self.script, &["rename", column, &new.0]).next().is_some()
                    };
                    let in_place = after.get(at).filter(|_| renames && before.len() == after.len());
                    match after.iter().filter(is_new).find(said).or(in_place.filter(is_new)) {
                        Some((new, _)) => {
                            self.add(
                                RENAME_COLUMN,
                                subject.clone(),
                                &[column, new],
                                &format!("renames `{subject}` to `{new}`"),
                            );
                        }
                        None => self.add_taking(
                            DROP_COLUMN,
                            (name.clone(), Some(column.clone())),
                            &["drop", column],
                            &format!("drops the column `{subject}`"),
                        ),
                    }
                }
            }
        }
    }
}

/// What follows from a finding of this kind.
fn note(lint: &str) -> &'static str {
    match lint {
        BROKEN_REFERENCE => "SQLite says so only when it is used for the first time, or at the next `ALTER TABLE`",
        DATA_LOSS => "found out with rows that were made up: every table had some before each migration",
        DROP_COLUMN | DROP_TABLE => "what is in there is gone; so is it for a program of an older version",
        DROP_UNIQUE => "duplicates that come in cannot be taken back, and an upsert that relies on it fails",
        LEFTOVER_TABLE => "it is named like one half of a rebuild, which ends with `DROP TABLE` and `RENAME TO`",
        NARROW_TYPE => "not every value that is there can be one of the new type",
        SEQUENCE_RESET => {
            "`AUTOINCREMENT` goes on from the largest id that was copied, not from the largest ever given out"
        }
        _ => "a program of an older version would still use the old name",
    }
}

/// The table that one of this name may be made to take the place of, or be what is left of it.
fn rebuilt(name: &str) -> Option<&str> {
    const BEFORE: &[&str] = &["__new_", "_new_", "new_", "_old_", "old_", "tmp_", "temp_"];
    const AFTER: &[&str] = &["_new", "_old", "_tmp", "_temp"];
    let before = BEFORE.iter().find_map(|mark| name.strip_prefix(mark));
    before.or_else(|| Some(AFTER.iter().find_map(|mark| name.strip_suffix(mark))?.trim_start_matches('_')))
}

/// Where the last statement with all of these words in it starts; if there is none, that with the last word.
fn statement_with(script: &Script, wanted: &[&str]) -> Option<usize> {
    let last_with = |wanted| statements_with(script, wanted).last();
    last_with(wanted).or_else(|| last_with(&wanted[wanted.len().saturating_sub(1)..]))
}

/// Where the statements with all of these words in them start.
pub(crate) fn statements_with<'s>(script: &'s Script, wanted: &'s [&str]) -> impl Iterator<Item = usize> + 's {
    let has_all = |sql| wanted.iter().all(|word| words(sql).contains(*word));
    statements(script.sql()).filter(move |statement| has_all(statement.sql)).map(|statement| statement.offset)
}

fn facts_of<'s>(schema: &'s Schema, table: &str) -> Option<&'s [String]> {
    schema.facts().find(|(object, _)| object.kind == "table" && object.name == table).map(|(_, facts)| facts)
}

/// The columns of a table, in order, each with its declared type.
fn columns(facts: &[String]) -> Vec<(String, String)> {
    let names = facts.iter().find_map(|fact| fact.strip_prefix("columns ( ")?.strip_suffix(" )")).unwrap_or_default();
    let declared = |name: &str| {
        let fact = facts.iter().find_map(|fact| fact.strip_prefix("column ")?.strip_prefix(name)?.strip_prefix(' '));
        let words = fact.unwrap_or_default().split(' ');
        let declared: Vec<_> = words.take_while(|word| !["as", "collate", "default", "not"].contains(word)).collect();
        declared.join(" ")
    };
    names.split(" , ").filter(|name| !name.is_empty()).map(|name| (name.to_owned(), declared(name))).collect()
}

/// The columns of which a fact says that no two rows have the same.
fn unique(fact: &str) -> Option<Vec<String>> {
    let starts = ["unique ( ", "primary key ( "].iter().find_map(|start| fact.strip_prefix(start));
    let index = || fact.strip_prefix("create unique index ").filter(|it| !it.contains(" where "))?.split_once(" ( ");
    let inner = starts.or_else(|| Some(index()?.1))?.split(" )").next()?;
    Some(inner.split(" , ").map(|column| column.trim_end_matches(" desc").to_owned()).collect())
}

/// Whether something else keeps these columns of a table unique.
fn is_unique(schema: &Schema, table: &str, facts: &[String], wanted: &[String]) -> bool {
    let of_indexes = schema.facts().filter(|(object, _)| object.kind == "index" && object.table == table);
    let all = facts.iter().chain(of_indexes.flat_map(|(_, facts)| facts));
    all.filter_map(|fact| unique(fact)).any(|unique| unique.iter().all(|column| wanted.contains(column)))
}

fn is_narrower(before: &str, after: &str) -> bool {
    match (affinity(before), affinity(after)) {
        (_, Affinity::Text | Affinity::Blob) | (Affinity::Integer | Affinity::Real, Affinity::Numeric) => false,
        (before, after) => before != after,
    }
}

fn type_name(declared: &str) -> String {
    if declared.is_empty() { "of any type".to_owned() } else { format!("`{}`", declared.to_uppercase()) }
}
