//! The HTTP client for what is not AWS's own API: the relay's address, and Labelbox.

use crate::trouble::Trouble;
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio_rustls::rustls::crypto::ring;

const CONNECT_TIME_LIMIT: Duration = Duration::from_secs(5);
/// The relay's slowest answer comes within 10 s, and API Gateway gives up after 30.
const TIME_LIMIT: Duration = Duration::from_secs(35);

/// A client with the machine's root certificates, which follows no redirect: a signature is for one address only.
///
/// # Errors
/// When the machine has no usable root certificates.
pub fn client() -> Result<Client, Trouble> {
    // A second client finds the first one's choice.
    let _ = ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("relayctl/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIME_LIMIT)
        .timeout(TIME_LIMIT)
        .dns_resolver(Arc::new(Names));
    client.build().map_err(|error| Trouble::NoHttp(labelbox_relay::error::error_chain(&error)))
}

/// Names under `localhost` are this machine, whatever its resolver makes of them, as RFC 6761 wants it.
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str();
            if is_local(name) {
                let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
                return Ok(Box::new(std::iter::once(local)) as Addrs);
            }
            let found: Vec<_> = lookup_host((name, 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_under_localhost_are_local() {
        for name in ["localhost", "api.execute-api.localhost", "a.LOCALHOST."] {
            assert!(is_local(name), "{name}");
        }
        for name in ["localhost.example.com", "notlocalhost", "example.com"] {
            assert!(!is_local(name), "{name}");
        }
    }
}
