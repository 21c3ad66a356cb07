molos::embed_migrations!("ui/no_transaction_half_done");

fn main() {}
