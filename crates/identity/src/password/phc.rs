//! The formats that name their parameters: `$scrypt$`, `$pbkdf2-sha512$` and `$argon2id$`.

use argon2::{Argon2, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::Hmac;
use sha2::Sha512;
use subtle::ConstantTimeEq;

use super::Error;

pub(super) const SCRYPT_PREFIX: &str = "$scrypt$";
pub(super) const PBKDF2_PREFIX: &str = "$pbkdf2-sha512$";
pub(super) const ARGON2_PREFIX: &str = "$argon2id$";

/// The memory that one hash may take. A damaged row must not ask for more than the machine has:
/// a failed allocation would end the process.
const MEMORY: u64 = 1 << 30;

pub(super) fn write_scrypt(
    password: &[u8],
    salt: &[u8],
    params: &scrypt::Params,
) -> Result<String, Error> {
    let digest = encode(&scrypt_digest(password, salt, params)?);
    let (ln, r, p) = (params.log_n(), params.r(), params.p());
    let salt = encode(salt);
    Ok(format!(
        "{SCRYPT_PREFIX}ln={ln},r={r},p={p}${salt}${digest}"
    ))
}

pub(super) fn verify_scrypt(password: &[u8], hash: &str) -> Result<bool, Error> {
    let parsed = || {
        let [parameters, salt, digest] = fields(hash, SCRYPT_PREFIX)?;
        let params = scrypt_params(
            number(parameters, "ln")?,
            number(parameters, "r")?,
            number(parameters, "p")?,
        )?;
        let digest: [u8; 32] = decode(digest)?.try_into().ok()?;
        Some((params, decode(salt)?, digest))
    };
    let (params, salt, expected) = parsed().ok_or(Error::Unreadable("malformed scrypt"))?;
    Ok(scrypt_digest(password, &salt, &params)?
        .ct_eq(&expected)
        .into())
}

/// The parameters, if they are legal and fit the memory that one hash may take.
pub(super) fn scrypt_params(ln: u32, r: u32, p: u32) -> Option<scrypt::Params> {
    let blocks = 1_u64.checked_shl(ln)?.checked_add(p.into())?;
    let memory = u64::from(r).checked_mul(128)?.checked_mul(blocks)?;
    if ln == 0 || memory > MEMORY {
        return None;
    }
    scrypt::Params::new(u8::try_from(ln).ok()?, r, p).ok()
}

fn scrypt_digest(password: &[u8], salt: &[u8], params: &scrypt::Params) -> Result<[u8; 32], Error> {
    let mut digest = [0; 32];
    scrypt::scrypt(password, salt, params, &mut digest).map_err(|e| Error::Failed(e.into()))?;
    Ok(digest)
}

pub(super) fn write_pbkdf2(password: &[u8], salt: &[u8], rounds: u32) -> Result<String, Error> {
    let digest = encode(&pbkdf2_digest(password, salt, rounds)?);
    Ok(format!("{PBKDF2_PREFIX}{rounds}${}${digest}", encode(salt)))
}

pub(super) fn verify_pbkdf2(password: &[u8], hash: &str) -> Result<bool, Error> {
    let parsed = || {
        let [rounds, salt, digest] = fields(hash, PBKDF2_PREFIX)?;
        let rounds: u32 = rounds.parse().ok().filter(|rounds| *rounds > 0)?;
        let digest: [u8; 64] = decode(digest)?.try_into().ok()?;
        Some((rounds, decode(salt)?, digest))
    };
    let (rounds, salt, expected) = parsed().ok_or(Error::Unreadable("malformed pbkdf2-sha512"))?;
    Ok(pbkdf2_digest(password, &salt, rounds)?
        .ct_eq(&expected)
        .into())
}

fn pbkdf2_digest(password: &[u8], salt: &[u8], rounds: u32) -> Result<[u8; 64], Error> {
    let mut digest = [0; 64];
    pbkdf2::pbkdf2::<Hmac<Sha512>>(password, salt, rounds, &mut digest)
        .map_err(|e| Error::Failed(e.to_string().into()))?;
    Ok(digest)
}

pub(super) fn write_argon2(
    password: &[u8],
    salt: &[u8],
    params: &argon2::Params,
) -> Result<String, Error> {
    let digest = encode(&argon2_digest(password, salt, Version::V0x13, params)?);
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    let salt = encode(salt);
    Ok(format!(
        "{ARGON2_PREFIX}v=19$m={m},t={t},p={p}${salt}${digest}"
    ))
}

pub(super) fn verify_argon2(password: &[u8], hash: &str) -> Result<bool, Error> {
    let parsed = || {
        let [version, parameters, salt, digest] = fields(hash, ARGON2_PREFIX)?;
        let version = Version::try_from(number(version, "v")?).ok()?;
        let memory = number(parameters, "m").filter(|m| u64::from(*m) << 10 <= MEMORY)?;
        let digest = decode(digest)?;
        let params = argon2::Params::new(
            memory,
            number(parameters, "t")?,
            number(parameters, "p")?,
            Some(digest.len()),
        );
        Some((version, params.ok()?, decode(salt)?, digest))
    };
    let (version, params, salt, expected) =
        parsed().ok_or(Error::Unreadable("malformed argon2id"))?;
    let digest = argon2_digest(password, &salt, version, &params)
        .map_err(|_| Error::Unreadable("malformed argon2id"))?;
    Ok(digest.ct_eq(&expected).into())
}

fn argon2_digest(
    password: &[u8],
    salt: &[u8],
    version: Version,
    params: &argon2::Params,
) -> Result<Vec<u8>, Error> {
    let mut digest = vec![0; params.output_len().unwrap_or(32)];
    Argon2::new(argon2::Algorithm::Argon2id, version, params.clone())
        .hash_password_into(password, salt, &mut digest)
        .map_err(|e| Error::Failed(e.to_string().into()))?;
    Ok(digest)
}

fn fields<'a, const N: usize>(hash: &'a str, prefix: &str) -> Option<[&'a str; N]> {
    let fields: Vec<&str> = hash.strip_prefix(prefix)?.split('$').collect();
    fields.try_into().ok()
}

/// The value of one parameter in `a=1,b=2`.
pub(super) fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters
        .split(',')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn number(parameters: &str, name: &str) -> Option<u32> {
    parameter(parameters, name)?.parse().ok()
}

fn encode(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

/// passlib wrote `.` for `+` in pbkdf2 hashes, and Keystone once used passlib.
fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text.replace('.', "+")).ok()
}
