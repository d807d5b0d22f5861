//! Rules of operators: which targets and attributes they can use.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Request;
use keystone::Settings;
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

/// A cloud with these rules; their file is deleted when it is dropped.
async fn cloud(rules: &Value, mut settings: Settings) -> (Cloud, NamedTempFile) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(rules.to_string().as_bytes()).unwrap();
    settings.policy.file = Some(file.path().to_owned());
    (Cloud::with(settings).await, file)
}

/// A user with a role on a project.
async fn person(cloud: &Cloud, name: &str, project: &str, role: &str) -> Session {
    let user = cloud.user(name).await;
    cloud.grant(&user, project, role).await;
    let scope = json!({ "project": { "id": project } });
    cloud.session(name, name, &scope).await
}

#[tokio::test]
async fn is_admin_project_is_true_only_for_the_configured_project() {
    let rules = json!({ "identity:list_users": "is_admin_project:True" });
    let mut settings = Settings::default();
    settings.auth.admin_project = Some(("admin".to_owned(), "Default".to_owned()));
    let (cloud, _rules) = cloud(&rules, settings).await;
    let other = cloud.project("other").await;
    let eve = person(&cloud, "eve", &other, "admin").await;
    eve.get("/v3/users").await.refused(403);
    cloud.admin().await.get("/v3/users").await.ok();
}

#[tokio::test]
async fn a_rule_can_read_the_query() {
    let rule = "role:reader and not True:%(filter_attr.is_domain)s";
    let rules = json!({ "identity:list_projects": rule });
    let (cloud, _rules) = cloud(&rules, Settings::default()).await;
    let reader = person(&cloud, "reader", &cloud.project("p").await, "reader").await;
    reader.get("/v3/projects").await.ok();
    reader.get("/v3/projects?is_domain=False").await.ok();
    let stopped = "/v3/projects?name=x&is_domain=True&is_domain=False";
    reader.get(stopped).await.refused(403);
}

#[tokio::test]
async fn a_rule_can_read_the_body() {
    let rule = "role:admin and not True:%(request_body.project.is_domain)s";
    let rules = json!({ "identity:create_project": rule });
    let (cloud, _rules) = cloud(&rules, Settings::default()).await;
    let admin = cloud.admin().await;
    let mut project = json!({ "project": { "name": "p", "domain_id": "default" } });
    admin.post("/v3/projects", &project).await.created();
    project["project"] = json!({ "name": "d", "is_domain": true });
    admin.post("/v3/projects", &project).await.refused(403);
}

#[tokio::test]
async fn a_rule_can_read_the_catalog_of_the_token() {
    let rules = json!({
        "identity:list_users": "token.catalog.type:identity",
        "identity:list_domains": "token.catalog.type:compute",
    });
    let (cloud, _rules) = cloud(&rules, Settings::default()).await;
    let admin = cloud.admin().await;
    admin.get("/v3/users").await.ok();
    admin.get("/v3/domains").await.refused(403);
}

#[tokio::test]
async fn sec_51_no_header_sets_a_credential_of_a_rule() {
    let rules = json!({
        "identity:list_users": "service_roles:admin or service_user_id:eve or role:admin",
        "identity:list_domains": "system_scope:all or is_admin:True",
    });
    let (cloud, _rules) = cloud(&rules, Settings::default()).await;
    let eve = person(&cloud, "eve", &cloud.project("p").await, "reader").await;
    for path in ["/v3/users", "/v3/domains"] {
        let mut request = Request::builder().uri(path);
        for (name, value) in [
            ("x-service-roles", "admin"),
            ("x-service-user-id", "eve"),
            ("x-roles", "admin"),
            ("x-role", "admin"),
            ("openstack-system-scope", "all"),
            ("x-is-admin", "True"),
        ] {
            request = request.header(name, value);
        }
        let request = request.body(Body::empty()).unwrap();
        eve.send(request).await.refused(403);
    }
}

/// A server that accepts questions and answers none, until its connections are dropped.
fn silent() -> (u16, mpsc::UnboundedReceiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, questions) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let mut connections = listener.incoming().map_while(Result::ok);
        while connections.next().is_some_and(|it| asked.send(it).is_ok()) {}
    });
    (port, questions)
}

/// How many of the threads for blocking work may wait for rules; the rest hashes passwords.
const FOR_RULES: usize = 64;
const ALL: usize = 72;

#[test]
fn logins_succeed_while_rules_wait_for_other_servers() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(ALL)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(logins_go_on());
}

async fn logins_go_on() {
    let (port, mut questions) = silent();
    let rules = json!({ "identity:list_regions": format!("http://127.0.0.1:{port}/") });
    let (cloud, _rules) = cloud(&rules, Settings::default()).await;
    let admin = cloud.admin().await;
    let answered = Arc::new(AtomicUsize::new(0));
    let requests: Vec<_> = (0..ALL + 8)
        .map(|_| {
            let (admin, answered) = (admin.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                let answer = admin.get("/v3/regions").await;
                answered.fetch_add(1, Ordering::Relaxed);
                answer.refused(403);
            })
        })
        .collect();
    let mut waiting = Vec::new();
    while waiting.len() < FOR_RULES {
        waiting.push(questions.recv().await.unwrap());
    }
    for _ in 0..8 {
        cloud.admin().await;
    }
    assert_eq!(answered.load(Ordering::Relaxed), 0);
    // A closed connection is an answer too, after which the next rules get their threads.
    drop((waiting, questions));
    for request in requests {
        request.await.unwrap();
    }
}
