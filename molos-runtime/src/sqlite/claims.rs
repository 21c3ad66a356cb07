//! What other tools have noted in a database of the migrations that they applied.

use rusqlite::Connection;

use crate::database::{Claim, Claimed};
use crate::model::tool::Tool;

/// The histories that are tables: the tool, the table, and what makes its rows versions.
const CLAIMS: &[(Tool, &str, &str)] = &[
    (Tool::Refinery, "refinery_schema_history", "SELECT version FROM refinery_schema_history ORDER BY 1"),
    (Tool::Sqlx, "_sqlx_migrations", "SELECT version FROM _sqlx_migrations ORDER BY 1"),
    (
        Tool::Diesel,
        "__diesel_schema_migrations",
        "SELECT CAST(replace(replace(version, '-', ''), '_', '') AS INTEGER) FROM __diesel_schema_migrations ORDER BY 1",
    ),
];

pub(super) fn claims(conn: &Connection) -> rusqlite::Result<Vec<Claim>> {
    const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
    const DRIZZLE: &str = "SELECT count(*) FROM __drizzle_migrations";
    let exists = |table: &str| conn.query_row(EXISTS, [table], |row| row.get::<_, bool>(0));
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let mut claims = Vec::new();
    for (tool, table, sql) in CLAIMS {
        if exists(table)? {
            let versions = conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            claims.push(Claim { tool: *tool, applied: Claimed::Versions(versions) });
        }
    }
    let drizzle = if exists("__drizzle_migrations")? { count(DRIZZLE)? } else { 0 };
    let user_version = count("PRAGMA user_version")?;
    // Many programs use `user_version` for something else, so it comes last.
    for (tool, count) in [(Tool::Drizzle, drizzle), (Tool::RusqliteMigration, user_version)] {
        if let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) {
            claims.push(Claim { tool, applied: Claimed::Count(count) });
        }
    }
    Ok(claims)
}
