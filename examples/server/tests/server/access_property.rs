//! Whatever happens to keys and modules, a key can do what a simple model says, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use molos::rusqlite::Connection;
use molos_example_server::access::{Access, Level, validate_access};
use molos_example_server::keys;
use molos_example_server::modules::{self, Action};
use proptest::prelude::*;

use crate::support::database;

const MODULES: [&str; 4] = ["*", "core", "notes", "tasks"];
const RESOURCES: [&str; 5] = ["*", "keys", "modules", "notes", "tasks"];
/// What no grant is of.
const STRANGER: &str = "stranger";
const ACTIONS: [Action; 4] = [Action::Install, Action::Enable, Action::Disable, Action::Uninstall];

#[derive(Clone, Debug)]
enum Step {
    Create { expires_in: Option<i64> },
    Delete { key: usize },
    GrantModule { key: usize, module: &'static str },
    RevokeModule { key: usize, module: &'static str },
    GrantPermission { key: usize, resource: &'static str, level: Level },
    RevokePermission { key: usize, resource: &'static str },
    Module { id: &'static str, action: Action },
    Wait { seconds: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..4_usize;
    let (module, resource) = (prop::sample::select(&MODULES), prop::sample::select(&RESOURCES));
    let level = prop::sample::select(&Level::EACH);
    prop_oneof![
        2 => prop::option::of(1..50_i64).prop_map(|expires_in| Step::Create { expires_in }),
        1 => key.clone().prop_map(|key| Step::Delete { key }),
        6 => (key.clone(), module.clone()).prop_map(|(key, module)| Step::GrantModule { key, module }),
        2 => (key.clone(), module).prop_map(|(key, module)| Step::RevokeModule { key, module }),
        6 => (key.clone(), resource.clone(), level)
            .prop_map(|(key, resource, level)| Step::GrantPermission { key, resource, level }),
        2 => (key, resource).prop_map(|(key, resource)| Step::RevokePermission { key, resource }),
        4 => (prop::sample::select(&MODULES[2..]), prop::sample::select(&ACTIONS))
            .prop_map(|(id, action)| Step::Module { id, action }),
        1 => (1..30_i64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

#[derive(Default)]
struct Key {
    id: String,
    secret: String,
    deleted: bool,
    expires_at: Option<i64>,
    modules: BTreeSet<&'static str>,
    permissions: BTreeMap<&'static str, Level>,
}

#[derive(Default)]
struct Model {
    now: i64,
    keys: Vec<Key>,
    /// The modules that are installed, and whether they are enabled.
    installed: BTreeMap<&'static str, bool>,
}

impl Model {
    fn apply(&mut self, conn: &mut Connection, step: &Step) {
        match *step {
            Step::Create { expires_in } => {
                let expires_at = expires_in.map(|seconds| self.now + seconds);
                let (id, secret) = keys::create(conn, "a key", expires_at).expect("a key");
                self.keys.push(Key { id, secret: secret.to_string(), expires_at, ..Key::default() });
            }
            Step::Delete { key } => self.with(key, keys::delete, conn, |key| key.deleted = true),
            Step::GrantModule { key, module } => {
                self.with(
                    key,
                    |conn, id| keys::grant_module(conn, id, module),
                    conn,
                    |key| {
                        key.modules.insert(module);
                    },
                );
            }
            Step::RevokeModule { key, module } => {
                self.with(
                    key,
                    |conn, id| keys::revoke_module(conn, id, module),
                    conn,
                    |key| {
                        key.modules.remove(module);
                    },
                );
            }
            Step::GrantPermission { key, resource, level } => {
                self.with(
                    key,
                    |conn, id| keys::grant_permission(conn, id, resource, level),
                    conn,
                    |key| {
                        key.permissions.insert(resource, level);
                    },
                );
            }
            Step::RevokePermission { key, resource } => {
                self.with(
                    key,
                    |conn, id| keys::revoke_permission(conn, id, resource),
                    conn,
                    |key| {
                        key.permissions.remove(resource);
                    },
                );
            }
            Step::Module { id, action } => {
                let result = modules::change(conn, modules::find(id).expect("a module"), action, self.now);
                let enabled = self.installed.get(id).copied();
                match (action, enabled) {
                    (Action::Install, None) => drop(self.installed.insert(id, true)),
                    (Action::Enable | Action::Disable, Some(_)) => {
                        self.installed.insert(id, action == Action::Enable);
                    }
                    (Action::Enable | Action::Disable, None) => return drop(result.expect_err("not installed")),
                    (Action::Uninstall, _) => drop(self.installed.remove(id)),
                    (Action::Install, Some(_)) => {}
                }
                result.expect("a change");
            }
            Step::Wait { seconds } => self.now += seconds,
        }
    }

    /// Does something to a key, if there is one, in the database and in the model.
    fn with(
        &mut self,
        key: usize,
        work: impl Fn(&Connection, &str) -> molos_example_server::error::Result<()>,
        conn: &Connection,
        model: impl Fn(&mut Key),
    ) {
        let Some(key) = self.keys.get_mut(key) else { return };
        let result = work(conn, &key.id);
        assert_eq!(result.is_err(), key.deleted, "{result:?}");
        if !key.deleted {
            model(key);
        }
    }

    fn allows(&self, key: &Key, access: &Access<'_>) -> bool {
        let is_on = access.module == "core" || self.installed.get(access.module) == Some(&true);
        let has_module = ["*", access.module].iter().any(|module| key.modules.contains(module));
        let has_permission = ["*", access.resource]
            .iter()
            .filter_map(|resource| key.permissions.get(resource))
            .any(|granted| *granted >= access.level);
        !key.deleted
            && key.expires_at.is_none_or(|expires_at| self.now < expires_at)
            && is_on
            && has_module
            && has_permission
    }

    fn check(&self, conn: &Connection) {
        for key in &self.keys {
            for module in MODULES.into_iter().chain([STRANGER]) {
                for resource in RESOURCES.into_iter().chain([STRANGER]) {
                    for level in Level::EACH {
                        let access = Access { module, resource, level };
                        let granted = validate_access(conn, &key.secret, &access, self.now).is_ok();
                        // A star is granted, and never asked for.
                        let allowed = module != "*" && self.allows(key, &access);
                        assert_eq!(granted, allowed, "{access:?}");
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_key_can_do_what_it_was_granted_and_nothing_else(steps in prop::collection::vec(step(), 1..60)) {
        let mut conn = database();
        let mut model = Model { now: 1_000, ..Model::default() };
        for step in &steps {
            model.apply(&mut conn, step);
            model.check(&conn);
        }
    }
}
