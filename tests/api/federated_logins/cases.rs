//! What no recorded login tells.

use axum::body::Body;
use axum::http::Request;
use chrono::Duration;
use keystone::auth::{Assertion, Login, ProviderAssertion};
use keystone::storage::sql;
use keystone::types::Error;
use keystone::{OidcProvider, oidc};
use keystone_testkit::{Answer, Session, sign_tokens};
use serde_json::{Value, json};

use super::world::{ACME, World, settings, token, with_groups};

const ANN: [(&str, &str); 2] = [("NAME", "ann"), ("G", "devs")];

impl World {
    /// A world whose mapping gives groups of the default domain.
    async fn with_groups() -> Self {
        let world = Self::new().await;
        world.map("1.0", &with_groups()).await;
        world
    }

    async fn rescope(&self, token: &str, scope: &Value) -> Answer {
        let identity = json!({ "methods": ["token"], "token": { "id": token } });
        let auth = json!({ "auth": { "identity": identity, "scope": scope } });
        self.cloud.nobody().post("/v3/auth/tokens", &auth).await
    }

    async fn on_p2(&self, token: &str) -> Answer {
        let scope = json!({ "project": { "id": self.ids["project:p2"] } });
        self.rescope(token, &scope).await
    }

    async fn count(&self, statement: &'static str) -> usize {
        let rows = sql(statement).fetch_texts(self.cloud.keystone.db()).await;
        rows.expect("rows").len()
    }
}

fn user_id(answer: &Answer) -> String {
    let id = answer.body["token"]["user"]["id"].as_str();
    id.expect("a token has a user").to_owned()
}

#[tokio::test]
async fn a_disabled_user_is_refused_and_nothing_is_changed() {
    let world = World::with_groups().await;
    let user = user_id(&world.log_in(&ANN).await);
    let admin = world.cloud.admin().await;
    let disabled = json!({ "user": { "enabled": false } });
    admin
        .patch(&format!("/v3/users/{user}"), &disabled)
        .await
        .ok();
    world
        .log_in(&[("NAME", "ann"), ("G", "ops")])
        .await
        .refused(401);
    let groups = sql("SELECT group_id FROM expiring_user_group_membership ORDER BY group_id");
    let groups = groups
        .fetch_texts(world.cloud.keystone.db())
        .await
        .expect("rows");
    assert_eq!(groups, [world.ids["group:devs"].clone()]);

    let enabled = json!({ "user": { "enabled": true } });
    admin
        .patch(&format!("/v3/users/{user}"), &enabled)
        .await
        .ok();
    token(&world.log_in(&ANN).await);
    let domain = json!({ "domain": { "enabled": false } });
    let acme = format!("/v3/domains/{ACME}");
    admin.patch(&acme, &domain).await.ok();
    world.log_in(&ANN).await.refused(404);
    world
        .log_in(&[("NAME", "new"), ("G", "ops")])
        .await
        .refused(404);
    assert_eq!(world.count("SELECT user_id FROM federated_user").await, 1);
}

#[tokio::test]
async fn a_login_that_fails_at_a_role_leaves_neither_user_nor_group_nor_project() {
    let world = World::new().await;
    let rules = json!([{
        "remote": [{ "type": "NAME" }, { "type": "G" }],
        "local": [
            { "user": { "name": "{0}" } },
            { "groups": "{1}", "domain": { "id": "default" } },
            { "projects": [
                { "name": "new", "roles": [{ "name": "member" }] },
                { "name": "newer", "roles": [{ "name": "no-such-role" }] },
            ] },
        ],
    }]);
    world.map("1.0", &rules).await;
    assert_eq!(world.log_in(&ANN).await.refused(404), "no-such-role");
    assert_eq!(world.count("SELECT user_id FROM federated_user").await, 0);
    assert_eq!(
        world
            .count("SELECT user_id FROM expiring_user_group_membership")
            .await,
        0
    );
    assert_eq!(
        world
            .count("SELECT id FROM project WHERE name = 'new'")
            .await,
        0
    );
}

