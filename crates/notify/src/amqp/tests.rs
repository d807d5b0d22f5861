//! A broker of one connection, and what a publisher makes of its answers.

use std::time::Duration;

use tokio::io::{DuplexStream, duplex};
use tokio::time::timeout;

use super::*;

const LOGIN: Login<'_> = Login {
    mechanism: "AMQPLAIN",
    user: "guest",
    password: "guest",
    virtual_host: "/",
    name: "tests",
    heartbeat: 10,
};

/// The broker's side of a connection.
pub(crate) struct Broker<S> {
    socket: S,
    received: BytesMut,
}

/// A method of the publisher that a test acts on.
#[derive(Debug)]
pub(crate) enum Asked {
    Exchange(String),
    Queue(String),
    Bind(String),
    /// The routing key and the body.
    Publish(String, String),
}

impl<S: Socket> Broker<S> {
    /// Lets a publisher in that logs in by one of the mechanisms; returns the one that it takes.
    pub(crate) async fn accept(socket: S, mechanisms: &str) -> Result<(Self, String)> {
        let mut broker = Self {
            socket,
            received: BytesMut::new(),
        };
        let mut greeting = [0; 8];
        broker.socket.read_exact(&mut greeting).await?;
        assert_eq!(&greeting, b"AMQP\x00\x00\x09\x01");
        let none = Arguments::default;
        let start = none().number(9, 2).table(&[]);
        let start = start.long(mechanisms.as_bytes()).long(b"en_US");
        broker.send(0, START, start).await?;
        let mut reply = broker.expect(START_OK).await?;
        reply.long()?;
        let mechanism = reply.short()?;
        let tune = none().number(2047, 2).number(4096, 4).number(10, 2);
        broker.send(0, TUNE, tune).await?;
        broker.expect(OPEN).await?;
        broker.send(0, OPEN_OK, none().short("")).await?;
        broker.expect(CHANNEL_OPEN).await?;
        let opened = none().long(b"");
        broker.send(CHANNEL, CHANNEL_OPEN_OK, opened).await?;
        broker.expect(CONFIRM).await?;
        broker.send(CHANNEL, CONFIRM_OK, none()).await?;
        Ok((broker, mechanism))
    }

    async fn send(&mut self, channel: u16, method: Method, arguments: Arguments) -> Result<()> {
        let mut frame = Vec::new();
        add_method(&mut frame, channel, method, arguments);
        Ok(self.socket.write_all(&frame).await?)
    }

