use std::task::Poll;

use tokio::task::{JoinHandle, yield_now};

use super::*;

const PLACES: usize = 16;

/// One thread, which the test has, and a queue full of others.
struct Crowd {
    turns: Turns,
    held: Option<Turn>,
    others: Vec<JoinHandle<Option<u64>>>,
}

impl Crowd {
    async fn of(claimants: impl IntoIterator<Item = Claimant>) -> Self {
        let turns = Turns::new(1, PLACES);
        let held = turns.turn(&Claimant::default()).await;
        let mut crowd = Self {
            turns,
            held,
            others: Vec::new(),
        };
        for claimant in claimants {
            crowd.others.push(crowd.come(claimant).await);
        }
        crowd
    }

    /// Waits until the newcomer has a place, or was turned away. Its turn ends at once, and tells
    /// which it was.
    async fn come(&self, claimant: Claimant) -> JoinHandle<Option<u64>> {
        let turns = self.turns.clone();
        let task = tokio::spawn(async move {
            let turn = turns.turn(&claimant).await?;
            let begun = turns.state().begun;
            drop(turn);
            Some(begun)
        });
        yield_now().await;
        task
    }

    async fn turned_away(&self) -> usize {
        yield_now().await;
        self.others.iter().filter(|task| task.is_finished()).count()
    }

    /// How many others have their turn before this one.
    async fn before(self, one: JoinHandle<Option<u64>>) -> u64 {
        drop(self.held);
        let begun = one.await.expect("it runs").expect("it has a turn");
        // The test's own turn was the first.
        begun - 2
    }
}

fn from(peer: &str) -> Claimant {
    Claimant::default().marked(("peer", peer))
}

/// Whatever one client does, another one has a turn soon.
#[tokio::test]
async fn a_client_stands_in_its_own_way_only() {
    let unknown = |n: usize| from("10.0.0.9").marked(format!("nobody{n}"));
    let one_name = |_: usize| from("10.0.0.9").marked("admin");
    for claim in [&unknown as &dyn Fn(usize) -> Claimant, &one_name] {
        let crowd = Crowd::of((0..60).map(claim)).await;
        assert_eq!(crowd.turned_away().await, 60 - PLACES);
        let admin = crowd.come(from("10.0.0.1").marked("admin")).await;
        assert!(!admin.is_finished());
        assert_eq!(crowd.turned_away().await, 61 - PLACES);
        // More of the same change nothing.
        for n in 60..120 {
            let more = crowd.come(claim(n)).await;
            assert!(more.await.expect("it runs").is_none());
        }
        assert!(!admin.is_finished());
        assert!(crowd.before(admin).await < 16);
    }
}

#[tokio::test]
async fn addresses_that_a_client_makes_up_do_not_help_it() {
    let client = |n: usize| {
        let made_up = format!("192.0.2.{n}");
        from("10.0.0.9").marked(("client", made_up)).marked(n)
    };
    let crowd = Crowd::of((0..60).map(client)).await;
    let admin = from("10.0.0.1").marked(("client", "10.0.0.1"));
    let admin = crowd.come(admin.marked("admin")).await;
    assert!(!admin.is_finished());
    assert!(crowd.before(admin).await < 3);
}

#[tokio::test]
async fn passwords_that_are_set_leave_logins_their_turn() {
    let set = || Claimant::default().marked("a new password");
    let crowd = Crowd::of((0..60).map(|_| set())).await;
    let admin = crowd.come(from("10.0.0.1").marked("admin")).await;
    assert!(crowd.before(admin).await < 3);
}

#[tokio::test]
async fn callers_without_marks_are_served_in_turn() {
    let crowd = Crowd::of((0..PLACES).map(|_| Claimant::default())).await;
    assert_eq!(crowd.turned_away().await, 0);
    let late = crowd.come(Claimant::default()).await;
    assert!(late.await.expect("it runs").is_none());
    let Crowd { held, others, .. } = crowd;
    drop(held);
    for other in others {
        assert!(other.await.expect("it runs").is_some());
    }
}

#[tokio::test]
async fn who_leaves_frees_a_place_and_what_it_was_marked_with() {
    let crowd = Crowd::of((0..PLACES).map(|_| from("10.0.0.9"))).await;
    for other in &crowd.others {
        other.abort();
    }
    let turns = crowd.turns.clone();
    yield_now().await;
    assert_eq!(turns.state().waiting.len(), 0);
    assert!(turns.state().marked.is_empty());
    // A turn that was called for somebody who has left at that moment.
    let claimant = from("10.0.0.9");
    let mut leaving = Box::pin(turns.turn(&claimant));
    std::future::poll_fn(|cx| {
        assert!(Future::poll(leaving.as_mut(), cx).is_pending());
        Poll::Ready(())
    })
    .await;
    drop(crowd);
    assert_eq!(turns.state().running, 1);
    drop(leaving);
    assert_eq!(turns.state().running, 0);
    assert!(turns.state().marked.is_empty());
}
