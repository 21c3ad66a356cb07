//! A connection with the settings that migrations are run with.

use super::failed;
use crate::database::{Database, Transact as _};
use crate::model::error::Error;

/// A connection that is changed for migrations until [`end`](Self::end) puts it back.
///
/// If it is dropped before, because a future is cancelled or the program's code panics, what can be put back without
/// waiting is.
pub(crate) struct Session<'c, DB: Database> {
    pub(crate) conn: DB::Handle<'c>,
    pub(crate) settings: DB::Settings,
    is_open: bool,
}

impl<'c, DB: Database> Session<'c, DB> {
    /// A connection whose settings were these, and are changed.
    pub(crate) const fn new(conn: DB::Handle<'c>, settings: DB::Settings) -> Self {
        Self { conn, settings, is_open: true }
    }

    /// Undoes a transaction that is open, and puts the settings back. If that fails, it is the error, or is
    /// told beside the one that there is.
    pub(crate) async fn end<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        let undone = self.conn.rollback().await.map_err(|error| failed("undoing the transaction", error));
        let left = self.conn.leave(&self.settings).await;
        let left = left.map_err(|error| failed("putting back the settings of the connection", error));
        self.is_open = false;
        match (result, undone.and(left)) {
            (Ok(value), Ok(())) => Ok(value),
            (Err(error), Ok(())) | (Ok(_), Err(error)) => Err(error),
            (Err(error), Err(also)) => Err(error.and(also)),
        }
    }
}

impl<DB: Database> Drop for Session<'_, DB> {
    fn drop(&mut self) {
        if self.is_open {
            self.conn.abandon(&self.settings);
        }
    }
}
