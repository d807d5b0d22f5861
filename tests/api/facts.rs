//! Look-ups that wait at the same time share a statement, and nothing else.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_util::future::join_all;
use keystone::storage::{Dialect, sql};
use keystone_testkit::{Cloud, Session};
use serde_json::json;

/// How many of the statements read facts.
fn reads_of_facts(statements: &[String]) -> usize {
    let texts = statements.iter();
    texts
        .filter(|text| text.starts_with("SELECT 1 AS kind"))
        .count()
}

/// A user with a role on a project of its own: the ids of both, and a session there.
async fn member(cloud: &Cloud, name: &str) -> (String, String, Session) {
    let (user, project) = (cloud.user(name).await, cloud.project(name).await);
    cloud.grant(&user, &project, "member").await;
    let scope = json!({ "project": { "id": project } });
    let session = cloud.session(name, name, &scope).await;
    (user, project, session)
}

#[tokio::test]
async fn each_of_many_answers_is_about_its_own_token() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let mut members = Vec::new();
    for n in 0..20 {
        members.push(member(&cloud, &format!("m{n}")).await);
    }
    let asked = members
        .iter()
        .map(|(_, _, session)| admin.validate(session.token()));
    let (answers, statements) = cloud.statements(join_all(asked)).await;
    for ((user, project, _), answer) in members.iter().zip(answers) {
        let token = answer.ok()["token"].clone();
        assert_eq!(token["user"]["id"], **user);
        assert_eq!(token["project"]["id"], **project);
        let roles = token["roles"].as_array().unwrap().iter();
        let mut roles: Vec<&str> = roles.filter_map(|role| role["name"].as_str()).collect();
        roles.sort_unstable();
        assert_eq!(roles, ["member", "reader"]);
    }
    let count = reads_of_facts(&statements);
    assert!(count <= 8, "{count} statements for 40 look-ups");
}

