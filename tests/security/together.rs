//! Requests at the same time.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// The outcomes of all. They take turns on one task, so that each is under way before the first
/// has ended.
pub(crate) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut outcomes = Vec::new();
    std::future::poll_fn(move |cx| {
        // What has ended is dropped at once, as a server drops the request of a client that left.
        waiting.retain_mut(|future| match future.as_mut().poll(cx) {
            Poll::Ready(outcome) => {
                outcomes.push(outcome);
                false
            }
            Poll::Pending => true,
        });
        if waiting.is_empty() {
            Poll::Ready(std::mem::take(&mut outcomes))
        } else {
            Poll::Pending
        }
    })
    .await
}
