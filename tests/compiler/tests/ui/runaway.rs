molos::embed_migrations!("ui/runaway");

fn main() {}
