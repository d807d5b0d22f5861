//! Logins at an identity provider that the server asks itself, by SAML. The rules about a message have tests in `keystone-saml`;
//! here it is whether a login follows.

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{Duration, NaiveDateTime};
use keystone::saml::{IdentityProviderSettings, ServiceProviderSettings};
use keystone::storage::sql;
use keystone::token::KeySet;
use keystone::{Keystone, Settings};
use keystone_testkit::{Answer, Cloud, Session};
use serde_json::json;
use tower::ServiceExt as _;

use super::world::{World, settings, with_groups};

#[path = "../../../crates/saml/tests/saml/signer.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests of the crate use more of it, and may panic anywhere"
)]
pub(super) mod signer;

const PUBLIC: &str = "https://sp.example.org";
const CONSUMER: &str = "/v3/auth/OS-FEDERATION/saml2/acs";
pub(super) const LOGIN: &str = "/v3/OS-FEDERATION/identity_providers/acme/protocols/saml2/auth";
pub(super) const DASHBOARD: &str = "https://horizon.example.org/auth/websso/";
pub(super) const WEBSSO: &str = "/v3/auth/OS-FEDERATION/identity_providers/acme/protocols/saml2/websso?origin=https://horizon.example.org/auth/websso/";
const PAOS: &str = "application/vnd.paos+xml";

/// A world whose provider `acme` is the signer.
pub(super) async fn world() -> World {
    world_with(|_| ()).await
}

pub(super) async fn world_with(change: impl FnOnce(&mut IdentityProviderSettings)) -> World {
    let world = World::with(with_saml(settings(), change)).await;
    for statement in [
        "INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES ('acme', 'saml2', 'm0')",
        "INSERT INTO idp_remote_ids (idp_id, remote_id) VALUES ('acme', 'https://idp.example.org')",
    ] {
        world.run(sql(statement)).await;
    }
    let rules = json!([{
        "remote": [
            { "type": "uid" },
            { "type": "MELLON_groups" },
            { "type": "MELLON_IDP", "any_one_of": [signer::IDP] },
        ],
        "local": [{ "user": { "name": "{0}" } }, { "groups": "{1}", "domain": { "id": "default" } }],
    }]);
    world.map("1.0", &rules).await;
    world
}

pub(super) fn with_saml(
    mut settings: Settings,
    change: impl FnOnce(&mut IdentityProviderSettings),
) -> Settings {
    // It is read while the server is built, and left below `target`.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let directory = directory.expect("cargo has made it").keep();
    let file = directory.join("acme.xml");
    let metadata = format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{}\"><md:IDPSSODescriptor \
         protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><md:KeyDescriptor><ds:KeyInfo \
         xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate>\
         </ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService \
         Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://idp.example.org/sso\"/>\
         </md:IDPSSODescriptor></md:EntityDescriptor>",
        signer::IDP,
        signer::key().certificate()
    );
    std::fs::write(&file, metadata).expect("a temporary file is writable");
    let mut acme = IdentityProviderSettings {
        metadata_file: file,
        entity_id: None,
        protocol: "saml2".to_owned(),
        is_keystone: false,
        allow_unsolicited: false,
        want_response_signed: false,
        allow_sha1: false,
        max_clock_skew: Duration::seconds(60),
    };
    change(&mut acme);
    settings.auth.saml_sp = Some(Box::new(ServiceProviderSettings {
        entity_id: signer::SP.to_owned(),
        key: None,
        providers: [("acme".to_owned(), acme)].into(),
    }));
    settings.api.public_endpoint = Some(PUBLIC.to_owned());
    settings.api.websso.dashboards = vec![DASHBOARD.to_owned()];
    settings
}

/// The text of the signer as an answer to this request.
pub(super) fn fitted(text: &str, request: &str) -> String {
    text.replace("2026-11-26", "2026-01-01")
        .replace(signer::CONSUMER, &format!("{PUBLIC}{CONSUMER}"))
        .replace(signer::REQUEST, request)
}

