//! Grants: which roles a user has, and which callers can grant them.

use keystone::storage::sql;
use keystone_testkit::Session;
use serde_json::{Value, json};

use crate::world::{World, on_domain, on_project};

/// The ids in a collection.
fn ids(body: &Value, collection: &str) -> Vec<String> {
    let items = body[collection].as_array().expect("a collection");
    let ids = items.iter().map(|item| item["id"].as_str());
    ids.map(|id| id.expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn sec_04_a_default_project_grants_no_role() {
    let world = World::new().await;
    let eve = world.on("eve", &world.p1).await;
    let path = format!("/v3/users/{}", world.eve);
    let change = json!({ "user": { "default_project_id": world.p2 } });
    eve.patch(&path, &change).await.refused(403);
    world.admin.patch(&path, &change).await.ok();
    let grants = format!("/v3/projects/{}/users/{}/roles", world.p2, world.eve);
    assert_eq!(world.admin.get(&grants).await.ok()["roles"], json!([]));
    world
        .try_login("eve", "eve", &on_project(&world.p2))
        .await
        .refused(401);
    let issued = world.try_login("eve", "eve", &Value::Null).await.created();
    assert_eq!(issued["token"].get("project"), None);
}

#[tokio::test]
async fn sec_23_removing_a_role_that_was_never_granted_grants_nothing() {
    let world = World::new().await;
    let role = world.cloud.role("admin").await;
    let fields = json!({ "name": "g", "domain_id": "default" });
    let group = world.make("/v3/groups", "group", &fields).await;
    for target in [
        format!("projects/{}", world.p1),
        "domains/default".to_owned(),
        "system".to_owned(),
    ] {
        for actor in [format!("users/{}", world.bob), format!("groups/{group}")] {
            let grants = format!("/v3/{target}/{actor}/roles");
            let before = world.admin.get(&grants).await.ok()["roles"].clone();
            world
                .admin
                .delete(&format!("{grants}/{role}"))
                .await
                .refused(404);
            assert_eq!(world.admin.get(&grants).await.ok()["roles"], before);
            if target != "system" {
                let inherited = format!("/v3/OS-INHERIT/{target}/{actor}/roles");
                let one = format!("{inherited}/{role}/inherited_to_projects");
                world.admin.delete(&one).await.refused(404);
                world.admin.get(&one).await.refused(404);
            }
        }
    }
}

#[tokio::test]
async fn sec_28_a_user_with_the_id_of_a_group_does_not_have_its_roles() {
    let world = World::new().await;
    // An identity backend may give a group the id of a user.
    sql("INSERT INTO `group` (id, domain_id, name, description, extra) VALUES (?, 'default', 'twin', '', '{}')")
        .bind(&world.bob)
        .execute(world.cloud.keystone.db())
        .await
        .expect("a group may have any id");
    let role = world.cloud.role("admin").await;
    let grant = format!(
        "/v3/projects/{}/groups/{}/roles/{role}",
        world.p2, world.bob
    );
    world.admin.put(&grant).await.no_content();
    world
        .try_login("bob", "bob", &on_project(&world.p2))
        .await
        .refused(401);
    let bob = world.on("bob", &world.p1).await;
    let seen = bob.get("/v3/auth/projects").await.ok();
    assert_eq!(ids(&seen, "projects"), [world.p1.as_str()]);
    let path = format!("/v3/role_assignments?user.id={}&effective", world.bob);
    let effective = world.admin.get(&path).await.ok().to_string();
    assert!(!effective.contains(&world.p2), "{effective}");
}

#[tokio::test]
async fn sec_36_users_see_only_their_own_projects_and_domains() {
    let world = World::new().await;
    let bob = world.on("bob", &world.p1).await;
    let projects = bob.get("/v3/auth/projects").await.ok();
    assert_eq!(ids(&projects, "projects"), [world.p1.as_str()]);
    let domains = bob.get("/v3/auth/domains").await.ok();
    assert_eq!(domains["domains"], json!([]));
    let path = format!("/v3/users/{}/projects", world.alice);
    bob.get(&path).await.refused(403);
}

#[tokio::test]
async fn sec_60_a_project_reader_cannot_list_assignments_of_a_domain() {
    let world = World::new().await;
    let eve = world.on("eve", &world.p1).await;
    for query in [
        "scope.project.id=default&include_subtree",
        "scope.project.id=default&include_subtree=1",
        "scope.project.id=default",
        "scope.domain.id=default",
        "scope.system=all",
        "",
    ] {
        let path = format!("/v3/role_assignments?{query}");
        eve.get(&path).await.refused(403);
    }
}

#[tokio::test]
async fn sec_61_a_project_reader_cannot_read_the_domain_above() {
    let world = World::new().await;
    let eve = world.on("eve", &world.p1).await;
    for path in [
        "/v3/projects/default".to_owned(),
        "/v3/projects/<<keystone.domain.root>>"
            .replace('<', "%3C")
            .replace('>', "%3E"),
        format!("/v3/projects/{}", world.p2),
    ] {
        let status = eve.get(&path).await.status;
        assert!(matches!(status, 403 | 404), "{path}: {status}");
    }
    eve.get("/v3/projects/default").await.refused(403);
    eve.get(&format!("/v3/projects/{}", world.p1)).await.ok();
}

/// A domain, and a user with a role on it.
async fn ruler(world: &World, name: &str, role: &str) -> (String, Session) {
    let domain = world
        .make("/v3/domains", "domain", &json!({ "name": name }))
        .await;
    let fields = json!({ "name": name, "domain_id": domain, "password": name });
    let user = world.make("/v3/users", "user", &fields).await;
    let role = world.cloud.role(role).await;
    let grant = format!("/v3/domains/{domain}/users/{user}/roles/{role}");
    world.admin.put(&grant).await.no_content();
    let nobody = world.cloud.nobody();
    let user = json!({ "id": user });
    let answer = nobody.log_in(&user, name, &on_domain(&domain)).await;
    let token = answer.header("x-subject-token").expect("a token");
    (domain, nobody.with_token(token))
}

#[tokio::test]
async fn sec_75_a_domain_manager_cannot_grant_beyond_the_domain_whatever_the_body_says() {
    let world = World::new().await;
    let (d1, one) = ruler(&world, "d1", "manager").await;
    let (d2, _) = ruler(&world, "d2", "manager").await;
    let fields = json!({ "name": "x", "domain_id": d1, "password": "x" });
    let user = world.make("/v3/users", "user", &fields).await;
    let own = json!({ "domain_id": d1, "domain": { "id": d1 }, "user": { "domain_id": d1 } });
    let forged = json!({ "target": own, "domain_id": d1, "domain": { "id": d1 }, "role": { "domain_id": d1 } });
    let (admin, member) = (
        world.cloud.role("admin").await,
        world.cloud.role("member").await,
    );
    for (domain, role, status) in [
        (&d2, &admin, 403),
        (&d2, &member, 403),
        (&d1, &admin, 403),
        (&d1, &member, 204),
    ] {
        let inherited = format!(
            "/v3/OS-INHERIT/domains/{domain}/users/{user}/roles/{role}/inherited_to_projects"
        );
        let direct = format!("/v3/domains/{domain}/users/{user}/roles/{role}");
        for path in [inherited, direct] {
            let query = format!("{path}?domain_id={d1}&target.domain.id={d1}");
            for asked in [&path, &query] {
                let answer = one.request("PUT", asked, Some(&forged)).await;
                assert_eq!(answer.status, status, "{asked}: {}", answer.body);
            }
        }
    }
    // Nor can a user of another domain get a role on the own one.
    let role = &member;
    let path = format!("/v3/domains/{d1}/users/{}/roles/{role}", world.bob);
    one.request("PUT", &path, Some(&forged)).await.refused(403);
}
