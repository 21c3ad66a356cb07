molos::embed_migrations!("ui/directory_is_a_file.rs");

fn main() {}
