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

#[cfg(feature = "monitor")]
pub use sqlite::monitor;
#[cfg(feature = "r2d2")]
pub use sqlite::r2d2;

#[cfg(any(feature = "postgres", feature = "tokio-postgres"))]
pub use self::postgres::Postgres;
pub use migrator::{Keep, Migrator, Transactions};
pub use model::adopted::{Adopted, AdoptedSet};
pub use model::checksum::{Checksum, NotAChecksum};
pub use model::error::{
    BackupProblem, Candidate, DatabaseFailure, Error, ErrorKind, HistoryProblem, Location, OtherHistoryProblem,
    SetsProblem, Step, StoredDownProblem, TargetProblem, Violation,
};
pub use model::event::Event;
pub use model::history::{Applied, DEFAULT_SET, HISTORY_TABLE};
pub use model::migration::{Direction, ForeignKeys, Migration, Migrations};
pub use model::plan::{Loss, Plan, Rollback};
pub use model::rehearsal::{Rehearsal, StepRehearsal};
pub use model::report::{Report, SetStatus, State, Status, StepReport, StepStatus};
pub use model::sets::Sets;
pub use model::tool::Tool;
pub use rusqlite;
pub use schema::{Difference, Fact, Fingerprint, NotAFingerprint, Object, ObjectKind, Schema};
pub use sqlite::table::{Insert, Key, Keyed, Table};
pub use sqlite::{Hook, Sqlite};

/// What the code that `embed_migrations!` writes needs, and molos's other crates. It may change in any release.
#[doc(hidden)]
pub mod __private {
    pub use crate::migrator::engine;
    pub use crate::model::checksum::normalise;
    pub use crate::model::event::Listener;
    pub use crate::model::history::stored_down;
    pub use crate::model::migration::{Base, Embedded, Entry, Script, StepHook, down_path};
    pub use crate::model::order::VersionOrder;
    pub use crate::model::report::{Milliseconds, UtcTime};
    pub use crate::model::visible::visible;
    pub use crate::model::{layout, marks, pattern, script};
    pub use crate::schema::difference::Changed;

    pub mod sqlite {
        pub use crate::sqlite::keys::violations_of;
        pub use crate::sqlite::schema::{Change, SchemaReader};
        pub use crate::sqlite::tokens::{is_blank, statement_at, statements, tokens};
        pub use crate::sqlite::{Handle, Settings};
    }
}
