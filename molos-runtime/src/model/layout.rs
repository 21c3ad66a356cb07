//! What a file's name says: the layouts of the tools that people come from.

use std::ops::Range;

use super::marks::Marks;
use super::order::VersionOrder;

/// A way to lay out a directory of migrations. One directory has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// `001_name.sql`, with `001_name.down.sql` beside it; goose, dbmate and drizzle too.
    Plain,
    /// `001_name.up.sql` and `001_name.down.sql`: sqlx, golang-migrate.
    UpDown,
    /// `V1__name.sql`, `U1__name.sql`: refinery, to which both go up.
    Refinery,
    /// `1-name/up.sql`, `2024-01-02-030405_name/up.sql` and `down.sql`: diesel, `rusqlite_migration`.
    Folders,
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
        }
    }
}

/// What the name of a migration's file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// It takes the schema up.
    #[expect(missing_docs, reason = "they are what they are called")]
    Up { layout: Layout, version: i64, name: Range<usize> },
    /// It takes the schema back down.
    Down,
}

/// Why a file is not one of the directory's migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misnamed {
    /// Its name fits no layout.
    NoLayout,
    /// Its version is past what an `i64` holds.
    TooLarge,
}

/// Reads the path of an `.sql` file, relative to the directory of migrations.
///
/// # Errors
///
/// If it is not named like a migration, or its version is too large.
pub fn parse(path: &str) -> Result<Named, Misnamed> {
    if let Some((folder, file)) = path.split_once('/') {
        let (version, name) = numbered(folder)?;
        return match file {
            "up.sql" | "migration.sql" => Ok(Named::Up { layout: Layout::Folders, version, name }),
            "down.sql" => Ok(Named::Down),
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
    if let Some(stem) = stem.strip_suffix(".down") {
        return numbered(stem).map(|_| Named::Down);
    }
    let (layout, stem) = match stem.strip_suffix(".up") {
        Some(stem) => (Layout::UpDown, stem),
        None => (Layout::Plain, stem),
    };
    let (version, name) = numbered(stem)?;
    Ok(Named::Up { layout, version, name })
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
            assert_eq!(parse(path), Ok(Named::Down), "{path}");
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
