//! Reading variables: each by its name, with a default or without, within its bounds.

use super::QueueType;
use ipnet::IpNet;
use std::net::IpAddr;

/// Reads variables one by one and remembers what was wrong with them. What is wrong gets a stand-in value that nobody
/// sees, because loading then fails.
pub(super) struct Variables<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl<'a> Variables<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            problems: Vec::new(),
        }
    }

    /// Everything that was wrong, each with its variable's name.
    pub(super) fn into_problems(self) -> Vec<String> {
        self.problems
    }

    /// A variable that is set and not blank; CloudFormation can only set an empty one, not leave it out.
    pub(super) fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problem(name, "is missing");
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
        let number = text
            .parse()
            .ok()
            .filter(|number| (least..=most).contains(number));
        number.unwrap_or_else(|| {
            self.problem(
                name,
                &format!("must be a whole number from {least} to {most}"),
            );
            default
        })
    }

    /// One of some words, in any case.
    pub(super) fn one_of<T: Copy>(&mut self, name: &str, default: T, choices: &[(&str, T)]) -> T {
        let Some(text) = self.optional(name) else {
            return default;
        };
        if let Some((_, choice)) = choices
            .iter()
            .find(|(word, _)| text.eq_ignore_ascii_case(word))
        {
            return *choice;
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        self.problem(name, &format!("must be one of: {}", words.join(", ")));
        default
    }

    pub(super) fn queue_url(&mut self, name: &str, queue_type: QueueType) -> String {
        let url = self.required(name);
        if url.is_empty() {
            return url;
        }
        if !url.starts_with("https://") && !url.starts_with("http://") {
            self.problem(name, "must be the URL of a queue");
        } else if url.ends_with(".fifo") != (queue_type == QueueType::Fifo) {
            self.problem(name, "must be a queue of the kind that QUEUE_TYPE says");
        }
        url
    }

    pub(super) fn networks(&mut self, name: &str) -> Vec<IpNet> {
        let texts = self.list(name);
        let networks: Vec<_> = texts.iter().filter_map(|text| network(text)).collect();
        if networks.len() < texts.len() {
            self.problem(
                name,
                "must be a comma-separated list of networks such as 192.0.2.0/24",
            );
        }
        networks
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let text = self.optional(name).unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn problem(&mut self, name: &str, problem: &str) {
        self.problems.push(format!("{name} {problem}"));
    }
}

/// A network, or a single address.
fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
