use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::*;

const LIMITS: Limits = Limits {
    valid_for: Duration::from_mins(5),
    invalid_for: Duration::from_secs(5),
    bytes: 1 << 20,
};

const BODY: &str = r#"{"token": {
    "methods": ["password"],
    "user": {"id": "u", "name": "u", "domain": {"id": "d", "name": "d"}},
    "issued_at": "2026-01-31T12:00:00.000000Z",
    "expires_at": "2026-01-31T13:00:00.000000Z"
}}"#;

fn valid() -> Outcome {
    let info = TokenInfo::from_body(BODY.as_bytes());
    info.map(Arc::new).map_err(NotValidated::unreachable)
}

fn known(cache: &Cache, token: &str, expired: bool) -> &'static str {
    match cache.get(token, expired) {
        None => "unknown",
        Some(Ok(_)) => "valid",
        Some(Err(NotValidated::Invalid)) => "invalid",
        Some(Err(_)) => "unreachable",
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_kept_as_long_as_they_may_be() {
    let cache = Cache::new(LIMITS);
    cache.put("good", false, &valid(), 100);
    cache.put("bad", false, &Err(NotValidated::Invalid), 0);
    cache.put("down", false, &Err(NotValidated::unreachable("x")), 0);
    let state = || ["good", "bad", "down"].map(|token| known(&cache, token, false));
    assert_eq!(state(), ["valid", "invalid", "unknown"]);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(state(), ["valid", "unknown", "unknown"]);
    tokio::time::advance(Duration::from_secs(295)).await;
    assert_eq!(state(), ["unknown", "unknown", "unknown"]);
}

#[tokio::test]
async fn that_an_expired_token_is_invalid_says_nothing_where_it_may_be_expired() {
    let cache = Cache::new(LIMITS);
    let invalid = Err(NotValidated::Invalid);
    cache.put("expired", false, &invalid, 0);
    assert_eq!(known(&cache, "expired", false), "invalid");
    assert_eq!(known(&cache, "expired", true), "unknown");
    cache.put("never", true, &invalid, 0);
    assert_eq!(known(&cache, "never", false), "invalid");
    assert_eq!(known(&cache, "never", true), "invalid");
}

#[tokio::test]
async fn memory_is_bounded_by_bytes() {
    let cache = Cache::new(LIMITS);
    for n in 0..1000 {
        cache.put(&format!("token {n}"), false, &valid(), 10_000);
    }
    assert!(cache.known.weight() <= LIMITS.bytes);
    assert!(cache.known.len() < 40, "{}", cache.known.len());
    cache.put("huge", false, &valid(), LIMITS.bytes);
    assert_eq!(
        known(&cache, "huge", false),
        "unknown",
        "what does not fit is not kept"
    );
}

/// A cache whose lookups wait for `go`.
struct Gate {
    cache: Cache,
    lookups: AtomicUsize,
    go: Notify,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            cache: Cache::new(LIMITS),
            lookups: AtomicUsize::new(0),
            go: Notify::new(),
        })
    }

    fn ask(self: &Arc<Self>, expired: bool, outcome: Outcome) -> tokio::task::JoinHandle<Outcome> {
        let gate = Arc::clone(self);
        tokio::spawn(async move {
            let look_up = || async {
                gate.lookups.fetch_add(1, Ordering::SeqCst);
                gate.go.notified().await;
                (outcome, 100)
            };
            gate.cache.get_or("token", expired, look_up).await
        })
    }

    fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn concurrent_callers_share_one_lookup() {
    let gate = Gate::new();
    let callers: Vec<_> = (0..200).map(|_| gate.ask(false, valid())).collect();
    tokio::task::yield_now().await;
    gate.go.notify_one();
    for caller in callers {
        assert!(caller.await.unwrap().is_ok());
    }
    assert_eq!(gate.lookups(), 1);
    assert!(gate.cache.lookups().is_empty());
    assert!(gate.ask(false, valid()).await.unwrap().is_ok());
    assert_eq!(gate.lookups(), 1, "the answer is kept");
}

#[tokio::test]
async fn concurrent_callers_share_a_failure_and_later_ones_try_again() {
    let gate = Gate::new();
    let failure = Err(NotValidated::unreachable("no connection"));
    let callers: Vec<_> = (0..5).map(|_| gate.ask(false, failure.clone())).collect();
    tokio::task::yield_now().await;
    gate.go.notify_one();
    for caller in callers {
        assert_eq!(
            caller.await.unwrap().unwrap_err(),
            failure.clone().unwrap_err()
        );
    }
    assert_eq!(gate.lookups(), 1);
    gate.go.notify_one();
    assert!(gate.ask(false, valid()).await.unwrap().is_ok());
    assert_eq!(gate.lookups(), 2);
}

#[tokio::test]
async fn a_lookup_whose_caller_leaves_is_taken_over() {
    let gate = Gate::new();
    let first = gate.ask(false, valid());
    tokio::task::yield_now().await;
    let second = gate.ask(false, valid());
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    tokio::task::yield_now().await;
    gate.go.notify_one();
    assert!(second.await.unwrap().is_ok());
    assert_eq!(gate.lookups(), 2);
    assert!(gate.cache.lookups().is_empty());
}

#[tokio::test]
async fn callers_who_all_leave_leave_nothing() {
    let gate = Gate::new();
    let callers = [gate.ask(false, valid()), gate.ask(false, valid())];
    tokio::task::yield_now().await;
    for caller in callers {
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
    }
    assert!(gate.cache.lookups().is_empty());
}

#[tokio::test]
async fn lookups_with_and_without_expired_tokens_are_different() {
    let gate = Gate::new();
    let strict = gate.ask(false, Err(NotValidated::Invalid));
    let lenient = gate.ask(true, valid());
    tokio::task::yield_now().await;
    assert_eq!(gate.lookups(), 2);
    gate.go.notify_waiters();
    assert!(strict.await.unwrap().is_err());
    assert!(lenient.await.unwrap().is_ok());
}
