molos::embed_migrations!("ui/down_of_another_version");

fn main() {}
