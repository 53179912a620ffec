//! Endpoints beside those that the SDK resolves.

use super::*;
use aws_sdk_s3::config::endpoint as s3;
use aws_sdk_secretsmanager::config::endpoint as secretsmanager;
use aws_sdk_sqs::config::endpoint as sqs;

/// All regions in botocore's partitions.json of 2026, and one that does not exist.
const REGIONS: [&str; 47] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
    "xx-nowhere-1",
];

/// The URL that the rules of a service in the SDK give for a region.
macro_rules! resolve {
    ($service:ident, $params:expr) => {{
        let params = $params.build().unwrap();
        let resolver = $service::DefaultResolver::new();
        let resolved = $service::ResolveEndpoint::resolve_endpoint(&resolver, &params);
        resolved.await.unwrap().url().to_owned()
    }};
}

#[tokio::test]
async fn every_region_has_the_endpoints_that_the_sdk_resolves() {
    for region in REGIONS {
        let url = resolve!(sqs, sqs::Params::builder().region(region));
        assert_eq!(endpoint("sqs", region, None), url);
        let params = secretsmanager::Params::builder().region(region);
        let url = resolve!(secretsmanager, params);
        assert_eq!(endpoint("secretsmanager", region, None), url);
        let url = resolve!(s3, s3::Params::builder().region(region).bucket("bucket"));
        assert_eq!(endpoint("bucket.s3", region, None), url);
    }
}

#[test]
fn a_custom_endpoint_has_no_slash_at_its_end() {
    for custom in ["http://127.0.0.1:4566", "http://127.0.0.1:4566/"] {
        let url = endpoint("sqs", "cn-north-1", Some(custom));
        assert_eq!(url, "http://127.0.0.1:4566");
    }
}

#[test]
fn recognises_regions_of_the_aws_partition() {
    for region in ["us-east-1", "eu-central-2", "il-central-1", "mx-central-1"] {
        assert!(is_in_aws_partition(region), "{region}");
    }
    for region in [
        "cn-north-1",
        "us-gov-west-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "us-isof-south-1",
        "eu-isoe-west-1",
        "eusc-de-east-1",
    ] {
        assert!(!is_in_aws_partition(region), "{region}");
    }
}
