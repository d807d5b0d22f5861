//! Trusts: rows of Python Keystone, times, operators' rules, the cost of lists, and the removal of what is over.

use chrono::{Duration, NaiveDateTime};
use keystone::Settings;
use keystone::auth::{TrustFilter, flush_trusts};
use keystone::storage::sql;
use keystone_testkit::{Answer, Cloud, Session};
use serde_json::{Value, json};

const TRUSTS: &str = "/v3/OS-TRUST/trusts";

/// Alice, who is a member on a project, and bob, who has no role.
struct People {
    cloud: Cloud,
    alice_id: String,
    bob_id: String,
    project: String,
    alice: Session,
}

impl People {
    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let cloud = Box::pin(Cloud::with(settings)).await;
        let (alice_id, bob_id) = (cloud.user("alice").await, cloud.user("bob").await);
        let project = cloud.project("p").await;
        cloud.grant(&alice_id, &project, "member").await;
        let scope = json!({ "project": { "id": project } });
        Self {
            alice: cloud.session("alice", "alice", &scope).await,
            cloud,
            alice_id,
            bob_id,
            project,
        }
    }

    async fn create(&self, fields: Value) -> Answer {
        let mut trust = json!({ "trustor_user_id": self.alice_id, "trustee_user_id": self.bob_id, "impersonation": false,
                                "project_id": self.project, "roles": [{ "name": "member" }] });
        if let (Value::Object(trust), Value::Object(fields)) = (&mut trust, fields) {
            trust.extend(fields);
        }
        self.alice.post(TRUSTS, &json!({ "trust": trust })).await
    }

    async fn trust(&self, fields: Value) -> String {
        let made = self.create(fields).await.created();
        made["trust"]["id"].as_str().expect("an id").to_owned()
    }

    async fn used(&self, trust: &str) -> Answer {
        let bob = json!({ "id": self.bob_id });
        let scope = json!({ "OS-TRUST:trust": { "id": trust } });
        self.cloud.nobody().log_in(&bob, "bob", &scope).await
    }

    /// A trust as another writer may have stored it: the columns after the parties and the project.
    async fn stored(&self, id: &str, columns: &'static str) {
        let insert = format!(
            "INSERT INTO trust (id, trustor_user_id, trustee_user_id, project_id, impersonation, extra, \
                                deleted_at, expires_at, expires_at_int, remaining_uses, redelegated_trust_id, redelegation_count) \
             VALUES ('{id}', '{}', '{}', '{}', 0, '{{\"roles\": [], \"colour\": \"red\"}}', {columns})",
            self.alice_id, self.bob_id, self.project
        );
        run(&self.cloud, insert).await;
        let role = self.cloud.role("member").await;
        run(
            &self.cloud,
            format!("INSERT INTO trust_role (trust_id, role_id) VALUES ('{id}', '{role}')"),
        )
        .await;
    }
}

async fn run(cloud: &Cloud, text: String) {
    let statement = sql(Box::leak(text.into_boxed_str()));
    statement
        .execute(cloud.keystone.db())
        .await
        .expect("it runs");
}

fn ids(list: &Value) -> Vec<&str> {
    let trusts = list["trusts"].as_array().expect("a list").iter();
    trusts.filter_map(|trust| trust["id"].as_str()).collect()
}

#[tokio::test]
async fn rows_of_python_are_read_as_python_reads_them() {
    // Tokens hold the id of a trust as a UUID.
    const MICROS: &str = "11111111111111111111111111111111";
    const OLD: &str = "22222222222222222222222222222222";
    let people = People::new().await;
    let admin = people.cloud.admin().await;
    for (id, columns) in [
        ("gone", "'2026-01-01 00:00:00', NULL, NULL, NULL, NULL, 0"),
        (
            MICROS,
            "NULL, '2026-01-01 13:00:00', 1767272400250000, NULL, NULL, 0",
        ),
        (OLD, "NULL, '2026-01-01 14:00:00', NULL, NULL, NULL, NULL"),
        (
            "over",
            "NULL, '2026-01-01 11:00:00', 1767265200000000, NULL, NULL, 0",
        ),
        (
            "spent",
            "NULL, '2026-01-01 15:00:00', 1767279600000000, 0, NULL, 0",
        ),
        (
            "child",
            "NULL, '2026-01-01 13:30:00', 1767274200000000, NULL, '22222222222222222222222222222222', 0",
        ),
    ] {
        people.stored(id, columns).await;
    }
    let list = admin.get(TRUSTS).await.ok();
    assert_eq!(ids(&list), [MICROS, OLD, "child", "over", "spent"]);
    assert_eq!(
        list["trusts"][0]["expires_at"],
        "2026-01-01T13:00:00.250000Z"
    );
    assert_eq!(list["trusts"][0]["colour"], "red");
    assert!(list["trusts"][0].get("roles").is_none());
    for over in ["gone", "over", "spent"] {
        let path = format!("{TRUSTS}/{over}");
        people.alice.get(&path).await.refused(404);
        people.used(over).await.refused(401);
    }
    let old = people.alice.get(&format!("{TRUSTS}/{OLD}")).await.ok();
    assert_eq!(old["trust"]["expires_at"], "2026-01-01T14:00:00.000000Z");
    assert_eq!(old["trust"]["redelegation_count"], Value::Null);
    // The count of the trust before it is not set, which Python can't compare.
    people
        .alice
        .get(&format!("{TRUSTS}/child"))
        .await
        .refused(400);
    people.used("child").await.refused(400);
    let used = people.used(MICROS).await.created();
    assert_eq!(used["token"]["expires_at"], "2026-01-01T13:00:00.000000Z");
    people.cloud.advance(Duration::seconds(3601));
    people.used(MICROS).await.refused(401);
    people.used(OLD).await.created();
}

