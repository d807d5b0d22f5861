use keystone_types::Listing;
use serde_json::{Value, json};

use super::EndpointGroup;
use crate::{
    Catalog, Endpoint,
    fixture::{catalog, count, endpoint, failure, ids, object, run, text, with_nova},
};

async fn group(catalog: &Catalog, name: &str, filters: Value) -> EndpointGroup {
    let group = serde_json::from_value(json!({ "name": name, "filters": filters }));
    catalog.create_endpoint_group(group.unwrap()).await.unwrap()
}

#[tokio::test]
async fn an_endpoint_group_is_stored_changed_and_deleted_as_in_keystone() {
    let catalog = catalog().await;
    let west = group(
        &catalog,
        "west",
        json!({"region_id": "wést", "interface": "admin"}),
    )
    .await;
    assert_eq!(catalog.endpoint_group(&west.id).await.unwrap(), west);
    assert_eq!(
        serde_json::to_string(&west).unwrap(),
        format!(
            r#"{{"id":"{}","name":"west","description":null,"filters":{{"region_id":"wést","interface":"admin"}}}}"#,
            west.id
        )
    );
    let stored = text(&catalog, "SELECT filters FROM endpoint_group").await;
    let expected = r#"{"region_id": "w\u00e9st", "interface": "admin"}"#;
    assert_eq!(stored, expected);

    let patch = object(json!({"description": "all", "filters": {}}));
    let changed = catalog
        .update_endpoint_group(&west.id, patch)
        .await
        .unwrap();
    let expected = json!({"id": west.id, "name": "west", "description": "all", "filters": {}});
    assert_eq!(serde_json::to_value(&changed).unwrap(), expected);
    assert_eq!(catalog.endpoint_group(&west.id).await.unwrap(), changed);

    let associate =
        "INSERT INTO project_endpoint_group (endpoint_group_id, project_id) VALUES (?, 'p')";
    run(&catalog, associate, &[&west.id]).await;
    catalog.delete_endpoint_group(&west.id).await.unwrap();
    assert_eq!(
        count(&catalog, "SELECT COUNT(*) FROM project_endpoint_group").await,
        0
    );
    let missing = (404, format!("Could not find Endpoint Group: {}.", west.id));
    assert_eq!(failure(catalog.endpoint_group(&west.id).await), missing);
    assert_eq!(
        failure(catalog.delete_endpoint_group(&west.id).await),
        missing
    );
    let patch = object(json!({"name": "x"}));
    assert_eq!(
        failure(catalog.update_endpoint_group(&west.id, patch).await),
        missing
    );
}

#[tokio::test]
async fn filters_may_name_three_attributes_and_must_name_one() {
    let catalog = catalog().await;
    let create = async |filters: Value| {
        let group = serde_json::from_value(json!({"name": "g", "filters": filters}));
        failure(catalog.create_endpoint_group(group.unwrap()).await)
    };
    let nothing = "filters field is required and cannot be empty";
    assert_eq!(create(json!({})).await, (400, nothing.to_owned()));
    let unknown = "Expecting to find service_id or region_id or interface in endpoint_group. The server could not \
                   comply with the request since it is either malformed or otherwise incorrect. The client is \
                   assumed to be in error.";
    for filters in [
        json!({"url": "x"}),
        json!({"interface": "public", "enabled": true}),
    ] {
        assert_eq!(create(filters).await, (400, unknown.to_owned()));
    }
    let patch = object(json!({"filters": {"url": "x"}}));
    // It is told before a group that does not exist.
    let refused = failure(catalog.update_endpoint_group("nowhere", patch).await);
    assert_eq!(refused, (400, unknown.to_owned()));
}

#[tokio::test]
async fn an_endpoint_must_match_every_filter_of_its_group() {
    let (catalog, nova) = with_nova().await;
    let public = endpoint(&catalog, &nova, "public", "http://public").await;
    let admin = endpoint(&catalog, &nova, "admin", "http://admin").await;
    let nowhere = Endpoint::new(&nova.id, "public", None, "http://nowhere");
    let nowhere = catalog.create_endpoint(nowhere).await.unwrap();
    let patch = object(json!({"enabled": false}));
    catalog.update_endpoint(&admin.id, patch).await.unwrap();
    for (filters, expected) in [
        (
            json!({"service_id": nova.id}),
            vec![&public, &admin, &nowhere],
        ),
        (json!({"service_id": "other"}), vec![]),
        (json!({"interface": "public"}), vec![&public, &nowhere]),
        (
            json!({"interface": "public", "region_id": "west"}),
            vec![&public],
        ),
        (json!({"region_id": "west"}), vec![&public, &admin]),
        (json!({"region_id": "West"}), vec![]),
        (json!({"region_id": null}), vec![&nowhere]),
        (json!({"region_id": 3}), vec![]),
    ] {
        let group = group(&catalog, "g", filters.clone()).await;
        let found = catalog.endpoints_in_group(&group.id).await.unwrap();
        let mut found: Vec<_> = found.iter().map(|endpoint| &endpoint.id).collect();
        let mut expected: Vec<_> = expected.iter().map(|endpoint| &endpoint.id).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{filters}");
    }
    assert_eq!(failure(catalog.endpoints_in_group("x").await).0, 404);
}

#[tokio::test]
async fn groups_are_filtered_by_name_and_paged() {
    let catalog = catalog().await;
    let mut groups = Vec::new();
    for name in ["a", "b", "a"] {
        groups.push(group(&catalog, name, json!({"interface": "public"})).await);
    }
    groups.sort_by(|one, other| one.id.cmp(&other.id));
    let named = |name| groups.iter().filter(move |group| group.name == name);
    let named = |name| {
        named(name)
            .map(|group| group.id.as_str())
            .collect::<Vec<_>>()
    };
    let found = catalog
        .endpoint_groups(&Listing::default().with("name", "a"))
        .await;
    assert_eq!(ids(&found.unwrap()), named("a"));
    let second = Listing {
        limit: Some(1),
        marker: Some(groups[0].id.clone()),
        ..Listing::default()
    };
    let second = catalog.endpoint_groups(&second).await.unwrap();
    assert_eq!(
        (ids(&second), second.more),
        (vec![groups[1].id.as_str()], true)
    );
}
