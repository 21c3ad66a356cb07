molos::embed_migrations!("ui/readme");

fn main() {}
