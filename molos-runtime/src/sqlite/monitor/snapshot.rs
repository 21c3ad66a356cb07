//! What a monitor has counted, as data and as a table.

use std::fmt;
use std::time::Duration;

use super::Counts;

/// How many characters of a statement a table shows.
const WIDTH: usize = 80;

/// What a [`Monitor`](super::Monitor) had counted at one moment. It is displayed as a table, times in milliseconds.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Snapshot {
    statements: Vec<StatementStats>,
}

/// All runs of the statements with one text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatementStats {
    /// The text, without the values that were bound.
    pub sql: String,
    /// How often it was run.
    pub count: u64,
    /// How long all runs took, each from its first step until it was done or given up. What the program did between two
    /// rows is part of that.
    pub total: Duration,
    /// How long the slowest run took.
    pub slowest: Duration,
    /// How many rows were stepped over because there is no index for what was looked for. `None`, here and below, if the
    /// rusqlite in use does not tell.
    pub full_scan_steps: Option<u64>,
    /// How often rows had to be sorted, because no index has them in order.
    pub sorts: Option<u64>,
    /// How many rows were put into indexes that SQLite made for one run, and an index of the program's would spare.
    pub automatic_index_rows: Option<u64>,
    /// How many steps SQLite's virtual machine took: the work, whatever the machine and its load.
    pub vm_steps: Option<u64>,
}

impl StatementStats {
    pub(super) fn new(sql: &str, Counts { count, total, slowest, work }: Counts) -> Self {
        Self {
            sql: sql.to_owned(),
            count,
            total,
            slowest,
            full_scan_steps: work.map(|work| work.full_scan_steps),
            sorts: work.map(|work| work.sorts),
            automatic_index_rows: work.map(|work| work.automatic_index_rows),
            vm_steps: work.map(|work| work.vm_steps),
        }
    }
}

impl Snapshot {
    pub(super) fn new(mut statements: Vec<StatementStats>) -> Self {
        statements.sort_by(|one, other| other.total.cmp(&one.total).then_with(|| one.sql.cmp(&other.sql)));
        Self { statements }
    }

    /// The statements, the one that took the longest in total first.
    #[must_use]
    pub fn statements(&self) -> &[StatementStats] {
        &self.statements
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>8} {:>12} {:>12} {:>12} {:>8}  statement",
            "count", "total ms", "slowest ms", "scanned", "sorts"
        )?;
        for statement in &self.statements {
            let StatementStats { sql, count, total, slowest, full_scan_steps, sorts, .. } = statement;
            let ms = |duration: &Duration| format!("{:.3}", duration.as_secs_f64() * 1e3);
            let number = |number: &Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
            let (total, slowest) = (ms(total), ms(slowest));
            let (scanned, sorts) = (number(full_scan_steps), number(sorts));
            write!(f, "\n{count:>8} {total:>12} {slowest:>12} {scanned:>12} {sorts:>8}  {}", one_line(sql))?;
        }
        Ok(())
    }
}

fn one_line(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Work;
    use super::*;

    #[test]
    fn a_table_has_the_costliest_first_and_a_line_for_each() {
        let counts = |milliseconds, work| Counts {
            count: 2,
            total: Duration::from_millis(milliseconds),
            slowest: Duration::from_millis(milliseconds) / 2,
            work,
        };
        let work = Work { full_scan_steps: 1_000, sorts: 1, ..Work::default() };
        let long = format!("SELECT\n  *\nFROM a WHERE b IN ({})", "?, ".repeat(40));
        let snapshot = Snapshot::new(vec![
            StatementStats::new("COMMIT", counts(1, None)),
            StatementStats::new(&long, counts(1_500, Some(work))),
        ]);
        let expected = "   \
            count     total ms   slowest ms      scanned    sorts  statement\n       \
                2     1500.000      750.000         1000        1  SELECT * FROM a WHERE b IN (?, ?, ?, ?, ?, ?, ?, ?, \
                ?, ?, ?, ?, ?, ?, ?, ?, ?, ?…\n       \
                2        1.000        0.500            -        -  COMMIT";
        assert_eq!(snapshot.to_string(), expected);
    }
}
