molos::embed_migrations!("ui/metadata_of_diesel");

fn main() {}
