//! The macro on directories for SQLite.

mod directories;
mod with_rows;
