//! Notifications: logins that this server could not decide, a bootstrap, and the end after a second signal.

use std::fs;
use std::path::PathBuf;

use keystone::auth::announce_password;
use keystone::identity::Rejected;
use keystone::notify::{Announcer, Initiator, SinkSettings};
use keystone::types::Error;
use keystone::{Bootstrap, Keystone, Settings};
use keystone_testkit::Cloud;
use serde_json::{Value, json};

async fn cloud(sinks: [PathBuf; 1]) -> Cloud {
    let mut settings = Settings::default();
    settings.notifications.sinks = sinks.map(SinkSettings::JsonLines).to_vec();
    Cloud::with(settings).await
}

#[tokio::test]
async fn failures_of_the_server_are_not_announced_as_failed_logins() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("announced");
    let cloud = cloud([path.clone()]).await;
    let announcer = Announcer {
        notifier: cloud.keystone.notifier().expect("there is a sink"),
        initiator: Initiator::default(),
    };
    for (user, error) in [
        ("busy", Error::busy(1, "too many logins")),
        ("broken", Error::internal("the database is away")),
        ("wrong", Error::unauthorized("the password is wrong")),
    ] {
        let rejected = Rejected::Other(error);
        announce_password(&announcer, user, Some(user), Err(&rejected), None);
    }
    announcer.notifier.flush().await;
    let text = fs::read_to_string(path).expect("something was announced");
    assert_eq!(text.lines().count(), 1);
    assert!(text.contains("\"username\": \"wrong\""), "{text}");
}

#[tokio::test]
async fn notifications_that_are_dropped_at_the_end_are_counted() {
    let missing = "/proc/there/is/no/such/directory";
    let cloud = cloud([missing.into()]).await;
    let notifier = cloud.keystone.notifier().expect("there is a sink");
    let admin = cloud.admin().await;
    let region = json!({"region": {"id": "last"}});
    admin.post("/v3/regions", &region).await.created();
    cloud.keystone.drop_notifications().await;
    let counts = &notifier.counts()[0];
    assert_eq!((counts.waiting, counts.dropped), (0, 1));
}

/// What Keystone 30.0.0 announces, but for a role assignment that fails because it is there the second time.
#[tokio::test]
async fn bootstrap_announces_what_it_makes_and_changes() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("announced");
    let mut settings = Settings::default();
    settings.notifications.sinks = vec![SinkSettings::JsonLines(path.clone())];
    let keystone = Keystone::builder()
        .settings(settings)
        .database("sqlite::memory:");
    let keystone = keystone.build().await.expect("it starts");
    let mut wanted = Bootstrap::new("secret").url("http://k").region("RegionOne");
    keystone.bootstrap(&wanted).await.expect("it works");
    wanted.password = "other".into();
    keystone.bootstrap(&wanted).await.expect("it works again");
    keystone.shutdown().await;
    let text = fs::read_to_string(path).expect("something was announced");
    let messages = text.lines().map(|line| {
        let message: Value = serde_json::from_str(line).expect("a line is JSON");
        assert_eq!(message["payload"].get("initiator"), None, "{message}");
        assert_eq!(message["payload"]["outcome"], "success", "{message}");
        message["event_type"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    });
    let created = "domain project user role role role role role";
    let created = created
        .split(' ')
        .map(|kind| format!("identity.{kind}.created"));
    let catalog = "role_assignment region service endpoint endpoint endpoint";
    let catalog = catalog
        .split(' ')
        .map(|kind| format!("identity.{kind}.created"));
    let again = "user endpoint endpoint endpoint";
    let again = again
        .split(' ')
        .map(|kind| format!("identity.{kind}.updated"));
    let expected: Vec<String> = created.chain(catalog).chain(again).collect();
    assert_eq!(messages.collect::<Vec<_>>(), expected);
}
