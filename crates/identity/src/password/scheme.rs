//! A hashing scheme: the algorithm of new hashes with its parameters. Hashes of every known format can be verified.

use super::bcrypt::{self, COSTS, KEY_BYTES};
use super::{Algorithm, Error, Options, phc};

/// Python Keystone's `log2(N)`, which no option changes.
const SCRYPT_LN: u32 = 16;

/// The fewest rounds with which Python Keystone reads its own `$bcrypt-sha256$`.
const SHA256_MIN_COST: u32 = 10;

/// Up to about a minute of work.
const ARGON2_PASSES: std::ops::RangeInclusive<u32> = 1..=1000;

/// An algorithm and its checked parameters.
#[derive(Debug)]
pub(super) enum Scheme {
    /// The cost, and the length at which Python Keystone truncates secrets.
    Bcrypt(u32, usize),
    BcryptSha256(u32),
    Scrypt(scrypt::Params, usize),
    Pbkdf2Sha512(u32, usize),
    Argon2id(argon2::Params),
}

impl Scheme {
    pub(super) fn new(algorithm: Algorithm, options: &Options) -> Result<Self, Error> {
        let rounds = nonzero(options.rounds);
        let salt = nonzero(options.salt_bytesize).unwrap_or(16);
        let salt = usize::try_from(salt)
            .ok()
            .filter(|salt| *salt <= 96)
            .ok_or_else(|| invalid_option("salt_bytesize", "at most 96"))?;
        Ok(match algorithm {
            Algorithm::Bcrypt => Self::Bcrypt(
                within(rounds.unwrap_or(12), &COSTS, algorithm)?,
                options.max_password_length.min(KEY_BYTES),
            ),
            Algorithm::BcryptSha256 => {
                Self::BcryptSha256(within(rounds.unwrap_or(12), &COSTS, algorithm)?)
            }
            Algorithm::Scrypt => {
                let r = nonzero(options.scrypt_block_size).unwrap_or(8);
                let p = nonzero(options.scrypt_parallelism).unwrap_or(1);
                let params = phc::scrypt_params(SCRYPT_LN, r, p).ok_or_else(|| {
                    let allowed = "small enough, with scrypt_parallelism, for 1 GiB of memory";
                    invalid_option("scrypt_block_size", allowed)
                })?;
                Self::Scrypt(params, salt)
            }
            Algorithm::Pbkdf2Sha512 => Self::Pbkdf2Sha512(rounds.unwrap_or(25_000), salt),
            Algorithm::Argon2id => {
                let passes = rounds.unwrap_or(argon2::Params::DEFAULT_T_COST);
                let passes = within(passes, &ARGON2_PASSES, algorithm)?;
                let memory = argon2::Params::DEFAULT_M_COST;
                let lanes = argon2::Params::DEFAULT_P_COST;
                let params = argon2::Params::new(memory, passes, lanes, None);
                Self::Argon2id(params.map_err(|e| Error::Failed(e.to_string().into()))?)
            }
        })
    }

    pub(super) fn write(&self, password: &[u8]) -> Result<String, Error> {
        match self {
            Self::Bcrypt(cost, cut) if password.len() < *cut => bcrypt::write(password, *cost),
            Self::Bcrypt(cost, cut) => {
                bcrypt::write_long(password, *cut, (*cost).max(SHA256_MIN_COST))
            }
            Self::BcryptSha256(cost) => {
                bcrypt::write_sha256(password, (*cost).max(SHA256_MIN_COST))
            }
            Self::Scrypt(params, salt) => phc::write_scrypt(password, &random_salt(*salt)?, params),
            Self::Pbkdf2Sha512(rounds, salt) => {
                phc::write_pbkdf2(password, &random_salt(*salt)?, *rounds)
            }
            Self::Argon2id(params) => phc::write_argon2(password, &random::<16>()?, params),
        }
    }

    /// Takes as long as verifying a password that this scheme hashed.
    pub(super) fn dummy_hash(&self, password: &[u8]) -> Result<(), Error> {
        // Verifying a long password against `$2b$` costs the configured rounds, although a new hash of it would be
        // `$bcrypt-sha256$` with more.
        match self {
            Self::Bcrypt(cost, _) => bcrypt::write(password, *cost),
            _ => self.write(password),
        }
        .map(drop)
    }
}

/// Verifies a hash of any known format. A secret is truncated to `cut` bytes for `$2b$` only, and longer than `max` for
/// none of the others.
pub(super) fn verify(password: &[u8], hash: &str, cut: usize, max: usize) -> Result<bool, Error> {
    if hash.starts_with("$2") {
        bcrypt::verify(&password[..password.len().min(cut)], hash)
    } else if password.len() > max {
        Err(Error::TooLong { max })
    } else if hash.starts_with(bcrypt::SHA256_PREFIX) {
        bcrypt::verify_sha256(password, hash)
    } else if hash.starts_with(phc::SCRYPT_PREFIX) {
        phc::verify_scrypt(password, hash)
    } else if hash.starts_with(phc::PBKDF2_PREFIX) {
        phc::verify_pbkdf2(password, hash)
    } else if hash.starts_with(phc::ARGON2_PREFIX) {
        phc::verify_argon2(password, hash)
    } else {
        Err(Error::Unreadable("unknown format"))
    }
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| Error::Failed(e.into()))?;
    Ok(bytes)
}

fn random_salt(length: usize) -> Result<Vec<u8>, Error> {
    let mut salt = vec![0; length];
    getrandom::fill(&mut salt).map_err(|e| Error::Failed(e.into()))?;
    Ok(salt)
}

/// Zero means "not set" in all of these options, as in `keystone/common/password_hashing.py`.
fn nonzero(option: Option<u32>) -> Option<u32> {
    option.filter(|value| *value != 0)
}

fn within(
    rounds: u32,
    range: &std::ops::RangeInclusive<u32>,
    algorithm: Algorithm,
) -> Result<u32, Error> {
    if range.contains(&rounds) {
        return Ok(rounds);
    }
    let (min, max, name) = (range.start(), range.end(), algorithm.name());
    Err(invalid_option(
        "password_hash_rounds",
        &format!("between {min} and {max} with {name}"),
    ))
}

fn invalid_option(option: &'static str, allowed: &str) -> Error {
    Error::Option {
        option,
        allowed: allowed.to_owned(),
    }
}
