//! `key_fingerprint`, `key_compare`, and rotation with `--node`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::sandbox::{Sandbox, names, owned};

/// A node with the keys of another one, as `rsync --delete` leaves them.
fn copy(from: &Sandbox, to: &Sandbox, name: &str) {
    let target = to.path(name);
    let _ = fs::remove_dir_all(&target);
    fs::create_dir(&target).unwrap();
    for key in names(&from.path(name)) {
        fs::copy(from.path(name).join(&key), target.join(&key)).unwrap();
    }
}

/// Two nodes with the same keys, where nothing lives long.
fn nodes() -> (Sandbox, Sandbox) {
    let nodes = (Sandbox::new(), Sandbox::new());
    for command in ["fernet_setup", "credential_setup"] {
        nodes.0.manage(&owned(&[command])).succeeds();
    }
    for name in ["fernet-keys", "credential-keys"] {
        copy(&nodes.0, &nodes.1, name);
    }
    nodes
}

fn fingerprints(node: &Sandbox) -> String {
    node.manage(&["key_fingerprint"]).succeeds().stdout
}

#[test]
fn fingerprints_tell_keys_apart_and_hold_no_key() {
    let (a, b) = nodes();
    let printed = fingerprints(&a);
    for directory in ["fernet-keys", "credential-keys"] {
        for key in names(&a.path(directory)) {
            let key = fs::read_to_string(a.path(directory).join(key)).unwrap();
            assert!(!printed.contains(key.trim()), "{printed}");
        }
    }
    let of = |printed: &str, group: &str, number: &str| {
        let sets: Value = serde_json::from_str(printed).unwrap();
        let text = &sets[group]["keys"][number]["fingerprint"];
        text.as_str().unwrap().to_owned()
    };
    let [staged, primary] = ["0", "1"].map(|number| of(&printed, "fernet_tokens", number));
    assert_eq!(staged.len(), 32);
    assert_ne!(staged, primary);
    assert_ne!(staged, of(&printed, "credential", "0"));
    assert_eq!(staged, of(&printed, "fernet_receipts", "0"));
    assert_eq!(staged, of(&fingerprints(&b), "fernet_tokens", "0"));
    a.manage(&owned(&["fernet_rotate"])).succeeds();
    assert_eq!(staged, of(&fingerprints(&a), "fernet_tokens", "2"));

    fs::remove_dir_all(a.path("credential-keys")).unwrap();
    let run = a
        .manage(&["key_fingerprint"])
        .succeeds()
        .says("[credential] key_repository");
    let sets: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(sets.get("credential").is_none(), "{sets}");
}

#[test]
fn key_compare_names_what_differs() {
    let (a, b) = nodes();
    let other = a.write("b.json", &fingerprints(&b));
    let compare = || a.manage(&["key_compare", &other]);
    compare().succeeds().prints(
        "fernet_tokens: the same keys on 2 nodes\n  safe to rotate on this node\n\
         credential: the same keys on 2 nodes\n  safe to rotate on this node\n",
    );
    a.manage(&owned(&["fernet_rotate"])).succeeds();
    let run = compare().exits_with(1);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[0], "fernet_tokens: the keys differ");
    assert_eq!(lines[1], format!("  {other}: has another key 0"));
    assert_eq!(lines[2], format!("  {other}: has no key 2"));
    let obstacle = format!("  {other}: can't open what this node would seal: copy");
    assert!(lines[3].starts_with(&obstacle), "{run:#?}");
    assert!(lines[4].starts_with("  safe from "), "{run:#?}");
    assert_eq!(lines[5], "  not safe to rotate on this node");
    let doctor = a.manage(&["doctor", "--node", &other]).exits_with(1);
    assert!(
        doctor
            .stdout
            .contains("WARNING: Key repositories differ from node to node.\n")
    );
    assert!(
        doctor
            .stdout
            .contains(&format!("fernet_tokens: {other}: has no key 2\n"))
    );

    a.manage(&["key_compare"]).exits_with(2);
    for (file, text) in [
        ("broken.json", "{"),
        ("other.json", "[]"),
        ("old.json", "{\"fernet_tokens\": 1}"),
    ] {
        let broken = a.write(file, text);
        a.manage(&["key_compare", &broken])
            .exits_with(2)
            .says("it has to have what `keystone-manage key_fingerprint` prints");
    }
    a.manage(&["key_compare", "/nowhere"])
        .exits_with(2)
        .says("/nowhere: No such file");
}

