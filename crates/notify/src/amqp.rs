//! A publisher of AMQP 0-9-1 with confirms: the methods that it takes to declare an exchange and queues and to publish, on one
//! channel of one connection.
//!
//! `lapin` is the field's crate for this. It is not used because it runs a thread of its own for each connection, has rustls only
//! by way of a feature for certificate stores that brings `p12-keystore`, and locks some fifty more crates, of which 13 to 16 are
//! built; a publisher needs a dozen methods. Should this server ever have to consume messages, `lapin` is to replace this module.

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until};

/// What a connection runs over: TCP, or TLS over it.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Socket for S {}

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const END: u8 = 0xCE;

/// The one channel.
const CHANNEL: u16 = 1;

/// No frame that a broker sends to a publisher is longer.
const LONGEST_FRAME: usize = 1 << 20;

/// An open connection whose channel confirms what is published.
pub(crate) struct Connection {
    socket: Box<dyn Socket>,
    received: BytesMut,
    frame_max: usize,
    /// How often both sides say that they are there; zero where they need not.
    heartbeat: Duration,
    heard: Instant,
    spoken: Instant,
    /// How many messages were published.
    published: u64,
}

/// Who logs in, and where.
#[derive(Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) mechanism: &'a str,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) virtual_host: &'a str,
    /// How the broker shows the connection.
    pub(crate) name: &'a str,
    /// How often both sides say that they are there, in seconds; zero for never.
    pub(crate) heartbeat: u16,
}

