//! The engine's view of the sandbox: a connection that is watched while it runs a script.

use molos_runtime::__private::script::Statement;
use molos_runtime::__private::sqlite::{Handle, Settings};
use molos_runtime::__private::{Listener, engine};
use molos_runtime::database::{DatabaseError, Failure, History as _, Run, Transact as _, Violations, ready};
use molos_runtime::rusqlite::{self, ErrorCode};
use molos_runtime::{Direction, Error, ForeignKeys, Hook, Migration, Sqlite};

use crate::sqlite::sandbox::Sandbox;
use crate::sqlite::sandbox::trace::{FailedStatement, Trace};

impl Sandbox {
    fn handle(&mut self) -> Handle<'_> {
        Handle::new(&mut self.conn)
    }

    /// Does something in a transaction, which is undone when it fails.
    pub(crate) fn transact<E: From<DatabaseError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.watch.lock().trace = Trace::default();
        ready(self.handle().begin())?;
        let result = work(self);
        if result.is_ok() {
            ready(self.handle().commit())?;
        } else {
            self.keys.forget();
            ready(self.handle().rollback())?;
        }
        result
    }

    /// Runs one statement, inside of the open transaction.
    pub(crate) fn run_statement(&mut self, statement: Statement<'_>) -> Result<(), DatabaseError> {
        self.begin_watching();
        let result = ready(self.execute(statement));
        self.end_watching();
        result
    }

    /// Runs a step and checks the foreign keys after it, inside of the open transaction.
    pub(crate) fn apply(&mut self, migration: &Migration<'_>, direction: Direction) -> Result<(), Error> {
        let settings = self.settings;
        let course = engine::Course { direction, settings: &settings, listener: Listener::default(), goes_on: false };
        ready(engine::run(self, std::slice::from_ref(migration), None, course)).map(drop)
    }
}

/// Makes a connection ready for steps.
pub(super) fn make_ready(conn: &mut rusqlite::Connection) -> Result<Settings, DatabaseError> {
    let mut handle = Handle::new(conn);
    let settings = ready(handle.enter())?;
    ready(handle.create_history())?;
    Ok(settings)
}

/// What the connection says of a statement that failed.
fn failed_statement(statement: Statement<'_>, error: &DatabaseError) -> FailedStatement {
    let cause = error.source.source().and_then(|source| source.downcast_ref::<rusqlite::Error>());
    let code = cause.and_then(rusqlite::Error::sqlite_error_code);
    FailedStatement {
        statement: statement.offset,
        offset: statement.offset + error.offset.unwrap_or_default(),
        message: error.source.to_string(),
        is_constraint: code == Some(ErrorCode::ConstraintViolation),
        ends_transaction: error.failure == Failure::TransactionEnded,
    }
}

/// The runtime's own connection, watched while it runs a script.
impl Run for Sandbox {
    type Database = Sqlite;

    async fn begin_script(&mut self, keys: ForeignKeys) -> Result<(), DatabaseError> {
        self.begin_watching();
        self.handle().begin_script(keys).await
    }

    async fn end_script(&mut self, settings: &Settings) -> Result<(), DatabaseError> {
        self.end_watching();
        self.handle().end_script(settings).await
    }

    async fn execute(&mut self, statement: Statement<'_>) -> Result<(), DatabaseError> {
        self.script += statement.sql;
        self.script.push('\n');
        self.watch.lock().next_statement(statement.offset);
        let result = self.handle().execute(statement).await;
        let state = &mut *self.watch.lock();
        match &result {
            Ok(()) => state.ran(statement.sql),
            Err(error) => state.trace.failed = Some(failed_statement(statement, error)),
        }
        result
    }

    /// What is run without a transaction changes no schema, and would be refused in here.
    async fn execute_alone(&mut self, _statement: Statement<'_>) -> Result<(), DatabaseError> {
        Ok(())
    }

    /// The program's functions are compiled later than this.
    async fn hook(&mut self, _hook: Hook) -> Result<(), DatabaseError> {
        Ok(())
    }

    async fn violations(&mut self, _: Option<&[&str]>) -> Result<Violations, DatabaseError> {
        self.keys.violations(&self.conn)
    }

    async fn have_triggers(&mut self, _: &[&str]) -> Result<bool, DatabaseError> {
        Ok(false)
    }
}
