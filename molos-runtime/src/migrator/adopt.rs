//! Recognising a database that was made without molos.

use std::time::Duration;

use super::Migrator;
use super::engine::{self, failed};
use super::ownership::Owners;
use super::run::{of_one_set, refuse_transaction};
use super::session::Session;
use super::verify::replay;
use crate::database::{Connection, Database, History as _, Inspect as _, Schemas};
use crate::model::adopted::{Adopted, AdoptedSet};
use crate::model::claim::Claim;
use crate::model::error::{Candidate, Error, ErrorKind, OtherHistoryProblem, Step, TargetProblem};
use crate::model::migration::{Migration, Migrations};
use crate::model::plan;
use crate::model::sets::SetHistory;
use crate::model::tool::Tool;
use crate::schema::{Difference, Schema};

/// What says which migration a database is at, beside its schema.
#[derive(Clone, Copy, PartialEq)]
enum Evidence {
    /// The history of another tool, if there is one.
    AnyTool,
    /// The history of this tool, which has to be there.
    Tool(Tool),
    /// The program's own word.
    Version(i64),
}

impl Evidence {
    /// Whether this stands against the schema: what may be no history does so only where it is asked for.
    fn believes(self, claim: &Claim) -> bool {
        !claim.is_doubtful || self != Self::AnyTool
    }
}

