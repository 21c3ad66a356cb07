//! The chapter of the book about the command line, run.

use std::env;
use std::fs;
use std::path::Path;

/// With `TRYCMD=overwrite` the chapter is written anew.
#[test]
fn the_session_in_the_book_is_what_happens() {
    let chapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/command-line.md");
    let directory = tempfile::tempdir().expect("a directory");
    let copy = directory.path().join("session.md");
    fs::copy(&chapter, &copy).expect("the chapter");
    // The directory that the commands run in, which they change.
    fs::create_dir(directory.path().join("session.in")).expect("a directory");
    fs::create_dir(directory.path().join("session.out")).expect("a directory");

    let cases = trycmd::TestCases::new();
    cases.register_bin("app", Path::new(env!("CARGO_BIN_EXE_app")));
    cases.case(&copy);
    cases.run();
    if env::var_os("TRYCMD").is_some() {
        fs::copy(&copy, &chapter).expect("the chapter");
    }
}
