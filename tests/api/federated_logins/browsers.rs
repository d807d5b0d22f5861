//! Browsers that log in at a provider which the server asks itself, by OpenID Connect.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use chrono::Duration;
use keystone::api::WebSso;
use keystone::storage::sql;
use keystone::token::Owner;
use keystone::types::Clock;
use keystone::{Keystone, Settings};
use keystone_testkit::{Answer, Cloud, sign_tokens};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::provider::Provider;
use super::world::{World, settings, token};

const DASHBOARD: &str = "https://horizon.example.com/auth/websso/";
const ORIGIN: &str = "origin=https://horizon.example.com/auth/websso/";
const AT_ACME: &str = "/v3/auth/OS-FEDERATION/identity_providers/acme/protocols/openid/websso";
const AUTH: &str = "/v3/OS-FEDERATION/identity_providers/acme/protocols/openid/auth";
const CALLBACK: &str = "/v3/auth/OS-FEDERATION/identity_providers/acme/oidc/redirect";
const LOGOUT: &str = "/v3/auth/OS-FEDERATION/identity_providers/acme/oidc/backchannel_logout";

fn with_dashboard() -> Settings {
    let mut settings = settings();
    settings.api.websso.dashboards = vec![WebSso::dashboard(DASHBOARD)];
    settings
}

/// A provider, and a world that asks it.
async fn worlds() -> (Provider, World) {
    let provider = Provider::new().await;
    let world = provider.world(provider.in_settings(with_dashboard(), None));
    let world = Box::pin(world).await;
    (provider, world)
}

/// A browser that is on its way to the provider.
struct Away {
    /// What the provider got, by name.
    query: Value,
    /// `name=value`
    cookie: String,
    /// All of the cookie.
    set_cookie: String,
}