#[tokio::test]
async fn a_token_can_be_exchanged_for_one_of_each_scope_but_the_system() {
    let mut signed = settings();
    let _home = sign_tokens(&mut signed);
    for world in [World::new().await, World::with(signed).await] {
        world.map("1.0", &with_groups()).await;
        let devs = &world.ids["group:devs"];
        let on_domain = format!(
            "/v3/domains/default/groups/{devs}/roles/{}",
            world.ids["role:reader"]
        );
        let admin = world.cloud.admin().await;
        admin.put(&on_domain).await.no_content();
        let unscoped = token(&world.log_in(&ANN).await);
        let domain = json!({ "domain": { "id": "default" } });
        let on_domain = world.rescope(&unscoped, &domain).await;
        assert_eq!(on_domain.body["token"]["roles"][0]["name"], "reader");
        let on_project = world.on_p2(&unscoped).await;
        world
            .rescope(&unscoped, &json!({ "system": { "all": true } }))
            .await
            .refused(401);
        for answer in [&on_domain, &on_project] {
            let shown = admin.validate(&token(answer)).await.ok();
            let federation = &shown["token"]["user"]["OS-FEDERATION"];
            assert_eq!(federation["groups"], json!([{ "id": devs }]));
            assert_eq!(federation["identity_provider"]["id"], "acme");
            assert_eq!(shown["token"], answer.body["token"]);
        }
        let bearer = world.cloud.nobody().with_token(&unscoped);
        let domains = bearer.get("/v3/auth/domains").await.ok();
        assert_eq!(domains["domains"][0]["id"], "default");
        let projects = bearer.get("/v3/auth/projects").await.ok();
        assert_eq!(projects["projects"].as_array().map(Vec::len), Some(1));
        let system = bearer.get("/v3/auth/system").await.ok();
        assert_eq!(system["system"], json!([]));
    }
}

