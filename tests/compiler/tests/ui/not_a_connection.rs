mod db {
    molos::embed_migrations!("ui/core");
}

fn main() {
    let mut path = "app.db";
    let _ = db::MIGRATIONS.migrate(&mut path);
}
