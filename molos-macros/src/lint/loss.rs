//! What a migration would take away from the rows that are there and from the programs that use them, as the schema tells.

use std::collections::BTreeMap;

use molos_runtime::__private::Changed;
use molos_runtime::schema::{Column, KeyPart};
use molos_runtime::{Direction, Fact, ObjectKind, Schema};

use crate::check::lineage::Lineage;
use crate::diagnostic::{Diagnostic, list};
use crate::lint::finding::{
    BROKEN_REFERENCE, DATA_LOSS, DROP_COLUMN, DROP_TABLE, DROP_UNIQUE, Finding, LEFT_OUT, LEFTOVER_TABLE, Loss,
    NARROW_TYPE, RENAME_COLUMN, RENAME_TABLE, SEQUENCE_RESET, UNTRIED,
};
use crate::read::file::{MigrationFile, Script};

/// What a database says of losses.
pub(crate) struct Rules {
    /// Whether a column of the first declared type can hold values that one of the second cannot. In lower case.
    pub(crate) is_narrower: fn(&str, &str) -> bool,
    /// The words of a statement that leaves out rows which a constraint does not accept.
    pub(crate) ignoring: &'static [&'static str],
    /// When somebody would notice that a view or trigger refers to what is not there.
    pub(crate) broken_reference: &'static str,
    /// What the numbers that the database gives out start from after a rebuild.
    pub(crate) sequence_reset: &'static str,
    /// How a rebuild of this table keeps the last number that was given out.
    pub(crate) keep_sequence: fn(&str) -> String,
}

/// What a step took away from the schema.
pub(crate) fn losses(changed: &[Changed], schema: &Schema, lineage: &Lineage, mut losses: Losses<'_>) -> Vec<Finding> {
    for new in changed.iter().filter(|it| it.object.kind == ObjectKind::Table && it.before.is_none()) {
        let name = &new.object.name;
        let is_new = |table: &str| changed.iter().any(|it| it.before.is_none() && it.object.name == table);
        if let Some(rebuilt) = rebuilt(name).filter(|table| schema.has(table) && !is_new(table)) {
            let place = lineage.created_at(name).or_else(|| losses.said(&[name, rebuilt]));
            losses.add(LEFTOVER_TABLE, name.clone(), place, &format!("leaves `{name}` beside `{rebuilt}`"));
        }
    }
    for (old, new) in lineage.renamed() {
        let what = format!("renames the table `{old}` to `{new}`");
        losses.add(RENAME_TABLE, old.to_owned(), lineage.renamed_at(new), &what);
    }
    let changed = lineage.follow(changed);
    for it in changed.iter().filter(|it| it.object.kind == ObjectKind::Table && it.before.is_some()) {
        let name = &it.object.name;
        let before = it.before.as_deref().unwrap_or_default();
        let after = it.after.as_deref().unwrap_or_default();
        let is_new_check = |fact: &&Fact| matches!(fact, Fact::Check(_)) && !before.contains(fact);
        let ignoring = losses.rules.ignoring;
        if let Some(Fact::Check(check)) = after.iter().find(is_new_check).filter(|_| losses.says(ignoring)) {
            let what = format!("leaves out rows of `{name}` that `CHECK ({})` does not accept", check.condition);
            let loss = (lineage.before(name).unwrap_or(name).to_owned(), None);
            losses.add_loss(DATA_LOSS, loss, lineage.filled_at(name), &what);
        }
        if let Some(after) = &it.after {
            losses.of_columns((lineage.before(name).unwrap_or(name), name), (before, after), lineage);
        } else {
            losses.add_loss(
                DROP_TABLE,
                (name.clone(), None),
                lineage.dropped_at(name),
                &format!("drops the table `{name}` with all of its rows"),
            );
        }
    }
    // A column that was dropped and added again leaves the schema as it was.
    for (old, new) in lineage.with_other_columns() {
        let is_told = changed.iter().any(|it| it.object.kind == ObjectKind::Table && it.object.name == new);
        if let Some(facts) = schema.table(new).filter(|_| !is_told) {
            losses.of_columns((old, new), (facts, facts), lineage);
        }
    }
    for it in changed.iter().filter(|it| it.before.is_some()) {
        let (table, name) = (&it.object.table, &it.object.name);
        let Some(facts) = schema.table(table) else { continue };
        let (before, after) = (it.before.as_deref().unwrap_or_default(), it.after.as_deref().unwrap_or_default());
        for unique in before.iter().filter(|fact| !after.contains(fact)).filter_map(Fact::unique_columns) {
            let remains = |column: &str| columns(facts).any(|(name, _)| name == column);
            let names: Vec<&str> = unique.iter().filter_map(KeyPart::column).collect();
            if !names.iter().copied().all(remains) || is_unique(schema, table, facts, unique) {
                continue;
            }
            let is_index = it.object.kind == ObjectKind::Index;
            let subject = if is_index { name.clone() } else { format!("{table}.{}", names.join(",")) };
            let what = format!("lets rows of `{table}` have the same {}", list(&names));
            let rebuilt = || lineage.dropped_at(lineage.before(table).unwrap_or(table));
            let place = losses.said(&["drop", name]).or_else(rebuilt);
            losses.add(DROP_UNIQUE, subject, place, &what);
        }
    }
    losses.found
}

