//! `doctor`: what is wrong with a deployment, and what to do about it.
//!
//! The first lines of what Keystone's `doctor` looks for are Keystone's (`keystone.cmd.doctor`). Its advice about memcached is
//! left out: `[cache]` has no effect here.

mod database;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use keystone::Provider;
use keystone::policy::{Loaded, Overrides, Registry, Rules};
use keystone::token::KeyRepository;
use keystone_config::{Config, domain_of_file, file_options, files_below};
use nix::unistd::{AccessFlags, access};

use super::key_sets::all_differences;
use crate::configuration::Configuration;
use crate::error::{CommandError, Result, with_causes};
use crate::readiness::key_advice;
use crate::terminal::{ProgressLine, print};

#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// What `key_fingerprint` printed on another node, for each of them: look for keys that differ, too.
    #[arg(long = "node", value_name = "FILE")]
    nodes: Vec<PathBuf>,
}

/// The symptoms found so far.
#[derive(Debug)]
struct Doctor {
    debug: bool,
    found: bool,
    progress: ProgressLine,
}

/// Something to look for in the options.
struct Symptom {
    name: &'static str,
    title: &'static str,
    advice: &'static str,
    applies: fn(&Config) -> bool,
}

/// Looks for every symptom; exits with 1 if there is one. A configuration that can't be read is one, too.
pub(super) async fn examine(arguments: &Arguments, loaded: Result<Configuration>) -> ExitCode {
    let mut doctor = Doctor {
        debug: false,
        found: false,
        progress: ProgressLine::new(),
    };
    match loaded {
        Ok(configuration) => {
            doctor.debug = configuration.config.bool("DEFAULT", "debug");
            doctor.options(&configuration.config);
            doctor.domain_files(&configuration.config);
            doctor.keys(&configuration);
            doctor.nodes(&arguments.nodes, &configuration);
            doctor.modes(&configuration);
            doctor.policy(&configuration);
            doctor.database(&configuration).await;
        }
        Err(CommandError { text, .. }) => doctor.warn(
            "The configuration can't be used.",
            &format!("{text}\n\nThe server does not start with it. Correct it, and look again."),
        ),
    }
    ExitCode::from(u8::from(doctor.found))
}

impl Doctor {
    /// Tells what is looked for next: on standard output with `debug`, as Keystone does, and while it takes on a terminal.
    fn look(&self, name: &str) {
        if self.debug {
            print(&format!("Checking for {name}..."));
        }
        self.progress.show(&format!("checking for {name}"));
    }

    fn warn(&mut self, title: &str, advice: &str) {
        self.found = true;
        self.progress.show("");
        let lines = advice.lines().map(|line| match line {
            "" => "\n".to_owned(),
            line => format!("    {line}\n"),
        });
        print(&format!(
            "\nWARNING: {title}\n\n{}",
            lines.collect::<String>()
        ));
    }

    fn options(&mut self, config: &Config) {
        for symptom in SYMPTOMS {
            self.look(symptom.name);
            if (symptom.applies)(config) {
                self.warn(symptom.title, symptom.advice);
            }
        }
    }

    /// The files of domains with drivers of their own. One that can't be read is a problem of the configuration.
    fn domain_files(&mut self, config: &Config) {
        let Some(dir) = domain_dir(config) else {
            return;
        };
        self.look("LDAP file based domain specific configs");
        let title = "Domain specific driver directory is invalid or contains invalid files.";
        let mut unread = Vec::new();
        let mut paths = files_below(Path::new(dir), &mut |dir, error| {
            unread.push(format!("{}: {error}", dir.display()));
        });
        if !unread.is_empty() {
            let advice = format!(
                "[identity] domain_config_dir: {}\nMake the directory, let the server's user read it, or set \
                 `domain_specific_drivers_enabled` to false.",
                unread.join("\n")
            );
            return self.warn(title, &advice);
        }
        paths.retain(|path| domain_of_file(path).is_none());
        if !paths.is_empty() {
            let advice = format!(
                "Not named keystone.DOMAIN.conf, and so not read:\n{}\nRename those that are meant to be read, and move the \
                 others elsewhere.",
                listed(&paths)
            );
            self.warn(title, &advice);
        }
    }

