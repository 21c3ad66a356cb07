molos::embed_migrations!("ui/lock_merged");

fn main() {}
