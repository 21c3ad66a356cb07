//! A directory becomes an ordered list of migrations.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use molos_runtime::layout::{self, Layout, Misnamed, Named};
use molos_runtime::script::{is_blank, position};
use molos_runtime::{Checksum, down_path, normalise};
use syn::LitStr;

use crate::diagnostic::{Diagnostic, list};
use crate::directive;
use crate::file::{MigrationFile, Script, Source};
use crate::input::{Input, normal};
use crate::outside;
use crate::sections;

/// Reads the directory that `input` names, below `manifest`, and those that it comes after.
pub(crate) fn read(input: &Input, manifest: &Path) -> Source {
    let of_base = |base: &str| {
        let ignored = input.ignore.iter().map(LitStr::value);
        let inside = ignored.filter_map(|file| Some(file.strip_prefix(base)?.strip_prefix('/')?.to_owned()));
        inside.collect::<Vec<_>>()
    };
    let mut own: Vec<String> = input.ignore.iter().map(LitStr::value).collect();
    let mut bases = Vec::new();
    for after in &input.after {
        let directory = normal(&after.value());
        own.retain(|file| !file.strip_prefix(&directory).is_some_and(|rest| rest.starts_with('/')));
        bases.push(read_directory(&directory, &of_base(&directory), &format!("{directory}/"), manifest));
    }
    let mut source = read_directory(&normal(&input.directory), &own, "", manifest);
    let of_bases: Vec<Diagnostic> = bases.iter_mut().flat_map(|base| std::mem::take(&mut base.errors)).collect();
    source.errors.splice(0..0, of_bases);
    Source { bases, ..source }
}

fn read_directory(directory: &str, ignore: &[String], ignored_as: &str, manifest: &Path) -> Source {
    let (directory, ignored_as) = (directory.to_owned(), ignored_as.to_owned());
    let mut reader = Reader { root: manifest.join(&directory), directory, ignored_as, errors: Vec::new() };
    let files = reader.sql_files(ignore).unwrap_or_else(|error| {
        reader.errors.push(error);
        Vec::new()
    });
    let migrations = reader.migrations(&files);
    Source { directory: reader.directory, migrations, files, errors: reader.errors, bases: Vec::new() }
}

struct Reader {
    directory: String,
    root: PathBuf,
    /// What a file's name begins with where the macro's option `ignore` names it.
    ignored_as: String,
    errors: Vec<Diagnostic>,
}

impl Reader {
    fn shown(&self, path: &str) -> String {
        format!("{}/{path}", self.directory)
    }

