//! The routes of `/v3`: each family is a file that begins with its routes.

mod access_rules;
mod application_credentials;
mod auth;
mod credentials;
mod domain_config;
mod domains;
mod ec2_credentials;
mod ec2_tokens;
mod endpoint_filter;
mod endpoint_policy;
mod endpoints;
mod federated_login;
mod grants;
mod groups;
mod identity_providers;
mod implied_roles;
mod limits;
mod mappings;
mod oauth1;
mod oauth2;
mod oidc;
mod policies;
mod project_tags;
mod projects;
mod regions;
mod registered_limits;
mod removed_routes;
mod revocation_events;
mod role_assignments;
mod roles;
mod saml2;
mod saml_login;
mod service_providers;
mod services;
mod trusts;
mod users;
mod websso;

use crate::routes::Routes;

pub(crate) use oidc::take_callback;
pub use oidc::{RedirectPath, redirect_path};
pub(crate) use saml_login::CONSUMER;
pub use saml_login::ServiceProvider;
pub use websso::{Page, WebSso};

/// The routes that Keystone does not have.
pub(crate) fn own_routes() -> Routes {
    oidc::routes().merge(saml_login::routes())
}

pub(crate) fn routes() -> Routes {
    Routes::new()
        .merge(access_rules::routes())
        .merge(application_credentials::routes())
        .merge(auth::routes())
        .merge(credentials::routes())
        .merge(domain_config::routes())
        .merge(domains::routes())
        .merge(ec2_credentials::routes())
        .merge(ec2_tokens::routes())
        .merge(endpoint_filter::routes())
        .merge(endpoint_policy::routes())
        .merge(endpoints::routes())
        .merge(federated_login::routes())
        .merge(grants::routes())
        .merge(groups::routes())
        .merge(identity_providers::routes())
        .merge(implied_roles::routes())
        .merge(removed_routes::routes())
        .merge(limits::routes())
        .merge(mappings::routes())
        .merge(oauth1::routes())
        .merge(oauth2::routes())
        .merge(policies::routes())
        .merge(project_tags::routes())
        .merge(projects::routes())
        .merge(regions::routes())
        .merge(registered_limits::routes())
        .merge(revocation_events::routes())
        .merge(role_assignments::routes())
        .merge(roles::routes())
        .merge(saml2::routes())
        .merge(service_providers::routes())
        .merge(services::routes())
        .merge(trusts::routes())
        .merge(users::routes())
        .merge(websso::routes())
}
