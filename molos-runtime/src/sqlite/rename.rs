//! Renaming a column by hand, outside of a migration.

use rusqlite::Connection;

use super::catalog::{self, Kind, quote};

/// Why a column was not renamed. The table is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenameError {
    /// There is no table of this name.
    #[error("there is no table \"{0}\"")]
    NoSuchTable(String),
    /// It is a view or a virtual table, whose columns cannot be renamed.
    #[error("\"{0}\" is no ordinary table, so its columns cannot be renamed")]
    NotATable(String),
    /// The table has no column of this name.
    #[error("the table \"{table}\" has no column \"{column}\"\nhelp: its columns are {}", .columns.join(", "))]
    #[non_exhaustive]
    NoSuchColumn {
        /// The table.
        table: String,
        /// What was asked for.
        column: String,
        /// The columns it has.
        columns: Vec<String>,
    },
    /// The table has a column of the new name already. Case does not tell names apart in SQL.
    #[error("the table \"{table}\" has a column \"{column}\" already")]
    #[non_exhaustive]
    ColumnExists {
        /// The table.
        table: String,
        /// The column that is in the way.
        column: String,
    },
    /// SQLite refused.
    #[error("the column was not renamed: {0}")]
    Database(#[from] rusqlite::Error),
}

/// Renames a column, and with it every mention of it in indexes, triggers, views, checks and foreign keys.
///
/// This is SQLite's own `ALTER TABLE … RENAME COLUMN`, with the names quoted and the mistakes told apart. In a
/// migration, write that statement itself. A `&Transaction` can be passed, and is not committed.
///
/// ```
/// # use molos_runtime as molos;
/// use molos::rusqlite::Connection;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut conn = Connection::open_in_memory()?;
/// conn.execute_batch("CREATE TABLE keys (id INTEGER PRIMARY KEY, allowed_modules TEXT)")?;
///
/// let tx = conn.transaction()?;
/// molos::sqlite::rename_column(&tx, "keys", "allowed_modules", "allowed_scopes")?;
/// tx.commit()?;
/// assert!(conn.prepare("SELECT allowed_scopes FROM keys").is_ok());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// A [`RenameError`] that says which of the names is wrong, or what SQLite found: a view that no longer works, say.
pub fn rename_column(conn: &Connection, table: &str, old: &str, new: &str) -> Result<(), RenameError> {
    match catalog::kind(conn, table)? {
        None => return Err(RenameError::NoSuchTable(table.to_owned())),
        Some(Kind::Table) => {}
        Some(Kind::View | Kind::Virtual) => return Err(RenameError::NotATable(table.to_owned())),
    }
    let columns: Vec<String> = catalog::columns(conn, table)?.into_iter().map(|column| column.name).collect();
    let has = |name: &str| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
    if !has(old) {
        return Err(RenameError::NoSuchColumn { table: table.to_owned(), column: old.to_owned(), columns });
    }
    if has(new) && !old.eq_ignore_ascii_case(new) {
        return Err(RenameError::ColumnExists { table: table.to_owned(), column: new.to_owned() });
    }
    let sql = format!("ALTER TABLE main.{} RENAME COLUMN {} TO {}", quote(table), quote(old), quote(new));
    Ok(conn.execute_batch(&sql)?)
}
