molos::embed_migrations!("ui/mixed_layouts");

fn main() {}