/// An assertion, changed before it is signed.
pub(super) fn assertion(request: &str, change: impl FnOnce(String) -> String) -> String {
    let id = format!("_{}", keystone::types::new_id());
    let text = signer::ASSERTION.replace("\"_a\"", &format!("\"{id}\""));
    signer::signed(&change(fitted(&text, request)), &id, &signer::key())
}

pub(super) fn response(request: &str, elements: &str) -> String {
    fitted(&signer::bare("{elements}"), request).replace("{elements}", elements)
}

pub(super) fn honest(request: &str) -> String {
    response(request, &assertion(request, |text| text))
}

/// A browser that has been sent to the identity provider.
pub(super) struct Begun {
    pub(super) request: String,
    state: String,
    cookie: String,
}

pub(super) async fn begin(at: &Session) -> Begun {
    let answer = at.get(WEBSSO).await;
    let location = answer.header("location").unwrap_or_default().to_owned();
    let cookie = kept(&answer);
    answer.with(302);
    let (place, query) = location.split_once('?').expect("it has a query");
    assert_eq!(place, "https://idp.example.org/sso");
    let field = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let found = pairs.find(|(key, _)| key == name);
        found.expect("the field is there").1.into_owned()
    };
    let message = BASE64_STANDARD.decode(field("SAMLRequest"));
    let message = message.expect("it is base64");
    Begun {
        // It is stored, not compressed.
        request: id_of(&String::from_utf8_lossy(&message)),
        state: field("RelayState"),
        cookie,
    }
}

/// The id of the request in a text.
fn id_of(text: &str) -> String {
    let (_, rest) = text.split_once(" ID=\"").expect("a request has an id");
    rest.split('"').next().expect("it ends").to_owned()
}

/// The `Cookie` header of a client that got this answer.
fn kept(answer: &Answer) -> String {
    let cookies = answer.headers.get_all("set-cookie").into_iter();
    let pairs = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}

/// The form of the identity provider's page.
fn form(message: &str, state: &str, cookie: &str) -> Request<Body> {
    let mut fields = form_urlencoded::Serializer::new(String::new());
    fields.append_pair("SAMLResponse", &BASE64_STANDARD.encode(message));
    let fields = fields.append_pair("RelayState", state).finish();
    let request = Request::post(CONSUMER)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "https://idp.example.org")
        .header("cookie", cookie);
    let request = request.body(fields.into());
    request.expect("a test's request is well-formed")
}

pub(super) async fn come_back(at: &Session, message: &str, begun: &Begun) -> Answer {
    at.send(form(message, &begun.state, &begun.cookie)).await
}

/// The token in the page for the dashboard.
fn token_in(answer: Answer) -> String {
    let page = answer.ok();
    let page = page.as_str().expect("it is a page");
    assert!(page.contains(DASHBOARD), "{page}");
    let (_, rest) = page.split_once("value=\"").expect("the form has the token");
    rest.split('"').next().expect("it ends").to_owned()
}

/// Whether any login has left a user.
pub(super) async fn nobody_came(world: &World) {
    let admin = world.cloud.admin().await;
    let users = admin.get("/v3/users?idp_id=acme").await.ok();
    assert_eq!(users["users"], json!([]));
}

pub(super) fn enhanced(path: &str, cookie: Option<&str>) -> Request<Body> {
    let request = Request::get(path)
        .header("accept", format!("*/*,{PAOS}"))
        .header(
            "paos",
            "ver=\"urn:liberty:paos:2003-08\";\"urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp\"",
        );
    let request = match cookie {
        Some(cookie) => request.header("cookie", cookie),
        None => request,
    };
    let request = request.body(Body::empty());
    request.expect("a test's request is well-formed")
}

/// The envelope of the identity provider as an enhanced client passes it on.
pub(super) fn envelope(message: &str, state: &str) -> Request<Body> {
    let text = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header><ecp:RelayState \
         xmlns:ecp=\"urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp\">{state}</ecp:RelayState></s:Header>\
         <s:Body>{message}</s:Body></s:Envelope>"
    );
    let request = Request::post(CONSUMER).header("content-type", PAOS);
    let request = request.body(text.into());
    request.expect("a test's request is well-formed")
}

