//! Waiting for another connection that holds the database.

use std::time::{Duration, Instant};

use super::failed;
use crate::database::{DatabaseError, Failure, Transact};
use crate::model::error::{Error, ErrorKind};
use crate::model::event::{Event, Listener};

/// How long one attempt after the other is made.
pub(crate) struct Wait<'l> {
    started: Instant,
    timeout: Duration,
    pause: Duration,
    listener: Listener<'l>,
}

impl<'l> Wait<'l> {
    pub(crate) fn new(timeout: Duration, listener: Listener<'l>) -> Self {
        Self { started: Instant::now(), timeout, pause: Duration::from_millis(1), listener }
    }

    /// Waits before the next attempt at what is being done, or gives up because of the `error` that the last one ended
    /// with.
    pub(crate) async fn after<T: Transact>(
        &mut self,
        conn: &mut T,
        doing: &'static str,
        error: DatabaseError,
    ) -> Result<(), Error> {
        const LONGEST_PAUSE: Duration = Duration::from_millis(50);
        if error.failure != Failure::Busy {
            return Err(failed(doing, error));
        }
        let waited = self.started.elapsed();
        let left = self.timeout.saturating_sub(waited);
        if left.is_zero() {
            return Err(Error::new(ErrorKind::Busy { waited }).because(error.source));
        }
        self.listener.emit(&Event::Waiting { waited, timeout: self.timeout });
        conn.pause(self.pause.min(left)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// What an attempt ended with, as an error only if it is worth another.
pub(crate) async fn unless_busy<T>(
    attempt: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<Result<T, DatabaseError>, DatabaseError> {
    match attempt.await {
        Err(error) if error.failure == Failure::Busy => Err(error),
        result => Ok(result),
    }
}

/// Tries until no other connection holds what is wanted, or the migrator's timeout is over. It is no function, since
/// an asynchronous closure that borrows the connection cannot be said to be [`Send`].
macro_rules! when_free {
    ($migrator:expr, $conn:expr, $attempt:expr, $doing:expr) => {{
        let mut wait = $migrator.wait();
        loop {
            match $attempt.await {
                Ok(value) => break Ok(value),
                Err(error) => match wait.after($conn, $doing, error).await {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
            }
        }
    }};
}

pub(crate) use when_free;
