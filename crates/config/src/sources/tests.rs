use std::fs;

use super::*;

struct Directories {
    root: tempfile::TempDir,
}

impl Directories {
    fn with(paths: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for path in paths {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
        }
        Self { root }
    }

    fn search(
        &self,
        program: Program,
        given: &[ConfigSource],
        more: &[(&str, &str)],
    ) -> Vec<String> {
        let home = self.root.path().join("home").display().to_string();
        let mut environment = vec![("HOME".to_owned(), home)];
        environment.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let etc = self.root.path().join("etc");
        let sources = Sources::search(&etc, program, given.to_vec(), environment);
        sources
            .given
            .iter()
            .map(|source| self.relative(source))
            .collect()
    }

    fn relative(&self, source: &ConfigSource) -> String {
        match source {
            ConfigSource::File(path) | ConfigSource::Dir(path) => {
                let path = path.strip_prefix(self.root.path()).unwrap_or(path);
                path.display().to_string()
            }
            ConfigSource::Text { name, .. } => name.clone(),
        }
    }
}

#[test]
fn the_first_standard_place_with_the_file_wins() {
    let dirs = Directories::with(&[
        "etc/keystone.conf",
        "etc/keystone/keystone.conf",
        "etc/keystone/keystone.conf.d/a.conf",
        "etc/keystone-manage.conf",
    ]);
    assert_eq!(
        dirs.search(Program::Server, &[], &[]),
        ["etc/keystone/keystone.conf", "etc/keystone/keystone.conf.d"]
    );
    assert_eq!(
        dirs.search(Program::Manage, &[], &[]),
        [
            "etc/keystone/keystone.conf",
            "etc/keystone-manage.conf",
            "etc/keystone/keystone.conf.d"
        ]
    );
    let dirs = Directories::with(&["etc/keystone/keystone.conf", "home/.keystone/keystone.conf"]);
    assert_eq!(
        dirs.search(Program::Server, &[], &[]),
        ["home/.keystone/keystone.conf"]
    );
}

#[test]
fn a_given_file_replaces_the_standard_files_but_not_the_directories() {
    let dirs = Directories::with(&[
        "etc/keystone/keystone.conf",
        "etc/keystone/keystone.conf.d/a.conf",
    ]);
    let file = ConfigSource::File("mine.conf".into());
    let dir = ConfigSource::Dir("mine.d".into());
    assert_eq!(
        dirs.search(Program::Server, std::slice::from_ref(&file), &[]),
        ["etc/keystone/keystone.conf.d", "mine.conf"]
    );
    assert_eq!(
        dirs.search(Program::Server, std::slice::from_ref(&dir), &[]),
        ["etc/keystone/keystone.conf", "mine.d"]
    );
    assert_eq!(
        dirs.search(Program::Server, &[dir, file], &[]),
        ["mine.d", "mine.conf"]
    );
}

#[test]
fn environment_variables_name_files_for_the_server_only() {
    let dirs = Directories::with(&["etc/keystone/keystone.conf"]);
    let dir = [("OS_KEYSTONE_CONFIG_DIR", "/srv")];
    assert_eq!(
        dirs.search(Program::Server, &[], &dir),
        ["/srv/keystone.conf"]
    );
    let both = [dir[0], ("OS_KEYSTONE_CONFIG_FILES", " a.conf; b.conf;")];
    assert_eq!(
        dirs.search(Program::Server, &[], &both),
        ["/srv/a.conf", "/srv/b.conf"]
    );
    assert_eq!(
        dirs.search(Program::Manage, &[], &both),
        ["etc/keystone/keystone.conf"]
    );
}

#[test]
fn found_nothing_is_true_only_after_a_search() {
    let dirs = Directories::with(&[]);
    let etc = dirs.root.path().join("etc");
    let home = [("HOME".to_owned(), "/nonexistent".to_owned())];
    assert!(Sources::search(&etc, Program::Server, [], home).found_nothing());
    assert!(!Sources::new().found_nothing());
}
