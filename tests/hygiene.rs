//! What is generated compiles under the strictest lints, beside any names, and where a function's body is.

#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused,
    unused_qualifications,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic
)]

mod among_names_of_the_prelude {
    #![allow(dead_code, non_camel_case_types)]
    type Option = ();
    type Result = ();
    struct String;
    struct Vec;

    molos::embed_migrations!("tests/fixtures/kinds", rename = { "no_key" => Line });
}

/// Of the two structs of a table that was renamed, one is used.
#[test]
fn a_name_that_the_program_chose_may_be_unused() {
    mod db {
        molos::embed_migrations!("tests/fixtures/kinds", rename = { "no_key" => Line });
    }
    assert_eq!(db::tables::NewLine::new("text").body, "text");
}

/// The same directory twice in one crate.
pub mod twice {
    molos::embed_migrations!("tests/fixtures/kinds");
}

#[test]
fn a_function_can_have_migrations_of_its_own() {
    molos::embed_migrations!("tests/fixtures/kinds");
    assert_eq!(MIGRATIONS.len(), twice::MIGRATIONS.len());
    assert_eq!(MIGRATIONS.len(), among_names_of_the_prelude::MIGRATIONS.len());
    assert!(tables::NewNoKey::new("text").body == "text");
}
