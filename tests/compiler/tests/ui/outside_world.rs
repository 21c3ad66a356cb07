molos::embed_migrations!("ui/outside_world");

fn main() {}
