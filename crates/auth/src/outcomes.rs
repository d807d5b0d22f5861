//! How logins ended, by method.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use keystone_types::Error;

/// The methods that there are, and whatever else would be one.
const METHODS: [&str; 14] = [
    "application_credential",
    "ec2credential",
    "external",
    "kerberos",
    "mapped",
    "oauth1",
    "oauth2_credential",
    "openid",
    "password",
    "saml2",
    "token",
    "totp",
    "x509",
    "other",
];

/// How a login ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a token.
    Success,
    /// With a receipt: the user's rules want more methods.
    Receipt,
    /// The client proved nothing, or may not have what it asked for.
    Refused,
    /// It could not be decided: 500 or 503.
    Failed,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Success, Self::Receipt, Self::Refused, Self::Failed];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Receipt => "receipt",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// How a login ended that has an error, if it has one.
    pub(crate) fn of(error: Option<&Error>) -> Self {
        match error {
            None => Self::Success,
            Some(Error::Receipt { .. }) => Self::Receipt,
            Some(error) if error.status() >= 500 => Self::Failed,
            Some(_) => Self::Refused,
        }
    }
}

/// How many logins ended how, by method.
#[derive(Debug, Default)]
pub(crate) struct Outcomes([[AtomicU64; Outcome::ALL.len()]; METHODS.len()]);

impl Outcomes {
    /// Counts a login for each of its methods, a set as [`Outcomes::bit`] names them.
    pub(crate) fn count(&self, methods: u16, outcome: Outcome) {
        for (at, counts) in self.0.iter().enumerate() {
            if methods & (1 << at) != 0 {
                counts[outcome as usize].fetch_add(1, Relaxed);
            }
        }
    }

    /// The set of one method.
    pub(crate) fn bit(method: &str) -> u16 {
        let at = METHODS.iter().position(|it| *it == method);
        1 << at.unwrap_or(METHODS.len() - 1)
    }

    /// Method, outcome and number, where there was one.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, Outcome, u64)> {
        METHODS.iter().zip(&self.0).flat_map(|(method, counts)| {
            let of_method = Outcome::ALL.into_iter().zip(counts);
            of_method.filter_map(|(outcome, count)| {
                let count = count.load(Relaxed);
                (count > 0).then_some((*method, outcome, count))
            })
        })
    }
}
