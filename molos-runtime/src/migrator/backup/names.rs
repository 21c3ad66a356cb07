//! How the backups of a database are named, and which of them stay.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Keep;
use crate::database::Database;
use crate::model::history::DEFAULT_SET;
use crate::model::sets::SetHistory;

/// What the name of a copy ends with that is not complete.
pub(super) const PARTIAL: &str = ".partial";

/// What the files of a database end with.
const FILES: [&str; 4] = ["", "-journal", "-wal", "-shm"];

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Removes a copy that is not complete, with what SQLite has put beside it.
pub(super) fn remove(partial: &Path) {
    for suffix in FILES {
        // What is not there need not be removed, and what cannot be removed is tried again before the next backup.
        let _ = fs::remove_file(with_suffix(partial, suffix));
    }
}

/// How the backups of a database are named.
#[derive(Debug)]
pub(super) struct Names {
    /// The name of its file, without the extension.
    stem: String,
    /// The sets, of which the default one has no name.
    sets: Vec<String>,
}

/// The name of a backup, taken apart; ordered as they were made.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    time: String,
    number: u32,
    label: String,
    file: String,
}

impl Names {
    pub(super) fn new<DB: Database>(file: &Path, sets: &[SetHistory<'_, DB>]) -> Self {
        let stem = file.file_stem().map(|stem| plain(&stem.to_string_lossy())).unwrap_or_default();
        Self { stem, sets: sets.iter().map(|known| set_name(known.set.set())).collect() }
    }

    /// The versions that the sets are at.
    pub(super) fn label<DB: Database>(sets: &[SetHistory<'_, DB>]) -> String {
        let version = |known: &SetHistory<'_, DB>| {
            let version = known.history.last().map_or(0, |applied| applied.version);
            match set_name(known.set.set()).as_str() {
                "" => format!("v{version}"),
                set => format!("{set}-v{version}"),
            }
        };
        sets.iter().map(version).collect::<Vec<_>>().join("-")
    }

    /// A path that there is no file at.
    pub(super) fn new_path(&self, directory: &Path, label: &str) -> PathBuf {
        let first = format!("{}-{label}-{}", self.stem, time());
        let mut path = directory.join(format!("{first}.db"));
        let mut number = 1_u32;
        while fs::symlink_metadata(&path).is_ok() {
            number += 1;
            path = directory.join(format!("{first}-{number}.db"));
        }
        path
    }

    /// Takes the name of a backup apart, or what only looks like one is `None`.
    fn parse(&self, file: &str) -> Option<Name> {
        let whole = file.strip_suffix(".db")?.strip_prefix(self.stem.as_str())?.strip_prefix('-')?;
        let mut rest = whole;
        for set in &self.sets {
            if !set.is_empty() {
                rest = rest.strip_prefix(set.as_str())?.strip_prefix('-')?;
            }
            rest = rest.strip_prefix('v')?;
            let version = rest.strip_prefix('-').unwrap_or(rest);
            rest = version.trim_start_matches(|c: char| c.is_ascii_digit());
            if rest.len() == version.len() {
                return None;
            }
            rest = rest.strip_prefix('-')?;
        }
        let label = whole.get(..whole.len() - rest.len())?.strip_suffix('-')?;
        let (time, rest) = rest.split_at_checked(TIME.len())?;
        let is_time = time.bytes().zip(TIME.bytes()).all(|(byte, model)| match model {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        });
        let number = if rest.is_empty() { 1 } else { rest.strip_prefix('-')?.parse().ok()? };
        is_time.then(|| Name { time: time.to_owned(), number, label: label.to_owned(), file: file.to_owned() })
    }

    /// The backups in a directory, oldest first. A directory that cannot be read has none.
    fn list(&self, directory: &Path, suffix: &str) -> Vec<Name> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter_map(|name| self.parse(name.strip_suffix(suffix)?)).collect();
        names.sort_unstable();
        names
    }

    /// Removes what a process left that was killed during its backup. No other makes one now: this one has the lock.
    pub(super) fn remove_leftovers(&self, directory: &Path) {
        for suffix in FILES {
            for name in self.list(directory, &format!("{PARTIAL}{suffix}")) {
                remove(&directory.join(name.file + PARTIAL));
            }
        }
    }

    /// Removes what is too many. One that cannot be removed stays: a copy too many is no reason not to migrate.
    pub(super) fn remove_old(&self, directory: &Path, keep: Keep, label: &str, made: &Path) {
        let Keep::Newest(count) = keep else { return };
        let mut others = self.list(directory, "");
        others.retain(|name| directory.join(&name.file) != made);
        while others.len() >= count.max(1) {
            let at = others.iter().position(|name| name.label == label).unwrap_or(0);
            let _ = fs::remove_file(directory.join(others.remove(at).file));
        }
    }
}

fn set_name(set: &str) -> String {
    if set == DEFAULT_SET { String::new() } else { plain(set) }
}

/// A name that every file system has room for.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' }).collect()
}

/// What [`time`] looks like.
const TIME: &str = "00000000T000000Z";

/// The time in UTC, without the characters that not every file system takes.
fn time() -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    // A clock that is off by thousands of years has no such text.
    match write!(text, "{}", humantime::format_rfc3339_seconds(SystemTime::now().max(SystemTime::UNIX_EPOCH))) {
        Ok(()) => text.replace(['-', ':'], ""),
        Err(_) => TIME.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(stem: &str, sets: &[&str]) -> Names {
        Names { stem: stem.to_owned(), sets: sets.iter().map(|set| set_name(set)).collect() }
    }

    #[test]
    fn only_the_name_of_a_backup_is_taken_for_one() {
        let app = names("app", &["app"]);
        let name = app.parse("app-v4-20261124T173000Z-2.db").expect("a backup");
        assert_eq!((name.label.as_str(), name.time.as_str(), name.number), ("v4", "20261124T173000Z", 2));
        assert!(app.parse("app-v-4-20261124T173000Z.db").is_some());
        let others = [
            "app.db",
            "app-v4.db",
            "app-v4-.db",
            "app-v-20261124T173000Z.db",
            "app-4-20261124T173000Z.db",
            "app-v4-20261124T17300Z.db",
            "app-v4-20261124T173000Z",
            "app-v4-20261124T173000Z.db.partial",
            "app-v4-20261124T173000Z-x.db",
            "app-v4-20261124T173000Z-copy.db",
            "app-core-v4-20261124T173000Z.db",
            "apps-v4-20261124T173000Z.db",
            "app-v4-tasks-v1-20261124T173000Z.db",
            "app-v4-2026112\u{e9}T173000Z.db",
        ];
        for other in others {
            assert_eq!(app.parse(other), None, "{other}");
        }
        let two = names("app", &["core", "a/b"]).parse("app-core-v4-a_b-v1-20261124T173000Z.db").expect("a backup");
        assert_eq!(two.label, "core-v4-a_b-v1");
        assert!(app.parse(&format!("app-v4-{}.db", time())).is_some());
    }
}
