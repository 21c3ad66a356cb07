//! The files of a directory: which there are, and what is in them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use molos_runtime::__private::normalise;
use molos_runtime::__private::script::position;

use crate::diagnostic::Diagnostic;
use crate::read::source::Reader;

/// How many folders deep files are looked for: a symbolic link may lead around in a circle.
pub(crate) const DEPTH: usize = 6;

impl Reader<'_> {
    /// The `.sql` files of the directory and of the folders in it, without those that are to be ignored.
    pub(super) fn sql_files(&mut self, ignore: &[String]) -> Result<Vec<String>, Diagnostic> {
        let directory = self.directory.clone();
        if Path::new(&directory).is_absolute() {
            return Err(Diagnostic::new(format!("`{directory}` is an absolute path"))
                .note("the program could then be compiled on this machine only")
                .help("write it relative to the Cargo.toml of the crate that is compiled"));
        }
        let root = self.root.canonicalize().map_err(|error| match error.kind() {
            ErrorKind::NotFound => Diagnostic::new(format!("there is no directory `{directory}`"))
                .note("it is looked for beside the Cargo.toml of the crate that is compiled")
                .help(format!("create it, with a first migration `{directory}/001_initial.sql`")),
            _ => Diagnostic::new(format!("the directory `{directory}` cannot be read: {error}")),
        })?;
        if !root.is_dir() {
            return Err(Diagnostic::new(format!("`{directory}` is no directory"))
                .help("name the directory that the migrations are in"));
        }
        let mut files = Vec::new();
        let mut folders = vec![(String::new(), root.clone())];
        while let Some((prefix, folder)) = folders.pop() {
            for (name, path) in self.entries(&root, &folder, &prefix)? {
                if !path.is_dir() {
                    files.push(name);
                } else if name.matches('/').count() < DEPTH {
                    folders.push((format!("{name}/"), path));
                } else {
                    let shown = self.shown(&name);
                    let error = Diagnostic::new(format!("`{shown}` is more than {DEPTH} folders deep"));
                    self.errors.push(error.help("move it out of the directory of migrations"));
                }
            }
        }
        files.sort_unstable();
        let (mut files, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| is_sql(file));
        for other in others.into_iter().filter(|other| !ignore.contains(other)) {
            self.other_file(&other, &files);
        }
        files.sort_unstable();
        for ignored in ignore {
            let before = files.len();
            files.retain(|file| file != ignored);
            if files.len() == before && !self.root.join(ignored).is_file() {
                self.errors.push(
                    Diagnostic::new(format!("`ignore` names `{ignored}`, and `{directory}` holds no such file"))
                        .help("take it out of the list, or correct its name"),
                );
            }
        }
        if files.is_empty() && self.errors.is_empty() {
            return Err(Diagnostic::new(format!("the directory `{directory}` holds no migrations")).help(format!(
                "add a first one, `{directory}/001_initial.sql`, with the SQL that creates the schema"
            )));
        }
        Ok(files)
    }

    /// The names and real paths of what is in `folder`, without what is hidden.
    fn entries(&mut self, root: &Path, folder: &Path, prefix: &str) -> Result<Vec<(String, PathBuf)>, Diagnostic> {
        let unreadable =
            |shown: String, error: std::io::Error| Diagnostic::new(format!("`{shown}` cannot be read: {error}"));
        let shown = self.shown(prefix.trim_end_matches('/'));
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| unreadable(shown.clone(), error))? {
            let entry = entry.map_err(|error| unreadable(shown.clone(), error))?;
            let os_name = entry.file_name();
            let name = os_name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let relative = format!("{prefix}{name}");
            let shown = self.shown(&relative);
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if os_name.to_str().is_none() {
                if is_sql(&relative) {
                    self.errors
                        .push(Diagnostic::new(format!("the name of `{shown}` is not UTF-8")).help("rename the file"));
                }
                continue;
            }
            if !is_link {
                entries.push((relative, entry.path()));
                continue;
            }
            match entry.path().canonicalize() {
                Ok(path) if path.starts_with(root) => entries.push((relative, path)),
                Ok(_) => self.errors.push(
                    Diagnostic::new(format!("the symbolic link `{shown}` leads out of the directory"))
                        .note("the same commit would then build into different programs on different machines")
                        .help("put the file itself into the directory"),
                ),
                Err(error) => self.errors.push(
                    Diagnostic::new(format!("the symbolic link `{shown}` leads nowhere: {error}")).help("remove it"),
                ),
            }
        }
        entries.sort_unstable();
        Ok(entries)
    }

    /// The normalised text of a file.
    pub(super) fn text(&mut self, path: &str) -> Option<Arc<str>> {
        let shown = self.shown(path);
        let error = match fs::read(self.root.join(path)) {
            Err(error) => Diagnostic::new(format!("`{shown}` cannot be read: {error}")),
            Ok(bytes) => match String::from_utf8(bytes) {
                Err(error) => {
                    let line =
                        position(&String::from_utf8_lossy(error.as_bytes()), error.utf8_error().valid_up_to()).line;
                    Diagnostic::new(format!("`{shown}` is not UTF-8: line {line} has a byte that is no character"))
                        .help("save the file as UTF-8")
                }
                Ok(text) => match text.find('\0') {
                    None => return Some(normalise(&text).into()),
                    Some(at) => {
                        let line = position(&text, at).line;
                        let error = Diagnostic::new(format!("`{shown}` has a NUL character in line {line}"));
                        (self.rules.explain_nul)(error)
                    }
                },
            },
        };
        self.errors.push(error);
        None
    }
}

fn is_sql(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("sql"))
}
