use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Mutex;

use http::HeaderMap;
use keystone_types::{Clock, NotValidated, TokenBody, Wanted};
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

use super::*;
use crate::Token;

/// Knows tokens by their text, and is never sure of others.
#[derive(Debug, Default)]
struct Book {
    tokens: HashMap<&'static str, Value>,
    asked: Mutex<Vec<(String, Wanted)>>,
    kept: bool,
}

impl Validate for Book {
    async fn validate(&self, token: &str, wanted: Wanted) -> Result<TokenBody, NotValidated> {
        self.asked.lock().unwrap().push((token.to_owned(), wanted));
        match self.tokens.get(token) {
            Some(body) if body["expired"] == true && !wanted.expired => Err(NotValidated::Invalid),
            Some(body) => Ok(body.to_string().into_bytes().into()),
            None if token.starts_with("down") => Err(NotValidated::unreachable("down")),
            None => Err(NotValidated::Invalid),
        }
    }

    fn may_be_kept(&self) -> bool {
        self.kept
    }

    fn auth_url(&self) -> Option<&str> {
        Some("http://keystone/v3")
    }
}

fn body(user: &str, role: &str, more: &Value) -> Value {
    let domain = json!({"id": "default", "name": "Default"});
    let mut token = json!({
        "methods": ["password"],
        "user": {"id": user, "name": user, "domain": domain},
        "project": {"id": "p", "name": "p", "domain": domain},
        "roles": [{"id": role, "name": role}],
        "issued_at": "2026-01-31T12:00:00.000000Z",
        "expires_at": "2026-01-31T13:00:00.000000Z",
        "catalog": [{"type": "image", "name": "glance", "endpoints": []}],
    });
    for (key, value) in more.as_object().unwrap() {
        token[key] = value.clone();
    }
    json!({ "token": token })
}

fn book() -> Book {
    let rules =
        json!([{"id": "1", "service": "image", "method": "GET", "path": "/img/v2/images/*"}]);
    let limited = json!({"application_credential": {"id": "ac", "name": "ac", "restricted": true, "access_rules": rules}});
    let mut expired = body(
        "alice",
        "member",
        &json!({"expires_at": "2026-01-31T12:10:00.000000Z"}),
    );
    expired["expired"] = json!(true);
    let tokens = [
        ("alice", body("alice", "member", &json!({}))),
        ("nova", body("nova", "service", &json!({}))),
        (
            "bound",
            body("alice", "member", &json!({"bind": {"kerberos": "alice"}})),
        ),
        ("limited", body("alice", "member", &limited)),
        ("expired", expired),
        ("garbled", json!({"token": {}})),
    ];
    Book {
        tokens: HashMap::from(tokens),
        ..Book::default()
    }
}

/// 12:30 in the afternoon of the tokens above.
fn half_past_twelve() -> Clock {
    let noon = chrono::NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
    Clock::from_fn(move || noon.and_hms_opt(12, 30, 0).unwrap())
}

fn guard() -> TokenLayer<Book> {
    TokenLayer::over(Tokens::new(book()).with_clock(half_past_twelve()).into())
}

