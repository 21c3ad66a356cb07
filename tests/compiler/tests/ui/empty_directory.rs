molos::embed_migrations!("ui/empty_directory");

fn main() {}
