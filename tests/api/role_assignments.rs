//! `/v3/role_assignments`

mod effective;

use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

const PATH: &str = "/v3/role_assignments";

/// A domain with a project, one below it, a user and a group with that user.
struct World {
    cloud: Cloud,
    admin: Session,
    domain: String,
    project: String,
    child: String,
    user: String,
    group: String,
    member: String,
    reader: String,
}

impl World {
    async fn new() -> Self {
        let cloud = Cloud::new().await;
        let admin = cloud.admin().await;
        let domain = made(&admin, "domain", json!({ "name": "corp" })).await;
        let project = json!({ "name": "alpha", "domain_id": domain });
        let project = made(&admin, "project", project).await;
        let child = json!({ "name": "below", "domain_id": domain, "parent_id": project });
        let child = made(&admin, "project", child).await;
        let user = json!({ "name": "bob", "domain_id": domain, "password": "bob" });
        let user = made(&admin, "user", user).await;
        let group = json!({ "name": "staff", "domain_id": domain });
        let group = made(&admin, "group", group).await;
        admin
            .put(&format!("/v3/groups/{group}/users/{user}"))
            .await
            .no_content();
        let (member, reader) = (cloud.role("member").await, cloud.role("reader").await);
        Self {
            cloud,
            admin,
            domain,
            project,
            child,
            user,
            group,
            member,
            reader,
        }
    }

    async fn grant(&self, path: &str) {
        self.admin.put(&format!("/v3/{path}")).await.no_content();
    }

    async fn list(&self, query: &str) -> Vec<Value> {
        let body = self.admin.get(&format!("{PATH}?{query}")).await.ok();
        assert_eq!(
            body["links"],
            json!({ "next": null, "self": format!("http://keystone.test:5000{PATH}?{query}"), "previous": null })
        );
        body["role_assignments"].as_array().expect("a list").clone()
    }
}

impl World {
    /// A grant on a project, on the system and on the projects of a domain, as served.
    fn shown(&self) -> [Value; 3] {
        let Self {
            domain,
            project,
            user,
            group,
            member,
            reader,
            ..
        } = self;
        let on_project = json!({
            "links": { "assignment": url(&format!("projects/{project}/users/{user}/roles/{member}")) },
            "scope": { "project": { "id": project } },
            "user": { "id": user },
            "role": { "id": member },
        });
        let on_system = json!({
            "links": { "assignment": url(&format!("system/users/{user}/roles/{reader}")) },
            "scope": { "system": { "all": true } },
            "user": { "id": user },
            "role": { "id": reader },
        });
        let inherited = json!({
            "links": { "assignment": url(&format!(
                "OS-INHERIT/domains/{domain}/groups/{group}/roles/{reader}/inherited_to_projects"
            )) },
            "scope": { "domain": { "id": domain }, "OS-INHERIT:inherited_to": "projects" },
            "group": { "id": group },
            "role": { "id": reader },
        });
        [on_project, on_system, inherited]
    }
}

async fn made(admin: &Session, kind: &str, resource: Value) -> String {
    let body = json!({ kind: resource });
    let body = admin.post(&format!("/v3/{kind}s"), &body).await.created();
    body[kind]["id"].as_str().expect("an id").to_owned()
}

fn url(path: &str) -> String {
    format!("http://keystone.test:5000/v3/{path}")
}

#[tokio::test]
async fn every_grant_is_listed_with_its_links() {
    let world = World::new().await;
    let World {
        domain,
        project,
        user,
        group,
        member,
        reader,
        ..
    } = &world;
    world
        .grant(&format!("projects/{project}/users/{user}/roles/{member}"))
        .await;
    world
        .grant(&format!(
            "OS-INHERIT/domains/{domain}/groups/{group}/roles/{reader}/inherited_to_projects"
        ))
        .await;
    world
        .grant(&format!("system/users/{user}/roles/{reader}"))
        .await;

    let [on_project, on_system, inherited] = world.shown();
    for (query, expected) in [
        (format!("user.id={user}"), vec![&on_project, &on_system]),
        (format!("group.id={group}"), vec![&inherited]),
        (format!("scope.project.id={project}"), vec![&on_project]),
        (format!("scope.domain.id={domain}"), vec![&inherited]),
        (format!("scope.domain.id={project}"), vec![]),
        (format!("group.id={user}"), vec![]),
        (
            format!("role.id={member}&user.id={user}"),
            vec![&on_project],
        ),
        (format!("user.id={user}&scope.system=all"), vec![&on_system]),
        (
            format!("scope.OS-INHERIT:inherited_to=projects&scope.domain.id={domain}"),
            vec![&inherited],
        ),
        (
            format!("scope.OS-INHERIT:inherited_to=none&scope.domain.id={domain}"),
            vec![],
        ),
        // The system takes no notice of that filter.
        (
            format!("scope.OS-INHERIT:inherited_to=projects&user.id={user}"),
            vec![&on_system],
        ),
        ("user.id=nobody".to_owned(), vec![]),
    ] {
        let expected: Vec<Value> = expected.into_iter().cloned().collect();
        assert_eq!(world.list(&query).await, expected, "{query}");
    }
    let everything = world.list("scope.system=some").await;
    assert_eq!(everything, world.list("effective=0").await);
    for one in [&on_project, &on_system, &inherited] {
        assert!(everything.contains(one));
    }
    assert_eq!(world.admin.head(PATH).await.with(200), Value::Null);
}

