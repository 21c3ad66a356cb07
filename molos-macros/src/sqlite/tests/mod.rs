//! The macro on directories for SQLite.

mod directories;
mod random;
mod with_rows;
