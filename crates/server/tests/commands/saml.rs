//! `saml_idp_metadata`.

use crate::sandbox::Sandbox;

#[test]
fn the_metadata_are_printed_once_all_that_they_need_is_configured() {
    let sandbox = Sandbox::new();
    let certificate = include_str!("saml/certificate.pem");
    let path = sandbox.write("certificate.pem", certificate);
    sandbox.configure(&format!("[saml]\ncertfile = {path}\n"));
    sandbox
        .manage(&["saml_idp_metadata"])
        .exits_with(1)
        .says("Ensure configuration option idp_entity_id is set.");
    sandbox.configure(&format!(
        "[saml]\ncertfile = {path}\nidp_entity_id = https://idp.example.org\n\
         idp_sso_endpoint = https://idp.example.org/sso?a=b&c=d\n"
    ));
    sandbox
        .manage(&["saml_idp_metadata"])
        .succeeds()
        .prints(include_str!("saml/metadata.xml"));
}

#[test]
fn a_certificate_that_cannot_be_read_is_named() {
    let sandbox = Sandbox::new();
    sandbox.configure("[saml]\ncertfile = /nowhere/at-all.pem\n");
    sandbox
        .manage(&["saml_idp_metadata"])
        .exits_with(1)
        .says("[saml] certfile: /nowhere/at-all.pem can't be read");
}
