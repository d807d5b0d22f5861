//! What the guard adds to a request whose token is known: compare `guarded` with `bare`.

use std::convert::Infallible;
use std::future::Ready;
use std::hint::black_box;
use std::task::{Context, Poll};

use divan::Bencher;
use http::{Request, Response};
use keystone_middleware::{NotValidated, TokenBody, TokenLayer, Validate, Wanted};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service};

/// As long as a Fernet token of a project.
const TOKEN: &str = "gAAAAABpJwAAhVhPjUZ5bLJc4g1dDqGv0X2r8mEYTn6KkW3sBQoZfAyRtNxPiVuCe7Sj9HbMwLaO5TqFzI1vUcXgDpYhJ2nE4kBrWt6sGmA8ZxQf0oL3yVbNiPdRjTuCeHwKaMqS5gXzFvO7IcYlE1hDnBpU9tJ4rWk2sGmA8ZxQ";

fn main() {
    divan::main();
}

/// Answers at once.
#[derive(Clone)]
struct Bare;

impl Service<Request<()>> for Bare {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        black_box(&request);
        std::future::ready(Ok(Response::new(String::new())))
    }
}

/// Knows one token, with a catalog of twenty services.
struct Known;

impl Validate for Known {
    async fn validate(&self, _: &str, _: Wanted) -> Result<TokenBody, NotValidated> {
        let domain = json!({"id": "default", "name": "Default"});
        let service = |n: usize| {
            let endpoint = |interface: &str| json!({"interface": interface, "region": "RegionOne", "url": "http://controller:9292/v2"});
            json!({"type": format!("service-{n}"), "name": "service", "endpoints": [
                endpoint("public"), endpoint("internal"), endpoint("admin"),
            ]})
        };
        let catalog: Vec<Value> = (0..20).map(service).collect();
        let token = json!({
            "methods": ["password"],
            "user": {"id": "6f3a1c2d4e5b46978a9b0c1d2e3f4a5b", "name": "alice", "domain": domain},
            "project": {"id": "0a1b2c3d4e5f46978a9b0c1d2e3f4a5b", "name": "images", "domain": domain},
            "roles": [{"id": "1", "name": "member"}, {"id": "2", "name": "reader"}],
            "issued_at": "2026-01-31T12:00:00.000000Z",
            "expires_at": "2999-01-31T12:00:00.000000Z",
            "catalog": catalog,
        });
        Ok(json!({ "token": token }).to_string().into_bytes().into())
    }

    fn may_be_kept(&self) -> bool {
        true
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime of one thread")
}

/// With the headers that a client and a proxy send.
fn request() -> Request<()> {
    Request::builder()
        .uri("/v2/images")
        .header("host", "image.example:9292")
        .header("user-agent", "openstacksdk/4.22.0 keystoneauth1/5.18.1")
        .header("accept", "application/json")
        .header("accept-encoding", "gzip, deflate")
        .header("x-forwarded-for", "192.0.2.1")
        .header("x-forwarded-proto", "https")
        .header("x-auth-token", TOKEN)
        .body(())
        .expect("a request")
}

fn run<S>(bencher: Bencher<'_, '_>, mut service: S)
where
    S: Service<Request<()>, Response = Response<String>, Error = Infallible>,
{
    let runtime = runtime();
    runtime
        .block_on(service.call(request()))
        .expect("an answer");
    bencher
        .with_inputs(request)
        .bench_local_values(|request| runtime.block_on(service.call(request)));
}

#[divan::bench]
fn bare(bencher: Bencher<'_, '_>) {
    run(bencher, Bare);
}

#[divan::bench]
fn guarded(bencher: Bencher<'_, '_>) {
    run(bencher, TokenLayer::new(Known).layer(Bare));
}

#[divan::bench]
fn guarded_without_identity_headers(bencher: Bencher<'_, '_>) {
    run(
        bencher,
        TokenLayer::new(Known).identity_headers(false).layer(Bare),
    );
}
