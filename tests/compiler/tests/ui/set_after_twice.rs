molos::embed_migrations!("ui/drop_table", set = "tasks", after = ["ui/core", "ui/core/"]);

fn main() {}
