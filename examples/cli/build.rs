//! Makes cargo notice a new file in `migrations/`.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
