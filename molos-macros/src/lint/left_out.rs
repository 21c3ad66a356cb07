//! What a rebuild forgets that is not data: whatever stood beside or in the old table, and nobody said that it should go.

use molos_runtime::__private::Changed;
use molos_runtime::schema::{Action, Column, ForeignKey};
use molos_runtime::{Fact, ObjectKind, Schema};

use crate::check::lineage::Lineage;
use crate::lint::finding::{DROP_COLUMN, Finding, LEFT_OUT};
use crate::lint::loss::{Losses, column};

/// What a step left out when it created a table or a view again. `known` is what is found in the step otherwise.
pub(crate) fn left_out(
    changed: &[Changed],
    schema: &Schema,
    lineage: &Lineage,
    known: &[Finding],
    mut losses: Losses<'_>,
) -> Vec<Finding> {
    let is_dropped = |table: &str, column: &str| {
        known.iter().any(|it| it.lint == DROP_COLUMN && it.subject.eq_ignore_ascii_case(&format!("{table}.{column}")))
    };
    let changed = &*lineage.follow(changed);
    for it in changed {
        let (object, name) = (&it.object, &it.object.name);
        match (&it.before, &it.after) {
            (Some(before), None) if [ObjectKind::Index, ObjectKind::Trigger].contains(&object.kind) => {
                let kind = object.kind.as_str();
                let is_elsewhere = schema.objects().any(|other| other.kind == object.kind && other.name == *name);
                let mentions_dropped = columns_of(changed, &object.table)
                    .any(|column| is_dropped(&object.table, column) && before.iter().any(|it| mentions(it, column)));
                if is_elsewhere || mentions_dropped || losses.says(&["drop", kind, name]) {
                    continue;
                }
                if schema.has(&object.table) && !is_covered(before, &object.table, schema) {
                    let drop = format!("DROP {} {name}", kind.to_ascii_uppercase());
                    let dropped = lineage.dropped_at(lineage.before(&object.table).unwrap_or(&object.table));
                    losses.add_left_out(
                        (&object.table, dropped),
                        name.clone(),
                        &format!("the {kind} `{name}`"),
                        &[
                            format!("create the {kind} again, at the end of the file"),
                            format!("if it is to go, say so with `{drop}` at the beginning of the file"),
                        ],
                    );
                }
            }
            (Some(before), Some(after)) if object.kind == ObjectKind::Table && lineage.is_made_anew(name) => {
                let place = lineage.dropped_at(lineage.before(name).unwrap_or(name));
                of_table((name, place), before, after, schema, &mut losses);
            }
            _ => {}
        }
    }
    losses.found
}

fn of_table(
    (table, place): (&str, Option<usize>),
    before: &[Fact],
    after: &[Fact],
    schema: &Schema,
    losses: &mut Losses<'_>,
) {
    let is_number = |name: &str| {
        after.iter().any(|it| matches!(it, Fact::PrimaryKey(key) if key.rowid && key.columns.iter().any(|part| part.column() == Some(name))))
    };
    let mut add = |subject: String, lost: Vec<String>| {
        if !lost.is_empty() {
            let helps = [
                "write it into the `CREATE TABLE` of the new table".to_owned(),
                format!("if it is to go, write `-- molos: allow {LEFT_OUT} {subject}` at the head of the file"),
            ];
            losses.add_left_out((table, place), subject, &lost.join(" and "), &helps);
        }
    };
    let mut of_table = Vec::new();
    for fact in before.iter().filter(|fact| !after.contains(fact)) {
        match fact {
            Fact::Column(old) => {
                if let Some(new) = column(after, &old.name) {
                    add(format!("{table}.{}", old.name), of_column(old, new, is_number(&old.name)));
                }
            }
            Fact::ForeignKey(old)
                if schema.has(&old.parent) && old.columns.iter().all(|name| column(after, name).is_some()) =>
            {
                add(format!("{table}.{}", old.columns.join(",")), of_key(table, old, after));
            }
            Fact::Check(old) => {
                let mentioned: Vec<&str> = names(before).filter(|name| mentions(fact, name)).collect();
                let is_about_these =
                    |it: &Fact| matches!(it, Fact::Check(_)) && mentioned.iter().any(|name| mentions(it, name));
                let is_reworded = after.iter().any(|it| !before.contains(it) && is_about_these(it));
                if !is_reworded && mentioned.iter().all(|name| column(after, name).is_some()) {
                    of_table.push(format!("`CHECK ({})`", old.condition));
                }
            }
            Fact::TableOption(option) => of_table.push(format!("`{}`", option.to_ascii_uppercase())),
            Fact::PrimaryKey(old) if old.autoincrement => {
                let is_same =
                    |it: &Fact| matches!(it, Fact::PrimaryKey(new) if new.columns == old.columns && !new.autoincrement);
                of_table.extend(after.iter().any(is_same).then(|| "`AUTOINCREMENT`".to_owned()));
            }
            _ => {}
        }
    }
    add(table.to_owned(), of_table);
}

