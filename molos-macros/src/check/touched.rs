//! Whose foreign keys a program has to look at after a script.

use std::collections::BTreeSet;

use molos_runtime::__private::Changed;
use molos_runtime::{Fact, ForeignKeys, ObjectKind, Schema};

use crate::check::lineage::TableEvent;
use crate::check::shadow::Effects;
use crate::read::file::Script;

/// The tables in which a script, which has `changed` these objects, may have put a row that refers to nothing, or from which
/// it may have taken what a row refers to; `None` if that cannot be said. The `schema` is that of afterwards.
pub(crate) fn touched(
    script: &Script,
    effects: &Effects,
    changed: &[Changed],
    schema: &Schema,
) -> Option<BTreeSet<String>> {
    let directives = &script.directives;
    if directives.no_transaction || directives.foreign_keys == Some(ForeignKeys::On) {
        return None;
    }
    let renamed = effects.events.iter().filter_map(|event| match &event.what {
        TableEvent::Renamed(old, new) => Some([old, new]),
        _ => None,
    });
    // What is neither in the schema nor was there before is the database's own, or was there for a while.
    let is_of_schema =
        |name: &&String| schema.has(name) || changed.iter().any(|changed| changed.object.table == **name);
    let written = effects.written.union(&effects.replaced).chain(renamed.flatten()).filter(is_of_schema);
    let defined = changed.iter().filter(|changed| is_about_keys(changed)).map(|changed| &changed.object.table);
    let touched: BTreeSet<String> = written.chain(defined).cloned().collect();
    let are_lines = touched.iter().all(|table| table.lines().eq([table.as_str()]));
    are_lines.then_some(touched)
}

/// Whether other rows can refer to nothing, or other keys be enforced, because of what has changed in the schema.
fn is_about_keys(Changed { object, before, after }: &Changed) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => keys(before).ne(keys(after)),
        (None, Some(facts)) | (Some(facts), None) => object.kind == ObjectKind::Table || keys(facts).next().is_some(),
        (None, None) => false,
    }
}

/// What refers to rows, and what rows are referred to by.
fn keys(facts: &[Fact]) -> impl Iterator<Item = &Fact> {
    facts.iter().filter(|fact| match fact {
        Fact::ForeignKey(_) | Fact::PrimaryKey(_) | Fact::Unique(_) => true,
        Fact::Index(index) => index.unique,
        _ => false,
    })
}
