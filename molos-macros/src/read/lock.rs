//! `molos.lock`: the migrations that have shipped, and may not change any more.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use molos_runtime::__private::{VersionOrder, normalise};
use molos_runtime::{Checksum, Direction, Fingerprint};

use crate::check::Fingerprints;
use crate::diagnostic::Diagnostic;
use crate::lint::finding::Finding;
use crate::read::file::MigrationFile;
use crate::read::source::Source;

/// The name of the file, in the directory of migrations.
pub(crate) const NAME: &str = "molos.lock";

/// The environment variable that asks for the file to be written: the one thing that the macro ever writes.
pub(crate) const REQUEST: &str = "MOLOS_LOCK";

/// How the file is written. An older one can be read; whoever changes this sees to that.
const FORMAT: u32 = 1;

const HEAD: &str = "\
# The migrations that have shipped, each with its version, the SHA-256 of its file, the beginning of that of its SQL
# without comments and white space, the fingerprint of the schema that it leads to, and its name.
# `MOLOS_LOCK=update cargo build` adds the new ones. Commit this file, and read its changes in a review.
# An indented line below a migration is what was found wrong with it, and accepted, by `MOLOS_LOCK=baseline`.
";

const FORMAT_KEY: &str = "format = ";

/// The format of the fingerprints. Those of another one are not compared.
const FINGERPRINTS_KEY: &str = "fingerprints = ";

/// What the file says, and what is asked for.
pub(crate) struct Lock {
    path: PathBuf,
    shown: String,
    request: Option<Request>,
    /// `None` if there is no file.
    entries: Option<Vec<Entry>>,
    /// Whether the fingerprints in it can be compared with those that are found.
    has_fingerprints: bool,
    errors: Vec<Diagnostic>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Request {
    /// Add the migrations that are not in the file.
    Update,
    /// Add them as they are, whatever is found wrong with them.
    Baseline,
    /// Write the file anew.
    Overwrite,
}

/// A migration that has shipped.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    version: i64,
    checksum: Checksum,
    code: String,
    schema: Fingerprint,
    name: String,
    /// What was found wrong with it, and accepted.
    accepted: Vec<String>,
}

impl Lock {
    /// Reads the lock of a directory, and what the environment asks for.
    pub(crate) fn read(source: &Source, manifest: &Path) -> Self {
        let path = manifest.join(&source.directory).join(NAME);
        let shown = format!("{}/{NAME}", source.directory);
        let mut lock = Self { path, shown, request: None, entries: None, has_fingerprints: false, errors: Vec::new() };
        if source.migrations.is_empty() {
            return lock;
        }
        match env::var(REQUEST).as_deref() {
            Err(_) | Ok("") => {}
            Ok("update") => lock.request = Some(Request::Update),
            Ok("baseline") => lock.request = Some(Request::Baseline),
            Ok("overwrite") => lock.request = Some(Request::Overwrite),
            Ok(other) => lock.errors.push(Diagnostic::new(format!("{REQUEST} is `{other}`")).help(
                "`update` locks the new migrations, `baseline` also those with something wrong that can be lived \
                         with, `overwrite` all of them anew",
            )),
        }
        match fs::read_to_string(&lock.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => lock.errors.push(Diagnostic::new(format!("`{}` cannot be read: {error}", lock.shown))),
            Ok(_) if lock.request == Some(Request::Overwrite) => lock.entries = Some(Vec::new()),
            Ok(text) => match parse(&normalise(&text), source.order) {
                Ok(Contents { entries, fingerprints }) => {
                    lock.entries = Some(entries);
                    lock.has_fingerprints = fingerprints == Fingerprint::FORMAT;
                }
                Err(Unreadable::Line(line)) => lock.errors.push(unreadable(&lock.shown, line)),
                Err(Unreadable::Newer(format)) => lock.errors.push(newer(&lock.shown, format)),
            },
        }
        lock
    }