    async fn frame(&mut self) -> Result<(u8, BytesMut)> {
        loop {
            if let Some((kind, payload)) = take_frame(&mut self.received)? {
                assert!(payload.len() + 8 <= 4096, "a frame is too long");
                return Ok((kind, payload));
            }
            if self.socket.read_buf(&mut self.received).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    async fn method(&mut self) -> Result<(Method, Received)> {
        loop {
            if let (METHOD, payload) = self.frame().await? {
                let mut arguments = Received(payload);
                let mut number = || Ok::<_, Broken>(u16::try_from(arguments.number(2)?).unwrap());
                return Ok(((number()?, number()?), arguments));
            }
        }
    }

    async fn expect(&mut self, wanted: Method) -> Result<Received> {
        loop {
            let (method, arguments) = self.method().await?;
            if method == wanted {
                return Ok(arguments);
            }
        }
    }

    /// The next declaration, binding or message.
    pub(crate) async fn asked(&mut self) -> Result<Asked> {
        let (method, mut arguments) = self.method().await?;
        arguments.skip(2)?;
        let name = arguments.short()?;
        Ok(match method {
            EXCHANGE_DECLARE => Asked::Exchange(name),
            QUEUE_DECLARE => Asked::Queue(name),
            QUEUE_BIND => Asked::Bind(name),
            PUBLISH => {
                let key = arguments.short()?;
                let (kind, mut header) = self.frame().await?;
                assert_eq!(kind, HEADER);
                header.advance(4);
                let size = usize::try_from(header.get_u64()).unwrap();
                let mut body = Vec::new();
                while body.len() < size {
                    let (kind, piece) = self.frame().await?;
                    assert_eq!(kind, BODY);
                    body.extend(piece);
                }
                Asked::Publish(key, String::from_utf8(body).unwrap())
            }
            other => panic!("unexpected method {other:?}"),
        })
    }

    /// Does what was asked for.
    pub(crate) async fn agree(&mut self, to: &Asked) -> Result<()> {
        let none = Arguments::default();
        match to {
            Asked::Exchange(_) => self.send(CHANNEL, EXCHANGE_DECLARE_OK, none).await,
            Asked::Queue(name) => {
                let declared = none.short(name).number(0, 4).number(0, 4);
                self.send(CHANNEL, QUEUE_DECLARE_OK, declared).await
            }
            Asked::Bind(_) => self.send(CHANNEL, QUEUE_BIND_OK, none).await,
            Asked::Publish(..) => Ok(()),
        }
    }

    /// Closes the channel as for a declaration that differs.
    pub(crate) async fn refuse(&mut self) -> Result<()> {
        let text = "PRECONDITION_FAILED - inequivalent arg";
        let close = Arguments::default().number(406, 2).short(text);
        self.send(CHANNEL, CHANNEL_CLOSE, close.number(0, 4)).await
    }

    /// Confirms a message, or with it all before it.
    pub(crate) async fn confirm(&mut self, tag: u64, multiple: bool) -> Result<()> {
        let ack = Arguments::default().number(tag, 8).flags(multiple.into());
        self.send(CHANNEL, ACK, ack).await
    }
}

/// A connection, and the broker's side of it once a publisher has been let in.
async fn connected(buffer: usize) -> (Connection, Broker<DuplexStream>) {
    let (ours, theirs) = duplex(buffer);
    let (connection, accepted) = tokio::join!(
        Connection::open(Box::new(ours), LOGIN),
        Broker::accept(theirs, "PLAIN AMQPLAIN"),
    );
    let (broker, mechanism) = accepted.unwrap();
    assert_eq!(mechanism, "AMQPLAIN");
    (connection.unwrap(), broker)
}

fn texts(count: usize) -> Vec<(String, String)> {
    let text = |number: usize| ("key".to_owned(), number.to_string());
    (0..count).map(text).collect()
}

/// Waits for both sides, for a minute at most.
async fn both<T, U>(ours: impl Future<Output = T>, theirs: impl Future<Output = U>) -> (T, U) {
    let both = async { tokio::join!(ours, theirs) };
    timeout(Duration::from_mins(1), both).await.unwrap()
}

async fn take(broker: &mut Broker<DuplexStream>, count: usize) {
    for number in 0..count {
        let Ok(Asked::Publish(key, body)) = broker.asked().await else {
            panic!("no message");
        };
        assert_eq!((key, body), ("key".to_owned(), number.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn acks_and_nacks_are_noted_by_message() {
    let (mut connection, mut broker) = connected(1 << 16).await;
    let (texts, mut confirmed) = (texts(6), Vec::new());
    let answers = async {
        take(&mut broker, 6).await;
        broker.confirm(2, true).await.unwrap();
        let nack = Arguments::default().number(4, 8).flags(1);
        broker.send(CHANNEL, NACK, nack).await.unwrap();
        broker.confirm(6, false).await.unwrap();
        broker.confirm(5, false).await.unwrap();
    };
    let (published, ()) = both(connection.publish("x", &texts, &mut confirmed), answers).await;
    published.unwrap();
    let wanted = [true, true, false, false, true, true];
    assert_eq!(confirmed, wanted.map(Some));
    // Tags go on.
    let answers = async {
        take(&mut broker, 1).await;
        broker.confirm(7, false).await.unwrap();
    };
    let (published, ()) = both(
        connection.publish("x", &texts[..1], &mut confirmed),
        answers,
    )
    .await;
    published.unwrap();
    assert_eq!(confirmed, [Some(true)]);
}

#[tokio::test(start_paused = true)]
async fn long_bodies_are_sent_in_frames_and_frames_are_read_by_the_byte() {
    let (mut connection, mut broker) = connected(1).await;
    let long = "x".repeat(10_000);
    let (texts, mut confirmed) = ([("key".to_owned(), long.clone())], Vec::new());
    let answers = async {
        let Ok(Asked::Publish(_, body)) = broker.asked().await else {
            panic!("no message");
        };
        assert_eq!(body, long);
        broker.confirm(1, false).await.unwrap();
    };
    let (published, ()) = both(connection.publish("x", &texts, &mut confirmed), answers).await;
    published.unwrap();
    assert_eq!(confirmed, [Some(true)]);
}

#[tokio::test(start_paused = true)]
async fn frames_that_are_too_long_or_none_end_the_connection() {
    for sent in [
        &b"\x01\x00\x01\x00\x20\x00\x00"[..],
        b"HTTP/1.1 400 Bad Request",
    ] {
        let (mut connection, mut broker) = connected(1 << 16).await;
        broker.socket.write_all(sent).await.unwrap();
        let ended = connection.listen().await;
        assert!(matches!(ended, Err(Broken::Protocol(_))), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn close_while_publishing_keeps_what_was_confirmed() {
    let (mut connection, mut broker) = connected(1 << 16).await;
    let (texts, mut confirmed) = (texts(3), Vec::new());
    let answers = async {
        take(&mut broker, 3).await;
        broker.confirm(1, false).await.unwrap();
        let close = Arguments::default().number(320, 2).short("FORCED");
        broker.send(0, CLOSE, close.number(0, 4)).await.unwrap();
    };
    let (published, ()) = both(connection.publish("x", &texts, &mut confirmed), answers).await;
    assert_eq!(published.unwrap_err().to_string(), "FORCED (320)");
    assert_eq!(confirmed, [Some(true), None, None]);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_go_both_ways_while_publishing() {
    let (mut connection, mut broker) = connected(1 << 16).await;
    let (texts, mut confirmed) = (texts(1), Vec::new());
    let answers = async {
        take(&mut broker, 1).await;
        let mut beat = Vec::new();
        add_frame(&mut beat, HEARTBEAT, 0, &[]);
        for _ in 0..6 {
            assert_eq!(broker.frame().await.unwrap().0, HEARTBEAT);
            broker.socket.write_all(&beat).await.unwrap();
        }
        broker.confirm(1, false).await.unwrap();
    };
    let publish = connection.publish("x", &texts, &mut confirmed);
    let (published, ()) = both(publish, answers).await;
    published.unwrap();
    assert_eq!(confirmed, [Some(true)]);
}

#[tokio::test]
async fn only_passwords_are_sent_by_another_mechanism_than_the_configured_one() {
    for (configured, offered, wanted) in [
        ("AMQPLAIN", "PLAIN", Some("PLAIN")),
        ("EXTERNAL", "PLAIN EXTERNAL", Some("EXTERNAL")),
        ("EXTERNAL", "PLAIN AMQPLAIN", None),
        ("PLAIN", "AMQPLAIN EXTERNAL", None),
        ("RABBIT-CR-DEMO", "PLAIN RABBIT-CR-DEMO", None),
    ] {
        let (ours, theirs) = duplex(1 << 16);
        let login = Login {
            mechanism: configured,
            ..LOGIN
        };
        let (opened, accepted) = tokio::join!(
            Connection::open(Box::new(ours), login),
            Broker::accept(theirs, offered),
        );
        assert_eq!(opened.is_ok(), wanted.is_some(), "{configured}");
        let taken = accepted.ok().map(|(_, mechanism)| mechanism);
        assert_eq!(taken.as_deref(), wanted, "{configured}");
    }
}
