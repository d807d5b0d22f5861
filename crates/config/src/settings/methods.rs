//! `[auth] methods`, and the plugin that Keystone would load for each.

use super::Reader;

/// The methods that Keystone has plugins for, and the names of these plugins.
const BUILT_IN: [(&str, &[&str]); 12] = [
    ("application_credential", &["default"]),
    ("ec2credential", &["default"]),
    ("external", &["default", "DefaultDomain", "Domain"]),
    ("kerberos", &["default"]),
    ("mapped", &["default"]),
    ("oauth1", &["default"]),
    ("openid", &["default"]),
    ("password", &["default"]),
    ("saml2", &["default"]),
    ("token", &["default"]),
    ("totp", &["default"]),
    ("x509", &["default"]),
];

/// The methods with an option for their plugin even where they are not enabled.
const WITH_OPTION: [&str; 7] = [
    "application_credential",
    "ec2credential",
    "external",
    "mapped",
    "oauth1",
    "password",
    "token",
];

impl Reader<'_> {
    /// The enabled methods in their order, which gives each its bit in a token.
    ///
    /// A method of somebody else's plugin keeps its bit, but nobody can log in with it. If the plugin replaces one of
    /// Keystone's own, logins are refused altogether: it may ask for more than this server would.
    pub(super) fn methods(&mut self) -> Vec<String> {
        let config = self.config;
        let methods = config.list("auth", "methods").to_vec();
        for method in &methods {
            let built_in = BUILT_IN.iter().find(|(name, _)| name == method);
            let Some((_, plugins)) = built_in else {
                let text = format!(
                    "{method} is a method of a plugin, which this server can't run: nobody can log in with it"
                );
                self.warning("auth", "methods", text);
                continue;
            };
            let has_option = WITH_OPTION.contains(&method.as_str());
            let plugin = if has_option {
                config.optional_string("auth", method)
            } else {
                config.plugin_option("auth", method)
            };
            let chosen = plugin.filter(|name| !name.is_empty()).unwrap_or("default");
            if !plugins.contains(&chosen) {
                let option = if has_option {
                    method.as_str()
                } else {
                    "methods"
                };
                let text = format!(
                    "the plugin {chosen} of {method} can't be run by this server, which has: {}",
                    plugins.join(", ")
                );
                self.problem("auth", option, text);
            }
        }
        methods
    }
}
