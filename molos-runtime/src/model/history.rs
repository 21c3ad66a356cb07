//! The history table: what was applied to a database, when, and how to roll it back.

use std::time::Duration;

use super::checksum::Checksum;
use super::migration::{ForeignKeys, Script};

/// The name of the history table. It belongs to molos; a migration may read it, in a view for example.
pub const HISTORY_TABLE: &str = "_molos_migrations";

/// The format that rows of the history table are written in. Rows in an older one are read; a newer one is refused.
pub(crate) const HISTORY_FORMAT: i64 = 1;

/// The name of a set that is given none.
pub const DEFAULT_SET: &str = "app";

/// A migration that was applied, as the history table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// Its version.
    pub version: i64,
    /// Its name at the time.
    pub name: String,
    /// The checksum of its file at the time.
    pub checksum: Checksum,
    /// When it was applied, in unix seconds.
    pub applied_at: i64,
    /// How long it took.
    pub duration: Duration,
}

/// A row about to be written to the history table.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Record<'m> {
    /// The set it belongs to.
    pub set: &'m str,
    /// What is known of the migration from now on.
    pub applied: Applied,
    /// Its down migration, as [`stored_down`] writes it, kept so that an older binary can.
    pub down: Option<String>,
}

/// [`stored_down`], which a list points at if it has a down migration: programs without any do not contain it.
pub type StoreDown = fn(&str, i64, Script<'_>) -> String;

const HEAD: &str = "-- molos down ";
const KEYS: &str = ", foreign-keys = ";
const SUM: &str = ", sha256 = ";

/// The format that down migrations are stored in. One in an older format is read.
const DOWN_FORMAT: u32 = 1;

/// A down migration as the history table keeps it: it can be run as it is, and its first line, a
/// comment, says whether foreign keys are enforced for it, and has a checksum.
///
/// The checksum tells what molos wrote from what was changed since, by accident or by hand. It is no signature.
#[must_use]
pub fn stored_down(set: &str, version: i64, script: Script<'_>) -> String {
    let keys = match script.keys {
        ForeignKeys::On => "on",
        ForeignKeys::Off => "off",
    };
    // A downgrade is one transaction, and what is run outside of it changes no schema.
    let sql = if script.no_transaction { "" } else { script.sql };
    format!("{HEAD}{DOWN_FORMAT}{KEYS}{keys}{SUM}{}\n{sql}", checksum_of_down(set, version, keys, sql))
}

/// What [`stored_down`] was made of, or why it was not made by it.
pub(crate) fn read_stored_down<'s>(set: &str, version: i64, stored: &'s str) -> Result<Script<'s>, &'static str> {
    const NOT_OURS: &str = "its first line is not one that molos writes";
    let (head, sql) = stored.strip_prefix(HEAD).and_then(|rest| rest.split_once('\n')).ok_or(NOT_OURS)?;
    let (format, rest) = head.split_once(KEYS).ok_or(NOT_OURS)?;
    match format.parse() {
        Ok(DOWN_FORMAT) => {}
        Ok(0) | Err(_) => return Err(NOT_OURS),
        Ok(_) => return Err("it is in a format that a newer version of molos writes"),
    }
    let (keys, checksum) = rest.split_once(SUM).ok_or(NOT_OURS)?;
    let script = |enforced| Script { sql, line: 2, keys: enforced, no_transaction: false };
    let script = match keys {
        "on" => script(ForeignKeys::On),
        "off" => script(ForeignKeys::Off),
        _ => return Err(NOT_OURS),
    };
    let is_same = checksum.parse() == Ok(checksum_of_down(set, version, keys, sql));
    if is_same { Ok(script) } else { Err("it was changed after it was written: its checksum is another") }
}

fn checksum_of_down(set: &str, version: i64, keys: &str, sql: &str) -> Checksum {
    Checksum::of(&format!("{set} {version} {keys}\n{sql}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_down_migration_is_read_as_it_was_written_and_not_when_anything_about_it_changed() {
        for keys in [ForeignKeys::Off, ForeignKeys::On] {
            let sql = "-- molos: foreign-keys = on\nDROP TABLE \"a\r\nb\";\n";
            let stored = stored_down("app", 4, Script { sql, line: 9, keys, no_transaction: false });
            let script = read_stored_down("app", 4, &stored).expect("it is unchanged");
            assert_eq!((script.sql, script.keys), (sql, keys));
            assert!(read_stored_down("app", 5, &stored).is_err());
            assert!(read_stored_down("core", 4, &stored).is_err());
            assert!(read_stored_down("app", 4, &stored.replace("TABLE", "VIEW")).is_err());
            assert!(read_stored_down("app", 4, &stored.replacen("off", "on", 1)).is_err() || keys == ForeignKeys::On);
            assert!(read_stored_down("app", 4, sql).is_err());
            let newer = stored.replacen("down 1", "down 2", 1);
            assert_eq!(
                read_stored_down("app", 4, &newer).err(),
                Some("it is in a format that a newer version of molos writes")
            );
            for end in 0..stored.len() {
                assert!(read_stored_down("app", 4, &stored[..end]).is_err(), "{end}");
            }
        }
    }
}
