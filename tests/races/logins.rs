//! Logins of one new user of an identity provider, at two nodes at the same time.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use keystone::Settings;
use keystone::storage::sql;
use keystone_testkit::{Ids, StoredMapping, trusted_proxy};
use serde_json::json;

use crate::{Nodes, at_once};

#[tokio::test(flavor = "multi_thread")]
async fn all_logins_of_a_new_user_succeed_and_make_one() {
    let mut settings = Settings::default();
    settings.api.trusted_proxy = Some(trusted_proxy(["NAME", "G"]));
    let nodes = Nodes::with(settings).await;
    let group = json!({ "group": { "name": "devs", "domain_id": "default" } });
    nodes.one.post("/v3/groups", &group).await.created();
    let rules = json!([{
        "remote": [{ "type": "NAME" }, { "type": "G" }],
        "local": [
            { "user": { "name": "{0}" } },
            { "groups": "{1}", "domain": { "id": "default" } },
            { "projects": [{ "name": "of-{0}", "roles": [{ "name": "member" }, { "name": "reader" }] }] },
        ],
    }]);
    let mapping = StoredMapping::new("m", &rules).of("idp", "mapped");
    nodes.cloud.store_mapping(&mapping, &Ids::new()).await;

    let logins = (0..12).map(|n| {
        let session = nodes.turn(n);
        async move {
            let path = "/v3/OS-FEDERATION/identity_providers/idp/protocols/mapped/auth";
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            session
                .send_vouched(request, [("NAME", "ann"), ("G", "devs")])
                .await
        }
    });
    let users: BTreeSet<String> = at_once(logins)
        .await
        .into_iter()
        .map(|answer| answer.created()["token"]["user"]["id"].to_string())
        .collect();
    assert_eq!(users.len(), 1);
    let db = nodes.cloud.keystone.db();
    for (statement, count) in [
        ("SELECT user_id FROM federated_user ORDER BY id", 1),
        (
            "SELECT user_id FROM expiring_user_group_membership ORDER BY user_id",
            1,
        ),
        (
            "SELECT id FROM project WHERE name = 'of-ann' ORDER BY id",
            1,
        ),
        (
            "SELECT a.role_id FROM assignment a JOIN federated_user f ON f.user_id = a.actor_id ORDER BY a.role_id",
            2,
        ),
    ] {
        let rows = sql(statement).fetch_texts(db).await.unwrap();
        assert_eq!(rows.len(), count, "{statement}");
    }
}
