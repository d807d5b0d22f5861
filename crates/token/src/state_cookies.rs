//! The state of a login that leaves for an identity provider and comes back, in a cookie of the browser.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{constant_time, digest};
use chrono::NaiveDateTime;

use crate::error::{Error, Result};
use crate::ring::KeyRing;
use crate::seal::Seal;

/// As long as a person may take to log in at the provider.
const GOOD_FOR: Duration = Duration::from_mins(10);

/// The bytes of a hash that name a cookie.
const NAME_BYTES: usize = 8;

/// How the browser comes back from the identity provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// By a redirect (OpenID Connect).
    Redirect,
    /// By a form that the provider's page posts (SAML): browsers send a cookie with it only if it says so.
    Post,
}

/// Writes and reads the cookies of one kind of login. Each belongs to one `state`, by its name and by what it holds, so that
/// several logins of a browser do not meet, and none ends another.
#[derive(Clone, Debug)]
pub struct StateCookies {
    seal: Seal,
    prefix: String,
    attributes: String,
}

impl StateCookies {
    /// Cookies of `flow`, a word for the kind of login. `https` is whether clients reach this server by that: a browser keeps
    /// the cookie to it then.
    pub fn new(keys: Arc<KeyRing>, flow: &str, https: bool, comes_back: Return) -> Self {
        let host = if https { "__Host-" } else { "" };
        let mut attributes = String::from("; Path=/; HttpOnly");
        attributes.push_str(match (comes_back, https) {
            (Return::Redirect, _) => "; SameSite=Lax",
            (Return::Post, true) => "; SameSite=None",
            // Browsers refuse `None` there, and without the attribute they send young cookies with posts.
            (Return::Post, false) => "",
        });
        if https {
            attributes.push_str("; Secure");
        }
        Self {
            seal: Seal::new(keys, &format!("{flow} state"), GOOD_FOR),
            prefix: format!("{host}keystone-{flow}-"),
            attributes,
        }
    }

    /// The value of `Set-Cookie` that keeps `content` for the login with this `state`.
    pub fn set(&self, state: &str, content: &[u8], now: NaiveDateTime) -> Result<String> {
        let hash = digest::digest(&digest::SHA256, state.as_bytes());
        let bound = [hash.as_ref(), content].concat();
        let sealed = self.seal.seal(&bound, now)?;
        let name = self.name(hash.as_ref());
        let age = self.seal.good_for().num_seconds();
        Ok(format!("{name}={sealed}; Max-Age={age}{}", self.attributes))
    }

    /// What the login with this `state` has kept, out of the values of `Cookie` headers.
    pub fn get<'a>(
        &self,
        state: &str,
        cookies: impl IntoIterator<Item = &'a str>,
        now: NaiveDateTime,
    ) -> Result<Vec<u8>> {
        let hash = digest::digest(&digest::SHA256, state.as_bytes());
        let name = self.name(hash.as_ref());
        let mut pairs = cookies.into_iter().flat_map(|header| header.split(';'));
        let sealed = pairs
            .find_map(|pair| pair.trim().strip_prefix(&name)?.strip_prefix('='))
            .ok_or(Error::Unrecognized)?;
        let mut bound = self.seal.open(sealed, now)?;
        let holder = bound.get(..hash.as_ref().len());
        let holder = holder.ok_or(Error::Malformed("state"))?;
        constant_time::verify_slices_are_equal(holder, hash.as_ref())
            .map_err(|_| Error::Malformed("state"))?;
        Ok(bound.split_off(hash.as_ref().len()))
    }

    /// The value of `Set-Cookie` that removes it.
    pub fn clear(&self, state: &str) -> String {
        let hash = digest::digest(&digest::SHA256, state.as_bytes());
        let name = self.name(hash.as_ref());
        format!("{name}=; Max-Age=0{}", self.attributes)
    }

    fn name(&self, hash: &[u8]) -> String {
        let mut name = self.prefix.clone();
        for byte in hash.iter().take(NAME_BYTES) {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }
}
