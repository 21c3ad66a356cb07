//! Foreign keys that refer to nothing.

use rusqlite::Connection;

use super::catalog::quote;
use super::error::{is_sql_error, message};
use crate::database::{DatabaseError, Violations};
use crate::model::error::Violation;

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
            violations.push(Violation::new(message(&error), String::new()));
            return Ok(violations);
        }
        Err(error) => return Err(error.into()),
    };
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let found = Violation::new(row.get(0)?, row.get(2)?);
        match violations.binary_search_by(|known| known.tables().cmp(&found.tables())) {
            Ok(at) => violations[at].rows += 1,
            Err(at) => violations.insert(at, found),
        }
    }
    Ok(violations)
}
