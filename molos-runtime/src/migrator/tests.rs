//! What is left of a call that is cancelled: at each point where it waits, by a double of SQLite that waits everywhere.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rusqlite::Connection;

use super::{Migrator, Transactions};
use crate::database::{
    self, BoxFuture, Database, DatabaseError, History, Inspect, Run, Schemas, Sealed, Statements, Tokens, Transact,
    Violations,
};
use crate::model::claim::Claim;
use crate::model::history::{Applied, Record};
use crate::model::migration::{Base, ForeignKeys, Migration, Migrations, Script};
use crate::model::plan::Rollback;
use crate::model::script::Statement;
use crate::schema::Schema;
use crate::sqlite::{self, Settings, Sqlite};

/// SQLite as a server would be that has to be waited for.
#[derive(Clone, Copy, Debug)]
enum Slow {}

struct Client(Connection);

struct Handle<'c>(sqlite::Handle<'c>);

impl Sealed for Slow {}
impl Sealed for Client {}

impl Database for Slow {
    const NAME: &'static str = "a slow SQLite";
    const UPGRADE: &'static str = Sqlite::UPGRADE;

    type Hook = sqlite::Hook;
    type Settings = Settings;
    type Handle<'c> = Handle<'c>;

    fn tokens(sql: &str) -> Tokens<'_> {
        Sqlite::tokens(sql)
    }

    fn statements(script: &str) -> Statements<'_> {
        Sqlite::statements(script)
    }

    fn version_name(version: i32) -> String {
        Sqlite::version_name(version)
    }
}

impl database::Connection for Client {
    type Database = Slow;
    type Outcome<'a, T: Send + 'a> = BoxFuture<'a, T>;

    fn handle(&mut self) -> Handle<'_> {
        Handle(sqlite::Handle::new(&mut self.0))
    }

    fn outcome<'a, T: Send + 'a>(work: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
        Box::pin(work)
    }
}

/// Waits before the work, and again when it is done and its result is not yet known.
async fn slowly<T>(work: impl Future<Output = T>) -> T {
    wait().await;
    let value = work.await;
    wait().await;
    value
}

async fn wait() {
    let mut has_waited = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut has_waited, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

impl Run for Handle<'_> {
    type Database = Slow;

    async fn begin_script(&mut self, keys: ForeignKeys) -> Result<(), DatabaseError> {
        slowly(self.0.begin_script(keys)).await
    }

    async fn end_script(&mut self, settings: &Settings) -> Result<(), DatabaseError> {
        slowly(self.0.end_script(settings)).await
    }

    async fn execute(&mut self, statement: Statement<'_>) -> Result<(), DatabaseError> {
        slowly(self.0.execute(statement)).await
    }

    async fn execute_alone(&mut self, statement: Statement<'_>) -> Result<(), DatabaseError> {
        slowly(self.0.execute_alone(statement)).await
    }

    async fn hook(&mut self, hook: sqlite::Hook) -> Result<(), DatabaseError> {
        slowly(self.0.hook(hook)).await
    }

    async fn violations(&mut self, touched: Option<&[&str]>) -> Result<Violations, DatabaseError> {
        slowly(self.0.violations(touched)).await
    }

    async fn have_triggers(&mut self, tables: &[&str]) -> Result<bool, DatabaseError> {
        slowly(self.0.have_triggers(tables)).await
    }
}

impl Transact for Handle<'_> {
    async fn temporary(&mut self) -> Result<Vec<String>, DatabaseError> {
        slowly(self.0.temporary()).await
    }

    async fn in_transaction(&mut self) -> Result<bool, DatabaseError> {
        slowly(self.0.in_transaction()).await
    }

    async fn enter(&mut self) -> Result<Settings, DatabaseError> {
        // Whoever is cancelled before the settings are known cannot put them back, so a wing returns them with the change.
        wait().await;
        self.0.enter().await
    }

    async fn leave(&mut self, settings: &Settings) -> Result<(), DatabaseError> {
        slowly(self.0.leave(settings)).await
    }

    fn abandon(&mut self, settings: &Settings) {
        self.0.abandon(settings);
    }

    async fn begin(&mut self) -> Result<(), DatabaseError> {
        slowly(self.0.begin()).await
    }

    async fn commit(&mut self) -> Result<(), DatabaseError> {
        slowly(self.0.commit()).await
    }

    async fn rollback(&mut self) -> Result<(), DatabaseError> {
        slowly(self.0.rollback()).await
    }

    async fn pause(&mut self, duration: Duration) {
        slowly(self.0.pause(duration)).await;
    }
}

