//! The files of a new migration.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use molos_runtime::__private::layout::{FileNames, Layout, Named};
use molos_runtime::__private::marks::{Mark, Marks, mark};
use molos_runtime::__private::script::TokenKind;
use molos_runtime::__private::sqlite::tokens;
use molos_runtime::{Direction, Migrations};

use crate::output::Failure;

/// A migration that is there.
struct Last {
    path: String,
    layout: Layout,
    version: i64,
    /// The bytes of the path that are its name.
    name: std::ops::Range<usize>,
}

/// Writes the files of a migration that comes after all that are in the directory of `set`, and returns their paths.
pub(crate) fn create(set: &Migrations<'_>, name: &str, with_down: bool) -> Result<Vec<PathBuf>, Failure> {
    let Some(directory) = set.source_directory() else {
        return Err(Failure::new(
            format!("this program does not know the directory of the set \"{}\"", set.set()),
            "`db new` is for what `embed_migrations!` has embedded in a debug build",
        ));
    };
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        return Err(Failure::new(
            format!("`{name}` is no name for a migration"),
            "use letters, digits, `_` and `-`, as in `add_tags`",
        ));
    }
    if let FileNames::Listed(_) = set.file_names() {
        return Err(Failure::new(
            "the files of this set are listed in the macro, in their order",
            "write a file, and add its name at the end of `files`",
        ));
    }
    let last = last(&directory, set)?;
    let up = path(last.as_ref(), name, set, SystemTime::now());
    if !is_next(&up, last.as_ref(), set, name) {
        return Err(Failure::new(
            format!("{up} would not be read as the migration `{name}` after those that are there"),
            "let its name begin with a letter; if the last version is the largest that there can be, none comes after it",
        ));
    }
    let marks = match &last {
        Some(last) => marks(&directory.join(&last.path))?,
        None => None,
    };
    let files = match (marks, with_down) {
        (Some(marks), _) => vec![(up, sectioned(marks, name))],
        (None, false) => vec![(up, UP.replace("NAME", name))],
        (None, true) if last.as_ref().is_some_and(|last| last.layout == Layout::Refinery) => {
            return Err(Failure::new(
                "files named like V1__name.sql have no down migration",
                "leave out --down; to roll back, write a new migration",
            ));
        }
        (None, true) => {
            let Some(down) = set.file_names().down_path(&up) else {
                return Err(Failure::new(
                    "the option `files` of this set says nothing of down migrations",
                    "leave out --down, or put `{up|down}` into the pattern",
                ));
            };
            vec![(up, UP.replace("NAME", name)), (down, DOWN.replace("NAME", name))]
        }
    };
    let written = files.into_iter().map(|(path, text)| write(directory.join(path), &text)).collect::<Result<_, _>>()?;
    if let Some(last) = last {
        make_cargo_look(&directory.join(last.path));
    }
    Ok(written)
}

/// Whether the path is read as what it was made of: after `1-`, the beginning of `2_a` is a part of the version.
fn is_next(path: &str, last: Option<&Last>, set: &Migrations<'_>, name: &str) -> bool {
    let Ok(Named::Up { version, name: read, .. }) = set.file_names().parse(path) else { return false };
    path.get(read) == Some(name) && last.is_none_or(|last| set.key(last.version) < set.key(version))
}

/// Cargo does not notice a new file of a directory; that a file which the crate was compiled from is newer, it does.
fn make_cargo_look(file: &Path) {
    let touched = OpenOptions::new().append(true).open(file).and_then(|file| file.set_modified(SystemTime::now()));
    // A file that cannot be written to is no reason to fail; the test that the macro generates still finds the new one.
    let _ = touched;
}

const UP: &str = "\
-- NAME: what changes, and why.
-- molos: unfinished

";

const DOWN: &str = "\
-- Rolls NAME back, to exactly the schema that there was before.
-- molos: unfinished

";

/// A file in which both ways stand.
fn sectioned(marks: Marks, name: &str) -> String {
    let (up, down) = (marks.section(Direction::Up), marks.section(Direction::Down));
    format!("{up}\n{}{down}\n{}", UP.replace("NAME", name), DOWN.replace("NAME", name))
}

