//! Users and groups of a directory, beside those of the database. Without a `slapd` these tests say so and pass. `tests/ldap/run`
//! asks for more, and holds it against Python Keystone.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use keystone::Settings;
use keystone::identity::{Backend, DomainBackends, public_id};
use keystone::storage::sql;
use keystone_testkit::{Answer, Cloud, Log, Session};
use serde_json::{Value, json};

use server::{Setup, Slapd};

#[path = "../../crates/ldap/tests/slapd/server.rs"]
#[expect(dead_code, reason = "keystone-ldap has tests for which it does more")]
mod server;

/// What the fixture needs.
fn options(slapd: &Slapd) -> Value {
    json!({
        "url": slapd.url(),
        "user": "cn=keystone,ou=Services,dc=example,dc=org",
        "password": "service-secret",
        "user_tree_dn": "ou=People,dc=example,dc=org",
        "user_id_attribute": "uid",
        "user_name_attribute": "uid",
        "group_tree_dn": "ou=Groups,dc=example,dc=org",
        "group_name_attribute": "cn",
    })
}

async fn with_domains(domains: DomainBackends) -> Cloud {
    let mut settings = Settings::default();
    settings.identity.backends.domains = domains;
    settings.api.domain_specific_drivers = true;
    Cloud::with(settings).await
}

/// A domain; its id.
async fn domain(admin: &Session, name: &str) -> String {
    let body = json!({ "domain": { "name": name } });
    let created = admin.post("/v3/domains", &body).await.created();
    created["domain"]["id"].as_str().unwrap().to_owned()
}

/// A cloud with a domain whose users are in a directory, as the database has it.
struct Corp {
    slapd: Slapd,
    cloud: Cloud,
    admin: Session,
    id: String,
}

/// `None` where there is no `slapd`.
async fn corp() -> Option<Corp> {
    corp_with(&[], Setup::default()).await
}

/// The same with more options, and a server that is set up in another way.
async fn corp_with(more: &[(&str, &str)], setup: Setup) -> Option<Corp> {
    let slapd = Slapd::start(setup).await?;
    let cloud = with_domains(DomainBackends::Database).await;
    let admin = cloud.admin().await;
    let id = domain(&admin, "corp").await;
    let mut ldap = options(&slapd);
    for (option, value) in more {
        ldap[option] = (*value).into();
    }
    let body = json!({ "config": { "identity": { "driver": "ldap" }, "ldap": ldap } });
    let path = format!("/v3/domains/{id}/config");
    admin.request("PUT", &path, Some(&body)).await.created();
    Some(Corp {
        slapd,
        cloud,
        admin,
        id,
    })
}

impl Corp {
    fn public_id(&self, kind: &str, local_id: &str) -> String {
        public_id(&self.id, kind, local_id.as_bytes())
    }

    /// Changes options of the directory.
    async fn configure(&self, ldap: Value) {
        let path = format!("/v3/domains/{}/config", self.id);
        let body = json!({ "config": { "ldap": ldap } });
        self.admin.patch(&path, &body).await.ok();
    }

    /// A login by name, which the directory finds in any letters.
    async fn log_in(&self, name: &str, password: &str, scope: &Value) -> Answer {
        let named = json!({ "name": name, "domain": { "name": "corp" } });
        self.admin.log_in(&named, password, scope).await
    }
}

