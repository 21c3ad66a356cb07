//! The run-time half of [molos](https://docs.rs/molos): the static data that `embed_migrations!` writes out, and the
//! engine that applies it to a database. Programs depend on `molos`, which re-exports what they need from here.
//!
//! The compile-time half calls this crate too: what is rehearsed while a program compiles is run by the same code
//! that runs when it starts.

mod adopt;
mod backup;
mod checksum;
mod definition;
mod downgrade;
mod error;
mod event;
mod history;
mod migration;
mod migrator;
mod observe;
mod older;
mod plan;
mod rehearse;
mod rename;
mod report;
mod schema;
mod sets;
mod table;
mod verify;

#[doc(hidden)]
pub mod catalog;
#[doc(hidden)]
pub mod driver;
#[doc(hidden)]
pub mod engine;
#[doc(hidden)]
pub mod layout;
#[cfg(feature = "monitor")]
pub mod monitor;
#[cfg(feature = "r2d2")]
pub mod r2d2;
#[doc(hidden)]
pub mod script;

pub use adopt::{Adopted, AdoptedSet, Tool};
pub use backup::{Keep, restore};
#[doc(hidden)]
pub use checksum::normalise;
pub use checksum::{Checksum, NotAChecksum};
pub use error::{Candidate, During, Error, Location, Step, Violation};
pub use event::Event;
#[doc(hidden)]
pub use event::Listener;
#[doc(hidden)]
pub use history::Record;
pub use history::{Applied, DEFAULT_SET, HISTORY_TABLE};
#[doc(hidden)]
pub use migration::{Base, Embedded, Entry, Script, StepHook, down_path};
pub use migration::{Direction, ForeignKeys, Hook, Migration, Migrations};
pub use migrator::{Migrator, Transaction};
pub use plan::{Loss, Plan, Rollback};
pub use rehearse::{Rehearsal, StepRehearsal};
pub use rename::{RenameError, rename_column};
#[doc(hidden)]
pub use report::{Milliseconds, UtcTime};
pub use report::{Report, SetStatus, State, Status, StepReport, StepStatus};
pub use rusqlite;
#[doc(hidden)]
pub use schema::{Change, Changed};
pub use schema::{Difference, Fingerprint, Object, Schema};
pub use sets::Sets;
pub use table::{Insert, Key, Keyed, Table};
