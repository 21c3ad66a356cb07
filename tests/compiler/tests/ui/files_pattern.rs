molos::embed_migrations!("ui/files_not_listed", files = "{version}.{version}/{name}.sql");

fn main() {}
