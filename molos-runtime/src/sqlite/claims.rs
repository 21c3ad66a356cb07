//! What other tools have noted in a database of the migrations that they applied.

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, Result};

use super::error::is_sql_error;
use crate::model::claim::{Claim, Claimed, Noted, Sum};
use crate::model::layout::{FileNames, Named};
use crate::model::tool::Tool;

type Read = fn(&[Row]) -> Option<Claim>;

/// The tables, in what order their rows are read, and what understands them.
const HISTORIES: &[(&str, &str, Read)] = &[
    ("refinery_schema_history", "", refinery),
    ("_sqlx_migrations", "", sqlx),
    ("__diesel_schema_migrations", "", diesel),
    // drizzle goes by the time that each file was generated at.
    ("__drizzle_migrations", "ORDER BY created_at", drizzle),
    ("goose_db_version", "ORDER BY id", goose),
    ("gorp_migrations", "", sql_migrate),
    ("schema_migrations", "", schema_migrations),
];

pub(super) fn claims(conn: &Connection) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for (table, order, read) in HISTORIES {
        claims.extend(rows(conn, table, order)?.and_then(|rows| read(&rows)));
    }
    // Many programs use `user_version` for something else, so it comes last.
    if let Some(count) = usize::try_from(user_version(conn)?).ok().filter(|count| *count > 0) {
        let claim = claim(Tool::RusqliteMigration, Claimed::Count(count, Vec::new()));
        claims.push(Claim { is_doubtful: true, ..claim });
    }
    Ok(claims)
}

fn user_version(conn: &Connection) -> Result<i64> {
    match conn.query_row("PRAGMA user_version", [], |row| row.get(0)) {
        // An authorizer may not let it be read; then it is not taken for a history.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::AuthorizationForStatementDenied) => Ok(0),
        result => result,
    }
}

const fn claim(tool: Tool, applied: Claimed) -> Claim {
    Claim { tool, applied, unfinished: None, is_doubtful: false }
}

/// A row of a history: whatever columns the tool's version has given it, by name.
struct Row(Vec<(String, Value)>);

/// The rows of a table, if there is one that has what they are ordered by.
fn rows(conn: &Connection, table: &str, order: &str) -> Result<Option<Vec<Row>>> {
    const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?1)";
    if !conn.query_row(EXISTS, [table], |row| row.get(0))? {
        return Ok(None);
    }
    let mut statement = match conn.prepare(&format!("SELECT * FROM main.{table} {order}")) {
        Err(error) if is_sql_error(&error) => return Ok(None),
        prepared => prepared?,
    };
    let names: Vec<String> = (0..statement.column_count())
        .map(|at| Ok(statement.column_name(at)?.to_ascii_lowercase()))
        .collect::<Result<_>>()?;
    let row = |row: &rusqlite::Row<'_>| {
        let mut values = Vec::new();
        for (at, name) in names.iter().enumerate() {
            values.push((name.clone(), row.get(at)?));
        }
        Ok(Row(values))
    };
    statement.query_map([], row)?.collect::<Result<_>>().map(Some)
}

impl Row {
    fn get(&self, column: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == column).map(|(_, value)| value)
    }

    fn text(&self, column: &str) -> Option<String> {
        match self.get(column)? {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn number(&self, column: &str) -> Option<i64> {
        self.text(column)?.parse().ok()
    }

    /// The version, as molos reads it in the name of a file.
    fn version(&self) -> Option<i64> {
        self.text("version")?.replace(['-', '_'], "").parse().ok()
    }
}

/// A claim about these migrations; none, if one of them could not be read: the table is somebody else's then.
fn each(tool: Tool, noted: Option<Vec<Noted>>) -> Option<Claim> {
    Some(claim(tool, Claimed::Each(noted?)))
}

fn noted(row: &Row, name: Option<String>, sum: Option<Sum>) -> Option<Noted> {
    Some(Noted { version: row.version()?, name, sum })
}

fn refinery(rows: &[Row]) -> Option<Claim> {
    let one = |row: &Row| noted(row, row.text("name"), row.text("checksum").map(Sum::Sip13));
    each(Tool::Refinery, rows.iter().map(one).collect())
}

fn sqlx(rows: &[Row]) -> Option<Claim> {
    let sum = |row: &Row| match row.get("checksum") {
        Some(Value::Blob(bytes)) => Some(Sum::Sha384(bytes.clone())),
        _ => None,
    };
    let one = |row: &Row| noted(row, row.text("description"), sum(row));
    let failed = rows.iter().find(|row| row.number("success") == Some(0));
    let claim = each(Tool::Sqlx, rows.iter().map(one).collect())?;
    Some(Claim { unfinished: failed.and_then(Row::version), ..claim })
}

fn diesel(rows: &[Row]) -> Option<Claim> {
    each(Tool::Diesel, rows.iter().map(|row| noted(row, None, None)).collect())
}

fn drizzle(rows: &[Row]) -> Option<Claim> {
    let sums = rows.iter().map(|row| row.text("hash").map(Sum::Sha256)).collect::<Option<_>>()?;
    Some(claim(Tool::Drizzle, Claimed::Count(rows.len(), sums)))
}

/// goose adds a row each time that it applies a migration, and, in older versions, each time that it takes one back. The
/// first row is its own, of a version 0.
fn goose(rows: &[Row]) -> Option<Claim> {
    let mut noted: Vec<Noted> = Vec::new();
    for row in rows {
        let (version, is_applied) = (row.number("version_id")?, row.number("is_applied")? != 0);
        noted.retain(|noted| noted.version != version);
        if is_applied && version != 0 {
            noted.push(Noted { version, name: None, sum: None });
        }
    }
    each(Tool::Goose, Some(noted))
}

/// sql-migrate keeps the names of files.
fn sql_migrate(rows: &[Row]) -> Option<Claim> {
    let one = |row: &Row| {
        let file = row.text("id")?;
        let Ok(Named::Up { version, name, .. }) = FileNames::Layout.parse(&file) else { return None };
        Some(Noted { version, name: Some(file[name].to_owned()), sum: None })
    };
    each(Tool::SqlMigrate, rows.iter().map(one).collect())
}

/// dbmate and golang-migrate have one name for their tables. The latter keeps only the version that it is at.
fn schema_migrations(rows: &[Row]) -> Option<Claim> {
    let Some(row) = rows.iter().find(|row| row.get("dirty").is_some()) else {
        return each(Tool::Dbmate, rows.iter().map(|row| noted(row, None, None)).collect());
    };
    let version = row.version()?;
    let unfinished = (row.number("dirty") != Some(0)).then_some(version);
    Some(Claim { unfinished, ..claim(Tool::GolangMigrate, Claimed::UpTo(version)) })
}
