//! Comparing a database with what the migrations in its history lead to.

use std::collections::BTreeMap;

use super::Migrator;
use super::engine::{self, failed};
use super::ownership::{OtherTables, Owners};
use crate::database::{BoxFuture, Connection, Database, History as _, Schemas};
use crate::model::error::{Error, ErrorKind, Step};
use crate::model::migration::{Direction, Migration};
use crate::model::sets::SetHistory;
use crate::schema::{Difference, Fingerprint, Schema};

/// Compares the schema with the one that the migrations in the histories lead to.
pub(crate) type Check<DB> = for<'a, 'c, 'm> fn(
    &'a mut <DB as Database>::Handle<'c>,
    &'a [SetHistory<'m, DB>],
    &'a OtherTables,
) -> BoxFuture<'a, Result<(), Error>>;

/// [`check_schema`] as a [`Check`].
pub(crate) fn check<'a, DB: Schemas>(
    conn: &'a mut DB::Handle<'_>,
    sets: &'a [SetHistory<'_, DB>],
    other_tables: &'a OtherTables,
) -> BoxFuture<'a, Result<(), Error>> {
    Box::pin(async move { check_schema(conn, sets, other_tables).await })
}

impl<DB: Schemas> Migrator<'_, DB> {
    /// Whether to check that nobody has changed the schema by hand, before anything is changed by a migration or a
    /// rollback. It takes as long as reading the schema; a start with nothing to do is not slowed down.
    pub fn verify_before(self, verify: bool) -> Self {
        Self { verify_before: verify.then_some(check::<DB>), ..self }
    }

    /// Whether to check, before anything is committed, that the schema has become the one that the migrations lead to.
    /// If it has not, that is [`ErrorKind::Drift`](crate::ErrorKind::Drift), and everything is undone: a change by hand from before the call, or what
    /// a trigger or a function of the program did during it. It takes as long as reading the schema.
    ///
    /// A down migration that leads to another schema than the one before its up migration (`-- molos: allow
    /// inexact-down`) is drift as well.
    pub fn verify_after(self, verify: bool) -> Self {
        Self { verify_after: verify.then_some(check::<DB>), ..self }
    }

    /// Checks that every migration is applied as this binary has it, that the schema is exactly the one that they lead
    /// to, and that every foreign key points at something. Nothing is changed.
    ///
    /// Of several sets, each is compared with the part of the schema that is its own: what has the set's prefix, see
    /// [`Migrations::table_prefix`](crate::Migrations::table_prefix). If the database holds sets that this migrator does
    /// not, what belongs to none of the tables it knows is taken to be another's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Pending`](crate::ErrorKind::Pending), [`ErrorKind::Drift`](crate::ErrorKind::Drift) (of the first set whose part differs), [`ErrorKind::ForeignKeys`](crate::ErrorKind::ForeignKeys), or those that
    /// [`migrate`](Self::migrate) gives before it runs anything.
    pub fn verify<'a, C: Connection<Database = DB>>(&'a self, conn: &'a mut C) -> C::Outcome<'a, Result<(), Error>> {
        let mut conn = conn.handle();
        C::outcome(async move {
            loop {
                let sets = self.histories(&mut conn).await?;
                let result = self.verify_against(&mut conn, &sets).await;
                // Each look is one of its own, so that none holds up a writer. If one has migrated in between, what was
                // seen is of two versions.
                let now = self.histories(&mut conn).await?;
                if now.iter().zip(&sets).all(|(now, then)| now.history == then.history) {
                    return result;
                }
            }
        })
    }
}

impl<'m, DB: Schemas> Migrator<'m, DB> {
    async fn verify_against(&self, conn: &mut DB::Handle<'_>, sets: &[SetHistory<'m, DB>]) -> Result<(), Error> {
        let pending = self.pending(conn, sets).await?;
        if !pending.is_empty() {
            return Err(Error::new(ErrorKind::Pending { pending: pending.iter().map(Step::of).collect() }));
        }
        check_schema(conn, sets, &self.other_tables).await?;
        engine::check_all_keys(conn, |table| !self.other_tables.has(table)).await
    }
}

