//! Questions to the person at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use molos_runtime::__private::visible;

use crate::interrupt;
use crate::output::Failure;

/// Asks before something that cannot be undone, if there is somebody to ask.
pub(crate) fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    if yes || !io::stdin().is_terminal() {
        return Ok(());
    }
    interrupt::end_if_requested();
    let answer = ask(question).map_err(|error| {
        Failure::new(
            format!("the question cannot be asked: {error}"),
            "nothing was changed; with --yes it is not asked",
        )
    })?;
    match answer.trim_ascii().to_ascii_lowercase().as_slice() {
        b"y" | b"yes" => Ok(()),
        _ => Err(Failure::Declined),
    }
}

/// The line that is answered, whatever its encoding.
fn ask(question: &str) -> io::Result<Vec<u8>> {
    let mut stderr = io::stderr();
    write!(stderr, "{} [y/N] ", visible(question))?;
    stderr.flush()?;
    let mut answer = Vec::new();
    io::stdin().lock().read_until(b'\n', &mut answer)?;
    Ok(answer)
}
