molos::embed_migrations!("ui/narrow_type");

fn main() {}