fn names<'b>(body: &'b Value, of: &str) -> Vec<&'b str> {
    let items = body[of].as_array().unwrap().iter();
    let mut names: Vec<_> = items.map(|item| item["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn users_and_groups_of_a_directory_are_served_and_not_changed() {
    let Some(corp) = corp().await else {
        return;
    };
    let Corp { admin, id, .. } = &corp;
    let [alice, devs] =
        [("user", "alice"), ("group", "devs")].map(|(kind, name)| corp.public_id(kind, name));
    // The first who is seen at all.
    let token = corp
        .log_in("ALICE", "alice-secret", &Value::Null)
        .await
        .created();
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
    let Some(mut corp) = corp().await else {
        return;
    };
    let Corp {
        cloud, admin, id, ..
    } = &corp;
    let [alice, bob, devs] = [("user", "alice"), ("user", "bob"), ("group", "devs")]
        .map(|(kind, name)| corp.public_id(kind, name));
    let project = cloud.project("through-groups").await;
    let scope = json!({ "project": { "id": project } });
    corp.log_in("ALICE", "alice-secret", &scope)
        .await
        .refused(401);
    admin.get(&format!("/v3/groups?domain_id={id}")).await.ok();
    let member = cloud.role("member").await;
    let grant = format!("/v3/projects/{project}/groups/{devs}/roles/{member}");
    admin.put(&grant).await.no_content();
    let answer = corp.log_in("ALICE", "alice-secret", &scope).await;
    let token = answer.header("x-subject-token").unwrap().to_owned();
    let roles = answer.created();
    assert_eq!(names(&roles["token"], "roles"), ["member", "reader"]);
    admin.validate(&token).await.ok();

    let of_project = format!("effective&include_names&scope.project.id={project}");
    let found = assignments(admin, &of_project).await;
    assert_eq!(found.len(), 6, "three members, two roles");
    assert_eq!(found[0]["user"]["domain"]["name"], "corp");
    let of_alice = assignments(admin, &format!("effective&user.id={alice}")).await;
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
    corp.slapd.stop();
    let Corp {
        cloud, admin, id, ..
    } = &corp;
    admin.validate(&token).await.refused(500);
    ends_with_all_that_is_its_own(cloud, admin, id).await;
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
    let Some(corp) = corp().await else {
        return;
    };
    let Corp {
        cloud, admin, id, ..
    } = &corp;
    let other = cloud.neighbour().await.admin().await;
    // A row wins over the id that would be computed, in whatever letters it has the local id.
    sql("INSERT INTO id_mapping (public_id, domain_id, local_id, entity_type) VALUES ('of-old', ?, 'Bob', 'user')")
        .bind(id)
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
    let Some(slapd) = Slapd::start(Setup::default()).await else {
        return;
    };
    let options = options(&slapd);
    let backend = Backend::read(|group, option| match (group, option) {
        ("identity", "driver") => "ldap".into(),
        _ => options.get(option).cloned().unwrap_or_default(),
    });
    let files = vec![("Corp".to_owned(), backend.unwrap())];
    let cloud = with_domains(DomainBackends::Files(files)).await;
    let admin = cloud.admin().await;
    let id = domain(&admin, "corp").await;
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

/// The lengths of the pages of a list, which must say that there is more where there is.
async fn pages(admin: &Session, path: &str, of: &str) -> Vec<usize> {
    let (mut lengths, mut path) = (Vec::new(), Some(path.to_owned()));
    while let Some(next) = path {
        let body = admin.get(&next).await.ok();
        lengths.push(body[of].as_array().unwrap().len());
        let next = body["links"]["next"].as_str();
        assert_eq!(body["truncated"] == true, next.is_some());
        path = next.map(|next| next[next.find("/v3/").unwrap()..].to_owned());
    }
    lengths
}

#[tokio::test]
async fn a_domain_has_a_list_limit_of_its_own() {
    let Some(corp) = corp().await else {
        return;
    };
    let Corp { admin, id, .. } = &corp;
    let local = domain(admin, "local").await;
    for name in ["one", "two", "three"] {
        for domain in ["default", &local] {
            let user = json!({ "user": { "name": name, "domain_id": domain } });
            admin.post("/v3/users", &user).await.created();
        }
    }
    let (users, groups) = (
        format!("/v3/users?domain_id={id}"),
        format!("/v3/groups?domain_id={id}"),
    );
    assert_eq!(pages(admin, &users, "users").await, [17]);
    assert_eq!(pages(admin, &groups, "groups").await, [6]);
    let limit = json!({ "config": { "identity": { "list_limit": 2 } } });
    let path = format!("/v3/domains/{id}/config");
    admin.patch(&path, &limit).await.ok();
    // Also of a domain whose users are in the database.
    let path = format!("/v3/domains/{local}/config");
    admin.request("PUT", &path, Some(&limit)).await.created();
    for asked in ["", "&limit=5"] {
        let found = pages(admin, &format!("{users}{asked}"), "users").await;
        assert_eq!(found, [2, 2, 2, 2, 2, 2, 2, 2, 1]);
        let found = pages(admin, &format!("{groups}{asked}"), "groups").await;
        assert_eq!(found, [2, 2, 2]);
    }
    let members = format!("/v3/groups/{}/users", corp.public_id("group", "devs"));
    assert_eq!(pages(admin, &members, "users").await, [2, 1]);
    let mine = format!("/v3/users/{}/groups", corp.public_id("user", "alice"));
    assert_eq!(pages(admin, &mine, "groups").await, [2]);
    let one = format!("{users}&name=alice");
    assert_eq!(pages(admin, &one, "users").await, [1]);
    let path = format!("/v3/users?domain_id={local}");
    assert_eq!(pages(admin, &path, "users").await, [2, 1]);
    let others = pages(admin, "/v3/users?domain_id=default", "users").await;
    assert_eq!(others.len(), 1);
    assert!(others[0] > 3, "{others:?}");
}

fn with(entries: String) -> Setup {
    Setup {
        entries,
        ..Setup::default()
    }
}

/// A user with a password of its own, below the users' tree.
fn person(place: &str, uid: &str, name: &str, more: &str) -> String {
    format!(
        "dn: uid={uid},{place}ou=People,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {name}\nsn: {name}\n\
         userPassword: {name}-secret\n{more}\n"
    )
}

#[tokio::test]
async fn a_login_by_name_is_of_the_user_with_the_id_and_of_no_namesake() {
    let entries = [("", "First"), ("ou=Contractors,", "Second")];
    let entries = entries.map(|(place, name)| person(place, "twin", name, ""));
    let more = [("query_scope", "sub"), ("user_name_attribute", "cn")];
    let Some(corp) = corp_with(&more, with(entries.concat())).await else {
        return;
    };
    let first = corp.log_in("First", "First-secret", &Value::Null).await;
    let id = corp.public_id("user", "twin");
    assert_eq!(first.created()["token"]["user"]["id"], id);
    for password in ["Second-secret", "First-secret"] {
        let second = corp.log_in("Second", password, &Value::Null).await;
        second.refused(401);
    }
    // Names of other places are as good as any.
    let other = corp.log_in("Ivan Ivanov", "ivan-secret", &Value::Null);
    other.await.created();
}

#[tokio::test]
async fn nobody_takes_the_id_of_another_as_a_further_one() {
    let mails = [
        (
            "mallory",
            "mail: mallory@example.org\nmail: victim@example.org\n",
        ),
        ("victim", "mail: victim@example.org\n"),
    ];
    let entries = mails.map(|(name, mails)| person("", name, name, mails));
    let Some(corp) = corp_with(&[("user_id_attribute", "mail")], with(entries.concat())).await
    else {
        return;
    };
    let Corp { admin, .. } = &corp;
    let victim = corp.public_id("user", "victim@example.org");
    let answer = corp.log_in("victim", "victim-secret", &Value::Null).await;
    let token = answer.header("x-subject-token").unwrap().to_owned();
    assert_eq!(answer.created()["token"]["user"]["id"], victim);
    let path = format!("/v3/users/{victim}");
    assert_eq!(admin.get(&path).await.ok()["user"]["name"], "victim");
    let by_id = json!({ "id": victim });
    let answer = admin.log_in(&by_id, "mallory-secret", &Value::Null).await;
    answer.refused(401);
    admin.validate(&token).await.ok();
    // Once the victim is gone.
    corp.configure(json!({ "user_filter": "(!(uid=victim))" }))
        .await;
    admin.get(&path).await.refused(404);
    admin.validate(&token).await.refused(404);
    let answer = admin.log_in(&by_id, "mallory-secret", &Value::Null).await;
    answer.refused(401);
    let answer = corp.log_in("mallory", "mallory-secret", &Value::Null).await;
    let id = corp.public_id("user", "mallory@example.org");
    assert_eq!(answer.created()["token"]["user"]["id"], id);
}

#[tokio::test]
async fn a_wrong_configuration_is_a_failure_until_it_is_mended() {
    const KEYS: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/ldap/tests/slapd/keys"
    );
    let setup = Setup {
        certificate: Some(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../crates/ldap/tests/slapd/keys/server"
        )),
        ..Setup::default()
    };
    let Some(corp) = corp_with(&[], setup).await else {
        return;
    };
    let trusted = tempfile::TempDir::new().unwrap();
    let file = trusted.path().join("authority.pem");
    let path = format!("/v3/users?domain_id={}", corp.id);
    let secure = json!({ "use_tls": true, "tls_cacertfile": file });
    corp.configure(secure).await;
    corp.admin.get(&path).await.refused(500);
    corp.configure(json!({ "query_scope": "sub" })).await;
    corp.admin.get(&path).await.refused(500);
    // The file is enough.
    std::fs::copy(format!("{KEYS}/authority.pem"), &file).unwrap();
    let users = corp.admin.get(&path).await.ok();
    assert_eq!(names(&users, "users").len(), 20);
}