#[tokio::test]
async fn a_caller_that_leaves_takes_nothing_from_the_others() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let (_, _, erin) = member(&cloud, "erin").await;
    for polls in 1..6 {
        let mut context = Context::from_waker(Waker::noop());
        let mut stays = pin!(admin.validate(erin.token()));
        assert!(stays.as_mut().poll(&mut context).is_pending());
        let mut leaves = Box::pin(admin.validate(admin.token()));
        for _ in 0..polls {
            if let Poll::Ready(answer) = leaves.as_mut().poll(&mut context) {
                answer.ok();
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(leaves);
        stays.await.ok();
    }
    assert_eq!(cloud.keystone.db().connections_in_use(), 0);
}

#[tokio::test]
async fn a_row_that_cant_be_read_fails_nobody_else() {
    let cloud = Cloud::new().await;
    // MariaDB stores no such time.
    if cloud.keystone.db().dialect() != Dialect::Sqlite {
        return;
    }
    let admin = cloud.admin().await;
    let (user, _, erin) = member(&cloud, "erin").await;
    let (_, _, frank) = member(&cloud, "frank").await;
    sql("UPDATE user SET created_at = 'yesterday' WHERE id = ?")
        .bind(&user)
        .execute(cloud.keystone.db())
        .await
        .unwrap();
    let asked = [&erin, &frank].map(|session| session.validate(session.token()));
    let [of_erin, of_frank] = asked;
    let (of_erin, of_frank, of_admin) =
        tokio::join!(of_erin, of_frank, admin.validate(admin.token()));
    of_erin.refused(500);
    of_frank.ok();
    of_admin.ok();
}

#[tokio::test]
async fn roles_are_inherited_from_above_however_deep_a_project_is() {
    let cloud = Cloud::new().await;
    let (user, db) = (cloud.user("erin").await, cloud.keystone.db());
    let admin = cloud.admin().await;
    let role = cloud.role("member").await;
    let path =
        format!("/v3/OS-INHERIT/domains/default/users/{user}/roles/{role}/inherited_to_projects");
    admin.put(&path).await.no_content();
    let mut parent = "default".to_owned();
    for depth in 1..=12 {
        let id = format!("deep{depth}");
        sql("INSERT INTO project (id, name, domain_id, parent_id, enabled, is_domain) VALUES (?, ?, 'default', ?, 1, 0)")
            .bind(&id)
            .bind(&id)
            .bind(&parent)
            .execute(db)
            .await
            .unwrap();
        let scope = json!({ "project": { "id": id } });
        let erin = cloud.session("erin", "erin", &scope).await;
        let (answer, statements) = cloud.statements(erin.validate(erin.token())).await;
        let shown = answer.ok()["token"]["roles"].clone();
        let mut shown = shown.as_array().unwrap().iter();
        assert!(shown.any(|role| role["name"] == "member"), "{depth}");
        let ancestors = statements
            .iter()
            .filter(|text| text.starts_with("WITH RECURSIVE up"));
        // What is deeper than the statement looks takes one more.
        assert_eq!(ancestors.count(), usize::from(depth > 5), "{depth}");
        parent = id;
    }
    admin.delete(&path).await.no_content();
    let scope = json!({ "project": { "id": "deep12" } });
    let user = json!({ "name": "erin", "domain": { "id": "default" } });
    let nobody = cloud.nobody();
    nobody.log_in(&user, "erin", &scope).await.refused(401);
}

/// Events that name one thing, by its column, and whether they end a token of the user, and one that was exchanged for that.
const EVENTS: [(&str, [bool; 2]); 9] = [
    ("user_id", [true, true]),
    ("project_id", [true, true]),
    ("audit_id", [true, false]),
    ("audit_chain_id", [false, true]),
    // Only exchanged and delegated tokens ask for events that name neither user, project nor audit id.
    ("domain_id", [false, true]),
    ("role_id", [false, true]),
    ("trust_id", [false, false]),
    ("consumer_id", [false, false]),
    ("access_token_id", [false, true]),
];

#[tokio::test]
async fn events_end_the_tokens_that_have_what_they_name() {
    let cloud = Cloud::new().await;
    let (admin, db) = (cloud.admin().await, cloud.keystone.db());
    let (user, project, _) = member(&cloud, "erin").await;
    let role = cloud.role("member").await;
    for (column, ends) in EVENTS {
        let scope = json!({ "project": { "id": project } });
        let erin = cloud.session("erin", "erin", &scope).await;
        let identity = json!({ "methods": ["token"], "token": { "id": erin.token() } });
        let body = json!({ "auth": { "identity": identity, "scope": scope } });
        let issued = cloud.nobody().post("/v3/auth/tokens", &body).await;
        let exchanged = issued.header("x-subject-token").unwrap().to_owned();
        issued.created();
        let shown = admin.validate(erin.token()).await.ok();
        let own = shown["token"]["audit_ids"][0].as_str().unwrap();
        let value = match column {
            "user_id" => user.as_str(),
            "project_id" => project.as_str(),
            "audit_id" | "audit_chain_id" => own,
            "domain_id" => "default",
            "role_id" => role.as_str(),
            _ => "another",
        };
        let mut event = sql("INSERT INTO revocation_event \
            (user_id, project_id, audit_id, audit_chain_id, domain_id, role_id, trust_id, consumer_id, access_token_id, \
             issued_before, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        for (name, _) in EVENTS {
            event = event.bind((name == column).then_some(value));
        }
        let event = event.bind(cloud.now()).bind(cloud.now());
        event.execute(db).await.unwrap();
        for (token, ends) in [erin.token(), &exchanged].into_iter().zip(ends) {
            let status = admin.validate(token).await.status;
            assert_eq!(status, if ends { 404 } else { 200 }, "{column}");
        }
        sql("DELETE FROM revocation_event WHERE issued_before <= ?")
            .bind(cloud.now())
            .execute(db)
            .await
            .unwrap();
    }
}