    /// The `.sql` files of the directory and of the folders in it, without those that are to be ignored.
    fn sql_files(&mut self, ignore: &[String]) -> Result<Vec<String>, Diagnostic> {
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
        for (name, path) in self.entries(&root, &root, "")? {
            if !path.is_dir() {
                files.push(name);
                continue;
            }
            let inside = self.entries(&root, &path, &format!("{name}/"))?;
            files.extend(inside.into_iter().filter(|(_, path)| !path.is_dir()).map(|(name, _)| name));
        }
        files.retain(|file| is_sql(file));
        files.sort_unstable();
        for ignored in ignore {
            let before = files.len();
            files.retain(|file| file != ignored);
            if files.len() == before {
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

    fn migrations(&mut self, files: &[String]) -> Vec<MigrationFile> {
        let mut ups = Vec::new();
        let mut downs = BTreeMap::new();
        for path in files {
            match layout::parse(path) {
                Err(misnamed) => {
                    let error = self.misnamed(path, misnamed);
                    self.errors.push(error);
                }
                Ok(named) => {
                    let Some(file) = self.text(path) else { continue };
                    match named {
                        Named::Down => {
                            let range = 0..file.len();
                            let script = self.script(path, file, range);
                            self.check_down(&script);
                            downs.insert(path.clone(), script);
                        }
                        Named::Up { layout, version, name } => {
                            ups.extend(self.migration(path, file, layout, version, name));
                        }
                    }
                }
            }
        }
        for up in &mut ups {
            let down = downs.remove(&down_path(&up.up.path));
            if let Some(down) = down.as_ref().or(up.down.as_ref()).filter(|down| !is_blank(down.sql()))
                && up.up.directives.irreversible.is_some()
            {
                let title = format!("`{}` says that it is irreversible, and has a way back", self.shown(&up.up.path));
                self.errors.push(
                    Diagnostic::new(title)
                        .note(format!("the way back is in `{}`", self.shown(&down.path)))
                        .help("remove one of the two"),
                );
            }
            let Some(down) = down else { continue };
            if up.sectioned {
                self.errors.push(
                    Diagnostic::new(format!("`{}` has a down file beside its sections", self.shown(&up.up.path)))
                        .help(format!("keep one of the two; the file is `{}`", self.shown(&down.path))),
                );
            }
            up.down = Some(down).filter(|down| !is_blank(down.sql()));
        }
        for path in downs.keys() {
            let error = self.down_alone(path, &ups);
            self.errors.push(error);
        }
        self.check_layouts(&ups);
        ups.sort_by(|a, b| (a.version, &a.up.path).cmp(&(b.version, &b.up.path)));
        self.check_versions(&ups);
        ups.dedup_by_key(|up| up.version);
        ups
    }

    fn migration(
        &mut self,
        path: &str,
        file: Arc<str>,
        layout: Layout,
        version: i64,
        name: Range<usize>,
    ) -> Option<MigrationFile> {
        let sections = match sections::parse(&file) {
            Some(Ok(sections)) => Some(sections),
            Some(Err((range, error))) => {
                self.errors.push(error.at(&self.shown(path), &file, range, ""));
                return None;
            }
            None => None,
        };
        let sectioned = sections.is_some();
        let (up, down) = sections.map_or((0..file.len(), None), |sections| (sections.up, sections.down));
        let up = self.script(path, Arc::clone(&file), up);
        let down = down.filter(|range| !is_blank(&file[range.clone()]));
        let down = down.map(|range| self.script(path, file, range));
        if let Some(down) = &down {
            self.check_down(down);
        }
        let checksum = Checksum::of(up.sql());
        Some(MigrationFile { version, name, up, down, checksum, layout, sectioned })
    }

    fn script(&mut self, path: &str, file: Arc<str>, range: Range<usize>) -> Script {
        let (directives, wrong) = directive::parse(&file[range.clone()]);
        for (within, error) in wrong {
            let place = range.start + within.start..range.start + within.end;
            self.errors.push(error.at(&self.shown(path), &file, place, ""));
        }
        let script = Script { path: path.to_owned(), file, range, directives };
        if script.directives.no_transaction {
            self.errors.extend(outside::check(&script, &self.shown(path)));
        }
        script
    }

    fn check_down(&mut self, down: &Script) {
        if down.directives.irreversible.is_some() {
            self.errors.push(
                Diagnostic::new(format!("`{}` is a way back, and cannot be irreversible", self.shown(&down.path)))
                    .help("write the directive above the first statement of the way up, and remove the way back"),
            );
        }
    }

    /// The normalised text of a file.
    fn text(&mut self, path: &str) -> Option<Arc<str>> {
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
                        Diagnostic::new(format!("`{shown}` has a NUL character in line {line}"))
                            .note("SQLite would read no further than this")
                            .help("remove it; in a value, write `char(0)` or `x'00'`")
                    }
                },
            },
        };
        self.errors.push(error);
        None
    }

    fn misnamed(&self, path: &str, misnamed: Misnamed) -> Diagnostic {
        let shown = self.shown(path);
        match misnamed {
            Misnamed::TooLarge => Diagnostic::new(format!("the version of `{shown}` is too large"))
                .help(format!("the largest version is {}", i64::MAX)),
            Misnamed::NoLayout => Diagnostic::new(format!("`{shown}` is not named like a migration"))
                .note(
                    "a migration is `001_name.sql`, `001_name.up.sql`, `V1__name.sql` or `001_name/up.sql`, \
                     its way back `001_name.down.sql` or `001_name/down.sql`",
                )
                .help(format!(
                    "rename it; if it is no migration, write `ignore = [\"{}{path}\"]` after the directory",
                    self.ignored_as
                )),
        }
    }

    fn down_alone(&self, path: &str, ups: &[MigrationFile]) -> Diagnostic {
        let error = Diagnostic::new(format!("`{}` takes back a migration that is not there", self.shown(path)));
        let digits = |path: &str| path.trim_start_matches('0').split(['_', '-']).next().map(ToOwned::to_owned);
        match ups.iter().find(|up| digits(&up.up.path) == digits(path)) {
            Some(up) => {
                let (up, right) = (self.shown(&up.up.path), self.shown(&down_path(&up.up.path)));
                error.help(format!("the way back of `{up}` is named `{right}`"))
            }
            None => error.help("add the migration, or remove this file"),
        }
    }

    fn check_layouts(&mut self, ups: &[MigrationFile]) {
        let layouts: BTreeSet<(Layout, bool)> = ups
            .iter()
            .filter(|up| up.sectioned || !is_blank(up.up.sql()))
            .map(|up| (up.layout, up.sectioned))
            .collect();
        if layouts.len() < 2 {
            return;
        }
        let mut error = Diagnostic::new(format!("`{}` mixes ways to lay out migrations", self.directory));
        for (layout, sectioned) in layouts {
            if let Some(up) = ups.iter().find(|up| (up.layout, up.sectioned) == (layout, sectioned)) {
                let kind = if sectioned { "one file with up and down sections" } else { layout.example() };
                error = error.note(format!("`{}` is laid out as {kind}", self.shown(&up.up.path)));
            }
        }
        self.errors.push(error.help("rename the files so that all follow one of these"));
    }

    fn check_versions(&mut self, ups: &[MigrationFile]) {
        let same = ups.chunk_by(|a, b| a.version == b.version).filter(|same| same.len() > 1);
        let next = ups.last().and_then(|last| last.version.checked_add(1));
        let errors: Vec<_> = same
            .map(|same| {
                let error = Diagnostic::new(format!(
                    "{} have the same version, {}",
                    list(same.iter().map(|up| self.shown(&up.up.path))),
                    same[0].version
                ));
                match next {
                    Some(next) => error.help(format!("renumber the newer one; the next free version is {next}")),
                    None => error.help("renumber the newer one"),
                }
            })
            .collect();
        self.errors.extend(errors);
    }
}

fn is_sql(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("sql"))
}
