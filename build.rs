//! Makes cargo notice a new file in `migrations/`; the one line a user of molos writes, too.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
