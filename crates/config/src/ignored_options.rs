//! The options that this server reads. The others are accepted, so that a `keystone.conf` can be
//! used unchanged, and setting one is a warning.

use crate::Config;
use crate::diagnostic::Diagnostic;
use crate::table::table;

/// The options that are read by `Config::settings` and, for the log, by the server.
const OPTIONS_READ: &[(&str, &[&str])] = &[
    (
        "DEFAULT",
        &[
            "admin_token",
            "control_exchange",
            "debug",
            "default_publisher_id",
            "insecure_debug",
            "list_limit",
            "log_config_append",
            "log_dir",
            "log_file",
            "max_db_limit",
            "max_project_tree_depth",
            "notification_format",
            "notification_opt_out",
            "public_endpoint",
            "strict_password_check",
            "transport_url",
            "use_journal",
            "use_json",
            "use_stderr",
            "use_syslog",
        ],
    ),
    ("application_credential", &["user_limit"]),
    ("assignment", &["prohibited_implied_role"]),
    ("audit", &["namespace"]),
    (
        "auth",
        &[
            "additional_primary_auth_methods",
            "application_credential",
            "ec2credential",
            "external",
            "mapped",
            "methods",
            "oauth1",
            "password",
            "token",
        ],
    ),
    ("cache", &["stale_for"]),
    ("catalog", &["driver", "list_limit"]),
    (
        "cors",
        &[
            "allow_credentials",
            "allow_headers",
            "allow_methods",
            "allowed_origin",
            "expose_headers",
            "max_age",
        ],
    ),
    ("credential", &["auth_ttl", "key_repository", "user_limit"]),
    (
        "database",
        &[
            "connection",
            "connection_recycle_time",
            "max_overflow",
            "max_pool_size",
            "mysql_sql_mode",
            "mysql_wsrep_sync_wait",
            "pool_timeout",
        ],
    ),
    (
        "domain_config",
        &[
            "additional_sensitive_options",
            "additional_whitelisted_options",
        ],
    ),
    ("endpoint_filter", &["return_all_endpoints_if_no_filter"]),
    (
        "federation",
        &[
            "assertion_prefix",
            "attribute_mapping_default_schema_version",
            "default_authorization_ttl",
            "federated_domain_name",
            "remote_id_attribute",
            "sso_callback_template",
            "trusted_dashboard",
        ],
    ),
    ("fernet_receipts", &["key_repository", "max_active_keys"]),
    ("fernet_tokens", &["key_repository", "max_active_keys"]),
    (
        "healthcheck",
        &[
            "allowed_source_ranges",
            "backends",
            "detailed",
            "disable_by_file_path",
            "disable_by_file_paths",
            "enable_by_file_paths",
            "ignore_proxied_requests",
        ],
    ),
    (
        "identity",
        &[
            "default_domain_id",
            "domain_config_dir",
            "domain_configurations_from_database",
            "domain_specific_drivers_enabled",
            "driver",
            "list_limit",
            "max_password_length",
            "password_hash_algorithm",
            "password_hash_rounds",
            "salt_bytesize",
            "scrypt_block_size",
            "scrypt_parallelism",
        ],
    ),
    ("identity_mapping", &["backward_compatible_ids"]),
    (
        "ldap",
        &[
            "alias_dereferencing",
            "auth_pool_connection_lifetime",
            "auth_pool_size",
            "chase_referrals",
            "connection_timeout",
            "group_ad_nesting",
            "group_attribute_ignore",
            "group_desc_attribute",
            "group_filter",
            "group_id_attribute",
            "group_member_attribute",
            "group_members_are_ids",
            "group_name_attribute",
            "group_objectclass",
            "group_tree_dn",
            "page_size",
            "password",
            "pool_connection_lifetime",
            "pool_connection_timeout",
            "pool_retry_delay",
            "pool_retry_max",
            "pool_size",
            "query_scope",
            "randomize_urls",
            "suffix",
            "tls_cacertdir",
            "tls_cacertfile",
            "tls_req_cert",
            "url",
            "use_auth_pool",
            "use_pool",
            "use_tls",
            "user",
            "user_attribute_ignore",
            "user_default_project_id_attribute",
            "user_description_attribute",
            "user_enabled_attribute",
            "user_enabled_default",
            "user_enabled_emulation",
            "user_enabled_emulation_dn",
            "user_enabled_emulation_use_group_config",
            "user_enabled_invert",
            "user_enabled_mask",
            "user_filter",
            "user_id_attribute",
            "user_mail_attribute",
            "user_name_attribute",
            "user_objectclass",
            "user_tree_dn",
        ],
    ),
    ("notifications", &["json_lines", "webhook"]),
    (
        "oauth1",
        &["access_token_duration", "request_token_duration"],
    ),
    (
        "oauth2",
        &["oauth2_authn_methods", "oauth2_cert_dn_mapping_id"],
    ),
    (
        "jwt_tokens",
        &[
            "jws_accepted_algorithms",
            "jws_algorithm",
            "jws_private_key_repository",
            "jws_public_key_repository",
        ],
    ),
    (
        "oslo_messaging_notifications",
        &["driver", "retry", "topics", "transport_url"],
    ),
    (
        "oslo_messaging_rabbit",
        &[
            "amqp_auto_delete",
            "amqp_durable_queues",
            "heartbeat_timeout_threshold",
            "kombu_compression",
            "rabbit_ha_queues",
            "rabbit_interval_max",
            "rabbit_login_method",
            "rabbit_quorum_delivery_limit",
            "rabbit_quorum_max_memory_bytes",
            "rabbit_quorum_max_memory_length",
            "rabbit_quorum_queue",
            "rabbit_retry_backoff",
            "rabbit_retry_interval",
            "ssl",
            "ssl_ca_file",
            "ssl_cert_file",
            "ssl_key_file",
        ],
    ),
    (
        "oslo_middleware",
        &["enable_proxy_headers_parsing", "max_request_body_size"],
    ),
    (
        "oslo_policy",
        &[
            "enforce_new_defaults",
            "policy_default_rule",
            "policy_dirs",
            "policy_file",
            "remote_content_type",
            "remote_ssl_ca_crt_file",
            "remote_ssl_client_crt_file",
            "remote_ssl_client_key_file",
            "remote_ssl_verify_server_crt",
            "remote_timeout",
        ],
    ),
    ("policy", &["list_limit"]),
    ("receipt", &["expiration"]),
    (
        "resource",
        &[
            "admin_project_domain_name",
            "admin_project_name",
            "domain_name_url_safe",
            "list_limit",
            "project_name_url_safe",
        ],
    ),
    ("revoke", &["expiration_buffer"]),
    ("role", &["list_limit"]),
    (
        "saml",
        &[
            "assertion_expiration_time",
            "certfile",
            "idp_contact_company",
            "idp_contact_email",
            "idp_contact_name",
            "idp_contact_surname",
            "idp_contact_telephone",
            "idp_contact_type",
            "idp_entity_id",
            "idp_lang",
            "idp_metadata_path",
            "idp_organization_display_name",
            "idp_organization_name",
            "idp_organization_url",
            "idp_sso_endpoint",
            "keyfile",
            "relay_state_prefix",
        ],
    ),
    ("saml_sp", &["certfile", "entity_id", "keyfile"]),
    (
        "security_compliance",
        &[
            "allow_insecure_admin_trust_cross_project_credentials_access",
            "allow_insecure_application_credential_trust_escalation",
            "change_password_upon_first_use",
            "disable_user_account_days_inactive",
            "invalid_password_hash_function",
            "invalid_password_hash_max_chars",
            "invalid_password_hash_secret_key",
            "lockout_duration",
            "lockout_failure_attempts",
            "minimum_password_age",
            "password_expires_days",
            "password_regex",
            "password_regex_description",
            "report_invalid_password_hash",
            "unique_last_password_count",
        ],
    ),
    (
        "token",
        &[
            "allow_expired_window",
            "allow_rescope_scoped_token",
            "expiration",
            "provider",
            "revoke_by_id",
        ],
    ),
    (
        "tokenless_auth",
        &["issuer_attribute", "protocol", "trusted_issuer"],
    ),
    ("totp", &["included_previous_windows"]),
    ("trust", &["max_redelegation_count"]),
    (
        "trusted_proxy",
        &["addresses", "header_prefixes", "secret_file", "variables"],
    ),
    ("unified_limit", &["enforcement_model"]),
];

