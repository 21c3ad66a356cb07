molos::embed_migrations!("ui/unknown_collation");

fn main() {}
