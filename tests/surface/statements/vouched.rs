//! Users and certificates that a web server in front vouches for: as many statements, whatever a mapping says and whatever
//! the user holds.

use axum::body::Body;
use axum::http::Request;
use keystone::Settings;
use keystone_testkit::{Answer, Cloud, Ids, StoredMapping, trusted_proxy};
use serde_json::{Value, json};

const CERTIFICATE: &str = include_str!("../../parity/certificates/alice.pem");
const ISSUER: &str = "CN=ca,O=Test";
/// SHA-256 of the issuer, which is the id of its identity provider.
const IDENTITY_PROVIDER: &str = "405b4a6a15a398e679da3932f43b86b9536c045f8228e86ad67dc80b9d2cd5b5";
const VARIABLES: [&str; 4] = [
    "REMOTE_USER",
    "SSL_CLIENT_CERT",
    "SSL_CLIENT_I_DN",
    "SSL_CLIENT_S_DN_CN",
];

/// A cloud with alice, who is a member of a project, which is her default one.
struct Place {
    cloud: Cloud,
    alice: String,
    project: String,
}

impl Place {
    async fn new() -> Self {
        let mut settings = Settings::default();
        settings.auth.tokenless.trusted_issuers = vec![ISSUER.to_owned()];
        settings.auth.oauth2_methods = vec!["tls_client_auth".to_owned()];
        settings.api.trusted_proxy = Some(trusted_proxy(VARIABLES));
        let cloud = Box::pin(Cloud::with(settings)).await;
        let (alice, project) = (cloud.user("alice").await, cloud.project("p1").await);
        cloud.grant(&alice, &project, "member").await;
        let change = json!({ "user": { "default_project_id": project } });
        let path = format!("/v3/users/{alice}");
        cloud.admin().await.patch(&path, &change).await.ok();
        Self {
            cloud,
            alice,
            project,
        }
    }

    /// Stores the mappings of callers and of clients, in place of earlier ones.
    async fn map(&self, rules: &Value) {
        let callers = StoredMapping::new("m", rules).of(IDENTITY_PROVIDER, "x509");
        for mapping in [callers, StoredMapping::new("oauth2_mapping", rules)] {
            self.cloud.store_mapping(&mapping, &Ids::new()).await;
        }
    }

    /// Grants alice more on the project: roles of her own, and those of groups that she is in.
    async fn grow(&self) -> Vec<Value> {
        let admin = self.cloud.admin().await;
        let mut groups = Vec::new();
        for name in ["x0", "x1", "x2"] {
            let role = json!({ "role": { "name": name } });
            admin.post("/v3/roles", &role).await.created();
            self.cloud.grant(&self.alice, &self.project, name).await;
            let group = json!({ "group": { "name": name, "domain_id": "default" } });
            let group = admin.post("/v3/groups", &group).await.created()["group"]["id"].clone();
            let id = group.as_str().expect("an id");
            let member = format!("/v3/groups/{id}/users/{}", self.alice);
            admin.put(&member).await.no_content();
            let role = self.cloud.role("reader").await;
            let grant = format!("/v3/projects/{}/groups/{id}/roles/{role}", self.project);
            admin.put(&grant).await.no_content();
            groups.push(group);
        }
        groups
    }

    /// The answer to a request for which the web server vouches, and its statements.
    async fn ask(&self, request: Request<Body>, variables: &[(&str, &str)]) -> (Answer, usize) {
        let nobody = self.cloud.nobody();
        let asked = nobody.send_vouched(request, variables.iter().copied());
        let (answer, statements) = self.cloud.statements(asked).await;
        (answer, statements.len())
    }

    async fn log_in(&self) -> usize {
        let auth = json!({ "identity": { "methods": ["external"], "external": {} },
            "scope": { "project": { "id": self.project } } });
        let request = Request::post("/v3/auth/tokens").header("content-type", "application/json");
        let request = request.body(json!({ "auth": auth }).to_string().into());
        let (answer, count) = self
            .ask(request.unwrap(), &[("REMOTE_USER", "alice")])
            .await;
        answer.created();
        count
    }

