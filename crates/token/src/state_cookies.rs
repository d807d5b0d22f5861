//! The state of a login that leaves for an identity provider and comes back, in a cookie of the browser.

use std::collections::BTreeMap;
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

/// The longest value of a cookie; browsers keep 4096 bytes of name, value and attributes together.
const LONGEST: usize = 3800;

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

    /// The same cookies, which open for another time than ten minutes.
    #[must_use]
    pub fn good_for(self, time: Duration) -> Self {
        Self {
            seal: self.seal.good_for_only(time),
            ..self
        }
    }

    /// The value of `Set-Cookie` that keeps `content` for the login with this `state`.
    pub fn set(&self, state: &str, content: &[u8], now: NaiveDateTime) -> Result<String> {
        let (name, sealed) = self.sealed(state, content, now)?;
        Ok(self.kept(&name, &sealed))
    }

    /// The values of `Set-Cookie` that keep a content which may be too long for one.
    pub fn set_parts(
        &self,
        state: &str,
        content: &[u8],
        now: NaiveDateTime,
    ) -> Result<Vec<String>> {
        let (name, sealed) = self.sealed(state, content, now)?;
        let mut parts = Vec::new();
        let mut rest = sealed.as_str();
        while !rest.is_empty() {
            // It is base64.
            let (part, after) = rest.split_at(rest.len().min(LONGEST));
            parts.push(self.kept(&format!("{name}-{}", parts.len()), part));
            rest = after;
        }
        Ok(parts)
    }

    fn sealed(&self, state: &str, content: &[u8], now: NaiveDateTime) -> Result<(String, String)> {
        let hash = digest::digest(&digest::SHA256, state.as_bytes());
        let bound = [hash.as_ref(), content].concat();
        Ok((self.name(hash.as_ref()), self.seal.seal(&bound, now)?))
    }

    fn kept(&self, name: &str, value: &str) -> String {
        let age = self.seal.good_for().num_seconds();
        format!("{name}={value}; Max-Age={age}{}", self.attributes)
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
        let pairs = cookies.into_iter().flat_map(|header| header.split(';'));
        let own: BTreeMap<_, _> = pairs
            .filter_map(|pair| pair.trim().strip_prefix(&name)?.split_once('='))
            .collect();
        let sealed = match own.get("") {
            Some(whole) => (*whole).to_owned(),
            None => (0..own.len())
                .map_while(|part| own.get(format!("-{part}").as_str()).copied())
                .collect(),
        };
        if sealed.is_empty() {
            return Err(Error::Unrecognized);
        }
        let mut bound = self.seal.open(&sealed, now)?;
        let holder = bound.get(..hash.as_ref().len());
        let holder = holder.ok_or(Error::Malformed("state"))?;
        constant_time::verify_slices_are_equal(holder, hash.as_ref())
            .map_err(|_| Error::Malformed("state"))?;
        Ok(bound.split_off(hash.as_ref().len()))
    }

    /// The value of `Set-Cookie` that removes it.
    pub fn clear(&self, state: &str) -> String {
        let hash = digest::digest(&digest::SHA256, state.as_bytes());
        self.removed(&self.name(hash.as_ref()))
    }

    /// The values of `Set-Cookie` that remove the parts, out of the values of `Cookie` headers.
    pub fn clear_parts<'a>(
        &self,
        state: &str,
        cookies: impl IntoIterator<Item = &'a str>,
    ) -> Vec<String> {
        let hash = digest::digest(&digest::SHA256, state.as_bytes());
        let own = format!("{}-", self.name(hash.as_ref()));
        let pairs = cookies.into_iter().flat_map(|header| header.split(';'));
        let names = pairs.filter_map(|pair| Some(pair.trim().split_once('=')?.0));
        let parts = names.filter(|name| name.starts_with(&own));
        parts.map(|name| self.removed(name)).collect()
    }

    fn removed(&self, name: &str) -> String {
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
