//! The library inside another process.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::response::Response;
use chrono::Duration;
use keystone::auth::{Login, TokenRequest, UserChoice};
use keystone::identity::{Group, NewUser, Project, Role};
use keystone::types::{Error, Listing};
use keystone::{Bootstrap, Keystone};
use keystone_testkit::Cloud;
use serde_json::{Value, json};

#[tokio::test]
async fn two_services_in_one_process_share_nothing() {
    let (one, other) = (Cloud::new().await, Cloud::new().await);
    one.user("erin").await;
    let (here, there) = (one.admin().await, other.admin().await);
    let count = |users: Value| users["users"].as_array().map(Vec::len);
    assert_eq!(count(here.get("/v3/users").await.ok()), Some(2));
    assert_eq!(count(there.get("/v3/users").await.ok()), Some(1));
    there
        .with_token(here.token())
        .get("/v3/users")
        .await
        .refused(401);
    let message = there.validate(here.token()).await.refused(404);
    assert_eq!(message, "Could not recognize Fernet token");
}

/// What a client gets from an application at `http://cloud.test`: the status, where it is sent to, and the body.
async fn get(app: &Router, token: &str, path: &str) -> (u16, Option<String>, Value) {
    let request = Request::get(path)
        .header("host", "cloud.test")
        .header("x-auth-token", token)
        .body(Body::empty())
        .expect("a test's request is well-formed");
    let answered = tower::ServiceExt::oneshot(app.clone(), request).await;
    let answer: Response = answered.unwrap_or_else(|never| match never {});
    let status = answer.status().as_u16();
    let location = answer.headers().get("location");
    let location = location.map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned());
    let body = to_bytes(answer.into_body(), 1 << 20).await;
    let body = body.expect("a body in memory can be read");
    let body = serde_json::from_slice(&body).unwrap_or_default();
    (status, location, body)
}

