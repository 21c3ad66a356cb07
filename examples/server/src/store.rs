//! The database: a pool of connections to a file that is migrated before there are any.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use molos::Migrator;
use molos::monitor::Monitor;
use molos::r2d2::{Manager, Pool};
use molos::rusqlite::{Connection, TransactionBehavior};

use crate::error::{Error, Result};
use crate::modules;

/// Longer than any migration should take: whoever writes meanwhile waits for it, and is not turned away.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

const SLOW: Duration = Duration::from_millis(200);

#[derive(Clone)]
pub struct Store {
    pool: Pool<Manager>,
    monitor: Monitor,
    /// SQLite has one writer at a time. The others wait here, and not with a connection that a reader could use.
    writer: Arc<Mutex<()>>,
}

impl Store {
    /// Opens the database, and applies what is pending in the core, the server and every module that is installed.
    pub fn open(path: &Path) -> Result<Self> {
        let migrator = migrator(path)?;
        let manager = Manager::file_with(path, &migrator)?.busy_timeout(BUSY_TIMEOUT);
        let monitor = Monitor::with_slow(SLOW, |slow| tracing::warn!(%slow, "a slow statement"));
        let watch = Box::new(Watch(monitor.clone()));
        let pool = Pool::builder().max_size(8).min_idle(Some(1)).connection_customizer(watch).build(manager)?;
        Ok(Self { pool, monitor, writer: Arc::default() })
    }

    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Calls `work` with a connection that has no transaction, as migrations need one.
    pub fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        work(&mut *self.pool.get()?)
    }

    /// Calls `work` with one state of the database, whatever others write meanwhile.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.transaction(TransactionBehavior::Deferred, work)
    }

    /// Calls `work` with the database to itself. If it fails, nothing is changed.
    pub fn write<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let _turn = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.transaction(TransactionBehavior::Immediate, work)
    }

    fn transaction<T>(&self, behavior: TransactionBehavior, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut conn = self.pool.get()?;
        let transaction = conn.transaction_with_behavior(behavior)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Calls `work` on a thread that may block.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || work(&store)).await.map_err(|_| Error::Internal("a task was cut off"))?
    }
}

/// Has every connection of the pool tell of its statements.
#[derive(Debug)]
struct Watch(Monitor);

impl r2d2::CustomizeConnection<Connection, molos::Error> for Watch {
    fn on_acquire(&self, conn: &mut Connection) -> std::result::Result<(), molos::Error> {
        // A process has room for so many monitors; a database that is not watched is still a database.
        if let Err(error) = self.0.attach(conn) {
            tracing::warn!(%error, "a connection is not monitored");
        }
        Ok(())
    }
}

/// Migrates what a database has: the core, the server, and the modules that are installed. It makes no file.
pub fn migrator(path: &Path) -> Result<Migrator<'static>> {
    let conn = if path.exists() { Connection::open(path)? } else { Connection::open_in_memory()? };
    conn.busy_timeout(BUSY_TIMEOUT)?;
    Ok(Migrator::new(modules::sets(&conn)?).busy_timeout(BUSY_TIMEOUT))
}
