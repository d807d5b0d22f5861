//! `[healthcheck]`: what is checked, and which clients get an answer.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use axum::http::HeaderMap;

use super::CheckResult;

/// Options of `[healthcheck]`.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Whether the answer tells more than the reasons.
    pub detailed: bool,
    /// The `backends`, in their order.
    pub checks: Vec<Check>,
    /// From where it may be asked; from everywhere where there is none.
    pub allowed_source_ranges: Vec<Network>,
    /// Whether requests through a proxy get no answer.
    pub ignore_proxied_requests: bool,
}

/// The checks that decide about the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// `disable_by_file`: unavailable while the file is there.
    DisableByFile(Option<PathBuf>),
    /// `disable_by_files_ports`: the same, for each port.
    DisableByFilesPorts(Vec<(u16, PathBuf)>),
    /// `enable_by_files`: unavailable while a file is missing.
    EnableByFiles(Vec<PathBuf>),
}

impl Check {
    pub(super) fn look(&self, port: Option<u16>) -> CheckResult {
        match self {
            Self::DisableByFile(None) => {
                fine("No 'disable_by_file_path' configuration value specified".to_owned())
            }
            Self::DisableByFile(Some(path)) if path.exists() => {
                disabled(format!("Path '{}' was found", path.display()))
            }
            Self::DisableByFile(Some(path)) => {
                fine(format!("Path '{}' was not found", path.display()))
            }
            Self::DisableByFilesPorts(paths) => {
                let own = paths.iter().rfind(|(of, _)| Some(*of) == port);
                match own {
                    Some((_, path)) if path.exists() => disabled(String::new()),
                    _ => fine(String::new()),
                }
            }
            Self::EnableByFiles(paths) => match paths.iter().find(|path| !path.exists()) {
                Some(path) => missing(path),
                None => fine("Specified file paths are available".to_owned()),
            },
        }
    }
}

fn fine(details: String) -> CheckResult {
    CheckResult {
        available: true,
        reason: "OK",
        details,
    }
}

fn disabled(details: String) -> CheckResult {
    CheckResult {
        available: false,
        reason: "DISABLED BY FILE",
        details,
    }
}

fn missing(path: &Path) -> CheckResult {
    CheckResult {
        available: false,
        reason: "FILE PATH MISSING",
        details: format!("File path {} is missing", path.display()),
    }
}

impl Health {
    /// Whether a client at this address gets an answer.
    pub(super) fn answers(&self, client: Option<IpAddr>, headers: &HeaderMap) -> bool {
        const PROXIED: [&str; 5] = [
            "x-forwarded",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-forwarded-for",
            "x-forwarded-prefix",
        ];
        let said = |name: &&str| headers.get(*name).is_some_and(|value| !value.is_empty());
        if self.ignore_proxied_requests && PROXIED.iter().any(said) {
            return false;
        }
        let mut ranges = self.allowed_source_ranges.iter();
        self.allowed_source_ranges.is_empty()
            || client.is_some_and(|client| ranges.any(|range| range.holds(client)))
    }
}

/// A range of addresses: `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    length: u32,
}

impl Network {
    /// Reads a range; one address is a range too.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(whole), str::parse).ok()?;
        let network = Self { address, length };
        // Python refuses an address with bits beyond the range.
        (length <= whole && network.shifted(address)?.1 == 0).then_some(network)
    }

    /// Whether an address lies in the range; one of IPv4 may come as one of IPv6.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.address.is_ipv4() == address.is_ipv4()
            && self.shifted(address).map(|parts| parts.0)
                == self.shifted(self.address).map(|parts| parts.0)
    }

    /// The part of an address that says the range, and the rest.
    fn shifted(&self, address: IpAddr) -> Option<(u128, u128)> {
        let (bits, whole) = match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32u32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let free = whole.checked_sub(self.length)?;
        let range = bits.checked_shr(free).unwrap_or(0);
        Some((range, bits - range.checked_shl(free).unwrap_or(0)))
    }
}
