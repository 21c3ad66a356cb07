//! What a file's name says: the layouts of the tools that people come from.

use std::ops::Range;

use super::marks::Marks;
use super::migration::{Direction, down_path};
use super::order::VersionOrder;
use super::pattern::Pattern;

/// A way to lay out a directory of migrations. One directory has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// `001_name.sql`, with `001_name.down.sql` beside it; goose, dbmate and drizzle too.
    Plain,
    /// `001_name.up.sql` and `001_name.down.sql`: sqlx, golang-migrate, which takes `001_name.up.anything`.
    UpDown,
    /// `V1__name.sql`, `U1__name.sql`: refinery, to which both go up.
    Refinery,
    /// `1-name/up.sql`, `2024-01-02-030405_name/up.sql` and `down.sql`: diesel, `rusqlite_migration`.
    Folders,
    /// As the macro's option `files` says.
    Given,
}

impl Layout {
    /// What a file of this layout is called.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Plain => "001_name.sql",
            Self::UpDown => "001_name.up.sql",
            Self::Refinery => "V1__name.sql",
            Self::Folders => "001_name/up.sql",
            Self::Given => "the option `files` says",
        }
    }
}

/// How the files of a directory are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileNames<'f> {
    /// By one of the layouts.
    #[default]
    Layout,
    /// By a pattern that reads them.
    Pattern(&'f str),
    /// By a list of the up migrations, in their order: the first is version 1.
    Listed(&'f [&'f str]),
}

impl FileNames<'_> {
    /// Reads the path of an `.sql` file, relative to the directory of migrations.
    ///
    /// # Errors
    ///
    /// If it is not named like a migration, or its version is too large.
    pub fn parse(&self, path: &str) -> Result<Named, Misnamed> {
        match self {
            Self::Layout => parse(path),
            Self::Pattern(pattern) => {
                let pattern = Pattern::parse(pattern).ok();
                let matched = pattern.and_then(|pattern| pattern.read(path)).ok_or(Misnamed::NoLayout)?;
                let (layout, version) = (Layout::Given, matched.version.ok_or(Misnamed::TooLarge)?);
                Ok(match matched.way {
                    Some((Direction::Down, _)) => Named::Down { layout, version, name: matched.name },
                    _ => Named::Up { layout, version, name: matched.name },
                })
            }
            Self::Listed(list) => {
                let place = |path: &str| {
                    let at = list.iter().position(|listed| *listed == path)?;
                    i64::try_from(at + 1).ok()
                };
                let start = path.rfind('/').map_or(0, |at| at + 1);
                let end = path.rfind('.').unwrap_or(path.len());
                let (layout, name) = (Layout::Given, start..end.max(start));
                if let Some(version) = place(path) {
                    return Ok(Named::Up { layout, version, name });
                }
                let up = list.iter().find(|up| down_path(up) == path).and_then(|up| place(up));
                up.map(|version| Named::Down { layout, version, name }).ok_or(Misnamed::NoLayout)
            }
        }
    }

    /// The path of the down migration beside `up`; none if a directory like this has none.
    #[must_use]
    pub fn down_path(&self, up: &str) -> Option<String> {
        match self {
            Self::Pattern(pattern) => Pattern::parse(pattern).ok()?.down_path(up),
            Self::Layout | Self::Listed(_) => Some(down_path(up)),
        }
    }
}

/// What the name of a migration's file says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are what they are called")]
pub enum Named {
    /// It takes the schema up.
    Up { layout: Layout, version: i64, name: Range<usize> },
    /// It takes the schema back down.
    Down { layout: Layout, version: i64, name: Range<usize> },
}

/// Why a file is not one of the directory's migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misnamed {
    /// Its name fits no layout.
    NoLayout,
    /// Its version is past what an `i64` holds.
    TooLarge,
}

