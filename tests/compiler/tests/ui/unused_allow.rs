molos::embed_migrations!("ui/unused_allow");

fn main() {}