#[tokio::test]
async fn assignments_have_names_also_where_the_resource_is_gone() {
    let world = World::new().await;
    let World {
        domain,
        group,
        member,
        ..
    } = &world;
    world
        .grant(&format!("domains/{domain}/groups/{group}/roles/{member}"))
        .await;
    let found = world
        .list(&format!("include_names&scope.domain.id={domain}"))
        .await;
    let corp = json!({ "id": domain, "name": "corp" });
    assert_eq!(found[0]["scope"], json!({ "domain": corp }));
    assert_eq!(
        found[0]["group"],
        json!({ "id": group, "name": "staff", "domain": corp })
    );
    assert_eq!(found[0]["role"], json!({ "id": member, "name": "member" }));
    let lost = keystone::storage::sql("DELETE FROM user_group_membership");
    lost.execute(world.cloud.keystone.db()).await.unwrap();
    let lost = keystone::storage::sql("DELETE FROM `group`");
    lost.execute(world.cloud.keystone.db()).await.unwrap();
    let found = world
        .list(&format!("include_names&scope.domain.id={domain}"))
        .await;
    assert_eq!(
        found[0]["group"],
        json!({ "id": group, "name": "", "domain": { "id": "", "name": "" } })
    );
    let effective = format!("effective&scope.domain.id={domain}");
    assert_eq!(world.list(&effective).await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_domain_token_lists_the_assignments_of_its_domain() {
    let world = World::new().await;
    let World {
        domain,
        project,
        child,
        user,
        reader,
        ..
    } = &world;
    world
        .grant(&format!("domains/{domain}/users/{user}/roles/{reader}"))
        .await;
    world
        .grant(&format!("projects/{child}/users/{user}/roles/{reader}"))
        .await;
    world
        .grant(&format!("system/users/{user}/roles/{reader}"))
        .await;
    let bob = json!({ "id": user });
    let scope = json!({ "domain": { "id": domain } });
    let answer = world.cloud.nobody().log_in(&bob, "bob", &scope).await;
    let bob = world
        .admin
        .with_token(answer.header("x-subject-token").unwrap());
    let found = bob.get(PATH).await.ok();
    let found = found["role_assignments"].as_array().unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|one| one["user"]["id"] == json!(user)));
    let tree = format!("{PATH}?include_subtree&scope.project.id={project}");
    let below = bob.get(&tree).await.ok();
    assert_eq!(below["role_assignments"].as_array().unwrap().len(), 1);

    let other = world.cloud.project("other").await;
    let other = format!("{PATH}?include_subtree&scope.project.id={other}");
    assert_eq!(
        bob.get(&other).await.refused(403),
        "You are not authorized to perform the requested action: identity:list_role_assignments_for_tree."
    );
    let missing = format!("{PATH}?include_subtree&scope.project.id=none");
    assert_eq!(
        bob.get(&missing).await.refused(404),
        "Could not find project: none."
    );
    world.cloud.nobody().get(PATH).await.refused(401);
}

#[tokio::test]
async fn contradictory_filters_are_400() {
    let world = World::new().await;
    for (query, message) in [
        (
            "include_subtree",
            "'scope.project.id' is a dependency of 'include_subtree'",
        ),
        (
            "effective&group.id=g",
            "Combining effective and group filter will always result in an empty list.",
        ),
        (
            "scope.project.id=p&scope.domain.id=d",
            "Specify a domain or project, not both",
        ),
        (
            "scope.system=all&scope.domain.id=d",
            "Specify system or domain, not both",
        ),
        (
            "scope.system=all&scope.project.id=p",
            "Specify system or project, not both",
        ),
        (
            "effective&scope.domain.id=d&scope.OS-INHERIT:inherited_to=projects",
            "Combining effective, domain and inherited filters will always result in an empty list.",
        ),
        (
            "user.id=u&group.id=g",
            "ImmutableMultiDict([('user.id', 'u'), ('group.id', 'g')]) is valid under each of {'required': ['group.id']}, \
             {'required': ['user.id']}",
        ),
    ] {
        let answer = world.admin.get(&format!("{PATH}?{query}")).await;
        assert_eq!(answer.refused(400), message, "{query}");
    }
}