    fn keys(&mut self, configuration: &Configuration) {
        let keys = &configuration.settings.keys;
        self.look("unique key repositories");
        if keys.credentials.path() == keys.tokens.path() {
            self.warn(
                "Key repositories for encryption should be unique.",
                "Tokens and credentials share a directory of keys, whose rotation for tokens deletes keys that credentials still \
                 need.\nGive `[credential] key_repository` a directory of its own, copy the keys there, and run `keystone-manage \
                 credential_migrate`.",
            );
        }
        self.repository("Credential", "credential_setup", &keys.credentials);
        match keys.provider {
            Provider::Fernet => self.repository("Fernet", "fernet_setup", &keys.tokens),
            Provider::Jws => {
                self.look("keys of signed tokens");
                if let Err(error) = keys.jws.check() {
                    let advice = format!(
                        "{}\nRun `keystone-manage create_jws_keypair`, and move private.pem to {} and public.pem to {}.",
                        with_causes(&error),
                        keys.jws.private.display(),
                        keys.jws.public.display()
                    );
                    self.warn("The keys of signed tokens can't be used.", &advice);
                }
            }
        }
        if keys.provider == Provider::Jws || keys.receipts.path() != keys.tokens.path() {
            self.repository("Receipt", "receipt_setup", &keys.receipts);
        }
    }

    fn repository(&mut self, name: &str, command: &str, keys: &KeyRepository) {
        let path = keys.path().display();
        self.look(&format!("usability of {name} key repository"));
        let needed = AccessFlags::R_OK | AccessFlags::X_OK;
        if let Err(error) = access(keys.path(), needed) {
            let advice = format!(
                "{path}: {}\nThe user who runs the server must be able to read the directory. Run `keystone-manage {command}` if \
                 there are no keys yet.",
                error.desc()
            );
            return self.warn(
                &format!("{name} key repository is not setup correctly."),
                &advice,
            );
        }
        self.look(&format!("keys in {name} key repository"));
        if let Err(error) = keys.load() {
            let empty = matches!(error, keystone::token::Error::NoKeys { .. });
            let title = if empty { "is empty" } else { "can't be read" };
            let advice = format!("{error}:\n{}.", key_advice(&error, command));
            self.warn(&format!("{name} key repository {title}."), &advice);
        }
    }

    /// Keys that differ from node to node.
    fn nodes(&mut self, nodes: &[PathBuf], configuration: &Configuration) {
        if nodes.is_empty() {
            return;
        }
        self.look("different keys on other nodes");
        match all_differences(nodes, configuration) {
            Ok(differences) if differences.is_empty() => {}
            Ok(differences) => {
                let advice = format!(
                    "{}\nA node can't open what another one has sealed with a key that it has not. Copy the directory from the node \
                     that rotated last to all others.",
                    differences.join("\n")
                );
                self.warn("Key repositories differ from node to node.", &advice);
            }
            Err(CommandError { text, .. }) => {
                self.warn("The keys of other nodes can't be compared.", &text);
            }
        }
    }

