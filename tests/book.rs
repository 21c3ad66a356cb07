//! The book in `docs/` shows what there is, all of it, and nothing that no test has seen.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod instead {
    molos::embed_migrations!("docs/sql/instead");
}
mod molos_schema {
    molos::embed_migrations!("migrations");
}

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.replace("\r\n", "\n")
}

/// Every chapter, with its path.
fn chapters() -> Vec<(String, String)> {
    let summary = read("docs/src/SUMMARY.md");
    let names = summary.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    names.map(|(name, _)| format!("docs/src/{name}")).map(|path| (path.clone(), read(path))).collect()
}

/// The blocks of code in a chapter: what is said of the language, and the lines.
fn blocks(chapter: &str) -> Vec<(&str, Vec<&str>)> {
    let mut blocks: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut is_open = false;
    for line in chapter.lines() {
        match line.strip_prefix("```") {
            Some(language) if !is_open => blocks.push((language, Vec::new())),
            Some(_) => {}
            None if is_open => blocks.last_mut().unwrap().1.push(line),
            None => continue,
        }
        is_open ^= line.starts_with("```");
    }
    blocks
}

/// What a line pulls in: the file, from the root of the repository, and the lines of it.
fn include(line: &str) -> Option<(PathBuf, Option<&str>)> {
    let inside = line.strip_prefix("{{#include ")?.strip_suffix("}}")?;
    let (path, lines) = inside.split_once(':').map_or((inside, None), |(path, lines)| (path, Some(lines)));
    // From `docs/src`.
    let root = path.strip_prefix("../../").map(PathBuf::from);
    Some((root.or_else(|| Some(Path::new("docs").join(path.strip_prefix("../")?)))?, lines))
}

/// The names in double quotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('"').skip(1).step_by(2).collect()
}

fn headings(chapter: &str) -> BTreeSet<&str> {
    chapter.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`')).collect()
}

#[test]
fn what_is_to_be_written_instead_works() {
    let mut conn = molos::rusqlite::Connection::open_in_memory().unwrap();
    instead::MIGRATIONS.migrate(&mut conn).unwrap();
    molos::Migrator::new(&instead::MIGRATIONS).verify(&mut conn).unwrap();
}

#[test]
fn every_lint_has_a_section() {
    let source = read("molos-macros/src/lint/finding.rs");
    let constants = source.lines().filter(|line| line.contains(": &str = \""));
    let lints: BTreeSet<&str> = constants.flat_map(quoted).collect();
    assert!(lints.contains("drop-table"), "{lints:?}");
    assert_eq!(headings(&read("docs/src/lints.md")), lints);
}

#[test]
fn every_directive_has_a_section() {
    let source = read("molos-macros/src/read/directive.rs");
    let known = source.split("match nearest(name, &[").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    assert_eq!(headings(&read("docs/src/directives.md")), quoted(known).into_iter().collect());
}

#[test]
fn every_error_has_a_section_that_is_named_after_what_it_says() {
    let kinds = read("molos-runtime/src/model/error/kind.rs");
    let mut expected = BTreeSet::new();
    for item in kinds.split("\npub enum ").skip(1) {
        let (name, rest) = item.split_once(" {").unwrap();
        let variants = rest.split("\n}\n").next().unwrap().lines().filter_map(|line| line.strip_prefix("    "));
        let variants = variants.filter(|line| line.starts_with(char::is_uppercase));
        // A variant that holds an enum of problems is told problem by problem.
        let is_group = |line: &&str| kinds.contains(&format!("pub enum {}Problem", line.split('(').next().unwrap()));
        let is_told = |line: &&str| name != "Candidate" && !is_group(line) && !GROUPS.contains(line);
        expected.extend(variants.filter(is_told).map(|line| {
            let variant = line.split([' ', ',', '(']).next().unwrap();
            format!("{name}::{variant}")
        }));
    }
    assert!(
        expected.contains("ErrorKind::InTransaction") && expected.contains("DatabaseFailure::Full"),
        "{expected:?}"
    );

    let text = read("molos-runtime/src/model/error/text.rs");
    let text = text.replace("\\\n", "").split_whitespace().collect::<Vec<_>>().join(" ");
    let chapter = read("docs/src/recovery.md");
    let mut told = BTreeSet::new();
    for section in chapter.split("\n### ").skip(1) {
        let (heading, rest) = section.split_once("\n\n").unwrap();
        for part in heading.split('…').map(|part| part.trim_matches([' ', ':', ','])) {
            assert!(text.contains(part), "no error says \"{part}\"");
        }
        let name = rest.strip_prefix("[`").and_then(|rest| rest.split('`').next());
        told.insert(name.unwrap_or_else(|| panic!("no kind is named below \"{heading}\"")).to_owned());
    }
    assert_eq!(told, expected);
}

/// The variants of `ErrorKind` that say no more than which enum of problems is meant.
const GROUPS: &[&str] = &["Target {", "OtherHistory {", "Backup {", "Database(DatabaseFailure),"];

