//! Token payloads: the eleven versions of `keystone/token/token_formatters.py`.
//!
//! A payload is an array: version, user, methods, scope, what of the origin stands before the
//! expiry, expiry, audit ids, and what of the origin stands after them.

use chrono::NaiveDateTime;

use crate::error::{Error, Result};
use crate::methods::Methods;
use crate::msgpack::{Packer, Unpacker, parse_uuid, render_uuid};
use crate::token::{Federation, Origin, ScopeIds, Token};

const NEWEST_VERSION: u64 = 10;
const SYSTEM: &str = "all";

/// The version that has room for this scope and origin, and its number of elements; none where no version has.
fn shape(scope: &ScopeIds, origin: &Origin) -> Option<(u64, usize)> {
    Some(match (origin, scope) {
        (Origin::User, ScopeIds::Unscoped) => (0, 5),
        (Origin::User, ScopeIds::Domain(_)) => (1, 6),
        (Origin::User, ScopeIds::Project(_)) => (2, 6),
        (Origin::Trust { .. }, ScopeIds::Unscoped | ScopeIds::Project(_)) => (3, 7),
        (Origin::Federated(_), ScopeIds::Unscoped) => (4, 8),
        (Origin::Federated(_), ScopeIds::Project(_)) => (5, 9),
        (Origin::Federated(_), ScopeIds::Domain(_)) => (6, 9),
        (Origin::OAuth1 { .. }, ScopeIds::Project(_)) => (7, 7),
        (Origin::User, ScopeIds::System) => (8, 6),
        (Origin::ApplicationCredential { .. }, ScopeIds::Project(_)) => (9, 7),
        (Origin::OAuth2Mtls { .. }, ScopeIds::Project(_)) => (10, 8),
        (Origin::OAuth2Mtls { domain_id, .. }, ScopeIds::Unscoped | ScopeIds::Domain(_))
            if domain_id.is_none() =>
        {
            (10, 8)
        }
        (
            Origin::Federated(_)
            | Origin::Trust { .. }
            | Origin::ApplicationCredential { .. }
            | Origin::OAuth1 { .. }
            | Origin::OAuth2Mtls { .. },
            ScopeIds::Unscoped | ScopeIds::Domain(_) | ScopeIds::System,
        ) => return None,
    })
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
        let (version, len) = shape(scope, origin).ok_or_else(|| Error::NotRepresentable {
            field: "scope",
            value: format!("{scope:?} of {origin:?}"),
        })?;
        let mut out = Packer::default();
        out.array(len);
        out.uint(version);
        out.id(&token.user_id);
        out.uint(self.methods.bits(&token.methods));
        self.pack_scope(&mut out, scope, origin)?;
        out.time(token.expires_at);
        out.audit_ids(&token.audit_ids)?;
        pack_delegation(&mut out, origin)?;
        Ok(out.into_bytes())
    }

    /// Packs the fields between the methods and the expiry.
    fn pack_scope(&self, out: &mut Packer, scope: &ScopeIds, origin: &Origin) -> Result<()> {
        match origin {
            Origin::User => match scope {
                ScopeIds::Unscoped => {}
                ScopeIds::Project(id) => out.id(id),
                ScopeIds::Domain(id) => self.pack_domain(out, id)?,
                ScopeIds::System => out.text(SYSTEM),
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
        let version = input.uint()?;
        if version > NEWEST_VERSION {
            return Err(Error::UnknownVersion(version));
        }
        let user_id = input.id()?;
        let methods = self.methods.names(input.uint()?);
        let scope = self.unpack_scope(&mut input, version)?;
        let (origin, (expires_at, audit_ids)) = unpack_origin(&mut input, version)?;
        let (scope, origin) = with_own_domain(scope, origin);
        input.finish()?;
        if shape(&scope, &origin) != Some((version, len)) {
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

    fn unpack_scope(&self, input: &mut Unpacker<'_>, version: u64) -> Result<ScopeIds> {
        Ok(match version {
            0 | 4 => ScopeIds::Unscoped,
            1 => ScopeIds::Domain(self.unpack_domain(input)?),
            6 => ScopeIds::Domain(input.id()?),
            2 | 5 | 7 | 9 => ScopeIds::Project(input.id()?),
            3 | 10 => {
                let project_id = input.optional_id()?;
                project_id.map_or(ScopeIds::Unscoped, ScopeIds::Project)
            }
            8 if input.text()? == SYSTEM => ScopeIds::System,
            8 => return Err(Error::Malformed("system")),
            unknown => return Err(Error::UnknownVersion(unknown)),
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

/// Packs the fields of the origin that follow the audit ids.
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

/// Unpacks the fields after the scope: the origin, with expiry and audit ids before or after it.
fn unpack_origin(input: &mut Unpacker<'_>, version: u64) -> Result<(Origin, Life)> {
    Ok(match version {
        0..=2 | 8 => (Origin::User, life(input)?),
        4..=6 => {
            let federation = unpack_federation(input)?;
            (Origin::Federated(federation), life(input)?)
        }
        7 => {
            let access_token_id = input.id()?;
            (Origin::OAuth1 { access_token_id }, life(input)?)
        }
        3 => {
            let life = life(input)?;
            let trust_id = render_uuid(input.bytes()?)?;
            (Origin::Trust { trust_id }, life)
        }
        9 => {
            let life = life(input)?;
            let app_cred_id = input.id()?;
            (Origin::ApplicationCredential { app_cred_id }, life)
        }
        10 => {
            let (domain_id, life) = (input.optional_id()?, life(input)?);
            let origin = Origin::OAuth2Mtls {
                thumbprint: input.id()?,
                domain_id,
            };
            (origin, life)
        }
        unknown => return Err(Error::UnknownVersion(unknown)),
    })
}

/// A domain without a project beside it is the scope itself.
fn with_own_domain(scope: ScopeIds, origin: Origin) -> (ScopeIds, Origin) {
    match (scope, origin) {
        (
            ScopeIds::Unscoped,
            Origin::OAuth2Mtls {
                thumbprint,
                domain_id: Some(domain_id),
            },
        ) => {
            let origin = Origin::OAuth2Mtls {
                thumbprint,
                domain_id: None,
            };
            (ScopeIds::Domain(domain_id), origin)
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
