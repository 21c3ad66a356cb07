//! What happens, for the `tracing` ecosystem: a span for each call, one for each step in it, and the events.
//!
//! Without the feature `tracing` these are empty, and cost nothing.

#[cfg(feature = "tracing")]
pub(crate) use on::{call, event, step, wants_statements};

#[cfg(not(feature = "tracing"))]
pub(crate) use off::{call, event, step, wants_statements};

/// A span that lasts as long as this value.
pub(crate) struct Entered(
    #[cfg(feature = "tracing")]
    #[expect(dead_code, reason = "it is there to be dropped")]
    tracing::span::EnteredSpan,
);

#[cfg(feature = "tracing")]
mod on {
    use std::time::Duration;

    use tracing::{Level, debug, enabled, info, info_span, warn};

    use super::Entered;
    use crate::sets::Sets;
    use crate::{Direction, Event, Migration};

    pub(crate) fn call(direction: Direction, sets: &Sets<'_>) -> Entered {
        let span = match direction {
            Direction::Up => info_span!(target: "molos", "migrate", sets = sets.names().join(", ")),
            Direction::Down => info_span!(target: "molos", "rollback", sets = sets.names().join(", ")),
        };
        Entered(span.entered())
    }

    pub(crate) fn step(migration: &Migration<'_>, direction: Direction) -> Entered {
        let span = info_span!(
            target: "molos",
            "step",
            set = migration.set(),
            version = migration.version(),
            name = migration.name(),
            direction = %direction,
        );
        Entered(span.entered())
    }

    pub(crate) fn wants_statements() -> bool {
        enabled!(target: "molos", Level::DEBUG)
    }

    pub(crate) fn event(event: &Event<'_>) {
        match event {
            Event::Waiting { waited, timeout } => {
                debug!(target: "molos", waited_us = micros(*waited), timeout_us = micros(*timeout), "waiting");
            }
            Event::Started { .. } => debug!(target: "molos", "started"),
            Event::Statement { number, count, sql, .. } => {
                debug!(target: "molos", number, count, sql, "statement");
            }
            Event::Finished { elapsed, .. } => info!(target: "molos", elapsed_us = micros(*elapsed), "finished"),
            Event::BackedUp { path } => info!(target: "molos", path = %path.display(), "backed up"),
            Event::Committed => info!(target: "molos", "committed"),
            Event::RolledBack => warn!(target: "molos", "rolled back"),
        }
    }

    fn micros(duration: Duration) -> u64 {
        u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use super::Entered;
    use crate::sets::Sets;
    use crate::{Direction, Event, Migration};

    pub(crate) fn call(_direction: Direction, _sets: &Sets<'_>) -> Entered {
        Entered()
    }

    pub(crate) fn step(_migration: &Migration<'_>, _direction: Direction) -> Entered {
        Entered()
    }

    pub(crate) fn wants_statements() -> bool {
        false
    }

    pub(crate) fn event(_event: &Event<'_>) {}
}
