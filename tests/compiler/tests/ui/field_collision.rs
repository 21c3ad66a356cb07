molos::embed_migrations!("ui/field_collision");

fn main() {}
