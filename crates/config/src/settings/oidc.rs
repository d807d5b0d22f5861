//! `[oidc:<id of the provider>]`, where Keystone leaves OpenID Connect to a module of Apache.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::str::FromStr;
use std::time::Duration;

use keystone::OidcProvider;
use keystone::api::{RedirectPath, is_route, redirect_path};
use keystone::oidc::{AccessTokens, Issuer, Provider, Settings};
use keystone::types::{Clock, Secret};

use super::Reader;
use crate::unknown_options::REMOTE_ID;

/// More than any clock that is kept right.
const MOST_SKEW: u64 = 600;

/// The protocol of providers that name no other.
const PROTOCOL: &str = "openid";

impl Reader<'_> {
    /// The providers by their ids.
    pub(super) fn oidc(&mut self) -> BTreeMap<String, OidcProvider> {
        let ids: Vec<_> = self
            .config
            .members("oidc")
            .into_iter()
            .map(str::to_owned)
            .collect();
        let mut providers = BTreeMap::new();
        let mut paths = BTreeMap::new();
        for id in ids {
            let name = format!("oidc:{id}");
            let mut group = Group {
                reader: self,
                name: &name,
            };
            if let Some(provider) = group.provider() {
                if let Some(path) = provider.redirect_path.clone()
                    && let Some(other) = paths.insert(path, id.clone())
                {
                    let text = format!(
                        "[oidc:{other}] has this path too; each provider needs one of its own, so that none can have the \
                         logins of another one finished at itself"
                    );
                    group.problem("redirect_path", text);
                }
                providers.insert(id, provider);
            }
        }
        providers
    }
}

/// The group of one provider.
struct Group<'r, 'c> {
    reader: &'r mut Reader<'c>,
    name: &'r str,
}

impl<'c> Group<'_, 'c> {
    /// The provider; nothing if an option without which there is none is missing or wrong.
    fn provider(&mut self) -> Option<OidcProvider> {
        let issuer: Option<Issuer> = self.needed("issuer", "the https: URL of the provider");
        let client_id = "the name of this server's registration at the provider";
        let client_id: Option<String> = self.needed("client_id", client_id);
        let mut settings = Settings::new(
            issuer.clone().unwrap_or_else(anywhere),
            client_id.clone().unwrap_or_default(),
        );
        settings.client_secret = self.secret();
        if let Some(scopes) = self.texts("scopes") {
            settings.scopes = scopes.into_iter().map(str::to_owned).collect();
        }
        if let Some(audience) = self.texts("audience") {
            settings.audience = audience.into_iter().map(str::to_owned).collect();
        }
        self.list("claims_from", &mut settings.claims_from);
        self.list("algorithms", &mut settings.algorithms);
        if let Some(kind) = self.parsed("access_token") {
            settings.access_tokens = kind;
        }
        if let Some(skew) = self.skew() {
            settings.max_clock_skew = skew;
        }
        let asks = settings.access_tokens == AccessTokens::Introspection;
        if asks && self.text("client_secret_file").is_none() {
            let text = "needed for access_token = introspection: providers tell only clients that they know";
            self.problem("client_secret_file", text);
        }
        if self.text(REMOTE_ID).is_some() {
            let text = "there is no such option here: the name of the provider is its issuer, which has to be among the remote_ids";
            self.problem(REMOTE_ID, text);
        }
        let redirect_path = self.redirect_path();
        settings.ca_file = self.text("ca_file").map(Into::into);
        issuer.and(client_id)?;
        if settings.ca_file.is_some()
            && let Err(error) = Provider::new(settings.clone(), Clock::default())
        {
            self.problem("ca_file", error);
        }
        Some(OidcProvider {
            settings,
            protocol: self.text("protocol").unwrap_or(PROTOCOL).to_owned(),
            redirect_path,
        })
    }

    /// The text of an option; an empty one is none.
    fn text(&self, name: &str) -> Option<&'c str> {
        let text = self.reader.config.plugin_option(self.name, name);
        text.map(str::trim).filter(|text| !text.is_empty())
    }

    /// The parts of a text, between commas or spaces, of which there must be one.
    fn texts(&mut self, name: &str) -> Option<Vec<&'c str>> {
        let parts = self.text(name)?.split([',', ' ', '\n']);
        let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
        if parts.is_empty() {
            self.problem(name, "expected one value or more, separated by commas");
            return None;
        }
        Some(parts)
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        match self.text(name)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(name, error);
                None
            }
        }
    }

    fn needed<T: FromStr<Err: Display>>(&mut self, name: &str, what: &str) -> Option<T> {
        if self.text(name).is_none() {
            self.problem(name, format!("expected {what}"));
        }
        self.parsed(name)
    }

    /// Replaces the default by the list that is set, of which each wrong part is a problem.
    fn list<T: FromStr<Err: Display>>(&mut self, name: &str, list: &mut Vec<T>) {
        let Some(parts) = self.texts(name) else {
            return;
        };
        list.clear();
        for part in parts {
            match part.parse() {
                Ok(value) => list.push(value),
                Err(error) => self.problem(name, error),
            }
        }
    }

    fn secret(&mut self) -> Option<Secret> {
        let file = self.text("client_secret_file")?;
        match fs::read_to_string(file) {
            Ok(secret) if !secret.trim().is_empty() => Some(secret.trim().into()),
            Ok(_) => {
                self.problem("client_secret_file", format!("{file} is empty"));
                None
            }
            Err(error) => {
                let text = format!("{file} can't be read: {error}");
                self.problem("client_secret_file", text);
                None
            }
        }
    }

    fn skew(&mut self) -> Option<Duration> {
        let seconds = self.text("max_clock_skew")?.parse::<u64>().ok();
        let seconds = seconds.filter(|seconds| *seconds <= MOST_SKEW);
        if seconds.is_none() {
            let text = format!("expected a number of seconds from 0 to {MOST_SKEW}");
            self.problem("max_clock_skew", text);
        }
        seconds.map(Duration::from_secs)
    }

    fn redirect_path(&mut self) -> Option<RedirectPath> {
        let path: RedirectPath = self.parsed("redirect_path")?;
        if is_route(path.as_str()) && !self.is_own(path.as_str()) {
            let text = "another route has this path; expected one that is free, or that of the provider's own login, \
                        /v3/OS-FEDERATION/identity_providers/<id>/protocols/<protocol>/auth";
            self.problem("redirect_path", text);
        }
        Some(path)
    }

    /// Whether browsers come back to a path anyway, or the users of this provider log in there, which `mod_auth_openidc` has
    /// for both.
    fn is_own(&self, path: &str) -> bool {
        let id = self.name.split_once(':').map_or("", |(_, id)| id);
        let protocol = self.text("protocol").unwrap_or(PROTOCOL);
        let login = format!("/v3/OS-FEDERATION/identity_providers/{id}/protocols/{protocol}/auth");
        path == redirect_path(id) || path == login
    }

    fn problem(&mut self, name: &str, text: impl Display) {
        let config = self.reader.config;
        let diagnostic = config.member_diagnostic(self.name, name, text.to_string());
        self.reader.problems.push(diagnostic);
    }
}

/// Stands for an issuer that is missing, so that the other options are looked at as well.
fn anywhere() -> Issuer {
    "https://localhost".parse().expect("a URL with https")
}