/// Reads a path by the layouts.
fn parse(path: &str) -> Result<Named, Misnamed> {
    if let Some((folder, file)) = path.split_once('/') {
        let (version, name) = numbered(folder)?;
        let layout = Layout::Folders;
        return match file {
            "up.sql" | "migration.sql" => Ok(Named::Up { layout, version, name }),
            "down.sql" => Ok(Named::Down { layout, version, name }),
            _ => Err(Misnamed::NoLayout),
        };
    }
    let stem = path.strip_suffix(".sql").ok_or(Misnamed::NoLayout)?;
    if stem.starts_with(['V', 'U']) {
        let (digits, name) = stem[1..].split_once("__").ok_or(Misnamed::NoLayout)?;
        let version = version(digits)?;
        let start = stem.len() - name.len();
        return if name.is_empty() {
            Err(Misnamed::NoLayout)
        } else {
            Ok(Named::Up { layout: Layout::Refinery, version, name: start..stem.len() })
        };
    }
    let layout = Layout::UpDown;
    // golang-migrate takes anything for the ending of a file.
    let way = |word: &str| path.rfind(word).map(|at| (at, &path[..at]));
    match (way(".up."), way(".down.")) {
        (Some((up, stem)), down) if down.is_none_or(|(down, _)| down < up) => {
            let (version, name) = numbered(stem)?;
            return Ok(Named::Up { layout, version, name });
        }
        (_, Some((_, stem))) => {
            let (version, name) = numbered(stem)?;
            return Ok(Named::Down { layout, version, name });
        }
        _ => {}
    }
    let (version, name) = numbered(stem)?;
    Ok(Named::Up { layout: Layout::Plain, version, name })
}

/// The version and the name of `001_name`, `1-name`, `2024-01-02-030405_name` or `2024-01-02_030405_name`.
fn numbered(stem: &str) -> Result<(i64, Range<usize>), Misnamed> {
    // Dashes are part of the version where all before the first underscore is digits and dashes.
    let dashed = stem.find('_').filter(|at| {
        let before = &stem[..*at];
        before.starts_with(|c: char| c.is_ascii_digit())
            && before.ends_with(|c: char| c.is_ascii_digit())
            && before.chars().all(|c| c.is_ascii_digit() || c == '-')
    });
    let digits = || stem.find(|c: char| !c.is_ascii_digit()).filter(|at| stem[*at..].starts_with('-'));
    let mut end = dashed.or_else(digits).ok_or(Misnamed::NoLayout)?;
    if is_date(&stem[..end]) && stem[end + 1..].find('_') == Some(6) && is_number(&stem[end + 1..end + 7]) {
        // A time of day after a date belongs to the version, or the day would come before every dated second.
        end += 7;
    }
    let version = version(&stem[..end].replace(['-', '_'], ""))?;
    if stem.len() > end + 1 { Ok((version, end + 1..stem.len())) } else { Err(Misnamed::NoLayout) }
}

