molos::embed_migrations!("ui/broken_view");

fn main() {}
