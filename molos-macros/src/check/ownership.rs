//! Which tables a set may change: its own, and not those of the sets that it comes after.

use molos_runtime::__private::Changed;
use molos_runtime::Schema;

use crate::check::shadow::Effects;
use crate::diagnostic::{Diagnostic, list};
use crate::read::file::Script;

/// What belongs to whom.
pub(crate) struct Ownership<'s> {
    /// What the sets made that this one comes after.
    pub(crate) others: Schema,
    /// What the names of the set's own tables begin with, in lower case.
    prefix: String,
    /// The directories that this one comes after.
    directories: Vec<&'s str>,
}

impl<'s> Ownership<'s> {
    pub(crate) fn new(others: Schema, prefix: &str, directories: Vec<&'s str>) -> Self {
        Self { others, prefix: prefix.to_ascii_lowercase(), directories }
    }

    /// What a script did to tables that are not its set's.
    pub(crate) fn check(&self, changed: &[Changed], effects: &Effects, script: &Script) -> Vec<Diagnostic> {
        let shown = &script.shown;
        let mut wrong = Vec::new();
        let named = effects.replaced.iter().chain(&effects.altered).map(|table| (table.as_str(), table.as_str()));
        let mut objects: Vec<_> =
            changed.iter().map(|it| (it.object.name.as_str(), it.object.table.as_str())).collect();
        objects.sort_by_key(|(object, table)| object != table);
        let mut known = Vec::new();
        for (object, table) in objects.iter().copied().chain(named) {
            if self.others.has(table) && !known.contains(&table) {
                known.push(table);
                let error = Diagnostic::new(format!("`{shown}` changes `{table}`, which belongs to another set"));
                let error = at(error, script, object).note(format!("it is made in {}", list(&self.directories)));
                wrong.push(error.help("change it there; here, make a table of this set's own that refers to it"));
            }
        }
        for (object, table) in objects.into_iter().filter(|(_, table)| !self.others.has(table)) {
            if !table.starts_with(&self.prefix) && !known.contains(&table) {
                known.push(table);
                let prefix = &self.prefix;
                let error =
                    Diagnostic::new(format!("`{shown}` makes `{table}`, whose name does not begin with `{prefix}`"));
                let error = at(error, script, object);
                wrong.push(error.help(format!("name it `{prefix}{table}`, or change the option `table_prefix`")));
            }
        }
        wrong
    }
}

/// Points at the first statement that drops, alters or makes something of this name, or at the first with the name in it.
fn at(error: Diagnostic, script: &Script, object: &str) -> Diagnostic {
    let mut verbs =
        ["drop", "alter", "create"].iter().filter_map(|verb| script.statements_with(&[verb, object]).next());
    match verbs.next().or_else(|| script.statements_with(&[object]).next()) {
        Some(offset) => script.underline_statement(error, offset),
        None => error,
    }
}
