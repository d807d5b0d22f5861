//! Signatures: the one file that knows `bergshamra`.
//!
//! The crate does what the standard of XML signatures says, which is more than SAML allows, and "valid" says nothing about
//! where in the message the signed element is. So a signature must have SAML's form before the crate sees it (one reference, to
//! the element around it; two transforms; listed algorithms), only keys of configured certificates count, and the
//! caller gets the element that the verified reference resolved to, from which alone the user and the attributes may be read.

use bergshamra_dsig::verify::verify_all_document;
use bergshamra_dsig::{DsigContext, VerifyResult};
use bergshamra_keys::KeysManager;
use bergshamra_keys::loader::load_x509_cert_der;
use uppsala::NodeId;

use super::Refusal;
use super::document::Tree;
use crate::names::{ENVELOPED, EXCLUSIVE, SIGNATURE};

/// The algorithms of signatures that are taken.
const SIGNATURES: [&str; 5] = [
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
];
/// The algorithms of digests that are taken.
const DIGESTS: [&str; 3] = [
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
];
/// Those of Python Keystone as an identity provider.
const RSA_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";

/// Whose signatures are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trust<'a> {
    /// Certificates, as bytes.
    pub(super) certificates: &'a [Vec<u8>],
    /// Whether SHA-1 is taken.
    pub(super) sha1: bool,
}

/// Verifies every signature of a message, each of which must be of the element around it, one of `signable`; returns the
/// elements that are signed.
pub(super) fn signed_elements(
    tree: &Tree<'_>,
    signable: &[NodeId],
    trust: Trust<'_>,
) -> Result<Vec<NodeId>, Refusal> {
    let signatures = tree.everywhere(SIGNATURE, "Signature");
    let mut claimed = Vec::with_capacity(signatures.len());
    for signature in signatures {
        let around = tree.document.parent(signature);
        let around = around.filter(|node| signable.contains(node) && !claimed.contains(node));
        let around = around.ok_or(Refusal::SignatureForm("it stands elsewhere"))?;
        check_form(tree, signature, around, trust.sha1)?;
        claimed.push(around);
    }
    if claimed.is_empty() {
        return Ok(claimed);
    }
    let mut reason = "there is none".to_owned();
    for certificate in trust.certificates {
        match verified(tree, certificate) {
            Ok(mut signed) => {
                signed.sort_unstable_by_key(NodeId::index);
                claimed.sort_unstable_by_key(NodeId::index);
                if signed == claimed {
                    return Ok(signed);
                }
                return Err(Refusal::SignatureForm("it is of another element"));
            }
            Err(other) => reason = other,
        }
    }
    Err(Refusal::Signature(reason))
}

/// The elements that the references of a document's signatures resolve to, if this certificate's key verifies all of them.
fn verified(tree: &Tree<'_>, certificate: &[u8]) -> Result<Vec<NodeId>, String> {
    let key = load_x509_cert_der(certificate).map_err(|error| error.to_string())?;
    let mut keys = KeysManager::new();
    keys.add_key(key);
    // Its defaults are the careful ones: only these keys, and no reference to a place where SAML has none.
    let context = DsigContext::new(keys);
    let results =
        verify_all_document(&context, &tree.document).map_err(|error| error.to_string())?;
    let mut signed = Vec::with_capacity(results.len());
    for result in results {
        match result {
            VerifyResult::Valid { references, .. } => match &references[..] {
                [only] if only.digest_verified => signed.extend(only.resolved_node),
                _ => return Err("it has not one reference".to_owned()),
            },
            VerifyResult::Invalid { reason } => return Err(reason),
        }
    }
    Ok(signed)
}

/// Holds a signature to SAML's profile (section 5.4 of its core).
fn check_form(
    tree: &Tree<'_>,
    signature: NodeId,
    around: NodeId,
    sha1: bool,
) -> Result<(), Refusal> {
    let form = |text| Err(Refusal::SignatureForm(text));
    let mut names = vec!["SignedInfo", "SignatureValue"];
    if tree.children(signature).count() > names.len() {
        names.push("KeyInfo");
    }
    let info = elements(tree, signature, &names)?[0];
    let names = ["CanonicalizationMethod", "SignatureMethod", "Reference"];
    let [canonical, method, reference] = elements(tree, info, &names)?[..] else {
        return form("it has not one reference");
    };
    if tree.attribute(canonical, "Algorithm") != Some(EXCLUSIVE) {
        return form("its canonical form is not the exclusive one");
    }
    let algorithm = tree.attribute(method, "Algorithm").unwrap_or_default();
    let allowed = SIGNATURES.contains(&algorithm) || sha1 && algorithm == RSA_SHA1;
    if !allowed {
        return Err(Refusal::Algorithm(algorithm.to_owned()));
    }
    let id = tree.attribute(around, "ID").unwrap_or_default();
    let target = tree.attribute(reference, "URI").unwrap_or_default();
    if id.is_empty() || target.strip_prefix('#') != Some(id) {
        return form("it is of another element");
    }
    check_reference(tree, reference, sha1)
}

fn check_reference(tree: &Tree<'_>, reference: NodeId, sha1: bool) -> Result<(), Refusal> {
    let form = |text| Err(Refusal::SignatureForm(text));
    let names = ["Transforms", "DigestMethod", "DigestValue"];
    let [transforms, method, _] = elements(tree, reference, &names)?[..] else {
        return form("its reference has other elements than SAML's");
    };
    let algorithm = tree.attribute(method, "Algorithm").unwrap_or_default();
    if !(DIGESTS.contains(&algorithm) || sha1 && algorithm == SHA1) {
        return Err(Refusal::Algorithm(algorithm.to_owned()));
    }
    let steps = elements(tree, transforms, &["Transform", "Transform"])?;
    let steps: Vec<_> = steps
        .iter()
        .map(|step| tree.attribute(*step, "Algorithm").unwrap_or_default())
        .collect();
    if steps != [ENVELOPED, EXCLUSIVE] {
        return form("its transforms are not those of SAML");
    }
    Ok(())
}

/// The child elements, which must have these names in this order.
fn elements(tree: &Tree<'_>, node: NodeId, names: &[&str]) -> Result<Vec<NodeId>, Refusal> {
    let children: Vec<_> = tree.children(node).collect();
    let mut pairs = children.iter().zip(names);
    if children.len() == names.len() && pairs.all(|(child, name)| tree.is(*child, SIGNATURE, name))
    {
        return Ok(children);
    }
    Err(Refusal::SignatureForm("its elements are not those of SAML"))
}
