//! What the tests of this crate start from.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use keystone_storage::{
    Db,
    schema::{self, Phase},
    sql,
};
use keystone_types::{Page, Resource, Result};
use serde_json::{Map, Value};

use crate::{Catalog, Endpoint, Region, Service, Settings};

/// A catalog in an empty database.
pub(crate) async fn catalog() -> Catalog {
    Catalog::new(db().await, Settings::default())
}

async fn db() -> Db {
    let db = Db::memory().await.unwrap();
    schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    db
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
