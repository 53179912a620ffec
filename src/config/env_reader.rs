//! Reads and validates environment variables.

use super::QueueType;
use ipnet::IpNet;
use std::net::IpAddr;

/// Reads variables one by one and collects their errors. An invalid variable gets a placeholder; loading then fails, so it is
/// never used.
pub(super) struct EnvReader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    /// Each error with the name of its variable.
    errors: Vec<(String, String)>,
}

impl<'a> EnvReader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, errors: Vec::new() }
    }

    /// Returns the errors, each with the name of its variable.
    pub(super) fn into_errors(self) -> Vec<String> {
        let errors = self.errors.into_iter();
        errors.map(|(name, error)| format!("{name} {error}")).collect()
    }

    /// Reads a variable that is set and not blank: `template.yaml` passes an empty parameter as an empty string.
    pub(super) fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.add_error(name, "is missing");
            String::new()
        })
    }

    pub(super) fn number<N>(&mut self, name: &str, default: N, least: N, most: N) -> N
    where
        N: Copy + PartialOrd + std::fmt::Display + std::str::FromStr,
    {
        let Some(text) = self.optional(name) else {
            return default;
        };
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.unwrap_or_else(|| {
            self.add_error(name, &format!("must be a whole number from {least} to {most}"));
            default
        })
    }

    /// Reads one of several words, in any case.
    pub(super) fn one_of<T: Copy>(&mut self, name: &str, default: T, choices: &[(&str, T)]) -> T {
        let Some(text) = self.optional(name) else {
            return default;
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| text.eq_ignore_ascii_case(word))
        {
            return *choice;
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        self.add_error(name, &format!("must be one of: {}", words.join(", ")));
        default
    }

    pub(super) fn queue_url(&mut self, name: &str, queue_type: QueueType) -> String {
        let url = self.required(name);
        if url.is_empty() {
            return url;
        }
        if !is_http_url(&url) {
            self.add_error(name, "must be the URL of a queue");
        } else if !self.has_error("QUEUE_TYPE")
            && url.ends_with(".fifo") != (queue_type == QueueType::Fifo)
        {
            self.add_error(name, "must be a queue of the type in QUEUE_TYPE");
        }
        url
    }

    pub(super) fn networks(&mut self, name: &str) -> Vec<IpNet> {
        let texts = self.list(name);
        let networks: Vec<_> = texts.iter().filter_map(|text| network(text)).collect();
        // A list of only commas is an error: it must not allow every address.
        let is_empty = texts.is_empty() && self.optional(name).is_some();
        if is_empty || networks.len() < texts.len() {
            self.add_error(name, "must be a comma-separated list of networks such as 192.0.2.0/24");
        }
        networks
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let text = self.optional(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// Reads a namespace of CloudWatch metrics. Source:
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Namespace>.
    pub(super) fn namespace(&mut self, name: &str, default: &str) -> String {
        let Some(namespace) = self.optional(name) else {
            return default.to_owned();
        };
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#:".contains(&byte);
        let is_namespace = namespace.len() <= 255
            && namespace.bytes().all(is_allowed)
            && !namespace.starts_with(':')
            && !namespace.starts_with("AWS/");
        if !is_namespace {
            self.add_error(name, "must be a namespace for metrics, such as LabelboxRelay/mine");
        }
        namespace
    }

    /// Reads a custom endpoint of a service.
    pub(super) fn endpoint(&mut self, name: &str) -> Option<String> {
        let url = self.optional(name)?;
        if !is_http_url(&url) {
            self.add_error(name, "must be a URL");
        }
        Some(url)
    }

    /// Rejects a variable of the AWS SDKs that the relay does not honour, unless it is `false`.
    pub(super) fn reject(&mut self, name: &str) {
        let value = self.optional(name);
        if value.is_some_and(|value| !value.eq_ignore_ascii_case("false")) {
            self.add_error(name, "is not supported: the relay connects directly to the default endpoints, or to those in AWS_ENDPOINT_URL");
        }
    }

    fn has_error(&self, name: &str) -> bool {
        self.errors.iter().any(|(known, _)| known == name)
    }

    fn add_error(&mut self, name: &str, error: &str) {
        self.errors.push((name.to_owned(), error.to_owned()));
    }
}

fn is_http_url(text: &str) -> bool {
    ["https://", "http://"]
        .iter()
        .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}

/// Parses a network or a single address. IPv4-mapped IPv6 addresses (RFC 4291, section 2.5.5.2) become IPv4 addresses, as
/// [`super::SourceAllowlist::allows`] does with those of requests.
fn network(text: &str) -> Option<IpNet> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    let mapped_prefix_bits = 96;
    match (network.addr().to_canonical(), network.prefix_len()) {
        (IpAddr::V4(address), bits) if network.max_prefix_len() == 128 => {
            let bits = bits.checked_sub(mapped_prefix_bits)?;
            IpNet::new(address.into(), bits).ok()
        }
        _ => Some(network),
    }
}
