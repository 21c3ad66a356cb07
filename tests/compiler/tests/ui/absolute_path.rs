molos::embed_migrations!("/srv/app/migrations");

fn main() {}
