//! The endpoints of AWS services.

use crate::error::BoxError;
use http::Uri;

/// The DNS suffixes of the partitions other than `aws`, under the prefixes of their regions.
///
/// Source: <https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json>.
const OTHER_PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "amazonaws.com.cn"),
    ("us-gov-", "amazonaws.com"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eusc-", "amazonaws.eu"),
];

fn other_partition(region: &str) -> Option<&'static str> {
    let mut partitions = OTHER_PARTITIONS.iter();
    let (_, dns_suffix) = partitions.find(|(prefix, _)| region.starts_with(prefix))?;
    Some(dns_suffix)
}

/// Whether a region belongs to the partition `aws`. As in the SDKs, an unknown region does.
pub(crate) fn is_in_aws_partition(region: &str) -> bool {
    other_partition(region).is_none()
}

/// The URL of a service without a slash at its end. `host_prefix` is what precedes the region, such as `sqs`.
pub(crate) fn endpoint(host_prefix: &str, region: &str, custom: Option<&str>) -> String {
    match custom {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let dns_suffix = other_partition(region).unwrap_or("amazonaws.com");
            format!("https://{host_prefix}.{region}.{dns_suffix}")
        }
    }
}

/// The value of the `Host` header: with the port only where it is not the scheme's default.
pub(crate) fn host(uri: &Uri) -> Result<&str, BoxError> {
    let authority = uri.authority().ok_or("the URL has no host")?;
    let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    if authority.port_u16().is_none_or(|port| port == default_port) {
        Ok(authority.host())
    } else {
        Ok(authority.as_str())
    }
}

#[cfg(test)]
mod tests;
