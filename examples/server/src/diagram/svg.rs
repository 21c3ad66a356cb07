//! A layout, drawn.

use maud::{Markup, html};
use molos::sqlite::catalog::Column;

use super::layout::{HEAD, Layout, Line, PADDING, Placed, ROW};

const FONT: &str = "'DejaVu Sans Mono', Menlo, Consolas, monospace";
const INK: &str = "#1d2430";
const SOFT: &str = "#6b7686";
const BORDER: &str = "#b9c2cd";
const COLOURS: [&str; 8] = ["#2456a6", "#b4531a", "#1f7a4d", "#8a3fa0", "#a32652", "#50701a", "#0f7a8a", "#6a5a2a"];
const ARROW: i32 = 7;
/// How far the lines of a crow's foot, the many, are apart where they meet their table.
const FOOT: i32 = 5;

pub(super) fn draw(layout: &Layout<'_>) -> Markup {
    let Layout { width, height, boxes, lines } = layout;
    html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox=(format!("0 0 {width} {height}"))
            font-family=(FONT) font-size="12" role="img" aria-label="The tables of the database" {
            rect width=(width) height=(height) fill="#ffffff" {}
            // Lines first, so that tables are over what passes behind them.
            @for line in lines { (draw_line(line)) }
            @for table in boxes { (draw_table(table)) }
        }
    }
}

fn draw_table(placed: &Placed<'_>) -> Markup {
    let Placed { table, x, y, width, .. } = placed;
    let (right, bottom) = (x + width - PADDING, y + HEAD);
    html! {
        g data-table=(table.name) {
            rect x=(x) y=(y) width=(width) height=(placed.height()) rx="4" fill="#ffffff" stroke=(BORDER) {}
            path d=(format!("M{x} {bottom} V{} q0 -4 4 -4 H{} q4 0 4 4 V{bottom} Z", y + 4, x + width - 4))
                fill="#eaf0f8" stroke=(BORDER) {}
            text x=(x + PADDING) y=(y + 17) font-weight="bold" fill=(INK) { (table.name) }
            @for (column, row) in table.columns.iter().zip(0..) {
                (draw_column(column, (x + PADDING, right), y + HEAD + ROW * row + 14))
            }
        }
    }
}

fn draw_column(column: &Column, (left, right): (i32, i32), y: i32) -> Markup {
    let weight = if column.key > 0 { "bold" } else { "normal" };
    html! {
        text x=(left) y=(y) font-weight=(weight) fill=(INK) { (column.name) }
        text x=(right) y=(y) text-anchor="end" fill=(SOFT) { (column.declared_type) @if column.key == 0 && !column.not_null { "?" } }
    }
}

fn draw_line(line: &Line) -> Markup {
    let Line { start: (x, y), trunk, end: (end_x, end_y), group } = line;
    let colour = COLOURS[group % COLOURS.len()];
    // A crow's foot opens towards its table, on whichever side that is.
    let foot = if trunk < x { x - 9 } else { x + 9 };
    let (above, below) = (y - FOOT, y + FOOT);
    html! {
        g fill="none" stroke=(colour) stroke-width="1.4" stroke-linejoin="round" {
            path d=(format!("M{x} {y} H{trunk} V{end_y} H{}", end_x + ARROW)) {}
            path d=(format!("M{x} {above} L{foot} {y} L{x} {below}")) {}
            path d=(format!("M{end_x} {end_y} l{ARROW} -4 v8 Z")) fill=(colour) {}
        }
    }
}
