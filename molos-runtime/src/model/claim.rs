//! What another tool has noted of the migrations that it applied, and whether they are the program's.

use std::hash::{Hash as _, Hasher as _};

use sha2::{Digest as _, Sha256, Sha384};
use siphasher::sip::SipHasher13;

use super::error::{Error, ErrorKind, OtherHistoryProblem};
use super::migration::{Direction, Migration, Migrations};
use super::tool::Tool;
use crate::database::Database;

/// The history of another tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The tool.
    pub tool: Tool,
    /// What it says was applied.
    pub applied: Claimed,
    /// The migration in which it stopped, by its version.
    pub unfinished: Option<i64>,
    /// Whether programs keep something else in the same place, so that it may be no history.
    pub is_doubtful: bool,
}

/// What another tool says was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// These migrations, in whatever order.
    Each(Vec<Noted>),
    /// The migration of this version, and those before it.
    UpTo(i64),
    /// So many, from the first on, of which these are the checksums, if there are any.
    Count(usize, Vec<Sum>),
}

/// A migration that another tool says was applied, with as much as it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: Option<String>,
    /// The checksum of its file.
    pub sum: Option<Sum>,
}

/// The checksum of a file, as other tools make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sum {
    /// sqlx: of the bytes.
    Sha384(Vec<u8>),
    /// drizzle: of the bytes, in hexadecimal.
    Sha256(String),
    /// refinery: of name, version and text, in decimal.
    Sip13(String),
}

impl Claim {
    /// Whether it says that nothing was applied.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.applied {
            Claimed::Each(noted) => noted.is_empty(),
            Claimed::UpTo(_) => false,
            Claimed::Count(count, _) => *count == 0,
        }
    }

    /// Whether it is about these migrations beyond doubt: each that was applied has the version and the name of one.
    pub(crate) fn names<DB: Database>(&self, migrations: &Migrations<'_, DB>) -> bool {
        let is_named = |noted: &Noted| {
            let name = noted.name.as_deref();
            migrations.get(noted.version).is_some_and(|known| name.is_some_and(|name| is_same_name(name, known.name())))
        };
        matches!(&self.applied, Claimed::Each(noted) if !noted.is_empty() && noted.iter().all(is_named))
    }

    /// Whether it says that this migration was applied.
    pub(crate) fn has<DB: Database>(&self, migrations: &Migrations<'_, DB>, version: i64) -> bool {
        match &self.applied {
            Claimed::Each(noted) => noted.iter().any(|noted| noted.version == version),
            Claimed::UpTo(last) => migrations.key(version) <= migrations.key(*last),
            Claimed::Count(count, _) => migrations.iter().take(*count).any(|known| known.version() == version),
        }
    }

    /// The last migration that was applied.
    ///
    /// # Errors
    ///
    /// If it was not finished, or if what was applied is not what the program has.
    pub(crate) fn last<'m, DB: Database>(
        &self,
        migrations: &Migrations<'m, DB>,
    ) -> Result<Migration<'m, DB>, OtherHistoryProblem> {
        if let Some(version) = self.unfinished {
            return Err(OtherHistoryProblem::Unfinished { version });
        }
        let applied = match &self.applied {
            Claimed::Each(noted) => each(migrations, noted)?,
            Claimed::UpTo(version) => up_to(migrations, *version)?,
            Claimed::Count(count, sums) => {
                if *count > migrations.len() {
                    let (applied, known) = (*count, migrations.len());
                    return Err(OtherHistoryProblem::MoreThanKnown { applied, known });
                }
                for (sum, migration) in sums.iter().zip(migrations.iter()) {
                    sum.check(&migration)?;
                }
                migrations.iter().take(*count).collect()
            }
        };
        applied.last().copied().ok_or_else(|| other("it is empty".to_owned()))
    }

    /// `problem` as an error.
    pub(crate) fn error(&self, problem: OtherHistoryProblem) -> Error {
        Error::new(ErrorKind::OtherHistory { tool: self.tool, problem })
    }
}

fn other(problem: String) -> OtherHistoryProblem {
    OtherHistoryProblem::OtherMigrations(problem)
}

