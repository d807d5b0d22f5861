use std::sync::atomic::Ordering;

use serde_json::json;

use crate::{
    Catalog, EndpointGroup,
    fixture::{count, counted, endpoint, failure, object, projects, text, with_nova},
};

async fn group(catalog: &Catalog, interface: &str) -> EndpointGroup {
    let group = json!({"name": interface, "filters": {"interface": interface}});
    let group = serde_json::from_value(group).unwrap();
    catalog.create_endpoint_group(group).await.unwrap()
}

#[tokio::test]
async fn an_endpoint_is_associated_once() {
    let (catalog, nova) = with_nova().await;
    projects(&catalog, &["o", "p"]).await;
    let id = endpoint(&catalog, &nova, "public", "http://nova").await.id;
    let absent = (404, format!("Endpoint {id} not found in project p"));
    assert_eq!(
        failure(catalog.check_endpoint_in_project(&id, "p").await),
        absent
    );
    assert_eq!(
        failure(catalog.remove_endpoint_from_project(&id, "p").await),
        absent
    );
    catalog.add_endpoint_to_project(&id, "p").await.unwrap();
    catalog.check_endpoint_in_project(&id, "p").await.unwrap();
    let twice = "Conflict occurred attempting to store project_endpoint - Duplicate entry.";
    let again = catalog.add_endpoint_to_project(&id, "p").await;
    assert_eq!(failure(again), (409, twice.to_owned()));
    let missing = catalog.add_endpoint_to_project(&id, "q").await;
    assert_eq!(
        failure(missing),
        (404, "Could not find project: q.".to_owned())
    );
    catalog.add_endpoint_to_project(&id, "o").await.unwrap();
    let associated = "SELECT COUNT(*) FROM project_endpoint";
    assert_eq!(count(&catalog, associated).await, 2);
    catalog
        .remove_endpoint_from_project(&id, "o")
        .await
        .unwrap();
    let left = "SELECT project_id FROM project_endpoint";
    assert_eq!(text(&catalog, left).await, "p");
    catalog.delete_endpoint(&id).await.unwrap();
    assert_eq!(count(&catalog, associated).await, 0);
}

#[tokio::test]
async fn an_endpoint_group_is_associated_once() {
    let (catalog, _) = with_nova().await;
    projects(&catalog, &["p"]).await;
    let group = group(&catalog, "public").await;
    let id = &group.id;
    let absent = (
        404,
        "Endpoint Group Project Association not found".to_owned(),
    );
    assert_eq!(
        failure(catalog.endpoint_group_in_project(id, "p").await),
        absent
    );
    assert_eq!(
        failure(catalog.remove_endpoint_group_from_project(id, "p").await),
        absent
    );
    catalog
        .add_endpoint_group_to_project(id, "p")
        .await
        .unwrap();
    let spelt = id.to_uppercase();
    let both = catalog.endpoint_group_in_project(&spelt, "P");
    assert_eq!(both.await.unwrap(), (id.clone(), "p".to_owned()));
    let twice = "Conflict occurred attempting to store project_endpoint_group - Duplicate entry.";
    let again = catalog.add_endpoint_group_to_project(id, "p").await;
    assert_eq!(failure(again), (409, twice.to_owned()));
    let associated = "SELECT project_id FROM project_endpoint_group";
    assert_eq!(text(&catalog, associated).await, "p");
    assert_eq!(
        catalog.endpoint_groups_of_project("p").await.unwrap(),
        std::slice::from_ref(&group)
    );
    catalog
        .remove_endpoint_group_from_project(id, "p")
        .await
        .unwrap();
    assert_eq!(catalog.endpoint_groups_of_project("p").await.unwrap(), []);
}

#[tokio::test]
async fn a_project_has_its_endpoints_and_those_of_its_groups_each_once() {
    let (catalog, nova) = with_nova().await;
    projects(&catalog, &["p"]).await;
    let [mut public, admin, internal] = [
        endpoint(&catalog, &nova, "public", "http://public").await,
        endpoint(&catalog, &nova, "admin", "http://admin").await,
        endpoint(&catalog, &nova, "internal", "http://internal").await,
    ];
    let patch = object(json!({"enabled": false}));
    public = catalog.update_endpoint(&public.id, patch).await.unwrap();
    let mut sorted = [&public, &admin];
    sorted.sort_by_key(|endpoint| &endpoint.id);

    assert_eq!(catalog.endpoints_of_project("p").await.unwrap(), []);
    catalog
        .add_endpoint_to_project(&admin.id, "p")
        .await
        .unwrap();
    assert_eq!(
        catalog.endpoints_of_project("p").await.unwrap(),
        std::slice::from_ref(&admin)
    );
    for interface in ["public", "admin"] {
        let group = group(&catalog, interface).await;
        catalog
            .add_endpoint_group_to_project(&group.id, "p")
            .await
            .unwrap();
    }
    let (catalog, statements) = counted(&catalog);
    let found = catalog.endpoints_of_project("p").await.unwrap();
    assert_eq!(found.iter().collect::<Vec<_>>(), sorted);
    assert_eq!(statements.load(Ordering::Relaxed), 4);
    assert!(!found.contains(&internal));
    let missing = (404, "Could not find project: o.".to_owned());
    assert_eq!(failure(catalog.endpoints_of_project("o").await), missing);
}
