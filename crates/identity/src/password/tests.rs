use std::sync::mpsc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use tokio::task::yield_now;

use super::*;

#[derive(Deserialize)]
struct Vector {
    hasher: String,
    password: String,
    hash: String,
}

/// Made by Python Keystone; `vectors.py` beside this file says how.
fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

fn hasher(algorithm: Algorithm) -> Hasher {
    let rounds = match algorithm {
        Algorithm::Argon2id => 1,
        _ => 4,
    };
    let options = Options {
        rounds: Some(rounds),
        ..Options::default()
    };
    Hasher::new(algorithm, &options).unwrap()
}

async fn check(hasher: &Hasher, password: &str, hash: &str) -> Result<bool, Error> {
    hasher
        .verify(password.into(), hash.to_owned(), &Claimant::default())
        .await
}

/// The password without its last character, with another last one, with another first one.
fn near_misses(password: &str) -> [String; 3] {
    let mut start = password.chars();
    start.next_back();
    let mut end = password.chars();
    end.next();
    let (start, end) = (start.as_str(), end.as_str());
    let shorter = if password.is_empty() { "y" } else { start };
    [shorter.to_owned(), format!("{start}~"), format!("~{end}")]
}

#[tokio::test]
async fn python_hashes_verify_what_they_verify_there() {
    let hasher = hasher(Algorithm::Bcrypt);
    let (cut, whole): (Vec<Vector>, Vec<Vector>) = vectors()
        .into_iter()
        .partition(|v| v.hasher == "bcrypt" && v.password.len() > 72);
    assert_eq!((cut.len(), whole.len()), (4, 80));
    for Vector {
        hasher: name,
        password,
        hash,
    } in whole
    {
        assert!(
            check(&hasher, &password, &hash).await.unwrap(),
            "{name} {password}"
        );
        for wrong in near_misses(&password) {
            assert!(
                !check(&hasher, &wrong, &hash).await.unwrap(),
                "{name} {wrong}"
            );
        }
    }
    // These hold the first 72 bytes and no more.
    for Vector { password, hash, .. } in cut {
        let [_, other_end, _] = near_misses(&password);
        for long in [&password, &other_end] {
            assert!(check(&hasher, long, &hash).await.unwrap(), "{long}");
        }
        let other_start = format!("~{}", &password[2..]);
        assert!(
            !check(&hasher, &other_start, &hash).await.unwrap(),
            "{other_start}"
        );
    }
}

#[tokio::test]
async fn every_algorithm_reads_what_it_writes() {
    for (name, prefix) in [
        ("bcrypt", "$2b$04$"),
        ("bcrypt_sha256", "$bcrypt-sha256$v=2,t=2b,r=10$"),
        ("scrypt", "$scrypt$ln=16,r=8,p=1$"),
        ("pbkdf2_sha512", "$pbkdf2-sha512$4$"),
        ("argon2id", "$argon2id$v=19$m=19456,t=1,p=1$"),
        ("argon2", "$argon2id$"),
    ] {
        let hasher = hasher(name.parse().unwrap());
        let hash = hasher.hash("geheim-ключ".into()).await.unwrap();
        assert!(hash.starts_with(prefix), "{hash}");
        assert!(
            check(&hasher, "geheim-ключ", &hash).await.unwrap(),
            "{name}"
        );
        assert!(
            !check(&hasher, "geheim-ключь", &hash).await.unwrap(),
            "{name}"
        );
        assert_ne!(hasher.hash("geheim-ключ".into()).await.unwrap(), hash);
    }
}

#[tokio::test]
async fn long_secrets_are_never_cut() {
    for algorithm in [
        "bcrypt",
        "bcrypt_sha256",
        "scrypt",
        "pbkdf2_sha512",
        "argon2id",
    ] {
        let hasher = hasher(algorithm.parse().unwrap());
        let long = |end: &str| "A".repeat(72) + end;
        // Those of 71 and 72 bytes are not long, but the start of what is.
        for (set, wrong) in [
            (long("B"), [long("C"), long(""), long("BC")]),
            (long(""), [long("B"), long("A"), "A".repeat(71)]),
            ("A".repeat(71), [long("B"), long(""), long("A")]),
        ] {
            let hash = hasher.hash(set.as_str().into()).await.unwrap();
            assert!(check(&hasher, &set, &hash).await.unwrap(), "{algorithm}");
            for wrong in wrong {
                let outcome = check(&hasher, &wrong, &hash).await;
                assert!(!outcome.unwrap(), "{algorithm} {set} {wrong}");
            }
        }
    }
    let hasher = hasher(Algorithm::Bcrypt);
    let hash = hasher.hash("A".repeat(71).into()).await.unwrap();
    assert!(hash.starts_with("$2b$"));
}

