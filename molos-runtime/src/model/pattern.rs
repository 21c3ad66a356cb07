//! A shape for the names of files: `V{version}.{name}.{up|down}.sql`.

use std::ops::Range;

use super::migration::Direction;

/// What the paths of a directory look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Digits; behind others, at most so many, and they count for so many.
    Version(Option<u32>),
    /// Anything but a slash.
    Name,
    Way,
}

/// What a path says by a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// The version; `None` if it is past what an `i64` holds.
    pub version: Option<i64>,
    /// The bytes that are the name.
    pub name: Range<usize>,
    /// The way, and the bytes that say so.
    pub way: Option<(Direction, Range<usize>)>,
}

/// How many digits a part of a version takes behind another where nobody has said it.
const DIGITS: usize = 3;

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, after) = after.split_once('}').ok_or("a `{` is not closed")?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            } else if matches!((parts.last(), inside), (Some(Part::Version(_)), _) if inside.starts_with("version")) {
                return Err("nothing parts one `{version}` from the next".to_owned());
            }
            let is_first = !parts.iter().any(|part| matches!(part, Part::Version(_)));
            parts.push(match (inside, inside.strip_prefix("version:")) {
                ("version", _) if is_first => Part::Version(None),
                ("version", _) => {
                    return Err("a second `{version}` says how many digits it has at most: `{version:3}`".to_owned());
                }
                (_, Some(digits)) if !is_first => {
                    let digits = digits.parse().ok().filter(|digits| (1..=18).contains(digits));
                    Part::Version(Some(digits.ok_or("a part of a version has 1 to 18 digits")?))
                }
                (_, Some(_)) => return Err("the first `{version}` has as many digits as there are".to_owned()),
                ("name", _) => Part::Name,
                ("up|down", _) => Part::Way,
                _ => return Err(format!("`{{{inside}}}` is none of `{{version}}`, `{{name}}` and `{{up|down}}`")),
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let count = |wanted: fn(&Part) -> bool| parts.iter().filter(|part| wanted(part)).count();
        if count(|part| matches!(part, Part::Version(_))) == 0 {
            return Err("it has no `{version}`".to_owned());
        }
        if count(|part| *part == Part::Name) > 1 || count(|part| *part == Part::Way) > 1 {
            return Err("it has `{name}` or `{up|down}` twice".to_owned());
        }
        Ok(Self { parts })
    }

    /// Reads a path.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Matched> {
        let mut matched = Matched { version: Some(0), ..Matched::default() };
        read(&self.parts, path, 0, &mut matched).then_some(matched)
    }

    /// The path beside `up` that goes down, if the pattern tells the two apart.
    #[must_use]
    pub fn down_path(&self, up: &str) -> Option<String> {
        let (_, way) = self.read(up)?.way?;
        Some(format!("{}down{}", &up[..way.start], &up[way.end..]))
    }
}

/// Reads `path` from the byte `at` on.
fn read(parts: &[Part], path: &str, at: usize, matched: &mut Matched) -> bool {
    let Some((part, parts)) = parts.split_first() else { return at == path.len() };
    let rest = &path[at..];
    match part {
        Part::Text(text) => rest.starts_with(text.as_str()) && read(parts, path, at + text.len(), matched),
        Part::Version(width) => {
            let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            if len == 0 || width.is_some_and(|width| u32::try_from(len).is_ok_and(|len| len > width)) {
                return false;
            }
            let scale = width.map_or(Some(0), |width| 10_i64.checked_pow(width));
            let more = rest[..len].parse::<i64>().ok();
            matched.version = matched
                .version
                .and_then(|version| version.checked_mul(scale?))
                .and_then(|version| version.checked_add(more?));
            if matched.name.is_empty() {
                matched.name = at..at + len;
            }
            read(parts, path, at + len, matched)
        }
        Part::Name => {
            let longest = rest.find('/').unwrap_or(rest.len());
            let mut ends = (1..=longest).rev().filter(|end| rest.is_char_boundary(*end));
            let before = matched.clone();
            let Some(end) = ends.find(|end| {
                *matched = before.clone();
                read(parts, path, at + end, matched)
            }) else {
                return false;
            };
            matched.name = at..at + end;
            true
        }
        Part::Way => [("up", Direction::Up), ("down", Direction::Down)].into_iter().any(|(word, way)| {
            let is_it = rest.starts_with(word) && read(parts, path, at + word.len(), matched);
            if is_it {
                matched.way = Some((way, at..at + word.len()));
            }
            is_it
        }),
    }
}

