//! Token payloads: the eleven versions of `keystone/token/token_formatters.py`.
//!
//! A payload is an array: version, user, methods, scope, what of the origin stands before the
//! expiry, expiry, audit ids, and what of the origin stands after them.

use chrono::NaiveDateTime;

use crate::error::{Error, Result};
use crate::methods::Methods;
use crate::msgpack::{Packer, Unpacker, parse_uuid, render_uuid};
use crate::token::{Federation, Origin, Scope, Token};

const SYSTEM: &str = "all";

/// A payload version; the discriminant is its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Unscoped,
    Domain,
    Project,
    Trust,
    FederatedUnscoped,
    FederatedProject,
    FederatedDomain,
    OAuth1,
    System,
    ApplicationCredential,
    OAuth2Mtls,
}

impl Version {
    const ALL: [Self; 11] = [
        Self::Unscoped,
        Self::Domain,
        Self::Project,
        Self::Trust,
        Self::FederatedUnscoped,
        Self::FederatedProject,
        Self::FederatedDomain,
        Self::OAuth1,
        Self::System,
        Self::ApplicationCredential,
        Self::OAuth2Mtls,
    ];

    fn parse(number: u64) -> Result<Self> {
        let place = usize::try_from(number).ok();
        let found = place.and_then(|place| Self::ALL.get(place)).copied();
        found.ok_or(Error::UnknownVersion(number))
    }

    /// The version that has room for this scope and origin, if one has.
    fn of(scope: &Scope, origin: &Origin) -> Option<Self> {
        match (origin, scope) {
            (Origin::User, Scope::Unscoped) => Some(Self::Unscoped),
            (Origin::User, Scope::Project(_)) => Some(Self::Project),
            (Origin::User, Scope::Domain(_)) => Some(Self::Domain),
            (Origin::User, Scope::System) => Some(Self::System),
            (Origin::Federated(_), Scope::Unscoped) => Some(Self::FederatedUnscoped),
            (Origin::Federated(_), Scope::Project(_)) => Some(Self::FederatedProject),
            (Origin::Federated(_), Scope::Domain(_)) => Some(Self::FederatedDomain),
            (Origin::Trust { .. }, Scope::Unscoped | Scope::Project(_)) => Some(Self::Trust),
            (Origin::ApplicationCredential { .. }, Scope::Project(_)) => {
                Some(Self::ApplicationCredential)
            }
            (Origin::OAuth1 { .. }, Scope::Project(_)) => Some(Self::OAuth1),
            (Origin::OAuth2Mtls { .. }, Scope::Project(_))
            | (
                Origin::OAuth2Mtls {
                    domain_id: None, ..
                },
                Scope::Unscoped | Scope::Domain(_),
            ) => Some(Self::OAuth2Mtls),
            (Origin::Federated(_), Scope::System)
            | (Origin::Trust { .. }, Scope::Domain(_) | Scope::System)
            | (
                Origin::ApplicationCredential { .. } | Origin::OAuth1 { .. },
                Scope::Unscoped | Scope::Domain(_) | Scope::System,
            )
            | (Origin::OAuth2Mtls { .. }, Scope::Unscoped | Scope::Domain(_) | Scope::System) => {
                None
            }
        }
    }

    /// The number of elements on the wire, the version among them.
    fn len(self) -> usize {
        match self {
            Self::Unscoped => 5,
            Self::Domain | Self::Project | Self::System => 6,
            Self::Trust | Self::OAuth1 | Self::ApplicationCredential => 7,
            Self::FederatedUnscoped | Self::OAuth2Mtls => 8,
            Self::FederatedProject | Self::FederatedDomain => 9,
        }
    }
}

/// The settings that the writer and the reader of a token must share.
#[derive(Clone, Debug)]
pub(crate) struct Encoding {
    pub(crate) methods: Methods,
    /// The one domain whose id need not be a UUID where a user's own token has it.
    pub(crate) default_domain_id: String,
}

impl Encoding {
    pub(crate) fn pack(&self, token: &Token) -> Result<Vec<u8>> {
        let Token { scope, origin, .. } = token;
        let version = Version::of(scope, origin).ok_or_else(|| Error::NotRepresentable {
            field: "scope",
            value: format!("{scope:?} of {origin:?}"),
        })?;
        let mut out = Packer::default();
        out.array(version.len());
        out.uint(version as u64);
        out.id(&token.user_id);
        out.uint(self.methods.bits(&token.methods));
        self.pack_scope(&mut out, scope, origin)?;
        out.time(token.expires_at);
        out.audit_ids(&token.audit_ids)?;
        pack_delegation(&mut out, origin)?;
        Ok(out.into_bytes())
    }

    /// What stands between the methods and the expiry.
    fn pack_scope(&self, out: &mut Packer, scope: &Scope, origin: &Origin) -> Result<()> {
        match origin {
            Origin::User => match scope {
                Scope::Unscoped => {}
                Scope::Project(id) => out.id(id),
                Scope::Domain(id) => self.pack_domain(out, id)?,
                Scope::System => out.text(SYSTEM),
            },
            Origin::Federated(federation) => {
                if let Some(id) = scope.project_id().or(scope.domain_id()) {
                    out.id(id);
                }
                pack_federation(out, federation);
            }
            Origin::Trust { .. } | Origin::ApplicationCredential { .. } => {
                out.optional_id(scope.project_id());
            }
            Origin::OAuth1 { access_token_id } => {
                out.optional_id(scope.project_id());
                out.id(access_token_id);
            }
            Origin::OAuth2Mtls { domain_id, .. } => {
                out.optional_id(scope.project_id());
                out.optional_id(domain_id.as_deref().or(scope.domain_id()));
            }
        }
        Ok(())
    }

