//! The compile-time half of [molos](https://docs.rs/molos). Programs depend on `molos`, which re-exports the macro and
//! documents it.

mod check;
mod diagnostic;
mod dialect;
mod input;
mod lint;
mod read;
mod sqlite;
mod write;

use std::env;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;

use crate::check::Checked;
use crate::diagnostic::Diagnostic;
use crate::dialect::Dialect;
use crate::input::Input;
use crate::read::lock::Lock;
use crate::read::source;
use crate::sqlite::Sqlite;

#[expect(missing_docs, reason = "it is documented where it is re-exported, in molos")]
#[proc_macro]
pub fn embed_migrations(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    match syn::parse::<Input>(input) {
        Ok(input) => match manifest_directory() {
            Ok(manifest) => embed::<Sqlite>(&input, &manifest).into(),
            Err(error) => write::errors(&[error], input.span).into(),
        },
        Err(error) => error.into_compile_error().into(),
    }
}

fn embed<D: Dialect>(input: &Input, manifest: &Path) -> TokenStream {
    let source = source::read(input, manifest, &D::RULES);
    let checked = check::check::<D::Shadow>(&source, input).unwrap_or_else(Checked::from);
    let Checked { tables, is_complete, mut errors, findings, measured, misfits } = checked;
    let (models, misnamed) = write::model::models(tables, &input.rename);
    if is_complete {
        errors.extend(misnamed);
    }
    let lock = Lock::read(&source, manifest);
    let settled = lint::settle::settle(findings, &source, &measured.fingerprints, &lock, input);
    errors.extend(settled.errors);
    errors.extend(lock.check(&source, &measured.fingerprints));
    if errors.is_empty() {
        errors.extend(lock.write(&source, &measured.fingerprints, &settled.accepted).err());
    }
    // With an error, what could be made of the rest is still given, so that its users do not all report it missing.
    let errors = write::errors(&errors, input.span);
    let unknown_hooks = write::unknown_hooks(&source, input);
    let misfits = write::misfits(&misfits, input);
    let warnings = write::warnings(&settled.warnings, input.span);
    let migrations = write::migrations(&source, &measured, D::engine_version(), &lock, input);
    let tables = write::tables(&models, &D::library(&input.molos), &input.molos);
    quote::quote!(#errors #unknown_hooks #misfits #warnings #migrations #tables)
}

fn manifest_directory() -> Result<PathBuf, Diagnostic> {
    env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).ok_or_else(|| {
        Diagnostic::new("the environment variable CARGO_MANIFEST_DIR is not set")
            .help("compile with cargo, or set it to the directory that the migrations' path is relative to")
    })
}
