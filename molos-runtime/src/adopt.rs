//! Recognising a database that was made without molos.

use std::fmt;

use crate::driver::{Claim, Claimed, Driver};
use crate::engine::{self, failed};
use crate::error::{Candidate, Step};
use crate::migrator::of_one_set;
use crate::sets::SetHistory;
use crate::verify::{Owners, rehearse};
use crate::{Difference, Error, Migration, Migrations, Migrator, Schema, plan};

/// What [`Migrator::adopt`](crate::Migrator::adopt) recognised, set by set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    sets: Vec<AdoptedSet>,
}

/// The set of a database that was made without molos.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdoptedSet {
    /// Its name.
    pub set: String,
    /// The migration whose schema the database has.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// How many migrations are now recorded as applied.
    pub recorded: usize,
    /// The other tool whose history agrees, if there is one.
    pub tool: Option<Tool>,
}

/// Another tool whose history [`Migrator::adopt`] can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tool {
    /// `refinery_schema_history`.
    Refinery,
    /// `_sqlx_migrations`.
    Sqlx,
    /// `__diesel_schema_migrations`.
    Diesel,
    /// `__drizzle_migrations`.
    Drizzle,
    /// `PRAGMA user_version`, which many programs use for something else: of several histories, the last to be believed.
    RusqliteMigration,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Refinery => "refinery",
            Self::Sqlx => "sqlx",
            Self::Diesel => "diesel",
            Self::Drizzle => "drizzle",
            Self::RusqliteMigration => "rusqlite_migration",
        })
    }
}

impl Adopted {
    /// The sets that were recognised.
    #[must_use]
    pub fn sets(&self) -> &[AdoptedSet] {
        &self.sets
    }
}

/// A line for each set; if there are several, after its name.
impl fmt::Display for Adopted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sets.as_slice() {
            [] => f.write_str("nothing to adopt"),
            [set] => set.fmt(f),
            sets => {
                for (i, set) in sets.iter().enumerate() {
                    let separator = if i == 0 { "" } else { "\n" };
                    write!(f, "{separator}{}: {set}", set.set)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for AdoptedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, name, recorded, tool, .. } = self;
        let plural = if *recorded == 1 { " is" } else { "s are" };
        write!(f, "adopted at migration {version} ({name}): {recorded} migration{plural} recorded as applied")?;
        match tool {
            Some(tool) => write!(f, ", as the history of {tool} says"),
            None => Ok(()),
        }
    }
}