/// What became of the columns that a rebuild left out: each with the one that its values are in now, if there is one. All
/// names are in lower case.
pub(crate) type Moved = BTreeMap<String, Option<String>>;

/// The finding about a column that is not there any more, as the rows of its table tell: whether it was renamed or dropped
/// cannot be seen in the schema.
pub(crate) fn judged(finding: Finding, file: &MigrationFile, moved: &Moved, rules: &'static Rules) -> Finding {
    let Some((table, column)) =
        finding.subject.split_once('.').filter(|_| [DROP_COLUMN, RENAME_COLUMN].contains(&finding.lint))
    else {
        return finding;
    };
    let mut losses = Losses::up(file, rules);
    match moved.get(&column.to_ascii_lowercase()) {
        Some(Some(new)) => losses.rename_column((table, column), new, finding.place),
        Some(None) => losses.drop_column((table, column), false, finding.place),
        None => {}
    }
    losses.found.pop().unwrap_or(finding)
}

/// The findings of a script.
pub(crate) struct Losses<'f> {
    pub(crate) version: i64,
    pub(crate) direction: Direction,
    script: &'f Script,
    rules: &'static Rules,
    pub(crate) found: Vec<Finding>,
}

impl<'f> Losses<'f> {
    pub(crate) const fn up(file: &'f MigrationFile, rules: &'static Rules) -> Self {
        Self { version: file.version, direction: Direction::Up, script: &file.up, rules, found: Vec::new() }
    }

    pub(crate) const fn down(file: &MigrationFile, script: &'f Script, rules: &'static Rules) -> Self {
        Self { version: file.version, direction: Direction::Down, script, rules, found: Vec::new() }
    }

    /// Adds what takes rows or values away.
    pub(crate) fn add_loss(&mut self, lint: &'static str, loss: Loss, place: Option<usize>, what: &str) {
        let (table, column) = &loss;
        let subject = column.as_ref().map_or_else(|| table.clone(), |column| format!("{table}.{column}"));
        self.add(lint, subject, place, what);
        if let Some(finding) = self.found.last_mut() {
            finding.takes = Some(loss);
        }
    }

    /// Whether a statement has all of these words in it.
    pub(crate) fn says(&self, words: &[&str]) -> bool {
        self.script.statements_with(words).next().is_some()
    }

    /// Where the last statement starts that has all of these words in it.
    pub(crate) fn said(&self, words: &[&str]) -> Option<usize> {
        self.script.statements_with(words).last()
    }