#[tokio::test]
async fn a_chain_of_rows_that_has_no_end_is_refused() {
    let people = People::new().await;
    people
        .stored(
            "one",
            "NULL, '2026-01-02 00:00:00', 1767312000000000, NULL, 'two', 3",
        )
        .await;
    people
        .stored(
            "two",
            "NULL, '2026-01-03 00:00:00', 1767398400000000, NULL, 'one', 3",
        )
        .await;
    let path = format!("{TRUSTS}/one");
    people.alice.get(&path).await.refused(404);
    people.used("one").await.refused(401);
}

#[tokio::test]
async fn no_body_of_a_new_trust_is_an_internal_error() {
    let people = People::new().await;
    let values = [
        Value::Null,
        json!(""),
        json!("x"),
        json!(true),
        json!(1.0),
        json!(-1),
        json!(2_147_483_648_u64),
        json!(1e300),
        json!([]),
        json!([null]),
        json!({}),
        json!("x".repeat(300)),
        json!("\u{0}"),
    ];
    let names = [
        "trustor_user_id",
        "trustee_user_id",
        "project_id",
        "impersonation",
        "roles",
        "expires_at",
        "remaining_uses",
        "allow_redelegation",
        "redelegation_count",
        "redelegated_trust_id",
        "deleted_at",
        "id",
        "name",
        "links",
        "extra",
    ];
    for name in names {
        for value in &values {
            let answer = people.create(json!({ name: value })).await;
            assert!(answer.status < 500, "{name} {value}: {}", answer.body);
        }
    }
    let answer = people
        .create(json!({ "deleted_at": "2026-01-01T00:00:00Z" }))
        .await;
    answer.refused(400);
}

#[tokio::test]
async fn many_trusts_are_listed_with_one_statement() {
    let people = People::new().await;
    let many = format!(
        "INSERT INTO trust (id, trustor_user_id, trustee_user_id, impersonation, extra) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
         SELECT CONCAT('@', i), '{}', '{}', 0, '{{}}' FROM n",
        people.alice_id, people.bob_id
    );
    for part in 0..12 {
        let many = many.replace("CONCAT('@', i)", &format!("'m{part}-' || i"));
        run(&people.cloud, many).await;
    }
    let admin = people.cloud.admin().await;
    let (answer, statements) = people.cloud.statements(admin.get(TRUSTS)).await;
    assert_eq!(ids(&answer.ok()).len(), 10_800);
    let of_trusts = statements.iter().filter(|text| text.contains("FROM trust"));
    assert_eq!(of_trusts.count(), 1, "{}", statements.join("\n"));
    let page = admin.get(&format!("{TRUSTS}?limit=7")).await.ok();
    assert_eq!(ids(&page).len(), 7);
    assert!(
        page["links"]["next"]
            .as_str()
            .is_some_and(|next| next.contains("marker="))
    );
}