#[tokio::test]
async fn a_wrong_configuration_is_none_of_those_who_are_in_the_database() {
    let cloud = with_domains(DomainBackends::Database).await;
    let admin = cloud.admin().await;
    let id = domain(&admin, "corp").await;
    let mut paths = Vec::new();
    for (kind, of) in [("user", "groups"), ("group", "users")] {
        let body = json!({ kind: { "name": "one", "domain_id": id } });
        let created = admin.post(&format!("/v3/{kind}s"), &body).await.created();
        let one = created[kind]["id"].as_str().unwrap();
        paths.push((format!("/v3/{kind}s/{one}/{of}"), of));
    }
    let ldap = json!({ "url": "ldap://127.0.0.1:1", "query_scope": "tree" });
    let body = json!({ "config": { "identity": { "driver": "ldap" }, "ldap": ldap } });
    let path = format!("/v3/domains/{id}/config");
    admin.request("PUT", &path, Some(&body)).await.created();
    for (path, of) in &paths {
        assert_eq!(admin.get(path).await.ok()[of], json!([]));
    }
    let path = format!("/v3/users?domain_id={id}");
    admin.get(&path).await.refused(500);
}

#[tokio::test]
async fn actors_have_names_in_whatever_letters_their_ids_are_stored() {
    let Some(corp) = corp().await else {
        return;
    };
    let Corp { admin, cloud, .. } = &corp;
    let users = format!("/v3/users?domain_id={}", corp.id);
    admin.get(&users).await.ok();
    let groups = format!("/v3/groups?domain_id={}", corp.id);
    admin.get(&groups).await.ok();
    let (project, role) = (cloud.project("p").await, cloud.role("member").await);
    for (kind, of, name) in [
        ("user", "UserProject", "alice"),
        ("group", "GroupProject", "devs"),
    ] {
        let id = corp.public_id(kind, name).to_uppercase();
        let text = "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited) VALUES (?, ?, ?, ?, ?)";
        let row = sql(text).bind(of).bind(&id).bind(&project).bind(&role);
        let row = row.bind(false).execute(cloud.keystone.db());
        row.await.unwrap();
        let query = format!("include_names&role.id={role}");
        let found = assignments(admin, &query).await;
        let actor = found.iter().find_map(|item| item.get(kind)).unwrap();
        assert_eq!(actor["name"], name, "{actor}");
        assert_eq!(actor["domain"]["name"], "corp", "{actor}");
        assert_eq!(actor["id"], id.as_str());
    }
}

