molos::embed_migrations!("ui/allowed_in_a_way_up");

fn main() {}
