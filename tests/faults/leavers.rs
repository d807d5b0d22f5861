//! Clients that disconnect while they send a request, wait for its answer, or read it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use keystone::Settings;
use keystone::notify::SinkSettings;
use keystone::storage::{Db, sql};
use keystone::types::new_id;
use keystone_testkit::{ADMIN_PASSWORD, Cloud};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

const CLIENTS: usize = 16;
const REQUESTS: usize = 200;

/// Far more than anything takes that does not hang.
const LONG: Duration = Duration::from_secs(20);

/// A route of Keystone.
#[derive(Deserialize)]
struct Route {
    path: String,
    methods: Vec<String>,
}

static ROUTES: LazyLock<Vec<Route>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../parity/routes.json")).unwrap());

/// A well-formed body for each call that wants one.
static BODIES: LazyLock<BTreeMap<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../surface/bodies.json")).unwrap());

/// Some of everything, so that lists are long and what is deleted was there.
const ROWS: [&str; 6] = [
    "INSERT INTO `user` (id, enabled, domain_id) SELECT 'u' || i, 1, 'default' FROM numbers",
    "INSERT INTO local_user (user_id, domain_id, name) SELECT 'u' || i, 'default', 'u' || i FROM numbers",
    "INSERT INTO project (id, name, enabled, domain_id, parent_id, is_domain) \
     SELECT 'p' || i, 'p' || i, 1, 'default', 'default', 0 FROM numbers",
    "INSERT INTO project (id, name, enabled, domain_id, is_domain) \
     SELECT 'd' || i, 'd' || i, 1, '<<keystone.domain.root>>', 1 FROM numbers",
    "INSERT INTO `group` (id, name, domain_id) SELECT 'g' || i, 'g' || i, 'default' FROM numbers",
    "INSERT INTO role (id, name, domain_id) SELECT 'r' || i, 'r' || i, '<<null>>' FROM numbers",
];
const MANY: u32 = 600;

async fn fill(db: &Db) {
    let numbers = "(WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 29) \
        SELECT one.i * 20 + other.i AS i FROM n AS one JOIN n AS other ON other.i < 20) AS numbers";
    for text in ROWS {
        let text = text.replace("FROM numbers", &format!("FROM {numbers}"));
        sql(text.leak()).execute(db).await.unwrap();
    }
}

fn chance(below: u32) -> u32 {
    let digits = &new_id()[..8];
    u32::from_str_radix(digits, 16).unwrap() % below
}

/// Whoever sends requests, as text over a socket of its own for each.
#[derive(Clone)]
struct Client {
    server: SocketAddr,
    token: String,
    subject: String,
}

impl Client {
    /// The call with this number, of all that there are.
    fn call(&self, number: usize) -> String {
        // Without the file of the metadata it is a 500, as in Keystone.
        let has_answer = |route: &&Route| route.path != "/v3/OS-FEDERATION/saml2/metadata";
        let calls = ROUTES.iter().filter(has_answer).flat_map(|route| {
            let methods = route.methods.iter();
            methods.map(|method| (method.as_str(), route.path.as_str()))
        });
        let calls: Vec<_> = calls.collect();
        // Now and then one of those that take long.
        let (method, path) = match number % 8 {
            0 => ("GET", "/v3/users?limit=1000"),
            1 => ("GET", "/v3/projects?limit=1000"),
            _ => calls[number % calls.len()],
        };
        let body = BODIES.get(&format!("{method} {path}")).map(|body| {
            // A name is not taken twice.
            let own = format!("surface-{}", new_id());
            body.to_string().replace("surface", &own)
        });
        let segments = path.split('/').map(|segment| filled(method, segment));
        let path: Vec<_> = segments.collect();
        self.text(method, &path.join("/"), body.as_deref())
    }

    /// A request. Without a header for `OAuth1` its token calls are a 500, as in Keystone.
    fn text(&self, method: &str, path: &str, body: Option<&str>) -> String {
        let Self {
            server,
            token,
            subject,
        } = self;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\
             x-auth-token: {token}\r\nx-subject-token: {subject}\r\n\
             authorization: OAuth oauth_consumer_key=\"none\"\r\n"
        );
        match body {
            None => head + "\r\n",
            Some(body) => {
                let length = body.len();
                let about = "content-type: application/json\r\ncontent-length";
                format!("{head}{about}: {length}\r\n\r\n{body}")
            }
        }
    }

    /// Sends a request, and leaves once `patience` is at its end: the answer, if all of it came.
    fn send(&self, request: &[u8], patience: Duration) -> Option<(u16, String)> {
        let end = Instant::now() + patience;
        let mut stream = TcpStream::connect(self.server).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            stream.set_read_timeout(Some(left)).unwrap();
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => answer.extend(&buffer[..read]),
                Err(_) => return None,
            }
        }
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.get(9..12)?.parse().unwrap();
        Some((status, answer))
    }

    /// Many requests, most of which are left: the answers that came all the same, and how many did not.
    fn leave(&self, from: usize) -> (Vec<(u16, String)>, usize) {
        let mut answers = Vec::new();
        let mut left = 0;
        for number in from..from + REQUESTS {
            let request = self.call(number);
            let whole = match chance(4) {
                0 => chance(u32::try_from(request.len()).unwrap()) as usize,
                _ => request.len(),
            };
            let patience = Duration::from_micros(u64::from(chance(30_000)));
            match self.send(&request.as_bytes()[..whole], patience) {
                Some(answer) => answers.push(answer),
                None => left += 1,
            }
        }
        (answers, left)
    }

    /// What the usual requests are answered with.
    fn usual(&self) -> Vec<(&'static str, u16)> {
        let paths = [
            "/v3/users?limit=1000",
            "/v3/projects",
            "/v3/role_assignments",
            "/v3/auth/catalog",
            "/v3/regions/RegionOne",
            "/v3/users/none",
        ];
        let answered = paths.map(|path| {
            let answer = self.send(self.text("GET", path, None).as_bytes(), LONG);
            (path, answer.unwrap().0)
        });
        let mut answered = answered.to_vec();
        let user =
            json!({"name": "admin", "domain": {"id": "default"}, "password": ADMIN_PASSWORD});
        let auth =
            json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}});
        let login = self.text("POST", "/v3/auth/tokens", Some(&auth.to_string()));
        let login = self.send(login.as_bytes(), LONG);
        answered.push(("login", login.unwrap().0));
        answered
    }
}

