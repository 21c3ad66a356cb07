//! Statements that another tool needed, and molos does not.

use crate::lint::finding::{Finding, NEEDLESS};
use crate::read::file::{MigrationFile, Step};

/// The statements of a migration that say what molos does anyway.
pub(crate) fn needless(file: &MigrationFile) -> impl Iterator<Item = Finding> {
    let steps = [Some(file.up()), file.down()].into_iter().flatten();
    steps.flat_map(move |Step { direction, script, .. }| {
        script.needless.iter().map(move |needless| Finding {
            version: file.version,
            direction,
            lint: NEEDLESS,
            subject: needless.subject.to_owned(),
            takes: None,
            place: Some(needless.range.start),
            diagnostic: script.underline(needless.diagnostic.clone(), needless.range.clone()),
        })
    })
}
