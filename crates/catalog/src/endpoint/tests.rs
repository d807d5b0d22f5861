use keystone_types::{Listing, Result};
use serde_json::{Value, json};

use super::Endpoint;
use crate::{
    Catalog,
    fixture::{count, endpoint, failure, ids, object, run, with_nova},
};

async fn create(catalog: &Catalog, body: Value) -> Result<Endpoint> {
    catalog
        .create_endpoint(serde_json::from_value(body).unwrap())
        .await
}

fn text(endpoint: &Endpoint) -> String {
    serde_json::to_string(endpoint).unwrap()
}

#[tokio::test]
async fn an_endpoint_is_served_as_it_was_sent() {
    let (catalog, nova) = with_nova().await;
    let body = json!({
        "service_id": nova.id, "interface": "public", "region_id": "west", "enabled": null,
        "url": "http://nova/v2.1/%(project_id)s", "name": "nova-public", "legacy_endpoint_id": "x",
        "region": "east", "links": {},
    });
    let endpoint = create(&catalog, body).await.unwrap();
    let (id, service_id) = (&endpoint.id, &nova.id);
    let expected = format!(
        "{{\"name\":\"nova-public\",\"id\":\"{id}\",\"interface\":\"public\",\"region_id\":\"west\",\
         \"service_id\":\"{service_id}\",\"url\":\"http://nova/v2.1/%(project_id)s\",\"enabled\":true,\
         \"region\":\"west\"}}"
    );
    assert_eq!(text(&endpoint), expected);
    assert_eq!(text(&catalog.endpoint(id).await.unwrap()), expected);
    assert_eq!(failure(catalog.region("east").await).0, 404);
    assert_eq!(
        failure(catalog.endpoint("x").await),
        (404, "Could not find endpoint: x.".into())
    );
}

#[tokio::test]
async fn a_region_that_is_named_as_in_the_v2_api_is_created() {
    let (catalog, nova) = with_nova().await;
    for region in ["auto", "auto", "west"] {
        let body = json!({"service_id": nova.id, "interface": "internal", "region": region, "url": "http://x"});
        let endpoint = create(&catalog, body).await.unwrap();
        assert_eq!(endpoint.region_id.as_deref(), Some(region));
        assert!(endpoint.extra.0.is_empty());
    }
    assert_eq!(count(&catalog, "SELECT COUNT(*) FROM region").await, 2);
    let body = json!({"service_id": nova.id, "interface": "internal", "url": "http://x"});
    assert_eq!(create(&catalog, body).await.unwrap().region_id, None);
}

#[tokio::test]
async fn an_endpoint_without_existing_service_or_region_is_refused() {
    let (catalog, nova) = with_nova().await;
    let tail = "The server could not comply with the request since it is either malformed or \
                otherwise incorrect. The client is assumed to be in error.";
    let service = format!("Expecting to find endpoint service_id in service table. {tail}");
    let region = format!("Expecting to find endpoint region_id in region table. {tail}");
    for (service_id, region_id, expected) in [
        ("nope", json!("west"), &service),
        ("nope", json!(null), &service),
        ("nope", json!("nope"), &region),
        (&nova.id, json!("nope"), &region),
    ] {
        let body = json!({"service_id": service_id, "interface": "public", "region_id": region_id, "url": "http://x"});
        assert_eq!(
            failure(create(&catalog, body).await),
            (400, expected.clone())
        );
    }
    let body =
        json!({"service_id": "nope", "interface": "public", "region": "new", "url": "http://x"});
    assert_eq!(failure(create(&catalog, body).await), (400, service));
    let body = json!({"service_id": "nope", "interface": "public", "region": "new", "url": "http://x/%(nope)s"});
    let expected = "Cannot create an endpoint with an invalid URL: http://x/%(nope)s.";
    assert_eq!(
        failure(create(&catalog, body).await),
        (400, expected.into())
    );
    assert_eq!(count(&catalog, "SELECT COUNT(*) FROM region").await, 1);
    assert_eq!(count(&catalog, "SELECT COUNT(*) FROM endpoint").await, 0);
}

