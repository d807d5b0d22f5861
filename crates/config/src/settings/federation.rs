//! `[federation]`, and the sections of protocols.

use std::fs;

use keystone::api::{Page, WebSso};
use keystone::auth::FederationSettings;

use super::{Reader, text};

const GROUP: &str = "federation";

impl Reader<'_> {
    pub(super) fn federation(&self) -> FederationSettings {
        let config = self.config;
        let of_protocols = config.remote_id_attributes();
        FederationSettings {
            assertion_prefix: config.string(GROUP, "assertion_prefix").to_owned(),
            remote_id_attribute: text(config.optional_string(GROUP, "remote_id_attribute")),
            remote_id_attributes: of_protocols
                .map(|(protocol, name)| (protocol.to_owned(), name.to_owned()))
                .collect(),
            ..FederationSettings::default()
        }
    }

    /// Logins in a browser. Where the operator names no page, and none is installed, Keystone's own is used.
    pub(super) fn websso(&mut self) -> WebSso {
        let config = self.config;
        let dashboards = config.multi(GROUP, "trusted_dashboard").iter();
        let file = config.string(GROUP, "sso_callback_template");
        let page = match fs::read_to_string(file) {
            Ok(page) => match Page::parse(&page) {
                Ok(page) => Some(page),
                Err(error) => {
                    self.problem(GROUP, "sso_callback_template", format!("{file}: {error}"));
                    None
                }
            },
            Err(error) if config.is_set(GROUP, "sso_callback_template") => {
                let problem = format!("{file} can't be read: {error}");
                self.problem(GROUP, "sso_callback_template", problem);
                None
            }
            Err(_) => None,
        };
        WebSso {
            dashboards: dashboards.map(|url| WebSso::dashboard(url)).collect(),
            page,
        }
    }
}