fn is_read(group: &str, name: &str) -> bool {
    let mut groups = OPTIONS_READ.iter();
    let names = groups.find(|(known, _)| *known == group);
    names.is_some_and(|(_, names)| names.contains(&name))
}

impl Config {
    /// A warning for each option that has no effect here and is set to another value than its default.
    pub fn ignored_options(&self) -> Vec<Diagnostic> {
        self.ignored(is_read)
    }

    /// The same for the file of a domain, of which the driver, the directory and the limit of lists are read.
    pub(crate) fn ignored_in_domain(&self) -> Vec<Diagnostic> {
        self.ignored(|group, name| match group {
            "ldap" => is_read(group, name),
            "identity" => matches!(name, "driver" | "list_limit"),
            _ => (group, name) == ("DEFAULT", "list_limit"),
        })
    }

    fn ignored(&self, is_read: impl Fn(&str, &str) -> bool) -> Vec<Diagnostic> {
        let options = table().definitions.iter();
        let idle = options.filter(|option| !is_read(&option.group, &option.name));
        let set = idle.filter(|option| {
            let (group, name) = (&option.group, &option.name);
            let default = option.value.as_ref().map(crate::convert::Value::json);
            self.is_set(group, name) && self.json(group, name) != default.unwrap_or_default()
        });
        set.map(|option| {
            let text = "accepted, but it has no effect on this server";
            self.diagnostic(&option.group, &option.name, text)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Sources, config};

    /// The options of the log, which the crate `keystone-server` reads.
    const BY_SERVER: [&str; 8] = [
        "debug",
        "log_config_append",
        "log_dir",
        "log_file",
        "use_journal",
        "use_json",
        "use_stderr",
        "use_syslog",
    ];

    #[test]
    fn the_list_names_exactly_the_options_that_are_read() {
        // Some options are read only if others are set.
        let sources = Sources::new().text(
            "keystone.conf",
            "[healthcheck]\nbackends = disable_by_file,disable_by_files_ports\n\
             [identity]\npassword_hash_algorithm = bcrypt\ndriver = ldap\n\
             [oslo_messaging_notifications]\ndriver = messagingv2\n[oslo_messaging_rabbit]\nrabbit_quorum_queue = true\n",
        );
        let (read, _) = Config::load(&sources).unwrap();
        let mut asked = config::asked(|| {
            read.settings(&sources).unwrap();
        });
        let sources = Sources::new().text(
            "keystone.conf",
            "[healthcheck]\nbackends = enable_by_files\n",
        );
        let (read, _) = Config::load(&sources).unwrap();
        asked.extend(config::asked(|| {
            read.settings(&sources).unwrap();
        }));
        asked.extend(BY_SERVER.map(|name| ("DEFAULT".to_owned(), name.to_owned())));
        let groups: BTreeSet<_> = OPTIONS_READ.iter().map(|(group, _)| group).collect();
        assert_eq!(groups.len(), OPTIONS_READ.len(), "a group is there twice");
        let listed: BTreeSet<_> = OPTIONS_READ
            .iter()
            .flat_map(|(group, names)| {
                names
                    .iter()
                    .map(|name| ((*group).to_owned(), (*name).to_owned()))
            })
            .collect();
        assert_eq!(asked, listed);
    }

    #[test]
    fn each_set_option_without_effect_is_a_warning() {
        let text = "[DEFAULT]\ndebug = true\nrpc_response_timeout = 5\n\
                    [cache]\nenabled = true\nbackend = dogpile.cache.memcached\n\
                    [token]\nexpiration = 7200\ncaching = false\n";
        let (config, warnings) = Config::load(&Sources::new().text("keystone.conf", text)).unwrap();
        assert_eq!(warnings, []);
        let told: Vec<_> = config
            .ignored_options()
            .iter()
            .map(ToString::to_string)
            .collect();
        let expected = [
            "keystone.conf:3: [DEFAULT] rpc_response_timeout",
            "keystone.conf:6: [cache] backend",
            "keystone.conf:9: [token] caching",
        ];
        assert_eq!(
            told,
            expected
                .map(|option| format!("{option}: accepted, but it has no effect on this server"))
        );
    }
}
