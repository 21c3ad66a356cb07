//! The macro on directories for SQLite.

mod attempts;
mod causes;
mod directories;
mod random;
mod touched;
mod with_rows;

use std::fs;

use crate::check::{Checked, check};
use crate::dialect::Dialect as _;
use crate::input::Input;
use crate::read::source::{self, Source};
use crate::sqlite::Sqlite;
use crate::sqlite::sandbox::Sandbox;

/// What comes of scripts that are run one after the other, with options of the macro. A script that begins with `down:` is
/// the down migration of the one before it.
fn checked(options: &str, scripts: &[&str]) -> (Input, Source, Checked) {
    let manifest = tempfile::tempdir().expect("a directory");
    let directory = manifest.path().join("migrations");
    fs::create_dir(&directory).expect("a directory");
    let mut version = 0;
    for script in scripts {
        let (ending, sql) = script.strip_prefix("down:").map_or((".sql", *script), |down| (".down.sql", down));
        version += usize::from(ending == ".sql");
        fs::write(directory.join(format!("{version}_step{ending}")), sql).expect("a file");
    }
    let input: Input = syn::parse_str(options).expect("options");
    let source = source::read(&input, manifest.path(), &Sqlite::RULES);
    let checked = check::<Sandbox>(&source, &input).unwrap_or_else(Checked::from);
    (input, source, checked)
}
