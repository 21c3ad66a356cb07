//! The schema that the migrations lead to.

use molos_runtime::rusqlite::{Connection, Result};
use molos_runtime::sqlite::catalog::{self, Catalog, Kind};

use crate::json::{Column, ForeignKey, Index, Schema, Table};

/// The statements that create it, in the order in which they can be run.
pub(crate) fn sql(conn: &Connection) -> Result<String> {
    let statements = catalog::statements(conn)?.into_iter().map(|sql| sql + ";");
    Ok(statements.collect::<Vec<_>>().join("\n\n"))
}

pub(crate) fn read(conn: &Connection) -> Result<Schema> {
    let Catalog { tables, .. } = Catalog::read(conn)?;
    Ok(Schema { tables: tables.into_iter().map(table).collect() })
}

fn table(table: catalog::Table) -> Table {
    Table {
        name: table.name,
        kind: match table.kind {
            Kind::Table => "table".to_owned(),
            Kind::View => "view".to_owned(),
            _ => "virtual".to_owned(),
        },
        strict: table.strict,
        sql: table.sql,
        columns: table.columns.into_iter().map(column).collect(),
        foreign_keys: table.foreign_keys.into_iter().map(foreign_key).collect(),
        indexes: table.indexes.into_iter().map(index).collect(),
    }
}

fn column(column: catalog::Column) -> Column {
    Column {
        name: column.name,
        declared_type: column.declared_type,
        not_null: column.not_null,
        default: column.default,
        primary_key: Some(column.key).filter(|place| *place > 0),
        generated: column.generated,
    }
}

fn foreign_key(key: catalog::ForeignKey) -> ForeignKey {
    ForeignKey {
        columns: key.columns,
        table: key.parent,
        references: key.parent_columns,
        on_delete: key.on_delete.to_string(),
        on_update: key.on_update.to_string(),
    }
}

fn index(index: catalog::Index) -> Index {
    Index { name: index.name, unique: index.unique, partial: index.partial, columns: index.columns }
}
