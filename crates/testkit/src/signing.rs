//! The key pair of signed tokens.

use std::fs;

use keystone::token::{Owner, PairFiles};
use keystone::{Provider, Settings};
use tempfile::TempDir;

/// Makes a key pair for the algorithm of the settings, which have it from then on as the one of signed tokens. It is there
/// for as long as the directory.
pub fn sign_tokens(settings: &mut Settings) -> TempDir {
    let home = tempfile::tempdir().expect("a directory can be made");
    let keys = &mut settings.keys;
    keys.provider = Provider::Jws;
    (keys.jws.private, keys.jws.public) = (home.path().to_owned(), home.path().join("public"));
    fs::create_dir(&keys.jws.public).expect("the directory is new");
    let files = PairFiles {
        private: keys.jws.private.join("private.pem"),
        public: keys.jws.public.join("public.pem"),
    };
    files
        .create(keys.jws.algorithm, Owner::default())
        .expect("a key pair can be made");
    home
}
