//! Requests that are signed with an EC2 credential.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::{Answer, Session};

/// The holder of an access key and its secret, and how a service describes the requests that it signs.
#[derive(Clone, Debug)]
pub struct Signer {
    access: String,
    secret: String,
}

impl Signer {
    /// Somebody with these keys.
    pub fn new(access: &str, secret: &str) -> Self {
        let (access, secret) = (access.to_owned(), secret.to_owned());
        Self { access, secret }
    }

    /// The same of a credential as `/v3/users/{user_id}/credentials/OS-EC2` shows it.
    pub fn of(credential: &Value) -> Self {
        let text = |name: &str| credential[name].as_str().expect("a credential has keys");
        Self::new(text("access"), text("secret"))
    }

    /// A request signed with version 2 of EC2's protocol.
    pub fn version_2(&self, timestamp: &str) -> Value {
        let params = [
            ("AWSAccessKeyId", self.access.as_str()),
            ("Action", "DescribeInstances"),
            ("SignatureMethod", "HmacSHA256"),
            ("SignatureVersion", "2"),
            ("Timestamp", timestamp),
        ];
        let query = params.map(|(name, text)| format!("{name}={}", escaped(text)));
        let signed = format!("GET\ncloud.test\n/\n{}", query.join("&"));
        let params: serde_json::Map<_, _> = params
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text.into()))
            .collect();
        let code = code::<Hmac<Sha256>>(self.secret.as_bytes(), signed.as_bytes());
        json!({ "access": self.access, "signature": STANDARD.encode(code), "verb": "GET", "host": "cloud.test", "path": "/",
                "params": params })
    }

    /// A request signed with version 4, in the header; its parameters are in the body, which is not told.
    pub fn version_4(&self, date: &str) -> Value {
        let scope = scope(date, "ec2");
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=host, Signature=0",
            self.access
        );
        let headers =
            json!({ "Host": "cloud.test", "X-Amz-Date": date, "Authorization": authorization });
        self.of_version_4(date, "POST", "", &json!({}), &headers)
    }

    /// A request signed with version 4, in the query.
    pub fn version_4_query(&self, date: &str) -> Value {
        let credential = format!("{}/{}", self.access, scope(date, "ec2"));
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={date}&X-Amz-SignedHeaders=host",
            escaped(&credential)
        );
        let params = json!({ "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": credential, "X-Amz-Date": date,
                             "X-Amz-SignedHeaders": "host" });
        let headers = json!({ "Host": "cloud.test" });
        self.of_version_4(date, "GET", &query, &params, &headers)
    }

    fn of_version_4(
        &self,
        date: &str,
        verb: &str,
        query: &str,
        params: &Value,
        headers: &Value,
    ) -> Value {
        let request = format!("{verb}\n/\n{query}\nhost:cloud.test\n\nhost\nhash");
        let digest = hex::encode(Sha256::digest(request));
        let signed = format!("AWS4-HMAC-SHA256\n{date}\n{}\n{digest}", scope(date, "ec2"));
        json!({ "access": self.access, "signature": self.sign_version_4(date, "ec2", &signed), "verb": verb,
                "host": "cloud.test", "path": "/", "params": params, "headers": headers, "body_hash": "hash" })
    }

    /// A text signed with version 1 of S3's protocol.
    pub fn s3(&self, text: &str) -> Value {
        let code = code::<Hmac<Sha1>>(self.secret.as_bytes(), text.as_bytes());
        json!({ "access": self.access, "token": URL_SAFE.encode(text), "signature": STANDARD.encode(code) })
    }

    /// A request signed with version 4 of S3's protocol.
    pub fn s3_version_4(&self, date: &str) -> Value {
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{}\nhash", scope(date, "s3"));
        let signature = self.sign_version_4(date, "s3", &text);
        json!({ "access": self.access, "token": URL_SAFE.encode(text), "signature": signature })
    }

    fn sign_version_4(&self, date: &str, service: &str, text: &str) -> String {
        let start = format!("AWS4{}", self.secret).into_bytes();
        let scope = scope(date, service);
        let key = scope.split('/').fold(start, |key, part| {
            code::<Hmac<Sha256>>(&key, part.as_bytes())
        });
        hex::encode(code::<Hmac<Sha256>>(&key, text.as_bytes()))
    }
}

fn scope(date: &str, service: &str) -> String {
    let day = date.get(..8).unwrap_or(date);
    format!("{day}/RegionOne/{service}/aws4_request")
}

/// Encoded for a query, of texts with these two characters only.
fn escaped(text: &str) -> String {
    text.replace(':', "%3A").replace('/', "%2F")
}

fn code<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

impl Session {
    /// Asks for a token for a request that was signed with an EC2 credential; `path` is `ec2tokens` or `s3tokens`.
    pub async fn exchange(&self, path: &str, signed: &Value) -> Answer {
        let body = json!({ "credentials": signed });
        self.post(&format!("/v3/{path}"), &body).await
    }
}
