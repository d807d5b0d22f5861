//! `?effective`: grants expanded to users, projects and roles.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{PATH, World, made, url};

/// What a role that the group inherits from the domain comes to on a project.
fn shown(world: &World, project: &str) -> [Value; 2] {
    let World {
        domain,
        user,
        group,
        member,
        reader,
        ..
    } = world;
    let inherited =
        format!("OS-INHERIT/domains/{domain}/groups/{group}/roles/{member}/inherited_to_projects");
    let membership = url(&format!("groups/{group}/users/{user}"));
    [
        json!({
            "links": { "membership": membership, "assignment": url(&inherited) },
            "scope": { "project": { "id": project }, "OS-INHERIT:inherited_to": "projects" },
            "user": { "id": user },
            "role": { "id": member },
        }),
        json!({
            "links": {
                "membership": membership,
                "assignment": url(&inherited),
                "prior_role": url(&format!("prior_role/{reader}/implies/{member}")),
            },
            "scope": { "project": { "id": project }, "OS-INHERIT:inherited_to": "projects" },
            "user": { "id": user },
            "role": { "id": reader },
        }),
    ]
}

#[tokio::test]
async fn effective_assignments_follow_groups_inheritance_and_implied_roles() {
    let world = World::new().await;
    let World {
        domain,
        project,
        child,
        user,
        group,
        member,
        reader,
        ..
    } = &world;
    let inherited =
        format!("OS-INHERIT/domains/{domain}/groups/{group}/roles/{member}/inherited_to_projects");
    world.grant(&inherited).await;
    world
        .grant(&format!("system/users/{user}/roles/{reader}"))
        .await;
    let on = |project: &str| shown(&world, project);
    assert_eq!(
        world
            .list(&format!("effective&scope.project.id={child}"))
            .await,
        on(child)
    );
    let both: BTreeSet<String> = on(project)
        .iter()
        .chain(&on(child))
        .map(Value::to_string)
        .collect();
    for query in [
        format!("effective&user.id={user}"),
        format!("effective&user.id={user}&scope.system=all"),
        format!("effective&include_subtree&scope.project.id={project}"),
        format!("effective&user.id={user}&scope.OS-INHERIT:inherited_to=projects"),
    ] {
        let found = world.list(&query).await;
        let found: BTreeSet<String> = found.iter().map(Value::to_string).collect();
        assert_eq!(found, both, "{query}");
    }
    let of_role = world
        .list(&format!(
            "effective&role.id={reader}&scope.project.id={child}"
        ))
        .await;
    assert_eq!(of_role.len(), 1);
    assert_eq!(of_role[0]["role"]["id"], json!(reader));
    for query in [
        format!("effective&scope.domain.id={domain}"),
        format!("effective&user.id={user}&scope.OS-INHERIT:inherited_to=none"),
    ] {
        assert_eq!(world.list(&query).await, [] as [Value; 0], "{query}");
    }
}

#[tokio::test]
async fn effective_assignments_of_a_missing_user_or_project_are_404() {
    let world = World::new().await;
    let answer = world
        .admin
        .get(&format!("{PATH}?effective&user.id=nobody"))
        .await;
    assert_eq!(answer.refused(404), "Could not find user: nobody.");
    let answer = world
        .admin
        .get(&format!("{PATH}?effective&scope.project.id=none"))
        .await;
    assert_eq!(answer.refused(404), "Could not find project: none.");
}

#[tokio::test]
async fn an_inherited_grant_reaches_what_is_below_it_and_a_local_role_only_leads_on() {
    let world = World::new().await;
    let World {
        domain,
        project,
        child,
        user,
        reader,
        ..
    } = &world;
    let local = json!({ "name": "local", "domain_id": domain });
    let local = made(&world.admin, "role", local).await;
    let grant =
        format!("OS-INHERIT/projects/{project}/users/{user}/roles/{local}/inherited_to_projects");
    world.grant(&grant).await;
    let query = format!("effective&user.id={user}");
    assert_eq!(world.list(&query).await, [] as [Value; 0]);
    let implies = format!("/v3/roles/{local}/implies/{reader}");
    world.admin.put(&implies).await.created();
    let expected = json!({
        "links": {
            "assignment": url(&grant),
            "prior_role": url(&format!("prior_role/{reader}/implies/{local}")),
        },
        "scope": { "project": { "id": child }, "OS-INHERIT:inherited_to": "projects" },
        "user": { "id": user },
        "role": { "id": reader },
    });
    assert_eq!(world.list(&query).await, [expected]);
    let on_itself = format!("effective&scope.project.id={project}&user.id={user}");
    assert_eq!(world.list(&on_itself).await, [] as [Value; 0]);

    let named = world.list(&format!("include_names&user.id={user}")).await;
    let corp = json!({ "id": domain, "name": "corp" });
    assert_eq!(
        named[0]["role"],
        json!({ "id": local, "name": "local", "domain": corp })
    );
    assert_eq!(
        named[0]["user"],
        json!({ "id": user, "name": "bob", "domain": corp })
    );
    assert_eq!(
        named[0]["scope"],
        json!({ "project": { "id": project, "name": "alpha", "domain": corp }, "OS-INHERIT:inherited_to": "projects" })
    );
}
