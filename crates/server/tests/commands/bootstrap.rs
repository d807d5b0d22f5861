//! `bootstrap`.

use crate::world::{Run, World};

#[test]
fn a_password_is_needed() {
    let world = World::new();
    world.manage(&["db_sync"]).succeeds();
    world.manage(&["bootstrap"]).exits_with(1).prints(
        "ERROR: Either --bootstrap-password argument or OS_BOOTSTRAP_PASSWORD must be set.\n",
    );
}

#[test]
fn an_empty_database_says_what_to_run() {
    let world = World::new();
    world
        .manage(&["bootstrap", "--bootstrap-password", "x"])
        .exits_with(1)
        .says("run `keystone-manage db_sync`");
}

#[test]
fn the_first_administrator_logs_in() {
    let world = World::ready();
    let again = world
        .manage(&["bootstrap", "--bootstrap-password", "s3cret"])
        .succeeds()
        .prints("");
    assert!(!again.stderr.contains("created the "), "{again:?}");
    assert!(!again.stderr.contains("s3cret"), "{again:?}");
    let server = world.serve();
    let (status, body) = server.log_in("s3cret");
    assert_eq!(status, 201, "{body}");
    let mut roles: Vec<&str> = body["token"]["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| role["name"].as_str().unwrap())
        .collect();
    roles.sort_unstable();
    assert_eq!(roles, ["admin", "manager", "member", "reader"]);
}

#[test]
fn the_environment_wins_over_flags_and_endpoints_are_brought_up_to_date() {
    let world = World::ready();
    let bootstrap = |url: &str, password: &str| {
        let arguments = [
            "bootstrap",
            "--bootstrap-password",
            "not this one",
            "--bootstrap-region-id",
            "RegionOne",
            "--bootstrap-public-url",
            url,
        ];
        let mut command = world.manage_command(&arguments);
        command.env("OS_BOOTSTRAP_PASSWORD", password);
        Run::of(&mut command).succeeds()
    };
    bootstrap("http://one:5000/v3", "first");
    bootstrap("http://two:5000/v3", "second");
    let server = world.serve();
    assert_eq!(server.log_in("first").0, 401);
    let (status, body) = server.log_in("second");
    assert_eq!(status, 201);
    let catalog = &body["token"]["catalog"];
    assert_eq!(catalog.as_array().unwrap().len(), 1, "{catalog}");
    let endpoints = catalog[0]["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 1, "{catalog}");
    assert_eq!(endpoints[0]["url"], "http://two:5000/v3");
    assert_eq!(endpoints[0]["region_id"], "RegionOne");
}