impl History for Handle<'_> {
    async fn history(&mut self, set: &str) -> Result<Vec<Applied>, DatabaseError> {
        slowly(self.0.history(set)).await
    }

    async fn stored_down(&mut self, set: &str, version: i64) -> Result<Option<String>, DatabaseError> {
        slowly(self.0.stored_down(set, version)).await
    }

    async fn has_applied(&mut self, base: &Base<'_>) -> Result<bool, DatabaseError> {
        slowly(self.0.has_applied(base)).await
    }

    async fn sets(&mut self) -> Result<Vec<String>, DatabaseError> {
        slowly(self.0.sets()).await
    }

    async fn create_history(&mut self) -> Result<(), DatabaseError> {
        slowly(self.0.create_history()).await
    }

    async fn record(&mut self, records: &[Record<'_>]) -> Result<(), DatabaseError> {
        slowly(self.0.record(records)).await
    }

    async fn forget(&mut self, set: &str, version: i64) -> Result<(), DatabaseError> {
        slowly(self.0.forget(set, version)).await
    }
}

impl Inspect for Handle<'_> {
    async fn version(&mut self) -> Result<i32, DatabaseError> {
        slowly(self.0.version()).await
    }

    async fn first_rejected(
        &mut self,
        scripts: &[Script<'_>],
    ) -> Result<Option<(usize, DatabaseError)>, DatabaseError> {
        slowly(self.0.first_rejected(scripts)).await
    }

    async fn rows_changed(&mut self) -> Result<u64, DatabaseError> {
        slowly(self.0.rows_changed()).await
    }

    async fn count(&mut self, table: &str, column: Option<&str>) -> Result<u64, DatabaseError> {
        slowly(self.0.count(table, column)).await
    }

    async fn claims(&mut self) -> Result<Vec<Claim>, DatabaseError> {
        slowly(self.0.claims()).await
    }
}

impl Schemas for Slow {
    async fn schema(conn: &mut Self::Handle<'_>) -> Result<Schema, DatabaseError> {
        slowly(Sqlite::schema(&mut conn.0)).await
    }

    async fn replay(conn: &mut Self::Handle<'_>, scripts: &[Script<'_>]) -> Result<Vec<Schema>, DatabaseError> {
        slowly(Sqlite::replay(&mut conn.0, scripts)).await
    }
}

const STEPS: [(&str, &str, &str); 3] = [
    (
        "notes",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO notes VALUES (1, 'a');",
        "DROP TABLE notes",
    ),
    ("tags", "PRAGMA legacy_alter_table = ON; CREATE TABLE tags (note_id REFERENCES notes (id));", "DROP TABLE tags"),
    (
        "more",
        "INSERT INTO tags VALUES (1); UPDATE notes SET body = 'b';",
        "DELETE FROM tags; UPDATE notes SET body = 'a'",
    ),
];

fn list(count: usize) -> Vec<Migration<'static, Slow>> {
    let numbered = (1..).zip(&STEPS[..count]);
    numbered.map(|(version, (name, up, down))| Migration::new(version, name, up).with_down(down)).collect()
}

/// What the connection and the database are like: the settings, and the numbers of the steps that are applied, of which
/// the rows have to be there and nothing else.
fn state(conn: &Connection) -> (i64, i64, i64, Option<usize>) {
    let one = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let pragma = |name: &str| one(&format!("PRAGMA {name}")).expect("a setting");
    let tables = one("SELECT count(*) FROM sqlite_schema WHERE name IN ('notes', 'tags')").expect("a count");
    let is_changed = one("SELECT count(*) FROM notes WHERE body = 'b'").unwrap_or(0);
    let applied = usize::try_from(tables + is_changed).expect("a number");
    let recorded = one("SELECT count(*) FROM _molos_migrations").unwrap_or(0);
    let is_whole =
        usize::try_from(recorded) == Ok(applied) && (applied < 3 || one("SELECT count(*) FROM tags") == Ok(1));
    assert!(conn.is_autocommit(), "no transaction is open");
    (pragma("foreign_keys"), pragma("legacy_alter_table"), pragma("busy_timeout"), is_whole.then_some(applied))
}

