//! The fixture of this crate's tests.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use keystone_storage::{
    DatabaseUrl, Db, PoolOptions,
    schema::{self, Phase},
    sql,
};
use keystone_types::{Page, Resource, Result, new_id};
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::{Catalog, Endpoint, Region, Service, Settings};

/// A catalog in an empty database: in memory, or on the server that `KEYSTONE_TEST_DATABASE` names.
pub(crate) async fn catalog() -> Catalog {
    let db = match server() {
        Some(server) => open(&on_server(&server).await).await,
        None => Db::memory().await.unwrap(),
    };
    schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    Catalog::new(db, Settings::default())
}

/// The catalogs of two nodes on one database, which is a file where no server is named.
pub(crate) async fn two_nodes() -> ([Catalog; 2], TempDir) {
    let folder = TempDir::new().unwrap();
    let url = match server() {
        Some(server) => on_server(&server).await,
        None => format!("sqlite:///{}", folder.path().join("test.db").display()),
    };
    let (one, other) = (open(&url).await, open(&url).await);
    schema::sync(&one, Phase::All, |_| {}).await.unwrap();
    let nodes = [one, other].map(|db| Catalog::new(db, Settings::default()));
    (nodes, folder)
}

#[expect(clippy::disallowed_methods, reason = "the tests' one variable")]
fn server() -> Option<String> {
    std::env::var("KEYSTONE_TEST_DATABASE").ok()
}

async fn on_server(url: &str) -> String {
    let name = format!("test_{}", new_id());
    // The name is generated, so it is safe in the text.
    let create: &'static str = Box::leak(format!("CREATE DATABASE {name}").into_boxed_str());
    sql(create).execute(&open(url).await).await.unwrap();
    let (base, _) = url.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

async fn open(url: &str) -> Db {
    let url = DatabaseUrl::parse(url).unwrap();
    Db::connect(&url, &PoolOptions::default()).await.unwrap()
}

/// Projects to associate something with.
pub(crate) async fn projects(catalog: &Catalog, ids: &[&str]) {
    for id in ids {
        let text = "INSERT INTO project (id, name, domain_id) SELECT ?, ?, id FROM project WHERE is_domain = 1 AND id = domain_id";
        run(catalog, text, &[id, id]).await;
    }
}

/// The same, with a service of type `compute` in region `west`.
pub(crate) async fn with_nova() -> (Catalog, Service) {
    let catalog = catalog().await;
    catalog.create_region(Region::new("west")).await.unwrap();
    let nova = catalog.create_service(Service::new("compute", "nova"));
    let nova = nova.await.unwrap();
    (catalog, nova)
}

/// An endpoint of `service` in region `west`.
pub(crate) async fn endpoint(
    catalog: &Catalog,
    service: &Service,
    interface: &str,
    url: &str,
) -> Endpoint {
    let endpoint = Endpoint::new(&service.id, interface, Some("west".to_owned()), url);
    catalog.create_endpoint(endpoint).await.unwrap()
}

/// The catalog, and the number of statements run through it.
pub(crate) fn counted(catalog: &Catalog) -> (Catalog, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let observer = Arc::new(move |_: &str| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let db = catalog.db.clone().observed(observer);
    (Catalog::new(db, catalog.settings.clone()), count)
}

/// Runs a statement that no function of the crate runs.
pub(crate) async fn run(catalog: &Catalog, text: &'static str, args: &[&str]) {
    let query = args.iter().fold(sql(text), |query, arg| query.bind(*arg));
    query.execute(&catalog.db).await.unwrap();
}

/// The number that `SELECT COUNT(*)` yields.
pub(crate) async fn count(catalog: &Catalog, text: &'static str) -> i64 {
    let (count,): (i64,) = sql(text).fetch_one(&catalog.db).await.unwrap();
    count
}

/// The one text that a statement yields.
pub(crate) async fn text(catalog: &Catalog, query: &'static str) -> String {
    let (text,): (String,) = sql(query).fetch_one(&catalog.db).await.unwrap();
    text
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else {
        panic!("not an object: {value}")
    };
    map
}

pub(crate) fn ids<R: Resource>(page: &Page<R>) -> Vec<&str> {
    page.items.iter().map(Resource::id).collect()
}

/// Status and text of a failure.
pub(crate) fn failure<T: std::fmt::Debug>(result: Result<T>) -> (u16, String) {
    let error = result.unwrap_err();
    (error.status(), error.to_string())
}
