//! What a validation does when everything is known: the gate, the token, and its body with a catalog of 270 endpoints; and
//! what a guard in the same process adds to a request.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use axum::http::{Request, Response, StatusCode};
use chrono::Duration;
use divan::{Bencher, black_box};
use keystone::auth::{Auth, AuthToken, Login, Pass, RequestedScope, TokenRequest, UserChoice};
use keystone::catalog::{Endpoint, Region, Service};
use keystone::{Bootstrap, Keystone};
use keystone_middleware::TokenLayer;
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, ServiceExt, service_fn};

const SERVICES: usize = 30;
const REGIONS: [&str; 3] = ["north", "south", "west"];
const INTERFACES: [&str; 3] = ["admin", "internal", "public"];

fn main() {
    divan::main();
}

/// A cloud in memory, and the token of its administrator.
struct Cloud {
    runtime: Runtime,
    keystone: Keystone,
    auth: Auth,
    token: String,
}

fn cloud() -> Cloud {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("threads can be started");
    let (keystone, auth, token) = runtime.block_on(async {
        let keystone = Keystone::builder()
            .build()
            .await
            .expect("a database in memory");
        let made = keystone.bootstrap(&Bootstrap::new("secret")).await;
        let project_id = made.expect("an empty cloud can be bootstrapped").project_id;
        fill(&keystone).await.expect("endpoints can be created");
        let admin = TokenRequest::password(UserChoice::named("admin", "default"), "secret");
        let request = admin.on(RequestedScope::project(project_id));
        let auth = keystone.auth();
        let token = auth.log_in(request, &Login::default()).await;
        let token = token.expect("the administrator can log in").id;
        (keystone, auth, token)
    });
    Cloud {
        runtime,
        keystone,
        auth,
        token,
    }
}

impl Cloud {
    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn pass(&self) -> Pass {
        self.run(self.auth.pass()).expect("there is a change log")
    }

    async fn validated(&self, pass: Pass) -> Arc<AuthToken> {
        let found = self
            .auth
            .validate_with(pass, black_box(&self.token), Duration::zero());
        found.await.expect("the token is valid")
    }
}

async fn fill(keystone: &Keystone) -> keystone::types::Result<()> {
    let catalog = keystone.catalog();
    for region in REGIONS {
        catalog.create_region(Region::new(region)).await?;
    }
    for n in 0..SERVICES {
        let service = Service::new(format!("kind-{n}"), format!("service-{n}"));
        let service = catalog.ensure_service(service).await?;
        for region in REGIONS {
            for interface in INTERFACES {
                // A fifth of the services have the project in their addresses.
                let end = if n % 5 == 0 { "/$(project_id)s" } else { "" };
                let url = format!("https://service-{n}.{region}.example.org/v1{end}");
                let endpoint = Endpoint::new(&service.id, interface, Some(region.into()), url);
                catalog.ensure_endpoint(endpoint).await?;
            }
        }
    }
    Ok(())
}

/// A read of the change log, which all questions at the same time share.
#[divan::bench]
fn gate(bencher: Bencher<'_, '_>) {
    let cloud = cloud();
    bencher.bench_local(|| cloud.pass());
}

#[divan::bench]
fn known_token(bencher: Bencher<'_, '_>) {
    let cloud = cloud();
    let pass = cloud.pass();
    cloud.run(cloud.validated(pass));
    bencher.bench_local(|| cloud.run(cloud.validated(pass)));
}

#[divan::bench]
fn body(bencher: Bencher<'_, '_>) {
    let cloud = cloud();
    let pass = cloud.pass();
    let token = cloud.run(cloud.validated(pass));
    bencher.bench_local(|| {
        let shared = cloud.run(cloud.auth.shared_parts(pass, black_box(&token)));
        let shared = shared.expect("the catalog can be read");
        token.render(cloud.auth.settings(), shared)
    });
}

/// A request through the guard of a service in the same process.
#[divan::bench]
fn guarded(bencher: Bencher<'_, '_>) {
    let cloud = cloud();
    let behind = service_fn(|request: Request<()>| {
        black_box(&request);
        ready(Ok::<_, Infallible>(Response::new(String::new())))
    });
    let guarded = TokenLayer::new(cloud.keystone.validator()).layer(behind);
    let request = || {
        let request = Request::builder().uri("/v2/images");
        let request = request.header("x-auth-token", &cloud.token).body(());
        request.expect("a request")
    };
    let answer = cloud.run(guarded.clone().oneshot(request()));
    assert_eq!(answer.expect("an answer").status(), StatusCode::OK);
    bencher
        .with_inputs(request)
        .bench_local_values(|request| cloud.run(guarded.clone().oneshot(request)));
}
