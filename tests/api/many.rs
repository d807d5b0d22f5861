//! Many rows, as far as that takes no time; `tests/many` has more.

use keystone::storage::sql;
use keystone_testkit::Cloud;
use serde_json::Value;

fn count(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

/// The one blocking thread is busy, so that a listing that runs on it has to wait.
#[test]
fn many_effective_assignments_do_not_block_other_requests() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build();
    runtime.expect("a runtime").block_on(async {
        let cloud = Cloud::new().await;
        let (admin, user) = (cloud.admin().await, cloud.user("heir").await);
        let role = cloud.role("member").await;
        let on_domain = format!("/v3/OS-INHERIT/domains/default/users/{user}/roles/{role}");
        let grant = format!("{on_domain}/inherited_to_projects");
        admin.put(&grant).await.no_content();
        for n in 0..600 {
            let project = sql("\
                INSERT INTO project (id, name, enabled, domain_id, parent_id, is_domain) \
                VALUES (?, ?, 1, 'default', 'default', 0)");
            let id = format!("m{n}");
            let project = project.bind(&id).bind(&id);
            project
                .execute(cloud.keystone.db())
                .await
                .expect("it is made");
        }
        let url = format!("/v3/role_assignments?effective&user.id={user}");
        let (free, taken) = std::sync::mpsc::channel::<()>();
        let other = tokio::task::spawn_blocking(move || taken.recv());
        let mut list = std::pin::pin!(admin.get(&url));
        let nobody = cloud.nobody();
        let others = async {
            for _ in 0..1_000 {
                nobody.get("/v3").await.ok();
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            list = &mut list => panic!("it took the async thread: {}", list.status),
            () = others => {}
        }
        drop(free);
        assert!(other.await.expect("it ends").is_err());
        let list = list.await.ok();
        // `member` implies `reader`; the administrator's project is there too.
        assert_eq!(count(&list["role_assignments"]), 2 * 601);
    });
}

#[tokio::test]
async fn tags_filters_fill_a_whole_url() {
    let cloud = Cloud::new().await;
    let (admin, top) = (cloud.admin().await, cloud.project("top").await);
    let tagged = format!("/v3/projects/{top}/tags/t9999");
    admin.put(&tagged).await.created();
    // The longest URL that HTTP's own type takes has 65,534 bytes.
    let tags: Vec<String> = (1..=10_000).map(|n| format!("t{n}")).collect();
    for (filter, found) in [
        ("tags-any", 1),
        ("tags", 0),
        ("not-tags", 2),
        ("not-tags-any", 1),
    ] {
        let url = format!("/v3/projects?{filter}={}", tags.join(","));
        let projects = admin.get(&url).await.ok();
        assert_eq!(count(&projects["projects"]), found, "{filter}");
    }
}
