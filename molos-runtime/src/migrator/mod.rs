//! `Migrator`: what is to be run, and how. The verbs are in the files beside this one.

mod adopt;
mod backup;
mod build;
mod downgrade;
pub mod engine;
mod engine_version;
mod losses;
mod ownership;
mod rehearse;
mod run;
mod session;
mod verify;
mod wait;

use std::fmt;
use std::time::Duration;

pub use backup::Keep;
pub(crate) use engine::failed;
pub(crate) use run::Goal;
pub(crate) use wait::when_free;

use self::ownership::OtherTables;
use crate::database::{Database, DefaultDatabase};
use crate::model::error::Error;
use crate::model::event::{Event, Listener};
use crate::model::plan::Order;
use crate::model::sets::Sets;

/// How many transactions a call uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transactions {
    /// One for everything: all migrations are applied, or none.
    ///
    /// Where one of them runs outside of a transaction, there is one for those before it and one for those after it. What
    /// was committed when one fails stays, and [`Error::completed`] has it.
    #[default]
    Single,
    /// One for each migration: when one fails, those before it stay.
    PerMigration,
}

type OnEvent<'m> = Box<dyn Fn(&Event<'_>) + Send + Sync + 'm>;

/// Runs a set of migrations, or several, on a database.
///
/// ```
/// # use molos_runtime as molos;
/// use std::time::Duration;
/// use molos::{Migration, Migrations, Migrator, Rollback, rusqlite::Connection};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let list = vec![
/// #     Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)"),
/// #     Migration::new(2, "tags", "CREATE TABLE tags (tag TEXT NOT NULL)").with_down("DROP TABLE tags"),
/// # ];
/// # let migrations = Migrations::new("app", "migrations", &list);
/// let mut conn = Connection::open_in_memory()?;
/// let migrator = Migrator::new(&migrations).busy_timeout(Duration::from_secs(5));
///
/// println!("{}", migrator.plan(&mut conn)?);
/// println!("{}", migrator.migrate(&mut conn)?);
/// println!("{}", migrator.rollback(&mut conn, Rollback::Steps(1))?);
/// assert_eq!(migrator.status(&mut conn)?.pending(), 1);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Migrator<'m, DB: Database = DefaultDatabase> {
    sets: Sets<'m, DB>,
    up_to: Option<i64>,
    transactions: Transactions,
    busy_timeout: Duration,
    order: Order,
    other_tables: OtherTables,
    // What an option needs stands behind a pointer that the option sets, so that programs without it do not contain it.
    verify_before: Option<verify::Check<DB>>,
    verify_after: Option<verify::Check<DB>>,
    backup: Option<backup::Before<DB>>,
    on_event: Option<OnEvent<'m>>,
}

impl<DB: Database> fmt::Debug for Migrator<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrator")
            .field("sets", &self.sets.names())
            .field("up_to", &self.up_to)
            .field("transactions", &self.transactions)
            .field("busy_timeout", &self.busy_timeout)
            .field("order", &self.order)
            .field("other_tables", &self.other_tables)
            .field("verify_before", &self.verify_before.is_some())
            .field("verify_after", &self.verify_after.is_some())
            .field("backup", &self.backup)
            .finish_non_exhaustive()
    }
}

impl<'m, DB: Database> Migrator<'m, DB> {
    /// A migrator that applies everything that is pending in one transaction, and waits 30 seconds for other
    /// connections.
    ///
    /// Several sets are applied in one go, each after those that it needs, whatever the order they are given in; apart
    /// from that they have nothing to do with each other. What a [`Migrator`] does not name it leaves alone.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// use molos::{Migrator, Rollback, rusqlite::Connection};
    /// # use molos::{Migration, Migrations};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let users = [Migration::new(1, "users", "CREATE TABLE users (name TEXT NOT NULL)")];
    /// # let list = [Migration::new(1, "tasks", "CREATE TABLE tasks (title TEXT NOT NULL)").with_down("DROP TABLE tasks")];
    /// # let core = Migrations::new("core", "core/migrations", &users);
    /// # let tasks = Migrations::new("tasks", "tasks/migrations", &list).table_prefix("tasks");
    /// let mut conn = Connection::open_in_memory()?;
    ///
    /// // `core` and `tasks` are what two `embed_migrations!` wrote: `core::MIGRATIONS` and `tasks::MIGRATIONS`, say.
    /// let report = Migrator::new([&core, &tasks]).migrate(&mut conn)?;
    /// assert_eq!(report.steps().len(), 2);
    ///
    /// // A module that is removed takes its own tables with it, and nothing else.
    /// Migrator::new(&tasks).rollback(&mut conn, Rollback::All)?;
    /// Migrator::new(&core).verify(&mut conn)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// That the sets are in order is found out when something is run: see [`SetsProblem::GivenTwice`](crate::SetsProblem::GivenTwice), [`SetsProblem::Cycle`](crate::SetsProblem::Cycle) and
    /// [`SetsProblem::MissingBase`](crate::SetsProblem::MissingBase).
    pub fn new(sets: impl Into<Sets<'m, DB>>) -> Self {
        Self {
            sets: sets.into(),
            up_to: None,
            transactions: Transactions::default(),
            busy_timeout: Duration::from_secs(30),
            order: Order::Strict,
            other_tables: OtherTables::default(),
            verify_before: None,
            verify_after: None,
            backup: None,
            on_event: None,
        }
    }

