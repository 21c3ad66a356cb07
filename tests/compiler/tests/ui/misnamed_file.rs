molos::embed_migrations!("ui/misnamed_file");

fn main() {}
