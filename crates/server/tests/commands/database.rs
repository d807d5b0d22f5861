//! `db_sync` and `db_version`.

use crate::world::World;

#[test]
fn a_database_comes_to_head_step_by_step() {
    let world = World::new();
    world
        .manage(&["db_sync", "--check"])
        .exits_with(2)
        .prints("");
    world.manage(&["db_version"]).succeeds().prints("None\n");
    world
        .manage(&["db_sync", "--contract"])
        .exits_with(1)
        .says("You are attempting to upgrade contract ahead of expand.");
    world.manage(&["db_sync", "--expand"]).succeeds().prints("");
    world.manage(&["db_sync", "--check"]).exits_with(4);
    world
        .manage(&["db_sync", "--migrate"])
        .succeeds()
        .prints("Data migrations are no longer supported with alembic. This is now a no-op.\n");
    world
        .manage(&["db_sync", "--contract"])
        .succeeds()
        .prints("");
    world.manage(&["db_sync", "--check"]).exits_with(0);
    world
        .manage(&["db_version"])
        .succeeds()
        .prints("742c857f1dfb\n");
}

#[test]
fn one_run_does_all_and_another_nothing() {
    let world = World::new();
    let first = world.manage(&["db_sync"]).succeeds().prints("");
    assert!(!first.stderr.contains('\r'), "progress is for terminals");
    world.manage(&["db_sync", "--check"]).exits_with(0);
    let second = world.manage(&["db_sync"]).succeeds();
    assert_eq!(second.stderr, "");
}

#[test]
fn what_the_reference_refuses_is_refused() {
    let world = World::new();
    world
        .manage(&["db_sync", "67"])
        .exits_with(1)
        .says("Specifying a version is no longer supported");
    world
        .manage(&["db_sync", "--expand", "--contract"])
        .exits_with(2);
}

#[test]
fn a_database_that_is_down_is_named_without_its_password() {
    let world = World::new();
    world.configure(
        "[database]\nconnection = mysql+pymysql://keystone:hidden@127.0.0.1:1/keystone\n",
    );
    let run = world.manage(&["db_sync"]).exits_with(1).says("127.0.0.1:1");
    assert!(!run.stderr.contains("hidden"), "{run:?}");
}
