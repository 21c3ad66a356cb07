//! The fingerprint that each migration has from the compiler is the one of the database that it makes.

#[path = "fixtures/mod.rs"]
mod fixtures;

use molos::rusqlite::Connection;
use molos::{Migrations, Migrator, Schema};

use fixtures::{dbmate, diesel, drizzle, kinds, molos_schema, numbered, refinery};

fn check(migrations: &Migrations<'_>) {
    let mut conn = Connection::open_in_memory().expect("a database");
    for migration in migrations.iter() {
        Migrator::new(migrations).up_to(migration.version()).migrate(&mut conn).expect("a step");
        let found = Schema::read(&conn).expect("its schema").fingerprint();
        assert_eq!(Some(found), migration.fingerprint(), "after {}", migration.name());
    }
}

#[test]
fn the_compilers_fingerprints_are_those_of_real_databases() {
    check(&molos_schema::MIGRATIONS);
    check(&kinds::MIGRATIONS);
    check(&numbered::MIGRATIONS);
    check(&refinery::MIGRATIONS);
    check(&diesel::MIGRATIONS);
    check(&drizzle::MIGRATIONS);
    check(&dbmate::MIGRATIONS);
}
