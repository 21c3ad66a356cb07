//! What the commands say and leave behind, as a script sees it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use molos::rusqlite::Connection;
use molos::{Migration, Migrations, Migrator};
use serde_json::{Value, json};
use tempfile::TempDir;

mod db {
    molos::embed_migrations!("migrations");
}

type Done = Result<(), Box<dyn std::error::Error>>;

/// A directory with a database in it, or without.
struct Place(TempDir);

/// What a run of the program came to.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    /// One whose database is at this version.
    fn at(version: i64) -> Self {
        let place = Self::new();
        Migrator::new(&db::MIGRATIONS).up_to(version).migrate(&mut place.conn()).expect("a database");
        place
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("app.db")
    }

    fn conn(&self) -> Connection {
        Connection::open(self.path()).expect("the database")
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_app"));
        command.current_dir(&self.0).arg("db").args(line.split_whitespace()).stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Ran {
        Ran::of(self.command(line).output().expect("the program"))
    }

    fn json(&self, line: &str) -> Value {
        let ran = self.run(&format!("{line} --json"));
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

#[test]
fn what_only_looks_creates_no_file() {
    let place = Place::new();
    let looks = ["status", "plan", "rehearse", "verify", "schema", "migrate --dry-run", "rollback", "downgrade"];
    for line in looks {
        place.run(line);
        assert!(!place.path().exists(), "{line}");
    }
    let ran = place.run("backup");
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (Some(2), "error: there is no database at app.db\nhelp: check the path\n")
    );
    assert!(!place.path().exists());

    for line in looks.iter().chain(&["adopt", "backup"]) {
        place.run(&format!("{line} --database file:app.db?mode=rwc"));
        assert_eq!(fs::read_dir(&place.0).expect("a directory").count(), 0, "{line}");
    }
    fs::write(place.0.path().join("file"), "").expect("a file");
    let ran = place.run("status --database file/app.db");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.starts_with("error: file/app.db cannot be opened"), "{}", ran.stderr);
}

#[test]
fn a_migration_that_was_edited_or_is_unknown_is_shown_and_is_wrong() -> Done {
    let place = Place::at(3);
    let conn = place.conn();
    conn.execute("UPDATE _molos_migrations SET checksum = ?1 WHERE version = 2", ["0".repeat(64)])?;
    conn.execute("UPDATE _molos_migrations SET applied_at = 0, duration_us = 1500", [])?;
    let ran = place.run("status");
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.stdout,
        "VERSION  NAME         STATE                  APPLIED               TIME\n\
         1        notes        applied                1970-01-01T00:00:00Z  1.5 ms\n\
         2        tags         edited                 1970-01-01T00:00:00Z  1.5 ms\n\
         3        titles_only  applied, irreversible  1970-01-01T00:00:00Z  1.5 ms\n"
    );
    assert!(ran.stderr.starts_with("error: migration 2 (tags) was edited"), "{}", ran.stderr);
    assert!(ran.stderr.contains("\nhelp: "), "{}", ran.stderr);
    assert_eq!(place.run("migrate").code, Some(2));

    let place = Place::at(1);
    place.conn().execute("UPDATE _molos_migrations SET version = 9, applied_at = 7", [])?;
    assert_eq!(place.run("status").code, Some(2));
    let status = place.json("status");
    assert_eq!(status["up_to_date"], json!(false));
    let step = &status["sets"][0]["steps"][3];
    assert_eq!((&step["version"], &step["state"], &step["applied_at"]), (&json!(9), &json!("unknown"), &json!(7)));
    Ok(())
}

#[test]
fn drift_is_a_table_of_what_should_be_and_what_is() -> Done {
    let place = Place::at(3);
    assert_eq!(place.run("verify").code, Some(0));
    place.conn().execute_batch("ALTER TABLE notes ADD COLUMN body TEXT; DROP TABLE tags; CREATE TABLE mine (a);")?;
    let ran = place.run("verify");
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.stdout,
        "WHAT         SHOULD BE               IS\n\
         table notes  columns ( id , title )  column body text\n\
         \x20                                    columns ( id , title , body )\n\
         table tags   there                   missing\n\
         table mine   not there               there\n"
    );
    assert!(ran.stderr.starts_with("error: the schema"), "{}", ran.stderr);
    let told = place.json("verify");
    assert_eq!(told["verified"], json!(false));
    assert_eq!(
        told["differences"][0],
        json!({"kind": "table", "name": "notes", "difference": "changed", "expected": ["columns ( id , title )"], "found": ["column body text", "columns ( id , title , body )"]})
    );
    Ok(())
}

#[test]
fn a_rehearsal_that_fails_says_what_would_have_and_changes_nothing() -> Done {
    let place = Place::at(1);
    place.conn().execute_batch("CREATE TABLE tags (a)")?;
    let ran = place.run("rehearse");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stdout.contains("it would fail: migration 2 (tags) failed"), "{}", ran.stdout);
    assert!(place.json("rehearse")["error"]["cause"].as_str().is_some_and(|text| text.contains("already exists")));
    let ran = place.run("migrate");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("migrations/002_tags.sql:3:1"), "{}", ran.stderr);
    assert_eq!(place.json("status")["pending"], json!(2));
    Ok(())
}

