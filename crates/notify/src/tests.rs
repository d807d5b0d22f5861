//! Sinks that are slow, away or full, in virtual time.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use keystone_types::Clock;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::message::Writer;
use crate::queue::Queue;
use crate::{Counts, Event, Initiator, Notifier, Operation, Settings, SinkSettings, WebhookUrl};

fn start(sink: SinkSettings) -> Notifier {
    try_start(sink).unwrap().unwrap()
}

fn try_start(sink: SinkSettings) -> keystone_types::Result<Option<Notifier>> {
    let settings = Settings {
        sinks: vec![sink],
        ..Settings::default()
    };
    let observer = Box::new(|| Box::pin(async { Ok(Some("keystone".to_owned())) }) as _);
    Notifier::start(&settings, Clock::system(), observer)
}

fn created(id: &str) -> Event {
    Event::resource(Operation::Created, "user", id).by(Initiator::default())
}

fn ids(lines: &str) -> Vec<String> {
    let messages = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let ids = messages.map(|message: Value| {
        let id = message["payload"]["resource_info"].as_str();
        id.unwrap().to_owned()
    });
    ids.collect()
}

#[tokio::test]
async fn full_queue_drops_the_oldest_message_and_counts_it() {
    let writer = Writer::new(&Settings::default(), Clock::system());
    let queue = Queue::new("test");
    for id in 0..10_003 {
        let message = writer.message(&created(&id.to_string()));
        queue.add(Arc::new(message.unwrap()));
    }
    let counts = queue.counts();
    assert_eq!((counts.waiting, counts.dropped), (10_000, 3));
    let batch = queue.next().await.unwrap();
    assert!(batch[0].text(None).contains("\"resource_info\": \"3\""));
}

#[tokio::test]
async fn queue_and_batch_are_bounded_by_bytes() {
    let writer = Writer::new(&Settings::default(), Clock::system());
    let queue = Queue::new("test");
    for digit in 0..40 {
        let id = format!("{digit}{}", "x".repeat(400_000));
        queue.add(Arc::new(writer.message(&created(&id)).unwrap()));
        if digit == 0 {
            assert_eq!(queue.next().await.unwrap().len(), 1);
        }
    }
    // An id is in its message twice, so each has 800 kB.
    let counts = queue.counts();
    assert_eq!((counts.waiting, counts.dropped), (20, 20));
    queue.sent(1);
    assert_eq!(queue.next().await.unwrap().len(), 1);
    queue.add(Arc::new(writer.message(&created("1")).unwrap()));
    let counts = queue.counts();
    assert_eq!((counts.waiting, counts.dropped), (20, 20));
}

#[tokio::test]
async fn moved_file_is_created_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    let notifier = start(SinkSettings::JsonLines(path.clone()));
    notifier.send(&created("1"));
    notifier.flush().await;
    let moved = directory.path().join("audit.1");
    fs::rename(&path, &moved).unwrap();
    notifier.send(&created("2"));
    notifier.send(&created("3"));
    notifier.flush().await;
    assert_eq!(ids(&fs::read_to_string(moved).unwrap()), ["1"]);
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(ids(&text), ["2", "3"]);
    assert!(text.contains("\"observer\": {\"id\": \"keystone\""));
}

#[tokio::test]
async fn only_regular_files_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [socket, "/dev/null".into(), directory.path().to_owned()] {
        let refused = try_start(SinkSettings::JsonLines(path.clone()));
        assert!(refused.is_err(), "{}", path.display());
    }
    let path = directory.path().join("audit");
    let notifier = start(SinkSettings::JsonLines(path.clone()));
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    notifier.send(&created("1"));
    while notifier.counts()[0].last_error.is_none() {
        assert_eq!(notifier.counts()[0].sent, 0);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn file_that_root_makes_belongs_to_the_owner_of_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    // Others than root can't give a directory away, nor a file.
    if chown(directory.path(), Some(1), Some(2)).is_err() {
        return;
    }
    let path = directory.path().join("audit");
    let notifier = start(SinkSettings::JsonLines(path.clone()));
    notifier.send(&created("1"));
    notifier.flush().await;
    let made = fs::metadata(path).unwrap();
    assert_eq!((made.uid(), made.gid()), (1, 2));
}

#[tokio::test]
async fn file_behind_a_link_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let [link, path] = ["audit", "elsewhere"].map(|name| directory.path().join(name));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let notifier = start(SinkSettings::JsonLines(link));
    notifier.send(&created("1"));
    notifier.flush().await;
    fs::rename(&path, directory.path().join("old")).unwrap();
    notifier.send(&created("2"));
    notifier.flush().await;
    assert_eq!(ids(&fs::read_to_string(path).unwrap()), ["2"]);
}

#[tokio::test(start_paused = true)]
async fn failed_write_is_retried() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("missing");
    let path = below.join("audit");
    let notifier = start(SinkSettings::JsonLines(path.clone()));
    notifier.send(&created("1"));
    while notifier.counts()[0].last_error.is_none() {
        tokio::task::yield_now().await;
    }
    fs::create_dir(&below).unwrap();
    notifier.send(&created("2"));
    notifier.flush().await;
    // A line that may have been cut is ended first.
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(ids(text.strip_prefix('\n').unwrap()), ["1", "2"]);
    let counts = Counts {
        sink: "1:json_lines".to_owned(),
        waiting: 0,
        sent: 2,
        dropped: 0,
        last_error: None,
    };
    assert_eq!(notifier.counts(), [counts]);
}