#[tokio::test]
async fn another_group_with_the_id_of_one_has_none_of_its_roles() {
    let entry = "dn: cn=devs,ou=Contractors,ou=People,dc=example,dc=org\nobjectClass: groupOfNames\ncn: devs\n\
                 ou: Second\nmember: uid=carol,ou=People,dc=example,dc=org\n";
    let more = [
        ("query_scope", "sub"),
        ("group_tree_dn", "dc=example,dc=org"),
    ];
    let Some(corp) = corp_with(&more, with(entry.to_owned())).await else {
        return;
    };
    let Corp { admin, cloud, .. } = &corp;
    let (project, role) = (cloud.project("p").await, cloud.role("member").await);
    let devs = corp.public_id("group", "devs");
    admin
        .get(&format!("/v3/groups?domain_id={}", corp.id))
        .await
        .ok();
    let grant = format!("/v3/projects/{project}/groups/{devs}/roles/{role}");
    admin.request("PUT", &grant, None).await.no_content();
    let scope = json!({ "project": { "id": project } });
    for (name, is_in) in [("alice", true), ("carol", false)] {
        let answer = corp.log_in(name, &format!("{name}-secret"), &scope).await;
        if is_in {
            answer.created();
        } else {
            answer.refused(401);
        }
        let path = format!("/v3/users/{}/groups", corp.public_id("user", name));
        let groups = admin.get(&path).await.ok();
        assert_eq!(names(&groups, "groups").contains(&"devs"), is_in, "{name}");
    }
}

