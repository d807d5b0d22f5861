//! `mapping_engine`.

use keystone::storage::{DatabaseUrl, Db, PoolOptions, sql};
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const RULES: &str = r#"[{
    "remote": [{ "type": "OIDC-email" }, { "type": "OIDC-groups", "blacklist": ["everyone"] }],
    "local": [{ "user": { "name": "{0}" } }, { "groups": "{1}", "domain": { "name": "Default" } }]
}]"#;

const INPUT: &str = "OIDC-email: ann@example.org\n\nOIDC-groups: devs;everyone;ops\nother: x:y\n";

fn printed(text: &str) -> Value {
    serde_json::from_str(text).expect("the command prints JSON")
}

#[test]
fn what_rules_make_of_attributes_is_printed() {
    let sandbox = Sandbox::new();
    let input = sandbox.write("input", INPUT);
    for rules in [RULES.to_owned(), format!("{{\"rules\": {RULES}}}")] {
        let rules = sandbox.write("rules.json", &rules);
        let arguments = ["mapping_engine", "--rules", &rules, "--input", &input];
        let run = sandbox.manage(&arguments).succeeds();
        let mapped = printed(&run.stdout);
        assert_eq!(
            mapped["user"],
            json!({ "name": "ann@example.org", "type": "ephemeral" })
        );
        let domain = json!({ "name": "Default" });
        let groups =
            json!([{ "name": "devs", "domain": domain }, { "name": "ops", "domain": domain }]);
        assert_eq!(mapped["group_names"], groups);
        let debug = sandbox.manage(&[&arguments[..], &["--engine-debug"]].concat());
        let debug = debug.succeeds().stdout;
        assert!(debug.starts_with("Using Rules:\n"), "{debug}");
        assert!(
            debug.contains("Using Assertion:\n") && debug.contains("x:y"),
            "{debug}"
        );
        let narrowed = sandbox.manage(&[&arguments[..], &["--prefix", "oidc-"]].concat());
        narrowed
            .exits_with(1)
            .says("Could not map any federated user");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let sandbox = Sandbox::new();
    let rules = sandbox.write("rules.json", RULES);
    let input = sandbox.write("input", INPUT);
    let broken = sandbox.write("broken.json", "[");
    let without_colon = sandbox.write("without_colon", "a: b\nc\n");
    let run = |rules: &str, input: &str| {
        sandbox.manage(&["mapping_engine", "--rules", rules, "--input", input])
    };
    run(&broken, &input)
        .exits_with(1)
        .says("Error while parsing rules");
    run(&rules, "/nowhere").exits_with(1).says("/nowhere");
    run(&rules, &without_colon)
        .exits_with(1)
        .says("at line 2 expected 'key: value' but found 'c'");
    let version = ["--mapping-schema-version", "9.0"];
    let arguments = ["mapping_engine", "--rules", &rules, "--input", &input];
    sandbox
        .manage(&[&arguments[..], &version].concat())
        .exits_with(1)
        .says("9.0");
    sandbox
        .manage(&["mapping_engine", "--input", &input])
        .exits_with(2);
}

#[test]
fn rules_must_have_the_structure_of_their_version() {
    let sandbox = Sandbox::new();
    let input = sandbox.write("input", INPUT);
    let rules = r#"{"schema_version": "1.0", "rules": [{
        "remote": [{ "type": "OIDC-email" }],
        "local": [
            { "user": { "name": "{0}" } },
            { "projects": [{ "name": "p", "roles": [{ "name": "r" }], "domain": { "name": "d" } }] }
        ]
    }]}"#;
    let rules = sandbox.write("rules.json", rules);
    let arguments = ["mapping_engine", "--rules", &rules, "--input", &input];
    let refused = sandbox.manage(&arguments).exits_with(1);
    refused.says("Additional properties are not allowed ('domain' was unexpected)");
    let version = ["--mapping-schema-version", "2.0"];
    let run = sandbox
        .manage(&[&arguments[..], &version].concat())
        .succeeds();
    let project = &printed(&run.stdout)["projects"][0];
    assert_eq!(project["domain"], json!({ "name": "d" }));
    let stored = [
        "mapping_engine",
        "--identity-provider",
        "x",
        "--protocol",
        "y",
    ];
    let both = [&stored[..], &["--input", &input], &version].concat();
    sandbox.manage(&both).exits_with(2);
}

#[tokio::test]
async fn the_mapping_of_a_protocol_is_read_from_the_database() {
    let sandbox = Sandbox::new();
    sandbox.manage(&["db_sync"]).succeeds();
    let input = sandbox.write("input", INPUT);
    let provider = ["mapping_engine", "--identity-provider", "acme"];
    let arguments = [&provider[..], &["--protocol", "openid", "--input", &input]].concat();
    let unknown = "Could not find Identity Provider: acme.";
    sandbox.manage(&arguments).exits_with(1).says(unknown);
    let url = DatabaseUrl::file(sandbox.path("keystone.db"));
    let db = Db::connect(&url, &PoolOptions::default()).await.unwrap();
    // JSON in the string of another JSON.
    let rules = Value::from(RULES).to_string();
    for statement in [
        sql("INSERT INTO identity_provider (id, enabled, domain_id) VALUES ('acme', 0, 'default')"),
        sql("INSERT INTO mapping (id, rules, schema_version) VALUES ('m', ?, '1.0')").bind(rules),
        sql(
            "INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES ('acme', 'openid', 'm')",
        ),
    ] {
        statement.execute(&db).await.unwrap();
    }
    let run = sandbox.manage(&arguments).succeeds();
    let run = run.says("the identity provider acme is disabled");
    assert_eq!(printed(&run.stdout)["user"]["name"], "ann@example.org");
    // Those that a server passes on to the mapping.
    sandbox.configure("[federation]\nassertion_prefix = HTTP_\n");
    sandbox
        .manage(&arguments)
        .exits_with(1)
        .says("Could not map");
    let narrowed = [&arguments[..], &["--prefix", "OIDC-"]].concat();
    sandbox.manage(&narrowed).succeeds();
}
