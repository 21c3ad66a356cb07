//! The schema as a picture: tables, their columns, and what refers to what.

mod layout;
mod svg;

use maud::Markup;
use molos::rusqlite::Connection;
use molos::sqlite::Catalog;
use molos::sqlite::catalog::Kind;

use crate::error::Result;

/// An SVG of every table of the database.
pub fn diagram(conn: &Connection) -> Result<Markup> {
    let Catalog { mut tables, .. } = Catalog::read(conn)?;
    tables.retain(|table| table.kind != Kind::View);
    Ok(svg::draw(&layout::Layout::of(&tables)))
}