/// A pattern that reads most of what is `unread`, and most of all, if one is to be seen in them.
#[must_use]
pub fn proposal(unread: &[&str], all: &[&str]) -> Option<String> {
    let reads_most = |pattern: &Pattern, paths: &[&str]| {
        paths.iter().filter(|path| pattern.read(path).is_some()).count() * 2 > paths.len()
    };
    let reads = |text: &String| {
        Pattern::parse(text).is_ok_and(|pattern| reads_most(&pattern, unread) && reads_most(&pattern, all))
    };
    // One of the first is as the others are, or there is no order to be seen.
    unread.iter().take(4).flat_map(|path| candidates(path)).find(reads)
}

/// The patterns that this path may be one of.
fn candidates(path: &str) -> Vec<String> {
    let Some(digit) = path.find(|c: char| c.is_ascii_digit()) else { return Vec::new() };
    let Some(rest) = generalise(&path[digit..]) else { return Vec::new() };
    let mut candidates = vec![format!("{}{rest}", &path[..digit])];
    let end = path[..digit].trim_end_matches(|c: char| !c.is_alphanumeric()).len();
    let folder = path[..end].rfind('/').map_or(0, |at| at + 1);
    if folder < end && !rest.contains("{name}") {
        candidates.push(format!("{}{{name}}{}{rest}", &path[..folder], &path[end..digit]));
    }
    candidates
}

/// The pattern of a path that begins with its version.
fn generalise(path: &str) -> Option<String> {
    let mut pattern = String::new();
    let mut rest = path;
    while rest.starts_with(|c: char| c.is_ascii_digit()) {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if pattern.is_empty() {
            pattern.push_str("{version}");
        } else {
            pattern = format!("{pattern}{{version:{}}}", digits.max(DIGITS));
        }
        rest = &rest[digits..];
        let between = rest.find(char::is_alphanumeric)?;
        if is_ending(rest) {
            break;
        }
        pattern.push_str(&rest[..between]);
        rest = &rest[between..];
    }
    if !is_ending(rest) && !["up.sql", "down.sql"].contains(&rest) {
        let end = rest
            .find('/')
            .or_else(|| (1..rest.len()).find(|at| rest.is_char_boundary(*at) && is_ending(&rest[*at..])))?;
        pattern.push_str("{name}");
        rest = &rest[end..];
    }
    let way = ["up", "down"].into_iter().find_map(|word| {
        let at = rest.rfind(&format!("{word}."))?;
        (at == 0 || rest[..at].ends_with(['.', '/'])).then_some((at, at + word.len()))
    });
    match way {
        Some((start, end)) => pattern = format!("{pattern}{}{{up|down}}{}", &rest[..start], &rest[end..]),
        None => pattern.push_str(rest),
    }
    Some(pattern)
}

