molos::embed_migrations!("ui/files_in_folders");

fn main() {}
