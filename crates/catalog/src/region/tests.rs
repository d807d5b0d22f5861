use keystone_types::Listing;
use serde_json::json;

use super::Region;
use crate::{
    Catalog,
    fixture::{catalog, count, endpoint, failure, ids, object, run, with_nova},
};

async fn create(catalog: &Catalog, body: serde_json::Value) -> keystone_types::Result<Region> {
    catalog
        .create_region(serde_json::from_value(body).unwrap())
        .await
}

fn text(region: &Region) -> String {
    serde_json::to_string(region).unwrap()
}

#[tokio::test]
async fn a_region_is_served_as_it_was_sent() {
    let catalog = catalog().await;
    let body =
        json!({"id": "west", "zone": 1, "description": null, "links": {"self": "x"}, "extra": 2});
    let created = create(&catalog, body).await.unwrap();
    let expected = r#"{"zone":1,"id":"west","description":"","parent_region_id":null}"#;
    assert_eq!(text(&created), expected);
    assert_eq!(text(&catalog.region("west").await.unwrap()), expected);

    let random = create(&catalog, json!({"id": null, "parent_region_id": "west"}))
        .await
        .unwrap();
    assert_eq!(random.id.len(), 32);
    let page = catalog
        .regions(&Listing::default().with("parent_region_id", "west"))
        .await
        .unwrap();
    assert_eq!(page.items, [random]);
    assert_eq!(
        failure(catalog.region("east").await),
        (404, "Could not find region: east.".into())
    );
}

#[tokio::test]
async fn a_duplicate_region_or_a_missing_parent_is_refused() {
    let catalog = catalog().await;
    create(&catalog, json!({"id": "west", "description": "West"}))
        .await
        .unwrap();
    let text = "Conflict occurred attempting to store region - Duplicate ID, west..";
    for body in [
        json!({"id": "west"}),
        json!({"id": "west", "parent_region_id": "nope"}),
    ] {
        assert_eq!(failure(create(&catalog, body).await), (409, text.into()));
    }
    for parent in ["nope", "north"] {
        let refused = create(&catalog, json!({"id": "north", "parent_region_id": parent})).await;
        assert_eq!(
            failure(refused),
            (404, format!("Could not find region: {parent}."))
        );
    }
    assert_eq!(count(&catalog, "SELECT COUNT(*) FROM region").await, 1);
    assert_eq!(catalog.region("west").await.unwrap().description, "West");
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let catalog = catalog().await;
    create(
        &catalog,
        json!({"id": "west", "description": "West", "zone": 1}),
    )
    .await
    .unwrap();
    let patch = json!({"description": null, "zone": null, "new": true});
    let updated = catalog.update_region("west", object(patch)).await.unwrap();
    let expected =
        r#"{"zone":null,"new":true,"id":"west","description":"","parent_region_id":null}"#;
    assert_eq!(text(&updated), expected);
    assert_eq!(catalog.region("west").await.unwrap(), updated);

    let missing = catalog
        .update_region("east", object(json!({"description": "x"})))
        .await;
    assert_eq!(
        failure(missing),
        (404, "Could not find region: east.".into())
    );
    let nowhere = catalog
        .update_region("east", object(json!({"parent_region_id": "nope"})))
        .await;
    assert_eq!(
        failure(nowhere),
        (404, "Could not find region: nope.".into())
    );
}

#[tokio::test]
async fn a_region_is_not_moved_into_its_descendants() {
    let catalog = catalog().await;
    create(&catalog, json!({"id": "a"})).await.unwrap();
    create(&catalog, json!({"id": "b", "parent_region_id": "a"}))
        .await
        .unwrap();
    create(&catalog, json!({"id": "c", "parent_region_id": "b"}))
        .await
        .unwrap();
    for parent in ["a", "c"] {
        let moved = catalog
            .update_region("a", object(json!({"parent_region_id": parent})))
            .await;
        let text = "The specified parent region a would create a circular region hierarchy.";
        assert_eq!(failure(moved), (400, text.into()));
    }
    let moved = catalog
        .update_region("c", object(json!({"parent_region_id": "a"})))
        .await;
    assert_eq!(moved.unwrap().parent_region_id.as_deref(), Some("a"));

    run(
        &catalog,
        "INSERT INTO region (id, description, parent_region_id) VALUES ('x', '', 'x')",
        &[],
    )
    .await;
    let moved = catalog
        .update_region("a", object(json!({"parent_region_id": "x"})))
        .await;
    assert_eq!(moved.unwrap().parent_region_id.as_deref(), Some("x"));
}

#[tokio::test]
async fn deleting_a_region_deletes_its_descendants() {
    let catalog = catalog().await;
    for (id, parent) in [("a", None), ("b", Some("a")), ("c", Some("b")), ("d", None)] {
        create(&catalog, json!({"id": id, "parent_region_id": parent}))
            .await
            .unwrap();
    }
    run(&catalog, "INSERT INTO policy_association (id, policy_id, service_id, region_id) VALUES ('1', 'p', 's', 'c')", &[]).await;
    run(&catalog, "INSERT INTO policy_association (id, policy_id, service_id, region_id) VALUES ('2', 'p', 's', 'd')", &[]).await;
    catalog.delete_region("a").await.unwrap();
    assert_eq!(
        ids(&catalog.regions(&Listing::default()).await.unwrap()),
        ["d"]
    );
    assert_eq!(
        count(&catalog, "SELECT COUNT(*) FROM policy_association").await,
        1
    );
    assert_eq!(
        failure(catalog.delete_region("a").await),
        (404, "Could not find region: a.".into())
    );

    run(
        &catalog,
        "INSERT INTO region (id, description, parent_region_id) VALUES ('x', '', 'y')",
        &[],
    )
    .await;
    run(
        &catalog,
        "INSERT INTO region (id, description, parent_region_id) VALUES ('y', '', 'x')",
        &[],
    )
    .await;
    catalog.delete_region("x").await.unwrap();
    assert_eq!(
        ids(&catalog.regions(&Listing::default()).await.unwrap()),
        ["d"]
    );
}

#[tokio::test]
async fn a_region_with_endpoints_is_not_deleted() {
    let (catalog, nova) = with_nova().await;
    create(&catalog, json!({"id": "world"})).await.unwrap();
    create(&catalog, json!({"id": "east", "parent_region_id": "west"}))
        .await
        .unwrap();
    catalog
        .update_region("west", object(json!({"parent_region_id": "world"})))
        .await
        .unwrap();
    endpoint(&catalog, &nova, "public", "http://nova").await;
    for id in ["west", "world"] {
        let text = format!(
            "Unable to delete region {id} because it or its child regions have associated endpoints."
        );
        assert_eq!(failure(catalog.delete_region(id).await), (403, text));
    }
    assert_eq!(count(&catalog, "SELECT COUNT(*) FROM region").await, 3);
    catalog.delete_region("east").await.unwrap();
}

#[tokio::test]
async fn a_listing_is_cut_at_the_limit() {
    let catalog = catalog().await;
    for id in ["b", "a", "c"] {
        create(&catalog, json!({"id": id})).await.unwrap();
    }
    let all = catalog.regions(&Listing::default()).await.unwrap();
    assert_eq!((ids(&all), all.more), (vec!["a", "b", "c"], false));
    let asked = Listing {
        limit: Some(1),
        marker: Some("a".into()),
        ..Listing::default()
    };
    let page = catalog.regions(&asked).await.unwrap();
    assert_eq!((ids(&page), page.more), (vec!["b"], true));
}
