molos::embed_migrations!("ui/misplaced_directive");

fn main() {}
