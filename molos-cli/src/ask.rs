//! Questions to the person at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::interrupt;
use crate::output::{Failure, visible};

/// Asks before something that cannot be taken back, if there is somebody to ask.
pub(crate) fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    let stdin = io::stdin();
    if yes || !stdin.is_terminal() {
        return Ok(());
    }
    interrupt::end_if_requested();
    let mut stderr = io::stderr();
    write!(stderr, "{} [y/N] ", visible(question))?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Declined),
    }
}
