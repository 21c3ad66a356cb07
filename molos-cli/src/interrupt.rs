//! Ctrl-C, and the signals that ask a program to end.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use molos_runtime::Event;
use molos_runtime::rusqlite::{Connection, InterruptHandle};

use crate::output::note;

/// What a shell says of a program that Ctrl-C ended.
pub(crate) const EXIT_CODE: u8 = 130;

/// What the connection that is in use can be stopped by.
static RUNNING: Mutex<Option<InterruptHandle>> = Mutex::new(None);
static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether somebody asked to stop.
pub(crate) fn was_requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// From now on Ctrl-C ends the program in an orderly way. A program that has a handler of its own keeps it.
pub(crate) fn handle() {
    let _ = ctrlc::try_set_handler(requested);
}

/// Runs `call`, which Ctrl-C stops at the statement that is being run. What was asked before, and stopped nothing, is not
/// forgotten.
pub(crate) fn stoppable<T>(conn: &mut Connection, call: impl FnOnce(&mut Connection) -> T) -> T {
    set_running(Some(conn.get_interrupt_handle()));
    end_if_requested();
    let result = call(conn);
    set_running(None);
    result
}

/// Ends the program if somebody asked to: called where no statement is run that could be stopped.
pub(crate) fn end_if_requested() {
    if was_requested() {
        end();
    }
}

/// Ends the program if somebody asked to while it waits for another connection, when no statement is run.
pub(crate) fn end_while_waiting(event: &Event<'_>) {
    if matches!(event, Event::Waiting { .. }) {
        end_if_requested();
    }
}

fn set_running(handle: Option<InterruptHandle>) {
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = handle;
}

/// Interrupts what is running until it has ended: an interrupt is lost if it comes between two statements. The
/// second request does not wait for that; a transaction that is open is then undone by the next that opens the database.
fn requested() {
    let is_second = REQUESTED.swap(true, Ordering::SeqCst);
    if is_second || !interrupt() {
        end();
    }
    thread::spawn(|| {
        while interrupt() {
            thread::sleep(Duration::from_millis(5));
        }
    });
}

/// Whether there was something to interrupt.
fn interrupt() -> bool {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.as_ref().map(InterruptHandle::interrupt).is_some()
}

fn end() -> ! {
    note("\ninterrupted; what was not committed is undone");
    process::exit(EXIT_CODE.into());
}