    /// The same for one of its sets alone.
    ///
    /// # Errors
    ///
    /// [`SetsProblem::NoSuchSet`](crate::SetsProblem::NoSuchSet).
    pub fn only(self, set: &str) -> Result<Self, Error> {
        Ok(Self { sets: self.sets.only(set)?, ..self })
    }

    /// Migrates up to this version and no further: [`migrate`](Self::migrate), [`plan`](Self::plan) and
    /// [`rehearse`](Self::rehearse) take no later migration for pending. Only one set can be asked for a version.
    pub fn up_to(self, version: i64) -> Self {
        Self { up_to: Some(version), ..self }
    }

    /// One transaction for everything, or one for each migration.
    pub fn transactions(self, transactions: Transactions) -> Self {
        Self { transactions, ..self }
    }

    /// How long to wait for another connection that holds the database. Another process that is migrating it is
    /// such a connection.
    pub fn busy_timeout(self, timeout: Duration) -> Self {
        Self { busy_timeout: timeout, ..self }
    }

    /// Whether a pending migration may be applied after later ones, as when two branches were merged.
    pub fn allow_out_of_order(self, allow: bool) -> Self {
        Self { order: if allow { Order::Any } else { Order::Strict }, ..self }
    }

    /// Names tables and views that are not the program's, in whatever case: those of a library that keeps its jobs or its
    /// cache in the same database. A name that ends in `*` stands for all that begin like it. With what belongs to them,
    /// indexes and triggers, they are left out of what [`adopt`](Self::adopt) and [`verify`](Self::verify) compare, and
    /// the rows of what `verify` checks. No migration may make a table of such a name.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// use molos::{Migrator, rusqlite::Connection};
    /// # use molos::{Migration, Migrations};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let list = [Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)")];
    /// # let migrations = Migrations::new("app", "migrations", &list);
    /// let mut conn = Connection::open_in_memory()?;
    /// conn.execute_batch("CREATE TABLE queue_jobs (id INTEGER PRIMARY KEY)")?; // by a library
    ///
    /// let migrator = Migrator::new(&migrations).other_tables(["queue_*"]);
    /// migrator.adopt(&mut conn)?; // it is a new database
    /// migrator.migrate(&mut conn)?;
    /// migrator.verify(&mut conn)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn other_tables(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.other_tables.add(names);
        self
    }

    /// Calls `on_event` with what happens, while it happens, on the thread that migrates. Of several that are given, each is
    /// called, in this order.
    ///
    /// The feature `tracing` sends the same to a subscriber of the `tracing` crate, whether this is called or not.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// use molos::{Event, Migrator, rusqlite::Connection};
    /// # use molos::{Migration, Migrations};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let list = [Migration::new(1, "notes", "CREATE TABLE notes (a); INSERT INTO notes VALUES (1); UPDATE notes SET a = 2")];
    /// # let migrations = Migrations::new("app", "migrations", &list);
    /// let migrator = Migrator::new(&migrations).on_event(|event| match event {
    ///     Event::Waiting { waited, .. } => eprintln!("another program has the database ({} s)", waited.as_secs()),
    ///     Event::Statement { step, number, count, .. } => eprintln!("{} ({number}/{count})", step.name),
    ///     _ => {}
    /// });
    /// migrator.migrate(&mut Connection::open_in_memory()?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_event(self, on_event: impl Fn(&Event<'_>) + Send + Sync + 'm) -> Self {
        let on_event: OnEvent<'m> = match self.on_event {
            None => Box::new(on_event),
            Some(first) => Box::new(move |event| {
                first(event);
                on_event(event);
            }),
        };
        Self { on_event: Some(on_event), ..self }
    }

    /// What it runs.
    #[must_use]
    pub const fn sets(&self) -> &Sets<'m, DB> {
        &self.sets
    }

    pub(crate) fn listener(&self) -> Listener<'_> {
        Listener::new(self.on_event.as_deref())
    }
}

#[cfg(test)]
mod tests;
