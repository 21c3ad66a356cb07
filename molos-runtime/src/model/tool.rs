//! The other tools whose databases can be adopted.

use std::fmt;

/// Another tool whose history [`Migrator::adopt`](crate::Migrator::adopt) can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tool {
    /// `refinery_schema_history`.
    Refinery,
    /// `_sqlx_migrations`.
    Sqlx,
    /// `__diesel_schema_migrations`.
    Diesel,
    /// `__drizzle_migrations`.
    Drizzle,
    /// `goose_db_version`.
    Goose,
    /// `schema_migrations`, with a row for each migration.
    Dbmate,
    /// `gorp_migrations`.
    SqlMigrate,
    /// `schema_migrations`, with one row and a column `dirty`.
    GolangMigrate,
    /// `PRAGMA user_version`, which many programs use for something else: of several histories, the last to be believed.
    RusqliteMigration,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Refinery => "refinery",
            Self::Sqlx => "sqlx",
            Self::Diesel => "diesel",
            Self::Drizzle => "drizzle",
            Self::Goose => "goose",
            Self::Dbmate => "dbmate",
            Self::SqlMigrate => "sql-migrate",
            Self::GolangMigrate => "golang-migrate",
            Self::RusqliteMigration => "rusqlite_migration",
        })
    }
}
