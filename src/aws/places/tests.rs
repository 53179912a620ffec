//! Addresses, beside those that the SDK's own rules give.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use aws_sdk_secretsmanager::config::endpoint as secretsmanager;

const IN_AWS: [&str; 5] = [
    "us-east-1",
    "eu-central-2",
    "ap-southeast-5",
    "il-central-1",
    "mx-central-1",
];
const ELSEWHERE: [&str; 5] = [
    "cn-north-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "eu-isoe-west-1",
    "eusc-de-east-1",
];

#[test]
fn the_aws_partition_is_told_from_others() {
    assert!(IN_AWS.iter().all(|region| is_in_aws_partition(region)));
    assert!(!ELSEWHERE.iter().any(|region| is_in_aws_partition(region)));
    assert!(!is_in_aws_partition("us") && !is_in_aws_partition(""));
}

#[test]
fn nothing_has_to_be_looked_up_in_the_aws_partition() {
    let is_found = |region: &&str| Address::of("sqs", None, region).found.get().is_some();
    assert!(IN_AWS.iter().all(is_found));
    assert!(!ELSEWHERE.iter().any(is_found));
}

#[tokio::test]
async fn a_service_is_where_the_rules_of_the_sdk_have_it() {
    for region in IN_AWS.into_iter().chain(ELSEWHERE) {
        let sqs = Params::builder().region(region).build().unwrap();
        let sqs = DefaultResolver::new().resolve_endpoint(&sqs).await.unwrap();
        assert_eq!(
            Address::of("sqs", None, region).get().await.unwrap(),
            sqs.url()
        );
        let params = secretsmanager::Params::builder().region(region);
        let rules = secretsmanager::DefaultResolver::new();
        let params = params.build().unwrap();
        let secrets = secretsmanager::ResolveEndpoint::resolve_endpoint(&rules, &params);
        let address = Address::of("secretsmanager", None, region);
        assert_eq!(address.get().await.unwrap(), secrets.await.unwrap().url());
    }
}

#[tokio::test]
async fn a_bucket_has_a_host_name_of_its_own_at_aws() {
    for (own, region, expected) in [
        (None, "us-east-1", "https://b.s3.us-east-1.amazonaws.com"),
        (
            None,
            "cn-north-1",
            "https://b.s3.cn-north-1.amazonaws.com.cn",
        ),
        (
            None,
            "us-gov-west-1",
            "https://b.s3.us-gov-west-1.amazonaws.com",
        ),
        (
            Some("http://127.0.0.1:4566/"),
            "us-east-1",
            "http://127.0.0.1:4566/b",
        ),
    ] {
        let address = Address::of_bucket("b", own, region);
        // The second time from memory.
        for _ in 0..2 {
            assert_eq!(address.get().await.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn an_address_of_ones_own_is_taken_as_it_is() {
    for own in ["http://127.0.0.1:4566", "http://127.0.0.1:4566/"] {
        let address = Address::of("sqs", Some(own), "cn-north-1");
        assert_eq!(address.get().await.unwrap(), "http://127.0.0.1:4566");
    }
}