    /// Files with secrets that everybody on this machine can read or write.
    fn modes(&mut self, configuration: &Configuration) {
        self.look("loose file modes");
        let Configuration {
            config, settings, ..
        } = configuration;
        let mut loose = Vec::new();
        let keys = &settings.keys;
        for repository in [&keys.tokens, &keys.receipts, &keys.credentials] {
            // A repository that can't be looked at has a symptom of its own.
            loose.extend(repository.world_readable().unwrap_or_default());
        }
        let mut files: Vec<&Path> = config.files_with_secrets().into_iter().collect();
        let named = [
            ("saml", "keyfile"),
            ("saml_sp", "keyfile"),
            ("trusted_proxy", "secret_file"),
            ("oslo_messaging_rabbit", "ssl_key_file"),
            ("oslo_policy", "remote_ssl_client_key_file"),
        ];
        let named = named
            .iter()
            .filter_map(|(group, name)| config.optional_string(group, name));
        files.extend(named.map(Path::new));
        let providers = config.members("oidc");
        let secrets = providers
            .iter()
            .filter_map(|id| config.plugin_option(&format!("oidc:{id}"), "client_secret_file"));
        files.extend(secrets.map(Path::new));
        if keys.provider == Provider::Jws {
            files.push(&keys.jws.private);
        }
        // One that can't be listed has a symptom of its own.
        let mut of_domains = domain_dir(config)
            .map(|dir| files_below(Path::new(dir), &mut |_, _| {}))
            .unwrap_or_default();
        of_domains.retain(|path| {
            domain_of_file(path).is_some()
                && file_options(path).is_ok_and(|groups| {
                    let ldap = groups.get("ldap");
                    ldap.is_some_and(|options| options.contains_key("password"))
                })
        });
        files.extend(of_domains.iter().map(PathBuf::as_path));
        loose.extend(
            files
                .into_iter()
                .filter(|path| has_mode(path, 0o006))
                .map(Path::to_owned),
        );
        loose.sort();
        loose.dedup();
        if !loose.is_empty() {
            let advice = format!(
                "Every user of this machine can read or change these files, which hold secrets:\n{}\nRun `chmod o-rwx` on them, and \
                 `chown` where the server's user then can't read them any more. Replace what may have been read.",
                listed(&loose)
            );
            self.warn("Files with secrets are open to everyone.", &advice);
        }
    }

    fn policy(&mut self, configuration: &Configuration) {
        self.look("unusable policy files");
        let settings = &configuration.settings.policy;
        let mut files: Vec<PathBuf> = settings
            .file
            .iter()
            .chain(&settings.dirs)
            .cloned()
            .collect();
        let below = settings.dirs.iter().filter_map(|dir| entries(dir).ok());
        files.extend(below.flatten());
        files.retain(|path| has_mode(path, 0o002));
        if !files.is_empty() {
            let advice = format!(
                "Every user of this machine can allow everything to everybody in:\n{}\nRun `chmod o-w` on them.",
                listed(&files)
            );
            self.warn("The policy can be changed by everyone.", &advice);
        }
        let problems: Vec<String> = match Overrides::from_settings(settings) {
            Err(error) => vec![with_causes(&error)],
            Ok(overrides) => {
                let Loaded { faults, .. } =
                    Rules::over(&Registry::keystone(), &overrides, settings);
                faults.iter().map(ToString::to_string).collect()
            }
        };
        if !problems.is_empty() {
            let advice = format!(
                "{}\nA server does not start with a file that can't be read, and denies what a wrong rule is about. Correct the file, \
                 and check it with `keystone-manage policy validate`.",
                problems.join("\n")
            );
            self.warn("The policy has faults.", &advice);
        }
    }
}

fn listed(paths: &[PathBuf]) -> String {
    let lines: Vec<String> = paths
        .iter()
        .map(|path| format!("  {}", path.display()))
        .collect();
    lines.join("\n")
}

/// The directory of the files of domains, if there may be some.
fn domain_dir(config: &Config) -> Option<&str> {
    let files = config.bool("identity", "domain_specific_drivers_enabled")
        && !config.bool("identity", "domain_configurations_from_database");
    files.then(|| config.string("identity", "domain_config_dir"))
}

/// What is in a directory, in order.
fn entries(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    Ok(paths)
}

/// Whether it has one of the bits in its mode.
fn has_mode(path: &Path, bits: u32) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & bits != 0)
}

