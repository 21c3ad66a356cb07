//! The macro on directories for SQLite.

mod attempts;
mod causes;
mod directories;
mod random;
mod with_rows;
