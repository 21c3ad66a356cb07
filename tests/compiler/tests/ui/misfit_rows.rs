molos::embed_migrations!(
    "ui/misfit_rows",
    rows = {
        "halves" => "INSERT INTO halves (words) VALUES ('Ab')",
        "quarters" => "INSERT INTO quarters DEFAULT VALUES",
    },
);

fn main() {}