/// The migrations that are noted, which have to be all up to the last of them.
fn each<'m, DB: Database>(
    migrations: &Migrations<'m, DB>,
    noted: &[Noted],
) -> Result<Vec<Migration<'m, DB>>, OtherHistoryProblem> {
    let mut versions: Vec<i64> = noted.iter().map(|noted| noted.version).collect();
    let key = |version: &i64| migrations.key(*version);
    versions.sort_by_key(key);
    let last = versions.last().map(key);
    let is_up_to_last = |known: &Migration<'_, DB>| last.is_some_and(|last| key(&known.version()) <= last);
    let applied: Vec<_> = migrations.iter().filter(is_up_to_last).collect();
    for known in &applied {
        if !versions.contains(&known.version()) {
            let expected = known.version();
            let found = versions.iter().find(|version| key(version) > key(&expected)).copied().unwrap_or_default();
            return Err(other(format!("it has version {found} where this program has {expected}")));
        }
    }
    versions.retain(|version| migrations.get(*version).is_none());
    if !versions.is_empty() {
        return Err(OtherHistoryProblem::NotInProgram { versions });
    }
    for noted in noted {
        let Some(known) = migrations.get(noted.version) else { continue };
        if let Some(name) = noted.name.as_deref().filter(|name| !is_same_name(name, known.name())) {
            let (version, known) = (noted.version, known.name());
            return Err(other(format!("version {version} is \"{name}\" in it, and \"{known}\" in this program")));
        }
        noted.sum.iter().try_for_each(|sum| sum.check(&known))?;
    }
    Ok(applied)
}

/// The migrations up to this version.
fn up_to<'m, DB: Database>(
    migrations: &Migrations<'m, DB>,
    version: i64,
) -> Result<Vec<Migration<'m, DB>>, OtherHistoryProblem> {
    if migrations.get(version).is_none() {
        return Err(OtherHistoryProblem::NotInProgram { versions: vec![version] });
    }
    Ok(migrations.iter().filter(|known| migrations.key(known.version()) <= migrations.key(version)).collect())
}

/// sqlx keeps a name with spaces for its underscores.
fn is_same_name(noted: &str, known: &str) -> bool {
    noted == known || noted == known.replace('_', " ")
}

impl Sum {
    fn check<DB: Database>(&self, migration: &Migration<'_, DB>) -> Result<(), OtherHistoryProblem> {
        let script = migration.script(Direction::Up).filter(|script| script.line == 1);
        // Of a file with sections, the program has only a part.
        if script.is_none() || as_it_was(&migration.up_in_file()).any(|text| self.is_of(&text, migration)) {
            return Ok(());
        }
        let version = migration.version();
        Err(other(format!("the checksum of version {version} is not that of its file, which was edited since")))
    }

    fn is_of<DB: Database>(&self, text: &str, migration: &Migration<'_, DB>) -> bool {
        match self {
            Self::Sha384(sum) => Sha384::digest(text.as_bytes())[..] == sum[..],
            Self::Sha256(sum) => {
                let bytes: [u8; 32] = Sha256::digest(text.as_bytes()).into();
                sum.parse() == Ok(super::checksum::Checksum::from_bytes(bytes))
            }
            Self::Sip13(sum) => {
                let hash = |hash_version: &dyn Fn(&mut SipHasher13)| {
                    let mut hasher = SipHasher13::new();
                    migration.name().hash(&mut hasher);
                    hash_version(&mut hasher);
                    text.hash(&mut hasher);
                    hasher.finish().to_string() == *sum
                };
                // Of 32 bits, or of 64 with refinery's feature `int8-versions`.
                let version = migration.version();
                hash(&|hasher| version.hash(hasher))
                    || i32::try_from(version).is_ok_and(|version| hash(&|hasher| version.hash(hasher)))
            }
        }
    }
}

/// A file's text as it may have been when another tool ran it: with other line ends, and before it had directives.
fn as_it_was(text: &str) -> impl Iterator<Item = String> {
    const DIRECTIVE: &str = "-- molos:";
    let is_no_directive = |line: &&str| !line.trim_start().starts_with(DIRECTIVE);
    let bare: String = text.split_inclusive('\n').filter(is_no_directive).collect();
    let sqlx = text.replace("-- molos: no-transaction", "-- no-transaction");
    [text.to_owned(), bare, sqlx].into_iter().flat_map(|text| {
        let windows = text.replace('\n', "\r\n");
        ["", "\u{feff}"].into_iter().flat_map(move |mark| [format!("{mark}{text}"), format!("{mark}{windows}")])
    })
}