    /// Adds what the statement at `place` does.
    pub(crate) fn add(&mut self, lint: &'static str, subject: String, place: Option<usize>, what: &str) {
        let allow = format!("`-- molos: allow {lint} {subject}` at the head of the file");
        let helps = match lint {
            SEQUENCE_RESET => {
                vec![(self.rules.keep_sequence)(&subject), format!("if it does not matter, write {allow}")]
            }
            BROKEN_REFERENCE => vec![
                "drop it in this file, and create it again in its new form".to_owned(),
                format!("if that comes later, write {allow}"),
            ],
            _ => vec![format!("if that is meant, write {allow}")],
        };
        self.add_with_helps(lint, subject, place, what, &helps);
    }

    /// Adds what a rebuild of `table` does not have any more.
    pub(crate) fn add_left_out(
        &mut self,
        (table, place): (&str, Option<usize>),
        subject: String,
        lost: &str,
        helps: &[String],
    ) {
        let what = format!("creates `{table}` again without {lost}");
        self.add_with_helps(LEFT_OUT, subject, place, &what, helps);
    }

    /// Adds a table that no row could be put into.
    pub(crate) fn add_untried(&mut self, (subject, table): (&str, &str), place: Option<usize>, reason: &str) {
        let helps = [
            format!("give it one: `rows = {{ \"{table}\" => \"INSERT INTO {table} …\" }}` in the macro's options"),
            format!("if it can do without, write `-- molos: allow {UNTRIED} {subject}` at the head of the file"),
        ];
        let what = format!("is not tried with rows: {reason}");
        self.add_with_helps(UNTRIED, subject.to_owned(), place, &what, &helps);
    }

    fn add_with_helps(
        &mut self,
        lint: &'static str,
        subject: String,
        place: Option<usize>,
        what: &str,
        helps: &[String],
    ) {
        let script = self.script;
        let error = Diagnostic::new(format!("`{}` {what}", script.shown));
        let error = match place {
            Some(offset) => script.underline_statement(error, offset),
            None => error,
        };
        let diagnostic = helps.iter().fold(error.note(note(lint, self.rules)), Diagnostic::help);
        let (version, direction) = (self.version, self.direction);
        self.found.push(Finding { version, direction, lint, subject, takes: None, place, diagnostic });
    }

    /// Adds a column that is there under another name.
    pub(crate) fn rename_column(&mut self, (table, column): (&str, &str), new: &str, place: Option<usize>) {
        let subject = format!("{table}.{column}");
        let what = format!("renames `{subject}` to `{new}`");
        self.add(RENAME_COLUMN, subject, place, &what);
    }

    /// The values of a column that is computed are not lost: they come from others.
    fn drop_column(&mut self, (table, column): (&str, &str), is_computed: bool, place: Option<usize>) {
        let what = format!("drops the column `{table}.{column}`");
        if is_computed {
            self.add(DROP_COLUMN, format!("{table}.{column}"), place, &what);
        } else {
            self.add_loss(DROP_COLUMN, (table.to_owned(), Some(column.to_owned())), place, &what);
        }
    }

    /// Adds a column if its type was one that can hold more than what it is `now` can.
    pub(crate) fn narrow_type(
        &mut self,
        (table, column): (&str, &str),
        was: Option<impl AsRef<str>>,
        now: Option<impl AsRef<str>>,
        place: Option<usize>,
    ) {
        let (Some(was), Some(now)) = (was, now) else { return };
        let (was, now) = (was.as_ref(), now.as_ref());
        if (self.rules.is_narrower)(was, now) {
            let subject = format!("{table}.{column}");
            let what = format!("makes `{subject}` {}, which was {}", type_name(now), type_name(was));
            self.add(NARROW_TYPE, subject, place, &what);
        }
    }

