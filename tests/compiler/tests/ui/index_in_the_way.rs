molos::embed_migrations!("ui/index_in_the_way");

fn main() {}