#[tokio::test]
async fn the_methods_of_identity_providers_exchange_their_own_tokens_only() {
    let world = World::with_groups().await;
    let unscoped = token(&world.log_in(&ANN).await);
    let exchange = async |id: &str| {
        let identity = json!({ "methods": ["mapped"], "mapped": { "id": id } });
        let scope = json!({ "project": { "id": world.ids["project:p2"] } });
        let auth = json!({ "auth": { "identity": identity, "scope": scope } });
        world.cloud.nobody().post("/v3/auth/tokens", &auth).await
    };
    let exchanged = exchange(&unscoped).await.created();
    assert_eq!(exchanged["token"]["methods"], json!(["mapped"]));
    let own = world
        .cloud
        .session("carol", "carol", &json!("unscoped"))
        .await;
    let text = exchange(own.token()).await.refused(404);
    assert_eq!(text, "Could not find Identity Provider: None.");
    for (missing, data) in [
        ("identity_provider", json!({})),
        ("protocol", json!({ "identity_provider": "acme" })),
    ] {
        let identity = json!({ "methods": ["mapped"], "mapped": data });
        let auth = json!({ "auth": { "identity": identity } });
        let answer = world.cloud.nobody().post("/v3/auth/tokens", &auth).await;
        let text = answer.refused(400);
        assert!(
            text.starts_with(&format!("Expecting to find {missing} in mapped.")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_remembered_token_loses_the_roles_of_its_groups_at_once() {
    let world = World::with_groups().await;
    let neighbour = world.cloud.neighbour().await;
    let on_project = token(&world.on_p2(&token(&world.log_in(&ANN).await)).await);
    let admin = neighbour.admin().await;
    for _ in 0..2 {
        admin.validate(&on_project).await.ok();
    }
    let grant = format!(
        "/v3/projects/{}/groups/{}/roles/{}",
        world.ids["project:p2"], world.ids["group:devs"], world.ids["role:member"]
    );
    world.cloud.admin().await.delete(&grant).await.no_content();
    admin.validate(&on_project).await.refused(404);
}

#[tokio::test]
async fn an_application_credential_has_no_role_that_only_the_token_s_groups_have() {
    let world = World::with_groups().await;
    let first = world.log_in(&ANN).await;
    let user = user_id(&first);
    let on_project = world.on_p2(&token(&first)).await;
    let bearer = world.cloud.nobody().with_token(&token(&on_project));
    let path = format!("/v3/users/{user}/application_credentials");
    let project = &world.ids["project:p2"];
    let credential = json!({ "application_credential": { "name": "a" } });
    let text = bearer.post(&path, &credential).await.refused(400);
    let begin = "Invalid application credential: Could not find role assignment with role: ";
    let end = format!(", user or group: {user}, project, domain, or system: {project}.");
    assert!(text.starts_with(begin) && text.ends_with(&end), "{text}");
    world.cloud.grant(&user, project, "member").await;
    bearer.post(&path, &credential).await.created();
}

#[tokio::test]
async fn what_a_user_made_by_a_membership_ends_with_it() {
    let world = World::with_groups().await;
    let ttl = "UPDATE identity_provider SET authorization_ttl = 10 WHERE id = 'acme'";
    world.run(sql(ttl)).await;
    let first = world.log_in(&ANN).await;
    let user = user_id(&first);
    let on_project = world.on_p2(&token(&first)).await;
    let bearer = world.cloud.nobody().with_token(&token(&on_project));
    let credential =
        json!({ "application_credential": { "name": "a", "roles": [{ "name": "member" }] } });
    let path = format!("/v3/users/{user}/application_credentials");
    let made = bearer.post(&path, &credential).await.created();
    let by_credential = async || {
        let made = &made["application_credential"];
        let presented = json!({ "id": made["id"], "secret": made["secret"] });
        let identity =
            json!({ "methods": ["application_credential"], "application_credential": presented });
        let auth = json!({ "auth": { "identity": identity } });
        world.cloud.nobody().post("/v3/auth/tokens", &auth).await
    };
    let held = token(&by_credential().await);
    let admin = world.cloud.admin().await;
    admin.validate(&held).await.ok();
    let effective = format!("/v3/role_assignments?user.id={user}&effective");
    assert_ne!(
        admin.get(&effective).await.ok()["role_assignments"],
        json!([])
    );

    world.cloud.advance(Duration::minutes(10));
    admin.validate(&held).await.refused(404);
    by_credential().await.refused(401);
    assert_eq!(
        admin.get(&effective).await.ok()["role_assignments"],
        json!([])
    );
    // A new login renews it.
    token(&world.log_in(&ANN).await);
    token(&by_credential().await);
}

#[tokio::test]
async fn an_assertion_that_this_server_verified_needs_its_issuer_among_the_remote_ids() {
    let world = World::with_groups().await;
    let auth = world.cloud.keystone.auth();
    let log_in = async |issuer: &str| {
        let lists = [
            ("NAME", vec!["ann".to_owned()]),
            ("G", vec!["devs".to_owned(), "ops;devs".to_owned()]),
        ];
        let assertion = ProviderAssertion {
            remote_id: issuer.to_owned(),
            remote_user: None,
            assertion: Assertion::of_lists(lists),
        };
        let login = Login {
            assertion: Some(&assertion),
            ..Login::default()
        };
        auth.log_in_federated("acme", "mapped", &login).await
    };
    let token = log_in("https://idp.acme").await.expect("a token");
    let shown = token.body(auth.settings(), None);
    let groups = &shown["token"]["user"]["OS-FEDERATION"]["groups"];
    // No value of a list is split.
    assert_eq!(*groups, json!([{ "id": world.ids["group:devs"] }]));
    for other in ["https://idp.acme/", "", "HTTPS://IDP.ACME"] {
        let refused = log_in(other).await;
        assert!(matches!(refused, Err(Error::Forbidden { .. })), "{other}");
    }
}

#[tokio::test]
async fn only_attributes_with_the_prefix_reach_a_mapping() {
    let mut narrowed = settings();
    narrowed.auth.federation.assertion_prefix = "OIDC-".to_owned();
    let world = World::with(narrowed).await;
    let rules = |name: &str| json!([{ "remote": [{ "type": name }], "local": [{ "user": { "name": "{0}" } }] }]);
    let log_in = async || {
        let path = "/v3/OS-FEDERATION/identity_providers/acme/protocols/mapped/auth";
        let request = Request::builder().uri(path).header("OIDC-email", "ann@x");
        let request = request.body(Body::empty()).expect("a request");
        let nobody = world.cloud.nobody();
        nobody.send_vouched(request, [("NAME", "ann")]).await
    };
    world.map("1.0", &rules("OIDC-email")).await;
    assert_eq!(log_in().await.created()["token"]["user"]["name"], "ann@x");
    for other in ["NAME", "HTTP_OIDC_EMAIL"] {
        world.map("1.0", &rules(other)).await;
        log_in().await.refused(401);
    }
}

/// A world with one trusted dashboard.
async fn with_dashboard() -> World {
    let mut with_dashboard = settings();
    let urls = ["https://Horizon.Example.com/auth/websso/"];
    let urls = urls.map(keystone::api::WebSso::dashboard);
    with_dashboard.api.websso.dashboards = urls.into();
    let world = World::with(with_dashboard).await;
    world.map("1.0", &with_groups()).await;
    world
}

const DASHBOARD: &str = "origin=https%3A%2F%2Fhorizon.example.com%2Fauth%2Fwebsso%2F";
const AT_ACME: &str = "/v3/auth/OS-FEDERATION/identity_providers/acme/protocols/mapped/websso";

#[tokio::test]
async fn a_browser_gets_a_page_that_carries_the_token_to_the_dashboard() {
    let world = with_dashboard().await;
    let answer = world.get(&format!("{AT_ACME}?{DASHBOARD}"), &ANN).await;
    let header = |name| answer.header(name).unwrap_or_default().to_owned();
    assert_eq!(header("content-type"), "text/html");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("referrer-policy"), "strict-origin-when-cross-origin");
    let policy = header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(
        policy.ends_with("form-action https://horizon.example.com"),
        "{policy}"
    );
    let page = answer.clone().ok();
    let page = page.as_str().expect("a page is a text");
    let (before, rest) = page.split_once("id=\"token\" value=\"").expect("a field");
    let (token, after) = rest.split_once('"').expect("a value");
    let known = include_str!("../../../crates/api/src/v3/websso.html");
    let host = "https://horizon.example.com/auth/websso/";
    let known = known.replace("$host", host).replace("$token", token);
    assert_eq!(page, known);
    assert!(!before.is_empty() && !after.is_empty());
    let shown = world.cloud.admin().await.validate(token).await.ok();
    assert_eq!(shown["token"]["user"]["name"], "ann");
}

#[tokio::test]
async fn a_browser_may_come_by_every_method() {
    for path in [AT_ACME, "/v3/auth/OS-FEDERATION/websso/openid"] {
        let world = with_dashboard().await;
        for method in ["GET", "HEAD", "POST"] {
            let request = Request::builder().method(method);
            let request = request
                .uri(format!("{path}?{DASHBOARD}"))
                .header("OIDC-iss", "https://idp.acme");
            let request = request.body(Body::empty()).expect("a request");
            let answer = world.cloud.nobody().send_vouched(request, ANN).await;
            assert_eq!(
                answer.header("content-type"),
                Some("text/html"),
                "{method} {path}"
            );
            answer.ok();
        }
    }
}

#[tokio::test]
async fn a_browser_is_sent_to_trusted_dashboards_only() {
    let world = with_dashboard().await;
    let text = world.get(AT_ACME, &ANN).await.refused(400);
    assert_eq!(text, "Request must have an origin query parameter");
    for other in [
        "https://horizon.example.com/auth/websso",
        "https://Horizon.Example.com/auth/websso/",
        "http://horizon.example.com/auth/websso/",
        "https://horizon.example.com/auth/websso/?x",
        "https://horizon.example.com.evil/auth/websso/",
    ] {
        world
            .get(&format!("{AT_ACME}?origin={other}"), &ANN)
            .await
            .refused(401);
    }
    // Nothing came of it.
    assert_eq!(world.count("SELECT user_id FROM federated_user").await, 0);
}

#[tokio::test]
async fn a_browser_is_logged_in_at_the_provider_that_names_itself() {
    let world = with_dashboard().await;
    let anywhere = format!("/v3/auth/OS-FEDERATION/websso/openid?{DASHBOARD}");
    let log_in = async |path: &str, issuer: &str| {
        let request = Request::builder().method("POST").uri(path);
        let request = request.header("OIDC-iss", issuer).body(Body::empty());
        let nobody = world.cloud.nobody();
        nobody.send_vouched(request.expect("a request"), ANN).await
    };
    log_in(&anywhere, "https://idp.acme").await.ok();
    let text = log_in(&anywhere, "https://other").await.refused(404);
    assert_eq!(text, "Could not find Identity Provider: https://other.");
    // Whoever is named by nothing is refused before anything is said about the dashboard.
    let without_origin = "/v3/auth/OS-FEDERATION/websso/openid";
    log_in(without_origin, "").await.refused(401);
    log_in(without_origin, "https://idp.acme")
        .await
        .refused(400);
}

#[tokio::test]
async fn no_header_of_a_client_is_an_attribute() {
    let world = World::new().await;
    let rules = json!([{
        "remote": [{ "type": "HTTP_OIDC_EMAIL" }],
        "local": [{ "user": { "name": "{0}" } }],
    }]);
    world.map("1.0", &rules).await;
    let path = "/v3/OS-FEDERATION/identity_providers/acme/protocols/mapped/auth";
    let request = |headers: &[(&str, &str)]| {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).expect("a request")
    };
    let nobody = world.cloud.nobody();
    let at_proxy: Session = nobody.from([10, 0, 0, 1].into());
    for session in [&nobody, &at_proxy] {
        let spoofed = request(&[("OIDC-email", "ann@x"), ("OIDC_email", "ann@x")]);
        session.send(spoofed).await.refused(401);
    }
    // One that a proxy has let through beside its own counts for nothing, in any spelling.
    for other in ["OIDC-email", "oidc_email", "OIDC-EMAIL"] {
        let both = request(&[("OIDC-email", "ann@x"), (other, "eve@x")]);
        nobody.send_vouched(both, []).await.refused(401);
    }
    let alone = request(&[("OIDC_email", "ann@x")]);
    let answer = nobody.send_vouched(alone, []).await.created();
    assert_eq!(answer["token"]["user"]["name"], "ann@x");
}

#[tokio::test]
async fn headers_are_attributes_at_the_routes_of_identity_providers_only() {
    let world = World::new().await;
    let rules = json!([{
        "remote": [{ "type": "OIDC-sub" }],
        "local": [{ "user": { "name": "{0}" } }],
    }]);
    world.map("1.0", &rules).await;
    let nobody = world.cloud.nobody();
    let identity = json!({
        "methods": ["mapped"],
        "mapped": { "identity_provider": "open", "protocol": "mapped" },
    });
    let body = json!({ "auth": { "identity": identity } }).to_string();
    let elsewhere = Request::post("/v3/auth/tokens")
        .header("content-type", "application/json")
        .header("oidc-sub", "ann")
        .body(Body::from(body))
        .expect("a test's request is well-formed");
    let answer = nobody.send_vouched(elsewhere, []).await;
    answer.refused(401);
    let path = "/v3/OS-FEDERATION/identity_providers/open/protocols/mapped/auth";
    let there = Request::get(path).header("oidc-sub", "ann");
    let there = there.body(Body::empty());
    let there = there.expect("a test's request is well-formed");
    token(&nobody.send_vouched(there, []).await);
}

#[tokio::test]
async fn a_proxys_word_counts_for_a_provider_that_the_server_asks_only_if_it_names_it() {
    let mut settings = settings();
    settings.oidc.insert(
        "acme".to_owned(),
        OidcProvider {
            settings: oidc::Settings::new(
                "http://127.0.0.1:1".parse().expect("an issuer"),
                "keystone",
            ),
            protocol: "openid".to_owned(),
            redirect_path: None,
        },
    );
    let world = World::with(settings).await;
    world.map("1.0", &with_groups()).await;
    // `mapped` has no attribute for it, and `open` is asked by nobody.
    world.log_in(&ANN).await.refused(401);
    let open = "/v3/OS-FEDERATION/identity_providers/open/protocols/mapped/auth";
    token(&world.get(open, &[("NAME", "nobody before"), ANN[1]]).await);
    let named = "UPDATE federation_protocol SET remote_id_attribute = 'OTHER' WHERE id = 'mapped'";
    world.run(sql(named)).await;
    let [name, groups] = ANN;
    let named = |by| [name, groups, ("OTHER", by)];
    let other = world.log_in(&named("https://idp.beta")).await;
    other.refused(403);
    token(&world.log_in(&named("https://idp.acme")).await);
}

#[tokio::test]
async fn a_role_that_is_granted_in_another_spelling_stays() {
    let world = World::new().await;
    let rules = json!([{
        "remote": [{ "type": "NAME" }],
        "local": [
            { "user": { "name": "{0}" } },
            { "projects": [{ "name": "p1", "roles": [{ "name": "member" }] }] },
        ],
    }]);
    world.map("3.0", &rules).await;
    let user = user_id(&world.log_in(&ANN).await);
    let spelt = "UPDATE assignment SET target_id = UPPER(target_id), role_id = UPPER(role_id) WHERE actor_id = ?";
    world.run(sql(spelt).bind(&user)).await;
    token(&world.log_in(&ANN).await);
    let kept =
        sql("SELECT role_id FROM assignment WHERE actor_id = ? ORDER BY role_id").bind(&user);
    let kept = kept.fetch_texts(world.cloud.keystone.db()).await;
    assert_eq!(kept.expect("rows").len(), 1);
}

#[tokio::test]
async fn projects_without_a_domain_are_made_in_that_of_the_provider() {
    let world = World::new().await;
    let rules = json!([{
        "remote": [{ "type": "NAME" }],
        "local": [
            { "user": { "name": "{0}" } },
            { "projects": [{ "name": "made", "roles": [{ "name": "member" }] }] },
        ],
    }]);
    world.map("2.0", &rules).await;
    let answer = world.log_in(&[("NAME", "somebody new")]).await;
    assert_eq!(answer.body["token"]["user"]["domain"]["id"], ACME);
    let made = sql("SELECT domain_id FROM project WHERE name = 'made' ORDER BY id");
    let made = made.fetch_texts(world.cloud.keystone.db()).await;
    assert_eq!(made.expect("rows"), [ACME]);
}