/// What came through to the service behind: headers, and the caller with the service that acts for them.
#[derive(Debug, Default)]
struct Seen {
    headers: HeaderMap,
    caller: Option<(String, Option<String>)>,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Sends `GET path` with these headers through the guard: the answer's status, and what came through.
async fn send_to(
    path: &str,
    layer: &TokenLayer<Book>,
    headers: &[(&str, &str)],
) -> (Response<String>, Option<Seen>) {
    let seen = Arc::new(Mutex::new(None));
    let behind = {
        let seen = Arc::clone(&seen);
        service_fn(move |request: Request<()>| {
            let caller = request.extensions().get::<Token>().map(|token| {
                let service = token.service().map(|service| service.user.id.clone());
                (token.user.id.clone(), service)
            });
            let headers = request.headers().clone();
            *seen.lock().unwrap() = Some(Seen { headers, caller });
            async { Ok::<_, Infallible>(Response::new(String::from("behind"))) }
        })
    };
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap();
    let response = layer.layer(behind).oneshot(request).await.unwrap();
    let seen = seen.lock().unwrap().take();
    (response, seen)
}

async fn send(layer: &TokenLayer<Book>, headers: &[(&str, &str)]) -> (u16, Option<Seen>) {
    let (response, seen) = send_to("/v2/images/1", layer, headers).await;
    (response.status().as_u16(), seen)
}

#[tokio::test]
async fn a_valid_token_passes_and_tells_who_calls() {
    let (status, seen) = send(
        &guard(),
        &[("x-auth-token", " alice "), ("x-roles", "admin")],
    )
    .await;
    let seen = seen.unwrap();
    assert_eq!(
        (status, seen.header("x-identity-status")),
        (200, Some("Confirmed"))
    );
    assert_eq!(seen.header("x-user-id"), Some("alice"));
    assert_eq!(seen.header("x-roles"), Some("member"));
    assert_eq!(seen.header("x-service-identity-status"), None);
    assert_eq!(seen.caller, Some(("alice".to_owned(), None)));
}

#[tokio::test]
async fn what_is_no_valid_token_is_refused_with_the_address_of_keystone() {
    let cases: [&[(&str, &str)]; 8] = [
        &[],
        &[("x-auth-token", "")],
        &[("x-auth-token", "unknown")],
        &[("x-auth-token", "expired")],
        &[("x-auth-token", "bound")],
        &[("x-auth-token", "alice"), ("x-auth-token", "alice")],
        &[("x-auth-token", ""), ("x-storage-token", "alice")],
        &[("x_auth_token", "alice")],
    ];
    for headers in cases {
        let (response, seen) = send_to("/v2/images/1", &guard(), headers).await;
        assert_eq!(response.status(), 401, "{headers:?}");
        assert_eq!(
            response.headers()[WWW_AUTHENTICATE],
            "Keystone uri=\"http://keystone/v3\""
        );
        assert!(seen.is_none());
        let body: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(body["error"]["code"], 401);
    }
}

#[tokio::test]
async fn the_storage_token_is_read_where_there_is_no_other() {
    let (status, _) = send(&guard(), &[("x-storage-token", "alice")]).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn the_address_for_clients_is_the_one_that_was_set() {
    let layer = guard().www_authenticate_uri("https://public/identity");
    let (response, _) = send_to("/", &layer, &[]).await;
    let told = &response.headers()[WWW_AUTHENTICATE];
    assert_eq!(told, "Keystone uri=\"https://public/identity\"");
}

#[tokio::test]
async fn a_refusal_of_the_service_behind_gets_the_address_too() {
    let behind = service_fn(|_: Request<()>| async {
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        Ok::<_, Infallible>(response)
    });
    let request = Request::builder()
        .header("x-auth-token", "alice")
        .body(())
        .unwrap();
    let response = guard().layer(behind).oneshot(request).await.unwrap();
    assert!(response.headers().contains_key(WWW_AUTHENTICATE));
}

#[tokio::test]
async fn a_keystone_that_cannot_be_asked_is_a_503_or_left_to_the_service() {
    for token in ["down", "garbled"] {
        let (response, seen) = send_to("/", &guard(), &[("x-auth-token", token)]).await;
        assert_eq!(response.status(), 503, "{token}");
        assert!(seen.is_none() && !response.headers().contains_key(WWW_AUTHENTICATE));
        let delaying = guard().delay_auth_decision(true);
        let (status, seen) = send(&delaying, &[("x-auth-token", token)]).await;
        assert_eq!(status, 200, "{token}");
        assert_eq!(seen.unwrap().header("x-identity-status"), Some("Invalid"));
    }
    let service_down = [("x-auth-token", "alice"), ("x-service-token", "down")];
    assert_eq!(send(&guard(), &service_down).await.0, 503);
}

#[tokio::test]
async fn a_delayed_decision_lets_everything_pass_without_an_identity() {
    let layer = guard().delay_auth_decision(true);
    let forged = [
        ("x-user-id", "admin"),
        ("x_roles", "admin"),
        ("openstack-system-scope", "all"),
    ];
    for token in [None, Some("unknown"), Some("expired")] {
        let token = token.map(|token| ("x-auth-token", token));
        let headers: Vec<_> = forged.into_iter().chain(token).collect();
        let (status, seen) = send(&layer, &headers).await;
        let seen = seen.unwrap();
        assert_eq!((status, &seen.caller), (200, &None));
        let mut names: Vec<_> = seen.headers.keys().map(http::HeaderName::as_str).collect();
        names.retain(|name| *name != "x-auth-token");
        assert_eq!(names, ["x-identity-status"]);
        assert_eq!(seen.header("x-identity-status"), Some("Invalid"));
    }
}

#[tokio::test]
async fn with_a_bad_service_token_a_delayed_decision_has_no_caller() {
    let layer = guard().delay_auth_decision(true);
    let headers = [("x-auth-token", "alice"), ("x-service-token", "unknown")];
    let (_, seen) = send(&layer, &headers).await;
    let seen = seen.unwrap();
    assert_eq!(seen.header("x-identity-status"), Some("Confirmed"));
    assert_eq!(seen.header("x-service-identity-status"), Some("Invalid"));
    assert_eq!(seen.caller, None);
}

#[tokio::test]
async fn a_service_acts_for_a_user_by_a_role_of_services() {
    let by = |service| [("x-auth-token", "alice"), ("x-service-token", service)];
    let (status, seen) = send(&guard(), &by("nova")).await;
    let seen = seen.unwrap();
    assert_eq!(
        (status, seen.header("x-service-user-id")),
        (200, Some("nova"))
    );
    assert_eq!(seen.header("x-service-identity-status"), Some("Confirmed"));
    assert_eq!(
        seen.caller,
        Some(("alice".to_owned(), Some("nova".to_owned())))
    );
    for other in ["alice", "unknown", "expired"] {
        assert_eq!(send(&guard(), &by(other)).await.0, 401, "{other}");
    }
    let named = guard().service_token_roles(["reader", "member"]);
    assert_eq!(send(&named, &by("alice")).await.0, 200);
    assert_eq!(send(&named, &by("nova")).await.0, 401);
    let lenient = guard().service_token_roles_required(false);
    assert_eq!(send(&lenient, &by("alice")).await.0, 200);
    let alone = [("x-service-token", "nova")];
    assert_eq!(send(&guard(), &alone).await.0, 401, "there is no user");
}

#[tokio::test]
async fn only_a_service_presents_tokens_that_have_expired() {
    let by = |service| [("x-auth-token", "expired"), ("x-service-token", service)];
    assert_eq!(send(&guard(), &by("nova")).await.0, 200);
    let lenient = guard().service_token_roles_required(false);
    assert_eq!(send(&lenient, &by("alice")).await.0, 401);
    let delaying = guard().delay_auth_decision(true);
    let (_, seen) = send(&delaying, &by("alice")).await;
    assert_eq!(seen.unwrap().caller, None);
}

#[tokio::test]
async fn a_kept_token_ends_when_it_expires() {
    let now = Arc::new(Mutex::new(half_past_twelve().precise()));
    let clock = Arc::clone(&now);
    let tokens = Tokens::new(Book {
        kept: true,
        ..book()
    });
    let tokens = tokens.with_clock(Clock::from_fn(move || *clock.lock().unwrap()));
    let tokens = Arc::new(tokens);
    let layer = TokenLayer::over(Arc::clone(&tokens));
    let alice = [("x-auth-token", "alice")];
    for _ in 0..3 {
        assert_eq!(send(&layer, &alice).await.0, 200);
    }
    assert_eq!(tokens.validator().asked.lock().unwrap().len(), 1);
    *now.lock().unwrap() += chrono::Duration::minutes(30);
    assert_eq!(send(&layer, &alice).await.0, 401);
}

#[tokio::test]
async fn access_rules_limit_an_application_credential() {
    let layer = guard().service_type("image");
    let limited = [("x-auth-token", "limited")];
    let status = async |layer: &TokenLayer<Book>, path, headers| {
        send_to(path, layer, headers).await.0.status().as_u16()
    };
    assert_eq!(status(&layer, "/img/v2/images/1", &limited).await, 200);
    assert_eq!(status(&layer, "/img/v2/images/1?a=b", &limited).await, 200);
    assert_eq!(status(&layer, "/img/v2/images", &limited).await, 401);
    assert_eq!(
        status(&layer, "/img/v2/images/1%2Ffile", &limited).await,
        401
    );
    assert_eq!(
        status(&guard(), "/img/v2/images/1", &limited).await,
        401,
        "no service_type"
    );
    let other = guard().service_type("compute");
    assert_eq!(
        status(&other, "/img/v2/images/1", &limited).await,
        401,
        "not in the catalog"
    );
    let nested = guard().service_type("image").mounted_at("/img");
    assert_eq!(status(&nested, "/v2/images/1", &limited).await, 200);
    let by_nova = [limited[0], ("x-service-token", "nova")];
    assert_eq!(status(&layer, "/img/v2/images", &by_nova).await, 200);
    // Python lets any service token, even an invalid one, pass over access rules.
    let delaying = layer.delay_auth_decision(true);
    let by_nobody = [limited[0], ("x-service-token", "unknown")];
    let (_, seen) = send_to("/img/v2/images", &delaying, &by_nobody).await;
    assert_eq!(seen.unwrap().caller, None);
}

#[tokio::test]
async fn without_a_request_no_token_is_valid_that_is_limited_to_some() {
    let tokens = Tokens::new(book());
    assert!(tokens.validate("alice").await.is_ok());
    for text in ["limited", "bound"] {
        let outcomes = [
            tokens.validate(text).await,
            tokens.validate_expired(text).await,
        ];
        assert!(
            outcomes
                .iter()
                .all(|it| matches!(it, Err(NotValidated::Invalid))),
            "{text}"
        );
    }
}

#[tokio::test]
async fn without_identity_headers_only_the_typed_token_tells() {
    let layer = guard().identity_headers(false);
    let (_, seen) = send(&layer, &[("x-auth-token", "alice"), ("x-user-id", "admin")]).await;
    let seen = seen.unwrap();
    assert_eq!((seen.headers.len(), seen.caller.is_some()), (1, true));
}

#[tokio::test]
async fn a_token_of_an_outer_guard_does_not_pass_an_inner_one() {
    let behind = service_fn(|request: Request<()>| async move {
        let known = request.extensions().get::<Token>().is_some();
        Ok::<_, Infallible>(Response::new(known.to_string()))
    });
    let other = TokenLayer::new(Book::default()).delay_auth_decision(true);
    let request = Request::builder()
        .header("x-auth-token", "alice")
        .body(())
        .unwrap();
    let answer = guard()
        .layer(other.layer(behind))
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(answer.body(), "false");
}

#[tokio::test]
async fn the_catalog_is_asked_for_where_it_is_wanted() {
    for catalog in [true, false] {
        let tokens = Tokens::new(book())
            .with_clock(half_past_twelve())
            .with_catalog(catalog);
        let tokens = Arc::new(tokens);
        send(
            &TokenLayer::over(Arc::clone(&tokens)),
            &[("x-auth-token", "alice")],
        )
        .await;
        let asked = tokens.validator().asked.lock().unwrap();
        assert_eq!(
            asked[..],
            [("alice".to_owned(), Wanted::default().catalog(catalog))]
        );
    }
}
