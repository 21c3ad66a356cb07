//! The exact type of every field that is generated for the Molos schema. What is wrong here does not compile.

#![allow(dead_code, reason = "that it compiles is the test")]

use db::tables as t;

mod db {
    molos::embed_migrations!("migrations");
}

/// Two types that are one.
trait Is<T> {}
impl<T> Is<T> for T {}

fn is<Expected, Found: Is<Expected>>(_: Found) {}

/// Each struct, all of its fields and their types: one more or one less is an error.
macro_rules! exact {
    ($($name:ident $(<$lifetime:lifetime>)? { $($field:ident: $ty:ty),* $(,)? })*) => { $(
        const _: () = {
            fn check $(<$lifetime>)? (row: t::$name $(<$lifetime>)?) {
                let t::$name { $($field),* } = row;
                $(is::<$ty, _>($field);)*
            }
        };
    )* };
}

exact! {
    Users {
        id: String, email: String, password: String, name: Option<String>, created_at: i64, updated_at: i64,
    }
    NewUsers<'a> {
        id: &'a str, email: &'a str, password: &'a str, name: Option<&'a str>, created_at: Option<i64>,
        updated_at: Option<i64>,
    }
    Sessions { id: String, user_id: String, token: String, expires_at: i64, created_at: i64 }
    NewSessions<'a> {
        id: &'a str, user_id: &'a str, token: &'a str, expires_at: i64, created_at: Option<i64>,
    }
    Modules {
        id: String, name: String, version: String, enabled: bool, config: Option<String>, created_at: i64,
        updated_at: i64,
    }
    NewModules<'a> {
        id: &'a str, name: &'a str, version: &'a str, enabled: Option<bool>, config: Option<&'a str>,
        created_at: Option<i64>, updated_at: Option<i64>,
    }
    ModuleMigrations {
        module_name: Option<String>, migration_name: Option<String>, applied_at: Option<i64>,
        checksum: Option<String>,
    }
    OauthClients {
        id: String, name: String, secret_hash: Option<Vec<u8>>, redirect_uris: String, created_at: i64,
    }
    NewOauthClients<'a> {
        id: &'a str, name: &'a str, secret_hash: Option<&'a [u8]>, redirect_uris: &'a str, created_at: Option<i64>,
    }
    OauthAuthorizationCodes {
        code_hash: Vec<u8>, client_id: String, user_id: String, redirect_uri: String, scope: String,
        code_challenge: String, code_challenge_method: String, expires_at: i64, used_at: Option<i64>,
        created_at: i64,
    }
    NewOauthAuthorizationCodes<'a> {
        code_hash: &'a [u8], client_id: &'a str, user_id: &'a str, redirect_uri: &'a str, scope: Option<&'a str>,
        code_challenge: &'a str, code_challenge_method: Option<&'a str>, expires_at: i64, used_at: Option<i64>,
        created_at: Option<i64>,
    }
    OauthTokens {
        token_hash: Vec<u8>, kind: String, family_id: String, client_id: String, user_id: String,
        replaced_by: Option<Vec<u8>>, scope: String, expires_at: i64, revoked_at: Option<i64>, created_at: i64,
    }
    NewOauthTokens<'a> {
        token_hash: &'a [u8], kind: &'a str, family_id: &'a str, client_id: &'a str, user_id: &'a str,
        replaced_by: Option<&'a [u8]>, scope: Option<&'a str>, expires_at: i64, revoked_at: Option<i64>,
        created_at: Option<i64>,
    }
    McpApiKeys {
        id: String, name: String, key_hash: Vec<u8>, allowed_scopes: String, expires_at: Option<i64>,
        created_at: i64,
    }
    NewMcpApiKeys<'a> {
        id: &'a str, name: &'a str, key_hash: &'a [u8], allowed_scopes: Option<&'a str>, expires_at: Option<i64>,
        created_at: Option<i64>,
    }
    McpModuleScopes { id: String, api_key_id: String, module_name: String, created_at: i64 }
    NewMcpModuleScopes<'a> {
        id: &'a str, api_key_id: &'a str, module_name: &'a str, created_at: Option<i64>,
    }
    McpPermissionScopes { id: String, api_key_id: String, resource: String, level: String, created_at: i64 }
    NewMcpPermissionScopes<'a> {
        id: &'a str, api_key_id: &'a str, resource: &'a str, level: &'a str, created_at: Option<i64>,
    }
}

#[test]
fn the_list_is_constant_data() {
    static COUNT: usize = db::MIGRATIONS.len();
    assert_eq!(COUNT, 4);
}
