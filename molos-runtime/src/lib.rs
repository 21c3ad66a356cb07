//! The run-time half of [molos](https://docs.rs/molos): the static data that `embed_migrations!` writes out, and the
//! engine that applies it to a database. Programs depend on `molos`, which re-exports what they need from here.
//!
//! The compile-time half calls this crate too: what is checked while a program compiles is run by the same code that runs
//! when it starts.

pub mod database;
mod migrator;
mod model;
#[cfg(any(feature = "postgres", feature = "tokio-postgres"))]
pub mod postgres;
pub mod schema;
pub mod sqlite;

#[doc(hidden)]
pub use migrator::engine;
#[doc(hidden)]
pub use model::layout;
#[cfg(feature = "monitor")]
pub use sqlite::monitor;
#[cfg(feature = "r2d2")]
pub use sqlite::r2d2;
#[doc(hidden)]
pub mod script {
    pub use crate::model::script::*;
    pub use crate::sqlite::tokens::{is_blank, statement_at, statements, tokens};
}
#[doc(hidden)]
pub mod driver {
    pub use crate::database::{DatabaseError, Violations};
    pub use crate::model::error::Source;
    pub use crate::sqlite::keys::violations_of;
    pub use crate::sqlite::{Handle, Settings};
}

#[cfg(any(feature = "postgres", feature = "tokio-postgres"))]
pub use self::postgres::Postgres;
pub use migrator::{Keep, Migrator, Transactions};
pub use model::adopted::{Adopted, AdoptedSet};
#[doc(hidden)]
pub use model::checksum::normalise;
pub use model::checksum::{Checksum, NotAChecksum};
pub use model::error::{
    BackupProblem, Candidate, DatabaseFailure, Error, ErrorKind, HistoryProblem, Location, OtherHistoryProblem,
    SetsProblem, Step, StoredDownProblem, TargetProblem, Violation,
};
pub use model::event::Event;
#[doc(hidden)]
pub use model::event::Listener;
#[doc(hidden)]
pub use model::history::Record;
pub use model::history::{Applied, DEFAULT_SET, HISTORY_TABLE};
#[doc(hidden)]
pub use model::migration::{Base, Embedded, Entry, Script, StepHook, down_path};
pub use model::migration::{Direction, ForeignKeys, Migration, Migrations};
pub use model::plan::{Loss, Plan, Rollback};
pub use model::rehearsal::{Rehearsal, StepRehearsal};
#[doc(hidden)]
pub use model::report::{Milliseconds, UtcTime};
pub use model::report::{Report, SetStatus, State, Status, StepReport, StepStatus};
pub use model::sets::Sets;
pub use model::tool::Tool;
pub use rusqlite;
pub use schema::{Difference, Fact, Fingerprint, NotAFingerprint, Object, ObjectKind, Schema};
pub use sqlite::table::{Insert, Key, Keyed, Table};
pub use sqlite::{Hook, Sqlite};
