//! Token payloads on the wire.

use chrono::NaiveDateTime;

use crate::error::{Error, Result};
use crate::methods::Methods;
use crate::msgpack::{Packer, Unpacker, parse_uuid, render_uuid};
use crate::token::{Federation, Payload, Token};

const NEWEST_VERSION: u64 = 10;
const ALL: &str = "all";

/// What both ends of a token have to agree upon.
#[derive(Clone, Debug)]
pub(crate) struct Encoding {
    pub(crate) methods: Methods,
    /// The one domain whose id need not be a UUID in version 1.
    pub(crate) default_domain_id: String,
}

impl Encoding {
    pub(crate) fn pack(&self, token: &Token) -> Result<Vec<u8>> {
        let (version, len) = token.payload.shape();
        let mut out = Packer::default();
        out.array(len);
        out.uint(version);
        out.id(&token.user_id);
        out.uint(self.methods.bits(&token.methods));
        self.pack_scope(&mut out, &token.payload)?;
        out.time(token.expires_at);
        out.audit_ids(&token.audit_ids)?;
        pack_delegation(&mut out, &token.payload)?;
        Ok(out.into_bytes())
    }

    /// What stands between the methods and the expiry.
    fn pack_scope(&self, out: &mut Packer, payload: &Payload) -> Result<()> {
        match payload {
            Payload::Unscoped => {}
            Payload::Domain { domain_id } => self.pack_domain(out, domain_id)?,
            Payload::Project { project_id } | Payload::ApplicationCredential { project_id, .. } => {
                out.id(project_id);
            }
            Payload::Trust { project_id, .. } => out.optional_id(project_id.as_deref()),
            Payload::FederatedUnscoped(federation) => pack_federation(out, federation),
            Payload::FederatedProject {
                project_id: scope_id,
                federation,
            }
            | Payload::FederatedDomain {
                domain_id: scope_id,
                federation,
            } => {
                out.id(scope_id);
                pack_federation(out, federation);
            }
            Payload::OAuth1 {
                project_id,
                access_token_id,
            } => {
                out.id(project_id);
                out.id(access_token_id);
            }
            Payload::System => out.text(ALL),
            Payload::OAuth2Mtls {
                project_id,
                domain_id,
                ..
            } => {
                out.optional_id(project_id.as_deref());
                out.optional_id(domain_id.as_deref());
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
        let (payload, (expires_at, audit_ids)) = self.unpack_rest(&mut input, version)?;
        input.finish()?;
        if payload.shape() != (version, len) {
            return Err(Error::Malformed("number of fields"));
        }
        Ok(Token {
            user_id,
            methods,
            issued_at,
            expires_at,
            audit_ids,
            payload,
        })
    }

    /// What stands after the methods.
    fn unpack_rest(&self, input: &mut Unpacker<'_>, version: u64) -> Result<(Payload, Life)> {
        let payload = match version {
            0 => Payload::Unscoped,
            1 => {
                let domain_id = self.unpack_domain(input)?;
                Payload::Domain { domain_id }
            }
            2 => {
                let project_id = input.id()?;
                Payload::Project { project_id }
            }
            4..=6 => unpack_federated(input, version)?,
            8 if input.text()? == ALL => Payload::System,
            8 => return Err(Error::Malformed("system")),
            _ => return unpack_delegated(input, version),
        };
        Ok((payload, life(input)?))
    }

    fn unpack_domain(&self, input: &mut Unpacker<'_>) -> Result<String> {
        let bytes = input.bytes()?;
        if bytes == self.default_domain_id.as_bytes() {
            return Ok(self.default_domain_id.clone());
        }
        render_uuid(bytes)
    }
}

/// What stands after the audit ids.
fn pack_delegation(out: &mut Packer, payload: &Payload) -> Result<()> {
    match payload {
        Payload::Trust { trust_id, .. } => {
            let uuid = parse_uuid(trust_id).ok_or_else(|| Error::NotRepresentable {
                field: "trust id",
                value: trust_id.clone(),
            })?;
            out.bytes(uuid.as_bytes());
        }
        Payload::ApplicationCredential { app_cred_id, .. } => out.id(app_cred_id),
        Payload::OAuth2Mtls { thumbprint, .. } => out.plain_pair(thumbprint),
        Payload::Unscoped
        | Payload::Domain { .. }
        | Payload::Project { .. }
        | Payload::FederatedUnscoped(_)
        | Payload::FederatedProject { .. }
        | Payload::FederatedDomain { .. }
        | Payload::OAuth1 { .. }
        | Payload::System => {}
    }
    Ok(())
}

fn unpack_delegated(input: &mut Unpacker<'_>, version: u64) -> Result<(Payload, Life)> {
    Ok(match version {
        3 => {
            let (project_id, life) = (input.optional_id()?, life(input)?);
            let trust_id = render_uuid(input.bytes()?)?;
            (
                Payload::Trust {
                    project_id,
                    trust_id,
                },
                life,
            )
        }
        7 => {
            let (project_id, access_token_id) = (input.id()?, input.id()?);
            let payload = Payload::OAuth1 {
                project_id,
                access_token_id,
            };
            (payload, life(input)?)
        }
        9 => {
            let (project_id, life) = (input.id()?, life(input)?);
            let app_cred_id = input.id()?;
            (
                Payload::ApplicationCredential {
                    project_id,
                    app_cred_id,
                },
                life,
            )
        }
        10 => {
            let (project_id, domain_id) = (input.optional_id()?, input.optional_id()?);
            let (life, thumbprint) = (life(input)?, input.id()?);
            (
                Payload::OAuth2Mtls {
                    project_id,
                    domain_id,
                    thumbprint,
                },
                life,
            )
        }
        unknown => return Err(Error::UnknownVersion(unknown)),
    })
}

fn unpack_federated(input: &mut Unpacker<'_>, version: u64) -> Result<Payload> {
    if version == 4 {
        return Ok(Payload::FederatedUnscoped(unpack_federation(input)?));
    }
    let (scope_id, federation) = (input.id()?, unpack_federation(input)?);
    Ok(if version == 5 {
        Payload::FederatedProject {
            project_id: scope_id,
            federation,
        }
    } else {
        Payload::FederatedDomain {
            domain_id: scope_id,
            federation,
        }
    })
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
