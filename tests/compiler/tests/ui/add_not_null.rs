molos::embed_migrations!("ui/add_not_null");

fn main() {}
