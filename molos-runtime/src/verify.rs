//! Comparing a database with what the migrations in its history lead to.

use std::collections::BTreeMap;

use crate::driver::Driver;
use crate::engine::{self, failed};
use crate::error::Step;
use crate::sets::SetHistory;
use crate::{Difference, Direction, Error, Fingerprint, Migration, Migrator, Schema};

impl Migrator<'_> {
    /// Checks that every migration is applied as this binary has it, that the schema is exactly the one that they lead
    /// to, and that every foreign key points at something. Nothing is changed.
    ///
    /// Of several sets, each is compared with the part of the schema that is its own: what has the set's prefix, see
    /// [`Migrations::table_prefix`](crate::Migrations::table_prefix). If the database holds sets that this migrator does
    /// not, what belongs to none of the tables it knows is taken to be another's.
    ///
    /// # Errors
    ///
    /// [`Error::Pending`], [`Error::Drift`] (of the first set whose part differs), [`Error::BrokenKeys`], or those that
    /// [`migrate`](Self::migrate) gives before it runs anything.
    pub fn verify<D: Driver>(&self, conn: &mut D) -> Result<(), Error> {
        loop {
            let sets = self.histories(conn)?;
            let result = self.verify_against(conn, &sets);
            // Each look is one of its own, so that none holds up a writer. If one has migrated in between, what was seen
            // is of two versions.
            if self.histories(conn)?.iter().zip(&sets).all(|(now, then)| now.history == then.history) {
                return result;
            }
        }
    }

    fn verify_against<D: Driver>(&self, conn: &mut D, sets: &[SetHistory<'_>]) -> Result<(), Error> {
        let pending = self.pending(conn, sets)?;
        if !pending.is_empty() {
            return Err(Error::Pending { pending: pending.iter().map(Step::of).collect() });
        }
        check_schema(conn, sets)?;
        engine::check_keys(conn)
    }
}

