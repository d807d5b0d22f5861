//! Concurrent writes of two nodes.

use std::future::Future;

use keystone_types::{Listing, Result};
use serde_json::{Value, json};

use crate::{
    Association, Catalog, Endpoint, EndpointGroup, Policy, Region, Service,
    fixture::{count, endpoint, failure, object, projects, run, text, two_nodes},
};

const WRITERS: usize = 8;
const ROUNDS: usize = 20;

/// Starts `WRITERS` of a kind at once, half of them on each node, and waits for them all.
async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    nodes: &[Catalog; 2],
    write: impl Fn(Catalog, usize) -> F,
) -> Vec<T> {
    let start = |i: usize| tokio::spawn(write(nodes[i % 2].clone(), i));
    let started: Vec<_> = (0..WRITERS).map(start).collect();
    let mut done = Vec::new();
    for write in started {
        done.push(write.await.unwrap());
    }
    done
}

/// Runs two writes at once.
async fn both<A: Send + 'static, B: Send + 'static>(
    one: impl Future<Output = A> + Send + 'static,
    other: impl Future<Output = B> + Send + 'static,
) -> (A, B) {
    let (one, other) = (tokio::spawn(one), tokio::spawn(other));
    (one.await.unwrap(), other.await.unwrap())
}

fn statuses<T: std::fmt::Debug>(results: Vec<Result<T>>) -> Vec<u16> {
    let status = |result: Result<T>| result.map_or_else(|error| error.status(), |_| 200);
    let mut statuses: Vec<_> = results.into_iter().map(status).collect();
    statuses.sort_unstable();
    statuses
}

async fn service(catalog: &Catalog) -> Service {
    let nova = Service::new("compute", "nova");
    catalog.create_service(nova).await.unwrap()
}

async fn policy(catalog: &Catalog) -> Policy {
    let policy = serde_json::from_value(json!({"blob": "b", "type": "t"})).unwrap();
    catalog.create_policy(policy).await.unwrap()
}

async fn group(catalog: &Catalog) -> EndpointGroup {
    let group = json!({"name": "g", "filters": {"interface": "public"}});
    let group = serde_json::from_value(group).unwrap();
    catalog.create_endpoint_group(group).await.unwrap()
}

