//! The public keys of a provider (RFC 7517).

use aws_lc_rs::signature::{
    self, EcdsaVerificationAlgorithm, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Refusal, quoted};
use crate::jws::Unverified;
use crate::settings::Algorithm;

/// The keys that a provider publishes for signatures and that are of use here.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    /// The only algorithm that it is for, if the provider says so.
    algorithm: Option<String>,
    material: Material,
}

/// A key belongs to a family of algorithms: none can be used for another one.
#[derive(Debug)]
enum Material {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// A point of the curve that this algorithm has.
    Ec(Algorithm, Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
}

impl Keys {
    /// Reads a set; keys for other purposes and of other kinds are left out. A set without a key for signatures is none.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        let set: Set = serde_json::from_slice(json).ok()?;
        let keys = set.keys.into_iter().filter_map(Key::parse);
        let keys: Vec<Key> = keys.collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// Whether one of the keys that the token may mean has signed it.
    pub(crate) fn verify(&self, token: &Unverified<'_>) -> Result<(), Refusal> {
        let named = |key: &&Key| {
            let kid = token.kid.as_ref();
            kid.is_none_or(|kid| key.kid.as_ref().is_none_or(|own| own == kid))
        };
        let candidates = self.0.iter().filter(named);
        let candidates = candidates.filter(|key| key.fits(token.algorithm));
        let mut candidates = candidates.peekable();
        if candidates.peek().is_none() {
            return Err(Refusal::UnknownKey {
                kid: quoted(token.kid.as_deref().unwrap_or_default()),
                algorithm: token.algorithm.name(),
            });
        }
        let mut verified =
            candidates.map(|key| key.has_signed(token.algorithm, token.message, &token.signature));
        if verified.any(|it| it) {
            Ok(())
        } else {
            Err(Refusal::Signature)
        }
    }
}

impl Key {
    fn parse(json: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk
                .key_ops
                .as_ref()
                .is_none_or(|operations| operations.iter().any(|it| it == "verify"));
        let material = Material::parse(&jwk).filter(|_| for_signatures)?;
        Some(Self {
            kid: jwk.kid,
            algorithm: jwk.alg,
            material,
        })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let named = self.algorithm.as_ref();
        let of_family = match &self.material {
            Material::Rsa(_) => rsa(algorithm).is_some(),
            Material::Ec(own, _) => *own == algorithm,
            Material::Ed25519(_) => algorithm == Algorithm::EdDsa,
        };
        let is_named = |name: &String| name.parse::<Algorithm>() == Ok(algorithm);
        of_family && named.is_none_or(is_named)
    }

    fn has_signed(&self, algorithm: Algorithm, message: &str, signature: &[u8]) -> bool {
        let message = message.as_bytes();
        match &self.material {
            Material::Rsa(key) => rsa(algorithm)
                .is_some_and(|parameters| key.verify(parameters, message, signature).is_ok()),
            Material::Ec(_, point) => curve(algorithm).is_some_and(|(curve, _)| {
                let key = UnparsedPublicKey::new(curve, point);
                key.verify(message, signature).is_ok()
            }),
            Material::Ed25519(point) => {
                let key = UnparsedPublicKey::new(&signature::ED25519, point);
                key.verify(message, signature).is_ok()
            }
        }
    }
}

impl Material {
    fn parse(jwk: &Jwk) -> Option<Self> {
        match (jwk.kty.as_str(), jwk.crv.as_str()) {
            ("RSA", _) => Some(Self::Rsa(RsaPublicKeyComponents {
                n: number(&jwk.n)?,
                e: number(&jwk.e)?,
            })),
            ("EC", "P-256") => Self::point(Algorithm::Es256, jwk),
            ("EC", "P-384") => Self::point(Algorithm::Es384, jwk),
            ("EC", "P-521") => Self::point(Algorithm::Es512, jwk),
            ("OKP", "Ed25519") => Some(Self::Ed25519(bytes(&jwk.x)?)),
            _ => None,
        }
    }

    fn point(algorithm: Algorithm, jwk: &Jwk) -> Option<Self> {
        let (_, length) = curve(algorithm)?;
        let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
        let is_whole = x.len() == length && y.len() == length;
        // The sign of a point that is not compressed.
        is_whole.then(|| Self::Ec(algorithm, [&[4], &x[..], &y[..]].concat()))
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 | Algorithm::EdDsa => None,
    }
}

/// The verification on the curve of an algorithm, and the length of a coordinate.
fn curve(algorithm: Algorithm) -> Option<(&'static EcdsaVerificationAlgorithm, usize)> {
    match algorithm {
        Algorithm::Es256 => Some((&signature::ECDSA_P256_SHA256_FIXED, 32)),
        Algorithm::Es384 => Some((&signature::ECDSA_P384_SHA384_FIXED, 48)),
        Algorithm::Es512 => Some((&signature::ECDSA_P521_SHA512_FIXED, 66)),
        _ => None,
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(text);
    decoded.ok().filter(|bytes| !bytes.is_empty())
}

/// A number without the zeros that some providers put before it.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = bytes(text)?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[start..].to_vec())
}