#[test]
fn what_can_be_read_is_compared() {
    let (a, b) = nodes();
    let other = a.write("b.json", &fingerprints(&b));
    fs::remove_dir_all(a.path("fernet-keys")).unwrap();
    let run = a.manage(&["key_compare", &other]).exits_with(2);
    let (first, rest) = run.stdout.split_once('\n').unwrap();
    assert!(
        first.starts_with("fernet_tokens: can't be compared: "),
        "{run:#?}"
    );
    let same = "credential: the same keys on 2 nodes\n  safe to rotate on this node\n";
    assert_eq!(rest, same);
    // `doctor` has a symptom for it.
    let run = a.manage(&["doctor", "--node", &other]).exits_with(1);
    assert!(!run.stdout.contains("differ from node to node"), "{run:#?}");
    let run = a.manage(&["doctor", "--node", "nowhere"]).exits_with(1);
    let title = "WARNING: The keys of other nodes can't be compared.\n";
    assert!(run.stdout.contains(title), "{run:#?}");
    assert!(!run.stdout.contains("differ from node to node"), "{run:#?}");
    // Where tokens are signed, nothing needs them.
    let dir = a.path("").display().to_string();
    a.configure(&format!(
        "[token]\nprovider = jws\n[fernet_receipts]\nkey_repository = {dir}/receipts\n"
    ));
    a.manage(&owned(&["receipt_setup"])).succeeds();
    let other = a.write("a.json", &a.manage(&["key_fingerprint"]).stdout);
    a.manage(&["key_compare", &other])
        .succeeds()
        .prints(&format!(
            "fernet_receipts: the same keys on 2 nodes\n  safe to rotate on this node\n{same}"
        ));
}

#[test]
fn a_rotation_that_knows_the_other_nodes_never_locks_tokens_out() {
    let (a, b) = nodes();
    let file = a.path("b.json");
    let refresh = |file: &Path| fs::write(file, fingerprints(&b)).unwrap();
    let rotate = |command: &str| a.manage(&owned(&[command, "--node", file.to_str().unwrap()]));
    let keys = a.path("fernet-keys");
    refresh(&file);
    rotate("fernet_rotate")
        .succeeds()
        .says("rotated: copy the directory");
    assert_eq!(names(&keys), ["0", "1", "2"]);

    // The other node has not got the new staged key.
    rotate("fernet_rotate")
        .exits_with(1)
        .says("nothing was rotated")
        .says("can't open what this node would seal");
    copy(&a, &b, "fernet-keys");
    rotate("fernet_rotate")
        .exits_with(1)
        .says("can't open what this node would seal");
    refresh(&file);
    // Now it has, but tokens may be valid that the deleted key has sealed.
    let run = rotate("fernet_rotate").exits_with(1).says("safe from ");
    assert!(!run.stderr.contains("can't open"), "{run:#?}");
    assert_eq!(names(&keys), ["0", "1", "2"]);
    // Without --node it rotates, as in Keystone.
    a.manage(&owned(&["token_rotate"])).succeeds();
    assert_eq!(names(&keys), ["0", "2", "3"]);

    let missing = a.path("nowhere.json");
    for command in [
        "fernet_rotate",
        "token_rotate",
        "receipt_rotate",
        "credential_rotate",
    ] {
        a.manage(&owned(&[command, "--node", missing.to_str().unwrap()]))
            .exits_with(1)
            .says("No such file");
    }
    fs::remove_dir_all(&keys).unwrap();
    rotate("fernet_rotate").exits_with(1).says("no keys");
}

#[test]
fn credentials_rotate_where_all_nodes_have_their_keys() {
    let (a, b) = nodes();
    a.manage(&["db_sync"]).succeeds();
    let file = a.write("b.json", &fingerprints(&b));
    let rotate = || a.manage(&owned(&["credential_rotate", "--node", &file]));
    rotate().succeeds();
    rotate()
        .exits_with(1)
        .says("credential: ")
        .says("can't open what this node would seal");
    copy(&a, &b, "credential-keys");
    a.write("b.json", &fingerprints(&b));
    rotate().succeeds();
    assert_eq!(names(&a.path("credential-keys")), ["0", "2", "3"]);
}
