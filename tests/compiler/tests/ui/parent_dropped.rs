molos::embed_migrations!("ui/parent_dropped");

fn main() {}