/// Why a connection is of no use any more.
#[derive(Debug)]
pub(crate) enum Broken {
    Io(io::Error),
    /// The broker has closed it, or its channel, with this code and text.
    Closed(u16, String),
    /// It does not speak AMQP 0-9-1, or not as it should.
    Protocol(&'static str),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Closed(code, text) => write!(f, "{text} ({code})"),
            Self::Protocol(what) => write!(f, "{what}"),
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

type Result<T> = std::result::Result<T, Broken>;

/// A value in a table.
#[derive(Clone, Debug)]
pub(crate) enum Field {
    Text(String),
    Flag(bool),
    Number(i64),
    Table(Vec<(&'static str, Field)>),
}

/// What is declared of an exchange and of a queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declaration {
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    pub(crate) arguments: Vec<(&'static str, Field)>,
}

/// Class and method, as AMQP numbers them.
type Method = (u16, u16);

/// A method with its arguments; none for a frame of another kind.
type Frame = Option<(Method, Received)>;

const START: Method = (10, 10);
const START_OK: Method = (10, 11);
const TUNE: Method = (10, 30);
const TUNE_OK: Method = (10, 31);
const OPEN: Method = (10, 40);
const OPEN_OK: Method = (10, 41);
const CLOSE: Method = (10, 50);
const CLOSE_OK: Method = (10, 51);
const CHANNEL_OPEN: Method = (20, 10);
const CHANNEL_OPEN_OK: Method = (20, 11);
const CHANNEL_CLOSE: Method = (20, 40);
const EXCHANGE_DECLARE: Method = (40, 10);
const EXCHANGE_DECLARE_OK: Method = (40, 11);
const QUEUE_DECLARE: Method = (50, 10);
const QUEUE_DECLARE_OK: Method = (50, 11);
const QUEUE_BIND: Method = (50, 20);
const QUEUE_BIND_OK: Method = (50, 21);
const PUBLISH: Method = (60, 40);
const ACK: Method = (60, 80);
const NACK: Method = (60, 120);
const CONFIRM: Method = (85, 10);
const CONFIRM_OK: Method = (85, 11);

impl Connection {
    /// Logs in, and opens the channel.
    pub(crate) async fn open(socket: Box<dyn Socket>, login: Login<'_>) -> Result<Self> {
        let now = Instant::now();
        let mut connection = Self {
            socket,
            received: BytesMut::new(),
            frame_max: 4096,
            heartbeat: Duration::ZERO,
            heard: now,
            spoken: now,
            published: 0,
        };
        connection.write(b"AMQP\x00\x00\x09\x01").await?;
        let mut start = connection.expect(START).await?;
        start.skip(2)?;
        start.long()?;
        let offered = String::from_utf8_lossy(&start.long()?).into_owned();
        let is_offered = |name: &str| offered.split(' ').any(|offer| offer == name);
        let mechanism = match login.mechanism {
            name @ ("AMQPLAIN" | "PLAIN" | "EXTERNAL") if is_offered(name) => name,
            // Both prove the user by the password.
            "AMQPLAIN" => "PLAIN",
            _ => {
                return Err(Broken::Protocol(
                    "rabbit_login_method is none that the broker and this server have",
                ));
            }
        };
        let reply = Arguments::default()
            .table(&client_properties(login.name))
            .short(mechanism)
            .long(&response(mechanism, login))
            .short("en_US");
        connection.call(0, START_OK, reply).await?;
        let mut tune = connection.expect(TUNE).await?;
        let (channels, frame_max, heartbeat) = (tune.number(2)?, tune.number(4)?, tune.number(2)?);
        let frame_max = if frame_max == 0 { 131_072 } else { frame_max };
        let heartbeat = match (heartbeat, u64::from(login.heartbeat)) {
            (0, own) => own,
            (theirs, 0) => theirs,
            (theirs, own) => theirs.min(own),
        };
        connection.frame_max = usize::try_from(frame_max).unwrap_or(4096).max(4096);
        connection.heartbeat = Duration::from_secs(heartbeat);
        let tuned = Arguments::default()
            .number(channels, 2)
            .number(frame_max, 4)
            .number(heartbeat, 2);
        connection.call(0, TUNE_OK, tuned).await?;
        let open = Arguments::default().short(login.virtual_host).short("");
        connection.call(0, OPEN, open.flags(0)).await?;
        connection.expect(OPEN_OK).await?;
        let none = Arguments::default;
        connection
            .call(CHANNEL, CHANNEL_OPEN, none().short(""))
            .await?;
        connection.expect(CHANNEL_OPEN_OK).await?;
        connection.call(CHANNEL, CONFIRM, none().flags(0)).await?;
        connection.expect(CONFIRM_OK).await?;
        Ok(connection)
    }

    /// Declares a topic exchange.
    pub(crate) async fn declare_exchange(&mut self, name: &str, as_: &Declaration) -> Result<()> {
        let flags = u8::from(as_.durable) << 1 | u8::from(as_.auto_delete) << 2;
        let declare = Arguments::default()
            .number(0, 2)
            .short(name)
            .short("topic")
            .flags(flags)
            .table(&as_.arguments);
        self.call(CHANNEL, EXCHANGE_DECLARE, declare).await?;
        self.expect(EXCHANGE_DECLARE_OK).await.map(drop)
    }

    /// Declares a queue.
    pub(crate) async fn declare_queue(&mut self, name: &str, as_: &Declaration) -> Result<()> {
        let flags = u8::from(as_.durable) << 1 | u8::from(as_.auto_delete) << 3;
        let declare = Arguments::default()
            .number(0, 2)
            .short(name)
            .flags(flags)
            .table(&as_.arguments);
        self.call(CHANNEL, QUEUE_DECLARE, declare).await?;
        self.expect(QUEUE_DECLARE_OK).await.map(drop)
    }

    /// Binds a queue to an exchange, for messages that have its name as the routing key.
    pub(crate) async fn bind_queue(&mut self, name: &str, exchange: &str) -> Result<()> {
        let bind = Arguments::default()
            .number(0, 2)
            .short(name)
            .short(exchange)
            .short(name)
            .flags(0)
            .table(&[]);
        self.call(CHANNEL, QUEUE_BIND, bind).await?;
        self.expect(QUEUE_BIND_OK).await.map(drop)
    }

    /// Publishes persistent texts of JSON, each under a routing key. `confirmed` has for each of them whether the broker has it,
    /// as far as it has answered, also where this fails or is cancelled.
    pub(crate) async fn publish(
        &mut self,
        exchange: &str,
        messages: &[(String, String)],
        confirmed: &mut Vec<Option<bool>>,
    ) -> Result<()> {
        *confirmed = vec![None; messages.len()];
        let first = self.published + 1;
        let mut frames = Vec::new();
        for (routing_key, body) in messages {
            self.add_message(&mut frames, exchange, routing_key, body.as_bytes());
            self.published += 1;
        }
        self.write(&frames).await?;
        while confirmed.contains(&None) {
            let Some(received) = self.receive_until_due().await? else {
                self.send_heartbeat().await?;
                continue;
            };
            let Some((method, mut arguments)) = received else {
                continue;
            };
            if method != ACK && method != NACK {
                continue;
            }
            let (tag, multiple) = (arguments.number(8)?, arguments.number(1)? & 1 == 1);
            for (index, confirmed) in (first..).zip(&mut *confirmed) {
                if index == tag || (multiple && index < tag) {
                    confirmed.get_or_insert(method == ACK);
                }
            }
        }
        Ok(())
    }

    /// Reads what the broker sends until a heartbeat is due; without heartbeats it never returns. It can be cancelled.
    pub(crate) async fn listen(&mut self) -> Result<()> {
        while self.receive_until_due().await?.is_some() {}
        Ok(())
    }

    /// The next frame; none once a heartbeat is due. It can be cancelled.
    async fn receive_until_due(&mut self) -> Result<Option<Frame>> {
        if self.heartbeat.is_zero() {
            return self.receive().await.map(Some);
        }
        let due = self.spoken + self.heartbeat / 2;
        tokio::select! {
            received = self.receive() => received.map(Some),
            () = sleep_until(due) => Ok(None),
        }
    }

    /// Sends a heartbeat. Fails if the broker has been silent for two intervals.
    pub(crate) async fn send_heartbeat(&mut self) -> Result<()> {
        if self.heard + self.heartbeat * 2 < Instant::now() {
            return Err(Broken::Protocol("the broker has been silent for too long"));
        }
        let mut frame = Vec::new();
        add_frame(&mut frame, HEARTBEAT, 0, &[]);
        self.write(&frame).await
    }

    /// Closes the connection.
    pub(crate) async fn close(mut self) -> Result<()> {
        let close = Arguments::default()
            .number(200, 2)
            .short("")
            .number(0, 2)
            .number(0, 2);
        self.call(0, CLOSE, close).await?;
        self.expect(CLOSE_OK).await.map(drop)
    }

    fn add_message(&self, frames: &mut Vec<u8>, exchange: &str, routing_key: &str, body: &[u8]) {
        let publish = Arguments::default()
            .number(0, 2)
            .short(exchange)
            .short(routing_key)
            .flags(0);
        add_method(frames, CHANNEL, PUBLISH, publish);
        // Content type, content encoding, headers, delivery mode and priority.
        let header = Arguments::default()
            .number(60, 2)
            .number(0, 2)
            .number(body.len() as u64, 8)
            .number(0b1111_1000_0000_0000, 2)
            .short("application/json")
            .short("utf-8")
            .table(&[])
            .number(2, 1)
            .number(0, 1);
        add_frame(frames, HEADER, CHANNEL, &header.0);
        for piece in body.chunks(self.frame_max - 8) {
            add_frame(frames, BODY, CHANNEL, piece);
        }
    }

    async fn call(&mut self, channel: u16, method: Method, arguments: Arguments) -> Result<()> {
        let mut frame = Vec::new();
        add_method(&mut frame, channel, method, arguments);
        self.write(&frame).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.socket.write_all(bytes).await?;
        self.socket.flush().await?;
        self.spoken = Instant::now();
        Ok(())
    }

    /// The arguments of the method that comes next of this kind.
    async fn expect(&mut self, wanted: Method) -> Result<Received> {
        loop {
            if let Some((method, arguments)) = self.receive().await?
                && method == wanted
            {
                return Ok(arguments);
            }
        }
    }

    /// The next frame. It can be cancelled.
    async fn receive(&mut self) -> Result<Frame> {
        let (kind, payload) = loop {
            if let Some(frame) = take_frame(&mut self.received)? {
                break frame;
            }
            if self.socket.read_buf(&mut self.received).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        };
        self.heard = Instant::now();
        if kind != METHOD {
            return Ok(None);
        }
        let mut arguments = Received(payload);
        let number = |it: u64| u16::try_from(it).unwrap_or_default();
        let method = (number(arguments.number(2)?), number(arguments.number(2)?));
        if method == CLOSE || method == CHANNEL_CLOSE {
            let code = number(arguments.number(2)?);
            return Err(Broken::Closed(code, arguments.short()?));
        }
        Ok(Some((method, arguments)))
    }
}

fn client_properties(name: &str) -> Vec<(&'static str, Field)> {
    let able = ["authentication_failure_close", "publisher_confirms"];
    vec![
        ("product", Field::Text("keystone-notify".to_owned())),
        ("version", Field::Text(env!("CARGO_PKG_VERSION").to_owned())),
        ("connection_name", Field::Text(name.to_owned())),
        (
            "capabilities",
            Field::Table(able.map(|name| (name, Field::Flag(true))).to_vec()),
        ),
    ]
}

/// What proves the user, by the mechanism.
fn response(mechanism: &str, login: Login<'_>) -> Vec<u8> {
    match mechanism {
        "AMQPLAIN" => {
            let fields = [
                ("LOGIN", Field::Text(login.user.to_owned())),
                ("PASSWORD", Field::Text(login.password.to_owned())),
            ];
            // A table without its length.
            Arguments::default().table(&fields).0.split_off(4)
        }
        "EXTERNAL" => Vec::new(),
        _ => format!("\0{}\0{}", login.user, login.password).into_bytes(),
    }
}

fn add_method(frames: &mut Vec<u8>, channel: u16, (class, method): Method, arguments: Arguments) {
    let mut payload = Vec::with_capacity(4 + arguments.0.len());
    payload.extend(class.to_be_bytes());
    payload.extend(method.to_be_bytes());
    payload.extend(arguments.0);
    add_frame(frames, METHOD, channel, &payload);
}

fn add_frame(frames: &mut Vec<u8>, kind: u8, channel: u16, payload: &[u8]) {
    frames.push(kind);
    frames.extend(channel.to_be_bytes());
    frames.extend(
        u32::try_from(payload.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    frames.extend(payload);
    frames.push(END);
}

/// The kind and the payload of the first frame, once all of it is there.
fn take_frame(received: &mut BytesMut) -> Result<Option<(u8, BytesMut)>> {
    let Some((head, _)) = received.split_first_chunk::<7>() else {
        return Ok(None);
    };
    let [kind, _, _, size @ ..] = *head;
    let size = u32::from_be_bytes(size) as usize;
    if ![METHOD, HEADER, BODY, HEARTBEAT].contains(&kind) || size > LONGEST_FRAME {
        return Err(Broken::Protocol("the server does not speak AMQP 0-9-1"));
    }
    if received.len() < size + 8 {
        return Ok(None);
    }
    received.advance(7);
    let payload = received.split_to(size);
    if received.get_u8() != END {
        return Err(Broken::Protocol("a frame has no end"));
    }
    Ok(Some((kind, payload)))
}

/// The arguments of a method to be sent.
#[derive(Default)]
struct Arguments(Vec<u8>);

impl Arguments {
    /// The last bytes of a number.
    fn number(mut self, number: u64, bytes: usize) -> Self {
        self.0.extend(&number.to_be_bytes()[8 - bytes..]);
        self
    }

    /// Flags, the first one in the lowest bit.
    fn flags(self, flags: u8) -> Self {
        self.number(flags.into(), 1)
    }

    /// A text of at most 255 bytes.
    fn short(mut self, text: &str) -> Self {
        let text = &text.as_bytes()[..text.len().min(255)];
        self = self.number(text.len() as u64, 1);
        self.0.extend(text);
        self
    }

    fn long(mut self, bytes: &[u8]) -> Self {
        self = self.number(bytes.len() as u64, 4);
        self.0.extend(bytes);
        self
    }

    fn table(self, fields: &[(&str, Field)]) -> Self {
        let inner = fields.iter().fold(Self::default(), |inner, (name, field)| {
            let inner = inner.short(name);
            match field {
                Field::Text(text) => inner.flags(b'S').long(text.as_bytes()),
                Field::Flag(flag) => inner.flags(b't').flags((*flag).into()),
                Field::Number(number) => inner.flags(b'l').number(number.cast_unsigned(), 8),
                Field::Table(fields) => inner.flags(b'F').table(fields),
            }
        });
        self.long(&inner.0)
    }
}

/// The arguments of a method that has come.
struct Received(BytesMut);

impl Received {
    fn skip(&mut self, bytes: usize) -> Result<BytesMut> {
        if self.0.len() < bytes {
            return Err(Broken::Protocol("a method is cut off"));
        }
        Ok(self.0.split_to(bytes))
    }

    fn number(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.skip(bytes)?.get_uint(bytes))
    }

    fn short(&mut self) -> Result<String> {
        let length = usize::try_from(self.number(1)?).unwrap_or_default();
        Ok(String::from_utf8_lossy(&self.skip(length)?).into_owned())
    }

    fn long(&mut self) -> Result<BytesMut> {
        let length = usize::try_from(self.number(4)?).unwrap_or(usize::MAX);
        self.skip(length)
    }
}
