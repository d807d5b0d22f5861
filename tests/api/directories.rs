//! Users and groups of a directory, beside those of the database: the `slapd` from Debian, or the program that
//! `KEYSTONE_TEST_SLAPD` names. Where there is none, these tests say so and pass. `tests/ldap/run` asks for more, and holds it
//! against Python Keystone.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use keystone::Settings;
use keystone::identity::{Backend, DomainBackends, public_id};
use keystone::storage::sql;
use keystone_testkit::{Answer, Cloud, Session};
use serde_json::{Value, json};
use tempfile::TempDir;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/ldap/tests/slapd");
const CONFIGURATION: &str = include_str!("../ldap/slapd.conf");

/// A server with the fixture, which ends with the test.
struct Slapd {
    _directory: TempDir,
    child: Child,
    port: u16,
}

impl Slapd {
    /// `None` where there is no `slapd`.
    async fn start() -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "tests are configured by the environment"
        )]
        let named = std::env::var("KEYSTONE_TEST_SLAPD").ok();
        let program = named.as_deref().unwrap_or("/usr/sbin/slapd");
        if named.is_none() && !Path::new(program).exists() {
            eprintln!("there is no {program}: not tested");
            return None;
        }
        let directory = TempDir::new().unwrap();
        let path = directory.path();
        // Under the name of the package's program, AppArmor would keep it from the test's files.
        let mut copy = Command::new("cp");
        assert!(
            copy.arg(program)
                .arg(path.join("slapd"))
                .status()
                .unwrap()
                .success()
        );
        std::fs::create_dir(path.join("data")).unwrap();
        let configuration = CONFIGURATION
            .replace("{directory}", path.to_str().unwrap())
            .replace("{fixture}", FIXTURE);
        std::fs::write(path.join("slapd.conf"), configuration).unwrap();
        let entries = Path::new(FIXTURE).join("fixture.ldif");
        let mut load = Command::new(path.join("slapd"));
        load.args(["-T", "add", "-q", "-f"])
            .arg(path.join("slapd.conf"));
        let loaded = load.arg("-l").arg(entries).output().unwrap();
        assert!(loaded.status.success(), "{loaded:?}");
        loop {
            let port = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = port.local_addr().unwrap().port();
            let mut child = spawn(path, port);
            if is_up(&mut child, port).await {
                return Some(Self {
                    _directory: directory,
                    child,
                    port,
                });
            }
        }
    }

    fn options(&self) -> Value {
        json!({
            "url": format!("ldap://127.0.0.1:{}", self.port),
            "user": "cn=keystone,ou=Services,dc=example,dc=org",
            "password": "service-secret",
            "user_tree_dn": "ou=People,dc=example,dc=org",
            "user_id_attribute": "uid",
            "user_name_attribute": "uid",
            "group_tree_dn": "ou=Groups,dc=example,dc=org",
            "group_name_attribute": "cn",
        })
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(path: &Path, port: u16) -> Child {
    let mut serve = Command::new(path.join("slapd"));
    serve.arg("-f").arg(path.join("slapd.conf"));
    serve.args(["-h", &format!("ldap://127.0.0.1:{port}"), "-d", "0"]);
    serve.stdout(Stdio::null()).stderr(Stdio::null());
    serve.spawn().unwrap()
}

/// Waits until the server listens; it ends where somebody else has the port.
async fn is_up(child: &mut Child, port: u16) -> bool {
    loop {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return child.try_wait().unwrap().is_none();
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn settings(domains: DomainBackends) -> Settings {
    let mut settings = Settings::default();
    settings.identity.backends.domains = domains;
    settings.api.domain_specific_drivers = true;
    settings
}

/// A domain with a backend in the database; its id.
async fn domain(admin: &Session, slapd: &Slapd) -> String {
    let corp = json!({ "domain": { "name": "corp" } });
    let created = admin.post("/v3/domains", &corp);
    let id = created.await.created()["domain"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let config = json!({ "identity": { "driver": "ldap" }, "ldap": slapd.options() });
    let path = format!("/v3/domains/{id}/config");
    let body = json!({ "config": config });
    admin.request("PUT", &path, Some(&body)).await.created();
    id
}

fn names<'b>(body: &'b Value, of: &str) -> Vec<&'b str> {
    let items = body[of].as_array().unwrap().iter();
    let mut names: Vec<_> = items.map(|item| item["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

/// A login of alice, whose name the directory finds in any letters.
async fn log_in(by: &Session, scope: &Value) -> Answer {
    let named = json!({ "name": "ALICE", "domain": { "name": "corp" } });
    by.log_in(&named, "alice-secret", scope).await
}

#[tokio::test]
async fn users_and_groups_of_a_directory_are_served_and_not_changed() {
    let Some(slapd) = Slapd::start().await else {
        return;
    };
    let cloud = Cloud::with(settings(DomainBackends::Database)).await;
    let admin = cloud.admin().await;
    let id = domain(&admin, &slapd).await;
    let [alice, devs] = [("user", "alice"), ("group", "devs")]
        .map(|(kind, name)| public_id(&id, kind, name.as_bytes()));
    // The first who is seen at all.
    let token = log_in(&admin, &Value::Null).await.created();
    assert_eq!(token["token"]["user"]["id"], alice);
    assert_eq!(token["token"]["user"]["name"], "alice");
    let users = admin.get(&format!("/v3/users?domain_id={id}")).await.ok();
    assert_eq!(names(&users, "users").len(), 17);
    let groups = admin.get(&format!("/v3/groups?domain_id={id}")).await.ok();
    assert_eq!(names(&groups, "groups").len(), 6);
    let mine = admin.get(&format!("/v3/users/{alice}/groups")).await.ok();
    assert_eq!(names(&mine, "groups"), ["devs", "enabled_users"]);
    let members = admin.get(&format!("/v3/groups/{devs}/users")).await.ok();
    assert_eq!(names(&members, "users"), ["alice", "bob", "zoë"]);
    let (user, group) = (format!("/v3/users/{alice}"), format!("/v3/groups/{devs}"));
    let change = json!({ "user": { "email": "x" } });
    admin.patch(&user, &change).await.refused(403);
    admin.delete(&group).await.refused(403);
}

#[tokio::test]
async fn roles_through_a_group_of_a_directory_last_as_long_as_the_directory_says() {
    let Some(slapd) = Slapd::start().await else {
        return;
    };
    let cloud = Cloud::with(settings(DomainBackends::Database)).await;
    let admin = cloud.admin().await;
    let id = domain(&admin, &slapd).await;
    let [alice, bob, devs] = [("user", "alice"), ("user", "bob"), ("group", "devs")]
        .map(|(kind, name)| public_id(&id, kind, name.as_bytes()));
    let project = cloud.project("through-groups").await;
    let scope = json!({ "project": { "id": project } });
    log_in(&admin, &scope).await.refused(401);
    admin.get(&format!("/v3/groups?domain_id={id}")).await.ok();
    let member = cloud.role("member").await;
    let grant = format!("/v3/projects/{project}/groups/{devs}/roles/{member}");
    admin.put(&grant).await.no_content();
    let answer = log_in(&admin, &scope).await;
    let token = answer.header("x-subject-token").unwrap().to_owned();
    let roles = answer.created();
    assert_eq!(names(&roles["token"], "roles"), ["member", "reader"]);
    admin.validate(&token).await.ok();

    let of_project = format!("effective&include_names&scope.project.id={project}");
    let found = assignments(&admin, &of_project).await;
    assert_eq!(found.len(), 6, "three members, two roles");
    assert_eq!(found[0]["user"]["domain"]["name"], "corp");
    let of_alice = assignments(&admin, &format!("effective&user.id={alice}")).await;
    assert_eq!(of_alice.len(), 2);
    let projects = admin.get(&format!("/v3/users/{bob}/projects")).await.ok();
    assert_eq!(names(&projects, "projects"), ["through-groups"]);

    // A user whose mapping is purged is nobody until the directory tells of the user again.
    sql("DELETE FROM id_mapping WHERE public_id = ?")
        .bind(&alice)
        .execute(cloud.keystone.db())
        .await
        .unwrap();
    admin.validate(&token).await.refused(404);
    let again = format!("/v3/users?domain_id={id}&name=alice");
    admin.get(&again).await.ok();
    admin.validate(&token).await.ok();
    drop(slapd);
    admin.validate(&token).await.refused(500);
    ends_with_all_that_is_its_own(&cloud, &admin, &id).await;
}

async fn assignments(admin: &Session, query: &str) -> Vec<Value> {
    let path = format!("/v3/role_assignments?{query}");
    let body = admin.get(&path).await.ok();
    body["role_assignments"].as_array().unwrap().clone()
}

/// Deletes a domain whose directory is down.
async fn ends_with_all_that_is_its_own(cloud: &Cloud, admin: &Session, id: &str) {
    let path = format!("/v3/domains/{id}");
    let off = json!({ "domain": { "enabled": false } });
    admin.patch(&path, &off).await.ok();
    admin.delete(&path).await.no_content();
    for text in [
        "SELECT user_id FROM nonlocal_user",
        "SELECT public_id FROM id_mapping",
        "SELECT actor_id FROM assignment WHERE type = 'GroupProject'",
    ] {
        let left = sql(text).fetch_texts(cloud.keystone.db()).await.unwrap();
        assert_eq!(left, [""; 0], "{text}");
    }
}

#[tokio::test]
async fn nodes_that_see_a_user_at_the_same_time_agree_on_the_id() {
    let Some(slapd) = Slapd::start().await else {
        return;
    };
    let cloud = Cloud::with(settings(DomainBackends::Database)).await;
    let admin = cloud.admin().await;
    let id = domain(&admin, &slapd).await;
    let other = cloud.neighbour().await.admin().await;
    // A row wins over the id that would be computed, in whatever letters it has the local id.
    sql("INSERT INTO id_mapping (public_id, domain_id, local_id, entity_type) VALUES ('of-old', ?, 'Bob', 'user')")
        .bind(&id)
        .execute(cloud.keystone.db())
        .await
        .unwrap();
    let path = format!("/v3/users?domain_id={id}");
    let (one, two) = tokio::join!(admin.get(&path), other.get(&path));
    let (one, two) = (one.ok(), two.ok());
    let ids = |body: &Value| -> Vec<String> {
        let users = body["users"].as_array().unwrap().iter();
        users
            .map(|user| user["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&one).len(), 17);
    assert_eq!(ids(&one), ids(&two));
    assert!(ids(&one).contains(&"of-old".to_owned()));
    assert_eq!(
        admin.get("/v3/users/of-old").await.ok()["user"]["name"],
        "bob"
    );
}

#[tokio::test]
async fn a_page_begins_behind_its_marker_in_the_order_of_ids() {
    let Some(slapd) = Slapd::start().await else {
        return;
    };
    let options = slapd.options();
    let backend = Backend::read(|group, option| match (group, option) {
        ("identity", _) => "ldap".into(),
        _ => options.get(option).cloned().unwrap_or_default(),
    });
    let files = vec![("Corp".to_owned(), backend.unwrap())];
    let cloud = Cloud::with(settings(DomainBackends::Files(files))).await;
    let admin = cloud.admin().await;
    let corp = json!({ "domain": { "name": "corp" } });
    let created = admin.post("/v3/domains", &corp);
    let id = created.await.created()["domain"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut seen = Vec::new();
    let mut path = Some(format!("/v3/users?domain_id={id}&limit=5"));
    while let Some(next) = path {
        let body = admin.get(&next).await.ok();
        let users = body["users"].as_array().unwrap().iter();
        seen.extend(users.map(|user| user["id"].as_str().unwrap().to_owned()));
        let next = body["links"]["next"].as_str();
        path = next.map(|next| next[next.find("/v3/").unwrap()..].to_owned());
    }
    assert_eq!(seen.len(), 17);
    assert!(seen.is_sorted());
    let path = format!("/v3/users?domain_id={id}&marker=nobody");
    admin.get(&path).await.refused(404);
}
