//! Where the services are: at AWS's addresses for the region, or at addresses of one's own.
//!
//! The SDK finds an address by rules and a table of all regions, which it reads in when it is first asked: a tenth of a
//! cold start. In the `aws` partition there is nothing to find.

use aws_sdk_sqs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_smithy_runtime_api::box_error::BoxError;
use std::sync::OnceLock;

/// The words that the names of the regions of the `aws` partition begin with. Source:
/// <https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json>.
const AWS_PARTITION: [&str; 9] = ["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"];

/// `us-east-1`, but not `us-gov-east-1` nor `cn-north-1`. A region that is not known yet counts as elsewhere.
pub(super) fn is_in_aws_partition(region: &str) -> bool {
    let mut words = region.split('-');
    words
        .next()
        .is_some_and(|word| AWS_PARTITION.contains(&word))
        && words.count() == 2
}

/// The address of a service, without a slash at its end.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// What the host begins with.
    service: String,
    region: String,
    found: OnceLock<String>,
}

impl Address {
    /// Of a service.
    pub(super) fn of(service: &str, own: Option<&str>, region: &str) -> Self {
        let found = match own {
            Some(own) => Some(own.trim_end_matches('/').to_owned()),
            None if is_in_aws_partition(region) => {
                Some(format!("https://{service}.{region}.amazonaws.com"))
            }
            None => None,
        };
        Self {
            service: service.to_owned(),
            region: region.to_owned(),
            found: found.map_or_else(OnceLock::new, OnceLock::from),
        }
    }

    /// Of a bucket of S3. An address of one's own has no host name for each bucket.
    pub(super) fn of_bucket(bucket: &str, own: Option<&str>, region: &str) -> Self {
        let own = own.map(|own| format!("{}/{bucket}", own.trim_end_matches('/')));
        Self::of(&format!("{bucket}.s3"), own.as_deref(), region)
    }

    /// The address. Elsewhere than in the `aws` partition, it is beside that of SQS, for which the SDK's rules are asked.
    pub(super) async fn get(&self) -> Result<&str, BoxError> {
        if let Some(address) = self.found.get() {
            return Ok(address);
        }
        let params = Params::builder().region(&self.region).build()?;
        let sqs = DefaultResolver::new().resolve_endpoint(&params).await?;
        let place = sqs.url().strip_prefix("https://sqs.");
        let place = place.ok_or("SQS is somewhere else than other services")?;
        let address = format!("https://{}.{place}", self.service);
        Ok(self.found.get_or_init(|| address))
    }
}

#[cfg(test)]
mod tests;
