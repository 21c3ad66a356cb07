//! What a person at a terminal sees: questions, the bar, colours, and Ctrl-C.
#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use molos::Migrator;
use molos::rusqlite::{Connection, TransactionBehavior};
use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};
use tempfile::TempDir;

mod db {
    molos::embed_migrations!("migrations");
}

type Done = Result<(), Box<dyn std::error::Error>>;

const RED: &str = "\x1b[1;31m";

/// A directory with a database at version 2, with a note whose body version 3 takes away.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a directory"));
        let mut conn = place.conn();
        Migrator::new(&db::MIGRATIONS).up_to(2).migrate(&mut conn).expect("a database");
        conn.execute("INSERT INTO notes (title, body) VALUES ('a', 'b')", []).expect("a note");
        place
    }

    fn conn(&self) -> Connection {
        Connection::open(self.path()).expect("the database")
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("app.db")
    }

    fn pending(&self) -> usize {
        Migrator::new(&db::MIGRATIONS).status(&mut self.conn()).expect("a status").pending()
    }

    fn spawn(&self, line: &str, environment: &[(&str, &str)]) -> Result<PtySession, rexpect::error::Error> {
        // Whoever runs the tests may ignore signals, as a shell does for what it runs in the background, or have set what
        // colours depend on.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT,TERM,HUP", env!("CARGO_BIN_EXE_app"), "db"]).args(line.split_whitespace());
        for name in ["CI", "CLICOLOR", "CLICOLOR_FORCE", "NO_COLOR"] {
            command.env_remove(name);
        }
        command.current_dir(&self.0).env("TERM", "xterm-256color").envs(environment.iter().copied());
        spawn_command(command, Some(20_000))
    }
}

fn code(session: &PtySession) -> Result<i32, Box<dyn std::error::Error>> {
    match session.process().wait()? {
        WaitStatus::Exited(_, code) => Ok(code),
        other => Err(format!("{other:?}").into()),
    }
}

#[test]
fn a_person_is_asked_before_something_is_lost() -> Done {
    for (answer, pending, exit) in [("n", 1, 1), ("", 1, 1), ("maybe", 1, 1), ("Yes", 0, 0)] {
        let place = Place::new();
        let mut session = place.spawn("migrate", &[])?;
        session.exp_string("loses 1 value of notes.body")?;
        session.exp_string("1 value of notes.body will be lost. Go on? [y/N] ")?;
        session.send_line(answer)?;
        let rest = session.exp_eof()?;
        assert_eq!((code(&session)?, place.pending()), (exit, pending), "{answer}: {rest}");
        assert_eq!(rest.contains("nothing was changed"), exit == 1, "{answer}: {rest}");
    }
    Ok(())
}

#[test]
fn a_question_that_cannot_be_asked_is_an_error() -> Done {
    // Stdin is the terminal, and whoever reads stderr is gone.
    const SCRIPT: &str = r#"exec 3>&1; { sleep 1; "$0" db migrate 2>&1 >&3; echo "code $?" >&3; } | true"#;
    let place = Place::new();
    let mut shell = Command::new("sh");
    shell.current_dir(&place.0).args(["-c", SCRIPT, env!("CARGO_BIN_EXE_app")]);
    let mut session = spawn_command(shell, Some(20_000))?;
    let text = session.exp_eof()?;
    assert!(text.contains("code 2"), "{text}");
    assert_eq!(place.pending(), 1);
    Ok(())
}

#[test]
fn nobody_is_asked_where_nothing_is_lost_or_the_answer_is_given() -> Done {
    let place = Place::new();
    for (line, exit) in [("migrate --to 2", 0), ("rollback", 0), ("migrate --yes", 0)] {
        let mut session = place.spawn(line, &[])?;
        let text = session.exp_eof()?;
        assert_eq!((code(&session)?, text.contains("[y/N]")), (exit, false), "{line}: {text}");
    }
    assert_eq!(place.pending(), 0);
    Ok(())
}

#[test]
fn the_old_content_is_asked_for_before_a_backup_is_put_in_its_place() -> Done {
    let place = Place::new();
    std::fs::copy(place.path(), place.0.path().join("copy.db"))?;
    place.conn().execute("DELETE FROM notes", [])?;
    let mut session = place.spawn("restore copy.db", &[])?;
    session.exp_string("what was written to app.db after copy.db will be lost. Go on? [y/N] ")?;
    session.send_line("no")?;
    session.exp_eof()?;
    assert_eq!(code(&session)?, 1);
    let notes: i64 = place.conn().query_row("SELECT count(*) FROM notes", [], |row| row.get(0))?;
    assert_eq!(notes, 0);
    Ok(())
}

