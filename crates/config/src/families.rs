//! Groups of this server alone of which there may be several: `[oidc:acme]`, `[saml_idp:acme]` …

/// The families, and the options of each group of one.
const FAMILIES: [(&str, &[&str]); 2] = [
    (
        "oidc",
        &[
            "access_token",
            "algorithms",
            "audience",
            "ca_file",
            "claims_from",
            "client_id",
            "client_secret_file",
            "issuer",
            "max_clock_skew",
            "protocol",
            "redirect_path",
            "scopes",
        ],
    ),
    (
        "saml_idp",
        &[
            "allow_sha1",
            "allow_unsolicited",
            "entity_id",
            "keystone",
            "max_clock_skew",
            "metadata_file",
            "protocol",
            "want_response_signed",
        ],
    ),
];

/// The options of a group, if it is one of a family.
pub(crate) fn options(group: &str) -> Option<&'static [&'static str]> {
    let (family, member) = group.split_once(':')?;
    let (_, options) = FAMILIES.iter().find(|(known, _)| *known == family)?;
    (!member.is_empty()).then_some(options)
}
