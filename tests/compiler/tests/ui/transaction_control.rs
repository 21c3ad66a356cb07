molos::embed_migrations!("ui/transaction_control");

fn main() {}