impl Away {
    fn new(answer: &Answer, provider: &Provider) -> Self {
        assert_eq!(answer.status, 302, "{}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let location = answer.header("location").expect("a redirect");
        let endpoint = format!("{}/authorize?", provider.issuer);
        let query = location.strip_prefix(&endpoint).expect("the provider");
        let query = form_urlencoded::parse(query.as_bytes());
        let query = query.map(|(name, value)| (name.into_owned(), Value::from(value.as_ref())));
        let set_cookie = answer.header("set-cookie").expect("a cookie").to_owned();
        let (cookie, _) = set_cookie.split_once(';').expect("attributes");
        Self {
            query: query.collect(),
            cookie: cookie.to_owned(),
            set_cookie,
        }
    }

    fn text(&self, name: &str) -> &str {
        self.query[name].as_str().unwrap_or_default()
    }

    /// The query with which the provider sends it back, once somebody has logged in there.
    fn approved(&self, provider: &Provider, cloud: &Cloud, user: &str) -> String {
        let now = cloud.now().and_utc().timestamp();
        provider.told().id_token = Some(json!({
            "iss": provider.issuer, "aud": "keystone", "sub": user, "groups": ["devs"],
            "iat": now, "exp": now + 60, "nonce": self.text("nonce"),
        }));
        format!("code=c&state={}", self.text("state"))
    }
}

async fn begin(cloud: &Cloud, provider: &Provider) -> Away {
    let answer = cloud.nobody().get(&format!("{AT_ACME}?{ORIGIN}")).await;
    Away::new(&answer, provider)
}

async fn come_back(cloud: &Cloud, path_and_query: &str, cookie: &str) -> Answer {
    let request = Request::get(path_and_query).header("cookie", cookie);
    let request = request.body(Body::empty()).expect("a request");
    cloud.nobody().send(request).await
}

/// The token in the page.
fn token_of(answer: Answer) -> String {
    let cached = answer.header("cache-control").map(str::to_owned);
    let page = answer.ok();
    assert_eq!(cached.as_deref(), Some("no-store"));
    let page = page.as_str().expect("a page is a text");
    assert!(page.contains(DASHBOARD), "{page}");
    let (_, rest) = page.split_once("id=\"token\" value=\"").expect("a field");
    let (token, _) = rest.split_once('"').expect("a value");
    token.to_owned()
}

async fn log_in(cloud: &Cloud, provider: &Provider, user: &str) -> String {
    let away = begin(cloud, provider).await;
    let query = away.approved(provider, cloud, user);
    token_of(come_back(cloud, &format!("{CALLBACK}?{query}"), &away.cookie).await)
}

#[tokio::test]
async fn a_browser_is_sent_to_the_provider_and_any_node_takes_it_back() {
    let (provider, world) = worlds().await;
    let away = begin(&world.cloud, &provider).await;
    let expected = format!("http://keystone.test:5000{CALLBACK}");
    assert_eq!(away.text("redirect_uri"), expected);
    assert_eq!(away.text("client_id"), "keystone");
    assert_eq!(away.text("code_challenge_method"), "S256");
    let (name, _) = away.cookie.split_once('=').expect("a value");
    assert!(name.starts_with("keystone-oidc-"), "{name}");
    let attributes = away.set_cookie.strip_prefix(&away.cookie);
    let expected = "; Max-Age=600; Path=/; HttpOnly; SameSite=Lax";
    assert_eq!(attributes, Some(expected));
    let neighbour = world.cloud.neighbour().await;
    let query = away.approved(&provider, &neighbour, "ann");
    let other = format!("other=1; {}; more=2", away.cookie);
    let answer = come_back(&neighbour, &format!("{CALLBACK}?{query}"), &other).await;
    let cleared = answer.header("set-cookie").expect("a cookie");
    let expected = format!("{name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(cleared, expected);
    let token = token_of(answer);
    let shown = world.cloud.admin().await.validate(&token).await.ok();
    let user = &shown["token"]["user"];
    assert_eq!(user["name"], "ann");
    let federation = &user["OS-FEDERATION"];
    assert_eq!(federation["identity_provider"]["id"], "acme");
    assert_eq!(federation["protocol"]["id"], "openid");
    assert_eq!(federation["groups"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_callback_without_its_own_cookie_is_refused() {
    let (provider, world) = worlds().await;
    let cloud = &world.cloud;
    let away = begin(cloud, &provider).await;
    let other = begin(cloud, &provider).await;
    let query = away.approved(&provider, cloud, "ann");
    let back = format!("{CALLBACK}?{query}");
    let text = come_back(cloud, CALLBACK, &away.cookie).await.refused(400);
    assert!(text.contains("parameter state"), "{text}");
    let (name, _) = away.cookie.split_once('=').expect("a value");
    let (_, sealed) = other.cookie.split_once('=').expect("a value");
    let exchanged = format!("{name}={sealed}");
    for cookie in ["", &other.cookie, &exchanged, &format!("{name}=gAAAAA")] {
        let answer = come_back(cloud, &back, cookie).await;
        let text = answer.refused(401);
        assert!(text.starts_with("The login was not begun"), "{text}");
    }
    let state = away.text("state");
    for (query, expected) in [
        (
            format!("error=access_denied&state={state}"),
            "The identity provider refused the login.",
        ),
        (
            format!("{query}&iss=http://other"),
            "What the identity provider answered was refused. The log of this server has the reason.",
        ),
        (
            format!("{query}&code=d"),
            "What the identity provider answered was refused. The log of this server has the reason.",
        ),
    ] {
        let answer = come_back(cloud, &format!("{CALLBACK}?{query}"), &away.cookie).await;
        let cleared = answer.header("set-cookie").unwrap_or_default();
        assert!(cleared.contains("; Max-Age=0;"), "{cleared}");
        assert_eq!(answer.refused(401), expected);
    }
    // The provider can't exchange it.
    let claims = provider.told().id_token.take();
    let answer = come_back(cloud, &back, &away.cookie).await;
    // The browser may try again.
    assert_eq!(answer.header("set-cookie"), None);
    answer.refused(503);
    provider.told().id_token = claims;
    // The issuer is no remote id.
    world.run(sql("DELETE FROM idp_remote_ids")).await;
    come_back(cloud, &back, &away.cookie).await.refused(403);
    cloud.advance(Duration::minutes(11));
    let text = come_back(cloud, &back, &away.cookie).await.refused(401);
    assert!(text.starts_with("The login was not begun"), "{text}");
    let nobody = sql("SELECT user_id FROM federated_user");
    assert!(!nobody.exists(cloud.keystone.db()).await.expect("rows"));
}

#[tokio::test]
async fn a_login_begun_at_one_provider_is_not_finished_by_the_answer_of_another() {
    for path in [None, Some("/v3/back")] {
        let acme = Provider::new().await;
        let beta = Provider::new().await;
        let mut settings = beta.in_settings(with_dashboard(), None);
        let of_beta = settings.oidc.remove("acme").expect("a provider");
        settings.oidc.insert("open".to_owned(), of_beta);
        let world = acme.world(acme.in_settings(settings, path)).await;
        let protocol = "INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES ('open', 'openid', 'm0')";
        world.run(sql(protocol)).await;
        let at_beta = AT_ACME.replace("acme", "open");
        let nobody = world.cloud.nobody();
        let away = Away::new(&nobody.get(&format!("{at_beta}?{ORIGIN}")).await, &beta);
        // Beta sends the browser on to acme with its own state, and acme answers with a code for its own address.
        let query = away.approved(&beta, &world.cloud, "eve");
        let back = format!("{}?{query}", path.unwrap_or(CALLBACK));
        let answer = come_back(&world.cloud, &back, &away.cookie).await;
        let text = answer.refused(401);
        assert!(text.starts_with("The login was not begun"), "{text}");
        assert!(!beta.told().asked.contains(&"/token".to_owned()));
    }
}

#[tokio::test]
async fn nobody_is_sent_away_who_could_not_come_back() {
    let (provider, world) = worlds().await;
    let nobody = world.cloud.nobody();
    nobody.get(AT_ACME).await.refused(400);
    let elsewhere = format!("{AT_ACME}?origin=https://evil.example/");
    nobody.get(&elsewhere).await.refused(401);
    let saml = AT_ACME.replace("openid", "saml2");
    nobody.get(&format!("{saml}?{ORIGIN}")).await.refused(404);
    let disable = sql("UPDATE identity_provider SET enabled = ? WHERE id = 'acme'");
    world.run(disable.bind(false)).await;
    nobody
        .get(&format!("{AT_ACME}?{ORIGIN}"))
        .await
        .refused(403);
    assert_eq!(provider.told().asked, [""; 0]);
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_of_and_nothing_begins() {
    let mut provider = Provider::new().await;
    provider.issuer = "http://127.0.0.1:1".to_owned();
    let settings = provider.in_settings(with_dashboard(), None);
    let world = provider.world(settings).await;
    let path = format!("{AT_ACME}?{ORIGIN}");
    let answer = world.cloud.nobody().get(&path).await;
    assert_eq!(answer.header("set-cookie"), None);
    answer.refused(503);
}

#[tokio::test]
async fn the_address_of_the_provider_s_answer_is_the_public_one() {
    let provider = Provider::new().await;
    let mut settings = provider.in_settings(with_dashboard(), Some("/v3/redirect_uri"));
    settings.api.public_endpoint = Some("https://cloud.example/identity/".to_owned());
    let world = provider.world(settings).await;
    let away = begin(&world.cloud, &provider).await;
    let expected = "https://cloud.example/identity/v3/redirect_uri";
    assert_eq!(away.text("redirect_uri"), expected);
    assert!(away.cookie.starts_with("__Host-keystone-oidc-"));
    assert!(away.set_cookie.ends_with("; SameSite=Lax; Secure"));
    let query = away.approved(&provider, &world.cloud, "ann");
    let back = format!("/v3/redirect_uri?{query}");
    token_of(come_back(&world.cloud, &back, &away.cookie).await);
    world.cloud.nobody().get("/v3/redirect_uri").await.with(404);
}

/// The status, headers and text with which a router answers a browser behind a proxy that terminates TLS.
async fn behind_proxy(router: &Router, path: &str, cookie: &str) -> Answer {
    let request = Request::get(path).header("host", "cloud.example");
    let request = request.header("x-forwarded-proto", "https");
    let request = request.header("cookie", cookie).body(Body::empty());
    let answer = router.clone().oneshot(request.expect("a request")).await;
    let (parts, body) = answer.unwrap_or_else(|never| match never {}).into_parts();
    let bytes = to_bytes(body, 1 << 20).await.expect("a body");
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&bytes).into_owned().into(),
    }
}

#[tokio::test]
async fn below_a_path_and_behind_a_proxy_the_address_leads_back() {
    let (provider, world) = worlds().await;
    let nested = Router::new().nest_service("/identity", world.cloud.keystone.router());
    let begin = format!("/identity{AT_ACME}?{ORIGIN}");
    let away = Away::new(&behind_proxy(&nested, &begin, "").await, &provider);
    let expected = format!("https://cloud.example/identity{CALLBACK}");
    assert_eq!(away.text("redirect_uri"), expected);
    assert!(away.cookie.starts_with("__Host-keystone-oidc-"));
    let query = away.approved(&provider, &world.cloud, "ann");
    let back = format!("/identity{CALLBACK}?{query}");
    token_of(behind_proxy(&nested, &back, &away.cookie).await);
}

#[tokio::test]
async fn the_route_of_logins_may_be_the_address_too() {
    let provider = Provider::new().await;
    let settings = provider.in_settings(with_dashboard(), Some(AUTH));
    let world = provider.world(settings).await;
    let away = begin(&world.cloud, &provider).await;
    let expected = format!("http://keystone.test:5000{AUTH}");
    assert_eq!(away.text("redirect_uri"), expected);
    let query = away.approved(&provider, &world.cloud, "ann");
    token_of(come_back(&world.cloud, &format!("{AUTH}?{query}"), &away.cookie).await);
    // It goes on to be that route.
    let told = json!({ "active": true, "client_id": "keystone", "sub": "ann", "groups": ["devs"] });
    provider.tell(told);
    let request = Request::post(AUTH).header("authorization", "Bearer opaque");
    let request = request.body(Body::empty()).expect("a request");
    token(&world.cloud.nobody().send(request).await);
    world.cloud.nobody().get(AUTH).await.refused(401);
}

#[tokio::test]
async fn a_new_configuration_counts_for_those_who_begin_then() {
    let (provider, world) = worlds().await;
    let away = begin(&world.cloud, &provider).await;
    let query = away.approved(&provider, &world.cloud, "ann");
    let keystone = &world.cloud.keystone;
    let moved = provider.in_settings(with_dashboard(), Some("/v3/moved"));
    keystone.reload(moved).await.expect("settings");
    let next = begin(&world.cloud, &provider).await;
    assert!(next.text("redirect_uri").ends_with("/v3/moved"));
    token_of(come_back(&world.cloud, &format!("{CALLBACK}?{query}"), &away.cookie).await);
    keystone.reload(with_dashboard()).await.expect("settings");
    let query = next.approved(&provider, &world.cloud, "ann");
    let back = format!("{CALLBACK}?{query}");
    come_back(&world.cloud, &back, &next.cookie)
        .await
        .refused(401);
}

#[tokio::test]
async fn a_reload_forgets_nothing_that_the_provider_publishes() {
    let (provider, world) = worlds().await;
    begin(&world.cloud, &provider).await;
    let again = provider.in_settings(with_dashboard(), Some("/v3/moved"));
    let keystone = &world.cloud.keystone;
    keystone.reload(again).await.expect("settings");
    begin(&world.cloud, &provider).await;
    let asked = ["/.well-known/openid-configuration", "/keys"];
    assert_eq!(provider.told().asked, asked);
}

#[tokio::test]
async fn a_dashboard_that_is_trusted_no_more_gets_no_token() {
    let (provider, world) = worlds().await;
    let away = begin(&world.cloud, &provider).await;
    let query = away.approved(&provider, &world.cloud, "ann");
    let mut settings = provider.in_settings(settings(), None);
    settings.api.websso.dashboards = vec![WebSso::dashboard("https://other.example/")];
    let keystone = &world.cloud.keystone;
    keystone.reload(settings).await.expect("settings");
    let back = format!("{CALLBACK}?{query}");
    let answer = come_back(&world.cloud, &back, &away.cookie).await;
    answer.refused(401);
    assert!(!provider.told().asked.contains(&"/token".to_owned()));
}

#[tokio::test]
async fn the_only_provider_with_a_protocol_is_asked_where_none_is_named() {
    let (provider, world) = worlds().await;
    let anywhere = format!("/v3/auth/OS-FEDERATION/websso/openid?{ORIGIN}");
    let nobody = world.cloud.nobody();
    let away = Away::new(&nobody.get(&anywhere).await, &provider);
    let query = away.approved(&provider, &world.cloud, "ann");
    token_of(come_back(&world.cloud, &format!("{CALLBACK}?{query}"), &away.cookie).await);
    let without_origin = "/v3/auth/OS-FEDERATION/websso/openid";
    nobody.get(without_origin).await.refused(400);
    // The word of a proxy goes first, at both routes.
    for path in [&anywhere, &format!("{AT_ACME}?{ORIGIN}")] {
        let request = Request::get(path).header("OIDC-iss", &provider.issuer);
        let request = request.header("OIDC-sub", "ann");
        let request = request.header("OIDC-groups", "devs");
        let request = request.body(Body::empty()).expect("a request");
        token_of(nobody.send_vouched(request, []).await);
    }
    let protocol =
        "INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES ('open', 'openid', 'm0')";
    world.run(sql(protocol)).await;
    Away::new(&nobody.get(&anywhere).await, &provider);
    let mut both = provider.in_settings(with_dashboard(), None);
    both.oidc
        .insert("open".to_owned(), both.oidc["acme"].clone());
    world.cloud.keystone.reload(both).await.expect("settings");
    nobody.get(&anywhere).await.refused(401);
}

/// Another node over this database, with its keys in a directory.
async fn node(world: &World, settings: &Settings) -> Cloud {
    let mut cloud = world.cloud.clone();
    let now = cloud.now();
    let builder = Keystone::builder()
        .settings(settings.clone())
        .db(cloud.keystone.db().clone())
        .clock(Clock::from_fn(move || now))
        .set_up_keys(true);
    cloud.keystone = Box::pin(builder.build()).await.expect("a Keystone");
    cloud
}

#[tokio::test]
async fn keys_may_rotate_while_a_browser_is_away() {
    let (provider, world) = worlds().await;
    let home = tempfile::tempdir().expect("a directory");
    for is_signed in [false, true] {
        let mut settings = provider.in_settings(with_dashboard(), None);
        settings.keys = keystone::Keys::below(home.path());
        let pair = is_signed.then(|| sign_tokens(&mut settings));
        let one = node(&world, &settings).await;
        let away = begin(&one, &provider).await;
        let rotated = settings.keys.receipts.rotate(Owner::default());
        rotated.expect("a repository");
        let other = node(&world, &settings).await;
        let query = away.approved(&provider, &other, "ann");
        token_of(come_back(&other, &format!("{CALLBACK}?{query}"), &away.cookie).await);
        drop(pair);
    }
    // The keys are those of the nodes alone.
    let away = begin(&world.cloud, &provider).await;
    let query = away.approved(&provider, &world.cloud, "ann");
    let mut settings = provider.in_settings(with_dashboard(), None);
    settings.keys = keystone::Keys::below(home.path());
    let stranger = node(&world, &settings).await;
    let back = format!("{CALLBACK}?{query}");
    come_back(&stranger, &back, &away.cookie).await.refused(401);
}

/// Sends a logout token with these claims beside those that each has.
async fn log_out(world: &World, provider: &Provider, claims: Value) -> Answer {
    let now = world.cloud.now().and_utc().timestamp();
    let mut token = json!({
        "iss": provider.issuer, "aud": "keystone", "jti": claims.to_string(), "iat": now, "exp": now + 120,
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    let claims = claims.as_object().expect("claims").clone();
    token.as_object_mut().expect("claims").extend(claims);
    send_logout(world, LOGOUT, &provider.sign(&token)).await
}

async fn send_logout(world: &World, path: &str, token: &str) -> Answer {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    let request = request.body(Body::from(format!("logout_token={token}")));
    let nobody = world.cloud.nobody();
    nobody.send(request.expect("a request")).await
}

#[tokio::test]
async fn a_logout_at_the_provider_ends_the_tokens_of_the_user() {
    let (provider, world) = worlds().await;
    let cloud = &world.cloud;
    let ann = log_in(cloud, &provider, "ann b/c@d").await;
    let eve = log_in(cloud, &provider, "eve").await;
    let admin = cloud.admin().await;
    for token in [&ann, &eve] {
        admin.validate(token).await.ok();
    }
    cloud.advance(Duration::seconds(5));
    // The same to some databases.
    let other = json!({ "sub": "ANN b/c@d" });
    log_out(&world, &provider, other).await.with(200);
    admin.validate(&ann).await.ok();
    let now = cloud.now().and_utc().timestamp();
    // The provider's clock is slow.
    let claims = json!({ "sub": "ann b/c@d", "sid": "s", "iat": now - 30 });
    let answer = log_out(&world, &provider, claims).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.with(200), Value::Null);
    admin.validate(&ann).await.refused(404);
    admin.validate(&eve).await.ok();
}

#[tokio::test]
async fn a_logout_that_comes_again_ends_nothing() {
    let (provider, world) = worlds().await;
    let cloud = &world.cloud;
    log_in(cloud, &provider, "ann").await;
    let now = cloud.now().and_utc().timestamp();
    let claims = json!({ "sub": "ann", "iat": now, "exp": now + 120 });
    log_out(&world, &provider, claims.clone()).await.with(200);
    cloud.advance(Duration::seconds(5));
    let again = log_in(cloud, &provider, "ann").await;
    log_out(&world, &provider, claims).await.with(200);
    let admin = cloud.admin().await;
    admin.validate(&again).await.ok();
    let events = sql("SELECT user_id FROM revocation_event WHERE LENGTH(user_id) = 64 ORDER BY id");
    let events = events.fetch_texts(cloud.keystone.db()).await;
    assert_eq!(events.expect("rows").len(), 1);
}

#[tokio::test]
async fn a_logout_token_may_last_for_ever_and_is_forgotten_in_the_end() {
    let (provider, world) = worlds().await;
    let cloud = &world.cloud;
    let ann = log_in(cloud, &provider, "ann").await;
    let claims = json!({ "sub": "ann", "exp": 4_000_000_000_000_000_000_i64 });
    log_out(&world, &provider, claims).await.with(200);
    cloud.admin().await.validate(&ann).await.refused(404);
    log_out(&world, &provider, json!({ "sub": "eve" }))
        .await
        .with(200);
    cloud.advance(Duration::hours(2));
    cloud.keystone.start_housekeeping();
    let kept = async || {
        let hashes = sql("SELECT hash FROM keystone_native_message ORDER BY hash");
        let hashes = hashes.fetch_texts(cloud.keystone.db()).await;
        hashes.expect("rows").len()
    };
    for _ in 0..200 {
        if kept().await == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(kept().await, 1);
}

#[tokio::test]
async fn a_logout_is_found_by_the_name_that_the_server_makes_of_a_subject() {
    let (provider, world) = worlds().await;
    let rules = json!([{
        "remote": [{ "type": "REMOTE_USER" }],
        "local": [{ "user": { "name": "{0}" } }],
    }]);
    world.map("1.0", &rules).await;
    let token = log_in(&world.cloud, &provider, "ann").await;
    log_out(&world, &provider, json!({ "sub": "ann" }))
        .await
        .with(200);
    let admin = world.cloud.admin().await;
    admin.validate(&token).await.refused(404);
}

#[tokio::test]
async fn a_logout_that_cannot_be_done_is_refused() {
    let (provider, world) = worlds().await;
    let token = log_in(&world.cloud, &provider, "ann").await;
    for (claims, expected) in [
        (json!({ "sid": "s" }), "sub is needed"),
        (json!({ "sub": "ann", "aud": "other" }), "can't be accepted"),
        (json!({ "sub": "ann", "nonce": "n" }), "can't be accepted"),
    ] {
        let answer = log_out(&world, &provider, claims).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let body = answer.with(400);
        assert_eq!(body["error"], "invalid_request");
        let text = body["error_description"].as_str().unwrap_or_default();
        assert!(text.contains(expected), "{text}");
    }
    send_logout(&world, LOGOUT, "").await.with(400);
    let other = LOGOUT.replace("acme", "open");
    send_logout(&world, &other, "x").await.refused(404);
    // Nobody to log out: that is done.
    log_out(&world, &provider, json!({ "sub": "bob" }))
        .await
        .with(200);
    world.cloud.admin().await.validate(&token).await.ok();
}
