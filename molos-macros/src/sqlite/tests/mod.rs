//! The macro on directories for SQLite.

mod attempts;
mod directories;
mod random;
mod with_rows;
