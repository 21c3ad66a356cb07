molos::embed_migrations!("ui/mismatched_key");

fn main() {}
