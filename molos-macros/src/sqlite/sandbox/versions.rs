//! What differs between the versions of rusqlite that the workspace can be built with.

use molos_runtime::rusqlite;

/// The parts of rusqlite's interface that return nothing in its older versions and a `Result` in its newer ones.
pub(super) trait Done {
    fn done(self) -> rusqlite::Result<()>;
}

impl Done for () {
    fn done(self) -> rusqlite::Result<()> {
        Ok(())
    }
}

impl Done for i32 {
    fn done(self) -> rusqlite::Result<()> {
        Ok(())
    }
}

impl<T> Done for rusqlite::Result<T> {
    fn done(self) -> rusqlite::Result<()> {
        self.map(drop)
    }
}

pub(super) fn done(result: impl Done) -> rusqlite::Result<()> {
    result.done()
}
