//! Tests of the limit on hashing for refused requests.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::secrets::Secrets;
use crate::signature::tests::signed;

/// One webhook with 15 other secrets before `sixteenth` and `seventeenth`.
struct Store;

impl SecretStore for Store {
    async fn fetch(&self) -> Result<Secrets, FetchError> {
        let others: String = (1..=15).map(|number| format!(r#""other-{number}","#)).collect();
        let secrets = format!(r#"{{"labelbox": [{others} "sixteenth", "seventeenth"]}}"#);
        Ok(Secrets::parse(secrets)?)
    }
}

async fn has_valid_signature(secret: &str, byte_count: usize) -> bool {
    let authenticator = Authenticator::new(Store, Duration::from_secs(300));
    authenticator.warm_up(SystemTime::UNIX_EPOCH).await.unwrap();
    let body = vec![b' '; byte_count];
    let signatures = signed(secret, &body);
    authenticator.has_valid_signature(None, &signatures, &Unverified::new(body))
}

#[tokio::test]
async fn hashes_at_most_16_mib_to_find_the_secret_of_a_refused_request() {
    let mib = 1024 * 1024;
    assert!(has_valid_signature("sixteenth", mib).await);
    assert!(!has_valid_signature("seventeenth", mib).await);
    assert!(has_valid_signature("seventeenth", mib / 2).await);
    assert!(has_valid_signature("other-1", 17 * mib).await, "one secret is always tried");
}