#[tokio::test]
async fn endpoints_are_filtered_by_their_attributes() {
    let (catalog, nova) = with_nova().await;
    let public = endpoint(&catalog, &nova, "public", "http://public").await;
    let admin = Endpoint::new(&nova.id, "admin", None, "http://admin");
    let admin = catalog.create_endpoint(admin).await.unwrap();
    for (name, value, expected) in [
        ("interface", "public", vec![&public.id]),
        ("interface", "admin", vec![&admin.id]),
        ("region_id", "west", vec![&public.id]),
        ("service_id", "x", vec![]),
    ] {
        let page = catalog
            .endpoints(&Listing::default().with(name, value))
            .await
            .unwrap();
        assert_eq!(ids(&page), expected, "{name}={value}");
    }
    assert_eq!(
        catalog
            .endpoints(&Listing::default())
            .await
            .unwrap()
            .items
            .len(),
        2
    );
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let (catalog, nova) = with_nova().await;
    let id = endpoint(&catalog, &nova, "public", "http://nova").await.id;
    let update = async |patch: Value| catalog.update_endpoint(&id, object(patch)).await;

    let updated = update(json!({"url": "http://x/%(nope)s", "name": "n"}))
        .await
        .unwrap();
    assert_eq!(updated.region_id.as_deref(), Some("west"));
    assert_eq!(catalog.endpoint(&id).await.unwrap(), updated);
    let expected = object(json!({"name": "n"}));
    assert_eq!(updated.extra.0, expected);

    for (patch, region) in [
        (json!({"region": "auto"}), Some("auto")),
        (
            json!({"region_id": "west", "region": "other"}),
            Some("west"),
        ),
        (json!({"region": null}), Some("west")),
        (json!({"region_id": null}), None),
        (json!({"region_id": null, "region": "auto"}), Some("auto")),
    ] {
        let updated = update(patch.clone()).await.unwrap();
        assert_eq!(updated.region_id.as_deref(), region, "{patch}");
        let mut stored = catalog.endpoint(&id).await.unwrap();
        // Only the first of these names a region that is not there yet.
        assert_eq!(updated.region_is_new, patch == json!({"region": "auto"}));
        stored.region_is_new = updated.region_is_new;
        assert_eq!(stored, updated, "{patch}");
        assert_eq!(updated.extra.0, expected, "{patch}");
    }
    assert_eq!(failure(catalog.region("other").await).0, 404);

    let (status, text) = failure(update(json!({"region_id": "nope"})).await);
    assert_eq!(status, 400);
    assert!(
        text.starts_with("Expecting to find endpoint region_id in region table."),
        "{text}"
    );
    let (status, text) = failure(update(json!({"service_id": "nope"})).await);
    assert_eq!(status, 400);
    assert!(
        text.starts_with("Expecting to find endpoint service_id in service table."),
        "{text}"
    );
    let missing = catalog
        .update_endpoint("x", object(json!({"region": "fresh"})))
        .await;
    assert_eq!(
        failure(missing),
        (404, "Could not find endpoint: x.".into())
    );
    assert_eq!(failure(catalog.region("fresh").await).0, 404);
}

#[tokio::test]
async fn deleting_an_endpoint_deletes_its_associations() {
    let (catalog, nova) = with_nova().await;
    let id = endpoint(&catalog, &nova, "public", "http://nova").await.id;
    run(
        &catalog,
        "INSERT INTO project_endpoint (endpoint_id, project_id) VALUES (?, 'p')",
        &[&id],
    )
    .await;
    run(
        &catalog,
        "INSERT INTO policy_association (id, policy_id, endpoint_id) VALUES ('1', 'p', ?)",
        &[&id],
    )
    .await;
    catalog.delete_endpoint(&id).await.unwrap();
    for text in [
        "SELECT COUNT(*) FROM project_endpoint",
        "SELECT COUNT(*) FROM policy_association",
    ] {
        assert_eq!(count(&catalog, text).await, 0, "{text}");
    }
    let text = format!("Could not find endpoint: {id}.");
    assert_eq!(failure(catalog.delete_endpoint(&id).await), (404, text));
}
