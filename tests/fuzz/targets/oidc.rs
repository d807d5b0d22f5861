//! OpenID Connect: access tokens, claims that the provider has signed, the way back of a browser, and the cookies that hold the
//! state of a login. No token is valid but that of the provider, no cookie opens but those that were sealed, and every claim has
//! the name of a claim.

#![no_main]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock};
use std::thread;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDateTime};
use keystone_oidc::{Claims, Error, Login, Provider, Settings, bearer_token};
use keystone_token::{KeyRing, KeySet, Return, StateCookies};
use keystone_types::Clock;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

const NOW: i64 = 1_767_225_600;
const HEADER: &str = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#;

/// A provider, and this server as its client.
struct World {
    provider: Provider,
    key: Ed25519KeyPair,
    issuer: String,
    good: String,
    login: Login,
    cookies: StateCookies,
    cookie: String,
    runtime: Runtime,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("any seed is one");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("it listens");
    let issuer = format!("http://{address}");
    publish(listener, &issuer, key.public_key().as_ref());

    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("threads can be started");
    let settings = Settings::new(issuer.parse().expect("a loopback address"), "keystone");
    let provider =
        Provider::new(settings, Clock::from_fn(now)).expect("no certificates are needed");
    let start = runtime.block_on(provider.start("http://localhost/back"));
    let login = start.expect("the provider answers").login;
    let claims = format!(
        r#"{{"iss":"{issuer}","aud":"keystone","sub":"a","exp":{}}}"#,
        NOW + 60
    );
    let good = sign(&key, claims.as_bytes());
    let claims = runtime.block_on(provider.bearer(&good));
    claims.expect("the provider has signed it");

    let keys = KeySet::new(["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]);
    let keys = Arc::new(KeyRing::fixed(keys.expect("a key")));
    let cookies = StateCookies::new(keys, "oidc", true, Return::Redirect);
    let set = cookies.set("s", b"content", now()).expect("there is a key");
    let cookie = set.split(';').next().unwrap_or_default().to_owned();
    World {
        provider,
        key,
        issuer,
        good,
        login,
        cookies,
        cookie,
        runtime,
    }
});

fuzz_target!(init: { let _ = LazyLock::force(&WORLD); }, |data: &[u8]| {
    let world = &*WORLD;
    if let Ok(claims) = world.bearer(&sign(&world.key, data)) {
        assert_eq!(claims.issuer(), world.issuer);
        for (name, _) in claims.attributes() {
            assert!(name == "REMOTE_USER" || name.starts_with("OIDC-") || name.starts_with("HTTP_OIDC_"));
        }
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let is_valid = world.bearer(text).is_ok();
    assert!(!is_valid || text == world.good, "nobody signed {text}");
    if let Some(token) = bearer_token(text) {
        assert!(text.contains(token) && !token.contains(' '));
    }
    // Without a token endpoint, none gets further than to that.
    let back = world.runtime.block_on(world.provider.finish(&world.login, text));
    assert!(!matches!(back, Err(Error::Away { .. }) | Ok(_)), "{text}");
    if let Ok(content) = world.cookies.get("s", [text], now()) {
        assert!(text.contains(&world.cookie) && content == b"content", "nobody sealed {text}");
    }
});

impl World {
    fn bearer(&self, token: &str) -> Result<Claims, Error> {
        self.runtime.block_on(self.provider.bearer(token))
    }
}

fn now() -> NaiveDateTime {
    DateTime::from_timestamp(NOW, 0)
        .unwrap_or_default()
        .naive_utc()
}

/// Signs any claims.
fn sign(key: &Ed25519KeyPair, claims: &[u8]) -> String {
    let [header, claims] = [HEADER.as_bytes(), claims].map(|it| BASE64_URL_SAFE_NO_PAD.encode(it));
    let message = format!("{header}.{claims}");
    let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// Serves the two documents, over and over.
fn publish(listener: TcpListener, issuer: &str, key: &[u8]) {
    let document = format!(
        r#"{{"issuer":"{issuer}","jwks_uri":"{issuer}/keys","authorization_endpoint":"{issuer}/auth"}}"#
    );
    let x = BASE64_URL_SAFE_NO_PAD.encode(key);
    let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}]}}"#);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away does no harm.
            let _ = answer(stream, &document, &keys);
        }
    });
}

fn answer(mut stream: TcpStream, document: &str, keys: &str) -> std::io::Result<()> {
    let mut asked = [0; 4096];
    let length = stream.read(&mut asked)?;
    let body = if asked[..length].starts_with(b"GET /keys") {
        keys
    } else {
        document
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}