fn marks(file: &Path) -> Result<Option<Marks>, Failure> {
    let text = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    let comments = tokens(&text).filter(|token| token.kind == TokenKind::Comment).map(|token| &text[token.range]);
    let mut marks = comments.filter_map(|comment| match mark(comment) {
        Some(Mark::Section { marks, .. }) => Some(marks),
        _ => None,
    });
    Ok(marks.next())
}

/// How many folders deep a migration can be.
const DEPTH: usize = 6;

/// The newest migration of a directory.
fn last(directory: &Path, set: &Migrations<'_>) -> Result<Option<Last>, Failure> {
    let mut last: Option<Last> = None;
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(directory.join(&folder)).map_err(|error| unreadable(directory, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(directory, &error))?;
            let Ok(file) = entry.file_name().into_string() else { continue };
            let path = format!("{folder}{file}");
            if entry.path().is_dir() {
                folders.extend((path.matches('/').count() < DEPTH).then(|| format!("{path}/")));
                continue;
            }
            let Ok(Named::Up { layout, version, name }) = set.file_names().parse(&path) else { continue };
            if last.as_ref().is_none_or(|last| set.key(last.version) < set.key(version)) {
                last = Some(Last { path, layout, version, name });
            }
        }
    }
    Ok(last)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("{} cannot be read: {error}", path.display()),
        "that is where the migrations were when this program was compiled; compile it again",
    )
}

/// The path of the migration after `last`, named in the same way.
fn path(last: Option<&Last>, name: &str, set: &Migrations<'_>, now: SystemTime) -> String {
    let Some(Last { path, version, name: old, .. }) = last else { return format!("001_{name}.sql") };
    let (before, after) = (path.get(..old.start).unwrap_or_default(), path.get(old.end..).unwrap_or_default());
    let (kept, before) = before.split_at(match set.file_names() {
        FileNames::Pattern(_) => last_number(before),
        FileNames::Layout | FileNames::Listed(_) => 0,
    });
    let slots = before.chars().filter(char::is_ascii_digit).count();
    let last = if kept.is_empty() { *version } else { number(before) };
    let next = next(last, slots, set, now);
    let mut digits = format!("{next:0slots$}");
    // A version that has become longer than there is room for begins earlier.
    let longer = digits.len() - slots;
    let mut rest = digits.split_off(longer).into_bytes().into_iter().map(char::from);
    let mut text = String::new();
    for c in before.chars() {
        if c.is_ascii_digit() {
            text.push_str(&std::mem::take(&mut digits));
            text.extend(rest.next());
        } else {
            text.push(c);
        }
    }
    format!("{kept}{text}{name}{after}")
}

/// Where the last number of a text begins: of a version of several parts, the one that is counted on.
fn last_number(text: &str) -> usize {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    digits.trim_end_matches(|c: char| c.is_ascii_digit()).len()
}

fn number(text: &str) -> i64 {
    text.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or_default()
}

/// The version after `last`: the time, if that was one, in as many digits.
fn next(last: i64, digits: usize, set: &Migrations<'_>, now: SystemTime) -> i64 {
    let time = humantime::format_rfc3339_seconds(now.max(SystemTime::UNIX_EPOCH)).to_string();
    let time: String = time.chars().filter(char::is_ascii_digit).collect();
    let unix = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    // A count that begins with zeros is no time, however many digits it has.
    let is_time = last.to_string().len() == digits;
    let version = match digits {
        _ if !is_time => Ok(0),
        14 => time.parse(),
        12 => time.get(..12).unwrap_or_default().parse(),
        10 => unix.to_string().parse(),
        8 => time.get(..8).unwrap_or_default().parse(),
        _ => Ok(0),
    };
    let is_later = |version: &i64| set.key(*version) > set.key(last);
    version.ok().filter(is_later).or_else(|| set.order().after(last)).unwrap_or(last)
}

