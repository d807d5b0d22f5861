//! What goes wrong with a directory, as a line for the operator.

/// Why a directory gave no answer. The text names the server and the place in the directory, and holds no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server can be reached, or none answers in time.
    #[error("the directory {url} is away: {reason}")]
    Unavailable {
        /// The URLs that were tried.
        url: String,
        /// What became of each.
        reason: String,
    },
    /// The directory refuses the server's own name or password.
    #[error(
        "the directory {url} refuses the password of {user:?}: see user and password of [ldap]"
    )]
    InvalidCredentials {
        /// The server's URL.
        url: String,
        /// The name, as `user` of the settings has it.
        user: String,
    },
    /// The directory sends no more entries than its limit.
    #[error(
        "the directory {url} has more entries below {base:?} than its size limit: set page_size of [ldap], or raise the limit there"
    )]
    SizeLimit {
        /// The server's URL.
        url: String,
        /// Where the search began.
        base: String,
    },
    /// The directory refuses a search or a bind.
    #[error("the directory {url} refuses what it was asked about {base:?}: {reason}")]
    Refused {
        /// The server's URL.
        url: String,
        /// Where the search began, or who was to be bound.
        base: String,
        /// The directory's words.
        reason: String,
    },
    /// There is no such place in the directory. Only [`Directory::check`](crate::Directory::check) says so: for others it is a
    /// place without entries.
    #[error("the directory {url} has no entry {base:?}: see user_tree_dn of [ldap]")]
    NoTree {
        /// The server's URL.
        url: String,
        /// The place.
        base: String,
    },
}
