//! Files become migrations: each with its version, its name and its down migration.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use molos_runtime::__private::VersionOrder;
use molos_runtime::__private::down_path;
use molos_runtime::__private::layout::{self, Layout, Misnamed, Named};
use molos_runtime::__private::marks::Marks;
use molos_runtime::Checksum;

use crate::diagnostic::{Diagnostic, list};
use crate::read::directive::{self, Directives};
use crate::read::file::{MigrationFile, Script};
use crate::read::misnamed::list_help;
use crate::read::sections::{self, Section};
use crate::read::source::Reader;

/// What a file begins with that sqlx is to run without a transaction.
const SQLX_ALONE: &str = "-- no-transaction";

/// A down migration that has a file of its own.
struct DownFile {
    layout: Layout,
    version: i64,
    /// The bytes of the path that are its name.
    name: Range<usize>,
    script: Script,
}

impl DownFile {
    /// A migration that does nothing on the way up.
    fn alone(self) -> MigrationFile {
        let Self { layout, version, name, script } = self;
        let up = Script { range: 0..0, directives: Directives::default(), ..script.clone() };
        let checksum = Checksum::of(up.sql());
        let down = Some(script).filter(|down| !down.is_blank());
        MigrationFile { version, name, up, down, checksum, layout, marks: None }
    }
}

/// The down migration of the same version, where names need not agree.
fn of_version(up: &MigrationFile, downs: &mut BTreeMap<String, DownFile>) -> Option<Script> {
    let by_version = [Layout::UpDown, Layout::Given].contains(&up.layout);
    let is_its = |down: &DownFile| by_version && (down.layout, down.version) == (up.layout, up.version);
    let path = downs.iter().find(|(_, down)| is_its(down))?.0.clone();
    downs.remove(&path).map(|down| down.script)
}

