//! What the database's statements cost, as Prometheus reads it.

use std::fmt::{self, Display};

use molos::monitor::{Snapshot, StatementStats};

use crate::health::Health;

type Value = fn(&StatementStats) -> Option<f64>;

/// Name, type, help, and where the value is from.
const STATEMENTS: [(&str, &str, &str, Value); 7] = [
    ("molos_statement_runs_total", "counter", "How often a statement was run.", |stats| Some(float(stats.count))),
    ("molos_statement_seconds_total", "counter", "How long all runs took.", |stats| Some(stats.total.as_secs_f64())),
    ("molos_statement_slowest_seconds", "gauge", "How long the slowest run took.", |stats| {
        Some(stats.slowest.as_secs_f64())
    }),
    ("molos_statement_scanned_rows_total", "counter", "Rows stepped over because there is no index.", |stats| {
        stats.full_scan_steps.map(float)
    }),
    ("molos_statement_sorts_total", "counter", "How often rows had to be sorted.", |stats| stats.sorts.map(float)),
    ("molos_statement_automatic_index_rows_total", "counter", "Rows put into an index for one run.", |stats| {
        stats.automatic_index_rows.map(float)
    }),
    ("molos_statement_vm_steps_total", "counter", "Steps of SQLite's virtual machine.", |stats| {
        stats.vm_steps.map(float)
    }),
];

#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
fn float(number: u64) -> f64 {
    number as f64
}

/// The text format, version 0.0.4.
pub struct Metrics<'a> {
    pub health: &'a Health,
    pub statements: &'a Snapshot,
}

impl Display for Metrics<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, "molos_set_version", "gauge", "The newest migration of a set that is applied.")?;
        for set in &self.health.sets {
            if let Some(version) = set.version {
                writeln!(f, "molos_set_version{{set=\"{}\"}} {version}", Label(&set.set))?;
            }
        }
        head(f, "molos_set_pending", "gauge", "How many migrations of a set are not applied.")?;
        for set in &self.health.sets {
            writeln!(f, "molos_set_pending{{set=\"{}\"}} {}", Label(&set.set), set.pending)?;
        }
        for (name, kind, help, value) in STATEMENTS {
            head(f, name, kind, help)?;
            for stats in self.statements.statements() {
                if let Some(value) = value(stats) {
                    writeln!(f, "{name}{{sql=\"{}\"}} {value}", Label(&stats.sql))?;
                }
            }
        }
        Ok(())
    }
}

fn head(f: &mut fmt::Formatter<'_>, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(f, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

/// The value of a label, between its quotes.
struct Label<'a>(&'a str);

impl Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            char => write!(f, "{char}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_ends_where_it_should() {
        assert_eq!(Label("a\"b\\c\nd").to_string(), r#"a\"b\\c\nd"#);
    }
}
