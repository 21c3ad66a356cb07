//! The files of a directory that are not SQL, and mean something to the tool that it is from.

use std::path::Path;

use molos_runtime::__private::layout::{FileNames, Layout, Named};

use crate::diagnostic::Diagnostic;
use crate::read::source::Reader;

/// What diesel calls the file in which a migration says how it is to be run.
const METADATA: &str = "metadata.toml";

impl Reader<'_> {
    /// Reads what a file says of the migrations beside it, or says that it is not read; `scripts` are those that are SQL.
    pub(super) fn other_file(&mut self, path: &str, scripts: &[String]) {
        match path.split_once('/') {
            Some((folder, METADATA)) if scripts.iter().any(|script| script.starts_with(&format!("{folder}/"))) => {
                self.metadata(path, folder);
            }
            _ if is_program(path) => {
                let error = Diagnostic::new(format!("`{}` is a migration that is no SQL", self.shown(path)))
                    .note("molos embeds SQL, and would pass the step over")
                    .help("write what it does into an `.sql` file of its version, or what SQL cannot do into a hook")
                    .help(format!("if nothing of it is needed, write `ignore = [\"{}{path}\"]`", self.ignored_as));
                self.errors.push(error);
            }
            _ if is_script(path) => {
                let error = Diagnostic::new(format!("the name of `{}` does not end in `.sql`", self.shown(path)))
                    .note("golang-migrate would run it, and molos would pass it over")
                    .help(format!(
                        "rename it; if it is no migration, write `ignore = [\"{}{path}\"]`",
                        self.ignored_as
                    ));
                self.errors.push(error);
            }
            _ => {}
        }
    }

    /// Reads diesel's file beside the scripts of a migration.
    fn metadata(&mut self, path: &str, folder: &str) {
        let Some(text) = self.text(path) else { return };
        self.beside.push(path.to_owned());
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            match metadata(line) {
                Ok(true) => {}
                Ok(false) => {
                    self.without_transaction.insert(folder.to_owned());
                }
                Err(problem) => {
                    let error = Diagnostic::new(problem)
                        .help("there is `run_in_transaction = true`, which needs not be said, and `= false`");
                    self.errors.push(error.at(&self.shown(path), &text, start..start + line.trim_end().len(), ""));
                }
            }
            start += line.len();
        }
    }

    /// Whether a file beside this script says that it is run without a transaction.
    pub(super) fn is_without_transaction(&self, script: &str) -> bool {
        script.split_once('/').is_some_and(|(folder, _)| self.without_transaction.contains(folder))
    }
}

/// Whether a line leaves the migration in a transaction.
fn metadata(line: &str) -> Result<bool, &'static str> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let Some((key, value)) = line.split_once('=') else {
        return if line.is_empty() { Ok(true) } else { Err("this line of diesel's is not known") };
    };
    match (key.trim().trim_matches('"'), value.trim()) {
        ("run_in_transaction", "true") => Ok(true),
        ("run_in_transaction", "false") => Ok(false),
        _ => Err("this key or value of diesel's is not known"),
    }
}

/// Whether a file is named like a migration and ends like a program: goose's `.go`, refinery's `.rs` and others.
fn is_program(path: &str) -> bool {
    const ENDINGS: [&str; 14] =
        ["cs", "ex", "exs", "go", "java", "js", "kt", "mjs", "php", "py", "rb", "rs", "sh", "ts"];
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let stem = path.strip_suffix(ending).unwrap_or_default();
    let is_up = |path: String| matches!(FileNames::Layout.parse(&path), Ok(Named::Up { .. }));
    ENDINGS.contains(&ending.to_ascii_lowercase().as_str()) && !stem.ends_with("_test.") && is_up(format!("{stem}sql"))
}

/// Whether golang-migrate takes a file for a migration, whatever it ends in.
fn is_script(path: &str) -> bool {
    let read = FileNames::Layout.parse(&format!("{path}.sql"));
    matches!(read, Ok(Named::Up { layout: Layout::UpDown, .. } | Named::Down { layout: Layout::UpDown, .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_from_what_only_lies_there() {
        for path in ["00003_fill.go", "V2__fill.rs", "20240101_x.py", "1-a/up.js", "3_x.up.ts"] {
            assert!(is_program(path), "{path}");
        }
        for path in ["migrations.go", "mod.rs", "00003_fill_test.go", "README.md", "001_notes.txt", "meta/0001_x.json"]
        {
            assert!(!is_program(path), "{path}");
        }
    }

    #[test]
    fn what_only_golang_migrate_takes_for_a_script_is_known() {
        for path in ["1_a.up.cql", "1_a.down.sqlite3", "1_a.up.", "20240101_a.up.json"] {
            assert!(is_script(path), "{path}");
        }
        for path in ["1_a.txt", "a.up.cql", "notes.down.md", "meta/1_a.up.json"] {
            assert!(!is_script(path), "{path}");
        }
    }

    #[test]
    fn diesels_metadata_has_one_key() {
        assert_eq!(metadata("run_in_transaction = false # it is large\n"), Ok(false));
        assert_eq!(metadata("run_in_transaction=true"), Ok(true));
        assert_eq!(metadata("# no more\n"), Ok(true));
        for line in ["run_in_transaction = no", "timeout = 3", "[transaction]", "run_in_transaction = \"false\""] {
            assert!(metadata(line).is_err(), "{line}");
        }
    }
}
