molos::embed_migrations!("ui/drop_table", lints = { drop_table = "off" });

fn main() {}
