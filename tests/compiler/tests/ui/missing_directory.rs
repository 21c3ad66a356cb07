molos::embed_migrations!("ui/missing_directory");

fn main() {}
