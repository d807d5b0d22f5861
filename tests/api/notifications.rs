//! Notifications: logins that this server could not decide, and the end after a second signal.

use std::fs;
use std::path::PathBuf;

use keystone::Settings;
use keystone::auth::announce_password;
use keystone::identity::Rejected;
use keystone::notify::{Announcer, Initiator, SinkSettings};
use keystone::types::Error;
use keystone_testkit::Cloud;
use serde_json::json;

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
