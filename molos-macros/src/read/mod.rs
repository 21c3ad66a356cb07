//! From a directory to its migrations, in order: what the files are named, what is in them, and what has shipped.

pub(crate) mod directive;
mod directory;
pub(crate) mod file;
pub(crate) mod lock;
mod migrations;
mod sections;
pub(crate) mod source;

use crate::diagnostic::Diagnostic;
use crate::read::file::Script;

/// What a database says of files before it runs them.
pub(crate) struct Rules {
    /// What in a script that is run without a transaction has to be in one.
    pub(crate) check_no_transaction: fn(&Script) -> Vec<Diagnostic>,
    /// The statements that need no transaction, in words.
    pub(crate) need_no_transaction: &'static str,
    /// Says what a NUL character in a file would do, and what to write instead.
    pub(crate) explain_nul: fn(Diagnostic) -> Diagnostic,
}
