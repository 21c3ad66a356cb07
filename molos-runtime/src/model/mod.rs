//! Plain data and pure rules: no database in here.

pub mod adopted;
pub mod checksum;
pub mod claim;
pub mod error;
pub mod event;
pub mod history;
pub mod layout;
pub mod marks;
pub mod migration;
pub mod observe;
pub mod order;
pub mod pattern;
pub mod plan;
pub mod rehearsal;
pub mod report;
pub mod script;
pub mod sets;
pub mod tool;
pub mod violation;
pub mod visible;
