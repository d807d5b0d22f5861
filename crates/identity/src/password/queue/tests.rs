use std::task::Poll;

use tokio::task::{JoinHandle, yield_now};

use super::*;

const CAPACITY: usize = 16;

/// A queue for one permit, which the test holds, and its waiters.
struct Crowd {
    queue: Queue,
    held: Option<Permit>,
    others: Vec<JoinHandle<Option<u64>>>,
}

impl Crowd {
    async fn of(claimants: impl IntoIterator<Item = Claimant>) -> Self {
        let queue = Queue::new(1, CAPACITY);
        let held = queue.acquire(&Claimant::default()).await;
        let mut crowd = Self {
            queue,
            held,
            others: Vec::new(),
        };
        for claimant in claimants {
            crowd.others.push(crowd.come(claimant).await);
        }
        crowd
    }

    /// Enters the queue, and returns once the newcomer waits or is rejected. Its permit is given back at once; the task
    /// tells which one it was.
    async fn come(&self, claimant: Claimant) -> JoinHandle<Option<u64>> {
        let queue = self.queue.clone();
        let task = tokio::spawn(async move {
            let permit = queue.acquire(&claimant).await?;
            let given = queue.state().given;
            drop(permit);
            Some(given)
        });
        yield_now().await;
        task
    }

    async fn rejected(&self) -> usize {
        yield_now().await;
        self.others.iter().filter(|task| task.is_finished()).count()
    }

    /// How many others have a permit before this one.
    async fn before(self, one: JoinHandle<Option<u64>>) -> u64 {
        drop(self.held);
        let given = one.await.expect("it runs").expect("it has a permit");
        // The test's own permit was the first.
        given - 2
    }
}

fn from(peer: &str) -> Claimant {
    Claimant::default().marked(("peer", peer))
}

#[tokio::test]
async fn a_client_with_many_requests_does_not_delay_others() {
    let unknown = |n: usize| from("10.0.0.9").marked(format!("nobody{n}"));
    let one_name = |_: usize| from("10.0.0.9").marked("admin");
    for claim in [&unknown as &dyn Fn(usize) -> Claimant, &one_name] {
        let crowd = Crowd::of((0..60).map(claim)).await;
        assert_eq!(crowd.rejected().await, 60 - CAPACITY);
        let admin = crowd.come(from("10.0.0.1").marked("admin")).await;
        assert!(!admin.is_finished());
        assert_eq!(crowd.rejected().await, 61 - CAPACITY);
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
async fn forged_client_addresses_bring_no_advantage() {
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
async fn many_new_passwords_do_not_delay_logins() {
    let set = || Claimant::default().marked("a new password");
    let crowd = Crowd::of((0..60).map(|_| set())).await;
    let admin = crowd.come(from("10.0.0.1").marked("admin")).await;
    assert!(crowd.before(admin).await < 3);
}

#[tokio::test]
async fn requests_without_marks_are_first_come_first_served() {
    let crowd = Crowd::of((0..CAPACITY).map(|_| Claimant::default())).await;
    assert_eq!(crowd.rejected().await, 0);
    let late = crowd.come(Claimant::default()).await;
    assert!(late.await.expect("it runs").is_none());
    let Crowd { held, others, .. } = crowd;
    drop(held);
    for other in others {
        assert!(other.await.expect("it runs").is_some());
    }
}

#[tokio::test]
async fn a_waiter_that_leaves_frees_its_entry_and_its_marks() {
    let crowd = Crowd::of((0..CAPACITY).map(|_| from("10.0.0.9"))).await;
    for other in &crowd.others {
        other.abort();
    }
    let queue = crowd.queue.clone();
    yield_now().await;
    assert_eq!(queue.state().waiting.len(), 0);
    assert!(queue.state().marked.is_empty());
    // A waiter that leaves at the moment when it is given a permit.
    let claimant = from("10.0.0.9");
    let mut leaving = Box::pin(queue.acquire(&claimant));
    std::future::poll_fn(|cx| {
        assert!(Future::poll(leaving.as_mut(), cx).is_pending());
        Poll::Ready(())
    })
    .await;
    drop(crowd);
    assert_eq!(queue.state().running, 1);
    drop(leaving);
    assert_eq!(queue.state().running, 0);
    assert!(queue.state().marked.is_empty());
}

#[tokio::test]
async fn closing_waits_for_all_who_are_in_and_rejects_all_who_come() {
    let crowd = Crowd::of([from("one"), from("two")]).await;
    let queue = crowd.queue.clone();
    let closing = tokio::spawn(async move { queue.close().await });
    yield_now().await;
    assert!(crowd.queue.acquire(&from("three")).await.is_none());
    assert!(!closing.is_finished());
    let Crowd { held, others, .. } = crowd;
    drop(held);
    for other in others {
        assert!(other.await.expect("it runs").is_some());
    }
    closing.await.expect("it ends");
}

#[tokio::test]
async fn closing_does_not_wait_for_waiters_that_have_left() {
    let crowd = Crowd::of([from("one")]).await;
    let queue = crowd.queue.clone();
    let closing = tokio::spawn(async move { queue.close().await });
    yield_now().await;
    drop(crowd.held);
    for other in crowd.others {
        other.abort();
    }
    closing.await.expect("it ends");
}
