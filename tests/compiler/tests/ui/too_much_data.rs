molos::embed_migrations!("ui/too_much_data");

fn main() {}