const SYMPTOMS: &[Symptom] = &[
    Symptom {
        name: "database connection is not SQLite",
        title: "SQLite is not recommended for production deployments.",
        advice: "One process writes at a time, and no second node can share the file.\nSet `[database] connection` to a MariaDB \
                 server.",
        applies: |config| {
            let url = config.optional_string("database", "connection");
            url.is_some_and(|url| url.contains("sqlite"))
        },
    },
    Symptom {
        name: "debug mode is enabled",
        title: "Debug mode should be set to False.",
        advice: "The log of a busy server grows fast with it.\nSet `[DEFAULT] debug` to false, and reload the server.",
        applies: |config| config.bool("DEFAULT", "debug"),
    },
    Symptom {
        name: "insecure debug mode is enabled",
        title: "Clients are told why they are refused.",
        advice: "With `[DEFAULT] insecure_debug` they learn, for example, whether a user exists.\nSet it to false, and reload the \
                 server.",
        applies: |config| config.bool("DEFAULT", "insecure_debug"),
    },
    Symptom {
        name: "admin token is set",
        title: "`[DEFAULT] admin_token` lets whoever knows it do everything.",
        advice: "Nobody can revoke it, and it leaves no name in the log.\nRemove it, and use `keystone-manage bootstrap` to let an \
                 administrator in again.",
        applies: |config| config.optional_string("DEFAULT", "admin_token").is_some(),
    },
    Symptom {
        name: "comma in SAML public certificate path",
        title: "`[saml] certfile` should not contain a comma (`,`).",
        advice: "This server can use such a file, and Python Keystone can't.\nRename the file if you may go back.",
        applies: |config| config.string("saml", "certfile").contains(','),
    },
    Symptom {
        name: "comma in SAML private key file path",
        title: "`[saml] keyfile` should not contain a comma (`,`).",
        advice: "This server can use such a file, and Python Keystone can't.\nRename the file if you may go back.",
        applies: |config| config.string("saml", "keyfile").contains(','),
    },
    Symptom {
        name: "LDAP user enabled emulation dn ignored",
        title: "`[ldap] user_enabled_emulation_dn` is being ignored.",
        advice: "Set `[ldap] user_enabled_emulation` to true, or remove the option.",
        applies: |config| {
            !config.bool("ldap", "user_enabled_emulation")
                && config
                    .optional_string("ldap", "user_enabled_emulation_dn")
                    .is_some()
        },
    },
    Symptom {
        name: "LDAP user enabled emulation use group config ignored",
        title: "`[ldap] user_enabled_emulation_use_group_config` is being ignored.",
        advice: "Set `[ldap] user_enabled_emulation` to true, or remove the option.",
        applies: |config| {
            !config.bool("ldap", "user_enabled_emulation")
                && config.bool("ldap", "user_enabled_emulation_use_group_config")
        },
    },
    Symptom {
        name: "LDAP group members are ids disabled",
        title: "`[ldap] group_members_are_ids` is not enabled.",
        advice: "Groups of the class posixGroup list ids of users and no distinguished names.\nSet `[ldap] group_members_are_ids` to \
                 true, or groups have no members.",
        applies: |config| {
            config.string("ldap", "group_objectclass") == "posixGroup"
                && !config.bool("ldap", "group_members_are_ids")
        },
    },
    Symptom {
        name: "minimum password age greater than expires days",
        title: "Minimum password age should be less than the password expires days.",
        advice: "Passwords expire before their users may change them.\nMake `[security_compliance] minimum_password_age` smaller than \
                 `password_expires_days`.",
        applies: |config| {
            let days = config.optional_int("security_compliance", "password_expires_days");
            let age = config.int("security_compliance", "minimum_password_age");
            age > 0 && days.is_some_and(|days| days > 0 && age >= days)
        },
    },
    Symptom {
        name: "password regular expression description not set",
        title: "Password regular expression description is not set.",
        advice: "Users are not told what a password needs.\nSet `[security_compliance] password_regex_description`.",
        applies: |config| {
            let set = |name| {
                config
                    .optional_string("security_compliance", name)
                    .is_some_and(|text| !text.is_empty())
            };
            set("password_regex") && !set("password_regex_description")
        },
    },
    Symptom {
        name: "unreasonable max token size",
        title: "`keystone.conf [DEFAULT] max_token_size` should be adjusted.",
        advice: "Fernet tokens have at most 255 characters, unless a directory has long ids.\nSet it to 255.",
        applies: |config| {
            config.string("token", "provider").contains("fernet")
                && config.int("DEFAULT", "max_token_size") > 255
        },
    },
];
