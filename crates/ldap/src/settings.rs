//! What an operator says about a directory: the options of `[ldap]` that have an effect here.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use keystone_types::Secret;

use crate::dn::Dn;
use crate::filter;
use crate::server::Server;

/// The options of `[ldap]`, under their names there and with their defaults.
///
/// Not among them are `debug_level` (of a C library), `user_pass_attribute` (nothing reads passwords) and the additional
/// attribute mappings (nothing shows them).
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option that operators know by its name"
)]
pub struct Settings {
    /// `ldap:`, `ldaps:` and `ldapi:` URLs with commas or spaces between them, which are tried in this order.
    pub url: String,
    /// Tries the URLs in an order that each start shuffles.
    pub randomize_urls: bool,
    /// The DN that searches bind as; without it or without a password they are anonymous.
    pub user: Option<String>,
    /// The password of `user`.
    pub password: Option<Secret>,
    /// Where the trees are that are not named: `ou=Users,<suffix>` and `ou=UserGroups,<suffix>`.
    pub suffix: String,
    /// How deep below the trees entries are looked for.
    pub query_scope: QueryScope,
    /// How many entries the directory sends at a time (RFC 2696); zero sends all at once.
    pub page_size: u32,
    /// When the directory follows aliases.
    pub alias_dereferencing: AliasDereferencing,
    /// Referrals to other directories are never followed; `false` says that their entries are not wanted, and that no line of
    /// the log need tell of them.
    pub chase_referrals: Option<bool>,

    /// The base of searches for users.
    pub user_tree_dn: Option<String>,
    /// A filter of RFC 4515, in parentheses, that users have to pass too.
    pub user_filter: Option<String>,
    /// The object class of users.
    pub user_objectclass: String,
    /// The attribute with the local id.
    pub user_id_attribute: String,
    /// The attribute with the name.
    pub user_name_attribute: String,
    /// The attribute with the description.
    pub user_description_attribute: Option<String>,
    /// The attribute with the address for mail.
    pub user_mail_attribute: Option<String>,
    /// The attribute with the default project.
    pub user_default_project_id_attribute: Option<String>,
    /// The attribute that says whether a user is enabled.
    pub user_enabled_attribute: String,
    /// The attribute says the opposite: whether the user is locked. Not with a mask or emulation.
    pub user_enabled_invert: bool,
    /// The bits of the attribute that all are set in a disabled user; zero, and the attribute is `TRUE` or `FALSE`.
    pub user_enabled_mask: u32,
    /// What counts where the attribute is missing: a truth value, or a number where there is a mask.
    pub user_enabled_default: String,
    /// The enabled users are the members of a group.
    pub user_enabled_emulation: bool,
    /// That group; without it `cn=enabled_users` below the users' tree.
    pub user_enabled_emulation_dn: Option<String>,
    /// That group is one of `group_objectclass` and `group_member_attribute`, and not a `groupOfNames`.
    pub user_enabled_emulation_use_group_config: bool,
    /// Attributes of users, by Keystone's names, that are not read.
    pub user_attribute_ignore: Vec<String>,

    /// The base of searches for groups.
    pub group_tree_dn: Option<String>,
    /// A filter of RFC 4515, in parentheses, that groups have to pass too.
    pub group_filter: Option<String>,
    /// The object class of groups.
    pub group_objectclass: String,
    /// The attribute with the local id.
    pub group_id_attribute: String,
    /// The attribute with the name.
    pub group_name_attribute: String,
    /// The attribute with the members.
    pub group_member_attribute: String,
    /// The members are local ids and not DNs, as those of `posixGroup` are.
    pub group_members_are_ids: bool,
    /// The attribute with the description.
    pub group_desc_attribute: Option<String>,
    /// Attributes of groups, by Keystone's names, that are not read.
    pub group_attribute_ignore: Vec<String>,
    /// Members of nested groups count, by the matching rule that Active Directory has for it.
    pub group_ad_nesting: bool,

    /// A PEM file with the certificates to trust.
    pub tls_cacertfile: Option<PathBuf>,
    /// A directory of PEM files with the certificates to trust, where `tls_cacertfile` is not set. The system's, where neither
    /// is.
    pub tls_cacertdir: Option<PathBuf>,
    /// Begins TLS on `ldap:` connections (`StartTLS`).
    pub use_tls: bool,
    /// What becomes of a certificate that is not valid.
    pub tls_req_cert: TlsReqCert,