#[tokio::test]
async fn a_warning_about_references_names_the_domain_and_no_password() {
    let entries = "dn: ou=service-secret,dc=example,dc=org\nobjectClass: organizationalUnit\nou: service-secret\n\n\
                   dn: ou=There,ou=service-secret,dc=example,dc=org\nobjectClass: referral\n\
                   objectClass: extensibleObject\nou: There\nref: ldap://127.0.0.1:1/dc=there\n";
    let more = [("user_tree_dn", "ou=%(password)s,dc=example,dc=org")];
    let Some(corp) = corp_with(&more, with(entries.to_owned())).await else {
        return;
    };
    let path = format!("/v3/users?domain_id={}", corp.id);
    let (log, _guard) = Log::start("warn");
    corp.admin.get(&path).await.ok();
    let told = log.take();
    assert!(
        told.contains("below \"ou=***,dc=example,dc=org\""),
        "{told}"
    );
    assert!(told.contains("ldap://127.0.0.1:1/dc=there"), "{told}");
    let domain = format!("domain.id=\"{}\"", corp.id);
    assert!(told.contains(&domain), "{told}");
    assert!(!told.contains("service-secret"), "{told}");
    corp.admin.get(&path).await.ok();
    assert_eq!(log.take(), "");
}

#[tokio::test]
async fn ids_without_mappings_are_looked_up_together() {
    let cloud = Cloud::new().await;
    let mut settings = Settings::default();
    settings.identity.backends.backward_compatible_ids = true;
    settings.identity.backends.default = Backend::read(|group, option| match (group, option) {
        ("identity", "driver") => "ldap".into(),
        ("ldap", "url") => "ldap://127.0.0.1:1".into(),
        _ => Value::Null,
    })
    .unwrap();
    let node = cloud.neighbour_with(settings).await;
    let identity = node.keystone.identity();
    let count = async |ids: &[&str]| {
        let (found, statements) = node.statements(identity.subjects(ids)).await;
        found.unwrap_err();
        statements.len()
    };
    assert_eq!(count(&["a", "b", "c"]).await, count(&["a"]).await);
}
