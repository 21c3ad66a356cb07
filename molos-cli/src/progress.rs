//! How far a migration is, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use molos_runtime::__private::visible;
use molos_runtime::{Event, Migrator, Step};

use crate::output::note;

/// A progress bar on stderr; nothing where that is no terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar for so many steps.
    pub(crate) fn new(steps: usize) -> Self {
        const TEMPLATE: &str = "{spinner} [{bar:24}] {pos}/{len} {msg} ({elapsed})";
        let bar = ProgressBar::new(steps.try_into().unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Shows what the migrator does.
    pub(crate) fn follow<'m>(&self, migrator: Migrator<'m>) -> Migrator<'m> {
        let bar = self.0.clone();
        migrator.on_event(move |event| show(&bar, event))
    }

    /// Removes the bar.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

fn show(bar: &ProgressBar, event: &Event<'_>) {
    match event {
        Event::Waiting { waited, timeout, .. } => {
            let (waited, timeout) = (waited.as_secs(), timeout.as_secs());
            bar.set_message(format!("another connection has the database: waited {waited} s of {timeout} s"));
        }
        Event::BackedUp { path, .. } => bar.suspend(|| note(format!("copied the database to {}", path.display()))),
        Event::Started { step, .. } => bar.set_message(name(step)),
        Event::Statement { step, number, count, .. } if *count > 1 => {
            bar.set_message(format!("{}, statement {number} of {count}", name(step)));
        }
        Event::Finished { .. } => bar.inc(1),
        _ => {}
    }
}

fn name(step: &Step) -> String {
    format!("{} {}", step.version, visible(&step.name))
}
