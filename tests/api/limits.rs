//! Limits: their pages, and what a listing costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keystone::identity::{Identity, Relatives, Settings};
use keystone::types::{Clock, Listing};
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

async fn registered(admin: &Session, service: &Value, name: &str) {
    let limit = json!({ "service_id": service, "resource_name": name, "default_limit": 10 });
    let body = json!({ "registered_limits": [limit] });
    admin.post("/v3/registered_limits", &body).await.created();
}

async fn limit(admin: &Session, service: &Value, name: &str, project: &str) {
    let limit = json!({
        "service_id": service, "resource_name": name, "resource_limit": 5, "project_id": project,
    });
    let body = json!({ "limits": [limit] });
    admin.post("/v3/limits", &body).await.created();
}

async fn service(admin: &Session) -> Value {
    admin.get("/v3/services").await.ok()["services"][0]["id"].clone()
}

#[tokio::test]
async fn pages_lead_through_the_whole_collection() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let service = service(&admin).await;
    let project = cloud.project("p").await;
    let names = ["cores", "disk", "ram"];
    for name in names {
        registered(&admin, &service, name).await;
        limit(&admin, &service, name, &project).await;
    }
    for collection in ["registered_limits", "limits"] {
        let mut seen = Vec::new();
        let mut next = Some(format!("/v3/{collection}?limit=2"));
        while let Some(path) = next {
            let body = admin.get(&path).await.ok();
            let page = body[collection].as_array().unwrap();
            seen.extend(page.iter().map(|limit| limit["resource_name"].clone()));
            let url = body["links"]["next"].as_str();
            next = url.map(|url| {
                url.trim_start_matches("http://keystone.test:5000")
                    .to_owned()
            });
        }
        seen.sort_by_key(Value::to_string);
        assert_eq!(seen, names);
    }
}

#[tokio::test]
async fn a_list_takes_one_statement() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let service = service(&admin).await;
    let projects = [cloud.project("p").await, cloud.project("q").await];
    for name in ["cores", "ram"] {
        registered(&admin, &service, name).await;
        for project in &projects {
            limit(&admin, &service, name, project).await;
        }
    }
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let db = cloud.keystone.db().clone();
    let db = db.observed(Arc::new(move |_: &str| {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    let identity = Identity::new(db, Clock::system(), Settings::default(), []).unwrap();
    let all = Listing::default();
    assert_eq!(identity.limits(&all).await.unwrap().items.len(), 4);
    assert_eq!(count.swap(0, Ordering::Relaxed), 1);
    let within = identity.limits_within_domain("default", &all).await;
    assert_eq!(within.unwrap().items.len(), 4);
    assert_eq!(count.swap(0, Ordering::Relaxed), 1);
    let of_two = identity
        .limits_of_relatives("default", Relatives::Descendants)
        .await
        .unwrap();
    assert_eq!(of_two.len(), 4);
    assert!(of_two.is_sorted_by_key(|limit| limit.project_id.clone()));
    assert_eq!(count.swap(0, Ordering::Relaxed), 1);
    let registered = identity.registered_limits(&all).await.unwrap();
    assert_eq!(registered.items.len(), 2);
    assert_eq!(count.swap(0, Ordering::Relaxed), 1);
}
