//! Futures that need no executor.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;

/// A future in a box, which may be sent to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a future leads to that only does blocking work, and so is ready when it is first polled.
pub fn ready<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = work.as_mut().poll(&mut context) {
            return value;
        }
        thread::yield_now();
    }
}
