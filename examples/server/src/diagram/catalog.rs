//! Tables, columns and foreign keys, from SQLite's catalog.

use molos::rusqlite::{Connection, Result};

#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) references: Vec<Reference>,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) is_key: bool,
    pub(super) is_nullable: bool,
}

/// A column that refers to a column of a table. Without a name it is the primary key.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) from: String,
    pub(super) table: String,
    pub(super) to: Option<String>,
}

pub(super) fn tables(conn: &Connection) -> Result<Vec<Table>> {
    let mut statement = conn.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    names.map(|name| table(conn, name?)).collect()
}

fn table(conn: &Connection, name: String) -> Result<Table> {
    let mut statement =
        conn.prepare_cached("SELECT name, type, pk, \"notnull\" FROM pragma_table_xinfo(?1) ORDER BY cid")?;
    let columns = statement.query_map([&name], |row| {
        let is_key = row.get::<_, i64>(2)? > 0;
        Ok(Column { name: row.get(0)?, kind: row.get(1)?, is_key, is_nullable: !is_key && !row.get::<_, bool>(3)? })
    })?;
    let columns = columns.collect::<Result<_>>()?;
    let mut statement =
        conn.prepare_cached("SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq")?;
    let references =
        statement.query_map([&name], |row| Ok(Reference { from: row.get(0)?, table: row.get(1)?, to: row.get(2)? }))?;
    let references = references.collect::<Result<_>>()?;
    Ok(Table { name, columns, references })
}
