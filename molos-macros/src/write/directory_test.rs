//! The test that a crate gets with its migrations.

use proc_macro2::TokenStream;
use quote::quote;
use syn::LitStr;

use crate::input::Input;
use crate::read::directory::DEPTH;
use crate::read::source::Source;

/// A test for the one thing that the compiler cannot see: a file that came into the directory after the last build.
pub(super) fn directory_test(source: &Source, input: &Input) -> TokenStream {
    let directory = format!("/{}", source.directory);
    let known = source.files.iter().cloned().chain(input.ignore.iter().map(LitStr::value));
    let depth = DEPTH;
    let help = format!(
        "is not in this binary; write `println!(\"cargo::rerun-if-changed={}\");` in build.rs, so that cargo sees new files",
        source.directory
    );
    quote! {
        #[cfg(test)]
        mod molos_directory {
            #[test]
            fn every_migration_is_in_this_binary() {
                let directory = ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #directory);
                let known: &[&str] = &[#(#known),*];
                let list = |folder: &::std::path::Path| {
                    let entries = ::std::fs::read_dir(folder).into_iter().flatten().flatten();
                    entries.map(|entry| entry.path()).collect::<::std::vec::Vec<_>>()
                };
                let name = |path: &::std::path::Path| {
                    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
                };
                let mut folders = ::std::vec![(::std::string::String::new(), ::std::path::PathBuf::from(directory))];
                while let ::core::option::Option::Some((prefix, folder)) = folders.pop() {
                    for path in list(&folder) {
                        let file = ::std::format!("{prefix}{}", name(&path));
                        if name(&path).starts_with('.') {
                            continue;
                        }
                        if path.is_dir() {
                            if file.matches('/').count() < #depth {
                                folders.push((::std::format!("{file}/"), path));
                            }
                            continue;
                        }
                        let new = file.ends_with(".sql") && !known.contains(&file.as_str());
                        ::core::assert!(!new, "`{file}` {}", #help);
                    }
                }
            }
        }
    }
}
