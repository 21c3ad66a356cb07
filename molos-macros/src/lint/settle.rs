//! What is made of findings: errors, warnings, or nothing.

use crate::check::Fingerprints;
use crate::diagnostic::{Diagnostic, list};
use crate::input::Input;
use crate::lint::finding::{Finding, Level, default_level};
use crate::read::lock::{Lock, REQUEST};
use crate::read::source::Source;

/// The findings by what is done about them.
#[derive(Default)]
pub(crate) struct Settled {
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// Those that the lock is to note.
    pub(crate) accepted: Vec<Finding>,
}

/// Looks up what the files, the lock and the macro's options say of the findings.
pub(crate) fn settle(
    mut findings: Vec<Finding>,
    source: &Source,
    passed: &Fingerprints,
    lock: &Lock,
    input: &Input,
) -> Settled {
    let mut settled = Settled::default();
    for file in &source.migrations {
        for step in [Some(file.up()), file.down()].into_iter().flatten() {
            let script = step.script;
            let is_here = |finding: &Finding| finding.version == file.version && finding.direction == step.direction;
            for allow in &script.directives.allows {
                let before = findings.len();
                findings.retain(|finding| {
                    let named = finding.lint == allow.lint && finding.subject.eq_ignore_ascii_case(&allow.subject);
                    !(is_here(finding) && named)
                });
                let is_known = passed.contains_key(&file.version) && !lock.holds(file.version);
                if findings.len() == before && is_known {
                    let others = findings.iter().filter(|finding| is_here(finding) && finding.lint == allow.lint);
                    let others = list(others.map(Finding::name));
                    let error = Diagnostic::new(format!("`{}` allows what it does not do", script.shown));
                    let help = if others.is_empty() {
                        "remove the line".to_owned()
                    } else {
                        format!("what it does is {others}")
                    };
                    settled.errors.push(script.underline(error, allow.range.clone()).help(help));
                }
            }
        }
    }
    // Said once: the first error that is read is the one to act on.
    let mut of_shipped =
        Some(format!("if it has shipped, leave it as it is, and run `{REQUEST}=baseline cargo build` once"));
    let newest = source.migrations.last().map(|file| file.version);
    for finding in findings {
        if lock.accepts(&finding) {
            settled.accepted.push(finding);
            continue;
        }
        let level = default_level(finding.lint);
        match input.lints.get(finding.lint).copied().unwrap_or(level) {
            Level::Allow => {}
            Level::Warn if level == Level::Warn || !lock.is_updated() => settled.warnings.push(finding.diagnostic),
            Level::Warn | Level::Deny => {
                let may_have_shipped = lock.file().is_none() && newest != Some(finding.version);
                let help = of_shipped.take_if(|_| may_have_shipped);
                settled.errors.push(help.into_iter().fold(finding.diagnostic, Diagnostic::help));
            }
        }
    }
    settled
}