#[tokio::test]
async fn a_lower_limit_cuts_where_python_cut_and_nothing_that_is_set_here() {
    let options = Options {
        rounds: Some(4),
        max_password_length: 54,
        ..Options::default()
    };
    let hasher = Hasher::new(Algorithm::Bcrypt, &options).unwrap();
    let secret = "s".repeat(86);
    let by_python = bcrypt::write(&secret.as_bytes()[..54], 4).unwrap();
    assert!(check(&hasher, &secret, &by_python).await.unwrap());
    assert!(!check(&hasher, &secret[..53], &by_python).await.unwrap());

    let set_here = hasher.hash(secret[..54].into()).await.unwrap();
    assert!(check(&hasher, &secret[..54], &set_here).await.unwrap());
    assert!(!check(&hasher, &secret, &set_here).await.unwrap());
}

#[tokio::test]
async fn python_can_verify_the_start_of_a_long_secret() {
    let hasher = hasher(Algorithm::Bcrypt);
    let hash = hasher.hash("A".repeat(73).into()).await.unwrap();
    let (start, rest) = hash.split_once(",whole=").unwrap();
    let (_, salt_and_digest) = rest.split_once('$').unwrap();
    let as_python_reads_it = format!("{start}${salt_and_digest}");
    assert!(as_python_reads_it.starts_with("$bcrypt-sha256$v=2,t=2b,r=10$"));
    let cut = check(&hasher, &"A".repeat(72), &as_python_reads_it).await;
    assert!(cut.unwrap());
    assert!(hash.len() <= 255);
}

#[tokio::test]
async fn secrets_of_programs_are_longer_than_passwords_may_be() {
    let options = Options {
        rounds: Some(4),
        max_password_length: 64,
        strict: true,
        ..Options::default()
    };
    let hasher = Hasher::new(Algorithm::Bcrypt, &options).unwrap();
    let secret = "A".repeat(86);
    hasher.hash(secret.as_str().into()).await.unwrap_err();
    let hash = hasher.hash_secret(secret.as_str().into()).await.unwrap();
    for (presented, right) in [
        (secret.clone(), true),
        (format!("{}B", &secret[..85]), false),
        (secret[..64].to_owned(), false),
        (format!("{secret}A"), false),
    ] {
        let claimant = Claimant::default();
        let found = hasher
            .verify_secret(presented.as_str().into(), hash.clone(), &claimant)
            .await;
        assert_eq!(found.unwrap(), right, "{presented}");
    }
    // Python Keystone truncates where its passwords end.
    let (start, rest) = hash.split_once(",whole=").unwrap();
    let (_, salt_and_digest) = rest.split_once('$').unwrap();
    let as_python_reads_it = format!("{start}${salt_and_digest}");
    let cut = check(&hasher, &secret[..64], &as_python_reads_it).await;
    assert!(cut.unwrap());
}

