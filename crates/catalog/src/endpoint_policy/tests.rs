use std::sync::atomic::Ordering;

use serde_json::json;

use super::Association;
use crate::{
    Catalog, Endpoint, Policy, Region, Service,
    fixture::{catalog, count, counted, failure, object, run},
};

const ROWS: &str = "SELECT COUNT(*) FROM policy_association";

async fn policy(catalog: &Catalog, name: &str) -> Policy {
    let policy = json!({"blob": name, "type": "t"});
    let policy = serde_json::from_value(policy).unwrap();
    catalog.create_policy(policy).await.unwrap()
}

/// Nova in `street`, which is in `town`, which is in `land`.
async fn cloud() -> (Catalog, Service, Endpoint) {
    let catalog = catalog().await;
    for (id, parent) in [
        ("land", None),
        ("town", Some("land")),
        ("street", Some("town")),
    ] {
        let mut region = Region::new(id);
        region.parent_region_id = parent.map(str::to_owned);
        catalog.create_region(region).await.unwrap();
    }
    let nova = Service::new("compute", "nova");
    let nova = catalog.create_service(nova).await.unwrap();
    let endpoint = Endpoint::new(&nova.id, "public", Some("street".to_owned()), "http://nova");
    let endpoint = catalog.create_endpoint(endpoint).await.unwrap();
    (catalog, nova, endpoint)
}

#[tokio::test]
async fn the_nearest_policy_applies() {
    let (catalog, nova, endpoint) = cloud().await;
    let none = format!("No policy is associated with endpoint {}.", endpoint.id);
    let missing = failure(catalog.policy_for_endpoint(&endpoint.id).await);
    assert_eq!(missing, (404, none));
    let region = |region_id| Association::Region {
        service_id: &nova.id,
        region_id,
    };
    for with in [
        Association::Service(&nova.id),
        region("land"),
        region("town"),
        region("street"),
        Association::Endpoint(&endpoint.id),
    ] {
        let policy = policy(&catalog, "p").await;
        catalog.associate_policy(&policy.id, with).await.unwrap();
        let (catalog, statements) = counted(&catalog);
        let found = catalog.policy_for_endpoint(&endpoint.id).await.unwrap();
        assert_eq!(found, policy, "{with:?}");
        assert!(statements.load(Ordering::Relaxed) <= 4);
    }
    assert_eq!(failure(catalog.policy_for_endpoint("x").await).0, 404);
}

#[tokio::test]
async fn policies_of_other_services_and_regions_do_not_apply() {
    let (catalog, nova, endpoint) = cloud().await;
    catalog.create_region(Region::new("sea")).await.unwrap();
    let glance = catalog
        .create_service(Service::new("image", "glance"))
        .await
        .unwrap();
    let policy = policy(&catalog, "p").await;
    for with in [
        Association::Service(&glance.id),
        Association::Region {
            service_id: &glance.id,
            region_id: "street",
        },
        Association::Region {
            service_id: &nova.id,
            region_id: "sea",
        },
    ] {
        catalog.associate_policy(&policy.id, with).await.unwrap();
    }
    assert_eq!(
        failure(catalog.policy_for_endpoint(&endpoint.id).await).0,
        404
    );
    assert!(
        catalog
            .endpoints_of_policy(&policy.id)
            .await
            .unwrap()
            .is_empty()
    );
    // A circle, which Python Keystone may have stored, is walked once.
    run(
        &catalog,
        "UPDATE region SET parent_region_id = 'street' WHERE id = ?",
        &["land"],
    )
    .await;
    assert_eq!(
        failure(catalog.policy_for_endpoint(&endpoint.id).await).0,
        404
    );
}

#[tokio::test]
async fn a_policy_lists_an_endpoint_for_each_association() {
    let (catalog, nova, endpoint) = cloud().await;
    let policy = policy(&catalog, "p").await;
    for with in [
        Association::Endpoint(&endpoint.id),
        Association::Service(&nova.id),
        Association::Region {
            service_id: &nova.id,
            region_id: "land",
        },
    ] {
        catalog.associate_policy(&policy.id, with).await.unwrap();
    }
    let found = catalog.endpoints_of_policy(&policy.id).await.unwrap();
    assert_eq!(found.len(), 3);
    let expected = json!({
        "id": endpoint.id, "interface": "public", "region_id": "street", "service_id": nova.id,
        "url": "http://nova", "enabled": true,
    });
    for endpoint in &found {
        assert_eq!(serde_json::to_value(endpoint).unwrap(), expected);
    }
}

#[tokio::test]
async fn a_policy_replaces_one_that_is_associated_in_the_same_way() {
    let (catalog, nova, endpoint) = cloud().await;
    let [one, other] = [
        policy(&catalog, "1").await.id,
        policy(&catalog, "2").await.id,
    ];
    let with = Association::Service(&nova.id);
    catalog.associate_policy(&one, with).await.unwrap();
    catalog.check_policy_association(&one, with).await.unwrap();
    let missing = (404, "Could not find policy association.".to_owned());
    assert_eq!(
        failure(catalog.check_policy_association(&other, with).await),
        missing
    );
    catalog.associate_policy(&other, with).await.unwrap();
    assert_eq!(
        failure(catalog.check_policy_association(&one, with).await),
        missing
    );
    let elsewhere = Association::Endpoint(&endpoint.id);
    assert_eq!(
        failure(catalog.check_policy_association(&other, elsewhere).await),
        missing
    );
    // Deleting an association that does not exist succeeds.
    catalog.dissociate_policy(&one, with).await.unwrap();
    catalog
        .check_policy_association(&other, with)
        .await
        .unwrap();
    catalog.dissociate_policy(&other, with).await.unwrap();
    assert_eq!(count(&catalog, ROWS).await, 0);
}

#[tokio::test]
async fn deleting_an_endpoint_service_or_region_deletes_its_associations() {
    let (catalog, nova, endpoint) = cloud().await;
    let policy = policy(&catalog, "p").await.id;
    let region = Association::Region {
        service_id: &nova.id,
        region_id: "town",
    };
    for with in [
        Association::Endpoint(&endpoint.id),
        region,
        Association::Service(&nova.id),
    ] {
        catalog.associate_policy(&policy, with).await.unwrap();
    }
    let patch = object(json!({"region_id": "land"}));
    catalog.update_endpoint(&endpoint.id, patch).await.unwrap();
    catalog.delete_region("town").await.unwrap();
    assert_eq!(count(&catalog, ROWS).await, 2);
    catalog.delete_endpoint(&endpoint.id).await.unwrap();
    assert_eq!(count(&catalog, ROWS).await, 1);
    catalog.delete_service(&nova.id).await.unwrap();
    assert_eq!(count(&catalog, ROWS).await, 0);
}