#[test]
fn a_terminal_has_colours_unless_it_is_told_not_to() -> Done {
    let place = Place::new();
    let colours = |environment: &[(&str, &str)]| -> Result<(bool, bool), Box<dyn std::error::Error>> {
        let status = place.spawn("status", environment)?.exp_eof()?;
        let error = place.spawn("migrate --to 7", environment)?.exp_eof()?;
        assert!(status.contains("titles_only") && error.contains("there is no migration with version 7"));
        Ok((status.contains('\x1b'), error.contains(RED)))
    };
    assert_eq!(colours(&[])?, (true, true));
    assert_eq!(colours(&[("NO_COLOR", "1")])?, (false, false));
    assert_eq!(colours(&[("TERM", "dumb")])?, (false, false));
    Ok(())
}

#[test]
fn the_bar_says_who_is_waited_for_and_goes_when_it_is_done() -> Done {
    let place = Place::new();
    let mut other = place.conn();
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut session = place.spawn("migrate --yes", &[])?;
    session.exp_string("another connection has the database: waited 0 s of 30 s")?;
    drop(lock);
    let rest = session.exp_eof()?;
    assert!(rest.contains("titles_only"), "{rest}");
    assert_eq!((code(&session)?, place.pending()), (0, 0));
    Ok(())
}

#[test]
fn ctrl_c_ends_a_wait_for_another_connection() -> Done {
    let place = Place::new();
    let mut other = place.conn();
    let _lock = other.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut session = place.spawn("migrate --yes", &[])?;
    session.exp_string("another connection has the database")?;
    session.send_control('c')?;
    session.exp_string("interrupted; what was not committed is undone")?;
    assert_eq!(code(&session)?, 130);
    Ok(())
}

#[test]
fn ctrl_c_ends_every_command_that_waits_and_what_was_asked_is_not_run_later() -> Done {
    for line in
        ["status", "plan", "migrate --yes", "rollback --yes", "rehearse", "verify", "adopt", "backup", "downgrade"]
    {
        let place = Place::new();
        let mut other = place.conn();
        let lock = other.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        let mut session = place.spawn(line, &[])?;
        std::thread::sleep(Duration::from_millis(500));
        session.send_control('c')?;
        let rest = session.exp_eof()?;
        assert_eq!(code(&session)?, 130, "{line}: {rest}");
        drop(lock);
        assert_eq!(place.pending(), 1, "{line}");
    }
    Ok(())
}

#[test]
fn ctrl_c_at_a_question_changes_nothing() -> Done {
    let place = Place::new();
    std::fs::copy(place.path(), place.0.path().join("copy.db"))?;
    for line in ["migrate", "restore copy.db"] {
        let mut session = place.spawn(line, &[])?;
        session.exp_string("[y/N] ")?;
        session.send_control('c')?;
        session.exp_string("interrupted; what was not committed is undone")?;
        assert_eq!((code(&session)?, place.pending()), (130, 1), "{line}");
    }
    Ok(())
}

#[test]
fn ctrl_c_stops_a_rehearsal() -> Done {
    const SLOW: &str = "\
        CREATE TRIGGER slow AFTER INSERT ON _molos_migrations BEGIN \
        INSERT INTO notes (title) SELECT (WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n \
        WHERE i < 1000000000) SELECT count(*) FROM n); END";
    let place = Place::new();
    place.conn().execute_batch(SLOW)?;
    let mut session = place.spawn("rehearse", &[])?;
    std::thread::sleep(Duration::from_millis(500));
    session.send_control('c')?;
    let rest = session.exp_eof()?;
    assert_eq!((code(&session)?, place.pending()), (130, 1), "{rest}");
    Ok(())
}

/// A migration that takes long: a trigger that somebody has put there counts for a while.
#[test]
fn ctrl_c_stops_a_statement_and_undoes_the_migration() -> Done {
    const SLOW: &str = "\
        CREATE TRIGGER slow AFTER DELETE ON _molos_migrations WHEN OLD.version = 2 BEGIN \
        INSERT INTO notes (title) SELECT (WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n \
        WHERE i < 1000000000) SELECT count(*) FROM n); END";
    let place = Place::new();
    place.conn().execute_batch(SLOW)?;
    let mut session = place.spawn("rollback --yes", &[])?;
    session.exp_string("2 tags")?;
    // The bar is drawn while the statement runs.
    session.exp_string("1/1")?;
    std::thread::sleep(Duration::from_millis(100));
    let pressed = Instant::now();
    session.send_control('c')?;
    session.exp_string("was stopped by the program")?;
    session.exp_string("what this call had not committed is undone")?;
    assert_eq!(code(&session)?, 130);
    assert!(pressed.elapsed() < Duration::from_secs(15));
    assert_eq!(place.pending(), 1);
    let tags: i64 = place.conn().query_row("SELECT count(*) FROM tags", [], |row| row.get(0))?;
    assert_eq!(tags, 0);
    Ok(())
}
