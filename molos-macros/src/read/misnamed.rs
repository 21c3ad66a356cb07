//! Files that are not named as the directory has it: one error for all of them, which says what would read them.

use molos_runtime::__private::layout::FileNames;
use molos_runtime::__private::pattern::proposal;

use crate::diagnostic::{Diagnostic, list};
use crate::read::file::MigrationFile;
use crate::read::source::Reader;

/// How many files are named before it is said how many there are.
const SHOWN: usize = 3;

/// How many stand in a list that is to be copied into the program.
const QUOTED: usize = 12;

impl Reader<'_> {
    /// What to say of these files, of all that there are.
    pub(super) fn misnamed(&self, misnamed: &[&str], all: &[String]) -> Diagnostic {
        let subject = if misnamed.len() == 1 { "it is" } else { "they are" };
        let paths = quoted(misnamed.iter().map(|path| format!("{}{path}", self.ignored_as)));
        let ignore = format!("if {subject} no migration, write `ignore = [{paths}]` after the directory");
        let error = if let [one] = misnamed {
            Diagnostic::new(format!("`{}` is not named like a migration", self.shown(one)))
        } else {
            let some = list(misnamed.iter().take(SHOWN));
            let more = match misnamed.len().saturating_sub(SHOWN) {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            let count = misnamed.len();
            Diagnostic::new(format!("{count} files of `{}` are not named like migrations", self.directory))
                .note(format!("they are {some}{more}"))
        };
        match self.names {
            FileNames::Pattern(pattern) => error
                .note(format!("`files` says that all are like `{pattern}`"))
                .help("correct the pattern")
                .help(ignore),
            FileNames::Listed(_) => error.help("add it to the list in `files`, behind the others").help(ignore),
            FileNames::Layout => {
                let error = error.note(
                    "a migration is `001_name.sql`, `001_name.up.sql`, `V1__name.sql` or `001_name/up.sql`, \
                     its down migration `001_name.down.sql` or `001_name/down.sql`",
                );
                let paths: Vec<&str> = all.iter().map(String::as_str).collect();
                match proposal(misnamed, &paths).filter(|_| self.ignored_as.is_empty()) {
                    Some(pattern) => {
                        error.help(format!("to read them as they are, write `files = \"{pattern}\"`")).help(ignore)
                    }
                    None => error
                        .help("rename what is one, or list the files in their order: `files = [\"first.sql\", …]`")
                        .help(ignore),
                }
            }
        }
    }

    /// Checks that every file that is listed is there.
    pub(super) fn check_listed(&mut self, files: &[String]) {
        let FileNames::Listed(listed) = self.names else { return };
        for path in listed.iter().filter(|path| !files.iter().any(|file| file == *path)) {
            let error = Diagnostic::new(format!("`files` lists `{path}`, and `{}` holds no such file", self.directory));
            self.errors.push(error.help("take it out of the list, or correct its name"));
        }
    }
}

/// How to embed files that have no order of their own.
pub(super) fn list_help(ups: &[MigrationFile]) -> String {
    let paths = quoted(ups.iter().map(|up| up.up.path.clone()));
    format!(
        "if both have shipped, list the files in the order in which they ran, `files = [{paths}]`: their versions are then \
         1, 2, 3, …, and a hook can do what stood between them"
    )
}

/// Paths as an option of the macro takes them.
fn quoted(paths: impl Iterator<Item = String>) -> String {
    let mut quoted: Vec<String> = paths.take(QUOTED + 1).map(|path| format!("\"{path}\"")).collect();
    if quoted.len() > QUOTED {
        quoted.truncate(QUOTED);
        quoted.push("…".to_owned());
    }
    quoted.join(", ")
}
