//! The sandbox as the shadow database that steps are checked on.

use std::collections::{BTreeMap, BTreeSet};

use molos_runtime::__private::Changed;
use molos_runtime::database::DatabaseError;
use molos_runtime::{Migration, Object, Schema, Violation};

use crate::check::failure::Failure;
use crate::check::shadow::{Effects, Shadow};
use crate::check::table::{Table, Unreadable};
use crate::diagnostic::Diagnostic;
use crate::input::Registered;
use crate::lint::loss;
use crate::read::file::{Script, Step};
use crate::sqlite::affinity::is_narrower;
use crate::sqlite::canaries::Planter;
use crate::sqlite::explain::explain;
use crate::sqlite::refusal::{foreign_keys_pragma, nothing_temporary_is_left};
use crate::sqlite::sandbox::Sandbox;
use crate::sqlite::{references, tables};

impl Shadow for Sandbox {
    type Canaries = Planter;

    const LOSSES: loss::Rules = loss::Rules {
        is_narrower,
        ignoring: &["insert", "or", "ignore", "select"],
        broken_reference: "SQLite says so only when it is used for the first time, or at the next `ALTER TABLE`",
        sequence_reset: "`AUTOINCREMENT` goes on from the largest id that was copied, not from the largest ever given out",
        keep_sequence: |table| {
            format!(
                "before the old table is dropped: `UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence \
                 WHERE name = '{table}') WHERE name = '<the new table>'`"
            )
        },
    };

    fn open(registered: &Registered) -> Result<Self, Diagnostic> {
        Ok(Self::open(registered)?)
    }

    fn copy_from(&mut self, other: &Self) -> Result<(), Diagnostic> {
        Ok(self.copy_from(other)?)
    }

    fn run(&mut self, step: Step<'_>, migration: &Migration<'_>) -> Result<(), Failure> {
        self.transact(|sandbox| {
            let result = sandbox.apply(migration, step.direction);
            let trace = sandbox.trace();
            match result {
                Err(error) => Err(explain(&error, &trace, step.script)),
                Ok(()) => foreign_keys_pragma(&trace, step.script)
                    .and_then(|()| nothing_temporary_is_left(sandbox.conn(), step.script))
                    .map_err(Failure::of_its_own),
            }
        })
    }

    fn run_without(&mut self, script: &Script, mut left_out: BTreeSet<usize>) -> BTreeSet<usize> {
        let result = self.transact(|sandbox| {
            for statement in script.statements() {
                if !left_out.contains(&statement.offset) && sandbox.run_statement(statement).is_err() {
                    left_out.insert(statement.offset);
                }
            }
            nothing_temporary_is_left(sandbox.conn(), script).map_err(Failure::of_its_own)
        });
        if result.is_err() {
            left_out.extend(script.statements().map(|statement| statement.offset));
        }
        left_out
    }

    fn effects(&self) -> Effects {
        self.trace().effects
    }

    fn changed_rows(&self) -> Result<i64, Diagnostic> {
        Ok(self.conn().query_row("SELECT total_changes()", [], |row| row.get(0))?)
    }

    fn schema(&self) -> &Schema {
        self.schema_reader().schema()
    }

    fn read_schema(&mut self) -> Result<(), Diagnostic> {
        Ok(self.read_schema()?)
    }

    fn refresh_schema(&mut self) -> Result<Vec<Changed>, Diagnostic> {
        Ok(self.refresh_schema()?)
    }

    fn broken_references(&self) -> Result<BTreeMap<Object, String>, Diagnostic> {
        Ok(references::broken(self.conn(), self.schema())?)
    }

    fn check_keys(&self) -> Result<Vec<Diagnostic>, Diagnostic> {
        Ok(self.violations_of_all()?.iter().map(unenforceable).collect())
    }

    fn tables(&self) -> Result<(Vec<Table>, Vec<Unreadable>), Diagnostic> {
        tables::read(self.conn()).map_err(|error| Diagnostic::new(format!("the schema cannot be read back: {error}")))
    }

    fn prepare(&self, statement: &str) -> Result<(), String> {
        self.conn().prepare(statement).map(drop).map_err(|error| error.to_string())
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        Self::of_its_own(error.into())
    }
}

fn unenforceable(Violation { table, parent, .. }: &Violation) -> Diagnostic {
    if parent.is_empty() {
        return Diagnostic::new(format!("after the last migration, a foreign key cannot be enforced: {table}"))
            .note("with `PRAGMA foreign_keys = ON`, every change of either table would fail")
            .help("refer to the primary key of the other table, or to columns with a `UNIQUE` index");
    }
    Diagnostic::new(format!("after the last migration, rows of `{table}` refer to what is not in `{parent}`"))
}
