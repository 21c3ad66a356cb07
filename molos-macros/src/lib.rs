//! The compile-time half of [molos](https://docs.rs/molos). Programs depend on `molos`, which re-exports the macro and
//! documents it.

mod affinity;
mod canary;
mod diagnostic;
mod directive;
mod expand;
mod explain;
mod file;
mod finding;
mod input;
mod keys;
mod ladder;
mod lint;
mod lock;
mod loss;
mod outside;
mod populated;
mod references;
mod rehearsed;
mod sandbox;
mod sections;
mod seen;
mod shadow;
mod snapshot;
mod source;
mod stage;
mod statements;
mod table;
mod territory;
mod words;

use std::env;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;

use crate::diagnostic::Diagnostic;
use crate::input::Input;
use crate::lock::Lock;
use crate::rehearsed::Rehearsed;

#[expect(missing_docs, reason = "it is documented where it is re-exported, in molos")]
#[proc_macro]
pub fn embed_migrations(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    match syn::parse::<Input>(input) {
        Ok(input) => match manifest_directory() {
            Ok(manifest) => embed(&input, &manifest).into(),
            Err(error) => expand::errors(&[error], input.span).into(),
        },
        Err(error) => error.into_compile_error().into(),
    }
}

fn embed(input: &Input, manifest: &Path) -> TokenStream {
    let source = source::read(input, manifest);
    let Rehearsed { tables, fingerprints, mut errors, findings, unproven, takes } =
        shadow::rehearse(&source, input).unwrap_or_else(Rehearsed::from);
    let lock = Lock::read(&source, manifest);
    let settled = lint::settle(findings, &source, &fingerprints, &lock, input);
    errors.extend(settled.errors);
    errors.extend(lock.check(&source, &fingerprints));
    if errors.is_empty() {
        errors.extend(lock.write(&source, &fingerprints, &settled.accepted).err());
    }
    // With an error, what could be made of the rest is still given, so that its users do not all report it missing.
    let errors = expand::errors(&errors, input.span);
    let unknown_hooks = expand::unknown_hooks(&source, input);
    let warnings = expand::warnings(&settled.warnings, input.span);
    let migrations = expand::migrations(&source, &fingerprints, &takes, &unproven, &lock, input);
    quote::quote!(#errors #unknown_hooks #warnings #migrations #tables)
}

fn manifest_directory() -> Result<PathBuf, Diagnostic> {
    env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).ok_or_else(|| {
        Diagnostic::new("the environment variable CARGO_MANIFEST_DIR is not set")
            .help("compile with cargo, or set it to the directory that the migrations' path is relative to")
    })
}

#[cfg(test)]
mod tests;