/// Checks that the schema is the one that the migrations in the histories lead to.
pub(crate) fn check_schema<D: Driver>(conn: &mut D, sets: &[SetHistory<'_>]) -> Result<(), Error> {
    let applied: Vec<_> = sets.iter().map(SetHistory::applied).collect();
    if applied.iter().all(Vec::is_empty) {
        return Ok(());
    }
    let found = conn.schema().map_err(|error| failed("reading the schema", error))?;
    if has_fingerprints(&found, sets, &applied) {
        return Ok(());
    }
    let schemas = rehearse(conn, sets, &applied)?;
    let owners = Owners::new(sets, &schemas);
    let nothing = Schema::default();
    let expected = schemas.iter().flatten().last().unwrap_or(&nothing);
    let others = conn.sets().map_err(|error| failed("reading the history", error))?;
    let is_shared = others.iter().any(|other| sets.iter().all(|known| known.set.set() != other));
    let mut differences = found.differences(expected);
    differences.retain(|difference| match difference {
        Difference::Extra(object) => !is_shared || expected.has(&object.table),
        _ => true,
    });
    for (at, steps) in applied.iter().enumerate() {
        let Some(last) = steps.last() else { continue };
        let is_own = |difference: &&Difference| owners.owner(&difference.object().table) == Some(at);
        let differences: Vec<_> = differences.iter().filter(is_own).cloned().collect();
        if !differences.is_empty() {
            return Err(Error::Drift { step: Step::of(last), differences });
        }
    }
    Ok(())
}

/// Whether the part of the schema that is each set's has the fingerprint of the set's last migration. If that is not
/// known, it has not.
fn has_fingerprints(found: &Schema, sets: &[SetHistory<'_>], applied: &[Vec<Migration<'_>>]) -> bool {
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
pub(crate) fn rehearse<D: Driver>(
    conn: &mut D,
    sets: &[SetHistory<'_>],
    steps: &[Vec<Migration<'_>>],
) -> Result<Vec<Vec<Schema>>, Error> {
    let mut bases = sets.iter().flat_map(|known| known.set.after);
    let doing = if bases.all(|base| sets.iter().any(|known| known.set.has(base))) {
        "running the migrations in memory, to compare schemas"
    } else {
        "running the migrations in memory, without the sets they come after, to compare schemas"
    };
    let mut scripts = steps.iter().flatten().filter_map(|migration| migration.script(Direction::Up));
    let mut schemas = conn.rehearse(&mut scripts).map_err(|error| failed(doing, error))?.into_iter();
    Ok(steps.iter().map(|steps| schemas.by_ref().take(steps.len()).collect()).collect())
}

/// Which of several sets a table belongs to.
pub(crate) struct Owners {
    /// The prefix of each set, in lower case as the names in a schema are.
    prefixes: Vec<String>,
    /// The set that made each table, as far as the sets were rehearsed.
    makers: BTreeMap<String, usize>,
}

impl Owners {
    pub(crate) fn new(sets: &[SetHistory<'_>], rehearsed: &[Vec<Schema>]) -> Self {
        let prefixes = sets.iter().map(|known| known.set.table_prefix.to_ascii_lowercase()).collect();
        let mut makers = BTreeMap::new();
        for (at, schemas) in rehearsed.iter().enumerate() {
            for object in schemas.iter().flat_map(Schema::objects) {
                makers.entry(object.table.clone()).or_insert(at);
            }
        }
        Self { prefixes, makers }
    }

    /// The place of the set: that with the longest prefix that the table has. Of several with that prefix, it is the one
    /// that made the table, and for what none of them made, the first.
    pub(crate) fn owner(&self, table: &str) -> Option<usize> {
        let maker = self.makers.get(table).copied();
        match self.first(table) {
            Some(first) => maker.filter(|maker| self.prefixes.get(*maker) == self.prefixes.get(first)).or(Some(first)),
            None => maker,
        }
    }

    /// The first set with the longest prefix that the table has.
    fn first(&self, table: &str) -> Option<usize> {
        let prefixes = self.prefixes.iter().filter(|prefix| table.starts_with(prefix.as_str()));
        self.first_with(prefixes.max_by_key(|prefix| prefix.len())?)
    }

    fn first_with(&self, prefix: &str) -> Option<usize> {
        self.prefixes.iter().position(|known| known.eq_ignore_ascii_case(prefix))
    }

    /// Whether several sets have one prefix.
    pub(crate) fn is_shared(&self) -> bool {
        self.prefixes.iter().enumerate().any(|(at, prefix)| self.first_with(prefix) != Some(at))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::Migrations;

    fn set(name: &'static str, prefix: &'static str) -> SetHistory<'static> {
        SetHistory { set: Migrations::new(name, name, &[]).table_prefix(prefix), history: Vec::new() }
    }

    fn schema(sql: &str) -> Schema {
        let conn = Connection::open_in_memory().expect("a database");
        conn.execute_batch(sql).expect("a schema");
        Schema::read(&conn).expect("it can be read")
    }

    #[test]
    fn a_table_belongs_to_the_set_with_the_longest_prefix_that_it_has() {
        let sets =
            [set("core", ""), set("task", "Task"), set("tasks", "tasks_"), set("notes", ""), set("more", "TASK")];
        let rehearsed = [
            vec![schema("CREATE TABLE users (a)")],
            vec![schema("CREATE TABLE users (a); CREATE TABLE task (a)")],
            Vec::new(),
            vec![schema("CREATE TABLE users (a); CREATE TABLE task (a); CREATE TABLE notes (a)"), schema("")],
            vec![schema("CREATE TABLE users (a); CREATE TABLE task (a); CREATE TABLE task_more (a)")],
        ];
        let owners = Owners::new(&sets, &rehearsed);
        let cases = [
            ("users", 0),
            ("notes", 3),
            ("by_hand", 0),
            ("tas", 0),
            ("task", 1),
            ("task_more", 4),
            ("task_by_hand", 1),
            ("tasks", 1),
            ("tasks_items", 2),
        ];
        for (table, owner) in cases {
            assert_eq!(owners.owner(table), Some(owner), "{table}");
        }
        assert!(owners.is_shared());
        let prefixed = Owners::new(&sets[1..3], &[vec![schema("CREATE TABLE odd (a)")]]);
        assert_eq!((prefixed.owner("odd"), prefixed.owner("by_hand")), (Some(0), None));
        assert!(!prefixed.is_shared());
    }

    #[test]
    fn the_parts_of_a_schema_add_up_to_it() {
        let whole =
            schema("CREATE TABLE a (x); CREATE INDEX i ON a (x); CREATE TABLE b (x); CREATE VIEW v AS SELECT 1");
        let (part, rest) = (whole.part(|object| object.table == "a"), whole.part(|object| object.table != "a"));
        assert_eq!(part.fingerprint(), schema("CREATE TABLE a (x); CREATE INDEX i ON a (x)").fingerprint());
        assert_eq!(part.fingerprint().plus(&rest.fingerprint()), whole.fingerprint());
        assert_eq!(part.objects().count() + rest.objects().count(), whole.objects().count());
    }
}
