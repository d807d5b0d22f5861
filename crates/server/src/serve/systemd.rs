//! Notifies systemd of the server's state, for units with `Type=notify`.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

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
