//! `saml_idp_metadata`: prints the metadata of this cloud as an identity provider.

use std::fs;

use crate::configuration::Configuration;
use crate::error::{CommandError, Result};
use crate::terminal::print;

pub(super) fn print_metadata(configuration: &Configuration) -> Result<()> {
    let saml = &configuration.settings.auth.saml;
    let certificate = fs::read_to_string(&saml.certificate).map_err(|error| {
        let path = saml.certificate.display();
        CommandError::new(format!("[saml] certfile: {path} can't be read: {error}"))
    })?;
    let document = saml.metadata.document(&certificate);
    print(&document.map_err(|error| CommandError::new(error.to_string()))?);
    Ok(())
}
