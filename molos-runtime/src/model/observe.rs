//! What happens, for the `tracing` ecosystem: a span for each call, one for each step in it, and the events.
//!
//! Without the feature `tracing` these are empty, and cost nothing.

#[cfg(feature = "tracing")]
pub(crate) use on::{event, in_call, in_step, wants_statements};

#[cfg(not(feature = "tracing"))]
pub(crate) use off::{event, in_call, in_step, wants_statements};

#[cfg(feature = "tracing")]
mod on {
    use std::time::Duration;

    use tracing::{Instrument as _, Level, debug, enabled, info, info_span, warn};

    use crate::model::error::Step;
    use crate::model::event::Event;
    use crate::model::migration::Direction;

    /// Does the work of a call in a span of its own.
    pub(crate) fn in_call<F: Future>(direction: Direction, sets: &[&str], work: F) -> impl Future<Output = F::Output> {
        let span = match direction {
            Direction::Up => info_span!(target: "molos", "migrate", sets = sets.join(", ")),
            Direction::Down => info_span!(target: "molos", "rollback", sets = sets.join(", ")),
        };
        work.instrument(span)
    }

    /// Does the work of a step in a span of its own.
    pub(crate) fn in_step<F: Future>(step: &Step, direction: Direction, work: F) -> impl Future<Output = F::Output> {
        let span = info_span!(
            target: "molos",
            "step",
            set = step.set,
            version = step.version,
            name = step.name,
            direction = %direction,
        );
        work.instrument(span)
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
    use crate::model::error::Step;
    use crate::model::event::Event;
    use crate::model::migration::Direction;

    pub(crate) fn in_call<F: Future>(_direction: Direction, _sets: &[&str], work: F) -> F {
        work
    }

    pub(crate) fn in_step<F: Future>(_step: &Step, _direction: Direction, work: F) -> F {
        work
    }

    pub(crate) fn wants_statements() -> bool {
        false
    }

    pub(crate) fn event(_event: &Event<'_>) {}
}
