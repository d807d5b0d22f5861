//! What an operator decides about this cloud as a service provider.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::Duration;

/// `[saml_sp]`, and a `[saml_idp:<id>]` for each identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceProviderSettings {
    /// `entity_id`
    pub entity_id: String,
    /// `certfile` and `keyfile`: requests are signed where both are set.
    pub key: Option<(PathBuf, PathBuf)>,
    /// The identity providers by their ids.
    pub providers: BTreeMap<String, IdentityProviderSettings>,
}

/// `[saml_idp:<id>]`
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub struct IdentityProviderSettings {
    /// `metadata_file`
    pub metadata_file: PathBuf,
    /// `entity_id`, which chooses one of several entities in the metadata.
    pub entity_id: Option<String>,
    /// `protocol`: the only one by which users of this identity provider log in here.
    pub protocol: String,
    /// `keystone`: whether it is a Keystone, whose assertions have no conditions and answer no request.
    pub is_keystone: bool,
    /// `allow_unsolicited`
    pub allow_unsolicited: bool,
    /// `want_response_signed`
    pub want_response_signed: bool,
    /// `allow_sha1`, for Python Keystone
    pub allow_sha1: bool,
    /// `max_clock_skew`
    pub max_clock_skew: Duration,
}
