//! The SQLite wing: a sandbox to run steps in, rows to run them on, and what SQLite's errors mean for an author.

mod affinity;
mod canaries;
mod explain;
mod keys;
mod needless;
mod no_transaction;
mod references;
mod refusal;
mod sandbox;
mod shadow;
mod statements;
mod tables;

use std::collections::BTreeSet;

use molos_runtime::database::{Database as _, DatabaseError};
use molos_runtime::rusqlite;
use quote::quote;
use syn::Path;

use crate::check::broken;
use crate::diagnostic::Diagnostic;
use crate::dialect::Dialect;
use crate::read::Rules;
use crate::sqlite::sandbox::Sandbox;
use crate::write::Library;

/// SQLite 3.44 has functions that rusqlite uses since 0.41, whose bindings are those of SQLite 3.54.
#[cfg(sqlite_before_3_44)]
const _: () = assert!(
    rusqlite::ffi::SQLITE_VERSION_NUMBER < 3_054_000,
    "the system's SQLite is older than 3.44, and too old for rusqlite 0.41 and later: \
     run `cargo update -p rusqlite --precise 0.40.0`, or turn on the feature `bundled` of molos"
);

/// SQLite.
pub(crate) struct Sqlite;

/// What a text of SQLite's, or one about its SQL, may be about.
fn words(sql: &str) -> BTreeSet<String> {
    Sqlite::RULES.words(sql)
}

impl Dialect for Sqlite {
    type Shadow = Sandbox;

    const RULES: Rules = Rules {
        tokens: molos_runtime::Sqlite::tokens,
        statements: molos_runtime::Sqlite::statements,
        check_no_transaction: no_transaction::check,
        needless: needless::needless,
        explain_nul: |error| {
            error
                .note("SQLite would read no further than this")
                .help("remove it; in a value, write `char(0)` or `x'00'`")
        },
    };

    fn engine_version() -> i32 {
        rusqlite::version_number()
    }

    fn library(molos: &Path) -> Library {
        Library {
            row: quote!(#molos::rusqlite::Row),
            result: quote!(#molos::rusqlite::Result),
            parameter: quote!(#molos::rusqlite::ToSql),
            any: quote!(#molos::rusqlite::types::Value),
        }
    }
}

impl From<rusqlite::Error> for Diagnostic {
    fn from(error: rusqlite::Error) -> Self {
        broken(&error)
    }
}

impl From<DatabaseError> for Diagnostic {
    fn from(error: DatabaseError) -> Self {
        broken(&error.source)
    }
}

#[cfg(test)]
mod tests;
