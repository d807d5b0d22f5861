//! Times and numbers at the limits of types and columns: every route that takes one reads it, or refuses it with a
//! message.

use keystone_testkit::Cloud;
use serde_json::{Value, json};

/// Whether Keystone reads it is the concern of parity; here nothing may fail.
const TIMES: [&str; 24] = [
    "0000-01-01T00:00:00+05:00",
    "0000-01-01T00:00:00Z",
    "0000-12-31T23:59:59-23:59",
    "0000-01-01",
    "0000-01",
    "0000",
    "0001-01-01T00:00:00+00:01",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00",
    "0999-12-31T23:59:59Z",
    "1969-12-31T23:59:59Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-00:01",
    "9999-12-31T23:59:59.999999999999999999999999999999Z",
    "9999-12-31T23:59:60Z",
    "10000-01-01T00:00:00Z",
    "+10000-01-01T00:00:00",
    "+262142-12-31T23:59:59",
    "-0001-01-01T00:00:00",
    "-262143-01-01",
    "+999999999999999999999-01-01",
    "2026-01-01T00:00:00+99:99",
    "2026-01-01T00:00:00-24:00",
    "18446744073709551616",
];

/// `limit` and what else is a number in a query.
const DIGITS: [&str; 12] = [
    "0",
    "-1",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1e309",
    "NaN",
    "٣",
];

/// The same in bodies.
fn numbers() -> Vec<Value> {
    let texts = [
        "-1",
        "-2",
        "0",
        "1.0",
        "1.5",
        "-0.0",
        "2147483647",
        "2147483648",
        "-2147483648",
        "-2147483649",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "2147483647.0",
        "1e9",
        "1e10",
        "1e308",
        "5e-324",
    ];
    let numbers = texts.iter().map(|text| serde_json::from_str(text));
    numbers
        .map(|number| number.expect("a number of JSON"))
        .collect()
}

/// A text as it stands in a query.
fn encoded(text: &str) -> String {
    let bytes = text.bytes().map(|byte| format!("%{byte:02X}"));
    bytes.collect()
}

#[tokio::test]
async fn no_time_or_number_in_a_query_is_a_500() {
    let cloud = Cloud::new().await;
    let (admin, user) = (cloud.admin().await, cloud.user("erin").await);
    let group = json!({ "group": { "name": "g" } });
    let group = admin.post("/v3/groups", &group).await.created();
    let group = group["group"]["id"].as_str().unwrap();
    let member = format!("/v3/groups/{group}/users/{user}");
    admin.put(&member).await.no_content();
    let mut urls = Vec::new();
    for time in TIMES.map(encoded) {
        urls.push(format!("/v3/OS-REVOKE/events?since={time}"));
        for path in ["/v3/users".to_owned(), format!("/v3/groups/{group}/users")] {
            urls.push(format!("{path}?password_expires_at={time}"));
            for operator in ["lt", "lte", "gt", "gte", "eq", "neq"] {
                urls.push(format!("{path}?password_expires_at={operator}:{time}"));
            }
        }
    }
    for digits in DIGITS.map(encoded) {
        for path in [
            "credentials",
            "domains",
            "endpoints",
            "groups",
            "limits",
            "policies",
            "projects",
            "registered_limits",
            "roles",
            "services",
            "users",
            "OS-EP-FILTER/endpoint_groups",
            "regions",
            "role_assignments",
        ] {
            urls.push(format!("/v3/{path}?limit={digits}"));
        }
    }
    let mut wrong = Vec::new();
    for url in urls {
        let answer = admin.get(&url).await;
        if !matches!(answer.status, 200 | 400) {
            wrong.push(format!("{url}: {} {}", answer.status, answer.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for time in ["0000-01-01T00:00:00+05:00", "9999-12-31T23:59:59-00:01"].map(encoded) {
        let events = format!("/v3/OS-REVOKE/events?since={time}");
        admin.get(&events).await.refused(400);
        let users = format!("/v3/users?password_expires_at=lt:{time}");
        admin.get(&users).await.refused(400);
    }
}

#[tokio::test]
async fn no_number_in_a_body_is_a_500() {
    let cloud = Cloud::new().await;
    let (admin, project) = (cloud.admin().await, cloud.project("p").await);
    let made = async |path: &str, body: Value, id: &str| {
        let answer = admin.post(path, &body).await.created();
        answer
            .pointer(id)
            .and_then(Value::as_str)
            .unwrap()
            .to_owned()
    };
    let service = json!({ "service": { "type": "compute" } });
    let service = made("/v3/services", service, "/service/id").await;
    let registered = |name: &str, limit: &Value| {
        let limit = json!({ "service_id": service, "resource_name": name, "default_limit": limit });
        json!({ "registered_limits": [limit] })
    };
    let of_project = |limit: &Value| {
        let limit = json!({ "service_id": service, "resource_name": "core", "project_id": project, "resource_limit": limit });
        json!({ "limits": [limit] })
    };
    let (limits, registered_limits) = ("/v3/limits", "/v3/registered_limits");
    let id = "/registered_limits/0/id";
    made(registered_limits, registered("core", &json!(5)), id).await;
    let unused = made(registered_limits, registered("disk", &json!(5)), id).await;
    let limit = made(limits, of_project(&json!(3)), "/limits/0/id").await;
    let mut wrong = Vec::new();
    for number in numbers() {
        let name = format!("resource {number}");
        let patch = |kind: &str, id: &str, body: Value| {
            ("PATCH", format!("/v3/{kind}s/{id}"), json!({ kind: body }))
        };
        for (method, path, body) in [
            (
                "POST",
                registered_limits.to_owned(),
                registered(&name, &number),
            ),
            ("POST", limits.to_owned(), of_project(&number)),
            patch(
                "registered_limit",
                &unused,
                json!({ "default_limit": number }),
            ),
            patch("limit", &limit, json!({ "resource_limit": number })),
            patch("project", &project, json!({ "enabled": number })),
            patch("project", &project, json!({ "size": number })),
        ] {
            let answer = admin.request(method, &path, Some(&body)).await;
            if !matches!(answer.status, 200 | 201 | 400 | 409) {
                wrong.push(format!(
                    "{method} {path} {body}: {} {}",
                    answer.status, answer.body
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