    /// The file, relative to the directory of migrations, if it is there.
    pub(crate) fn file(&self) -> Option<&'static str> {
        self.entries.as_ref().map(|_| NAME)
    }

    /// Whether this can no longer be changed, was accepted before, or is to be accepted now.
    pub(crate) fn accepts(&self, finding: &Finding) -> bool {
        let accepted = |entry: &Entry| entry.accepted.contains(&finding.name());
        let is_fixed = |entry: &Entry| finding.direction == Direction::Up || accepted(entry);
        self.request == Some(Request::Baseline) || self.entry(finding.version).is_some_and(is_fixed)
    }

    /// Whether the migration of this version has shipped.
    pub(crate) fn holds(&self, version: i64) -> bool {
        self.entry(version).is_some()
    }

    /// Whether new migrations are about to be locked.
    pub(crate) fn is_updated(&self) -> bool {
        self.request == Some(Request::Update)
    }

    fn entry(&self, version: i64) -> Option<&Entry> {
        self.entries.as_deref().unwrap_or_default().iter().find(|entry| entry.version == version)
    }

    /// Compares the directory with what has shipped.
    pub(crate) fn check(&self, source: &Source, fingerprints: &Fingerprints) -> Vec<Diagnostic> {
        let mut errors = self.errors.clone();
        let entries = self.entries.as_deref().unwrap_or_default();
        for entry in entries {
            let file = source.migrations.iter().find(|file| file.version == entry.version);
            errors
                .extend(file.map_or_else(|| Some(self.gone(entry, source)), |file| self.changed(entry, file, source)));
        }
        let key = |version| source.order.key(version);
        let last = entries.iter().map(|entry| entry.version).max_by_key(|version| key(*version));
        let is_before = |version, last| key(version) < key(last);
        for file in &source.migrations {
            let is_locked = entries.iter().any(|entry| entry.version == file.version);
            let moved = entries.iter().any(|entry| entry.checksum == file.checksum && entry.name == file.name());
            if let Some(last) = last.filter(|last| is_before(file.version, *last) && !is_locked && !moved) {
                errors.push(self.too_early(file, last, source));
            }
        }
        if errors.is_empty() && self.has_fingerprints {
            let other_schema =
                |entry: &&Entry| fingerprints.get(&entry.version).is_some_and(|found| *found != entry.schema);
            errors.extend(entries.iter().find(other_schema).map(|entry| self.other_schema(entry)));
        }
        errors
    }

    /// Writes the file, if that is asked for. The migrations are all in order.
    pub(crate) fn write(
        &self,
        source: &Source,
        fingerprints: &Fingerprints,
        accepted: &[Finding],
    ) -> Result<(), Diagnostic> {
        if self.request.is_none() {
            return Ok(());
        }
        let mut text = format!("{HEAD}{FORMAT_KEY}{FORMAT}\n{FINGERPRINTS_KEY}{}\n", Fingerprint::FORMAT);
        for file in &source.migrations {
            let schema = fingerprints.get(&file.version).copied().unwrap_or_default();
            let Entry { version, checksum, code, schema, name, .. } = Entry::new(file, schema);
            let _ = writeln!(text, "{version} {checksum} {code} {schema} {name}");
            let mut names: Vec<String> = Vec::new();
            for finding in accepted.iter().filter(|finding| finding.version == version) {
                if !names.contains(&finding.name()) {
                    names.push(finding.name());
                }
            }
            for name in names {
                let _ = writeln!(text, "  {name}");
            }
        }
        replace(&self.path, &text)
            .map_err(|error| Diagnostic::new(format!("`{}` cannot be written: {error}", self.shown)))
    }

    fn gone(&self, entry: &Entry, source: &Source) -> Diagnostic {
        let Entry { version, name, .. } = entry;
        let moved = source.migrations.iter().find(|file| file.checksum == entry.checksum && file.name() == name);
        let error = match moved {
            Some(file) => Diagnostic::new(format!(
                "migration {version} ({name}) has shipped, and its version is now {}",
                file.version
            ))
            .help(format!("give it back its version, {version}")),
            None => Diagnostic::new(format!("migration {version} ({name}) has shipped, and its file is gone"))
                .help("put the file back; to undo what it did, add a new migration"),
        };
        self.shipped(error)
    }

    fn changed(&self, entry: &Entry, file: &MigrationFile, source: &Source) -> Option<Diagnostic> {
        let shown = format!("{}/{}", source.directory, file.up.path);
        let Entry { version, name, .. } = entry;
        if name != file.name() {
            return Some(
                self.shipped(
                    Diagnostic::new(format!(
                        "migration {version} has shipped as `{name}`, and is now `{}`",
                        file.name()
                    ))
                    .help("rename the file back; if it is another migration, give it a new version"),
                ),
            );
        }
        if entry.checksum == file.checksum {
            return None;
        }
        let error = Diagnostic::new(format!("`{shown}` was edited after it shipped"));
        let error = if entry.code == code(file) {
            error
                .note("only comments or white space differ, but it is known by the checksum of the whole file")
                .help("put the file back as it was")
        } else {
            error.help("put the file back as it was, and the change into a new migration")
        };
        Some(self.shipped(error))
    }

    fn too_early(&self, file: &MigrationFile, last: i64, source: &Source) -> Diagnostic {
        let shown = format!("{}/{}", source.directory, file.up.path);
        let error = Diagnostic::new(format!("`{shown}` comes before migration {last}, which has shipped"))
            .note("a database that is past it would find it out of order");
        self.shipped(match source.migrations.last().and_then(|newest| source.order.after(newest.version)) {
            Some(next) => error.help(format!("renumber it; the next free version is {next}")),
            None => error.help("renumber it"),
        })
    }

    fn other_schema(&self, Entry { version, name, .. }: &Entry) -> Diagnostic {
        self.shipped(
            Diagnostic::new(format!("migration {version} ({name}) leads to another schema than when it was locked"))
                .note("no file that has shipped was edited, so this version of the database reads one of them in another way")
                .help("if databases have it, go back to the one from before, or let `verify` on one of them say what differs"),
        )
    }

    /// Adds how to go on if the lock is what is wrong.
    fn shipped(&self, error: Diagnostic) -> Diagnostic {
        error.help(format!("if no database has it yet, `{REQUEST}=overwrite cargo build` writes `{}` anew", self.shown))
    }
}

