//! What a database is to the macro. A wing implements this, and nothing else of the macro knows which database it is.

use syn::Path;

use crate::check::shadow::Shadow;
use crate::read::Rules;
use crate::write::Library;

/// A kind of database.
pub(crate) trait Dialect {
    /// The database that steps are run on.
    type Shadow: Shadow;

    /// What can be said of files before they are run.
    const RULES: Rules;

    /// The version of the engine that steps are run by.
    fn engine_version() -> i32;

    /// The library by which generated code talks to the database, where `molos` is found.
    fn library(molos: &Path) -> Library;
}