/// SQL is shown from files that are compiled somewhere, and a compiler's words from its snapshots.
#[test]
fn sql_and_compile_errors_are_those_of_tests() {
    const COMPILED: &[&str] = &["docs/sql/instead", "migrations", "tests/fixtures", "tests/compiler/tests/ui"];
    let mut shown = 0;
    for (path, chapter) in chapters() {
        for (language, lines) in blocks(&chapter) {
            let is_error = language == "text" && lines.iter().any(|line| line.contains("error: "));
            assert!(!is_error, "{path} has a compile error that is not from a snapshot");
            for line in lines.iter().filter(|_| language == "sql" || lines[0].starts_with("{{")) {
                let (file, range) = include(line).unwrap_or_else(|| panic!("{path}: `{line}` is not from a file"));
                let text = read(&file);
                assert!(COMPILED.iter().any(|compiled| file.starts_with(compiled)), "{path}: {}", file.display());
                if let Some(range) = range {
                    let first = text.lines().take_while(|line| !line.starts_with(" --> ")).count();
                    assert_eq!(range, format!("1:{first}"), "{path} shows another part of {}", file.display());
                }
                shown += 1;
            }
        }
    }
    assert!(shown > 50, "{shown}");
}

#[test]
fn rust_is_run_as_doctests() {
    let tested = read("src/book.rs");
    for (path, chapter) in chapters() {
        for (language, _) in blocks(&chapter) {
            // What is typed and answered is run by the tests of `examples/cli`.
            let is_run = language == "console" && path == "docs/src/command-line.md";
            let is_known = matches!(language, "rust" | "rust,no_run" | "sh" | "sql" | "text" | "toml");
            assert!(is_known || is_run, "{path}: {language}");
            assert!(!language.starts_with("rust") || tested.contains(&path), "{path} is not in src/book.rs");
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    // As mdbook makes them.
    let anchor = |heading: &str| -> String {
        let heading = heading.to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || c.is_whitespace() || "_-".contains(*c));
        kept.map(|c| if c.is_whitespace() { '-' } else { c }).collect()
    };
    let mut pages = chapters();
    pages.push(("README.md".to_owned(), read("README.md")));
    for (path, page) in &pages {
        let directory = Path::new(path).parent().unwrap();
        let inline = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let defined = page.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: ").map(|(_, link)| link));
        for link in inline.chain(defined).filter(|link| !link.starts_with("https://")) {
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { read(directory.join(file)) };
            let mut headings = target.lines().filter(|line| line.starts_with('#'));
            let is_there = headings.any(|line| anchor(line.trim_start_matches('#').trim_start()) == fragment);
            assert!(fragment.is_empty() || is_there, "{path}: {link} leads nowhere");
        }
    }
}

#[test]
fn drift_reads_like_this() {
    let mut conn = molos::rusqlite::Connection::open_in_memory().unwrap();
    molos_schema::MIGRATIONS.migrate(&mut conn).unwrap();
    conn.execute_batch("DROP INDEX sessions_user_id; ALTER TABLE sessions ADD COLUMN device TEXT;").unwrap();
    let error = molos::Migrator::new(&molos_schema::MIGRATIONS).verify(&mut conn).unwrap_err();
    let chapter = read("docs/src/running.md");
    assert!(chapter.contains(&format!("```text\n{error:#}\n```")), "{error:#}");
}

#[test]
fn the_readme_names_what_cargo_toml_has() {
    let (readme, manifest) = (read("README.md"), read("Cargo.toml"));
    let value = |key: &str| manifest.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    let rust = quoted(value("rust-version = "))[0];
    assert!(readme.contains(&format!("Rust {rust} or later")), "{rust}");
    let range = quoted(value("rusqlite = "))[0];
    let (from, below) = range.strip_prefix(">=0.").unwrap().split_once(", <0.").unwrap();
    let to = below.parse::<u32>().unwrap() - 1;
    assert!(readme.contains(&format!("rusqlite 0.{from} to 0.{to}")), "{range}");
    let features = manifest.split("[features]").nth(1).unwrap().split("\n[").next().unwrap();
    for feature in features.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name) {
        assert!(feature == "default" || readme.contains(&format!("\n| `{feature}`")), "{feature}");
    }
}

/// The picture is drawn from this case by `cargo run --package molos-docs-compile-error`.
#[test]
fn the_picture_shows_what_the_compiler_says() {
    let svg = read("docs/src/compile-error.svg");
    let text: String = svg.split('<').map(|element| element.split_once('>').map_or("", |(_, text)| text)).collect();
    let text = text.replace("&gt;", ">").replace("&quot;", "\"").replace("&lt;", "<").replace("&amp;", "&");
    let drawn: BTreeSet<&str> = text.lines().map(str::trim).collect();
    let snapshot = read("tests/compiler/tests/ui/readme.stderr").replace("ui/readme/", "migrations/");
    for line in snapshot.lines().filter(|line| !line.contains("readme")).map(str::trim) {
        // The compiler's own arrow is below another line there.
        if !line.starts_with('^') && !line.starts_with("| ") {
            assert!(drawn.contains(line), "`{line}` is not in {drawn:#?}");
        }
    }
}
