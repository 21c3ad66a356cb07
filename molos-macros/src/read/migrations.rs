//! Files become migrations: each with its version, its name and its down migration.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use molos_runtime::__private::down_path;
use molos_runtime::__private::layout::{self, Layout, Misnamed, Named};
use molos_runtime::Checksum;

use crate::diagnostic::{Diagnostic, list};
use crate::read::file::{MigrationFile, Script};
use crate::read::source::Reader;
use crate::read::{directive, sections};

impl Reader {
    pub(super) fn migrations(&mut self, files: &[String]) -> Vec<MigrationFile> {
        let (mut migrations, mut downs) = self.read_all(files);
        for migration in &mut migrations {
            let down = downs.remove(&down_path(&migration.up.path));
            self.check_irreversible(migration, down.as_ref());
            if let Some(down) = down {
                self.add_down(migration, down);
            }
        }
        for path in downs.keys() {
            let error = self.down_alone(path, &migrations);
            self.errors.push(error);
        }
        self.check_layouts(&migrations);
        migrations.sort_by(|a, b| (a.version, &a.up.path).cmp(&(b.version, &b.up.path)));
        self.check_versions(&migrations);
        migrations.dedup_by_key(|migration| migration.version);
        migrations
    }

    /// The migrations, and by their paths the down migrations that have a file of their own.
    fn read_all(&mut self, files: &[String]) -> (Vec<MigrationFile>, BTreeMap<String, Script>) {
        let mut migrations = Vec::new();
        let mut downs = BTreeMap::new();
        for path in files {
            let named = match layout::parse(path) {
                Ok(named) => named,
                Err(misnamed) => {
                    let error = self.misnamed(path, misnamed);
                    self.errors.push(error);
                    continue;
                }
            };
            let Some(file) = self.text(path) else { continue };
            match named {
                Named::Down => {
                    let range = 0..file.len();
                    let script = self.script(path, file, range);
                    self.check_down(&script);
                    downs.insert(path.clone(), script);
                }
                Named::Up { layout, version, name } => {
                    migrations.extend(self.migration(path, file, layout, version, name));
                }
            }
        }
        (migrations, downs)
    }

    /// Checks that a migration which says that it is irreversible has no down migration, in a file of its own or not.
    fn check_irreversible(&mut self, migration: &MigrationFile, down: Option<&Script>) {
        let down = down.or(migration.down.as_ref()).filter(|down| !down.is_blank());
        if let (Some(down), Some(_)) = (down, &migration.up.directives.irreversible) {
            let title = format!("`{}` says that it is irreversible, and has a down migration", migration.up.shown);
            self.errors.push(
                Diagnostic::new(title)
                    .note(format!("the down migration is in `{}`", down.shown))
                    .help("remove one of the two"),
            );
        }
    }

    fn add_down(&mut self, migration: &mut MigrationFile, down: Script) {
        if migration.sectioned {
            self.errors.push(
                Diagnostic::new(format!("`{}` has a down file beside its sections", migration.up.shown))
                    .help(format!("keep one of the two; the file is `{}`", down.shown)),
            );
        }
        migration.down = Some(down).filter(|down| !down.is_blank());
    }

    fn migration(
        &mut self,
        path: &str,
        file: Arc<str>,
        layout: Layout,
        version: i64,
        name: Range<usize>,
    ) -> Option<MigrationFile> {
        let sections = match sections::parse(&file, self.rules) {
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
        let down = down.filter(|range| !self.rules.is_blank(&file[range.clone()]));
        let down = down.map(|range| self.script(path, file, range));
        if let Some(down) = &down {
            self.check_down(down);
        }
        let checksum = Checksum::of(up.sql());
        Some(MigrationFile { version, name, up, down, checksum, layout, sectioned })
    }

    fn script(&mut self, path: &str, file: Arc<str>, range: Range<usize>) -> Script {
        let shown = self.shown(path);
        let (directives, wrong) = directive::parse(&file[range.clone()], self.rules);
        for (within, error) in wrong {
            let place = range.start + within.start..range.start + within.end;
            self.errors.push(error.at(&shown, &file, place, ""));
        }
        let script = Script { path: path.to_owned(), shown, file, range, directives, rules: self.rules };
        if script.directives.no_transaction {
            self.errors.extend((self.rules.check_no_transaction)(&script));
        }
        script
    }

    fn check_down(&mut self, down: &Script) {
        if down.directives.irreversible.is_some() {
            self.errors.push(
                Diagnostic::new(format!("`{}` is a down migration, and cannot be irreversible", down.shown)).help(
                    "write the directive above the first statement of the up migration, and remove the down migration",
                ),
            );
        }
    }

    fn misnamed(&self, path: &str, misnamed: Misnamed) -> Diagnostic {
        let shown = self.shown(path);
        match misnamed {
            Misnamed::TooLarge => Diagnostic::new(format!("the version of `{shown}` is too large"))
                .help(format!("the largest version is {}", i64::MAX)),
            Misnamed::NoLayout => Diagnostic::new(format!("`{shown}` is not named like a migration"))
                .note(
                    "a migration is `001_name.sql`, `001_name.up.sql`, `V1__name.sql` or `001_name/up.sql`, \
                     its down migration `001_name.down.sql` or `001_name/down.sql`",
                )
                .help(format!(
                    "rename it; if it is no migration, write `ignore = [\"{}{path}\"]` after the directory",
                    self.ignored_as
                )),
        }
    }

    fn down_alone(&self, path: &str, ups: &[MigrationFile]) -> Diagnostic {
        let error = Diagnostic::new(format!("`{}` rolls back a migration that is not there", self.shown(path)));
        let digits = |path: &str| path.trim_start_matches('0').split(['_', '-']).next().map(ToOwned::to_owned);
        match ups.iter().find(|up| digits(&up.up.path) == digits(path)) {
            Some(up) => {
                let (up, right) = (&up.up.shown, self.shown(&down_path(&up.up.path)));
                error.help(format!("the down migration of `{up}` is named `{right}`"))
            }
            None => error.help("add the migration, or remove this file"),
        }
    }

    fn check_layouts(&mut self, ups: &[MigrationFile]) {
        let layouts: BTreeSet<(Layout, bool)> =
            ups.iter().filter(|up| up.sectioned || !up.up.is_blank()).map(|up| (up.layout, up.sectioned)).collect();
        if layouts.len() < 2 {
            return;
        }
        let mut error = Diagnostic::new(format!("`{}` mixes ways to lay out migrations", self.directory));
        for (layout, sectioned) in layouts {
            if let Some(up) = ups.iter().find(|up| (up.layout, up.sectioned) == (layout, sectioned)) {
                let kind = if sectioned { "one file with up and down sections" } else { layout.example() };
                error = error.note(format!("`{}` is laid out as {kind}", up.up.shown));
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
                    list(same.iter().map(|up| &up.up.shown)),
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
