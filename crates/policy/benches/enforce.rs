//! The questions that a cloud asks most, answered by the default rules of Keystone and of nova.

use std::fs;
use std::path::Path;

use divan::{Bencher, black_box};
use keystone_policy::{DefaultRule, Enforcer, Registry, Settings};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

/// Of a token of a project.
fn credentials(role: &str) -> Value {
    json!({
        "user_id": "0123456789abcdef0123456789abcdef",
        "user_domain_id": "default",
        "system_scope": null,
        "project_id": "fedcba9876543210fedcba9876543210",
        "project_domain_id": "default",
        "domain_id": null,
        "roles": [role, "member", "reader"],
        "is_admin_project": true,
        "service_roles": [],
    })
}

fn ask(bencher: Bencher<'_, '_>, enforcer: &Enforcer, rule: &str, target: &Value, caller: &str) {
    let credentials = credentials(caller);
    let answer = enforcer.enforce(rule, target, &credentials);
    answer.expect("it is allowed");
    bencher.bench(|| enforcer.enforce(black_box(rule), black_box(target), black_box(&credentials)));
}

fn keystone() -> Enforcer {
    let made = Enforcer::with_defaults(Registry::keystone(), Settings::default());
    made.expect("there is no file to fail")
}

/// Nova's 214 default rules, as they were recorded.
fn nova(settings: Settings) -> Enforcer {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services/nova.json");
    let text = fs::read(path).expect("it is in the crate");
    let recorded: Value = serde_json::from_slice(&text).expect("it is JSON");
    let defaults = serde_json::from_value(recorded["defaults"].clone());
    let defaults: Vec<DefaultRule> = defaults.expect("they are rules");
    Enforcer::with_defaults(defaults, settings).expect("they are right")
}

/// A service asks about somebody's token.
#[divan::bench]
fn validate_token_of_another(bencher: Bencher<'_, '_>) {
    let target = json!({ "target.token.user_id": "00112233445566778899aabbccddeeff" });
    ask(
        bencher,
        &keystone(),
        "identity:validate_token",
        &target,
        "service",
    );
}

/// A member asks about the own project.
#[divan::bench]
fn get_own_project(bencher: Bencher<'_, '_>) {
    let project = "fedcba9876543210fedcba9876543210";
    let target = json!({ "target": { "project": { "id": project, "domain_id": "default" } } });
    ask(
        bencher,
        &keystone(),
        "identity:get_project",
        &target,
        "member",
    );
}

/// An administrator lists all users.
#[divan::bench]
fn list_users(bencher: Bencher<'_, '_>) {
    ask(
        bencher,
        &keystone(),
        "identity:list_users",
        &json!({}),
        "admin",
    );
}

/// A member deletes a server of the own project: `rule:project_member_or_admin`, in which
/// `role:member and project_id:%(project_id)s`.
#[divan::bench]
fn nova_deletes_own_server(bencher: Bencher<'_, '_>) {
    own_server(bencher, &nova(Settings::default()));
}

/// The same with a policy file, which is looked at for changes.
#[divan::bench]
fn nova_deletes_own_server_with_a_policy_file(bencher: Bencher<'_, '_>) {
    let directory = tempfile::tempdir().expect("there is room");
    let path = directory.path().join("policy.yaml");
    fs::write(&path, "os_compute_api:servers:create: role:member\n").expect("there is room");
    let settings = Settings {
        file: Some(path),
        ..Settings::default()
    };
    own_server(bencher, &nova(settings));
}

fn own_server(bencher: Bencher<'_, '_>, enforcer: &Enforcer) {
    let target = json!({
        "project_id": "fedcba9876543210fedcba9876543210",
        "user_id": "00112233445566778899aabbccddeeff",
    });
    ask(
        bencher,
        enforcer,
        "os_compute_api:servers:delete",
        &target,
        "member",
    );
}
