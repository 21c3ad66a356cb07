molos::embed_migrations!("ui/errors_in_several_files");

fn main() {}