/// The id of an enhanced client's request, and its state.
pub(super) async fn begin_enhanced(at: &Session) -> (String, String) {
    let answer = at.send(enhanced(LOGIN, None)).await;
    assert_eq!(answer.header("content-type"), Some(PAOS));
    let text = answer.ok();
    let text = text.as_str().expect("it is an envelope");
    assert!(text.contains(&format!("responseConsumerURL=\"{PUBLIC}{CONSUMER}\"")));
    let (_, state) = text.split_once("RelayState").expect("it has a state");
    let state = state.split(['>', '<']).nth(1).expect("it has a text");
    let (_, body) = text.split_once(":Body>").expect("it has a body");
    (id_of(body), state.to_owned())
}

#[tokio::test]
async fn a_browser_goes_to_the_provider_and_comes_back_with_a_token() {
    let world = world().await;
    let nobody = world.cloud.nobody();
    let answer = nobody.get(WEBSSO).await;
    let cookie = answer.header("set-cookie").expect("it has one");
    assert!(cookie.starts_with("__Host-keystone-saml-"), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=None; Secure"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let begun = begin(&nobody).await;
    let answer = come_back(&nobody, &honest(&begun.request), &begun).await;
    let cleared = answer.header("set-cookie").expect("it has one");
    assert!(cleared.contains("=; Max-Age=0"), "{cleared}");
    let token = token_in(answer);
    let admin = world.cloud.admin().await;
    let token = admin.validate(&token).await.ok()["token"].take();
    assert_eq!(token["user"]["name"], "alice");
    assert_eq!(token["methods"], json!(["saml2"]));
    let federation = &token["user"]["OS-FEDERATION"];
    assert_eq!(federation["identity_provider"]["id"], "acme");
    let groups = federation["groups"].as_array().map(Vec::len);
    assert_eq!(groups, Some(2), "{federation}");
}

#[tokio::test]
async fn any_node_finishes_what_another_began() {
    let world = world().await;
    let first = world.cloud.nobody();
    let second = world.cloud.neighbour().await;
    let begun = begin(&first).await;
    let answer = come_back(&second.nobody(), &honest(&begun.request), &begun).await;
    token_in(answer);
    let (request, state) = begin_enhanced(&second.nobody()).await;
    let taken = first.send(envelope(&honest(&request), &state)).await;
    let cookie = kept(&taken);
    taken.with(303);
    let answer = second.nobody().send(enhanced(LOGIN, Some(&cookie))).await;
    assert_eq!(answer.created()["token"]["user"]["name"], "alice");
}

#[tokio::test]
async fn a_login_outlives_a_rotation_of_keys() {
    let world = world().await;
    let text = |digit: &str| format!("{}=", digit.repeat(43));
    let (old, staged, new) = (text("A"), text("B"), text("C"));
    let node = async |keys: &[&String]| {
        let keys = KeySet::new(keys.iter().copied()).expect("they are keys");
        let builder = Keystone::builder().settings(with_saml(settings(), |_| ()));
        let clock = {
            let now = world.cloud.now();
            keystone::types::Clock::from_fn(move || now)
        };
        let builder = builder.db(world.cloud.keystone.db().clone()).clock(clock);
        let credentials = KeySet::generate().expect("there are random bytes");
        let built = builder.keys(keys).credential_keys(credentials).build();
        built.await.expect("it is a Keystone").router()
    };
    // The primary key comes first.
    let before = node(&[&old, &staged]).await;
    let after = node(&[&staged, &old, &new]).await;
    let send = async |router: &axum::Router, request: Request<Body>| {
        let Ok(response) = router.clone().oneshot(request).await;
        response
    };
    let begun = send(&before, enhanced(LOGIN, None)).await;
    let body = axum::body::to_bytes(begun.into_body(), 1 << 20).await;
    let body = String::from_utf8(body.expect("a body").into()).expect("a text");
    let (_, state) = body.split_once("RelayState").expect("it has a state");
    let state = state.split(['>', '<']).nth(1).expect("it has a text");
    let (_, request) = body.split_once(":Body>").expect("it has a body");
    let message = honest(&id_of(request));
    let taken = send(&after, envelope(&message, state)).await;
    assert_eq!(taken.status(), 303);
    let cookies = taken.headers().get_all("set-cookie").into_iter();
    let cookies: Vec<_> = cookies
        .map(|it| it.to_str().expect("a text").split(';').next())
        .map(Option::unwrap_or_default)
        .collect();
    let request = enhanced(LOGIN, Some(&cookies.join("; ")));
    // Its primary key is staged there.
    assert_eq!(send(&before, request).await.status(), 201);
}

#[tokio::test]
async fn an_assertion_is_taken_once_by_all_nodes_together() {
    let world = world().await;
    let first = world.cloud.nobody();
    let second = world.cloud.neighbour().await.nobody();
    let begun = begin(&first).await;
    let message = honest(&begun.request);
    let (one, other) = tokio::join!(
        come_back(&first, &message, &begun),
        come_back(&second, &message, &begun)
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    come_back(&second, &message, &begun).await.refused(401);
    // It is remembered for as long as it would be taken, and not for ever.
    let identity = world.cloud.keystone.identity();
    let pruned = identity.prune_messages().await;
    assert_eq!(pruned.expect("the database answers"), 0);
    world.cloud.advance(Duration::hours(2));
    let pruned = identity.prune_messages().await;
    assert_eq!(pruned.expect("the database answers"), 1);
}

#[tokio::test]
async fn a_login_belongs_to_the_browser_that_began_it() {
    let world = world().await;
    let nobody = world.cloud.nobody();
    let (victim, other) = (begin(&nobody).await, begin(&nobody).await);
    let message = honest(&other.request);
    // Somebody else's response in this browser, and a state without its cookie.
    for (state, cookie) in [
        (&other.state, &victim.cookie),
        (&victim.state, &victim.cookie),
        (&other.state, &String::new()),
        (&String::new(), &other.cookie),
    ] {
        nobody
            .send(form(&message, state, cookie))
            .await
            .refused(401);
    }
    nobody_came(&world).await;
    // The cookies of two logins do not meet.
    let both = format!("{}; {}", victim.cookie, other.cookie);
    nobody.send(form(&message, &other.state, &both)).await.ok();
    world.cloud.advance(Duration::minutes(11));
    let late = assertion(&victim.request, |text| text.replace("12:0", "12:1"));
    let late = response(&victim.request, &late).replace("12:0", "12:1");
    let answer = come_back(&nobody, &late, &victim).await;
    let cleared = answer.header("set-cookie").unwrap_or_default();
    assert!(cleared.contains("=; Max-Age=0"), "{cleared}");
    let told = answer.refused(401);
    assert!(told.contains("more than ten minutes ago"), "{told}");
}

#[tokio::test]
async fn an_enhanced_client_exchanges_its_response_for_a_token() {
    let world = world().await;
    let nobody = world.cloud.nobody();
    let (request, state) = begin_enhanced(&nobody).await;
    let taken = nobody.send(envelope(&honest(&request), &state)).await;
    let place = format!("{PUBLIC}{LOGIN}");
    assert_eq!(taken.header("location"), Some(place.as_str()));
    let cookie = kept(&taken);
    taken.with(303);
    // Not at another provider or protocol.
    let elsewhere = LOGIN.replace("saml2", "mapped");
    let answer = nobody.send(enhanced(&elsewhere, Some(&cookie))).await;
    answer.refused(401);
    let answer = nobody.send(enhanced(LOGIN, Some(&cookie))).await;
    let id = answer.header("x-subject-token").expect("it has one");
    let cleared = answer.header("set-cookie").expect("it has one");
    assert!(cleared.contains("=; Max-Age=0"), "{cleared}");
    let admin = world.cloud.admin().await;
    let mut told = admin.validate(id).await.ok();
    let told = told["token"].take();
    assert_eq!(answer.created(), json!({ "token": told }));
    world.cloud.advance(Duration::seconds(61));
    let answer = nobody.send(enhanced(LOGIN, Some(&cookie))).await;
    assert_eq!(answer.header("content-type"), Some(PAOS));
}

#[tokio::test]
async fn a_token_that_was_revoked_meanwhile_is_not_delivered() {
    let world = world().await;
    let nobody = world.cloud.nobody();
    let (request, state) = begin_enhanced(&nobody).await;
    let taken = nobody.send(envelope(&honest(&request), &state)).await;
    let admin = world.cloud.admin().await;
    let users = admin.get("/v3/users?idp_id=acme").await.ok();
    let id = users["users"][0]["id"].as_str().expect("it has an id");
    admin.delete(&format!("/v3/users/{id}")).await.no_content();
    // The cookie counts as none, and goes.
    let answer = nobody.send(enhanced(LOGIN, Some(&kept(&taken)))).await;
    assert_eq!(answer.header("content-type"), Some(PAOS));
    let cleared = answer.header("set-cookie").expect("it has one");
    assert!(cleared.contains("=; Max-Age=0"), "{cleared}");
}

#[tokio::test]
async fn parts_of_an_older_cookie_do_not_stay() {
    let world = world().await;
    let nobody = world.cloud.nobody();
    let (request, state) = begin_enhanced(&nobody).await;
    let taken = nobody.send(envelope(&honest(&request), &state)).await;
    let cookie = kept(&taken);
    let (name, _) = cookie.split_once("-0=").expect("it is in parts");
    let (request, state) = begin_enhanced(&nobody).await;
    let mut again = envelope(&honest(&request), &state);
    let older = format!("{cookie}; {name}-9=older").parse();
    again
        .headers_mut()
        .insert("cookie", older.expect("a header"));
    let taken = nobody.send(again).await;
    let set: Vec<_> = taken.headers.get_all("set-cookie").into_iter().collect();
    let set: Vec<_> = set.iter().filter_map(|it| it.to_str().ok()).collect();
    let cleared = |part: &str| {
        let start = format!("{name}-{part}=; Max-Age=0");
        set.iter().filter(|it| it.starts_with(&start)).count()
    };
    assert_eq!((cleared("9"), cleared("0")), (1, 0), "{set:?}");
}

#[tokio::test]
async fn messages_are_kept_to_the_end_of_time_and_forgotten_in_batches() {
    let world = world().await;
    let identity = world.cloud.keystone.identity();
    for (hash, is_new) in [("forever", true), ("forever", false)] {
        let used = identity.use_message(hash, NaiveDateTime::MAX).await;
        assert_eq!(used.expect("the database takes it"), is_new);
    }
    let row = "INSERT INTO keystone_native_message (hash, expires_at) VALUES ";
    for batch in 0..3 {
        let rows = (0..400).map(|n| format!("('{batch}-{n}', '2020-01-01 00:00:00')"));
        let rows: Vec<_> = rows.collect();
        let text: &'static str = format!("{row}{}", rows.join(", ")).leak();
        world.run(sql(text)).await;
    }
    let pruned = identity.prune_messages().await;
    assert_eq!(pruned.expect("the database answers"), 1200);
    world.cloud.advance(Duration::days(36_500));
    let pruned = identity.prune_messages().await;
    assert_eq!(pruned.expect("the database answers"), 0);
}

#[tokio::test]
async fn an_answer_to_no_request_is_taken_from_a_provider_that_may_begin() {
    let keystone = |acme: &mut IdentityProviderSettings| acme.allow_unsolicited = true;
    let world = world_with(keystone).await;
    let nobody = world.cloud.nobody();
    let unasked = |text: String| text.replace(" InResponseTo=\"_request\"", "");
    let message = unasked(response("_request", &assertion("_request", unasked)));
    let taken = nobody.send(envelope(&message, "ss:mem:0123")).await;
    let cookie = kept(&taken);
    taken.with(303);
    // As the client of Keystone to Keystone comes.
    let request = Request::get(LOGIN)
        .header("content-type", PAOS)
        .header("cookie", cookie);
    let request = request.body(Body::empty());
    let answer = nobody.send(request.expect("it is well-formed")).await;
    assert_eq!(answer.created()["token"]["user"]["name"], "alice");
    nobody
        .send(envelope(&message, "ss:mem:0123"))
        .await
        .refused(401);
    // One that names a request answers somebody else's.
    let message = honest("_request");
    nobody
        .send(envelope(&message, "ss:mem:0123"))
        .await
        .refused(401);
}

#[tokio::test]
async fn an_answer_to_no_request_is_refused_from_others() {
    let world = world().await;
    let unasked = |text: String| text.replace(" InResponseTo=\"_request\"", "");
    let message = unasked(response("_request", &assertion("_request", unasked)));
    let nobody = world.cloud.nobody();
    nobody.send(envelope(&message, "x")).await.refused(401);
    nobody_came(&world).await;
    // What a page of another site can have a browser send.
    let mut request = envelope(&message, "x");
    let kind = "text/plain".parse().expect("a header");
    request.headers_mut().insert("content-type", kind);
    nobody.send(request).await.refused(400);
}

#[tokio::test]
async fn a_comment_within_a_value_cuts_nothing_off() {
    let world = world().await;
    let nobody = world.cloud.nobody();
    let begun = begin(&nobody).await;
    let message = honest(&begun.request).replace(">alice<", ">al<!-- x -->ice<");
    let token = token_in(come_back(&nobody, &message, &begun).await);
    let admin = world.cloud.admin().await;
    let token = admin.validate(&token).await.ok();
    assert_eq!(token["token"]["user"]["name"], "alice");
}

#[tokio::test]
async fn the_rows_of_the_provider_decide_too() {
    let world = world().await;
    let nobody = world.cloud.nobody();
    let begun = begin(&nobody).await;
    world.run(sql("DELETE FROM idp_remote_ids")).await;
    let message = honest(&begun.request);
    come_back(&nobody, &message, &begun).await.refused(403);
    nobody_came(&world).await;
    world
        .run(sql("UPDATE identity_provider SET enabled = ?").bind(false))
        .await;
    nobody.get(WEBSSO).await.refused(403);
    nobody.send(enhanced(LOGIN, None)).await.refused(403);
    let unknown = LOGIN.replace("saml2", "other");
    nobody.send(enhanced(&unknown, None)).await.refused(401);
    let elsewhere = WEBSSO.replace("https://horizon", "https://evil");
    nobody.get(&elsewhere).await.refused(401);
}

#[tokio::test]
async fn a_browser_that_names_no_provider_goes_to_the_only_one() {
    let world = world().await;
    let nobody = world.cloud.nobody();
    let anywhere = format!("/v3/auth/OS-FEDERATION/websso/saml2?origin={DASHBOARD}");
    let answer = nobody.get(&anywhere).await;
    let location = answer.header("location").unwrap_or_default();
    assert!(
        location.starts_with("https://idp.example.org/sso?"),
        "{location}"
    );
    let by_none = anywhere.replace("saml2", "x509");
    nobody.get(&by_none).await.refused(401);
}

#[tokio::test]
async fn a_proxy_alone_does_not_vouch_for_users_of_a_provider_that_is_asked() {
    let world = world().await;
    world.run(sql("DELETE FROM idp_remote_ids")).await;
    world.map("1.0", &with_groups()).await;
    world
        .log_in(&[("NAME", "alice"), ("G", "devs")])
        .await
        .refused(401);
    // A client that tells nothing goes on to what a proxy may say.
    world.cloud.nobody().get(LOGIN).await.refused(401);
}

#[tokio::test]
async fn the_metadata_of_the_service_provider_are_for_everybody() {
    let world = world().await;
    let path = "/v3/OS-FEDERATION/saml2/sp/metadata";
    let answer = world.cloud.nobody().get(path).await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/samlmetadata+xml")
    );
    let text = answer.ok();
    let text = text.as_str().expect("it is a document");
    assert!(
        text.contains(&format!("entityID=\"{}\"", signer::SP)),
        "{text}"
    );
    assert_eq!(text.matches(&format!("{PUBLIC}{CONSUMER}")).count(), 2);
    // Without a service provider there are no such pages.
    let other = Cloud::new().await;
    assert_eq!(other.nobody().get(path).await.status, 404);
    let answer = other.nobody().send(envelope("<a/>", "")).await;
    assert_eq!(answer.status, 404);
}