impl<DB: Schemas> Migrator<'_, DB> {
    /// Recognises a database that was made by hand or by another tool, and records what it has already: the migration
    /// that leads to its schema, and those before it, count as applied from then on. Nothing is run, and the history of the
    /// other tool stays as it is.
    ///
    /// If there is a history of refinery, sqlx, diesel, drizzle, goose, dbmate, sql-migrate or golang-migrate, it has to agree with the
    /// schema and with the files: in versions, names and checksums, as far as that tool keeps them. `PRAGMA user_version`,
    /// which `rusqlite_migration` counts in and others use for something else, decides between migrations of one schema.
    /// With [`adopt_at`](Self::adopt_at), or with several sets, no history is looked at.
    ///
    /// Of several sets, each is recognised by the part of the schema that is its own, see [`verify`](Self::verify).
    ///
    /// If another library keeps tables in the database, [name them](Self::other_tables).
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
    /// [`ErrorKind::NotAdopted`](crate::ErrorKind::NotAdopted) with what differs, [`ErrorKind::AmbiguousSchema`](crate::ErrorKind::AmbiguousSchema),
    /// [`OtherHistoryProblem::OtherMigrations`](crate::OtherHistoryProblem::OtherMigrations), or when the database cannot be read or written. Nothing is recorded then.
    pub fn adopt<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
    ) -> C::Outcome<'a, Result<Adopted, Error>> {
        C::outcome(self.adopt_by(conn.handle(), Evidence::AnyTool))
    }

    /// Like [`adopt`](Self::adopt), with the history of this tool, which has to be there.
    ///
    /// # Errors
    ///
    /// As for `adopt`, and [`OtherHistoryProblem::NotThere`](crate::OtherHistoryProblem::NotThere). Only one set can be asked: the history of another tool does not say
    /// which set it is about.
    pub fn adopt_from<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
        tool: Tool,
    ) -> C::Outcome<'a, Result<Adopted, Error>> {
        C::outcome(self.adopt_by(conn.handle(), Evidence::Tool(tool)))
    }

    /// Like [`adopt`](Self::adopt), for a database that is known to be at this version: several migrations may lead to its
    /// schema, if some only change rows. The schema has to be that of the version. The histories of other tools are not
    /// looked at.
    ///
    /// # Errors
    ///
    /// As for `adopt`, and [`TargetProblem::NoSuchVersion`](crate::TargetProblem::NoSuchVersion). Only one set can be asked for a version.
    pub fn adopt_at<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
        version: i64,
    ) -> C::Outcome<'a, Result<Adopted, Error>> {
        C::outcome(self.adopt_by(conn.handle(), Evidence::Version(version)))
    }

    async fn adopt_by(&self, mut conn: DB::Handle<'_>, evidence: Evidence) -> Result<Adopted, Error> {
        refuse_transaction(&mut conn).await?;
        let sets = self.histories(&mut conn).await?;
        if evidence != Evidence::AnyTool {
            of_one_set(&sets)?;
        }
        if sets.iter().all(|known| !known.history.is_empty()) {
            return Ok(Adopted::new(Vec::new()));
        }
        let mut session: Session<'_, DB> = self.open(conn).await?;
        let adopted = self.adopt_in_transaction(&mut session.conn, evidence).await;
        session.end(adopted).await
    }

    async fn adopt_in_transaction(&self, conn: &mut DB::Handle<'_>, evidence: Evidence) -> Result<Adopted, Error> {
        conn.create_history().await.map_err(|error| failed("creating the history table", error))?;
        let sets = self.histories(conn).await?;
        let found = DB::schema(conn).await.map_err(|error| failed("reading the schema", error))?;
        let found = self.other_tables.without(&found);
        let claims = claims::<DB>(conn, sets.len(), evidence).await?;
        let all: Vec<Vec<Migration<'_, DB>>> = sets.iter().map(|known| known.set.iter().collect()).collect();
        let is_known = all.iter().flatten().all(|migration| migration.fingerprint().is_some());
        let needed = !is_known || Owners::new(&sets, &[]).is_shared();
        let replayed = if needed { replay(conn, &sets, &all).await? } else { Vec::new() };
        let owners = Owners::new(&sets, &replayed);
        let part = |schema: &Schema, at| schema.part(|object| owners.owner(&object.table) == Some(at));
        let parts: Vec<Schema> = (0..sets.len()).map(|at| part(&found, at)).collect();
        let is_claimed = matches!(evidence, Evidence::Version(_))
            || claims.iter().any(|claim| !claim.is_empty() && evidence.believes(claim));
        let mut adopted = Vec::new();
        for (at, ((SetHistory { set, history }, steps), found)) in sets.iter().zip(&all).zip(&parts).enumerate() {
            // Of a set that is not there at all, everything is pending, unless something says otherwise; and a set without
            // migrations is none of what is there.
            let is_absent = found.is_empty() && !is_claimed;
            if !history.is_empty() || is_absent || (steps.is_empty() && !matches!(evidence, Evidence::Version(_))) {
                continue;
            }
            let mut steps = steps.clone();
            for (migration, schema) in steps.iter_mut().zip(replayed.get(at).into_iter().flatten()) {
                *migration = migration.with_fingerprint(part(schema, at).fingerprint());
            }
            let known = Migrations::new(set.set(), set.directory(), &steps).in_order(set.order());
            let (last, candidate) = match recognise(&known, found, &claims, evidence)? {
                Recognised::As(last, candidate) => (last, candidate),
                Recognised::Differs(claimed) => {
                    let replayed = replay(conn, &sets, &all).await?;
                    let schemas: Vec<_> =
                        replayed.get(at).into_iter().flatten().map(|schema| part(schema, at)).collect();
                    return Err(not_adopted(&known, found, claimed.as_ref(), &schemas));
                }
            };
            let (version, name) = (last.version(), last.name().to_owned());
            steps.retain(|migration| set.key(migration.version()) <= set.key(version));
            let durations = std::iter::repeat(Duration::ZERO);
            engine::record(conn, &steps, durations).await.map_err(|error| failed("writing the history", error))?;
            let tool = match candidate {
                Candidate::History(tool) => Some(tool),
                _ => None,
            };
            adopted.push(AdoptedSet { set: set.set().to_owned(), version, name, recorded: steps.len(), tool });
        }
        if !adopted.is_empty() {
            self.commit(conn, &[]).await?;
        }
        Ok(Adopted::new(adopted))
    }
}