fn under(id: &str, parent: &str) -> Region {
    Region {
        parent_region_id: Some(parent.to_owned()),
        ..Region::new(id)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_changes_of_different_attributes_are_all_stored() {
    let (nodes, _folder) = two_nodes().await;
    let [one, _] = &nodes;
    one.create_region(Region::new("west")).await.unwrap();
    let nova = service(one).await;
    let public = endpoint(one, &nova, "public", "http://nova").await;
    let rules = policy(one).await;
    let own = |i: usize| object(Value::from_iter([(format!("a{i}"), json!(i))]));
    let [nova, public, rules] = [nova.id, public.id, rules.id].map(|id| move || id.clone());
    let done = together(&nodes, |catalog, i| {
        let (nova, public, rules) = (nova(), public(), rules());
        async move {
            catalog.update_region("west", own(i)).await?;
            catalog.update_service(&nova, own(i)).await?;
            catalog.update_endpoint(&public, own(i)).await?;
            catalog.update_policy(&rules, own(i)).await.map(drop)
        }
    });
    assert_eq!(statuses(done.await), [200; WRITERS]);
    let kept = [
        one.region("west").await.unwrap().extra,
        one.service(&nova()).await.unwrap().extra,
        one.endpoint(&public()).await.unwrap().extra,
        one.policy(&rules()).await.unwrap().extra,
    ];
    for extra in kept {
        for i in 0..WRITERS {
            assert_eq!(extra.0.get(&format!("a{i}")), Some(&json!(i)), "{extra:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_concurrent_change_does_not_reset_another_column() {
    let (nodes, _folder) = two_nodes().await;
    let [one, _] = &nodes;
    let nova = service(one).await.id;
    let group = group(one).await.id;
    for round in 0..ROUNDS {
        let done = together(&nodes, |catalog, i| {
            let (nova, group, text) = (nova.clone(), group.clone(), format!("{round}"));
            let (service, change) = match i % 2 {
                0 => (json!({"type": text}), json!({"name": text})),
                _ => (
                    json!({"enabled": round % 2 == 0}),
                    json!({"description": text}),
                ),
            };
            async move {
                catalog.update_service(&nova, object(service)).await?;
                let group = catalog.update_endpoint_group(&group, object(change));
                group.await.map(drop)
            }
        });
        assert_eq!(statuses(done.await), [200; WRITERS]);
        let (service, group) = (
            one.service(&nova).await.unwrap(),
            one.endpoint_group(&group),
        );
        let (group, text) = (group.await.unwrap(), round.to_string());
        assert_eq!(service.service_type.as_ref(), Some(&text));
        assert_eq!(service.enabled, round % 2 == 0);
        assert_eq!(
            (&group.name, group.description.as_ref()),
            (&text, Some(&text))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_creations_of_a_unique_resource_create_one() {
    let (nodes, _folder) = two_nodes().await;
    let [one, _] = &nodes;
    projects(one, &["p"]).await;
    one.create_region(Region::new("west")).await.unwrap();
    let nova = service(one).await;
    let public = endpoint(one, &nova, "public", "http://nova").await.id;
    let group = group(one).await.id;
    let one_of_them = [200, 409, 409, 409, 409, 409, 409, 409];

    let made = together(&nodes, |catalog, _| async move {
        catalog.create_region(Region::new("east")).await
    });
    assert_eq!(statuses(made.await), one_of_them);
    let made = together(&nodes, |catalog, _| {
        let public = public.clone();
        async move { catalog.add_endpoint_to_project(&public, "p").await }
    });
    assert_eq!(statuses(made.await), one_of_them);
    let made = together(&nodes, |catalog, _| {
        let group = group.clone();
        async move { catalog.add_endpoint_group_to_project(&group, "p").await }
    });
    assert_eq!(statuses(made.await), one_of_them);
    // The region that they all name is created by one of them.
    let made = together(&nodes, |catalog, _| {
        let named = object(json!({"region": "north"}));
        let mut admin = Endpoint::new(&nova.id, "admin", None, "http://nova");
        admin.extra.0 = named;
        async move { catalog.create_endpoint(admin).await }
    });
    assert_eq!(statuses(made.await), [200; WRITERS]);
    assert_eq!(count(one, "SELECT COUNT(*) FROM region").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_policies_that_are_associated_concurrently_in_the_same_way_one_remains() {
    let (nodes, _folder) = two_nodes().await;
    let [one, _] = &nodes;
    one.create_region(Region::new("west")).await.unwrap();
    let nova = service(one).await;
    let public = endpoint(one, &nova, "public", "http://nova").await.id;
    let (rules, others) = (policy(one).await.id, policy(one).await.id);
    for _ in 0..ROUNDS {
        let done = together(&nodes, |catalog, i| {
            let (service, public) = (nova.id.clone(), public.clone());
            let policy = if i < 4 { &rules } else { &others }.clone();
            async move {
                let region = Association::Region {
                    service_id: &service,
                    region_id: "west",
                };
                for with in [
                    Association::Endpoint(&public),
                    Association::Service(&service),
                    region,
                ] {
                    catalog.associate_policy(&policy, with).await?;
                }
                Ok(())
            }
        });
        assert_eq!(statuses(done.await), [200; WRITERS]);
        let rows = "SELECT COUNT(*) FROM policy_association";
        assert_eq!(count(one, rows).await, 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_a_region_deletes_regions_created_in_it_concurrently() {
    let (nodes, _folder) = two_nodes().await;
    let [one, other] = &nodes;
    for _ in 0..ROUNDS {
        one.create_region(Region::new("m")).await.unwrap();
        one.create_region(under("n", "m")).await.unwrap();
        // Before and after its parent in the order of ids.
        let children = together(&nodes, |catalog, i| async move {
            match i {
                0 => catalog.delete_region("m").await,
                i => {
                    let id = format!("{}{i}", if i % 2 == 0 { "a" } else { "z" });
                    catalog.create_region(under(&id, "n")).await.map(drop)
                }
            }
        });
        let mut children = children.await;
        children.remove(0).unwrap();
        assert!(
            statuses(children)
                .iter()
                .all(|status| [200, 404].contains(status))
        );
        assert!(
            other
                .regions(&Listing::default())
                .await
                .unwrap()
                .items
                .is_empty()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_region_moves_create_no_cycle() {
    let (nodes, _folder) = two_nodes().await;
    let [one, other] = &nodes;
    for id in ["a", "b", "c"] {
        one.create_region(Region::new(id)).await.unwrap();
    }
    let into = |parent: Option<&str>| object(json!({"parent_region_id": parent}));
    one.update_region("c", into(Some("b"))).await.unwrap();
    for _ in 0..ROUNDS {
        for id in ["a", "b"] {
            one.update_region(id, into(None)).await.unwrap();
        }
        let (one, other) = (one.clone(), other.clone());
        let (into_c, into_a) = (into(Some("c")), into(Some("a")));
        let (up, down) = both(
            async move { one.update_region("a", into_c).await },
            async move { other.update_region("b", into_a).await },
        )
        .await;
        assert_eq!(statuses(vec![up, down]), [200, 400]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_deletion_leaves_no_dangling_association() {
    let (nodes, _folder) = two_nodes().await;
    let [one, other] = &nodes;
    projects(one, &["p"]).await;
    for _ in 0..ROUNDS {
        one.create_region(Region::new("west")).await.unwrap();
        let nova = service(one).await;
        let public = endpoint(one, &nova, "public", "http://nova").await;
        let (rules, group) = (policy(one).await.id, group(one).await.id);

        let (deleting, adding) = (one.clone(), other.clone());
        let (ids, with) = ((rules.clone(), group.clone()), public.clone());
        let (deleted, added) = both(
            async move {
                deleting.delete_policy(&ids.0).await?;
                deleting.delete_endpoint_group(&ids.1).await?;
                deleting.delete_service(&with.service_id).await
            },
            async move {
                let service_id = &public.service_id;
                let region = Association::Region {
                    service_id,
                    region_id: "west",
                };
                let late = Endpoint::new(service_id, "admin", Some("west".to_owned()), "http://x");
                vec![
                    adding.associate_policy(&rules, region).await,
                    adding.add_endpoint_group_to_project(&group, "p").await,
                    adding
                        .associate_policy(&rules, Association::Endpoint(&public.id))
                        .await,
                    adding.add_endpoint_to_project(&public.id, "p").await,
                    adding.create_endpoint(late).await.map(drop),
                ]
            },
        )
        .await;
        deleted.unwrap();
        assert!(
            statuses(added)
                .iter()
                .all(|status| [200, 400, 404].contains(status))
        );
        other.delete_region("west").await.unwrap();
        for rows in [
            "SELECT COUNT(*) FROM endpoint",
            "SELECT COUNT(*) FROM policy_association",
            "SELECT COUNT(*) FROM project_endpoint",
            "SELECT COUNT(*) FROM project_endpoint_group",
        ] {
            assert_eq!(count(one, rows).await, 0, "{rows}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_is_never_created_in_a_deleted_region() {
    let (nodes, _folder) = two_nodes().await;
    let [one, other] = &nodes;
    let nova = service(one).await;
    for _ in 0..ROUNDS {
        one.create_region(Region::new("west")).await.unwrap();
        let late = Endpoint::new(&nova.id, "admin", Some("west".to_owned()), "http://x");
        let (one, other) = (one.clone(), other.clone());
        let (deleted, created) = both(async move { one.delete_region("west").await }, async move {
            other.create_endpoint(late).await
        })
        .await;
        match (deleted, created) {
            (Ok(()), created) => assert_eq!(failure(created).0, 400),
            (deleted, Ok(endpoint)) => {
                assert_eq!(failure(deleted).0, 403);
                nodes[0].delete_endpoint(&endpoint.id).await.unwrap();
                nodes[0].delete_region("west").await.unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn references_are_stored_in_the_spelling_of_the_rows() {
    let (nodes, _folder) = two_nodes().await;
    let [one, _] = &nodes;
    projects(one, &["p"]).await;
    one.create_region(Region::new("west")).await.unwrap();
    let west = one.create_region(under("town", "WEST")).await.unwrap();
    assert_eq!(west.parent_region_id.as_deref(), Some("west"));
    let nova = service(one).await.id;
    let shout = nova.to_uppercase();
    let public = Endpoint::new(&shout, "public", Some("WEST".to_owned()), "http://nova");
    let public = one.create_endpoint(public).await.unwrap();
    assert_eq!(
        (&public.service_id, public.region_id.as_deref()),
        (&nova, Some("west"))
    );
    let id = public.id.to_uppercase();
    let patch = object(json!({"region_id": "TOWN", "service_id": shout}));
    let public = one.update_endpoint(&id, patch).await.unwrap();
    assert_eq!(
        (&public.service_id, public.region_id.as_deref()),
        (&nova, Some("town"))
    );
    assert_eq!(one.endpoint(&id).await.unwrap(), public);

    one.add_endpoint_to_project(&id, "P").await.unwrap();
    let associated = "SELECT project_id FROM project_endpoint";
    assert_eq!(text(one, associated).await, "p");
    let rules = policy(one).await;
    let region = Association::Region {
        service_id: &shout,
        region_id: "West",
    };
    for with in [
        Association::Endpoint(&id),
        Association::Service(&shout),
        region,
    ] {
        let policy = rules.id.to_uppercase();
        one.associate_policy(&policy, with).await.unwrap();
        one.check_policy_association(&rules.id, with).await.unwrap();
    }
    assert_eq!(one.endpoints_of_policy(&rules.id).await.unwrap().len(), 3);

    // As Python Keystone stores them.
    let spelt = "UPDATE endpoint SET region_id = ?, service_id = ? WHERE id = ?";
    run(one, spelt, &["TOWN", &shout, &id]).await;
    let spelt =
        "UPDATE policy_association SET service_id = ?, region_id = 'WEST' WHERE region_id = 'west'";
    run(one, spelt, &[&shout]).await;
    assert_eq!(one.endpoints_of_policy(&rules.id).await.unwrap().len(), 3);
    one.dissociate_policy(&rules.id, Association::Endpoint(&id))
        .await
        .unwrap();
    assert_eq!(one.policy_for_endpoint(&id).await.unwrap(), rules);

    one.delete_service(&shout).await.unwrap();
    for rows in [
        "SELECT COUNT(*) FROM endpoint",
        "SELECT COUNT(*) FROM policy_association",
        "SELECT COUNT(*) FROM project_endpoint",
    ] {
        assert_eq!(count(one, rows).await, 0, "{rows}");
    }
}

#[tokio::test]
async fn a_region_with_many_descendants_is_deleted() {
    let (nodes, _folder) = two_nodes().await;
    let [one, _] = &nodes;
    one.create_region(Region::new("top")).await.unwrap();
    let many = "INSERT INTO region (id, description, parent_region_id) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
         SELECT a.i || '-' || b.i, '', CASE WHEN a.i = 1 THEN 'top' ELSE '1-' || b.i END \
         FROM n AS a JOIN n AS b WHERE b.i <= 40";
    run(one, many, &[]).await;
    assert_eq!(count(one, "SELECT COUNT(*) FROM region").await, 36_001);
    one.delete_region("TOP").await.unwrap();
    assert_eq!(count(one, "SELECT COUNT(*) FROM region").await, 0);
}
