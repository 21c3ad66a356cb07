//! A directory becomes an ordered list of migrations.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use molos_runtime::__private::VersionOrder;
use molos_runtime::__private::layout::FileNames;
use syn::LitStr;

use crate::diagnostic::Diagnostic;
use crate::input::{Files, Input, normal};
use crate::read::Rules;
use crate::read::file::MigrationFile;

/// The migrations of a directory.
pub(crate) struct Source {
    /// The directory as the user wrote it, with forward slashes and none at the end.
    pub(crate) directory: String,
    /// The migrations, in the order of their versions.
    pub(crate) migrations: Vec<MigrationFile>,
    pub(crate) order: VersionOrder,
    /// Every file that was read, relative to the directory.
    pub(crate) files: Vec<String>,
    /// What is wrong with the directory.
    pub(crate) errors: Vec<Diagnostic>,
    /// The directories that this one comes after.
    pub(crate) bases: Vec<Source>,
}

/// Reads the directory that `input` names, below `manifest`, and those that it comes after.
pub(crate) fn read(input: &Input, manifest: &Path, rules: &'static Rules) -> Source {
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
        let ignored = of_base(&directory);
        bases.push(read_directory(&directory, FileNames::Layout, &ignored, &format!("{directory}/"), manifest, rules));
    }
    let listed: Vec<String> = match &input.files {
        Files::Layout => Vec::new(),
        Files::Pattern(pattern) => vec![pattern.value()],
        Files::Listed(list) => list.iter().map(LitStr::value).collect(),
    };
    let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
    let names = match (&input.files, listed.as_slice()) {
        (Files::Pattern(_), [pattern]) => FileNames::Pattern(pattern),
        (Files::Listed(_), list) => FileNames::Listed(list),
        _ => FileNames::Layout,
    };
    let mut source = read_directory(&normal(&input.directory), names, &own, "", manifest, rules);
    let of_bases: Vec<Diagnostic> = bases.iter_mut().flat_map(|base| std::mem::take(&mut base.errors)).collect();
    source.errors.splice(0..0, of_bases);
    Source { bases, ..source }
}

fn read_directory(
    directory: &str,
    names: FileNames<'_>,
    ignore: &[String],
    ignored_as: &str,
    manifest: &Path,
    rules: &'static Rules,
) -> Source {
    let (directory, ignored_as) = (directory.to_owned(), ignored_as.to_owned());
    let mut reader = Reader {
        root: manifest.join(&directory),
        directory,
        names,
        ignored_as,
        rules,
        without_transaction: BTreeSet::new(),
        beside: Vec::new(),
        errors: Vec::new(),
    };
    let mut files = reader.sql_files(ignore).unwrap_or_else(|error| {
        reader.errors.push(error);
        Vec::new()
    });
    let (migrations, order) = reader.migrations(&files);
    files.extend(reader.beside);
    Source { directory: reader.directory, migrations, order, files, errors: reader.errors, bases: Vec::new() }
}

/// A directory while it is read.
pub(super) struct Reader<'i> {
    pub(super) directory: String,
    pub(super) names: FileNames<'i>,
    pub(super) root: PathBuf,
    /// What a file's name begins with where the macro's option `ignore` names it.
    pub(super) ignored_as: String,
    pub(super) rules: &'static Rules,
    /// The folders whose scripts are run without a transaction.
    pub(super) without_transaction: BTreeSet<String>,
    /// Files that say something of migrations, and are none.
    pub(super) beside: Vec<String>,
    pub(super) errors: Vec<Diagnostic>,
}

impl Reader<'_> {
    pub(super) fn shown(&self, path: &str) -> String {
        format!("{}/{path}", self.directory)
    }
}
