molos::embed_migrations!("ui/delete_all_rows");

fn main() {}
