molos::embed_migrations!("ui/sequence_reset");

fn main() {}