fn is_ending(rest: &str) -> bool {
    [".sql", ".up.sql", ".down.sql"].iter().any(|ending| rest.eq_ignore_ascii_case(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'p>(pattern: &str, path: &'p str) -> Option<(Option<i64>, &'p str, Option<Direction>)> {
        let matched = Pattern::parse(pattern).expect(pattern).read(path)?;
        Some((matched.version, &path[matched.name], matched.way.map(|(way, _)| way)))
    }

    #[test]
    fn a_pattern_finds_version_name_and_way() {
        let up = Some(Direction::Up);
        assert_eq!(read("V{version}.{name}.{up|down}.sql", "V0001.Name.up.sql"), Some((Some(1), "Name", up)));
        assert_eq!(read("{version}_{name}.{up|down}.sql", "1_a.up.b.up.sql"), Some((Some(1), "a.up.b", up)));
        assert_eq!(read("{version}.sql", "001.sql"), Some((Some(1), "001", None)));
        let deep = "{version}.{version:3}/{version:3}__{name}.sql";
        assert_eq!(read(deep, "0.10/00__x.sql"), Some((Some(10_000), "x", None)));
        assert_eq!(read(deep, "0.9/02__y.sql"), Some((Some(9_002), "y", None)));
        assert_eq!(read(deep, "0.9/2000__y.sql"), None);
        assert_eq!(
            read("{version}/{name}/{up|down}.sql", "2/add/down.sql"),
            Some((Some(2), "add", Some(Direction::Down)))
        );
        assert_eq!(read("{name}-{version}.sql", "patch-é-7.sql"), Some((Some(7), "patch-é", None)));
        assert_eq!(read("{version}_{name}.sql", "9223372036854775808_a.sql"), Some((None, "a", None)));
        for path in ["1_a/b.sql", "_a.sql", "1_.sql", "1_a.sql.bak"] {
            assert_eq!(read("{version}_{name}.sql", path), None, "{path}");
        }
    }

    #[test]
    fn a_pattern_that_means_nothing_is_refused() {
        for text in [
            "",
            "{name}.sql",
            "{version",
            "{versoin}.sql",
            "{version}{version:3}.sql",
            "{version}.{version}.sql",
            "{version:3}.sql",
            "{version}.{version:99}.sql",
            "{version}{name}{name}.sql",
            "{version}{up|down}{up|down}.sql",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_down_migration_is_beside_the_up_migration() {
        let pattern = Pattern::parse("V{version}.{name}.{up|down}.sql").expect("a pattern");
        assert_eq!(pattern.down_path("V1.up.up.sql").as_deref(), Some("V1.up.down.sql"));
        assert_eq!(Pattern::parse("{version}.sql").expect("a pattern").down_path("1.sql"), None);
    }

    #[test]
    fn a_pattern_is_proposed_that_reads_most_paths() {
        let cases: &[(&[&str], &str)] = &[
            (&["V0001.Name.up.sql", "V0001.Name.down.sql", "V0002.Other.up.sql"], "V{version}.{name}.{up|down}.sql"),
            (&["patch-1.sql", "patch-12.sql"], "patch-{version}.sql"),
            (&["0.10/00__x.sql", "0.9/01__y.sql"], "{version}.{version:3}/{version:3}__{name}.sql"),
            (&["001.sql", "002.sql"], "{version}.sql"),
            (&["sqlite/v1/001_a.sql", "sqlite/v1/002_b.sql"], "sqlite/v{version}/{version:3}_{name}.sql"),
            (&["1_a/sqlite/up.sql", "1_a/sqlite/down.sql"], "{version}_{name}/sqlite/{up|down}.sql"),
            (&["users-1.sql", "tags-2.sql"], "{name}-{version}.sql"),
            (&["migrations/1.up.sql", "migrations/2.up.sql"], "migrations/{version}.{up|down}.sql"),
            (&["2024/01/15_a.sql", "2024/11/15_b.sql"], "{version}/{version:3}/{version:3}_{name}.sql"),
            (&["schema.sql", "V1.a.sql", "V2.b.sql"], "V{version}.{name}.sql"),
            (&["2024/up.sql", "2025/up.sql"], "{version}/{up|down}.sql"),
        ];
        for (paths, pattern) in cases {
            assert_eq!(proposal(paths, paths).as_deref(), Some(*pattern), "{paths:?}");
        }
        for paths in [&["patch-x.sql"][..], &["1.sql", "schema.sql"], &["a1", "b2"], &[]] {
            assert_eq!(proposal(paths, paths), None, "{paths:?}");
        }
    }

    #[test]
    fn a_stray_file_between_well_named_ones_gets_no_pattern() {
        assert_eq!(proposal(&["x1.sql"], &["001_a.sql", "002_b.sql", "x1.sql"]), None);
    }

    proptest::proptest! {
        #[test]
        fn no_path_makes_it_panic(path in "[a-zé0-9./_{}-]{0,24}", pattern in "[a-z0-9./_{}|:-]{0,24}") {
            let _ = proposal(&[&path], &[&path]);
            if let Ok(pattern) = Pattern::parse(&pattern) {
                let _ = pattern.read(&path);
            }
        }
    }
}