#[tokio::test(start_paused = true)]
async fn close_waits_for_five_seconds_and_counts_dropped_messages() {
    let path = "/proc/there/is/no/such/directory".into();
    let notifier = start(SinkSettings::JsonLines(path));
    notifier.send(&created("1"));
    notifier.send(&created("2"));
    let begun = tokio::time::Instant::now();
    notifier.close().await;
    assert_eq!(begun.elapsed().as_secs(), 5);
    notifier.send(&created("3"));
    let counts = &notifier.counts()[0];
    assert_eq!((counts.waiting, counts.sent, counts.dropped), (0, 0, 3));
}

#[tokio::test(start_paused = true)]
async fn failing_sink_is_remarked_until_it_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("missing");
    let notifier = start(SinkSettings::JsonLines(below.join("audit")));
    assert_eq!(notifier.remarks(), [""; 0]);
    notifier.send(&created("1"));
    while notifier.counts()[0].last_error.is_none() {
        tokio::task::yield_now().await;
    }
    let remarks = notifier.remarks().concat();
    let start = "notifications can't be sent to 1:json_lines, 1 wait: ";
    assert!(remarks.starts_with(start), "{remarks}");
    fs::create_dir(&below).unwrap();
    notifier.flush().await;
    assert_eq!(notifier.remarks(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn messages_are_counted_as_dropped_where_the_close_is_cut_short() {
    let notifier = start(SinkSettings::JsonLines("/proc/there/is/no/file".into()));
    notifier.send(&created("1"));
    let second = Duration::from_secs(1);
    let closed = tokio::time::timeout(second, notifier.close()).await;
    assert!(closed.is_err());
    notifier.close_within(Duration::ZERO).await;
    let counts = &notifier.counts()[0];
    assert_eq!((counts.waiting, counts.dropped), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn close_waits_for_events_that_are_still_being_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    let notifier = start(SinkSettings::JsonLines(path.clone()));
    let late = |seconds, id| async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Some(created(id))
    };
    notifier.send_later(late(1, "1"));
    notifier.flush().await;
    assert_eq!(ids(&fs::read_to_string(&path).unwrap()), ["1"]);
    notifier.send_later(late(4, "2"));
    notifier.send_later(late(6, "3"));
    notifier.send_later(async { None });
    notifier.close().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ids(&fs::read_to_string(&path).unwrap()), ["1", "2"]);
    assert_eq!(notifier.counts()[0].dropped, 1);
}

#[tokio::test]
async fn too_many_events_in_the_making_are_dropped_and_counted() {
    let path = "/proc/there/is/no/such/directory".into();
    let notifier = start(SinkSettings::JsonLines(path));
    for _ in 0..1003 {
        notifier.send_later(std::future::pending());
    }
    assert_eq!(notifier.counts()[0].dropped, 3);
}

#[tokio::test]
async fn opted_out_events_are_not_sent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    let settings = Settings {
        opt_out: vec!["identity.user.created".to_owned()],
        sinks: vec![SinkSettings::JsonLines(path.clone())],
        ..Settings::default()
    };
    let observer = Box::new(|| Box::pin(async { Ok(None) }) as _);
    let notifier = Notifier::start(&settings, Clock::system(), observer);
    let notifier = notifier.unwrap().unwrap();
    notifier.send(&created("1"));
    notifier.send(&Event::resource(Operation::Deleted, "user", "2"));
    notifier.close().await;
    assert_eq!(ids(&fs::read_to_string(path).unwrap()), ["2"]);
}

/// A server that answers with these statuses, the last one from then on, and keeps what it got.
async fn server(statuses: &'static [u16]) -> (WebhookUrl, Arc<Mutex<Vec<String>>>) {
    type Got = Arc<Mutex<Vec<String>>>;
    let got = Got::default();
    let answer = async move |State(got): State<Got>, body: String| {
        let mut got = got.lock().unwrap();
        let status = statuses.get(got.len()).or(statuses.last());
        got.push(body);
        StatusCode::from_u16(*status.unwrap()).unwrap()
    };
    let router = Router::new()
        .route("/hook", post(answer))
        .with_state(Arc::clone(&got));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let url = WebhookUrl::parse(&format!("http://{address}/hook"));
    (url.unwrap(), got)
}

#[tokio::test]
async fn webhook_gets_each_message_and_is_retried_after_503() {
    let (url, got) = server(&[200, 503, 200]).await;
    let notifier = start(SinkSettings::Webhook(url));
    notifier.send(&created("1"));
    notifier.send(&created("2"));
    notifier.flush().await;
    let got = got.lock().unwrap().join("\n");
    assert_eq!(ids(&got), ["1", "2", "2"]);
    assert_eq!(notifier.counts()[0].dropped, 0);
}

#[tokio::test]
async fn message_refused_by_a_webhook_is_dropped_and_counted() {
    let (url, got) = server(&[400, 200]).await;
    let notifier = start(SinkSettings::Webhook(url));
    notifier.send(&created("1"));
    notifier.send(&created("2"));
    notifier.flush().await;
    assert_eq!(ids(&got.lock().unwrap().join("\n")), ["1", "2"]);
    let counts = &notifier.counts()[0];
    assert_eq!((counts.sent, counts.dropped), (1, 1));
}

#[test]
fn webhook_has_no_user_and_shows_its_host_only() {
    for url in [
        "https://u:secret@hook/",
        "https://u@hook",
        "ftp://hook/secret",
        "/secret",
        "hook",
    ] {
        let error = WebhookUrl::parse(url).unwrap_err();
        assert!(!error.contains("secret"), "{url}");
    }
    let url = WebhookUrl::parse("https://hook:1/secret?key=secret").unwrap();
    let shown = format!("{:?}", SinkSettings::Webhook(url));
    assert_eq!(shown, "Webhook(WebhookUrl(hook/[redacted]))");
}
