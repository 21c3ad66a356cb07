molos::embed_migrations!("ui/files_not_like_the_pattern", files = "V{version}.{name}.sql");

fn main() {}
