//! Notifies systemd of the server's state, for units with `Type=notify` or `notify-reload`.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::time::interval;

use crate::environment;

/// Sends a state, such as `READY=1`, if systemd waits for one.
pub(super) fn notify(state: &str) {
    let Some(name) = environment::variables().remove("NOTIFY_SOCKET") else {
        return;
    };
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&name),
    };
    let told = address
        .and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = told {
        tracing::warn!("systemd can't be told {state}: {error}");
    }
}

/// Tells that a reload begins; `READY=1` ends it.
pub(super) fn notify_reloading() {
    // By this time systemd tells the reload from one that began before.
    if let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC) {
        let micros = Duration::from(now).as_micros();
        notify(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }
}

/// Tells that the server is alive, twice in the time of `WatchdogSec=`; returns at once where there is none. A runtime whose
/// threads are all stuck no longer does.
pub(super) async fn keep_watchdog() {
    let mut variables = environment::variables();
    let is_meant = variables
        .remove("WATCHDOG_PID")
        .is_none_or(|id| id == std::process::id().to_string());
    let limit = variables.remove("WATCHDOG_USEC");
    let limit = limit.and_then(|limit| limit.parse().ok());
    let Some(limit) = limit.filter(|limit| is_meant && *limit > 0) else {
        return;
    };
    let mut turns = interval(Duration::from_micros(limit) / 2);
    loop {
        turns.tick().await;
        notify("WATCHDOG=1");
    }
}
