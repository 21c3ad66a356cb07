//! Foreign keys that refer to nothing.

use rusqlite::Connection;

use super::catalog::quote;
use super::error::{is_sql_error, message};
use crate::database::{DatabaseError, Violations};

/// Every foreign key of a table, or of all tables, that points at nothing.
///
/// # Errors
///
/// When the database cannot be read.
pub fn violations_of(conn: &Connection, table: Option<&str>) -> Result<Violations, DatabaseError> {
    let mut violations = Violations::new();
    let of_table = table.map(|table| format!("({})", quote(table)));
    let sql = format!("PRAGMA foreign_key_check{}", of_table.unwrap_or_default());
    let mut statement = match conn.prepare(&sql) {
        Ok(statement) => statement,
        // A key that names no unique columns of its parent: nothing can be checked, which is the thing to count.
        Err(error) if is_sql_error(&error) => {
            violations.insert((message(&error), String::new()), 1);
            return Ok(violations);
        }
        Err(error) => return Err(error.into()),
    };
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        *violations.entry((row.get(0)?, row.get(2)?)).or_default() += 1;
    }
    Ok(violations)
}
