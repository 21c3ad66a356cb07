//! A program of its own, that cargo builds while a bench looks at the clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub(crate) struct Program {
    pub(crate) directory: PathBuf,
}

impl Program {
    /// Makes one of these files, whose manifest ends with these `profiles`.
    pub(crate) fn new(name: &str, profiles: &str, files: &[(&str, &str)]) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let manifest = format!(
            "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dependencies]\nmolos.path = '{}'\n\n[workspace]\n\n\
             {profiles}",
            root.display()
        );
        fs::create_dir_all(directory.join("src"))?;
        fs::create_dir_all(directory.join("examples"))?;
        fs::write(directory.join("Cargo.toml"), manifest)?;
        fs::write(directory.join("build.rs"), "fn main() { println!(\"cargo::rerun-if-changed=migrations\"); }\n")?;
        for (path, text) in files {
            fs::write(directory.join(path), text)?;
        }
        fs::copy(root.join("Cargo.lock"), directory.join("Cargo.lock"))?;
        Ok(Self { directory })
    }

    /// Writes these files, and no others, to the directory of migrations.
    pub(crate) fn write_migrations(&self, files: &[(String, String)]) -> Result<()> {
        let migrations = self.directory.join("migrations");
        if migrations.exists() {
            fs::remove_dir_all(&migrations)?;
        }
        fs::create_dir_all(&migrations)?;
        for (name, sql) in files {
            fs::write(migrations.join(name), sql)?;
        }
        Ok(())
    }

    /// Runs cargo, and returns how long it took.
    pub(crate) fn run_cargo(&self, command: &[&str], profile: &str, variables: &[(&str, &str)]) -> Result<Duration> {
        let started = Instant::now();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(command).args(["--quiet", "--offline", "--profile", profile]).current_dir(&self.directory);
        cargo.envs(variables.iter().copied()).env("CARGO_TARGET_DIR", self.directory.join("target"));
        if cargo.status()?.success() { Ok(started.elapsed()) } else { Err("the build failed".into()) }
    }

    /// What was built, by its place in the target directory.
    pub(crate) fn built(&self, path: &str) -> PathBuf {
        self.directory.join("target").join(path)
    }
}
