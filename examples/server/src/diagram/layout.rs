//! Where everything goes: tables in ranks from left to right, each to the right of what it refers to, and lines in the
//! gaps between them. All lines to one column share a trunk.

use std::collections::BTreeMap;

use molos::sqlite::catalog::Table;

pub(super) const ROW: i32 = 20;
pub(super) const HEAD: i32 = 26;
/// The width of a character of the font, which is monospaced, in tenths.
const CHARACTER: i32 = 73;
pub(super) const PADDING: i32 = 10;
const BELOW: i32 = 22;
const MARGIN: i32 = 24;
/// Between a table and the first trunk, and the last trunk and the next table.
const CLEAR: i32 = 26;
const LANE: i32 = 12;

pub(super) struct Layout<'t> {
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) boxes: Vec<Placed<'t>>,
    pub(super) lines: Vec<Line>,
}

pub(super) struct Placed<'t> {
    pub(super) table: &'t Table,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    rank: usize,
}

/// From a column to the one that it refers to.
pub(super) struct Line {
    pub(super) start: (i32, i32),
    pub(super) trunk: i32,
    pub(super) end: (i32, i32),
    /// Lines with one of these belong together.
    pub(super) group: usize,
}

/// A column that refers to a column of a table, or to what there is of it.
struct Reference<'t> {
    from: &'t str,
    table: &'t str,
    to: Option<&'t str>,
}

fn references(table: &Table) -> impl Iterator<Item = Reference<'_>> {
    table.foreign_keys.iter().flat_map(|key| {
        key.columns.iter().enumerate().map(|(at, from)| Reference {
            from,
            table: &key.parent,
            to: key.parent_columns.get(at).map(String::as_str),
        })
    })
}

impl Placed<'_> {
    pub(super) fn height(&self) -> i32 {
        HEAD + ROW * count(self.table.columns.len())
    }

    fn middle(&self) -> i32 {
        self.y + self.height() / 2
    }

    fn row(&self, is_it: impl Fn(usize) -> bool) -> i32 {
        let at = (0..self.table.columns.len()).find(|at| is_it(*at)).unwrap_or_default();
        self.y + HEAD + ROW * count(at) + ROW / 2
    }

    fn column(&self, name: &str) -> i32 {
        self.row(|at| self.table.columns[at].name.eq_ignore_ascii_case(name))
    }

    fn referred(&self, reference: &Reference<'_>) -> i32 {
        match reference.to {
            Some(to) => self.column(to),
            None => self.row(|at| self.table.columns[at].key > 0),
        }
    }
}

fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX / 1_000)
}

impl<'t> Layout<'t> {
    pub(super) fn of(tables: &'t [Table]) -> Self {
        let ranks = ranks(tables);
        let mut boxes: Vec<Placed> = tables
            .iter()
            .zip(&ranks)
            .map(|(table, rank)| Placed { table, x: 0, y: 0, width: width(table), rank: *rank })
            .collect();
        stack(&mut boxes);
        let trunks = Trunks::of(&boxes);
        let width = spread(&mut boxes, &trunks);
        let lines = lines(&boxes, &trunks);
        let height = boxes.iter().map(|table| table.y + table.height()).max().unwrap_or_default() + MARGIN;
        Self { width, height, boxes, lines }
    }
}

fn find<'b, 't>(boxes: &'b [Placed<'t>], name: &str) -> Option<(usize, &'b Placed<'t>)> {
    boxes.iter().enumerate().find(|(_, other)| other.table.name.eq_ignore_ascii_case(name))
}

/// How far each table is from one that refers to no other. Tables that refer to each other in a circle stop at their
/// number.
fn ranks(tables: &[Table]) -> Vec<usize> {
    let mut ranks = vec![0; tables.len()];
    for _ in 0..tables.len() {
        for (at, table) in tables.iter().enumerate() {
            let others = references(table).filter_map(|reference| {
                tables.iter().position(|other| other.name.eq_ignore_ascii_case(reference.table))
            });
            let rank = others.filter(|other| *other != at).map(|other| ranks[other] + 1).max().unwrap_or(0);
            ranks[at] = rank.min(tables.len());
        }
    }
    ranks
}

fn width(table: &Table) -> i32 {
    let name = |name: &str| count(name.chars().count());
    let rows = table.columns.iter().map(|column| name(&column.name) + name(&column.declared_type) + 3);
    rows.chain([name(&table.name)]).max().unwrap_or_default() * CHARACTER / 10 + 2 * PADDING
}

