molos::embed_migrations!("ui/struct_collision");

fn main() {}
