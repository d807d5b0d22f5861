//! Decisions as the recordings have them.

use keystone_policy::Denied;

/// The letter that a recorder writes: true, false, refused for its scope, or an exception.
pub(crate) fn letter(answer: &Result<(), Denied>) -> char {
    match answer {
        Ok(()) => 'T',
        Err(Denied::Check { .. } | Denied::Unknown { .. }) => 'F',
        Err(Denied::Scope { .. }) => 'S',
        Err(Denied::Undecided { .. }) => 'E',
    }
}
