use std::sync::atomic::Ordering;

use keystone_types::to_python_json;
use serde_json::json;

use super::{CatalogService, Choice};
use crate::{
    Catalog, Endpoint, Service,
    fixture::{count, counted, endpoint, object, run, with_nova},
};

const ASSOCIATE: &str = "INSERT INTO project_endpoint (endpoint_id, project_id) VALUES (?, ?)";

/// Nova with three endpoints, and glance with one.
async fn cloud() -> (Catalog, [Endpoint; 4]) {
    let (catalog, nova) = with_nova().await;
    let glance = catalog.create_service(Service::new("image", "glance"));
    let glance = glance.await.unwrap();
    let endpoints = [
        endpoint(&catalog, &nova, "public", "http://nova/%(project_id)s").await,
        endpoint(&catalog, &nova, "internal", "http://nova.internal").await,
        endpoint(&catalog, &nova, "admin", "http://nova.admin").await,
        endpoint(&catalog, &glance, "public", "http://glance").await,
    ];
    (catalog, endpoints)
}

async fn group(catalog: &Catalog, id: &str, filters: &str, project_id: &str) {
    let text = "INSERT INTO endpoint_group (id, name, filters) VALUES (?, ?, ?)";
    run(catalog, text, &[id, id, filters]).await;
    let text = "INSERT INTO project_endpoint_group (endpoint_group_id, project_id) VALUES (?, ?)";
    run(catalog, text, &[id, project_id]).await;
}

fn urls(services: &[CatalogService]) -> Vec<&str> {
    let endpoints = services.iter().flat_map(|service| &service.endpoints);
    let mut urls: Vec<_> = endpoints.map(|endpoint| endpoint.url.as_str()).collect();
    urls.sort_unstable();
    urls
}

#[tokio::test]
async fn a_token_carries_every_enabled_endpoint() {
    let (catalog, nova) = with_nova().await;
    let plain = endpoint(&catalog, &nova, "internal", "http://nova").await;
    let named = serde_json::from_value(json!({
        "service_id": nova.id, "interface": "public", "name": "nova-public",
        "url": "http://nova/$(tenant_id)s/%(user_id)s",
    }));
    let named = catalog.create_endpoint(named.unwrap()).await.unwrap();
    let off = endpoint(&catalog, &nova, "admin", "http://off").await;
    catalog
        .update_endpoint(&off.id, object(json!({"enabled": false})))
        .await
        .unwrap();
    let broken = endpoint(&catalog, &nova, "admin", "http://broken").await;
    let patch = object(json!({"url": "http://%(nope)s"}));
    catalog.update_endpoint(&broken.id, patch).await.unwrap();

    let in_token = catalog.for_scope("u", Some("p")).await.unwrap();
    let plain_text = format!(
        r#"{{"id":"{}","interface":"internal","region_id":"west","url":"http://nova","region":"west"}}"#,
        plain.id
    );
    let named_text = format!(
        "{{\"name\":\"nova-public\",\"id\":\"{}\",\"interface\":\"public\",\"region_id\":null,\
         \"url\":\"http://nova/p/u\",\"region\":null}}",
        named.id
    );
    let mut endpoints = [(plain.id, plain_text), (named.id, named_text)];
    endpoints.sort();
    let [(_, first), (_, second)] = endpoints;
    let expected = format!(
        r#"[{{"endpoints":[{first},{second}],"id":"{}","type":"compute","name":"nova"}}]"#,
        nova.id
    );
    assert_eq!(serde_json::to_string(&in_token).unwrap(), expected);
}

#[tokio::test]
async fn endpoints_whose_url_needs_a_project_are_left_out_without_one() {
    let (catalog, _) = cloud().await;
    let in_token = catalog.for_scope("u", None).await.unwrap();
    assert_eq!(
        urls(&in_token),
        ["http://glance", "http://nova.admin", "http://nova.internal"]
    );
    let of_project = catalog.for_scope("u", Some("p")).await.unwrap();
    assert_eq!(urls(&of_project).len(), 4);
}

#[tokio::test]
async fn a_service_without_endpoints_is_carried_and_a_disabled_one_is_not() {
    let (catalog, nova) = with_nova().await;
    let body = json!({"type": "metric", "enabled": false});
    let off = catalog.create_service(serde_json::from_value(body).unwrap());
    let off = off.await.unwrap();
    endpoint(&catalog, &off, "public", "http://off").await;
    let in_token = catalog.for_scope("u", Some("p")).await.unwrap();
    let expected = json!([{"endpoints": [], "id": nova.id, "type": "compute", "name": "nova"}]);
    assert_eq!(serde_json::to_value(&in_token).unwrap(), expected);
}

#[tokio::test]
async fn an_association_narrows_the_catalog_of_its_project() {
    let (catalog, [public, ..]) = cloud().await;
    run(&catalog, ASSOCIATE, &[&public.id, "p"]).await;
    let narrowed = catalog.for_scope("u", Some("p")).await.unwrap();
    assert_eq!(urls(&narrowed), ["http://nova/p"]);
    assert_eq!(narrowed.len(), 1);
    let other = catalog.for_scope("u", Some("q")).await.unwrap();
    assert_eq!(urls(&other).len(), 4);
    assert_eq!(other.len(), 2);

    run(&catalog, ASSOCIATE, &["gone", "r"]).await;
    let dangling = catalog.for_scope("u", Some("r")).await.unwrap();
    assert_eq!(urls(&dangling).len(), 4);

    catalog
        .remove_endpoint_from_project(&public.id, "p")
        .await
        .unwrap();
    assert_eq!(
        urls(&catalog.for_scope("u", Some("p")).await.unwrap()).len(),
        4
    );
    assert_eq!(
        count(&catalog, "SELECT COUNT(*) FROM project_endpoint").await,
        1
    );
}