impl Reader<'_> {
    pub(super) fn migrations(&mut self, files: &[String]) -> (Vec<MigrationFile>, VersionOrder) {
        self.check_listed(files);
        let (mut migrations, mut downs) = self.read_all(files);
        for migration in &mut migrations {
            let down = self.names.down_path(&migration.up.path).and_then(|path| downs.remove(&path));
            let down = down.map(|down| down.script).or_else(|| of_version(migration, &mut downs));
            self.check_irreversible(migration, down.as_ref());
            if let Some(down) = down {
                self.add_down(migration, down);
            }
        }
        let are_pairs = migrations.iter().any(|up| up.layout == Layout::UpDown);
        for (path, down) in downs {
            // golang-migrate takes it for a migration that does nothing on the way up.
            if are_pairs && !migrations.iter().any(|up| up.version == down.version) {
                migrations.push(down.alone());
                continue;
            }
            let error = self.down_alone(&path, &migrations);
            self.errors.push(error);
        }
        let has_one_layout = self.check_layouts(&migrations);
        let before_name = |migration: &MigrationFile| migration.name.start;
        let order = layout::order(migrations.iter().map(|up| (up.layout, up.marks, &up.up.path[..before_name(up)])));
        migrations.sort_by(|a, b| (order.key(a.version), &a.up.path).cmp(&(order.key(b.version), &b.up.path)));
        self.check_versions(&migrations, order);
        if has_one_layout {
            self.check_order(&migrations, order);
        }
        migrations.dedup_by_key(|migration| migration.version);
        (migrations, order)
    }

    /// The migrations, and by their paths the down migrations that have a file of their own.
    fn read_all(&mut self, files: &[String]) -> (Vec<MigrationFile>, BTreeMap<String, DownFile>) {
        let mut migrations = Vec::new();
        let mut misnamed = Vec::new();
        let mut downs = BTreeMap::new();
        for path in files {
            let named = match self.names.parse(path) {
                Ok(named) => named,
                Err(Misnamed::NoLayout) => {
                    misnamed.push(path.as_str());
                    continue;
                }
                Err(Misnamed::TooLarge) => {
                    let error = Diagnostic::new(format!("the version of `{}` is too large", self.shown(path)));
                    self.errors.push(error.help(format!("the largest version is {}", i64::MAX)));
                    continue;
                }
            };
            let Some(file) = self.text(path) else { continue };
            match named {
                Named::Down { layout, version, name } => {
                    if let Some(sections) = sections::parse(&file, self.rules) {
                        self.errors.push(self.sections_in_down(path, &file, sections.err()));
                        continue;
                    }
                    let range = 0..file.len();
                    let script = self.script(path, file, Section { range, no_transaction: false });
                    self.check_down(&script);
                    downs.insert(path.clone(), DownFile { layout, version, name, script });
                }
                Named::Up { layout, version, name } => {
                    migrations.extend(self.migration(path, file, layout, version, name));
                }
            }
        }
        if !misnamed.is_empty() {
            let error = self.misnamed(&misnamed, files);
            self.errors.push(error);
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
        if migration.marks.is_some() {
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
        let marks = sections.as_ref().map(|sections| sections.marks);
        let whole = || (Section { range: 0..file.len(), no_transaction: false }, None);
        let (up, down) = sections.map_or_else(whole, |sections| (sections.up, sections.down));
        let up = self.script(path, Arc::clone(&file), up);
        let down = down.filter(|down| !self.rules.is_blank(&file[down.range.clone()]));
        let down = down.map(|down| self.script(path, file, down));
        if let Some(down) = &down {
            self.check_down(down);
        }
        let checksum = Checksum::of(up.sql());
        Some(MigrationFile { version, name, up, down, checksum, layout, marks })
    }

    fn script(&mut self, path: &str, file: Arc<str>, section: Section) -> Script {
        let shown = self.shown(path);
        let Section { range, no_transaction } = section;
        let is_alone =
            no_transaction || self.is_without_transaction(path) || file[range.clone()].starts_with(SQLX_ALONE);
        let (directives, wrong) = directive::parse(&file[range.clone()], self.rules);
        for (within, error) in wrong {
            let place = range.start + within.start..range.start + within.end;
            self.errors.push(error.at(&shown, &file, place, ""));
        }
        let mut script =
            Script { path: path.to_owned(), shown, file, range, directives, rules: self.rules, needless: Vec::new() };
        // Where another tool is to run it without a transaction and no statement needs that, it is safer in one.
        let needs_none = is_alone && !script.is_blank() && (self.rules.check_no_transaction)(&script).is_empty();
        if needs_none {
            script.directives.no_transaction = true;
        } else if script.directives.no_transaction {
            self.errors.extend((self.rules.check_no_transaction)(&script));
        } else {
            script.needless = (self.rules.needless)(&script);
        }
        script
    }

    fn sections_in_down(&self, path: &str, file: &str, wrong: Option<(Range<usize>, Diagnostic)>) -> Diagnostic {
        let shown = self.shown(path);
        match wrong {
            Some((range, error)) => error.at(&shown, file, range, ""),
            None => Diagnostic::new(format!("`{shown}` is a down migration, and has sections"))
                .note("all of its statements would be run, those of the up section too")
                .help("keep only the statements that take the migration back, and no marks"),
        }
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

    fn check_layouts(&mut self, ups: &[MigrationFile]) -> bool {
        let layouts: BTreeSet<(Layout, Option<Marks>)> =
            ups.iter().filter(|up| up.marks.is_some() || !up.up.is_blank()).map(|up| (up.layout, up.marks)).collect();
        if layouts.len() < 2 {
            return true;
        }
        let mut error = Diagnostic::new(format!("`{}` mixes ways to lay out migrations", self.directory));
        for (layout, marks) in layouts {
            if let Some(up) = ups.iter().find(|up| (up.layout, up.marks) == (layout, marks)) {
                let sections = |marks| format!("one file with {}", sections::pair(marks));
                let kind = marks.map_or_else(|| layout.example().to_owned(), sections);
                error = error.note(format!("`{}` is laid out as {kind}", up.up.shown));
            }
        }
        self.errors.push(error.help("rename the files so that all follow one of these"));
        false
    }

    /// Checks that the order of the versions is that of the files: it is not where some versions have zeros before them,
    /// and others have not.
    fn check_order(&mut self, ups: &[MigrationFile], order: VersionOrder) {
        let sorted_by = |up: &MigrationFile| {
            let before = &up.up.path[..up.name.start];
            let digits: String = before.chars().filter(char::is_ascii_digit).collect();
            match order {
                VersionOrder::Number => None,
                VersionOrder::Text(_) => Some(digits),
                VersionOrder::FileName(_) => Some(digits + &before[before.len() - 1..]),
            }
        };
        let is_other =
            |pair: &[MigrationFile]| pair[0].version != pair[1].version && sorted_by(&pair[0]) > sorted_by(&pair[1]);
        let Some(pair) = ups.windows(2).find(|pair| is_other(pair)) else { return };
        let (first, second) = (&pair[1].up.shown, &pair[0].up.shown);
        self.errors.push(
            Diagnostic::new(format!("it cannot be told that `{first}` comes before `{second}`"))
                .note("the tool whose layout this is sorts versions as text, and here some have more zeros before them")
                .help("write all of them with as many digits"),
        );
    }

    fn check_versions(&mut self, ups: &[MigrationFile], order: VersionOrder) {
        let same = ups.chunk_by(|a, b| a.version == b.version).filter(|same| same.len() > 1);
        let next = ups.last().and_then(|last| order.after(last.version));
        let errors: Vec<_> = same
            .map(|same| {
                let error = Diagnostic::new(format!(
                    "{} have the same version, {}",
                    list(same.iter().map(|up| &up.up.shown)),
                    same[0].version
                ));
                let error = match next {
                    Some(next) => error.help(format!("renumber the newer one; the next free version is {next}")),
                    None => error.help("renumber the newer one"),
                };
                error.help(list_help(ups))
            })
            .collect();
        self.errors.extend(errors);
    }
}
