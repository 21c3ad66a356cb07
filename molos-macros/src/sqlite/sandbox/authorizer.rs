//! What SQLite is about to do, as it asks for each part of a statement: noted, and allowed or refused.

use std::collections::BTreeSet;

use molos_runtime::__private::sqlite::Change;
use molos_runtime::HISTORY_TABLE;
use molos_runtime::rusqlite::hooks::{Action, AuthAction, AuthContext, Authorization};
use molos_runtime::rusqlite::{Connection, Result};

use crate::check::lineage::TableEvent;
use crate::check::shadow::Effects;
use crate::sqlite::sandbox::trace::{Refusal, State, Watch};
use crate::sqlite::sandbox::versions::done;
use crate::sqlite::words;

/// Has every statement of a script looked at, and the rows counted that it inserts.
pub(super) fn set(conn: &mut Connection, watch: &Watch) -> Result<()> {
    let counting = watch.clone();
    let count = move |action: Action, schema: &str, table: &str, _: i64| {
        let state = &mut *counting.lock();
        if !state.watching || action != Action::SQLITE_INSERT {
            return;
        }
        state.inserts += 1;
        if schema == "main" {
            *state.trace.effects.inserted.entry(table.to_ascii_lowercase()).or_default() += 1;
        }
    };
    done(conn.update_hook(Some(count)))?;
    let watch = watch.clone();
    done(conn.authorizer(Some(move |context: AuthContext<'_>| authorize(&mut watch.lock(), &context))))
}

fn authorize(state: &mut State, context: &AuthContext<'_>) -> Authorization {
    if !state.watching {
        return Authorization::Allow;
    }
    note_flow(state, &context.action);
    note_tables(&mut state.trace.effects, &context.action);
    note_change(&mut state.trace.change, &context.action);
    let refusal = match context.action {
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => Refusal::Transaction,
        AuthAction::Attach { .. } => Refusal::Attach,
        AuthAction::Detach { .. } => Refusal::Detach,
        AuthAction::Function { function_name } if function_name.eq_ignore_ascii_case("load_extension") => {
            Refusal::LoadExtension
        }
        // In the body of a trigger it is about what the trigger did.
        AuthAction::Function { function_name }
            if context.accessor.is_none() && is_left_over(state, &function_name.to_ascii_lowercase()) =>
        {
            Refusal::LeftOver(function_name.to_ascii_lowercase())
        }
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let pragma = pragma_name.to_ascii_lowercase();
            if pragma == "foreign_keys" {
                state.trace.foreign_keys.extend(pragma_value.map(is_on));
                return Authorization::Allow;
            }
            if is_harmless(&pragma, pragma_value) {
                return Authorization::Allow;
            }
            Refusal::Pragma(pragma)
        }
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::CreateTrigger { table_name, .. }
            if table_name.eq_ignore_ascii_case(HISTORY_TABLE) =>
        {
            Refusal::History
        }
        AuthAction::Unknown { code, .. } => Refusal::Other(format!("action {code}")),
        _ => return Authorization::Allow,
    };
    state.trace.refusal = Some(refusal);
    Authorization::Deny
}

/// Whether what a function returns was left by another script.
fn is_left_over(state: &State, function: &str) -> bool {
    match function {
        "last_insert_rowid" => !state.has_inserted,
        "changes" => !state.has_written,
        "total_changes" => true,
        _ => false,
    }
}

/// Whether every `ALTER TABLE` of a script can only add a column: the others rewrite what names the table.
pub(super) fn only_adds(script: &str) -> bool {
    let words = words(script);
    !words.contains("rename") && !words.contains("drop")
}

/// Notes which columns a statement reads to write to which tables, and what it does with these.
fn note_flow(state: &mut State, action: &AuthAction<'_>) {
    let name = |table: &str| table.to_ascii_lowercase();
    let event = match action {
        AuthAction::CreateTable { table_name } | AuthAction::CreateTempTable { table_name } => {
            state.described = Some(name(table_name));
            state.targets.insert(name(table_name));
            TableEvent::Created(name(table_name))
        }
        AuthAction::DropTable { table_name } => {
            state.described = Some(name(table_name));
            TableEvent::Dropped(name(table_name))
        }
        AuthAction::CreateIndex { table_name, .. } => {
            state.described = Some(name(table_name));
            return;
        }
        AuthAction::Insert { table_name } if !table_name.starts_with("sqlite_") => {
            state.targets.insert(name(table_name));
            TableEvent::Inserted(name(table_name))
        }
        AuthAction::Update { table_name, column_name } if !table_name.starts_with("sqlite_") => {
            state.targets.insert(name(table_name));
            TableEvent::Updated(name(table_name), column_name.to_ascii_lowercase())
        }
        // To drop a table is to delete its rows, too.
        AuthAction::Delete { table_name } if state.described.as_ref() != Some(&name(table_name)) => {
            TableEvent::Deleted(name(table_name))
        }
        AuthAction::Read { table_name, column_name } => {
            let table = name(table_name);
            if state.described.as_ref() != Some(&table) {
                state.reads.insert((table, column_name.to_ascii_lowercase()));
            }
            return;
        }
        _ => return,
    };
    state.note([event]);
}

/// Notes which tables an action is about, SQLite's own and temporary ones among them.
fn note_tables(effects: &mut Effects, action: &AuthAction<'_>) {
    let add = |tables: &mut BTreeSet<String>, table: &str| {
        if !tables.contains(table) {
            tables.insert(table.to_ascii_lowercase());
        }
    };
    match action {
        AuthAction::Read { table_name, .. } | AuthAction::CreateIndex { table_name, .. } => {
            add(&mut effects.used, table_name);
        }
        // To insert a row can be to replace another.
        AuthAction::Insert { table_name } | AuthAction::Delete { table_name } => {
            add(&mut effects.used, table_name);
            add(&mut effects.written, table_name);
            add(&mut effects.removed, table_name);
        }
        AuthAction::Update { table_name, .. } => {
            add(&mut effects.used, table_name);
            add(&mut effects.written, table_name);
        }
        AuthAction::AlterTable { table_name, .. } => {
            add(&mut effects.used, table_name);
            add(&mut effects.altered, table_name);
        }
        AuthAction::CreateTable { table_name } | AuthAction::DropTable { table_name } => {
            add(&mut effects.replaced, table_name);
        }
        _ => {}
    }
}

/// Notes what an action may change in the schema. An `ALTER TABLE` is taken to add a column.
fn note_change(change: &mut Change, action: &AuthAction<'_>) {
    let altered = match action {
        AuthAction::DropTable { .. }
        | AuthAction::DropIndex { .. }
        | AuthAction::DropTrigger { .. }
        | AuthAction::DropView { .. }
        | AuthAction::DropVtable { .. } => {
            *change = Change::Anything;
            return;
        }
        AuthAction::AlterTable { table_name, .. } => Some((*table_name).to_owned()),
        AuthAction::CreateTable { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateVtable { .. } => None,
        _ => return,
    };
    match change {
        Change::Nothing => *change = Change::Added(altered.into_iter().collect()),
        Change::Added(tables) => tables.extend(altered),
        Change::Anything => {}
    }
}

/// Whether the value of a pragma switches it on, by SQLite's rules: <https://sqlite.org/pragma.html#syntax>
pub(crate) fn is_on(value: &str) -> bool {
    let value = value.trim_matches(['\'', '"']).to_ascii_lowercase();
    matches!(value.as_str(), "on" | "yes" | "true") || value.parse::<i64>().is_ok_and(|number| number != 0)
}

/// Whether a pragma does its work inside of a transaction and leaves the connection as it was.
fn is_harmless(pragma: &str, value: Option<&str>) -> bool {
    match pragma {
        "application_id" | "defer_foreign_keys" | "foreign_key_check" | "foreign_key_list" | "index_info"
        | "index_list" | "index_xinfo" | "integrity_check" | "legacy_alter_table" | "optimize" | "quick_check"
        | "table_info" | "table_list" | "table_xinfo" | "user_version" => true,
        _ => {
            value.is_none()
                && matches!(
                    pragma,
                    "data_version"
                        | "freelist_count"
                        | "page_count"
                        | "page_size"
                        | "schema_version"
                        | "encoding"
                        | "collation_list"
                        | "function_list"
                )
        }
    }
}