#[tokio::test]
async fn a_token_for_a_trust_is_issued_and_validated_in_few_statements() {
    let people = People::new().await;
    let trust = people
        .trust(json!({ "remaining_uses": 9, "impersonation": true }))
        .await;
    let (answer, issued) = people.cloud.statements(people.used(&trust)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let token = answer
        .header("x-subject-token")
        .expect("a token")
        .to_owned();
    let admin = people.cloud.admin().await;
    let (answer, validated) = people.cloud.statements(admin.validate(&token)).await;
    answer.ok();
    for (what, statements, most) in [("a login", issued, 22), ("a validation", validated, 22)] {
        let count = statements.len();
        assert!(count <= most, "{what}: {count}\n{}", statements.join("\n"));
    }
}

#[tokio::test]
async fn what_is_over_is_removed_and_the_rest_stays() {
    let people = People::new().await;
    people
        .stored("gone", "'2026-01-01 00:00:00', NULL, NULL, NULL, NULL, 0")
        .await;
    people
        .stored(
            "over",
            "NULL, '2026-01-01 11:00:00', 1767265200000000, NULL, NULL, 0",
        )
        .await;
    people
        .stored("old", "NULL, '2026-01-01 10:00:00', NULL, NULL, NULL, 0")
        .await;
    people
        .stored("open", "NULL, NULL, NULL, NULL, NULL, 0")
        .await;
    let db = people.cloud.keystone.db();
    let at = |text: &str| text.parse::<NaiveDateTime>().expect("a literal time");
    let all = TrustFilter {
        before: at("2026-01-01T12:00:00"),
        project_id: None,
        trustor_user_id: None,
        trustee_user_id: None,
    };
    let others = TrustFilter {
        trustor_user_id: Some(people.bob_id.clone()),
        ..all.clone()
    };
    assert_eq!(flush_trusts(db, &others, |_| {}).await.unwrap(), 0);
    let early = TrustFilter {
        before: at("2026-01-01T10:30:00"),
        project_id: Some(people.project.clone()),
        trustor_user_id: Some(people.alice_id.clone()),
        trustee_user_id: Some(people.bob_id.clone()),
    };
    assert_eq!(
        flush_trusts(db, &early, |_| {}).await.unwrap(),
        2,
        "one was deleted"
    );
    assert_eq!(flush_trusts(db, &all, |_| {}).await.unwrap(), 1);
    let left: Vec<(String,)> = sql("SELECT id FROM trust ORDER BY id")
        .fetch_all(db)
        .await
        .unwrap();
    assert_eq!(left, [("open".to_owned(),)]);
    let roles: Vec<(String,)> = sql("SELECT trust_id FROM trust_role")
        .fetch_all(db)
        .await
        .unwrap();
    assert_eq!(roles, [("open".to_owned(),)]);
}

#[tokio::test]
async fn the_admin_token_reads_no_trust_but_lists_and_deletes_all() {
    let mut settings = Settings::default();
    settings.api.admin_token = Some("ADMIN".to_owned().into());
    let people = People::with(settings).await;
    let trust = people.trust(json!({})).await;
    let admin = people.cloud.nobody().with_token("ADMIN");
    let path = format!("{TRUSTS}/{trust}");
    for path in [
        path.clone(),
        format!("{path}/roles"),
        format!("{path}/roles/x"),
    ] {
        let text = admin.get(&path).await.refused(403);
        assert!(
            text.contains("Requested user has no relation to this trust"),
            "{text}"
        );
    }
    admin.get(&format!("{TRUSTS}/x")).await.refused(404);
    assert_eq!(ids(&admin.get(TRUSTS).await.ok()), [trust.as_str()]);
    admin.delete(&path).await.no_content();
}

#[tokio::test]
async fn rules_that_allow_everything_leave_trusts_to_their_parties() {
    let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    let names = [
        "list_trusts",
        "get_trust",
        "delete_trust",
        "list_roles_for_trust",
        "get_role_for_trust",
    ];
    let rules = names.map(|name| (format!("identity:{name}"), Value::from("")));
    let rules = Value::Object(rules.into_iter().collect());
    std::fs::write(file.path(), rules.to_string()).unwrap();
    let mut settings = Settings::default();
    settings.policy.file = Some(file.path().to_owned());
    let people = People::with(settings).await;
    let trust = people.trust(json!({})).await;
    let path = format!("{TRUSTS}/{trust}");
    people.cloud.user("eve").await;
    let eve = people.cloud.session("eve", "eve", &json!("unscoped")).await;
    let bob = people.cloud.session("bob", "bob", &json!("unscoped")).await;
    for path in [path.clone(), format!("{path}/roles")] {
        people.alice.get(&path).await.ok();
        bob.get(&path).await.ok();
        eve.get(&path).await.refused(403);
    }
    eve.get(TRUSTS).await.refused(403);
    people.cloud.admin().await.get(TRUSTS).await.ok();
    for other in [&eve, &bob] {
        let text = other.delete(&path).await.refused(403);
        assert!(
            text.contains("Only admin or trustor can delete a trust"),
            "{text}"
        );
    }
    people.alice.delete(&path).await.no_content();
}
