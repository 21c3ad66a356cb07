molos::embed_migrations!("ui/drop_table", after = ["ui/core"]);

fn main() {}
