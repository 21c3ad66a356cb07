//! Which of several sets a table belongs to, or whether it is none of the program's.

use std::collections::BTreeMap;

use crate::database::Database;
use crate::model::sets::SetHistory;
use crate::schema::Schema;

/// The tables that are not the program's, by names in lower case, the end of which may be a `*`.
#[derive(Debug, Default)]
pub(crate) struct OtherTables(Vec<String>);

impl OtherTables {
    pub(crate) fn add(&mut self, names: impl IntoIterator<Item = impl Into<String>>) {
        self.0.extend(names.into_iter().map(|name| name.into().to_ascii_lowercase()));
    }

    pub(crate) fn has(&self, table: &str) -> bool {
        let table = table.to_ascii_lowercase();
        self.0.iter().any(|name| name.strip_suffix('*').map_or(table == *name, |start| table.starts_with(start)))
    }

    /// What is left of a schema without them.
    pub(crate) fn without(&self, schema: &Schema) -> Schema {
        schema.part(|object| !self.has(&object.table))
    }
}

/// Which of several sets a table belongs to.
pub(crate) struct Owners {
    /// The prefix of each set, in lower case as the names in a schema are.
    prefixes: Vec<String>,
    /// The set that made each table, as far as the sets were replayed.
    makers: BTreeMap<String, usize>,
}

impl Owners {
    pub(crate) fn new<DB: Database>(sets: &[SetHistory<'_, DB>], replayed: &[Vec<Schema>]) -> Self {
        let prefixes = sets.iter().map(|known| known.set.table_prefix.to_ascii_lowercase()).collect();
        let mut makers = BTreeMap::new();
        for (at, schemas) in replayed.iter().enumerate() {
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
    pub(crate) fn first(&self, table: &str) -> Option<usize> {
        let prefixes = self.prefixes.iter().filter(|prefix| table.starts_with(prefix.as_str()));
        self.first_with(prefixes.max_by_key(|prefix| prefix.len())?)
    }

    pub(crate) fn first_with(&self, prefix: &str) -> Option<usize> {
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
    use crate::{Migrations, Sqlite};

    fn set(name: &'static str, prefix: &'static str) -> SetHistory<'static, Sqlite> {
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
        let replayed = [
            vec![schema("CREATE TABLE users (a)")],
            vec![schema("CREATE TABLE users (a); CREATE TABLE task (a)")],
            Vec::new(),
            vec![schema("CREATE TABLE users (a); CREATE TABLE task (a); CREATE TABLE notes (a)"), schema("")],
            vec![schema("CREATE TABLE users (a); CREATE TABLE task (a); CREATE TABLE task_more (a)")],
        ];
        let owners = Owners::new(&sets, &replayed);
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
