//! Draws `docs/src/compile-error.svg`: what the compiler says of the migrations in `tests/compiler/tests/ui/readme`.
//!
//! Run it with `cargo run --package molos-docs-compile-error` after a change of these errors. `tests/book.rs` finds out
//! when that was forgotten.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use anstyle::RgbColor;
use anstyle_svg::{Term, VGA};

const MANIFEST: &str = r#"[package]
name = "app"
version = "0.1.0"
edition = "2024"

[dependencies]
molos = { path = "REPOSITORY" }

[workspace]
"#;

const MAIN: &str = r#"mod db {
    molos::embed_migrations!("migrations");
}

fn main() {}
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = here.parent().ok_or("no directory of documents")?;
    let repository = docs.parent().ok_or("no repository")?;

    // Outside of the repository's directories: what is inside of a workspace has to be a part of it.
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository.join("target"), Into::into);
    let app = target.join("compile-error");
    let migrations = app.join("migrations");
    if migrations.exists() {
        fs::remove_dir_all(&migrations)?;
    }
    fs::create_dir_all(&migrations)?;
    fs::create_dir_all(app.join("src"))?;
    for file in fs::read_dir(repository.join("tests/compiler/tests/ui/readme"))? {
        let file = file?;
        fs::copy(file.path(), migrations.join(file.file_name()))?;
    }
    let path = repository.to_str().ok_or("the path of the repository is not UTF-8")?.replace('\\', "/");
    fs::write(app.join("Cargo.toml"), MANIFEST.replace("REPOSITORY", &path))?;
    fs::write(app.join("src/main.rs"), MAIN)?;
    fs::copy(repository.join("Cargo.lock"), app.join("Cargo.lock"))?;

    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--color=always", "--target-dir"])
        .arg(&target)
        .current_dir(&app)
        .env_remove("RUSTFLAGS")
        .output()?;
    let said = String::from_utf8(output.stderr)?;
    if output.status.success() || !said.contains("migrations/003_phone.sql") {
        return Err(format!("the migrations were to fail, and the compiler says:\n{said}").into());
    }
    let svg = terminal().render_svg(&format!("$ cargo build --quiet\n{said}"));
    fs::write(docs.join("src/compile-error.svg"), &svg)?;
    fs::write(docs.join("compile-error.link"), format!("[compile-error]: data:image/svg+xml,{}\n", in_url(&svg)))?;
    Ok(())
}

/// Legible on a light page and on a dark one.
fn terminal() -> Term {
    const BACKGROUND: RgbColor = RgbColor(0x16, 0x1b, 0x22);
    const TEXT: RgbColor = RgbColor(0xe6, 0xed, 0xf3);
    const BRIGHT_RED: RgbColor = RgbColor(0xff, 0x7b, 0x72);
    const BRIGHT_BLUE: RgbColor = RgbColor(0x79, 0xc0, 0xff);
    let mut palette = VGA;
    palette.0[9] = BRIGHT_RED;
    palette.0[12] = BRIGHT_BLUE;
    Term::new().palette(palette).fg_color(TEXT.into()).bg_color(BACKGROUND.into())
}

/// As a part of a URL that Markdown takes as it is.
fn in_url(text: &str) -> String {
    text.bytes().fold(String::new(), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/:;,=".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
        url
    })
}