#[tokio::test]
async fn a_filter_that_chooses_only_disabled_endpoints_still_applies() {
    let (catalog, [public, ..]) = cloud().await;
    run(&catalog, ASSOCIATE, &[&public.id, "p"]).await;
    catalog
        .update_endpoint(&public.id, object(json!({"enabled": false})))
        .await
        .unwrap();
    assert_eq!(catalog.for_scope("u", Some("p")).await.unwrap(), []);

    catalog
        .update_endpoint(&public.id, object(json!({"enabled": true})))
        .await
        .unwrap();
    let patch = object(json!({"enabled": false}));
    catalog
        .update_service(&public.service_id, patch)
        .await
        .unwrap();
    assert_eq!(catalog.for_scope("u", Some("p")).await.unwrap(), []);
}

#[tokio::test]
async fn an_endpoint_group_narrows_the_catalog_of_its_project() {
    let (catalog, [public, internal, ..]) = cloud().await;
    let filters = format!(
        r#"{{"interface": "public", "service_id": "{}"}}"#,
        public.service_id
    );
    group(&catalog, "g", &filters, "p").await;
    let narrowed = catalog.for_scope("u", Some("p")).await.unwrap();
    assert_eq!(urls(&narrowed), ["http://nova/p"]);

    run(&catalog, ASSOCIATE, &[&internal.id, "p"]).await;
    let both = catalog.for_scope("u", Some("p")).await.unwrap();
    assert_eq!(urls(&both), ["http://nova.internal", "http://nova/p"]);

    group(&catalog, "none", r#"{"region_id": "nowhere"}"#, "q").await;
    let unmatched = catalog.for_scope("u", Some("q")).await.unwrap();
    assert_eq!(urls(&unmatched).len(), 4);
    group(&catalog, "null", r#"{"region_id": null}"#, "r").await;
    let patch = object(json!({"region_id": null}));
    catalog.update_endpoint(&internal.id, patch).await.unwrap();
    let without_region = catalog.for_scope("u", Some("r")).await.unwrap();
    assert_eq!(urls(&without_region), ["http://nova.internal"]);
}

#[tokio::test]
async fn a_project_without_a_filter_sees_nothing_if_the_setting_says_so() {
    let (mut catalog, [public, ..]) = cloud().await;
    catalog.settings.return_all_endpoints_if_no_filter = false;
    run(&catalog, ASSOCIATE, &[&public.id, "p"]).await;
    for (project, expected) in [(Some("p"), 1), (Some("q"), 0), (None, 0)] {
        let in_token = catalog.for_scope("u", project).await.unwrap();
        assert_eq!(in_token.len(), expected, "{project:?}");
    }
}

#[tokio::test]
async fn a_catalog_is_read_in_one_statement_where_there_are_no_filters() {
    let (catalog, [public, ..]) = cloud().await;
    let cost = async |project| {
        let (counted, statements) = counted(&catalog);
        counted.for_scope("u", project).await.unwrap();
        statements.load(Ordering::Relaxed)
    };
    assert_eq!((cost(None).await, cost(Some("p")).await), (1, 1));
    run(&catalog, ASSOCIATE, &[&public.id, "p"]).await;
    group(&catalog, "g", r#"{"interface": "public"}"#, "q").await;
    group(&catalog, "h", r#"{"interface": "admin"}"#, "q").await;
    assert_eq!((cost(None).await, cost(Some("none")).await), (1, 3));
    assert_eq!((cost(Some("p")).await, cost(Some("q")).await), (3, 3));
}

#[tokio::test]
async fn a_template_renders_what_the_catalog_is() {
    let (catalog, [public, ..]) = cloud().await;
    let nova = public.service_id.clone();
    for url in [
        "http://n/$(tenant_id)s/%(user_id)s",
        "http://%(public_endpoint)s",
        "http://%(user_id)s%(user_id)s\u{e4}\"",
        "http://%(nope)s",
    ] {
        let text = "INSERT INTO endpoint (id, interface, service_id, url, extra) VALUES (?, 'public', ?, ?, '{\"name\": \"x\"}')";
        run(&catalog, text, &[url, &nova, url]).await;
    }
    run(&catalog, ASSOCIATE, &[&public.id, "filtered"]).await;
    let sources = catalog.sources().await.unwrap();
    for project in [None, Some("p"), Some("q\"\\\u{e4}"), Some("filtered")] {
        let choice = catalog.choice(project.unwrap_or_default()).await.unwrap();
        let template = catalog.template(&sources, &choice, project.is_some());
        let template = template.unwrap();
        for user in ["u", "0123456789abcdef0123456789abcdef", "\u{1}\"'"] {
            let services = catalog.for_scope(user, project).await.unwrap();
            let expected = to_python_json(&json!(services));
            let mut filled = String::new();
            template.fill(user, project, &mut filled);
            assert_eq!(filled, expected, "{user:?} on {project:?}");
        }
    }
    let cut = "INSERT INTO endpoint (id, interface, service_id, url, extra) VALUES ('cut', 'public', ?, ?, '{}')";
    run(&catalog, cut, &[&nova, "http://%(project_id).4s"]).await;
    let sources = catalog.sources().await.unwrap();
    assert!(
        catalog
            .template(&sources, &Choice::default(), true)
            .is_none()
    );
}