#[tokio::test]
async fn the_other_names_of_bcrypt_verify() {
    let hasher = hasher(Algorithm::Bcrypt);
    let hash = hasher.hash("openstack".into()).await.unwrap();
    for name in ["$2a$", "$2b$", "$2x$", "$2y$"] {
        let renamed = hash.replace("$2b$", name);
        assert!(
            check(&hasher, "openstack", &renamed).await.unwrap(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn past_the_limit_nothing_is_hashed() {
    let options = Options {
        max_password_length: 10,
        ..Options::default()
    };
    let hasher = Hasher::new(Algorithm::Pbkdf2Sha512, &options).unwrap();
    let error = hasher.hash("ключик".into()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "The password length must be less than or equal to 10. The server could not comply with the request because \
         the password is invalid."
    );
    assert_eq!(keystone_types::Error::from(error).status(), 403);
    let hash = hasher.hash("ключи".into()).await.unwrap();
    assert!(check(&hasher, "ключи", &hash).await.unwrap());
    assert!(!check(&hasher, "ключик", &hash).await.unwrap());
    // Past what the limit can be anywhere, not even the format is looked at.
    let endless = "к".repeat(2049);
    assert!(!check(&hasher, &endless, "nonsense").await.unwrap());
}

#[tokio::test]
async fn damaged_hashes_are_errors() {
    let hasher = hasher(Algorithm::Pbkdf2Sha512);
    let salt = "AAAAAAAAAAAAAAAAAAAAAA";
    for hash in [
        String::new(),
        "$".into(),
        "plain".into(),
        "$6$salt$digest".into(),
        "$2$".into(),
        "$2b$04$short".into(),
        "$2b$04$äöüäöüäöüäöäöüäöüäöüäöäöüäöüäöüäöäöüäö".into(),
        "$2b$32$fpgjVT41uqzccjB1n5hJmurzc6hWbAoE/4jxg7rZRj6E4J8IZYWjm".into(),
        "$2b$03$fpgjVT41uqzccjB1n5hJmurzc6hWbAoE/4jxg7rZRj6E4J8IZYWjm".into(),
        "$bcrypt-sha256$2a,12$salt$digest".into(),
        "$bcrypt-sha256$v=2,t=2b,r=99$fpgjVT41uqzccjB1n5hJmu$rzc6hWbAoE/4jxg7rZRj6E4J8IZYWjm"
            .into(),
        format!("$scrypt$ln=4,r=8,p=1${salt}$AAAA"),
        format!("$scrypt$ln=63,r=8,p=1${salt}${}", "A".repeat(43)),
        format!("$scrypt$ln=999,r=8,p=1${salt}${}", "A".repeat(43)),
        format!(
            "$scrypt$ln=4,r=4294967295,p=4294967295${salt}${}",
            "A".repeat(43)
        ),
        format!("$scrypt$ln=4,r=0,p=1${salt}${}", "A".repeat(43)),
        format!("$pbkdf2-sha512$0${salt}${}A", "A".repeat(85)),
        format!("$pbkdf2-sha512$-1${salt}${}A", "A".repeat(85)),
        format!(
            "$argon2id$v=19$m=4294967295,t=1,p=1${salt}${}",
            "A".repeat(43)
        ),
        format!("$argon2id$v=19$m=64,t=0,p=1${salt}${}", "A".repeat(43)),
        format!("$argon2id$v=19$m=64,t=1,p=1$AAAA${}", "A".repeat(43)),
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}$"),
        format!("$argon2i$v=19$m=64,t=1,p=1${salt}${}", "A".repeat(43)),
    ] {
        let outcome = check(&hasher, "openstack", &hash).await;
        assert!(
            matches!(outcome, Err(Error::Unreadable(_))),
            "{hash}: {outcome:?}"
        );
    }
}

#[test]
fn options_that_cannot_be_used_are_named() {
    let new =
        |algorithm, options: Options| Hasher::new(algorithm, &options).unwrap_err().to_string();
    let rounds = |rounds| Options {
        rounds: Some(rounds),
        ..Options::default()
    };
    for (algorithm, options, expected) in [
        (
            Algorithm::Bcrypt,
            rounds(3),
            "[identity] password_hash_rounds must be between 4 and 31 with bcrypt",
        ),
        (
            Algorithm::BcryptSha256,
            rounds(32),
            "[identity] password_hash_rounds must be between 4 and 31 with bcrypt_sha256",
        ),
        (
            Algorithm::Argon2id,
            rounds(60_000),
            "[identity] password_hash_rounds must be between 1 and 1000 with argon2id",
        ),
        (
            Algorithm::Scrypt,
            Options {
                scrypt_block_size: Some(128),
                ..Options::default()
            },
            "[identity] scrypt_block_size must be small enough, with scrypt_parallelism, for 1 GiB of memory",
        ),
        (
            Algorithm::Pbkdf2Sha512,
            Options {
                salt_bytesize: Some(97),
                ..Options::default()
            },
            "[identity] salt_bytesize must be at most 96",
        ),
    ] {
        assert_eq!(new(algorithm, options), expected);
    }
    assert_eq!(
        "md5".parse::<Algorithm>().unwrap_err().to_string(),
        "[identity] password_hash_algorithm must be one of bcrypt, bcrypt_sha256, scrypt, pbkdf2_sha512, argon2id"
    );
}

#[tokio::test]
async fn options_reach_the_hash() {
    let options = Options {
        rounds: Some(7),
        scrypt_block_size: Some(2),
        scrypt_parallelism: Some(3),
        salt_bytesize: Some(96),
        ..Options::default()
    };
    let scrypt = Hasher::new(Algorithm::Scrypt, &options).unwrap();
    let hash = scrypt.hash("a".into()).await.unwrap();
    assert!(hash.starts_with("$scrypt$ln=16,r=2,p=3$"), "{hash}");
    let pbkdf2 = Hasher::new(Algorithm::Pbkdf2Sha512, &options).unwrap();
    let hash = pbkdf2.hash("a".into()).await.unwrap();
    assert!(hash.starts_with("$pbkdf2-sha512$7$"), "{hash}");
    assert_eq!(hash.split('$').nth(3).unwrap().len(), 128);
    assert!(hash.len() <= 255);
}

#[tokio::test]
async fn a_full_queue_turns_callers_away_and_recovers() {
    let options = Options {
        threads: 1,
        queue: 1,
        ..Options::default()
    };
    let hasher = Hasher::new(Algorithm::Bcrypt, &options).unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    let (started, running) = tokio::sync::oneshot::channel();
    let first = tokio::spawn({
        let hasher = hasher.clone();
        async move {
            hasher
                .run(&Claimant::default(), move || {
                    started.send(()).unwrap();
                    blocked.recv().unwrap();
                })
                .await
        }
    });
    running.await.unwrap();
    let second = tokio::spawn({
        let hasher = hasher.clone();
        async move { hasher.run(&Claimant::default(), || "second").await }
    });
    yield_now().await;
    let error = hasher.run(&Claimant::default(), || ()).await.unwrap_err();
    assert!(matches!(error, Error::Busy { .. }));
    assert_eq!(keystone_types::Error::from(error).status(), 503);
    let state = hasher.state();
    assert_eq!((state.running, state.threads), (1, 1));
    assert_eq!((state.waiting, state.capacity), (1, 1));
    assert_eq!((state.begun, state.rejected), (1, 1));

    // A caller cancelled while its hash runs keeps its place; one cancelled while it waits frees it.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert!(hasher.run(&Claimant::default(), || ()).await.is_err());
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    let third = tokio::spawn({
        let hasher = hasher.clone();
        async move { hasher.run(&Claimant::default(), || "third").await }
    });
    release.send(()).unwrap();
    assert_eq!(third.await.unwrap().unwrap(), "third");
    assert!(hasher.run(&Claimant::default(), || ()).await.is_ok());
}

#[tokio::test]
async fn lost_work_is_an_error_and_frees_its_place() {
    let options = Options {
        threads: 1,
        queue: 0,
        ..Options::default()
    };
    let hasher = Hasher::new(Algorithm::Bcrypt, &options).unwrap();
    let lost = hasher
        .run(&Claimant::default(), || panic!("as planned"))
        .await;
    assert!(matches!(lost, Err(Error::Failed(_))));
    assert!(hasher.run(&Claimant::default(), || ()).await.is_ok());
}

/// What the process has used of a processor so far: nobody else who is busy counts.
fn used() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(used).unwrap()
}

#[tokio::test]
async fn unknown_users_and_damaged_hashes_cost_the_same_time() {
    let options = Options {
        rounds: Some(9),
        ..Options::default()
    };
    let hasher = Hasher::new(Algorithm::Bcrypt, &options).unwrap();
    let hash = hasher.hash("openstack".into()).await.unwrap();
    let mut best = [Duration::MAX; 3];
    for _ in 0..8 {
        let start = used();
        assert!(!check(&hasher, "wrong", &hash).await.unwrap());
        best[0] = best[0].min(used().saturating_sub(start));
        let start = used();
        hasher
            .verify_dummy("wrong".into(), &Claimant::default())
            .await
            .unwrap();
        best[1] = best[1].min(used().saturating_sub(start));
        let start = used();
        assert!(check(&hasher, "wrong", "damaged").await.is_err());
        best[2] = best[2].min(used().saturating_sub(start));
    }
    let [real, dummy, damaged] = best.map(|time| time.as_secs_f64());
    assert!((0.5..2.0).contains(&(dummy / real)), "{best:?}");
    assert!((0.5..2.0).contains(&(damaged / real)), "{best:?}");
}

#[test]
fn debug_shows_no_secret() {
    let shown = format!("{:?}", Error::Unreadable("malformed bcrypt"))
        + &format!("{:?}", hasher(Algorithm::Bcrypt));
    assert!(!shown.contains('$'), "{shown}");
}
