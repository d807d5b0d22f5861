use keystone_types::{Case, Comparison, Filter, Listing};
use serde_json::{Value, json};

use super::Service;
use crate::{
    Catalog,
    fixture::{catalog, count, endpoint, failure, ids, object, run, with_nova},
};

async fn create(catalog: &Catalog, body: Value) -> Service {
    catalog
        .create_service(serde_json::from_value(body).unwrap())
        .await
        .unwrap()
}

fn text(service: &Service) -> String {
    serde_json::to_string(service).unwrap()
}

#[tokio::test]
async fn a_service_is_served_as_it_was_sent() {
    let catalog = catalog().await;
    let body = json!({"id": "mine", "type": "compute", "name": "nova", "description": "Compute", "links": 1});
    let service = create(&catalog, body).await;
    assert_eq!(service.id.len(), 32);
    let id = &service.id;
    let expected = format!(
        r#"{{"name":"nova","description":"Compute","id":"{id}","type":"compute","enabled":true}}"#
    );
    assert_eq!(text(&service), expected);
    assert_eq!(text(&catalog.service(id).await.unwrap()), expected);

    let nameless = create(&catalog, json!({"enabled": false, "type": "image", "x": 1})).await;
    let id = &nameless.id;
    let expected = format!(r#"{{"x":1,"name":"","id":"{id}","type":"image","enabled":false}}"#);
    assert_eq!(text(&catalog.service(id).await.unwrap()), expected);
    assert_eq!(
        failure(catalog.service("x").await),
        (404, "Could not find service: x.".into())
    );
}

/// A filter on one attribute.
fn with(name: &str, comparison: Comparison, value: &str) -> Listing {
    let (name, value) = (name.to_owned(), value.to_owned());
    Listing {
        filters: vec![Filter {
            name,
            comparison,
            value,
        }],
        ..Listing::default()
    }
}

#[tokio::test]
async fn services_are_filtered_by_type_and_name() {
    let catalog = catalog().await;
    for body in [
        json!({"type": "compute", "name": "nova"}),
        json!({"type": "image", "name": "glance"}),
        json!({"type": "compute", "name": "Ironic", "hidden": true}),
    ] {
        create(&catalog, body).await;
    }
    let prefix = Comparison::StartsWith;
    for (listing, expected) in [
        (Listing::default(), vec!["Ironic", "glance", "nova"]),
        (
            with("type", Comparison::Equals, "compute"),
            vec!["Ironic", "nova"],
        ),
        (with("name", Comparison::Equals, "glance"), vec!["glance"]),
        (with("name", Comparison::Equals, "ironic"), vec![]),
        (with("hidden", Comparison::Equals, "yes"), vec!["Ironic"]),
        (
            with("name", prefix(Case::Insensitive), "iron"),
            vec!["Ironic"],
        ),
        (with("name", prefix(Case::Sensitive), "iron"), vec![]),
        (
            Listing::default()
                .with("type", "compute")
                .with("name", "nova"),
            vec!["nova"],
        ),
    ] {
        let page = catalog.services(&listing).await.unwrap();
        assert!(ids(&page).is_sorted());
        let mut names: Vec<_> = page.items.iter().map(Service::name).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{listing:?}");
    }
    let limited = Listing {
        limit: Some(1),
        ..with("name", Comparison::Contains(Case::Sensitive), "n")
    };
    let page = catalog.services(&limited).await.unwrap();
    assert_eq!((page.items.len(), page.more), (1, true));
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let (catalog, nova) = with_nova().await;
    let patch = json!({"enabled": false, "description": "Compute service"});
    let updated = catalog
        .update_service(&nova.id, object(patch))
        .await
        .unwrap();
    let id = &nova.id;
    let expected = format!(
        r#"{{"name":"nova","description":"Compute service","id":"{id}","type":"compute","enabled":false}}"#
    );
    assert_eq!(text(&updated), expected);
    assert_eq!(catalog.service(id).await.unwrap(), updated);
    let missing = catalog
        .update_service("x", object(json!({"name": "y"})))
        .await;
    assert_eq!(failure(missing), (404, "Could not find service: x.".into()));
}

#[tokio::test]
async fn deleting_a_service_deletes_its_endpoints() {
    let (catalog, nova) = with_nova().await;
    let other = create(&catalog, json!({"type": "image"})).await;
    let gone = endpoint(&catalog, &nova, "public", "http://nova").await;
    let stays = endpoint(&catalog, &other, "public", "http://glance").await;
    for endpoint in [&gone, &stays] {
        run(
            &catalog,
            "INSERT INTO project_endpoint (endpoint_id, project_id) VALUES (?, 'p')",
            &[&endpoint.id],
        )
        .await;
        run(
            &catalog,
            "INSERT INTO policy_association (id, policy_id, endpoint_id) VALUES (?, 'p', ?)",
            &[&endpoint.id, &endpoint.id],
        )
        .await;
        run(
            &catalog,
            "INSERT INTO policy_association (id, policy_id, service_id) VALUES (?, 'p', ?)",
            &[&endpoint.service_id, &endpoint.service_id],
        )
        .await;
    }
    catalog.delete_service(&nova.id).await.unwrap();
    assert_eq!(
        ids(&catalog.endpoints(&Listing::default()).await.unwrap()),
        [&stays.id]
    );
    assert_eq!(
        count(&catalog, "SELECT COUNT(*) FROM project_endpoint").await,
        1
    );
    assert_eq!(
        count(&catalog, "SELECT COUNT(*) FROM policy_association").await,
        2
    );
    let text = format!("Could not find service: {}.", nova.id);
    assert_eq!(failure(catalog.delete_service(&nova.id).await), (404, text));
}
