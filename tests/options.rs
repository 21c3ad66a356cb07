//! What can be said beside the directory.

use std::sync::atomic::{AtomicU32, Ordering};

use molos as molos_under_another_name;
use molos::rusqlite::functions::FunctionFlags;
use molos::rusqlite::{Connection, Result};
use molos::{Insert as _, Migrator, Rollback, Table as _};

mod db {
    molos::embed_migrations!("migrations");
}

mod notes {
    molos::embed_migrations!(
        "tests/fixtures/functions/",
        functions = ["is_uuid/1", "new_uuid/0"],
        rename = { "notes" => Note, "notes.body" => text },
        set = "notes",
        crate = crate::molos_under_another_name,
    );
}

mod collated {
    molos::embed_migrations!("tests/fixtures/collations", collations = ["alphanum"], set = "collated");
}

mod allowed {
    molos::embed_migrations!("tests/fixtures/allowed", lints = { drop_table = "allow" }, set = "allowed");
}

use notes::tables::{NewNote, Note};

fn register(conn: &Connection) -> Result<()> {
    let count = AtomicU32::new(0);
    let new_uuid = move || format!("00000000-0000-4000-8000-{:012}", count.fetch_add(1, Ordering::Relaxed));
    conn.create_scalar_function("new_uuid", 0, FunctionFlags::SQLITE_UTF8, move |_| Ok(new_uuid()))?;
    conn.create_scalar_function("is_uuid", 1, FunctionFlags::SQLITE_UTF8, |context| {
        Ok(context.get::<String>(0)?.len() == 36)
    })
}

#[test]
fn collations_are_declared_to_the_compiler_and_registered_by_the_program() -> Result<()> {
    let mut conn = Connection::open_in_memory()?;
    let error = collated::MIGRATIONS.migrate(&mut conn).expect_err("nothing is registered");
    assert!(format!("{error:#}").contains("no such collation sequence: alphanum"), "{error}");
    conn.create_collation("alphanum", |a: &str, b: &str| a.len().cmp(&b.len()).then_with(|| a.cmp(b)))?;
    collated::MIGRATIONS.migrate(&mut conn).expect("everything is registered");
    let mut titles = conn.prepare("SELECT title FROM chapters ORDER BY title")?;
    let titles = titles.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>>>()?;
    assert_eq!(titles, ["2", "10"]);
    Ok(())
}

#[test]
fn functions_are_declared_to_the_compiler_and_registered_by_the_program() -> Result<()> {
    let mut conn = Connection::open_in_memory()?;
    let error = notes::MIGRATIONS.migrate(&mut conn).expect_err("nothing is registered");
    assert!(format!("{error:#}").contains("no such function: is_uuid"), "{error}");

    register(&conn)?;
    notes::MIGRATIONS.migrate(&mut conn).expect("everything is registered");
    let third = NewNote::new("third").insert(&conn)?;
    assert_eq!(third.id, "00000000-0000-4000-8000-000000000002");
    assert!(
        Note { id: "short".to_owned(), ..third }.insert(&conn).is_err(),
        "it is the program's function that checks"
    );
    assert_eq!(
        Note::all(&conn)?.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(),
        ["welcome", "read me", "third"]
    );
    Ok(())
}

#[test]
fn sets_share_a_database_and_have_histories_of_their_own() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut conn = Connection::open_in_memory()?;
    register(&conn)?;
    db::MIGRATIONS.migrate(&mut conn)?;
    notes::MIGRATIONS.migrate(&mut conn)?;
    assert_eq!(db::tables::ModuleMigrations::all(&conn)?.len(), 5);

    // The functions are not there where migrations are run to be compared with, so the fingerprints have to do.
    Migrator::new([&db::MIGRATIONS, &notes::MIGRATIONS]).verify(&mut conn)?;
    Migrator::new(&db::MIGRATIONS).rollback(&mut conn, Rollback::All)?;
    Migrator::new(&notes::MIGRATIONS).verify(&mut conn)?;
    assert_eq!(Note::all(&conn)?.len(), 2);
    Ok(())
}

#[test]
fn what_is_allowed_or_takes_nothing_away_compiles() {
    let mut conn = Connection::open_in_memory().expect("a database");
    allowed::MIGRATIONS.migrate(&mut conn).expect("it works, as it did while this was compiled");
    assert_eq!(allowed::MIGRATIONS.len(), 12);
}
