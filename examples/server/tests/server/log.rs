//! What is logged, by thread: each test has one of its own.

use std::cell::RefCell;
use std::io;
use std::sync::LazyLock;

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static KEPT: LazyLock<()> = LazyLock::new(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log).init());

/// Has everything kept that is logged from now on. It comes before anything is, since `tracing` remembers of a place
/// that nobody listens to it.
pub fn keep() {
    LazyLock::force(&KEPT);
}

/// What this thread logs while `work` runs.
pub fn log_of(work: impl FnOnce()) -> String {
    LOG.take();
    work();
    String::from_utf8(LOG.take()).expect("text")
}
