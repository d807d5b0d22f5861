//! `/v3/OS-REVOKE/events`

use chrono::Duration;
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

const EVENTS: &str = "/v3/OS-REVOKE/events";

#[tokio::test]
async fn revocation_events_are_listed_since_a_time() {
    let cloud = Cloud::new().await;
    let user = cloud.user("erin").await;
    cloud.advance(Duration::seconds(1));
    let admin = cloud.admin().await;
    let disabled = json!({ "user": { "enabled": false } });
    admin
        .patch(&format!("/v3/users/{user}"), &disabled)
        .await
        .ok();
    cloud.advance(Duration::seconds(60));
    let spent = cloud.admin().await;
    spent
        .about("DELETE", "/v3/auth/tokens?cascade=false", spent.token())
        .await
        .no_content();
    cloud.advance(Duration::seconds(1));

    let admin = cloud.admin().await;
    let body = admin.get(EVENTS).await.ok();
    let links = json!({ "next": null, "self": format!("http://keystone.test:5000{EVENTS}"), "previous": null });
    assert_eq!(body["links"], links);
    let events = body["events"].as_array().unwrap();
    assert_eq!(events.len(), 2);
    let of_user = json!({
        "user_id": user,
        "issued_before": "2026-01-01T12:00:01.000000Z",
        "revoked_at": "2026-01-01T12:00:01.000000Z",
    });
    assert_eq!(events[0], of_user);
    let keys: Vec<&String> = events[1].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["audit_id", "issued_before", "revoked_at"]);

    for (since, count) in [
        ("2026-01-01T12:00:00Z", 2),
        ("2026-01-01T12:00:01Z", 1),
        ("2026-01-01T14:00:02%2B02:00", 1),
        ("2026-01-02", 0),
        ("", 2),
    ] {
        let body = admin.get(&format!("{EVENTS}?since={since}")).await.ok();
        assert_eq!(body["links"], links, "{since}");
        assert_eq!(body["events"].as_array().unwrap().len(), count, "{since}");
    }
    let answer = admin.get(&format!("{EVENTS}?since=yesterday")).await;
    assert_eq!(answer.refused(400), "invalidate date format yesterday");
    assert_eq!(admin.head(EVENTS).await.with(200), Value::Null);
}

#[tokio::test]
async fn a_revoked_token_stays_so_as_long_as_it_may_be_asked_about() {
    let cloud = Cloud::new().await;
    let [revoked, expired] = [cloud.admin().await, cloud.admin().await];
    let logout = async |session: &Session| {
        let answer = session.about("DELETE", "/v3/auth/tokens", session.token());
        answer.await.no_content();
    };
    logout(&revoked).await;
    // Up to the last second of the hour of a token and the 48 after it.
    for hours in [3, 24, 21] {
        cloud.advance(Duration::hours(hours));
        let admin = cloud.admin().await;
        logout(&cloud.admin().await).await;
        cloud.keystone.identity().prune_revocations().await.unwrap();
        let ask = async |token: &str| {
            let path = "/v3/auth/tokens?allow_expired=1";
            admin.about("GET", path, token).await.status
        };
        assert_eq!(ask(revoked.token()).await, 404);
        assert_eq!(ask(expired.token()).await, 200);
    }
    cloud.advance(Duration::hours(4));
    let identity = cloud.keystone.identity();
    let dropped = identity.prune_revocations().await.unwrap();
    assert_eq!(dropped, 2, "then it is over, and its events go");
}

#[tokio::test]
async fn a_token_of_a_node_whose_clock_is_ahead_is_ended_for_good() {
    let cloud = Cloud::new().await;
    cloud.advance(Duration::hours(2));
    let early = cloud.admin().await;
    cloud.advance(Duration::hours(-2));
    let admin = cloud.admin().await;
    let ask = async |admin: &Session| {
        let path = "/v3/auth/tokens?allow_expired=1";
        admin.about("GET", path, early.token()).await.status
    };
    assert_eq!(ask(&admin).await, 200);
    let ended = admin.about("DELETE", "/v3/auth/tokens", early.token());
    ended.await.no_content();
    assert_eq!(ask(&admin).await, 404);
    // Two hours more than for others, it may be asked about.
    cloud.advance(Duration::hours(50));
    cloud.keystone.identity().prune_revocations().await.unwrap();
    assert_eq!(ask(&cloud.admin().await).await, 404);
}

#[tokio::test]
async fn only_services_and_administrators_list_revocation_events() {
    let cloud = Cloud::new().await;
    let (user, project) = (cloud.user("erin").await, cloud.project("p").await);
    cloud.grant(&user, &project, "member").await;
    let scope = json!({ "project": { "id": project } });
    let erin = cloud.session("erin", "erin", &scope).await;
    let refused = erin.get(&format!("{EVENTS}?since=yesterday")).await;
    assert_eq!(
        refused.refused(403),
        "You are not authorized to perform the requested action: identity:list_revoke_events."
    );
    cloud.grant(&user, &project, "service").await;
    let erin = cloud.session("erin", "erin", &scope).await;
    erin.get(EVENTS).await.ok();
    cloud.nobody().get(EVENTS).await.refused(401);
}
