//! The schema that the migrations lead to.

use molos_runtime::HISTORY_TABLE;
use molos_runtime::catalog::{self, Kind, quote};
use molos_runtime::rusqlite::{Connection, Result};

use crate::json::{Column, ForeignKey, Index, Schema, Table};

/// The statements that create it, in the order in which they can be run.
pub(crate) fn sql(conn: &Connection) -> Result<String> {
    const STATEMENTS: &str = "\
        SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name <> ?1 \
        AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') \
        ORDER BY rowid";
    let mut statement = conn.prepare(STATEMENTS)?;
    let statements = statement.query_map([HISTORY_TABLE], |row| row.get::<_, String>(0))?;
    let statements = statements.map(|sql| Ok(sql? + ";")).collect::<Result<Vec<_>>>()?;
    Ok(statements.join("\n\n"))
}

pub(crate) fn read(conn: &Connection) -> Result<Schema> {
    let (tables, _) = catalog::tables(conn)?;
    let tables = tables.into_iter().map(|table| read_table(conn, table)).collect::<Result<_>>()?;
    Ok(Schema { tables })
}

fn read_table(conn: &Connection, table: catalog::Table) -> Result<Table> {
    let column = |column: catalog::Column| Column {
        name: column.name,
        declared_type: column.declared_type,
        not_null: column.not_null,
        default: column.default,
        primary_key: Some(column.key).filter(|place| *place > 0),
        generated: column.generated,
    };
    Ok(Table {
        foreign_keys: foreign_keys(conn, &table.name)?,
        indexes: indexes(conn, &table.name)?,
        kind: match table.kind {
            Kind::Table => "table",
            Kind::View => "view",
            Kind::Virtual => "virtual",
        },
        strict: table.strict,
        sql: table.sql,
        columns: table.columns.into_iter().map(column).collect(),
        name: table.name,
    })
}

fn foreign_keys(conn: &Connection, table: &str) -> Result<Vec<ForeignKey>> {
    let mut statement = conn.prepare(&format!("PRAGMA foreign_key_list({})", quote(table)))?;
    let mut rows = statement.query([])?;
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, column, to): (i64, String, Option<String>) = (row.get(0)?, row.get(3)?, row.get(4)?);
        match keys.last_mut() {
            Some((last, key)) if *last == id => {
                key.columns.push(column);
                key.references.extend(to);
            }
            _ => {
                let (table, on_update, on_delete) = (row.get(2)?, row.get(5)?, row.get(6)?);
                let references = to.into_iter().collect();
                keys.push((id, ForeignKey { columns: vec![column], table, references, on_delete, on_update }));
            }
        }
    }
    // SQLite lists them from the last.
    Ok(keys.into_iter().rev().map(|(_, key)| key).collect())
}

fn indexes(conn: &Connection, table: &str) -> Result<Vec<Index>> {
    let mut statement = conn.prepare(&format!("PRAGMA index_list({})", quote(table)))?;
    let mut rows = statement.query([])?;
    let mut indexes = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(1)?;
        let mut statement = conn.prepare(&format!("PRAGMA index_info({})", quote(&name)))?;
        let columns = statement.query_map([], |row| row.get(2))?.collect::<Result<_>>()?;
        indexes.push(Index { name, unique: row.get(2)?, partial: row.get(4)?, columns });
    }
    indexes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(indexes)
}