    /// How long a step may take where there is no pool.
    pub connection_timeout: Option<Duration>,
    /// Keeps the connections for searches.
    pub use_pool: bool,
    /// How many connections for searches there may be.
    pub pool_size: usize,
    /// How often all URLs are tried for a connection.
    pub pool_retry_max: u32,
    /// How long to wait before they are tried again.
    pub pool_retry_delay: Duration,
    /// How long a step may take where there is a pool: a connection with its TLS and its bind, a wait for a free one, each
    /// answer. Ten seconds where it is not set: nothing waits without an end.
    pub pool_connection_timeout: Option<Duration>,
    /// How old a connection for searches may be.
    pub pool_connection_lifetime: Duration,
    /// Keeps the connections on which users' passwords are checked, apart from those for searches.
    pub use_auth_pool: bool,
    /// How many of these there may be.
    pub auth_pool_size: usize,
    /// How old one of these may be.
    pub auth_pool_connection_lifetime: Duration,
}

/// How deep below a tree entries are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueryScope {
    /// `one`: right below it.
    #[default]
    One,
    /// `sub`: anywhere below it, and itself.
    Sub,
}

/// When the directory follows aliases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AliasDereferencing {
    /// `default`: never, which is the default of LDAP.
    #[default]
    Default,
    /// `never`.
    Never,
    /// `searching`: below the base.
    Searching,
    /// `finding`: to find the base.
    Finding,
    /// `always`.
    Always,
}

/// What becomes of a certificate that is not valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsReqCert {
    /// `demand`: no connection.
    #[default]
    Demand,
    /// `allow`: nothing.
    Allow,
    /// `never`: nothing.
    Never,
}

/// An option with a value that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[ldap] {option}: {reason}")]
pub struct SettingsError {
    /// The option's name.
    pub option: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "ldap://localhost".into(),
            randomize_urls: false,
            user: None,
            password: None,
            suffix: "cn=example,cn=com".into(),
            query_scope: QueryScope::One,
            page_size: 0,
            alias_dereferencing: AliasDereferencing::Default,
            chase_referrals: None,
            user_tree_dn: None,
            user_filter: None,
            user_objectclass: "inetOrgPerson".into(),
            user_id_attribute: "cn".into(),
            user_name_attribute: "sn".into(),
            user_description_attribute: Some("description".into()),
            user_mail_attribute: Some("mail".into()),
            user_default_project_id_attribute: None,
            user_enabled_attribute: "enabled".into(),
            user_enabled_invert: false,
            user_enabled_mask: 0,
            user_enabled_default: "True".into(),
            user_enabled_emulation: false,
            user_enabled_emulation_dn: None,
            user_enabled_emulation_use_group_config: false,
            user_attribute_ignore: vec!["default_project_id".into()],
            group_tree_dn: None,
            group_filter: None,
            group_objectclass: "groupOfNames".into(),
            group_id_attribute: "cn".into(),
            group_name_attribute: "ou".into(),
            group_member_attribute: "member".into(),
            group_members_are_ids: false,
            group_desc_attribute: Some("description".into()),
            group_attribute_ignore: Vec::new(),
            group_ad_nesting: false,
            tls_cacertfile: None,
            tls_cacertdir: None,
            use_tls: false,
            tls_req_cert: TlsReqCert::Demand,
            connection_timeout: None,
            use_pool: true,
            pool_size: 10,
            pool_retry_max: 3,
            pool_retry_delay: Duration::from_millis(100),
            pool_connection_timeout: None,
            pool_connection_lifetime: Duration::from_mins(10),
            use_auth_pool: true,
            auth_pool_size: 100,
            auth_pool_connection_lifetime: Duration::from_mins(1),
        }
    }
}

