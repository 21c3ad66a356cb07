molos::embed_migrations!("ui/outside_of_a_transaction");

fn main() {}