/// What the column does not have any more. One that `is_number` of its row is never `NULL`.
fn of_column(old: &Column, new: &Column, is_number: bool) -> Vec<String> {
    let mut lost = Vec::new();
    let name = &old.name;
    if let (Some(generated), None) = (&old.generated, &new.generated) {
        lost.push(format!("`AS ({})` of `{name}`", generated.expression));
    }
    if let (Some(collation), None) = (&old.collation, &new.collation) {
        lost.push(format!("`COLLATE {}` of `{name}`", collation.to_ascii_uppercase()));
    }
    if let (Some(default), None) = (&old.default, &new.default) {
        lost.push(format!("`DEFAULT {default}` of `{name}`"));
    }
    if old.not_null && !new.not_null && !is_number {
        lost.push(format!("`NOT NULL` of `{name}`"));
    }
    lost
}

/// What the foreign key does not have any more, or that it is gone.
fn of_key(table: &str, old: &ForeignKey, after: &[Fact]) -> Vec<String> {
    let name = format!("the foreign key of `{table}.{}`", old.columns.join(","));
    let same = after.iter().find_map(|fact| match fact {
        Fact::ForeignKey(new) if new.columns == old.columns => Some(new),
        _ => None,
    });
    let Some(new) = same else { return vec![name] };
    let actions = [("DELETE", old.on_delete, new.on_delete), ("UPDATE", old.on_update, new.on_update)];
    let gone = actions.into_iter().filter(|(_, old, new)| old != new && *new == Action::NoAction);
    let mut lost: Vec<String> = gone.map(|(change, old, _)| format!("`ON {change} {old}` of {name}")).collect();
    if old.deferred && !new.deferred {
        lost.push(format!("`DEFERRABLE INITIALLY DEFERRED` of {name}"));
    }
    lost
}

/// Whether something else serves as well as the index or trigger of which this is said.
fn is_covered(facts: &[Fact], table: &str, schema: &Schema) -> bool {
    let on_table = || schema.facts().filter(|(object, _)| object.table == table).flat_map(|(_, facts)| facts);
    facts.iter().all(|fact| {
        let [Fact::Index(index)] = std::slice::from_ref(fact) else { return on_table().any(|it| it == fact) };
        let serves = |it: &Fact| match it {
            Fact::Index(other) if other.condition.is_some() => other == index,
            Fact::Index(other) => !index.unique && index.condition.is_none() && other.parts.starts_with(&index.parts),
            it => it.unique_columns().is_some_and(|parts| index.condition.is_none() && parts.starts_with(&index.parts)),
        };
        // That rows may be alike from now on is another finding.
        fact.unique_columns().is_some() || on_table().any(serves)
    })
}

/// The columns that a table had.
fn columns_of<'c>(changed: &'c [Changed], table: &str) -> impl Iterator<Item = &'c str> {
    let of_table = changed.iter().find(|it| it.object.kind == ObjectKind::Table && it.object.name == table);
    names(of_table.and_then(|it| it.before.as_deref()).unwrap_or_default())
}

fn names(facts: &[Fact]) -> impl Iterator<Item = &str> {
    facts.iter().filter_map(|fact| match fact {
        Fact::Column(column) => Some(column.name.as_str()),
        _ => None,
    })
}

/// Whether the name of a column is among the words of a fact.
fn mentions(fact: &Fact, column: &str) -> bool {
    let text = fact.to_string();
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
    words.any(|word| word.eq_ignore_ascii_case(column))
        || (column.contains(|c: char| !c.is_alphanumeric() && c != '_') && text.to_lowercase().contains(column))
}