    /// Looks at the columns that the table `old`, which is called `new` now, had.
    fn of_columns(&mut self, (old, new): (&str, &str), (before, after): (&[Fact], &[Fact]), lineage: &Lineage) {
        let columns_before: Vec<_> = columns(before).collect();
        let columns_after: Vec<_> = columns(after).collect();
        let is_computed = |name: &str| column(before, name).is_some_and(|it| it.generated.is_some());
        let (created, filled) = (lineage.created_at(new), lineage.filled_at(new));
        for (at, (column, declared)) in columns_before.iter().enumerate() {
            let changed = lineage.column_changed_at(new, column);
            let Some(name) = lineage.column(new, column) else {
                self.drop_column((old, column), is_computed(column), changed);
                continue;
            };
            if let Some((_, now)) = columns_after.iter().find(|(after, _)| *after == name) {
                if name != *column {
                    self.rename_column((old, column), name, changed);
                }
                self.narrow_type((old, column), Some(declared), Some(now), created);
                continue;
            }
            // Of a table that was made anew, the schema cannot tell whether this column is there under another name.
            let is_new =
                |new: &&(&str, &str)| new.1 == *declared && !columns_before.iter().any(|(old, _)| *old == new.0);
            let said = |new: &&(&str, &str)| self.script.statements_with(&["rename", column, new.0]).next().is_some();
            let in_place = columns_after.get(at).filter(|_| columns_before.len() == columns_after.len());
            match columns_after.iter().filter(is_new).find(said).or(in_place.filter(is_new)) {
                Some((new, _)) => self.rename_column((old, column), new, filled.or(created)),
                None => self.drop_column((old, column), is_computed(column), filled.or(created)),
            }
        }
    }
}

/// What follows from a finding of this kind.
fn note(lint: &str, rules: &Rules) -> &'static str {
    match lint {
        BROKEN_REFERENCE => rules.broken_reference,
        DATA_LOSS => "found out with rows that were made up: every table had some before each migration",
        DROP_COLUMN | DROP_TABLE => "what is in it is lost, and a program of an older version does not find it",
        DROP_UNIQUE => "duplicates that get in stay there, and an upsert that relies on it fails",
        LEFT_OUT => "a table that is created again has only what its new statements say",
        LEFTOVER_TABLE => "it is named like one half of a rebuild, which ends with `DROP TABLE` and `RENAME TO`",
        NARROW_TYPE => "not every value that is there can be one of the new type",
        SEQUENCE_RESET => rules.sequence_reset,
        UNTRIED => "what later migrations do to its rows is not known either",
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

/// The columns of a table, in order, each with its declared type.
fn columns(facts: &[Fact]) -> impl Iterator<Item = (&str, &str)> {
    let names = facts.iter().find_map(|fact| match fact {
        Fact::Columns(names) => Some(names),
        _ => None,
    });
    names.into_iter().flatten().map(|name| {
        let declared = column(facts, name).map_or("", |column| column.declared_type.as_str());
        (name.as_str(), declared)
    })
}

/// What is said of the column of this name.
pub(crate) fn column<'f>(facts: &'f [Fact], name: &str) -> Option<&'f Column> {
    facts.iter().find_map(|fact| match fact {
        Fact::Column(column) if column.name == name => Some(column),
        _ => None,
    })
}

/// Whether something else keeps these columns of a table unique.
fn is_unique(schema: &Schema, table: &str, facts: &[Fact], wanted: &[KeyPart]) -> bool {
    // What a part compares, and how.
    let compared = |part: &KeyPart| {
        let name = part.column()?.to_owned();
        let of_column = || column(facts, &name).and_then(|column| column.collation.clone());
        Some((part.collation.clone().or_else(of_column), name))
    };
    let wanted: Vec<_> = wanted.iter().filter_map(compared).collect();
    let of_indexes = schema.facts().filter(|(object, _)| object.kind == ObjectKind::Index && object.table == table);
    let mut all = facts.iter().chain(of_indexes.flat_map(|(_, facts)| facts)).filter_map(Fact::unique_columns);
    all.any(|unique| unique.iter().filter_map(compared).all(|part| wanted.contains(&part)))
}

fn type_name(declared: &str) -> String {
    if declared.is_empty() { "of any type".to_owned() } else { format!("`{}`", declared.to_ascii_uppercase()) }
}
