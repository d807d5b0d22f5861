//! The questions that a cloud asks most, answered by the default rules.

use divan::{Bencher, black_box};
use keystone_policy::{Enforcer, Registry, Settings};
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

fn ask(bencher: Bencher<'_, '_>, rule: &str, target: &Value, caller: &str) {
    let enforcer = Enforcer::with_defaults(Registry::keystone(), Settings::default())
        .expect("there is no file to fail");
    let credentials = credentials(caller);
    let answer = enforcer.enforce(rule, target, &credentials);
    answer.expect("it is allowed");
    bencher.bench(|| enforcer.enforce(black_box(rule), black_box(target), black_box(&credentials)));
}

/// A service asks about somebody's token.
#[divan::bench]
fn validate_token_of_another(bencher: Bencher<'_, '_>) {
    let target = json!({ "target.token.user_id": "00112233445566778899aabbccddeeff" });
    ask(bencher, "identity:validate_token", &target, "service");
}

/// A member asks about the own project.
#[divan::bench]
fn get_own_project(bencher: Bencher<'_, '_>) {
    let project = "fedcba9876543210fedcba9876543210";
    let target = json!({ "target": { "project": { "id": project, "domain_id": "default" } } });
    ask(bencher, "identity:get_project", &target, "member");
}

/// An administrator lists all users.
#[divan::bench]
fn list_users(bencher: Bencher<'_, '_>) {
    ask(bencher, "identity:list_users", &json!({}), "admin");
}
