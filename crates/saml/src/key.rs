//! The key that signs, and its certificate.

use std::fs;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::Error;
use crate::names::{ENVELOPED, EXCLUSIVE, RSA_SHA256, SHA256 as SHA256_METHOD, SIGNATURE};
use crate::writer::Writer;

/// The length of a line of base64.
const LINE: usize = 64;

/// An RSA key with its certificate: signs with RSA-SHA256, which is what every verifier of today takes.
#[derive(Debug)]
pub struct SigningKey {
    key: KeyPair,
    certificate: Vec<u8>,
}

impl SigningKey {
    /// Reads both from their files, in PEM: what stands there when it is called.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, Error> {
        Self::from_pem(&text_of(certificate)?, &text_of(key)?)
    }

    /// Takes both from texts in PEM; the first certificate is that of the key.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, Error> {
        let certificate = first_certificate(certificate)?;
        let pair = decoded(key, "PRIVATE KEY").and_then(|der| KeyPair::from_pkcs8(&der).ok());
        let pair = pair.or_else(|| {
            let der = decoded(key, "RSA PRIVATE KEY")?;
            KeyPair::from_der(&der).ok()
        });
        let key = pair.ok_or(Error::Key)?;
        // The certificate has the public key as it is.
        let signing = Self { key, certificate };
        let public = signing.public_key();
        let mut parts = signing.certificate.windows(public.len());
        if !parts.any(|part| part == public) {
            return Err(Error::Unpaired);
        }
        Ok(signing)
    }

    /// The certificate in base64, without lines.
    pub fn certificate(&self) -> String {
        BASE64_STANDARD.encode(&self.certificate)
    }

    /// The public key: modulus and exponent in DER, as PKCS #1 has them.
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    /// Signs bytes: RSA-SHA256, as bytes.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let signed = self.key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message,
            &mut signature,
        );
        signed.map_err(|_| Error::Signing)?;
        Ok(signature)
    }

    /// The signature of an element, to be put into it; `canonical` is the element without it.
    pub(crate) fn enveloped(&self, id: &str, canonical: &str) -> Result<String, Error> {
        let digest = BASE64_STANDARD.encode(digest(&SHA256, canonical.as_bytes()));
        // What is signed is an element of its own, which declares what the one around it declares in the message.
        let signed = signed_info(&[("xmlns:xmldsig", SIGNATURE)], id, &digest)?;
        let shown = signed_info(&[], id, &digest)?;
        let value = BASE64_STANDARD.encode(self.sign(signed.as_bytes())?);
        let certificate = format!("{}\n", lines(&self.certificate()));
        let mut xml = Writer::new();
        xml.open("xmldsig:Signature", &[("xmlns:xmldsig", SIGNATURE)])
            .raw(&shown)
            .leaf("xmldsig:SignatureValue", &[], &lines(&value))
            .open("xmldsig:KeyInfo", &[])
            .open("xmldsig:X509Data", &[])
            .leaf("xmldsig:X509Certificate", &[], &certificate);
        xml.finish()
    }
}

/// The first certificate of a text in PEM, as bytes.
pub(crate) fn first_certificate(text: &str) -> Result<Vec<u8>, Error> {
    decoded(text, "CERTIFICATE").ok_or(Error::Certificate)
}

fn signed_info(declared: &[(&str, &str)], id: &str, digest: &str) -> Result<String, Error> {
    let reference = format!("#{id}");
    let mut xml = Writer::new();
    xml.open("xmldsig:SignedInfo", declared)
        .leaf(
            "xmldsig:CanonicalizationMethod",
            &[("Algorithm", EXCLUSIVE)],
            "",
        )
        .leaf("xmldsig:SignatureMethod", &[("Algorithm", RSA_SHA256)], "")
        .open("xmldsig:Reference", &[("URI", &reference)])
        .open("xmldsig:Transforms", &[])
        .leaf("xmldsig:Transform", &[("Algorithm", ENVELOPED)], "")
        .leaf("xmldsig:Transform", &[("Algorithm", EXCLUSIVE)], "")
        .close()
        .leaf("xmldsig:DigestMethod", &[("Algorithm", SHA256_METHOD)], "")
        .leaf("xmldsig:DigestValue", &[], digest);
    xml.finish()
}

pub(crate) fn text_of(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

/// The bytes of the first block of PEM with this label.
fn decoded(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    BASE64_STANDARD.decode(body).ok()
}

/// Base64 in lines, as `xmlsec1` writes it.
fn lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / LINE);
    for (place, c) in text.chars().enumerate() {
        if place > 0 && place % LINE == 0 {
            lines.push('\n');
        }
        lines.push(c);
    }
    lines
}
