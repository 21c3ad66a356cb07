molos::embed_migrations!("ui/default_of_now");

fn main() {}