/// Ids of what is there: what is only read stays, of the rest there is enough.
fn filled(method: &str, segment: &str) -> String {
    let some = |letter: char| format!("{letter}{}", chance(MANY));
    let reads = ["GET", "HEAD"].contains(&method);
    match segment {
        "{domain_id}" if reads => "default".to_owned(),
        "{region_id}" if reads => "RegionOne".to_owned(),
        "{domain_id}" => some('d'),
        "{user_id}" => some('u'),
        "{project_id}" => some('p'),
        "{group_id}" => some('g'),
        "{role_id}" | "{prior_role_id}" | "{implied_role_id}" => some('r'),
        "{group}" => "identity".to_owned(),
        "{option}" => "driver".to_owned(),
        segment if segment.starts_with('{') => "unknown".to_owned(),
        segment => segment.to_owned(),
    }
}

#[tokio::test]
async fn change_of_a_client_that_leaves_is_made_and_announced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("announced");
    let mut settings = Settings::default();
    let sink = SinkSettings::JsonLines(path.clone());
    settings.notifications.sinks.push(sink);
    let cloud = Cloud::with(settings).await;
    let admin = cloud.admin().await;
    // The client leaves at once, and later and later, until it gets the answer.
    let mut regions = Vec::new();
    let answered = loop {
        let id = format!("left-{}", regions.len());
        let region = json!({"region": {"id": id}});
        regions.push(id);
        let patience = async {
            for _ in 1..1_u64 << (regions.len() - 1) {
                yield_now().await;
            }
        };
        tokio::select! {
            biased;
            answer = admin.post("/v3/regions", &region) => break answer,
            () = patience => {}
        }
    };
    answered.created();
    assert!(regions.len() > 1, "it was answered at once");
    cloud.keystone.shutdown().await;
    let announced = fs::read_to_string(path).unwrap();
    for id in regions {
        let info = format!("\"resource_info\": \"{id}\"");
        assert!(announced.contains(&info), "{id} is not announced");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disconnecting_clients_leave_no_connection_in_use() {
    let cloud = Cloud::new().await;
    let db = cloud.keystone.db().clone();
    fill(&db).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client {
        server: listener.local_addr().unwrap(),
        token: cloud.admin().await.token().to_owned(),
        subject: cloud.system_admin().await.token().to_owned(),
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let router = cloud.keystone.router();
    let served = axum::serve(listener, router).with_graceful_shutdown(async {
        stopped.await.ok();
    });
    let serving = tokio::spawn(async { served.await });
    let usual = {
        let client = client.clone();
        move || {
            let client = client.clone();
            tokio::task::spawn_blocking(move || client.usual())
        }
    };
    let before = usual().await.unwrap();

    let leavers: Vec<_> = (0..CLIENTS)
        .map(|i| {
            let client = client.clone();
            thread::spawn(move || client.leave(i * REQUESTS))
        })
        .collect();
    let leaving = tokio::task::spawn_blocking(|| {
        let joined = leavers.into_iter().map(|leaver| leaver.join().unwrap());
        joined.collect::<Vec<_>>()
    });
    let mut left = 0;
    for (answers, gone) in leaving.await.unwrap() {
        left += gone;
        for (status, answer) in answers {
            assert_ne!(status, 500, "{answer}");
        }
    }
    assert!(left > 1000, "{left}");

    let rest = timeout(LONG, async {
        while db.connections_in_use() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    });
    rest.await.expect("connections are still in use");
    assert_eq!(usual().await.unwrap(), before);
    stop.send(()).unwrap();
    let second = Duration::from_millis(1500);
    let ended = timeout(second, serving).await.expect("requests go on");
    ended.unwrap().unwrap();
    let closed = timeout(second, db.close()).await;
    closed.expect("connections are waited for");
}
