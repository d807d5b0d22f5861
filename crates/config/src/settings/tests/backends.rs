//! `[identity] driver`, `[ldap]` and the files of domains.

use std::fs;
use std::path::{Path, PathBuf};

use keystone::identity::{Backends, DomainBackends};

use super::{good, problems};
use crate::{Config, Sources};

/// The backends with a directory of domain files.
fn with_files(dir: &Path) -> Result<(Backends, Vec<String>), String> {
    let text = format!(
        "[identity]\ndomain_specific_drivers_enabled = true\ndomain_config_dir = {}\n\
         [ldap]\nurl = ldap://of-all\nuser_mail_attribute = of-all\n",
        dir.display()
    );
    let sources = Sources::new().text("keystone.conf", &text);
    let (config, _) = Config::load(&sources).map_err(|error| error.to_string())?;
    let (settings, warnings) = config
        .settings(&sources)
        .map_err(|error| error.to_string())?;
    let warnings = warnings.iter().map(ToString::to_string);
    let about_it = warnings.filter(|text| !text.contains("[database] connection"));
    Ok((settings.identity.backends, about_it.collect()))
}

#[test]
fn options_of_ldap_have_their_types() {
    let backends = good(
        "[identity]\ndriver = keystone.identity.backends.ldap.Identity\n[identity_mapping]\nbackward_compatible_ids = no\n\
         [ldap]\nurl = ldap://one,ldap://two\nuser =\nuser_mail_attribute =\nuser_enabled_mask = 2\nuser_enabled_default = 512\n\
         query_scope = sub\nuser_attribute_ignore = enabled, email\npool_retry_delay = 0.5\npool_connection_timeout = -1\n\
         connection_timeout = 3\nuse_pool = False\n",
    )
    .identity
    .backends;
    assert!(!backends.backward_compatible_ids);
    let directory = backends.default.directory.unwrap();
    let directory = directory.settings().clone();
    assert_eq!(directory.url, "ldap://one,ldap://two");
    assert_eq!(
        (directory.user, directory.user_mail_attribute),
        (None, None)
    );
    assert_eq!(directory.user_description_attribute.unwrap(), "description");
    assert_eq!(directory.user_enabled_mask, 2);
    assert_eq!(directory.user_enabled_default, "512");
    assert_eq!(directory.user_attribute_ignore, ["enabled", "email"]);
    assert_eq!(format!("{:?}", directory.query_scope), "Sub");
    assert_eq!(directory.pool_retry_delay.as_millis(), 500);
    assert_eq!(directory.pool_connection_timeout, None);
    assert_eq!(directory.connection_timeout.unwrap().as_secs(), 3);
    assert!(!directory.use_pool);
}

#[test]
fn a_value_that_no_directory_takes_is_a_problem_with_its_line() {
    let text = problems("[identity]\ndriver = ldap\n[ldap]\nuser_filter = uid=a\n");
    assert!(
        text.starts_with("keystone.conf:4: [ldap] user_filter: "),
        "{text}"
    );
    // Of options that nothing uses nothing is asked.
    good("[ldap]\nuser_filter = uid=a\n");
}

#[test]
fn files_of_domains_have_no_option_of_keystone_conf() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    fs::create_dir(dir.path().join("below")).unwrap();
    write(
        "keystone.corp.conf",
        "[DEFAULT]\nlist_limit = 5\n[identity]\ndriver = ldap\nlist_limit = 0\n[ldap]\nchase_referrals = true\nsuffix = dc=corp\n",
    );
    write(
        "below/keystone.two.dots.conf",
        "[DEFAULT]\nlist_limit = 5\n[identity]\ndriver = ldap\nlist_limit = 3\ncaching = false\n[ldap]\nchase_referrals = false\n",
    );
    write("keystone.here.conf", "[identity]\ndriver = sql\n");
    write("keystone.conf", "[identity]\ndriver = nothing\n");
    write("other.conf", "[identity]\ndriver = nothing\n");
    let (backends, warnings) = with_files(dir.path()).unwrap();
    let DomainBackends::Files(files) = backends.domains else {
        panic!("{:?}", backends.domains)
    };
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["corp", "here", "two.dots"]);
    let corp = files[0].1.directory.as_ref().unwrap().settings();
    assert_eq!(
        (corp.url.as_str(), corp.suffix.as_str()),
        ("ldap://localhost", "dc=corp")
    );
    assert_eq!(corp.user_mail_attribute.as_deref(), Some("mail"));
    assert!(files[1].1.directory.is_none());
    let limits: Vec<_> = files
        .iter()
        .map(|(_, backend)| backend.list_limit)
        .collect();
    assert_eq!(limits, [Some(5), None, Some(3)]);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(
        warnings[0]
            .contains("keystone.corp.conf:7: [ldap] chase_referrals: referrals are never followed"),
        "{warnings:?}"
    );
    assert!(
        warnings[1].contains("keystone.here.conf:2: [identity] driver: sql: "),
        "{warnings:?}"
    );
    assert!(
        warnings[2].ends_with("[identity] caching: accepted, but it has no effect on this server"),
        "{warnings:?}"
    );
}

#[test]
fn a_wrong_file_of_a_domain_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keystone.corp.conf");
    fs::write(&path, "[identity]\ndriver = ldap\n[ldap]\nurl = http://x\n").unwrap();
    let told = with_files(dir.path()).unwrap_err();
    assert!(
        told.contains(&format!("{}:4: [ldap] url: ", path.display())),
        "{told}"
    );
    let (backends, warnings) = with_files(&dir.path().join("nowhere")).unwrap();
    assert!(matches!(backends.domains, DomainBackends::Files(files) if files.is_empty()));
    assert!(
        warnings[0].contains("[identity] domain_config_dir: "),
        "{warnings:?}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_can_not_be_read_ends_no_search_for_files() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use nix::unistd::{Uid, setfsuid};

    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    let mode = |paths: &[PathBuf], mode: u32| {
        for path in paths {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    for name in ["a", "b", "c"] {
        fs::create_dir(place(name)).unwrap();
        let file = place(name).join(format!("keystone.{name}.conf"));
        fs::write(file, "[identity]\ndriver = ldap\n").unwrap();
    }
    // A link to a directory is not followed: it may lead here again.
    symlink(dir.path(), place("c").join("loop")).unwrap();
    mode(&[dir.path().to_owned()], 0o755);
    let closed = [place("a"), place("b")];
    mode(&closed, 0);
    // Root reads everything, and who is only seen as another by the files does not.
    let before = setfsuid(Uid::from_raw(65534));
    let read = with_files(dir.path());
    setfsuid(before);
    mode(&closed, 0o700);
    let (backends, warnings) = read.unwrap();
    let DomainBackends::Files(files) = backends.domains else {
        panic!("{:?}", backends.domains)
    };
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["c"]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    for (path, warning) in closed.iter().zip(&warnings) {
        let text = format!(
            "{}: Permission denied (os error 13); no domain has a backend of a file in it",
            path.display()
        );
        assert!(warning.ends_with(&text), "{warning}");
    }
}
