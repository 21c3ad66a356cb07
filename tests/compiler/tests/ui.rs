//! One mistake, one case: what the compiler says of a directory that is wrong.

use std::io::ErrorKind;
use std::path::Path;

#[test]
fn every_mistake_has_its_own_message() {
    link_cases();
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

/// Lets the crate in which the cases are compiled, and which their paths are relative to, find their directories.
fn link_cases() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let manifest_directory = target.join("tests/trybuild/molos-test-compiler");
    std::fs::create_dir_all(&manifest_directory).expect("the directory of the crate");
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    match std::os::unix::fs::symlink(cases, manifest_directory.join("ui")) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => panic!("{error}"),
        _ => {}
    }
}
