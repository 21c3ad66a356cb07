molos::embed_migrations!("ui/cascade_in_rebuild");

fn main() {}