/// Checks that the schema is the one that the migrations in the histories lead to.
async fn check_schema<DB: Schemas>(
    conn: &mut DB::Handle<'_>,
    sets: &[SetHistory<'_, DB>],
    other_tables: &OtherTables,
) -> Result<(), Error> {
    let applied: Vec<_> = sets.iter().map(SetHistory::applied).collect();
    if applied.iter().all(Vec::is_empty) {
        return Ok(());
    }
    let found = DB::schema(conn).await.map_err(|error| failed("reading the schema", error))?;
    if has_fingerprints(&other_tables.without(&found), sets, &applied) {
        return Ok(());
    }
    let schemas = replay(conn, sets, &applied).await?;
    let owners = Owners::new(sets, &schemas);
    let nothing = Schema::default();
    let expected = schemas.iter().flatten().last().unwrap_or(&nothing);
    let others = conn.sets().await.map_err(|error| failed("reading the history", error))?;
    let is_shared = others.iter().any(|other| sets.iter().all(|known| known.set.set() != other));
    let mut differences = found.differences(expected);
    differences.retain(|difference| match difference {
        Difference::Extra(object) => expected.has(&object.table) || !(is_shared || other_tables.has(&object.table)),
        _ => true,
    });
    for (at, steps) in applied.iter().enumerate() {
        let Some(last) = steps.last() else { continue };
        let is_own = |difference: &&Difference| owners.owner(&difference.object().table) == Some(at);
        let differences: Vec<_> = differences.iter().filter(is_own).cloned().collect();
        if !differences.is_empty() {
            return Err(Error::new(ErrorKind::Drift { differences }).of(Step::of(last)));
        }
    }
    Ok(())
}

/// Whether the part of the schema that is each set's has the fingerprint of the set's last migration. If that is not
/// known, it has not.
fn has_fingerprints<DB: Schemas>(
    found: &Schema,
    sets: &[SetHistory<'_, DB>],
    applied: &[Vec<Migration<'_, DB>>],
) -> bool {
    let owners = Owners::new(sets, &[]);
    // Those of sets with one prefix add up to the one of what is theirs together.
    let mut expected = BTreeMap::new();
    for (known, applied) in sets.iter().zip(applied) {
        // A fingerprint is that of a schema to which every migration before it led as well.
        let in_order = known.set.iter().zip(applied).all(|(known, applied)| known.version() == applied.version());
        let fingerprint = match applied.last() {
            None => Some(Fingerprint::default()),
            Some(last) => last.fingerprint().filter(|_| in_order),
        };
        let (Some(first), Some(fingerprint)) = (owners.first_with(known.set.table_prefix), fingerprint) else {
            return false;
        };
        let sum: &mut Fingerprint = expected.entry(first).or_default();
        *sum = sum.plus(&fingerprint);
    }
    let has = |(first, fingerprint): (usize, Fingerprint)| {
        found.part(|object| owners.first(&object.table) == Some(first)).fingerprint() == fingerprint
    };
    expected.into_iter().all(has)
}

/// The schemas that the migrations of each set lead to, found out by running them, set by set, on a database of their
/// own. What a set leads to holds what those before it led to.
pub(crate) async fn replay<DB: Schemas>(
    conn: &mut DB::Handle<'_>,
    sets: &[SetHistory<'_, DB>],
    steps: &[Vec<Migration<'_, DB>>],
) -> Result<Vec<Vec<Schema>>, Error> {
    let mut bases = sets.iter().flat_map(|known| known.set.after);
    let doing = if bases.all(|base| sets.iter().any(|known| known.set.has(base))) {
        "running the migrations in memory, to compare schemas"
    } else {
        "running the migrations in memory, without the sets they come after, to compare schemas"
    };
    let scripts: Vec<_> = steps.iter().flatten().filter_map(|migration| migration.script(Direction::Up)).collect();
    let mut schemas = DB::replay(conn, &scripts).await.map_err(|error| failed(doing, error))?.into_iter();
    Ok(steps.iter().map(|steps| schemas.by_ref().take(steps.len()).collect()).collect())
}