/// Every way in which an axum application can nest a router, the path below which it is then found, and what may follow
/// that. Axum itself does not lead a slash to what is nested by `nest`.
fn nested(keystone: &Keystone) -> [(Router, &'static str, &'static [&'static str]); 6] {
    let router = || keystone.router();
    let nest = |path: &str| Router::new().nest(path, router());
    let service = |path: &str| Router::new().nest_service(path, router());
    [
        (service("/identity"), "/identity", &["", "/", "//"]),
        (nest("/identity"), "/identity", &[""]),
        (
            Router::new().nest("/cloud", service("/identity")),
            "/cloud/identity",
            &["", "/"],
        ),
        (service("/v3"), "/v3", &["", "/"]),
        (service("/v3-of/{user_id}"), "/v3-of/any%20body", &["", "/"]),
        (router(), "", &["/", "//"]),
    ]
}

#[tokio::test]
async fn below_any_path_links_and_pages_lead_back_below_it() {
    let cloud = Keystone::ephemeral().await.unwrap();
    for name in ["b", "c"] {
        cloud.user(name).await.unwrap();
    }
    let token = cloud.admin_token().await.unwrap();
    for (app, below, ends) in nested(cloud.keystone()) {
        let root = format!("http://cloud.test{below}");
        for end in ends {
            let (status, location, body) = get(&app, "", &format!("{below}{end}")).await;
            assert_eq!(status, 300, "{below}{end}");
            assert_eq!(location, Some(format!("{root}/v3/")), "{below}{end}");
            let link = &body["versions"]["values"][0]["links"][0]["href"];
            assert_eq!(*link, format!("{root}/v3/"), "{below}{end}");
        }
        for end in ["/v3", "/v3/"] {
            let (status, _, body) = get(&app, "", &format!("{below}{end}")).await;
            let link = &body["version"]["links"][0]["href"];
            assert_eq!((status, link), (200, &format!("{root}/v3/").into()));
        }
        let (status, location, _) = get(&app, &token, &format!("{below}/v3//users")).await;
        assert_eq!((status, location), (308, Some(format!("{root}/v3/users"))));

        let mut next = Value::from(format!("{root}/v3/users?limit=1"));
        let mut names = Vec::new();
        while let Some(url) = next.as_str() {
            let path = url.strip_prefix("http://cloud.test").unwrap();
            let (status, _, mut page) = get(&app, &token, path).await;
            assert_eq!((status, &page["links"]["self"]), (200, &url.into()));
            let user = &page["users"][0];
            let own = format!("{root}/v3/users/{}", user["id"].as_str().unwrap());
            assert_eq!(user["links"]["self"], own);
            assert_eq!(
                get(&app, &token, &own["http://cloud.test".len()..]).await.0,
                200
            );
            names.push(user["name"].as_str().unwrap().to_owned());
            next = page["links"]["next"].take();
        }
        names.sort();
        assert_eq!(names, ["admin", "b", "c"], "{below}");

        // The schema of the query is that of the route.
        let (status, ..) = get(&app, &token, &format!("{below}/v3/users?limit=x")).await;
        assert_eq!(status, 400, "{below}");
        assert_eq!(
            get(&app, &token, &format!("{below}/v3/nothing")).await.0,
            404
        );
    }
}

#[tokio::test]
async fn a_parameter_of_the_path_above_is_no_attribute_of_a_rule_s_target() {
    let cloud = Keystone::ephemeral().await.unwrap();
    let user = cloud.user("b").await.unwrap();
    cloud.grant("b", "p", "member").await.unwrap();
    let token = cloud.token("b", "p").await.unwrap();
    let app = Router::new().nest_service("/of/{user_id}", cloud.keystone().router());
    // Everybody may list the own projects: the rule compares the user in the path with the caller.
    let admin = &cloud.bootstrapped().user_id;
    let (own, other) = (&user.id, admin);
    for (above, below, expected) in [(other, own, 200), (own, other, 403)] {
        let path = format!("/of/{above}/v3/users/{below}/application_credentials");
        assert_eq!(get(&app, &token, &path).await.0, expected, "{path}");
    }
    // A rule about the caller's own resources has nothing to compare with where the route has no user.
    let path = format!("/of/{own}/v3/users");
    assert_eq!(get(&app, &token, &path).await.0, 403);
}

#[tokio::test]
async fn a_shutdown_waits_for_what_runs_and_refuses_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let builder = || {
        Keystone::builder()
            .database(format!(
                "sqlite:///{}",
                folder.path().join("k.db").display()
            ))
            .key_directory(folder.path())
            .set_up_keys(true)
            .migrate(true)
            .bootstrap(Bootstrap::new("secret"))
            .housekeeping(true)
    };
    let keystone = builder().build().await.unwrap();
    let (identity, router) = (keystone.identity(), keystone.router());
    let admin = UserChoice::named("admin", "default");
    let auth = keystone.auth();
    let request = || TokenRequest::password(admin.clone(), "secret");
    let token = auth.log_in(request(), &Login::default()).await.unwrap().id;

    let begun = identity.hasher().state().begun;
    let new = NewUser::new("late", "default").password("secret");
    let creating = identity.create_user(new);
    let shutdown = async {
        // Until the hash runs, on a thread of its own.
        while identity.hasher().state().begun == begun {
            tokio::task::yield_now().await;
        }
        keystone.shutdown().await;
    };
    let (created, ()) = tokio::join!(biased; creating, shutdown);
    // The hash was waited for. Whether the row was still stored depends on who came first.
    if let Err(error) = &created {
        assert_eq!(error.status(), 503, "{error:?}");
    }
    keystone.shutdown().await;
    assert_eq!(keystone.db().connections_in_use(), 0);

    assert_eq!(get(&router, &token, "/v3/users").await.0, 503);
    let refused = auth.log_in(request(), &Login::default()).await;
    assert_eq!(refused.unwrap_err().status(), 503);
    assert_eq!(identity.user("any").await.unwrap_err().status(), 503);

    // All is there for the next one, which finds its keys and its schema.
    let again = builder().build().await.unwrap();
    let validated = again.auth().validate(&token, Duration::zero()).await;
    assert_eq!(validated.unwrap().subject.user.name(), "admin");
    let listing = Listing::default().with("name", "late");
    let kept = again.identity().users(&listing).await.unwrap();
    assert_eq!(kept.items.len(), usize::from(created.is_ok()));
    again.shutdown().await;
}

#[tokio::test]
async fn housekeeping_keeps_no_services_that_nobody_uses() {
    let cloud = Keystone::ephemeral().await.unwrap();
    cloud.keystone().start_housekeeping();
    let policy = cloud.keystone().policy();
    drop(cloud);
    let kept = async {
        // Its first turn may still be running.
        while Arc::strong_count(&policy) > 1 {
            tokio::task::yield_now().await;
        }
    };
    let longest = std::time::Duration::from_secs(10);
    tokio::time::timeout(longest, kept).await.unwrap();
}

/// What the API answers to a resource, as the status and the text.
async fn refused(cloud: &Cloud, path: &str, body: &Value) -> (u16, String) {
    let answer = cloud.admin().await.post(path, body).await;
    let message = answer.body["error"]["message"].as_str().unwrap_or_default();
    (answer.status, message.to_owned())
}

#[tokio::test]
async fn a_caller_of_the_library_gets_the_errors_of_the_api() {
    let cloud = Cloud::new().await;
    let identity = cloud.keystone.identity();
    let told = |error: Error| (error.status(), error.to_string());
    let long = "n".repeat(65);
    let longer = "n".repeat(256);
    for name in ["", " ", "\u{1c}", longer.as_str(), "it's \u{e9}\n"] {
        let domain = "default";
        let found = [
            identity.create_user(NewUser::new(name, domain)).await.err(),
            identity.create_group(Group::new(name, domain)).await.err(),
            identity.create_role(Role::new(name)).await.err(),
        ];
        for (kind, error) in ["user", "group", "role"].into_iter().zip(found) {
            let body = json!({ kind: { "name": name } });
            let path = format!("/v3/{kind}s");
            let Some(error) = error else {
                assert_eq!(
                    refused(&cloud, &path, &body).await.0,
                    409,
                    "{kind} {name:?}"
                );
                continue;
            };
            assert_eq!(
                told(error),
                refused(&cloud, &path, &body).await,
                "{kind} {name:?}"
            );
        }
    }
    let nowhere = || Project {
        parent_id: Some("f".repeat(32)),
        ..Project::new("p", "default")
    };
    let tagged = |tag: &str, count: usize| {
        let mut project = Project::new("p", "default");
        project.tags.0 = (0..count).map(|n| format!("{tag}{n}")).collect();
        project
    };
    for project in [
        Project::new("", "default"),
        Project::new(long, "default"),
        Project::new("p", "f".repeat(32)),
        nowhere(),
        tagged("a,b", 1),
        tagged("a/b", 1),
        tagged("t", 81),
    ] {
        let mut body = json!({ "project": project });
        body["project"].as_object_mut().unwrap().remove("id");
        let error = identity.create_project(project).await.unwrap_err();
        assert_eq!(told(error), refused(&cloud, "/v3/projects", &body).await);
    }
}

#[tokio::test]
async fn nothing_is_created_in_the_hidden_root_of_all_domains() {
    let cloud = Cloud::new().await;
    let identity = cloud.keystone.identity();
    let inside = |name: &str| json!({ "name": name, "domain_id": "<<keystone.domain.root>>" });
    let user: NewUser = serde_json::from_value(inside("u")).unwrap();
    let group: Group = serde_json::from_value(inside("g")).unwrap();
    let refused = [
        identity.create_user(user).await.unwrap_err(),
        identity.create_group(group).await.unwrap_err(),
    ];
    assert_eq!(refused.map(|error| error.status()), [404, 404]);
}