#[test]
fn a_backup_is_made_and_put_back() -> Done {
    let place = Place::at(2);
    place.conn().execute("INSERT INTO notes (title, body) VALUES ('a', 'b')", [])?;
    let ran = place.run("migrate --backup copies");
    assert_eq!(ran.code, Some(0));
    let line = ran.stderr.lines().find(|line| line.starts_with("copied the database to ")).ok_or("no copy")?;
    let copy = line.trim_start_matches("copied the database to ");
    assert_eq!(place.json("status")["pending"], json!(0));

    let told = place.json(&format!("restore {copy} --yes"));
    assert_eq!(told, json!({"database": "app.db", "backup": copy}));
    assert_eq!(place.json("status")["pending"], json!(1));
    let body: String = place.conn().query_row("SELECT body FROM notes", [], |row| row.get(0))?;
    assert_eq!(body, "b");

    fs::write(place.0.path().join("not.db"), "no database")?;
    let ran = place.run("restore not.db --yes");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("not.db") && ran.stderr.contains("help: "), "{}", ran.stderr);

    for _ in 0..3 {
        assert_eq!(place.run("backup copies --keep 2").code, Some(0));
    }
    assert_eq!(fs::read_dir(place.0.path().join("copies"))?.count(), 2);
    let beside = place.json("backup");
    let path = place.0.path().join(beside["path"].as_str().ok_or("no path")?);
    Migrator::new(&db::MIGRATIONS).up_to(2).verify(&mut Connection::open(path)?)?;
    Ok(())
}

#[test]
fn what_may_only_be_read_can_be_backed_up() -> Done {
    let place = Place::at(2);
    let mut permissions = fs::metadata(place.path())?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(place.path(), permissions)?;
    let ran = place.run("backup copies");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(fs::metadata(place.0.path().join(ran.stdout.trim_end()))?.permissions().readonly());
    Ok(())
}

/// Nobody has allowed these losses, as the file of a migration allows its own.
#[test]
fn without_a_terminal_nothing_is_lost_that_was_not_asked_for() -> Done {
    let place = Place::at(2);
    place.conn().execute_batch("INSERT INTO notes (title) VALUES ('a'); INSERT INTO tags VALUES (1, 'b');")?;
    let newer = Migration::new(4, "colours", "ALTER TABLE notes ADD COLUMN colour")
        .with_down("ALTER TABLE notes DROP COLUMN colour");
    let steps: Vec<_> = db::MIGRATIONS.iter().chain([newer]).collect();
    assert_eq!(place.run("backup copy").code, Some(0));
    let copy = fs::read_dir(place.0.path().join("copy"))?.next().ok_or("no copy")??.path();
    Migrations::new("app", "migrations", &steps).migrate(&mut place.conn())?;
    for line in ["downgrade".to_owned(), format!("restore {}", copy.display())] {
        let ran = place.run(&line);
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains("there is no terminal to ask at\nhelp: nothing was changed;"), "{}", ran.stderr);
    }
    let report = Migrations::new("app", "migrations", &steps).migrate(&mut place.conn())?;
    assert!(report.steps().is_empty(), "everything is still applied");

    let place = Place::at(2);
    place.conn().execute_batch("INSERT INTO notes (title) VALUES ('a'); INSERT INTO tags VALUES (1, 'b');")?;
    let ran = place.run("rollback");
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.ends_with(
            "error: 1 row of tags will be lost, and there is no terminal to ask at\n\
         help: nothing was changed; to go on, give --yes\n"
        ),
        "{}",
        ran.stderr
    );
    assert_eq!(place.json("status")["pending"], json!(1));
    Ok(())
}

#[test]
fn an_older_program_takes_back_what_a_newer_one_applied() -> Done {
    let place = Place::new();
    let newer = Migration::new(4, "colours", "ALTER TABLE notes ADD COLUMN colour")
        .with_down("ALTER TABLE notes DROP COLUMN colour");
    let steps: Vec<_> = db::MIGRATIONS.iter().chain([newer]).collect();
    let newer = Migrations::new("app", "migrations", &steps);
    newer.migrate(&mut place.conn())?;
    let ran = place.run("migrate");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("4 (colours)"), "{}", ran.stderr);
    let ran = place.run("downgrade --to 3 --yes");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("VERSION  NAME     TIME\n4        colours  "), "{}", ran.stdout);
    assert_eq!(place.run("verify").code, Some(0));
    assert_eq!(place.run("downgrade").stdout, "nothing to roll back\n");
    Ok(())
}

#[test]
fn a_database_of_another_tool_is_adopted() -> Done {
    let place = Place::new();
    let conn = place.conn();
    for migration in db::MIGRATIONS.iter().take(2) {
        conn.execute_batch(migration.up())?;
    }
    conn.execute_batch("PRAGMA user_version = 2")?;
    let ran = place.run("adopt --from refinery");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.starts_with("error: this database has no history of refinery, but of rusqlite_migration"));
    assert_eq!(
        place.json("adopt --from rusqlite_migration"),
        json!({"sets": [{"set": "app", "version": 2, "name": "tags", "recorded": 2, "tool": "rusqlite_migration"}]})
    );
    assert_eq!(place.json("status")["pending"], json!(1));
    Ok(())
}

