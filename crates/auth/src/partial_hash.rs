//! The hash of a wrong password in the announcement of a failed login: `[security_compliance] report_invalid_password_hash`. It is
//! that of `keystone/common/password_hashing.py`, so that a password has the same hash at every node.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use keystone_types::Secret;

use crate::mac;

/// How wrong passwords are hashed for announcements.
#[derive(Clone, Debug)]
pub struct PartialHash {
    /// `invalid_password_hash_secret_key`
    pub key: Secret,
    /// `invalid_password_hash_function`
    pub function: HashFunction,
    /// `invalid_password_hash_max_chars`: how many characters of a hash are announced; none for all.
    pub characters: Option<usize>,
    /// What makes hashes of one backend differ from those of another: the class that `[identity] driver` is in Python.
    pub salt: &'static str,
}

impl PartialHash {
    pub(crate) fn of(&self, password: &Secret) -> String {
        let code = |key: &str, text: &[u8]| self.function.code(key.as_bytes(), text);
        let salted = code(self.salt, password.reveal().as_bytes());
        let mut hash = STANDARD_NO_PAD.encode(code(self.key.reveal(), &salted));
        hash.truncate(self.characters.unwrap_or(usize::MAX));
        hash
    }
}

/// A hash function of Python's `hashlib`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashFunction {
    /// `sha1`
    Sha1,
    /// `sha224`
    Sha224,
    /// `sha256`
    Sha256,
    /// `sha384`
    Sha384,
    /// `sha512`
    Sha512,
}

impl HashFunction {
    /// The function of a name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "sha1" => Self::Sha1,
            "sha224" => Self::Sha224,
            "sha256" => Self::Sha256,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            _ => return None,
        })
    }

    fn code(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => mac::sha1(key, text),
            Self::Sha224 => mac::sha224(key, text),
            Self::Sha256 => mac::sha256(key, text),
            Self::Sha384 => mac::sha384(key, text),
            Self::Sha512 => mac::sha512(key, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of Keystone 30.0.0.
    #[test]
    fn hashes_are_those_of_keystone() {
        for (function, password, characters, expected) in [
            ("sha1", "wrong", None, "Avjt8VcI84gIvHMDdojHO/8JPqw"),
            (
                "sha224",
                "wrong",
                None,
                "Qy/eYuMU4MH8ebeSzPXabcR8XdG6iiwpx4tbbw",
            ),
            (
                "SHA256",
                "wrong",
                None,
                "5hd10y+RGmzzubZ6o61FCrZdEfEKUIElpHUxBsCa/RM",
            ),
            (
                "sha384",
                "wrong",
                None,
                "NuvAZxy1OLnl+4VODqPJBoCqNwQs9j1Z5bR4QD6Pvx7bR4Ow2jEDJieIufZhIv0y",
            ),
            (
                "sha512",
                "wrong",
                None,
                "fcUXwfeZxdjnctUuppMdyaJOUdQrjKAhcOlrHX9to7xDv5LNYSY/XvodTyg7puZASe2KydxPkhXyF77B0Pq7NA",
            ),
            ("sha256", "Grüße", Some(5), "NrLcI"),
            (
                "sha256",
                "",
                Some(100),
                "dv7rplVleKVI4HjLiCGJVRDdOUXvQ34NKqBjqN36sL4",
            ),
        ] {
            let hash = PartialHash {
                key: "Pfeffer ☃".into(),
                function: HashFunction::named(function).unwrap(),
                characters,
                salt: "keystone.identity.backends.sql.Identity",
            };
            assert_eq!(hash.of(&password.into()), expected, "{function}");
        }
        assert_eq!(HashFunction::named("md5"), None);
    }
}
