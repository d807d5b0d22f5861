use std::time::Duration;

use super::*;
use crate::watch::Watch;

const FOREVER: Duration = Duration::from_hours(1);

/// Writes a public key under a name.
fn publish(directory: &Path, name: &str) {
    let key = PrivateKey::generate(Algorithm::Es256).unwrap();
    let text = pem::encode(&key.public_der().unwrap(), "PUBLIC KEY");
    fs::write(directory.join(name), text).unwrap();
}

#[test]
fn a_directory_that_lost_a_key_is_half_copied_until_it_is_quiet() {
    let home = tempfile::tempdir().unwrap();
    let directory = || PublicDirectory {
        path: home.path().to_owned(),
    };
    let patient = Watch::accepting_after(FOREVER, directory());
    let hasty = Watch::accepting_after(Duration::ZERO, directory());
    let names = |watch: &Watch<PublicDirectory>| {
        let keys = watch.keys().unwrap();
        let names = keys.keys.iter().map(|key| {
            let name = Path::new(&key.name).file_name().unwrap();
            name.to_str().unwrap().to_owned()
        });
        names.collect::<Vec<_>>()
    };
    for name in ["a", "b"] {
        publish(home.path(), name);
    }
    assert_eq!(names(&patient), ["a", "b"]);
    assert_eq!(names(&hasty), ["a", "b"]);
    fs::remove_file(home.path().join("a")).unwrap();
    assert_eq!(names(&hasty), ["b"]);
    assert_eq!(names(&patient), ["a", "b"]);
    // A key more is no sign of a copy, nor are other keys in place of all.
    publish(home.path(), "c");
    assert_eq!(names(&patient), ["a", "b"]);
    fs::remove_file(home.path().join("b")).unwrap();
    publish(home.path(), "d");
    assert_eq!(names(&patient), ["c", "d"]);
    publish(home.path(), "e");
    assert_eq!(names(&patient), ["c", "d", "e"]);
}