impl Migrator<'_> {
    /// Recognises a database that was made by hand or by another tool, and records what it is already: the migration
    /// that leads to its schema, and those before it, are applied from then on. Nothing is run, and the history of the
    /// other tool stays as it is.
    ///
    /// If there is a history of refinery, sqlx, diesel, drizzle or `rusqlite_migration` (`PRAGMA user_version`), it has to
    /// agree with the schema; with [`to`](Self::to), or with several sets, it is not looked at.
    ///
    /// Of several sets, each is recognised by the part of the schema that is its own, see [`verify`](Self::verify).
    ///
    /// A set that has a history already is left as it is, and one of which nothing is there is pending. So a program can
    /// call this at each start, before it migrates: from the second on, it takes no more than a look at the history.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// # use molos::{Migration, Migrations, Migrator, rusqlite::Connection};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let list = [
    /// #     Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)"),
    /// #     Migration::new(2, "tags", "CREATE TABLE tags (tag TEXT NOT NULL)"),
    /// # ];
    /// # let migrations = Migrations::new("app", "migrations", &list);
    /// # let mut conn = Connection::open_in_memory()?;
    /// conn.execute_batch("create table Notes (body text not null)")?; // by hand, long ago
    ///
    /// let adopted = Migrator::new(&migrations).adopt(&mut conn)?;
    /// assert_eq!(adopted.to_string(), "adopted at migration 1 (notes): 1 migration is recorded as applied");
    /// assert_eq!(migrations.migrate(&mut conn)?.steps().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotAdopted`] with what differs, [`Error::AmbiguousSchema`],
    /// [`Error::OtherHistory`], or when the database cannot be read or written. Nothing is recorded then.
    pub fn adopt<D: Driver>(&self, conn: &mut D) -> Result<Adopted, Error> {
        self.adopt_as(conn, None)
    }

    /// Like [`adopt`](Self::adopt), with the history of this tool, which has to be there.
    ///
    /// # Errors
    ///
    /// As for `adopt`, and [`Error::NoOtherHistory`]. Only one set can be asked: the history of another tool does not say
    /// which set it is about.
    pub fn adopt_from<D: Driver>(&self, conn: &mut D, tool: Tool) -> Result<Adopted, Error> {
        self.adopt_as(conn, Some(tool))
    }

    fn adopt_as<D: Driver>(&self, conn: &mut D, from: Option<Tool>) -> Result<Adopted, Error> {
        if conn.in_transaction() {
            return Err(Error::InTransaction);
        }
        let sets = self.histories(conn)?;
        if self.target.is_some() || from.is_some() {
            of_one_set(&sets)?;
        }
        if sets.iter().all(|known| !known.history.is_empty()) {
            return Ok(Adopted { sets: Vec::new() });
        }
        let session = self.begin(conn)?;
        let conn = &mut *session.conn;
        conn.create_history().map_err(|error| failed("creating the history table", error))?;
        let sets = self.histories(conn)?;
        let found = conn.schema().map_err(|error| failed("reading the schema", error))?;
        // The history of another tool does not say which set it is about.
        let claims = if sets.len() > 1 { Ok(Vec::new()) } else { conn.claims() };
        let mut claims = claims.map_err(|error| failed("reading the history of another tool", error))?;
        if let Some(tool) = from {
            let found = claims.iter().map(|claim| claim.tool).collect();
            claims.retain(|claim| claim.tool == tool);
            if claims.is_empty() {
                return Err(Error::NoOtherHistory { tool, found });
            }
        }
        let all: Vec<Vec<Migration<'_>>> = sets.iter().map(|known| known.set.iter().collect()).collect();
        let is_known = all.iter().flatten().all(|migration| migration.fingerprint().is_some());
        let needed = !is_known || Owners::new(&sets, &[]).is_shared();
        let rehearsed = if needed { rehearse(conn, &sets, &all)? } else { Vec::new() };
        let owners = Owners::new(&sets, &rehearsed);
        let part = |schema: &Schema, at| schema.part(|object| owners.owner(&object.table) == Some(at));
        let parts: Vec<Schema> = (0..sets.len()).map(|at| part(&found, at)).collect();
        let is_claimed = self.target.is_some() || !claims.is_empty();
        let mut adopted = Vec::new();
        for (at, ((SetHistory { set, history }, steps), found)) in sets.iter().zip(&all).zip(&parts).enumerate() {
            // Of a set that is not there at all, everything is pending, unless something says otherwise.
            if !history.is_empty() || (found.is_empty() && !is_claimed) {
                continue;
            }
            let mut steps = steps.clone();
            for (migration, schema) in steps.iter_mut().zip(rehearsed.get(at).into_iter().flatten()) {
                *migration = migration.with_fingerprint(part(schema, at).fingerprint());
            }
            let known = Migrations::new(set.set(), set.directory(), &steps);
            let (last, candidate) = recognise(&known, found, &claims, self.target, || {
                let rehearsed = rehearse(conn, &sets, &all)?;
                Ok(rehearsed.get(at).into_iter().flatten().map(|schema| part(schema, at)).collect())
            })?;
            let (version, name) = (last.version(), last.name().to_owned());
            steps.retain(|migration| migration.version() <= version);
            engine::record(conn, &steps).map_err(|error| failed("writing the history", error))?;
            let tool = match candidate {
                Candidate::History(tool) => Some(tool),
                _ => None,
            };
            adopted.push(AdoptedSet { set: set.set().to_owned(), version, name, recorded: steps.len(), tool });
        }
        if adopted.is_empty() {
            return Ok(Adopted { sets: adopted });
        }
        self.when_free("committing", || conn.commit())?;
        Ok(Adopted { sets: adopted })
    }
}