#[derive(Clone, Copy)]
enum Call {
    Migrate,
    RollBackTwo,
    DowngradeToOne,
    Rehearse,
    Verify,
}

impl Call {
    /// Makes the call. Returns whether it ended well.
    fn make<'a>(self, migrator: &'a Migrator<'_, Slow>, client: &'a mut Client) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            match self {
                Self::Migrate => migrator.migrate(client).await.is_ok(),
                Self::RollBackTwo => migrator.rollback(client, Rollback::Steps(2)).await.is_ok(),
                Self::DowngradeToOne => migrator.downgrade_to(client, 1).await.is_ok(),
                Self::Rehearse => migrator.rehearse(client).await.is_ok_and(|rehearsal| rehearsal.error().is_none()),
                Self::Verify => migrator.verify(client).await.is_ok(),
            }
        })
    }
}

/// Cancels a call on a database at step `from` at each point where it waits, until it is not cancelled any more. Returns
/// how many steps were applied at the ends.
fn cancelled(from: usize, call: Call, transactions: Transactions) -> Vec<usize> {
    let all = list(3);
    let migrations = Migrations::new("app", "migrations", &all);
    let migrator = Migrator::new(&migrations).transactions(transactions);
    let mut seen = Vec::new();
    for polls in 0.. {
        let conn = Connection::open_in_memory().expect("a database");
        conn.execute_batch("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 1234").expect("settings");
        let mut client = Client(conn);
        let part = list(from);
        crate::database::ready(Migrations::new("app", "migrations", &part).migrate(&mut client)).expect("a database");
        let is_done = {
            let mut work = pin!(call.make(&migrator, &mut client));
            let mut context = Context::from_waker(Waker::noop());
            let mut poll = || work.as_mut().poll(&mut context);
            match (0..polls).map(|_| poll()).find(Poll::is_ready) {
                Some(Poll::Ready(is_good)) => {
                    assert!(is_good, "it works when it is not cancelled");
                    true
                }
                _ => false,
            }
        };
        let (foreign_keys, legacy_alter_table, busy_timeout, applied) = state(&client.0);
        assert_eq!((foreign_keys, legacy_alter_table, busy_timeout), (1, 0, 1234), "after {polls} polls");
        seen.push(applied.unwrap_or_else(|| panic!("a step is half done after {polls} polls")));
        // The connection can go on.
        crate::database::ready(migrations.migrate(&mut client)).expect("it is usable");
        assert_eq!(state(&client.0).3, Some(3));
        if is_done {
            assert!(polls > 10, "it waited {polls} times");
            break;
        }
    }
    seen.dedup();
    seen
}

#[test]
fn a_cancelled_migration_is_undone_up_to_the_last_commit() {
    assert_eq!(cancelled(1, Call::Migrate, Transactions::Single), [1, 3]);
    assert_eq!(cancelled(1, Call::Migrate, Transactions::PerMigration), [1, 2, 3]);
}

#[test]
fn a_cancelled_rollback_is_undone_up_to_the_last_commit() {
    assert_eq!(cancelled(3, Call::RollBackTwo, Transactions::Single), [3, 1]);
    assert_eq!(cancelled(3, Call::RollBackTwo, Transactions::PerMigration), [3, 2, 1]);
    assert_eq!(cancelled(3, Call::DowngradeToOne, Transactions::PerMigration), [3, 1]);
}

#[test]
fn what_changes_nothing_changes_nothing_when_it_is_cancelled() {
    assert_eq!(cancelled(1, Call::Rehearse, Transactions::Single), [1]);
    assert_eq!(cancelled(3, Call::Verify, Transactions::Single), [3]);
}