#[test]
fn a_set_is_named_where_that_matters_and_another_is_none() {
    let place = Place::at(3);
    assert_eq!(place.run("status --set app").code, Some(0));
    let ran = place.run("status --set core");
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.stderr, "error: there is no set \"core\"\nhelp: the sets of this program are \"app\"\n");
}

#[test]
fn the_schema_can_be_run_and_read_by_a_program() -> Done {
    let place = Place::new();
    let conn = Connection::open_in_memory()?;
    conn.execute_batch(&place.run("schema").stdout)?;
    let again = Connection::open_in_memory()?;
    for migration in db::MIGRATIONS.iter() {
        again.execute_batch(migration.up())?;
    }
    let fingerprint = |conn: &Connection| molos::Schema::read(conn).map(|schema| schema.fingerprint());
    assert_eq!(fingerprint(&conn)?, fingerprint(&again)?);

    let told = place.json("schema");
    assert_eq!(told, serde_json::from_str::<Value>(&place.run("schema --format json").stdout)?);
    let tags = &told["tables"][1];
    assert_eq!(tags["name"], json!("tags"));
    assert_eq!(
        tags["foreign_keys"],
        json!([{"columns": ["note_id"], "table": "notes", "references": ["id"], "on_delete": "CASCADE", "on_update": "NO ACTION"}])
    );
    assert_eq!(tags["columns"][1]["type"], json!("TEXT"));
    assert_eq!(tags["columns"][1]["primary_key"], json!(2));
    Ok(())
}

#[test]
fn there_are_no_colours_where_nobody_sees_them() {
    let place = Place::at(2);
    for line in ["status", "migrate --to 7", "migrate", "verify"] {
        let ran = place.run(line);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains('\x1b'), "{line}");
    }
}

#[test]
fn what_would_steer_a_terminal_is_written_out() -> Done {
    let place = Place::at(3);
    place.conn().execute("UPDATE _molos_migrations SET name = ?1 WHERE version = 3", ["a\x1b[2Jb\u{9b}\r"])?;
    for line in ["status", "migrate"] {
        let ran = place.run(line);
        let text = ran.stdout + &ran.stderr;
        assert!(text.contains(r"a\u{1b}[2Jb\u{9b}\u{d}"), "{line}: {text}");
        assert!(!text.contains(['\x1b', '\u{9b}', '\r']), "{line}: {text}");
    }
    assert_eq!(place.json("status")["sets"][0]["steps"][2]["name"], json!("a\x1b[2Jb\u{9b}\r"));
    Ok(())
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() -> Done {
    let place = Place::at(2);
    let mut child = place.command("plan --sql").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    drop(child.stdout.take());
    let ran = Ran::of(child.wait_with_output()?);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));

    let mut child = place.command("status").stdout(Stdio::piped()).spawn()?;
    drop(child.stdout.take());
    assert_eq!(child.wait()?.code(), Some(1), "something is pending, whoever reads it");
    Ok(())
}

#[test]
fn the_key_in_a_name_is_not_shown() {
    let place = Place::new();
    let ran = place.run("migrate --database file:nowhere/app.db?key=secret");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("file:nowhere/app.db cannot be opened"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    let ran = place.run("backup --database file:app.db?mode=memory&key=secret");
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("secret"), "{}", ran.stderr);

    let place = Place::at(2);
    let lines = [
        ("restore file:nothing.db?key=secret", 2),
        ("restore file:app.db?key=secret --database app.db", 2),
        ("restore app.db --database file:nowhere/copy.db?key=secret", 2),
        ("restore file:app.db?key=secret --database file:copy.db?key=secret --yes", 0),
        ("backup --database file:app.db?key=secret/s", 0),
    ];
    for (line, code) in lines {
        for line in [line.to_owned(), format!("{line} --json")] {
            let ran = place.run(&line);
            let text = ran.stdout + &ran.stderr;
            assert_eq!((ran.code, text.contains("secret")), (Some(code), false), "{line}: {text}");
        }
    }
    assert_eq!(fs::read_dir(place.0.path().join("backups")).expect("beside the database").count(), 2);
}

#[test]
fn a_database_that_cannot_be_opened_is_told_with_what_to_do() {
    let place = Place::new();
    for line in ["migrate", "status", "plan", "verify", "adopt"] {
        for path in ["missing/app.db", "file:missing/app.db"] {
            let ran = place.run(&format!("{line} --database {path}"));
            let lines: Vec<_> = ran.stderr.lines().collect();
            assert_eq!(ran.code, Some(2), "{line}: {}", ran.stderr);
            assert!(lines[0].starts_with(&format!("error: {path} cannot be opened: ")), "{}", ran.stderr);
            assert_eq!(
                lines[1..],
                ["help: check that the directory is there and that this user may read and write it"]
            );
        }
    }
}
