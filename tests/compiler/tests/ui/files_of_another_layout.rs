molos::embed_migrations!("ui/files_of_another_layout");

fn main() {}
