//! Ids that Keystone 30.0.0 made (`keystone/identity/id_generators/sha256.py`) against this crate's.

use keystone_identity::public_id;
use serde_json::Value;

#[test]
fn every_id_is_the_one_that_keystone_makes() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("public_ids.json")).unwrap();
    assert_eq!(vectors.len(), 18);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str();
        let bytes = match text("local_id_hex") {
            Some(digits) => hex::decode(digits).unwrap(),
            None => text("local_id").unwrap().as_bytes().to_vec(),
        };
        let id = public_id(
            text("domain_id").unwrap(),
            text("entity_type").unwrap(),
            &bytes,
        );
        assert_eq!(Some(id.as_str()), text("public_id"), "{vector}");
    }
}
