//! A broker that refuses declarations, breaks off, or is away.

use std::sync::Mutex;

use keystone_types::Clock;
use tokio::net::TcpListener;

use super::*;
use crate::amqp::tests::{Asked, Broker};
use crate::message::Writer;
use crate::sink::FailureKind;
use crate::{Event, Notifier, Operation, Settings, SinkSettings};

fn settings(port: u16) -> RabbitSettings {
    RabbitSettings {
        url: TransportUrl::parse(&format!("rabbit://127.0.0.1:{port}")).unwrap(),
        exchange: "keystone".to_owned(),
        topics: vec!["first".to_owned(), "second".to_owned()],
        envelope: Envelope::V2,
        retry: Some(0),
        durable: false,
        auto_delete: false,
        mirrored: false,
        quorum: None,
        tls: None,
        login_method: "AMQPLAIN".to_owned(),
        heartbeat: 0,
        pauses: [0, 0, 0],
    }
}

fn messages(count: usize) -> Vec<Arc<Message>> {
    let writer = Writer::new(&Settings::default(), Clock::system());
    let event = |number: usize| Event::resource(Operation::Created, "user", number.to_string());
    let message = |number| Arc::new(writer.message(&event(number)).unwrap());
    (0..count).map(message).collect()
}

/// Serves connections one after another: refuses to declare what is `refused`, notes all that it agrees to, and closes the
/// connection once so many texts were published, of which it confirms the first ones.
async fn serve(
    listener: &TcpListener,
    refused: &[&str],
    (mut texts, confirmed): (u64, u64),
    agreed: &Mutex<Vec<String>>,
) {
    while texts > 0 {
        let (stream, _) = listener.accept().await.unwrap();
        let (mut broker, _) = Broker::accept(stream, "AMQPLAIN").await.unwrap();
        let mut tag = 0;
        while texts > 0 {
            let asked = broker.asked().await.unwrap();
            let text = match &asked {
                Asked::Exchange(name) => format!("exchange {name}"),
                Asked::Queue(name) => format!("queue {name}"),
                Asked::Bind(name) => format!("bind {name}"),
                Asked::Publish(key, _) => {
                    tag += 1;
                    texts -= 1;
                    if tag <= confirmed {
                        broker.confirm(tag, false).await.unwrap();
                    }
                    format!("publish {key}")
                }
            };
            if refused.contains(&&*text) {
                broker.refuse().await.unwrap();
                break;
            }
            agreed.lock().unwrap().push(text);
            broker.agree(&asked).await.unwrap();
        }
    }
}

#[tokio::test]
async fn only_the_refused_declaration_is_left_out_and_only_for_one_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut rabbit = Rabbit::new(&settings(port), "tests").unwrap();
    let (messages, agreed) = (messages(1), Mutex::default());
    let refused = ["exchange keystone", "queue first.info"];
    let served = serve(&listener, &refused, (2, 2), &agreed);
    let ((done, failure), ()) = tokio::join!(rabbit.send(&messages, None), served);
    assert!(done == 1 && failure.is_none(), "{failure:?}");
    let all: Vec<String> = std::mem::take(&mut *agreed.lock().unwrap());
    let last = ["bind first.info", "queue second.info", "bind second.info"];
    assert_eq!(
        all,
        [&last[..], &["publish first.info", "publish second.info"]].concat()
    );
    assert_eq!(rabbit.warned.len(), 2);
    // The broker has lost them.
    rabbit.listen().await;
    let served = serve(&listener, &[], (2, 2), &agreed);
    let ((done, _), ()) = tokio::join!(rabbit.send(&messages, None), served);
    assert_eq!(done, 1);
    let all = agreed.lock().unwrap().join(", ");
    let first = "exchange keystone, queue first.info, bind first.info, queue second.info, ";
    assert!(all.starts_with(first), "{all}");
}

#[tokio::test]
async fn messages_that_were_confirmed_for_all_topics_are_done() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut rabbit = Rabbit::new(&settings(port), "tests").unwrap();
    let (messages, agreed) = (messages(4), Mutex::default());
    let served = serve(&listener, &[], (8, 5), &agreed);
    let ((done, failure), ()) = tokio::join!(rabbit.send(&messages, None), served);
    assert_eq!(done, 2);
    assert_eq!(failure.unwrap().kind, FailureKind::Away);
}

#[tokio::test]
async fn without_retries_a_batch_takes_one_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = Settings {
        sinks: vec![SinkSettings::Rabbit(Box::new(settings(port)))],
        opt_out: Vec::new(),
        ..Settings::default()
    };
    let observer = Box::new(|| Box::pin(async { Ok(None) }) as _);
    let notifier = Notifier::start(&settings, Clock::system(), observer);
    let notifier = notifier.unwrap().unwrap();
    for number in 0..250 {
        let id = number.to_string();
        notifier.send(&Event::resource(Operation::Created, "user", id));
    }
    let mut connections = 0;
    let flushed = notifier.flush();
    tokio::pin!(flushed);
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => {
                drop(accepted);
                connections += 1;
            }
            () = &mut flushed => break,
        }
    }
    assert_eq!(notifier.counts()[0].dropped, 250);
    assert_eq!(connections, 3);
}