/// Puts the tables of the fullest rank below each other, and those of the others beside what they are connected with.
fn stack(boxes: &mut [Placed<'_>]) {
    let last = boxes.iter().map(|table| table.rank).max().unwrap_or_default();
    let height = |rank| boxes.iter().filter(|table| table.rank == rank).map(Placed::height).sum::<i32>();
    let Some(fullest) = (0..=last).max_by_key(|rank| height(*rank)) else { return };
    let order = (0..=fullest).rev().chain(fullest + 1..=last);
    for rank in order {
        let mut wanted: Vec<(Option<i32>, usize)> = (0..boxes.len())
            .filter(|at| boxes[*at].rank == rank)
            .map(|at| (if rank == fullest { None } else { beside(boxes, at) }, at))
            .collect();
        // What is connected with nothing comes last.
        wanted.sort_by_key(|(middle, at)| (middle.unwrap_or(i32::MAX), *at));
        let mut free = MARGIN;
        for (middle, at) in wanted {
            boxes[at].y = middle.map_or(free, |middle| free.max(middle - boxes[at].height() / 2));
            free = boxes[at].y + boxes[at].height() + BELOW;
        }
    }
}

/// The middle of all that a table is connected with, and that is placed already.
fn beside(boxes: &[Placed<'_>], at: usize) -> Option<i32> {
    let own = &boxes[at];
    let refers = |one: &Placed<'_>, other: &Placed<'_>| {
        references(one.table).any(|reference| reference.table.eq_ignore_ascii_case(&other.table.name))
    };
    let is_connected = |other: &&Placed<'_>| other.y > 0 && (refers(own, other) || refers(other, own));
    let middles: Vec<i32> = boxes.iter().filter(is_connected).map(Placed::middle).collect();
    let sum: i32 = middles.iter().sum();
    (!middles.is_empty()).then(|| sum / count(middles.len()))
}

/// One trunk for each column that others refer to: to the right of its table, in the lane of its own.
struct Trunks {
    /// The table and row that is referred to, and its lane and its group.
    lanes: BTreeMap<(usize, i32), (i32, usize)>,
    per_rank: BTreeMap<usize, i32>,
}

impl Trunks {
    fn of(boxes: &[Placed<'_>]) -> Self {
        let (mut lanes, mut per_rank) = (BTreeMap::new(), BTreeMap::new());
        for own in boxes {
            for reference in references(own.table) {
                let Some((at, other)) = find(boxes, reference.table) else { continue };
                let group = lanes.len();
                lanes.entry((at, other.referred(&reference))).or_insert_with(|| {
                    let lane = per_rank.entry(other.rank).or_insert(0);
                    *lane += 1;
                    (*lane - 1, group)
                });
            }
        }
        Self { lanes, per_rank }
    }
}

/// Puts the ranks beside each other, with room for the trunks between them. Returns the width of it all.
fn spread(boxes: &mut [Placed<'_>], trunks: &Trunks) -> i32 {
    let last = boxes.iter().map(|table| table.rank).max().unwrap_or_default();
    let mut x = MARGIN;
    for rank in 0..=last {
        let widest = boxes.iter().filter(|table| table.rank == rank).map(|table| table.width).max().unwrap_or_default();
        for table in boxes.iter_mut().filter(|table| table.rank == rank) {
            (table.x, table.width) = (x, widest);
        }
        let lanes = trunks.per_rank.get(&rank).copied().unwrap_or_default();
        x += widest + if lanes > 0 || rank < last { 2 * CLEAR + LANE * (lanes - 1).max(0) } else { MARGIN };
    }
    x
}

fn lines(boxes: &[Placed<'_>], trunks: &Trunks) -> Vec<Line> {
    let mut lines = Vec::new();
    for own in boxes {
        for reference in references(own.table) {
            let Some((at, other)) = find(boxes, reference.table) else { continue };
            let row = other.referred(&reference);
            let Some((lane, group)) = trunks.lanes.get(&(at, row)).copied() else { continue };
            let right = other.x + other.width;
            // A table of the same rank, as the table itself, is left and reached on the same side.
            let start = if own.rank > other.rank { own.x } else { own.x + own.width };
            let trunk = right + CLEAR + LANE * lane;
            lines.push(Line { start: (start, own.column(reference.from)), trunk, end: (right, row), group });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use molos::sqlite::Catalog;

    use super::*;

    fn tables(sql: &str) -> Vec<Table> {
        let conn = molos::rusqlite::Connection::open_in_memory().expect("a database");
        conn.execute_batch(sql).expect("a schema");
        Catalog::read(&conn).expect("tables").tables
    }

    fn rank(layout: &Layout<'_>, name: &str) -> usize {
        find(&layout.boxes, name).map(|(_, table)| table.rank).expect("a table")
    }

    #[test]
    fn odd_schemas_have_a_layout() {
        for (sql, count) in [
            ("", 0),
            ("CREATE TABLE a (x REFERENCES b); CREATE TABLE b (x REFERENCES a)", 2),
            ("CREATE TABLE a (x REFERENCES nowhere (y))", 0),
            ("CREATE TABLE a (x REFERENCES a (missing))", 1),
            ("CREATE TABLE a (x, y, PRIMARY KEY (x, y)); CREATE TABLE b (x, y, FOREIGN KEY (x, y) REFERENCES A)", 2),
        ] {
            let tables = tables(sql);
            assert_eq!(Layout::of(&tables).lines.len(), count, "{sql}");
        }
    }

    #[test]
    fn a_table_is_to_the_right_of_what_it_refers_to_and_over_no_other() {
        let tables = tables(
            "CREATE TABLE users (id PRIMARY KEY); CREATE TABLE clients (id PRIMARY KEY, name, other, more); \
             CREATE TABLE tokens (id PRIMARY KEY, user REFERENCES users, client REFERENCES clients, \
             next REFERENCES tokens); \
             CREATE TABLE uses (token REFERENCES tokens, user REFERENCES users); CREATE TABLE alone (x)",
        );
        let layout = Layout::of(&tables);
        assert_eq!(["users", "tokens", "uses", "alone"].map(|name| rank(&layout, name)), [0, 1, 2, 0]);
        for one in &layout.boxes {
            assert!(one.x + one.width <= layout.width && one.y + one.height() <= layout.height);
            for other in layout.boxes.iter().filter(|other| other.table.name > one.table.name) {
                let is_beside = one.x + one.width <= other.x || other.x + other.width <= one.x;
                let is_below = one.y + one.height() <= other.y || other.y + other.height() <= one.y;
                assert!(is_beside || is_below, "{} and {}", one.table.name, other.table.name);
            }
        }
    }
}
