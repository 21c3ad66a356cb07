//! The main job: a program that brings its database up to date when it starts, and then uses it through the types
//! that were generated from its own migrations.
//!
//! Run it with `cargo run --example quickstart`. Then break a file in `migrations/` and run it again.

use molos::{Insert as _, Keyed as _, Migrator};

mod db {
    molos::embed_migrations!("migrations");
}

use db::tables::{NewUsers, Users};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    let mut conn = molos::rusqlite::Connection::open(&path)?;
    println!("opened a new database, {}\n", path.display());

    println!("first start: {}", db::MIGRATIONS.migrate(&mut conn)?);
    println!("second start: {}\n", db::MIGRATIONS.migrate(&mut conn)?);
    println!("{}\n", Migrator::new(&db::MIGRATIONS).status(&mut conn)?);

    let ada = NewUsers { name: Some("Ada"), ..NewUsers::new("u1", "ada@example.org", "$argon2id$…") }.insert(&conn)?;
    println!("inserted {ada:?}");

    let found = Users::find(&conn, "u1")?.ok_or("user u1 is not there")?;
    println!("found    {} <{}>", found.name.as_deref().unwrap_or("nobody"), found.email);

    Users { email: "lovelace@example.org".to_owned(), ..found }.update(&conn)?;
    let found = Users::find(&conn, "u1")?.ok_or("user u1 is not there")?;
    println!("updated  {} <{}>", found.name.as_deref().unwrap_or("nobody"), found.email);
    Ok(())
}
