//! Tells the crate whether it links a SQLite of the system that is older than 3.44, which newer rusqlites need: a macro
//! that lacks a symbol cannot be loaded, and all that the compiler says then is "can't find crate for `molos_macros`".

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(sqlite_before_3_44)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SQLITE3_LIB_DIR");
    if env::var_os("CARGO_FEATURE_BUNDLED").is_some() || env::var_os("SQLITE3_LIB_DIR").is_some() {
        return;
    }
    if let Some(directory) = pkg_config("--variable=pcfiledir") {
        println!("cargo::rerun-if-changed={directory}/sqlite3.pc");
    }
    let version = pkg_config("--modversion").unwrap_or_default();
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    if let (Some(major), Some(minor)) = (numbers.next(), numbers.next())
        && (major, minor) < (3, 44)
    {
        println!("cargo::rustc-cfg=sqlite_before_3_44");
    }
}

/// What pkg-config says of SQLite, which is what libsqlite3-sys asks, too.
fn pkg_config(question: &str) -> Option<String> {
    let output = Command::new("pkg-config").args([question, "sqlite3"]).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned()).filter(|answer| !answer.is_empty())
}