/// What other tools say was applied.
async fn claims<DB: Schemas>(conn: &mut DB::Handle<'_>, sets: usize, evidence: Evidence) -> Result<Vec<Claim>, Error> {
    // The history of another tool does not say which set it is about.
    if sets > 1 || matches!(evidence, Evidence::Version(_)) {
        return Ok(Vec::new());
    }
    let mut claims = conn.claims().await.map_err(|error| failed("reading the history of another tool", error))?;
    if let Evidence::Tool(tool) = evidence {
        let found = claims.iter().map(|claim| claim.tool).collect();
        claims.retain(|claim| claim.tool == tool);
        if claims.is_empty() {
            return Err(Error::new(ErrorKind::OtherHistory { tool, problem: OtherHistoryProblem::NotThere { found } }));
        }
    }
    Ok(claims)
}

/// The migration that a database is at and how that is known, or the one that it should be at.
enum Recognised<'m, DB: Database> {
    As(Migration<'m, DB>, Candidate),
    Differs(Option<(Migration<'m, DB>, Candidate)>),
}

/// The migration that a database with the schema `found` is at.
fn recognise<'m, DB: Database>(
    migrations: &Migrations<'m, DB>,
    found: &Schema,
    claims: &[Claim],
    evidence: Evidence,
) -> Result<Recognised<'m, DB>, Error> {
    let history = |claim: &Claim| (claim.last(migrations), Candidate::History(claim.tool));
    let claim = claims.first();
    let believed = match (evidence, claim.filter(|claim| evidence.believes(claim))) {
        (Evidence::Version(version), _) => Some((plan::known(migrations, version)?, Candidate::Asked)),
        (_, Some(claim)) => match history(claim) {
            (Ok(last), candidate) => Some((last, candidate)),
            (Err(problem), _) => return Err(claim.error(problem)),
        },
        (_, None) => None,
    };
    let fingerprint = found.fingerprint();
    let is_same = |migration: &Migration<'_, DB>| migration.fingerprint() == Some(fingerprint);
    if let Some((migration, candidate)) = believed {
        return Ok(if is_same(&migration) {
            Recognised::As(migration, candidate)
        } else {
            Recognised::Differs(believed)
        });
    }
    let hint = claim.map(history).and_then(|(last, candidate)| Some((last.ok()?, candidate)));
    let same: Vec<Migration<'m, DB>> = migrations.iter().filter(is_same).collect();
    match (hint, same.as_slice()) {
        (Some((migration, candidate)), _) if is_same(&migration) => Ok(Recognised::As(migration, candidate)),
        (_, [only]) => Ok(Recognised::As(*only, Candidate::Nearest)),
        (_, [_, ..]) => Err(Error::new(ErrorKind::AmbiguousSchema { steps: same.iter().map(Step::of).collect() })),
        (hint, []) => Ok(Recognised::Differs(hint)),
    }
}

fn not_adopted<DB: Database>(
    migrations: &Migrations<'_, DB>,
    found: &Schema,
    claimed: Option<&(Migration<'_, DB>, Candidate)>,
    schemas: &[Schema],
) -> Error {
    let difference = |(migration, schema): (Migration<'_, DB>, &Schema)| {
        (Step::of(&migration), migration.version(), found.differences(schema))
    };
    let all = migrations.iter().zip(schemas).map(difference);
    let nearest = match claimed {
        Some((migration, _)) => all.into_iter().find(|(_, version, _)| *version == migration.version()),
        // Of those that are as near, the last.
        None => all.rev().min_by_key(|(_, _, differences)| weight(differences)),
    };
    if let Some((step, _, differences)) = nearest {
        let candidate = claimed.map_or(Candidate::Nearest, |(_, candidate)| *candidate);
        return Error::new(ErrorKind::NotAdopted { candidate, differences }).of(step);
    }
    let problem = TargetProblem::NoSuchVersion { set: migrations.set().to_owned(), known: Vec::new() };
    Error::new(ErrorKind::Target { version: 0, problem })
}

/// How many facts differ.
fn weight(differences: &[Difference]) -> usize {
    let one = |difference: &Difference| match difference {
        Difference::Changed { missing, extra, .. } => missing.len() + extra.len(),
        _ => 3,
    };
    differences.iter().map(one).sum()
}