fn is_date(text: &str) -> bool {
    text.split('-').map(str::len).eq([4, 2, 2])
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

fn version(digits: &str) -> Result<i64, Misnamed> {
    if is_number(digits) { digits.parse().map_err(|_| Misnamed::TooLarge) } else { Err(Misnamed::NoLayout) }
}

/// What the versions of a directory are sorted by: as its tool does it. Of each file, its layout, the marks in it, and what
/// stands before its name.
pub fn order<'f>(files: impl Iterator<Item = (Layout, Option<Marks>, &'f str)>) -> VersionOrder {
    let mut order = VersionOrder::Number;
    let mut width = 0;
    for (layout, marks, before) in files {
        match (layout, marks) {
            (_, Some(Marks::Dbmate)) => order = VersionOrder::FileName(0),
            (Layout::Folders, _) if before.ends_with('_') => order = VersionOrder::Text(0),
            _ => {}
        }
        let digits = || before.chars().filter(char::is_ascii_digit);
        if digits().next() == Some('0') {
            width = width.max(u32::try_from(digits().count()).unwrap_or(u32::MAX));
        }
    }
    match order {
        VersionOrder::Number => VersionOrder::Number,
        VersionOrder::Text(_) => VersionOrder::Text(width),
        VersionOrder::FileName(_) => VersionOrder::FileName(width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(path: &str) -> Option<(Layout, i64, &str)> {
        match parse(path) {
            Ok(Named::Up { layout, version, name }) => Some((layout, version, path.get(name)?)),
            _ => None,
        }
    }

    #[test]
    fn every_layout_gives_a_version_and_a_name() {
        assert_eq!(up("001_initial.sql"), Some((Layout::Plain, 1, "initial")));
        assert_eq!(up("0000_black_widow.sql"), Some((Layout::Plain, 0, "black_widow")));
        assert_eq!(up("7-héllo wörld.sql"), Some((Layout::Plain, 7, "héllo wörld")));
        assert_eq!(up("001_v1.2.sql"), Some((Layout::Plain, 1, "v1.2")));
        assert_eq!(up("20240115093000_add.up.sql"), Some((Layout::UpDown, 20_240_115_093_000, "add")));
        assert_eq!(up("30_x.up..sql"), Some((Layout::UpDown, 30, "x")));
        assert_eq!(up("2024_x..up.sql"), Some((Layout::UpDown, 2024, "x.")));
        assert_eq!(up("1_x.down.up.sqlite.sql"), Some((Layout::UpDown, 1, "x.down")));
        assert_eq!(up("V12__add_users.sql"), Some((Layout::Refinery, 12, "add_users")));
        assert_eq!(up("U3__later.sql"), Some((Layout::Refinery, 3, "later")));
        assert_eq!(up("2023-01-02-030405_create/up.sql"), Some((Layout::Folders, 20_230_102_030_405, "create")));
        assert_eq!(up("2023-01-02_030405_later/up.sql"), Some((Layout::Folders, 20_230_102_030_405, "later")));
        assert_eq!(up("2023-01-02_03040é_x/up.sql"), Some((Layout::Folders, 20_230_102, "03040é_x")));
        assert_eq!(up("00000000000000_setup/up.sql"), Some((Layout::Folders, 0, "setup")));
        assert_eq!(up("1-2fa_codes/up.sql"), Some((Layout::Folders, 1, "2fa_codes")));
        assert_eq!(up("20240101_x/migration.sql"), Some((Layout::Folders, 20_240_101, "x")));
    }

    #[test]
    fn listed_files_have_the_versions_of_their_places() {
        let names = FileNames::Listed(&["b.sql", "2_a/up.sql", "2_c.up.sql"]);
        let layout = Layout::Given;
        assert_eq!(names.parse("b.sql"), Ok(Named::Up { layout, version: 1, name: 0..1 }));
        assert_eq!(names.parse("2_a/up.sql"), Ok(Named::Up { layout, version: 2, name: 4..6 }));
        assert_eq!(names.parse("2_c.down.sql"), Ok(Named::Down { layout, version: 3, name: 0..8 }));
        assert_eq!(names.parse("d.sql"), Err(Misnamed::NoLayout));
    }

    #[test]
    fn each_tool_has_its_order() {
        let of = |files: &[(Layout, Option<Marks>, &'static str)]| order(files.iter().copied());
        assert_eq!(
            of(&[(Layout::Plain, None, "001_"), (Layout::Plain, Some(Marks::Goose), "10_")]),
            VersionOrder::Number
        );
        assert_eq!(of(&[(Layout::Folders, None, "01-"), (Layout::Folders, None, "10-")]), VersionOrder::Number);
        let diesel = [(Layout::Folders, None, "00000000000000_"), (Layout::Folders, None, "2025-10-28-175920-0000_")];
        assert_eq!(of(&diesel), VersionOrder::Text(14));
        assert_eq!(of(&[(Layout::Plain, Some(Marks::Dbmate), "2024_")]), VersionOrder::FileName(0));
    }

    #[test]
    fn downs_are_told_from_ups() {
        for path in ["001_a.down.sql", "1-a/down.sql"] {
            assert!(matches!(parse(path), Ok(Named::Down { version: 1, .. })), "{path}");
        }
    }

    #[test]
    fn what_fits_no_layout_is_not_guessed_at() {
        let paths = [
            "schema.sql",
            "1.sql",
            "1_.sql",
            "_a.sql",
            "a_1.sql",
            "V1_a.sql",
            "V__a.sql",
            "V1__.sql",
            "1a_b.sql",
            "-1_a.sql",
            "a/up.sql",
            "1_a/sideways.sql",
            "1_a/b/up.sql",
            "١_a.sql",
            "1_a.txt",
            ".sql",
            "x.down.sql",
        ];
        for path in paths {
            assert_eq!(parse(path), Err(Misnamed::NoLayout), "{path}");
        }
        assert_eq!(parse("9223372036854775808_a.sql"), Err(Misnamed::TooLarge));
        assert_eq!(up("9223372036854775807_a.sql"), Some((Layout::Plain, i64::MAX, "a")));
    }
}
