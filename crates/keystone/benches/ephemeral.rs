//! How long a test waits for a cloud of its own, and for a user with a token in it.

use divan::Bencher;
use keystone::Keystone;
use tokio::runtime::{Builder, Runtime};

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("threads can be started")
}

#[divan::bench]
fn ready(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    bencher.bench_local(|| {
        let cloud = runtime.block_on(Keystone::ephemeral());
        cloud.expect("a cloud in memory")
    });
}

#[divan::bench]
fn ready_with_a_token(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    bencher.bench_local(|| {
        runtime.block_on(async {
            let cloud = Keystone::ephemeral().await.expect("a cloud in memory");
            let granted = cloud.grant("alice", "laboratory", "member").await;
            granted.expect("names are free in a new cloud");
            let token = cloud.token("alice", "laboratory").await;
            token.expect("alice has a role")
        })
    });
}