    /// The statements of a client's login by its certificate, and of a validation of its token.
    async fn log_in_by_certificate(&self) -> [usize; 2] {
        let form = format!("grant_type=client_credentials&client_id={}", self.alice);
        let request = Request::post("/v3/OS-OAUTH2/token")
            .header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(form.into()).unwrap();
        let (answer, issued) = self.ask(request, &[("SSL_CLIENT_CERT", CERTIFICATE)]).await;
        let token = answer.ok()["access_token"].as_str().unwrap().to_owned();
        let admin = self.cloud.admin().await;
        let (answer, validated) = self.cloud.statements(admin.validate(&token)).await;
        assert!(answer.ok()["token"]["oauth2_credential"].is_object());
        [issued, validated.len()]
    }

    async fn call(&self) -> usize {
        let request = Request::get("/v3/regions").header("x-project-id", &self.project);
        let request = request.body(Body::empty()).unwrap();
        let vouched = [("SSL_CLIENT_I_DN", ISSUER), ("SSL_CLIENT_S_DN_CN", "alice")];
        let (answer, count) = self.ask(request, &vouched).await;
        answer.ok();
        count
    }
}

/// A mapping to alice by rules of which the last one holds.
fn to_alice(rules: usize, subject: &str, kind: &str) -> Value {
    let user = json!({ "name": "{0}", "domain": { "id": "default" }, "type": kind });
    let rules = (1..=rules).rev().map(|number| {
        let name = if number == 1 {
            "alice"
        } else {
            "somebody else"
        };
        json!({
            "remote": [{ "type": subject }, { "type": subject, "any_one_of": [name] }],
            "local": [{ "user": user }],
        })
    });
    rules.collect()
}

#[tokio::test]
async fn a_user_whom_the_web_server_names_logs_in_in_few_statements() {
    let place = Place::new().await;
    // The catalog and the project are remembered from the first one.
    place.log_in().await;
    let few = place.log_in().await;
    place.grow().await;
    place.log_in().await;
    assert_eq!(place.log_in().await, few);
    assert!(few <= 9, "{few}");
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_takes_few_statements() {
    let place = Place::new().await;
    let subject = "SSL_CLIENT_SUBJECT_DN_CN";
    place.map(&to_alice(1, subject, "local")).await;
    let few = place.log_in_by_certificate().await;
    place.grow().await;
    place.map(&to_alice(5, subject, "local")).await;
    assert_eq!(place.log_in_by_certificate().await, few);
    let [issued, validated] = few;
    assert!(issued <= 9, "{issued}");
    assert!(validated <= 13, "{validated}");
}

#[tokio::test]
async fn a_caller_with_a_certificate_takes_few_statements() {
    let place = Place::new().await;
    let subject = "SSL_CLIENT_S_DN_CN";
    place.map(&to_alice(1, subject, "local")).await;
    let few = place.call().await;
    let groups = place.grow().await;
    place.map(&to_alice(5, subject, "local")).await;
    assert_eq!(place.call().await, few);
    assert!(few <= 8, "{few}");

    let in_groups = |ids: &[Value], names: &str| {
        let ids = ids.iter().map(|id| json!({ "group": { "id": id } }));
        let names = json!({ "groups": names, "domain": { "id": "default" } });
        let user = json!({ "user": { "name": "{0}", "type": "ephemeral" } });
        let local: Vec<Value> = ids.chain([names, user]).collect();
        json!([{ "remote": [{ "type": subject }], "local": local }])
    };
    place.map(&in_groups(&groups[..1], "['x0']")).await;
    let few = place.call().await;
    place.map(&in_groups(&groups, "['x0', 'x1', 'x2']")).await;
    assert_eq!(place.call().await, few);
    assert!(few <= 8, "{few}");
}