/// The migration that a database with the schema `found` is at, and how that is known.
///
/// `schemas` are those that the migrations lead to, if they are needed.
pub(crate) fn recognise<'m>(
    migrations: &Migrations<'m>,
    found: &Schema,
    claims: &[Claim],
    target: Option<i64>,
    schemas: impl FnOnce() -> Result<Vec<Schema>, Error>,
) -> Result<(Migration<'m>, Candidate), Error> {
    let claimed = match (target, claims.first()) {
        (Some(target), _) => Some((plan::known(migrations, target)?, Candidate::Asked)),
        (None, Some(claim)) => Some((last(migrations, claim)?, Candidate::History(claim.tool))),
        (None, None) => None,
    };
    let fingerprint = found.fingerprint();
    let is_same = |migration: &Migration<'_>| migration.fingerprint() == Some(fingerprint);
    let same: Vec<Migration<'m>> = migrations.iter().filter(is_same).collect();
    match (claimed, same.as_slice()) {
        (Some((migration, candidate)), _) if is_same(&migration) => Ok((migration, candidate)),
        (None, [only]) => Ok((*only, Candidate::Nearest)),
        (None, [_, ..]) => {
            let steps = same.iter().map(|migration| Step::of(migration)).collect();
            Err(Error::AmbiguousSchema { steps })
        }
        (claimed, _) => Err(not_adopted(migrations, found, claimed.as_ref(), &schemas()?)),
    }
}

fn not_adopted(
    migrations: &Migrations<'_>,
    found: &Schema,
    claimed: Option<&(Migration<'_>, Candidate)>,
    schemas: &[Schema],
) -> Error {
    let difference = |(migration, schema): (Migration<'_>, &Schema)| {
        (Step::of(&migration), migration.version(), found.differences(schema))
    };
    let all = migrations.iter().zip(schemas).map(difference);
    let nearest = match claimed {
        Some((migration, _)) => all.into_iter().find(|(_, version, _)| *version == migration.version()),
        // Of those that are as near, the last.
        None => all.rev().min_by_key(|(_, _, differences)| weight(differences)),
    };
    match nearest {
        Some((step, _, differences)) => {
            let candidate = claimed.map_or(Candidate::Nearest, |(_, candidate)| *candidate);
            Error::NotAdopted { step, candidate, differences }
        }
        None => Error::UnknownTarget { set: migrations.set().to_owned(), version: 0, known: Vec::new() },
    }
}

/// How many facts differ.
fn weight(differences: &[Difference]) -> usize {
    let one = |difference: &Difference| match difference {
        Difference::Changed { missing, extra, .. } => missing.len() + extra.len(),
        _ => 3,
    };
    differences.iter().map(one).sum()
}

/// The last migration that another tool says was applied.
fn last<'m>(migrations: &Migrations<'m>, Claim { tool, applied }: &Claim) -> Result<Migration<'m>, Error> {
    const NAME_IT: &str = "correct it, or name the last migration that was applied with `.to(version)`";
    let other = |problem: String| Error::OtherHistory { tool: *tool, problem, help: NAME_IT };
    let count = match applied {
        Claimed::Count(count) => *count,
        Claimed::Versions(versions) => {
            for (version, migration) in versions.iter().zip(migrations.iter()) {
                if *version != migration.version() {
                    let (version, expected) = (*version, migration.version());
                    return Err(other(format!("it has version {version} where this program has {expected}")));
                }
            }
            versions.len()
        }
    };
    let at = count.checked_sub(1).ok_or_else(|| other("it is empty".to_owned()))?;
    migrations
        .iter()
        .nth(at)
        .ok_or_else(|| other(format!("it has {count} migrations, and this program {}", migrations.len())))
}
