//! The HTTP client for the relay's own URLs and for Labelbox.

use crate::error::Error;
use labelbox_relay::error::error_chain;
use reqwest::{Certificate, Client};
use std::time::Duration;
use tokio_rustls::rustls::crypto::ring;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The relay responds within 10 s, and API Gateway gives up after 30.
const TIMEOUT: Duration = Duration::from_secs(35);

/// Reads the file that `AWS_CA_BUNDLE`, or the profile's `ca_bundle`, names: certificates in PEM that take the place of the
/// system's.
pub fn read_ca_bundle(path: &str) -> Result<Vec<u8>, Error> {
    let invalid = |reason: String| Error::HttpClient(format!("AWS_CA_BUNDLE {path}: {reason}"));
    let pem = std::fs::read(path).map_err(|error| invalid(error.to_string()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(pem),
        Ok(_) => Err(invalid("it has no certificate".to_owned())),
        Err(error) => Err(invalid(error_chain(&error))),
    }
}

/// A client that goes through the proxy that the environment names, and follows no redirect: a signature is for one URL only.
pub fn client(ca_bundle: Option<&[u8]>) -> Result<Client, Error> {
    let error = |error: reqwest::Error| Error::HttpClient(error_chain(&error));
    // A second client finds the first one's choice.
    let _ = ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("relayctl/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT);
    if let Some(pem) = ca_bundle {
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(pem).map_err(error)?);
    }
    builder.build().map_err(error)
}
