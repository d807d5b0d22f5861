//! Changes that end the tokens of a user, on both nodes.

use chrono::Duration;
use serde_json::{Value, json};

use crate::world::{World, on_domain, on_project};

#[tokio::test]
async fn sec_03_a_new_password_and_a_disabled_user_end_old_tokens() {
    let world = World::new().await;
    let user = format!("/v3/users/{}", world.bob);
    let tokens = async || {
        let (scoped, unscoped) = (
            world.on("bob", &world.p1).await,
            world.unscoped("bob").await,
        );
        for token in [&scoped, &unscoped] {
            world.lives(token.token()).await;
        }
        [scoped, unscoped]
    };
    for change in [json!({ "password": "bob" }), json!({ "enabled": false })] {
        let old = tokens().await;
        world.patch(&user, "user", &change).await;
        for token in &old {
            world.gone(token.token()).await;
        }
        // Enabling the user again makes none of them valid.
        world
            .patch(&user, "user", &json!({ "enabled": true }))
            .await;
        for token in &old {
            world.gone(token.token()).await;
        }
        world.cloud.advance(Duration::seconds(1));
    }
    tokens().await;
}

#[tokio::test]
async fn sec_05_revoking_a_role_ends_its_tokens() {
    let world = World::new().await;
    let bob = world.on("bob", &world.p1).await;
    world.lives(bob.token()).await;
    let grants = format!("/v3/projects/{}/users/{}/roles", world.p1, world.bob);
    let member = world.cloud.role("member").await;
    world
        .admin
        .delete(&format!("{grants}/{member}"))
        .await
        .no_content();
    world.gone(bob.token()).await;
    world
        .try_login("bob", "bob", &on_project(&world.p1))
        .await
        .refused(401);
    let manager = world.cloud.role("manager").await;
    world
        .admin
        .put(&format!("{grants}/{manager}"))
        .await
        .no_content();
    for admin in world.admins() {
        let roles = admin.validate(bob.token()).await.ok()["token"]["roles"].clone();
        let names: Vec<&Value> = roles
            .as_array()
            .expect("a list")
            .iter()
            .map(|role| &role["name"])
            .collect();
        assert!(names.contains(&&json!("manager")), "{roles}");
    }
}

#[tokio::test]
async fn sec_05_a_role_by_group_ends_with_the_membership_the_grant_and_the_group() {
    let world = World::new().await;
    let member = world.cloud.role("member").await;
    for end in 0..3 {
        let fields = json!({ "name": format!("g{end}"), "domain_id": "default" });
        let group = world.make("/v3/groups", "group", &fields).await;
        let membership = format!("/v3/groups/{group}/users/{}", world.bob);
        let grant = format!("/v3/projects/{}/groups/{group}/roles/{member}", world.p2);
        for path in [&membership, &grant] {
            world.admin.put(path).await.no_content();
        }
        let bob = world.on("bob", &world.p2).await;
        world.lives(bob.token()).await;
        let gone = [membership, grant, format!("/v3/groups/{group}")];
        world.admin.delete(&gone[end]).await.no_content();
        world.gone(bob.token()).await;
        world.cloud.advance(Duration::seconds(1));
    }
}

#[tokio::test]
async fn sec_07_disabling_a_project_ends_its_tokens_and_no_others() {
    let world = World::new().await;
    let (one, two) = (
        world.on("alice", &world.p1).await,
        world.on("alice", &world.p2).await,
    );
    world.lives(two.token()).await;
    let project = format!("/v3/projects/{}", world.p2);
    world
        .patch(&project, "project", &json!({ "enabled": false }))
        .await;
    let scope = on_project(&world.p2);
    world.try_login("alice", "alice", &scope).await.refused(401);
    world.rescope(one.token(), &scope).await.refused(401);
    world.gone(two.token()).await;
    world.lives(one.token()).await;
}

#[tokio::test]
async fn sec_07_31_disabling_a_domain_ends_the_tokens_of_all_in_it() {
    let world = World::new().await;
    let domain = world
        .make("/v3/domains", "domain", &json!({ "name": "d" }))
        .await;
    let fields = json!({ "name": "p", "domain_id": domain });
    let project = world.make("/v3/projects", "project", &fields).await;
    let fields = json!({ "name": "dan", "domain_id": domain, "password": "dan" });
    let dan = world.make("/v3/users", "user", &fields).await;
    let member = world.cloud.role("member").await;
    for grant in [
        format!("domains/{domain}/users/{dan}"),
        format!("projects/{project}/users/{dan}"),
        format!("domains/{domain}/users/{}", world.alice),
        format!("projects/{project}/users/{}", world.alice),
    ] {
        let path = format!("/v3/{grant}/roles/{member}");
        world.admin.put(&path).await.no_content();
    }
    let nobody = world.cloud.nobody();
    let mut tokens = Vec::new();
    let who = [(&dan, "dan"), (&world.alice, "alice")];
    let scopes = [on_project(&project), on_domain(&domain), json!("unscoped")];
    for (id, password) in who {
        for scope in &scopes {
            let answer = nobody.log_in(&json!({ "id": id }), password, scope).await;
            let token = answer
                .header("x-subject-token")
                .expect("a token")
                .to_owned();
            world.lives(&token).await;
            tokens.push(token);
        }
    }
    let path = format!("/v3/domains/{domain}");
    world
        .patch(&path, "domain", &json!({ "enabled": false }))
        .await;
    for scope in &scopes {
        let dan = nobody.log_in(&json!({ "id": dan }), "dan", scope).await;
        dan.refused(401);
    }
    let others = tokens.pop().expect("alice's unscoped token");
    for token in &tokens {
        world.gone(token).await;
    }
    world.lives(&others).await;
    let scope = on_domain(&domain);
    world.try_login("alice", "alice", &scope).await.refused(401);
}

#[tokio::test]
async fn sec_16_deleting_a_user_ends_its_tokens() {
    let world = World::new().await;
    let (scoped, unscoped) = (
        world.on("alice", &world.p1).await,
        world.unscoped("alice").await,
    );
    for token in [&scoped, &unscoped] {
        world.lives(token.token()).await;
    }
    let path = format!("/v3/users/{}", world.alice);
    world.admin.delete(&path).await.no_content();
    for token in [&scoped, &unscoped] {
        world.gone(token.token()).await;
    }
    // A new user of the same name is another user.
    let fields = json!({ "name": "alice", "domain_id": "default", "password": "alice" });
    let new = world.make("/v3/users", "user", &fields).await;
    assert_ne!(new, world.alice);
    world.gone(unscoped.token()).await;
}

#[tokio::test]
async fn sec_16_deleting_a_project_role_or_domain_ends_its_tokens() {
    let world = World::new().await;
    let two = world.on("alice", &world.p2).await;
    world.lives(two.token()).await;
    let path = format!("/v3/projects/{}", world.p2);
    world.admin.delete(&path).await.no_content();
    world.gone(two.token()).await;

    let role = world
        .make("/v3/roles", "role", &json!({ "name": "only" }))
        .await;
    let fields = json!({ "name": "p3", "domain_id": "default" });
    let project = world.make("/v3/projects", "project", &fields).await;
    let grant = format!("/v3/projects/{project}/users/{}/roles/{role}", world.bob);
    world.admin.put(&grant).await.no_content();
    let bob = world.on("bob", &project).await;
    world.lives(bob.token()).await;
    let path = format!("/v3/roles/{role}");
    world.admin.delete(&path).await.no_content();
    world.gone(bob.token()).await;
}