impl Settings {
    /// Checks what the types do not say, but for the URLs and the certificates.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        for (option, name) in self.attributes() {
            if let Some(name) = name.filter(|name| !filter::is_attribute(name)) {
                return wrong(option, format!("{name:?} is no name of an attribute"));
            }
        }
        for (option, filter) in [
            ("user_filter", &self.user_filter),
            ("group_filter", &self.group_filter),
        ] {
            let set = filter.as_ref().filter(|filter| !filter.is_empty());
            if let Some(filter) = set {
                filter::check(filter)
                    .or_else(|reason| wrong(option, format!("{filter:?} {reason}")))?;
            }
        }
        let trees = [
            ("user_tree_dn", self.user_tree()),
            ("group_tree_dn", self.group_tree()),
            ("user_enabled_emulation_dn", self.emulation_group()),
        ];
        for (option, tree) in trees {
            if Dn::parse(&tree).is_err() {
                return wrong(option, format!("{tree:?} is no distinguished name"));
            }
        }
        if self.user_enabled_mask != 0 && self.user_enabled_default.trim().parse::<i64>().is_err() {
            let value = &self.user_enabled_default;
            return wrong(
                "user_enabled_default",
                format!("{value:?} is no number, and user_enabled_mask is set"),
            );
        }
        for (option, size) in [
            ("pool_size", self.pool_size),
            ("auth_pool_size", self.auth_pool_size),
        ] {
            if size == 0 {
                return wrong(option, "must be at least 1".into());
            }
        }
        Ok(())
    }

    /// The options that name attributes, but for those that name none.
    fn attributes(&self) -> [(&'static str, Option<&str>); 10] {
        fn optional(name: Option<&String>) -> Option<&str> {
            name.map(String::as_str).filter(|name| !name.is_empty())
        }
        let project = optional(self.user_default_project_id_attribute.as_ref());
        [
            ("user_id_attribute", Some(&self.user_id_attribute)),
            ("user_name_attribute", Some(&self.user_name_attribute)),
            (
                "user_enabled_attribute",
                optional(Some(&self.user_enabled_attribute)),
            ),
            (
                "user_description_attribute",
                optional(self.user_description_attribute.as_ref()),
            ),
            (
                "user_mail_attribute",
                optional(self.user_mail_attribute.as_ref()),
            ),
            ("user_default_project_id_attribute", project),
            ("group_id_attribute", Some(&self.group_id_attribute)),
            ("group_name_attribute", Some(&self.group_name_attribute)),
            ("group_member_attribute", Some(&self.group_member_attribute)),
            (
                "group_desc_attribute",
                optional(self.group_desc_attribute.as_ref()),
            ),
        ]
    }

    /// The servers of `url`.
    pub(crate) fn servers(&self) -> Result<Vec<Server>, SettingsError> {
        let urls = self.url.split([',', ' ']).filter(|url| !url.is_empty());
        let servers: Vec<_> = urls
            .map(|url| Server::parse(url).map_err(|reason| format!("{url}: {reason}")))
            .collect::<Result<_, _>>()
            .or_else(|reason| wrong("url", reason))?;
        if servers.is_empty() {
            return wrong("url", "there is none".into());
        }
        if self.use_tls && servers.iter().any(Server::is_tls) {
            return wrong(
                "use_tls",
                "begins TLS on a connection, but one of an ldaps: URL has it from the start".into(),
            );
        }
        let other = |server: &&Server| (self.use_tls || server.is_tls()) && !server.may_have_tls();
        if let Some(server) = servers.iter().find(other) {
            return wrong(
                "url",
                format!("{server}: TLS needs a name, or an address of IPv4"),
            );
        }
        Ok(servers)
    }

    pub(crate) fn user_tree(&self) -> String {
        tree(self.user_tree_dn.as_ref(), "ou=Users", &self.suffix)
    }

    pub(crate) fn group_tree(&self) -> String {
        tree(self.group_tree_dn.as_ref(), "ou=UserGroups", &self.suffix)
    }

    /// The group whose members are the enabled users.
    pub(crate) fn emulation_group(&self) -> String {
        tree(
            self.user_enabled_emulation_dn.as_ref(),
            "cn=enabled_users",
            &self.user_tree(),
        )
    }

    /// How long each step of a search may take.
    pub(crate) fn timeout(&self, pooled: bool) -> Duration {
        let set = if pooled {
            self.pool_connection_timeout
        } else {
            self.connection_timeout
        };
        set.filter(|time| !time.is_zero())
            .unwrap_or(Duration::from_secs(10))
    }
}

fn tree(named: Option<&String>, name: &str, below: &str) -> String {
    named
        .filter(|tree| !tree.is_empty())
        .cloned()
        .unwrap_or_else(|| format!("{name},{below}"))
}

fn wrong<T>(option: &'static str, reason: String) -> Result<T, SettingsError> {
    Err(SettingsError { option, reason })
}

macro_rules! choices {
    ($type:ident, $option:literal, $($text:literal => $variant:ident),+) => {
        impl FromStr for $type {
            type Err = SettingsError;

            fn from_str(text: &str) -> Result<Self, SettingsError> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => wrong($option, format!("{text:?} is none of {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}

choices!(QueryScope, "query_scope", "one" => One, "sub" => Sub);
choices!(AliasDereferencing, "alias_dereferencing", "default" => Default, "never" => Never,
    "searching" => Searching, "finding" => Finding, "always" => Always);
choices!(TlsReqCert, "tls_req_cert", "demand" => Demand, "allow" => Allow, "never" => Never);