fn write(path: PathBuf, text: &str) -> Result<PathBuf, Failure> {
    let failed = |error: std::io::Error| {
        let problem = format!("{} cannot be written: {error}", path.display());
        Failure::new(problem, "look whether it is there already, and whether this user may write to the directory")
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use molos_runtime::__private::{Embedded, VersionOrder};

    use super::*;

    /// 2026-11-25T20:29:47Z.
    const NOW: Duration = Duration::from_secs(1_795_638_587);

    fn after(path: &str) -> String {
        let Ok(Named::Up { layout, version, name }) = FileNames::Layout.parse(path) else {
            return "not parsed".to_owned();
        };
        let last = Last { path: path.to_owned(), layout, version, name };
        let set = Migrations::embedded(embedded(None));
        super::path(Some(&last), "tags", &set, SystemTime::UNIX_EPOCH + NOW)
    }

    #[test]
    fn the_next_file_is_named_like_the_last() {
        let cases = [
            ("001_initial.sql", "002_tags.sql"),
            ("0009_initial.sql", "0010_tags.sql"),
            ("999_initial.sql", "1000_tags.sql"),
            ("7-initial.up.sql", "8-tags.up.sql"),
            ("V9__initial.sql", "V10__tags.sql"),
            ("1-initial/up.sql", "2-tags/up.sql"),
            ("20240115093000_initial.up.sql", "20261125202947_tags.up.sql"),
            ("2024-01-15-093000_initial/up.sql", "2026-11-25-202947_tags/up.sql"),
            ("20240115_initial/migration.sql", "20261125_tags/migration.sql"),
            ("1705310000_initial.sql", "1795638587_tags.sql"),
            ("00000009_initial.sql", "00000010_tags.sql"),
            ("0000000009_initial.sql", "0000000010_tags.sql"),
            ("20990101000000_from_the_future.sql", "20990101000001_tags.sql"),
        ];
        for (last, next) in cases {
            assert_eq!(after(last), next, "after {last}");
        }
    }

    /// A set whose files are in `migrations` below this directory.
    fn embedded(manifest_dir: Option<&str>) -> Embedded<'_> {
        Embedded {
            set: "app",
            directory: "migrations",
            text: "",
            entries: &[],
            after: &[],
            table_prefix: "",
            hooks: &[],
            store_down: None,
            checked_on: 0,
            order: VersionOrder::Number,
            files: FileNames::Layout,
            manifest_dir,
        }
    }

    /// Creates a migration in a directory with these files, and returns the new ones, each with its text.
    fn create(files: &[(&str, &str)], name: &str, with_down: bool) -> Result<Vec<(String, String)>, String> {
        create_in(files, name, with_down, VersionOrder::Number, FileNames::Layout)
    }

    /// The same, in a set that is embedded otherwise.
    fn create_in(
        files: &[(&str, &str)],
        name: &str,
        with_down: bool,
        order: VersionOrder,
        names: FileNames<'_>,
    ) -> Result<Vec<(String, String)>, String> {
        let root = tempfile::tempdir().expect("a directory");
        let directory = root.path().join("migrations");
        fs::create_dir(&directory).expect("a directory");
        for (file, text) in files {
            let file = directory.join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, text).expect("a file");
        }
        let set = Migrations::embedded(Embedded { order, files: names, ..embedded(root.path().to_str()) });
        let created = super::create(&set, name, with_down).map_err(|failure| format!("{failure:?}"))?;
        let read = |path: &PathBuf| {
            let file = path.strip_prefix(&directory).expect("it is in the directory").to_string_lossy().into_owned();
            (file, fs::read_to_string(path).expect("text"))
        };
        Ok(created.iter().map(read).collect())
    }

    fn names(created: Result<Vec<(String, String)>, String>) -> Vec<String> {
        created.expect("files").into_iter().map(|(file, _)| file).collect()
    }

    #[test]
    fn a_file_is_named_as_the_option_files_says() {
        let create =
            |files: &[(&str, &str)], with_down, names| create_in(files, "b", with_down, VersionOrder::Number, names);
        let with_way = FileNames::Pattern("v{version}/V{version:3}.{name}.{up|down}.sql");
        let made = create(&[("v1/V09.a.up.sql", "")], true, with_way);
        assert_eq!(names(made), ["v1/V10.b.up.sql", "v1/V10.b.down.sql"]);
        let without = FileNames::Pattern("{version}.{name}.sql");
        assert_eq!(names(create(&[("1.a.sql", "")], false, without)), ["2.b.sql"]);
        let down = create(&[("1.a.sql", "")], true, without).expect_err("there is no place for it");
        assert!(down.contains("says nothing of down migrations"), "{down}");
        let listed = create(&[("a.sql", "")], false, FileNames::Listed(&["a.sql"])).expect_err("it has to be listed");
        assert!(listed.contains("add its name at the end of `files`"), "{listed}");
    }

    #[test]
    fn the_next_version_is_next_in_the_order_of_the_set() {
        let create =
            |files: &[(&str, &str)]| names(create_in(files, "c", false, VersionOrder::Text(0), FileNames::Layout));
        let files = [("2025-10-28-175920-0000_a/up.sql", ""), ("2099-11-15-232503_b/up.sql", "")];
        assert_eq!(create(&files), ["2099-11-15-232504_c/up.sql"]);
        assert_eq!(create(&[("9_a/up.sql", "")]), ["91_c/up.sql"]);
    }

    #[test]
    fn a_down_migration_stands_where_the_directory_has_them() {
        assert_eq!(names(create(&[], "users", true)), ["001_users.sql", "001_users.down.sql"]);
        let up_down = [("1_a.up.sql", ""), ("1_a.down.sql", "")];
        assert_eq!(names(create(&up_down, "b", true)), ["2_b.up.sql", "2_b.down.sql"]);
        assert_eq!(names(create(&[("1-a/up.sql", "")], "b", true)), ["2-b/up.sql", "2-b/down.sql"]);
        let refinery = create(&[("V1__a.sql", "")], "b", true).expect_err("refinery has no down migration");
        assert!(refinery.contains("have no down migration"), "{refinery}");
        let quoted = create(&[("1_a.sql", "SELECT '\n-- migrate:up\n';")], "b", false).expect("a file");
        assert!(!quoted[0].1.contains("migrate:up"), "{quoted:?}");
        for (text, mark) in [("--migrate:up\nSELECT 1;", "-- migrate:up\n"), ("-- +goose up\n", "-- +goose Up\n")] {
            let created = create(&[("1_a.sql", text)], "b", false).expect("a file");
            assert!(created[0].1.starts_with(mark), "{created:?}");
        }
        let goose =
            create(&[("00001_a.sql", "-- +goose Up\nSELECT 1;\n-- +goose Down\n")], "b", false).expect("a file");
        assert_eq!(
            goose,
            [(
                "00002_b.sql".to_owned(),
                "-- +goose Up\n-- b: what changes, and why.\n-- molos: unfinished\n\n-- +goose Down\n\
                 -- Rolls b back, to exactly the schema that there was before.\n-- molos: unfinished\n\n"
                    .to_owned()
            )]
        );
    }

    #[test]
    fn cargo_is_made_to_look_at_the_directory_again() {
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("001_a.sql");
        fs::write(&file, "SELECT 1;").expect("a file");
        let long_ago = SystemTime::UNIX_EPOCH;
        OpenOptions::new().append(true).open(&file).and_then(|file| file.set_modified(long_ago)).expect("a time");
        let set = Migrations::embedded(Embedded { directory: ".", ..embedded(root.path().to_str()) });
        super::create(&set, "b", false).expect("a file");
        assert!(fs::metadata(&file).and_then(|file| file.modified()).expect("a time") > long_ago);
        assert_eq!(fs::read_to_string(&file).expect("text"), "SELECT 1;");
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused_and_a_file_that_is_there_stays() {
        for name in ["", "a/b", "..", "a b", "a.sql"] {
            let refused = create(&[], name, false).expect_err("no name");
            assert!(refused.contains("is no name for a migration"), "{refused}");
        }
        let broken = create(&[("001_a.sql", ""), ("002_b", "")], "b", false);
        assert_eq!(names(broken), ["002_b.sql"]);
        for (last, name) in [("1-a.sql", "2_b"), ("9223372036854775807_a.sql", "b")] {
            let refused = create(&[(last, "")], name, false).expect_err("not the next");
            assert!(refused.contains("would not be read as the migration"), "{refused}");
        }
        let unknown = super::create(&Migrations::new("app", "migrations", &[]), "a", false).expect_err("no directory");
        assert!(format!("{unknown:?}").contains("does not know the directory"));
    }
}
