//! Questions to the person at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use molos_runtime::__private::visible;

use crate::interrupt;
use crate::output::Failure;

/// What happens where there is nobody to ask.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unattended {
    /// The losses were allowed when the migrations were written.
    GoesOn,
    /// Nobody has allowed them.
    IsRefused,
}

/// Asks before rows are lost, as `loss` says, which cannot be undone.
pub(crate) fn confirm(yes: bool, loss: &str, unattended: Unattended) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return match unattended {
            Unattended::GoesOn => Ok(()),
            Unattended::IsRefused => Err(Failure::new(
                format!("{loss}, and there is no terminal to ask at"),
                "nothing was changed; to go on, give --yes",
            )),
        };
    }
    interrupt::end_if_requested();
    let answer = ask(&format!("{loss}. Go on?")).map_err(|error| {
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
