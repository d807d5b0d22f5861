//! From credentials to a token.

use keystone_cache::Pass;
use keystone_identity::password::Claimant;
use keystone_notify::Announcer;
use keystone_types::{Error, Result};
use serde_json::Value;

use crate::auth::Auth;
use crate::choice::masked;
use crate::delegation::{self, Backing};
use crate::environment::Environment;
use crate::federated::ProviderAssertion;
use crate::methods::{Method, Verified, external};
use crate::oauth1::SignedRequest;
use crate::outcomes::{Outcome, Outcomes};
use crate::request::TokenRequest;
use crate::scope::RequestedScope;
use crate::token::AuthToken;

/// No variable, for logins that nobody in front vouches for.
static NOTHING: Environment = Environment::new();

/// What a login has beside its request; by default nothing.
#[derive(Debug)]
pub struct Login<'a> {
    /// The receipt of an earlier request, whose methods succeeded.
    pub receipt: Option<&'a str>,
    /// Tells the client from others who want to log in.
    pub client: Claimant,
    /// What the method `oauth1` verifies.
    pub signed: SignedRequest,
    /// What others vouch for.
    pub environment: &'a Environment,
    /// Whether the request is at a route of an identity provider, where the module of a web server in front replaces the
    /// headers that are attributes. Elsewhere they may be a client's.
    pub is_at_provider: bool,
    /// What an identity provider says of the user, where this server has verified it; else the environment tells.
    pub assertion: Option<&'a ProviderAssertion>,
    /// Leave to answer from memory, where there is one.
    pub pass: Option<Pass>,
    /// Announces the login; none without a notifier.
    pub announcer: Option<Announcer>,
}

impl Default for Login<'_> {
    fn default() -> Self {
        Self {
            receipt: None,
            client: Claimant::default(),
            signed: SignedRequest::default(),
            environment: &NOTHING,
            is_at_provider: false,
            assertion: None,
            pass: None,
            announcer: None,
        }
    }
}

impl Auth {
    /// Issues a token for the `auth` object of a request whose schema was checked.
    pub async fn issue(&self, auth: &Value, login: &Login<'_>) -> Result<AuthToken> {
        let request = TokenRequest::parse(auth, &self.settings.methods)?;
        self.log_in(request, login).await
    }

    /// Issues a token. The errors are those of `POST /v3/auth/tokens`: 401 for whoever is not known or proves nothing, and
    /// with a receipt ([`Error::Receipt`]) where the user's rules want more methods.
    pub async fn log_in(&self, request: TokenRequest, login: &Login<'_>) -> Result<AuthToken> {
        let methods = match &request.methods[..] {
            [] => Outcomes::bit(external::NAME),
            named => named
                .iter()
                .fold(0, |set, it| set | Outcomes::bit(it.name())),
        };
        let done = self.prove(request, login).await;
        self.outcomes
            .count(methods, Outcome::of(done.as_ref().err()));
        done
    }

    async fn prove(&self, request: TokenRequest, login: &Login<'_>) -> Result<AuthToken> {
        request.check(&self.settings.methods)?;
        let TokenRequest { mut methods, scope } = request;
        if let ([Method::Token(held)], RequestedScope::ProjectId(id), Some(pass)) =
            (&methods[..], &scope, login.pass)
        {
            self.prefetch(pass, held, id).await;
        }
        // Before any credential is checked, as in `keystone/auth/core.py`.
        let requested = self.requested_scope(login.pass, &scope).await?;
        for method in &mut methods {
            method.look_up(self).await?;
        }
        let mut verified = self.unasked_external(login.environment).await?;
        for method in methods {
            let next = method.verify(self, &scope, &requested, login).await?;
            verified = Some(match verified {
                Some(others) => others.and(next)?,
                None => next,
            });
        }
        let mut verified = verified.ok_or_else(|| Error::unauthorized("no method named a user"))?;
        let scope = match (verified.fixed_scope.take(), scope) {
            (Some(fixed), _) => fixed,
            (None, RequestedScope::Default)
                if delegation::takes_default_project(&verified.backing) =>
            {
                self.default_scope(&verified.subject).await?
            }
            (None, RequestedScope::Trust(id)) => {
                verified.backing = Backing::Trust(masked(self.trust(&id).await)?.into());
                requested
            }
            (None, _) => requested,
        };
        if let Some(receipt) = login.receipt.filter(|receipt| !receipt.is_empty()) {
            let earlier = self.receipt_methods(receipt, &verified.subject.user.id)?;
            delegation::check_receipt(&earlier, &verified.methods)?;
            verified.methods.extend(earlier);
        }
        self.check_rules(&verified.subject, &verified.methods)?;
        self.mint(verified, scope).await
    }

    /// `external`, which is tried whether it is asked for or not, and counts only where it succeeds
    /// (`keystone/api/_shared/authentication.py`).
    async fn unasked_external(&self, environment: &Environment) -> Result<Option<Verified>> {
        let is_enabled = self.settings.methods.iter().any(|it| it == external::NAME);
        if !is_enabled || environment.get("REMOTE_USER").is_none() {
            return Ok(None);
        }
        match self.external(environment).await {
            Err(Error::Unauthorized { detail }) => {
                tracing::debug!(detail, "the user of the web server in front is not known");
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}
