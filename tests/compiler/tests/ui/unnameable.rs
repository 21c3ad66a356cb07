molos::embed_migrations!("ui/unnameable");

fn main() {}
