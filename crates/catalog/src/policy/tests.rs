use keystone_types::{Case, Comparison, Filter, Listing};
use serde_json::json;

use super::Policy;
use crate::{
    Catalog,
    fixture::{catalog, count, failure, ids, object, run, text},
};

async fn policy(catalog: &Catalog, policy_type: &str) -> Policy {
    let policy =
        json!({"blob": "{\"default\": false}", "type": policy_type, "name": "n", "links": 1});
    let policy = serde_json::from_value(policy).unwrap();
    catalog.create_policy(policy).await.unwrap()
}

#[tokio::test]
async fn a_policy_is_stored_changed_and_deleted_as_in_keystone() {
    let catalog = catalog().await;
    let first = policy(&catalog, "application/json").await;
    assert_eq!(catalog.policy(&first.id).await.unwrap(), first);
    assert_eq!(
        serde_json::to_value(&first).unwrap(),
        json!({"name": "n", "id": first.id, "blob": "{\"default\": false}", "type": "application/json"})
    );
    let stored = text(&catalog, "SELECT `blob` FROM policy").await;
    assert_eq!(stored, r#""{\"default\": false}""#);

    let patch = object(json!({"id": first.id, "blob": "é", "a": 1}));
    let changed = catalog.update_policy(&first.id, patch).await.unwrap();
    assert_eq!(
        serde_json::to_value(&changed).unwrap(),
        json!({"name": "n", "a": 1, "id": first.id, "blob": "é", "type": "application/json"})
    );
    assert_eq!(catalog.policy(&first.id).await.unwrap(), changed);
    let patch = object(json!({"id": "other"}));
    let refused = failure(catalog.update_policy("nowhere", patch).await);
    assert_eq!(refused, (400, "Cannot change policy ID".to_owned()));

    let associate =
        "INSERT INTO policy_association (id, policy_id, service_id) VALUES ('1', ?, 's')";
    run(&catalog, associate, &[&first.id]).await;
    catalog.delete_policy(&first.id).await.unwrap();
    assert_eq!(
        count(&catalog, "SELECT COUNT(*) FROM policy_association").await,
        0
    );
    let missing = (404, format!("Could not find policy: {}.", first.id));
    assert_eq!(failure(catalog.policy(&first.id).await), missing);
    assert_eq!(failure(catalog.delete_policy(&first.id).await), missing);
    let patch = object(json!({"blob": ""}));
    assert_eq!(
        failure(catalog.update_policy(&first.id, patch).await),
        missing
    );
}

#[tokio::test]
async fn a_stored_blob_that_is_a_json_object_is_read() {
    let catalog = catalog().await;
    let insert = "INSERT INTO policy (id, type, `blob`, extra) VALUES ('p', 't', ?, NULL)";
    run(&catalog, insert, &[r#"{"default": false}"#]).await;
    let policy = catalog.policy("p").await.unwrap();
    assert_eq!(policy.blob.0, json!({"default": false}));
    run(&catalog, "UPDATE policy SET `blob` = ?", &["{"]).await;
    assert_eq!(failure(catalog.policy("p").await).0, 500);
}

#[tokio::test]
async fn types_are_compared_by_case() {
    let catalog = catalog().await;
    let mut policies = Vec::new();
    for policy_type in ["text/x", "Text/x", "text/x"] {
        policies.push(policy(&catalog, policy_type).await);
    }
    policies.sort_by(|one, other| one.id.cmp(&other.id));
    let all: Vec<_> = policies.iter().map(|policy| policy.id.as_str()).collect();
    let of = |policy_type: &str| {
        let found = policies
            .iter()
            .filter(|policy| policy.policy_type == policy_type);
        found.map(|policy| policy.id.as_str()).collect::<Vec<_>>()
    };
    let two = Listing {
        limit: Some(2),
        ..Listing::default()
    };
    let page = catalog.policies(&two).await.unwrap();
    assert_eq!((ids(&page), page.more), (all[..2].to_vec(), true));
    let exact = Listing::default().with("type", "text/x");
    assert_eq!(ids(&catalog.policies(&exact).await.unwrap()), of("text/x"));
    let begins = |case| Listing {
        filters: vec![Filter {
            name: "type".to_owned(),
            comparison: Comparison::StartsWith(case),
            value: "Text".to_owned(),
        }],
        limit: Some(9),
        ..Listing::default()
    };
    let found = catalog.policies(&begins(Case::Sensitive)).await.unwrap();
    assert_eq!(ids(&found), of("Text/x"));
    let found = catalog.policies(&begins(Case::Insensitive)).await.unwrap();
    assert_eq!(ids(&found), all);
}
