molos::embed_migrations!("ui/broken_trigger");

fn main() {}