impl Entry {
    fn new(file: &MigrationFile, schema: Fingerprint) -> Self {
        let name = file.name().to_owned();
        Self { version: file.version, checksum: file.checksum, code: code(file), schema, name, accepted: Vec::new() }
    }
}

/// The beginning of the checksum of a migration's SQL without comments and white space.
fn code(file: &MigrationFile) -> String {
    let mut code = Checksum::of(&file.up.rules.code(file.up.sql())).to_string();
    code.truncate(16);
    code
}

/// What is in a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Contents {
    entries: Vec<Entry>,
    /// The format of the fingerprints; 0 if it is not said, as in the first files.
    fingerprints: u32,
}

/// Why a file cannot be read.
#[derive(Debug, PartialEq, Eq)]
enum Unreadable {
    /// The line of this number is no migration.
    Line(usize),
    /// It has this format.
    Newer(u32),
}

fn parse(text: &str, order: VersionOrder) -> Result<Contents, Unreadable> {
    let mut contents = Contents::default();
    let entries = &mut contents.entries;
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = || Unreadable::Line(number);
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if let Some(format) = line.strip_prefix(FORMAT_KEY) {
            let format = format.trim().parse().map_err(|_| wrong())?;
            if format > FORMAT {
                return Err(Unreadable::Newer(format));
            }
        } else if let Some(format) = line.strip_prefix(FINGERPRINTS_KEY) {
            contents.fingerprints = format.trim().parse().map_err(|_| wrong())?;
        } else if let Some(accepted) = line.strip_prefix("  ") {
            entries.last_mut().ok_or_else(wrong)?.accepted.push(accepted.trim().to_owned());
        } else {
            let entry = entry(line).ok_or_else(wrong)?;
            if entries.last().is_some_and(|last| order.key(last.version) >= order.key(entry.version)) {
                return Err(wrong());
            }
            entries.push(entry);
        }
    }
    Ok(contents)
}

fn entry(line: &str) -> Option<Entry> {
    let mut parts = line.splitn(5, ' ');
    let mut next = || parts.next();
    Some(Entry {
        version: next()?.parse().ok()?,
        checksum: next()?.parse().ok()?,
        code: next()?.to_owned(),
        schema: next()?.parse().ok()?,
        name: next()?.to_owned(),
        accepted: Vec::new(),
    })
}

fn unreadable(shown: &str, line: usize) -> Diagnostic {
    Diagnostic::new(format!("line {line} of `{shown}` is not a migration, or is out of order"))
        .note("it looks like this after two branches were merged that both added a migration, or an edit by hand")
        .help(format!(
            "keep one line for each version, give the newer migration a new version, and run `{REQUEST}=update cargo build`"
        ))
}

fn newer(shown: &str, format: u32) -> Diagnostic {
    Diagnostic::new(format!("`{shown}` has format {format}, and this molos reads formats up to {FORMAT}"))
        .note("a newer molos has written it")
        .help("upgrade molos to the version that the others who work on this directory have")
}

/// Writes a file whole or not at all: several compilers may do this at once.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let new = path.with_extension(format!("lock.{}", process::id()));
    fs::write(&new, text)?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Contents, Unreadable> {
        super::parse(text, VersionOrder::Number)
    }

    const LINE: &str = "7 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0123456789abcdef \
                        0000000000000000000000000000000000000000000000000000000000000000 add the users";

    #[test]
    fn a_line_is_a_migration() {
        let contents = parse(&format!("{HEAD}\nformat = 1\nfingerprints = 7\n{LINE}\n")).expect("an entry");
        assert_eq!((contents.entries.len(), contents.fingerprints), (1, 7));
        assert_eq!((contents.entries[0].version, contents.entries[0].name.as_str()), (7, "add the users"));
        let accepted = parse(&format!("{LINE}\n  inexact-down\n")).expect("an entry");
        assert_eq!(accepted.entries[0].accepted, ["inexact-down"]);
        assert_eq!(parse("  inexact-down\n"), Err(Unreadable::Line(1)));
    }

    #[test]
    fn what_is_no_migration_is_found_by_its_line() {
        assert_eq!(parse(&format!("{LINE}\n<<<<<<< HEAD\n")), Err(Unreadable::Line(2)));
        assert_eq!(parse(&format!("{LINE}\n{LINE}\n")), Err(Unreadable::Line(2)));
        for line in ["7", "x y z", "7 e3b0 01 00 name", "format = x", "fingerprints = ", "fingerprints: 1"] {
            assert_eq!(parse(line), Err(Unreadable::Line(1)), "{line}");
        }
    }

    #[test]
    fn an_older_format_is_read_and_a_newer_one_is_not() {
        let older = parse(LINE).expect("an entry");
        assert_eq!((older.entries.len(), older.fingerprints), (1, 0), "the first files said nothing of it");
        assert_ne!(older.fingerprints, Fingerprint::FORMAT);
        let newer = format!("format = {}\nwhatever it is by then\n{LINE}\n", FORMAT + 1);
        assert_eq!(parse(&newer), Err(Unreadable::Newer(FORMAT + 1)));
    }
}