    fn pack_domain(&self, out: &mut Packer, domain_id: &str) -> Result<()> {
        match parse_uuid(domain_id) {
            Some(uuid) => out.bytes(uuid.as_bytes()),
            None if domain_id == self.default_domain_id => out.text(domain_id),
            None => {
                let value = domain_id.to_owned();
                return Err(Error::NotRepresentable {
                    field: "domain id",
                    value,
                });
            }
        }
        Ok(())
    }

    pub(crate) fn unpack(&self, payload: &[u8], issued_at: NaiveDateTime) -> Result<Token> {
        let mut input = Unpacker::new(payload);
        let len = input.array()?;
        let version = Version::parse(input.uint()?)?;
        let user_id = input.id()?;
        let methods = self.methods.names(input.uint()?);
        let scope = self.unpack_scope(&mut input, version)?;
        let (origin, (expires_at, audit_ids)) = unpack_origin(&mut input, version)?;
        let (scope, origin) = with_own_domain(scope, origin);
        input.finish()?;
        if version.len() != len {
            return Err(Error::Malformed("number of fields"));
        }
        Ok(Token {
            user_id,
            methods,
            scope,
            origin,
            issued_at,
            expires_at,
            audit_ids,
        })
    }

    fn unpack_scope(&self, input: &mut Unpacker<'_>, version: Version) -> Result<Scope> {
        Ok(match version {
            Version::Unscoped | Version::FederatedUnscoped => Scope::Unscoped,
            Version::Domain => Scope::Domain(self.unpack_domain(input)?),
            Version::FederatedDomain => Scope::Domain(input.id()?),
            Version::Project
            | Version::FederatedProject
            | Version::OAuth1
            | Version::ApplicationCredential => Scope::Project(input.id()?),
            Version::Trust | Version::OAuth2Mtls => {
                let project_id = input.optional_id()?;
                project_id.map_or(Scope::Unscoped, Scope::Project)
            }
            Version::System if input.text()? == SYSTEM => Scope::System,
            Version::System => return Err(Error::Malformed("system")),
        })
    }

    fn unpack_domain(&self, input: &mut Unpacker<'_>) -> Result<String> {
        let bytes = input.bytes()?;
        if bytes == self.default_domain_id.as_bytes() {
            return Ok(self.default_domain_id.clone());
        }
        render_uuid(bytes)
    }
}

/// What of the origin stands after the audit ids.
fn pack_delegation(out: &mut Packer, origin: &Origin) -> Result<()> {
    match origin {
        Origin::Trust { trust_id } => {
            let uuid = parse_uuid(trust_id).ok_or_else(|| Error::NotRepresentable {
                field: "trust id",
                value: trust_id.clone(),
            })?;
            out.bytes(uuid.as_bytes());
        }
        Origin::ApplicationCredential { app_cred_id } => out.id(app_cred_id),
        Origin::OAuth2Mtls { thumbprint, .. } => out.plain_pair(thumbprint),
        Origin::User | Origin::Federated(_) | Origin::OAuth1 { .. } => {}
    }
    Ok(())
}

/// What stands after the scope: the origin, with expiry and audit ids before or after it.
fn unpack_origin(input: &mut Unpacker<'_>, version: Version) -> Result<(Origin, Life)> {
    Ok(match version {
        Version::Unscoped | Version::Domain | Version::Project | Version::System => {
            (Origin::User, life(input)?)
        }
        Version::FederatedUnscoped | Version::FederatedProject | Version::FederatedDomain => {
            let federation = unpack_federation(input)?;
            (Origin::Federated(federation), life(input)?)
        }
        Version::OAuth1 => {
            let access_token_id = input.id()?;
            (Origin::OAuth1 { access_token_id }, life(input)?)
        }
        Version::Trust => {
            let life = life(input)?;
            let trust_id = render_uuid(input.bytes()?)?;
            (Origin::Trust { trust_id }, life)
        }
        Version::ApplicationCredential => {
            let life = life(input)?;
            let app_cred_id = input.id()?;
            (Origin::ApplicationCredential { app_cred_id }, life)
        }
        Version::OAuth2Mtls => {
            let (domain_id, life) = (input.optional_id()?, life(input)?);
            let origin = Origin::OAuth2Mtls {
                thumbprint: input.id()?,
                domain_id,
            };
            (origin, life)
        }
    })
}

/// A domain without a project beside it is the scope itself.
fn with_own_domain(scope: Scope, origin: Origin) -> (Scope, Origin) {
    match (scope, origin) {
        (
            Scope::Unscoped,
            Origin::OAuth2Mtls {
                thumbprint,
                domain_id: Some(domain_id),
            },
        ) => {
            let origin = Origin::OAuth2Mtls {
                thumbprint,
                domain_id: None,
            };
            (Scope::Domain(domain_id), origin)
        }
        other => other,
    }
}

fn pack_federation(out: &mut Packer, federation: &Federation) {
    out.array(federation.group_ids.len());
    for id in &federation.group_ids {
        out.id(id);
    }
    out.id(&federation.identity_provider_id);
    out.text(&federation.protocol_id);
}

fn unpack_federation(input: &mut Unpacker<'_>) -> Result<Federation> {
    let groups = input.array()?;
    Ok(Federation {
        group_ids: (0..groups).map(|_| input.id()).collect::<Result<_>>()?,
        identity_provider_id: input.id()?,
        protocol_id: input.text()?,
    })
}

/// Expiry and audit ids.
type Life = (NaiveDateTime, Vec<String>);

fn life(input: &mut Unpacker<'_>) -> Result<Life> {
    Ok((input.time()?, input.audit_ids()?))
}
