//! The schema as a picture: tables, their columns, and what refers to what.

mod catalog;
mod layout;
mod svg;

use maud::Markup;
use molos::rusqlite::Connection;

use crate::error::Result;

/// An SVG of every table of the database.
pub fn diagram(conn: &Connection) -> Result<Markup> {
    let tables = catalog::tables(conn)?;
    Ok(svg::draw(&layout::Layout::of(&tables)))
}
