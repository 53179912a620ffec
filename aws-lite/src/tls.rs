//! TCP and TLS, and the root certificates that are trusted.

use crate::endpoint::is_in_aws_partition;
use crate::error::BoxError;
use crate::pool::{CONNECT_TIMEOUT, Connect};
use http::Uri;
use http::uri::Scheme;
use hyper::service::Service;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector as Tls;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{CipherSuite, ClientConfig, RootCertStore};

/// The delay before the addresses of the other IP version are tried in parallel. RFC 8305 recommends 250 ms and allows
/// 100 ms; all addresses share one second.
const FALLBACK_DELAY: Duration = Duration::from_millis(100);

/// What the subjects of Amazon's root certificates contain. Source: <https://www.amazontrust.com/repository/>.
const AMAZON_ROOTS: [&[u8]; 2] = [b"Amazon Root CA", b"Starfield Services Root"];

/// Connects over TCP, and over TLS for `https` URLs.
pub struct TlsConnector {
    tcp: TowerToHyperService<HttpConnector>,
    tls: Tls,
}

/// A CA bundle cannot be read, is empty, or has an invalid certificate.
#[derive(Debug, thiserror::Error)]
#[error("the CA bundle {} is not usable", .path.display())]
pub struct InvalidCaBundle {
    path: PathBuf,
    #[source]
    cause: BoxError,
}

/// A byte stream with or without TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl TlsConnector {
    /// Trusts the certificates in `ca_bundle`, a PEM file, and no others. Without one, it trusts Amazon's roots where all
    /// servers are AWS's: in a region of the partition `aws`, without custom endpoints. Otherwise it trusts the system's
    /// roots, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    ///
    /// # Errors
    /// If `ca_bundle` cannot be read, is empty, or has an invalid certificate.
    pub fn new(
        ca_bundle: Option<&Path>,
        region: &str,
        has_custom_endpoint: bool,
    ) -> Result<Self, InvalidCaBundle> {
        let roots = roots(ca_bundle, region, has_custom_endpoint)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_happy_eyeballs_timeout(Some(FALLBACK_DELAY));
        // Divided by the number of addresses, so that one that does not answer leaves time for the others.
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let tcp = TowerToHyperService::new(tcp);
        Ok(Self { tcp, tls: Arc::new(client_config(roots)).into() })
    }
}

impl Connect for TlsConnector {
    type Stream = Box<dyn Stream>;

    async fn connect(&self, url: &Uri) -> io::Result<Self::Stream> {
        let stream = self.tcp.call(url.clone()).await.map_err(io::Error::other)?.into_inner();
        if url.scheme() != Some(&Scheme::HTTPS) {
            return Ok(Box::new(stream));
        }
        // An IPv6 address is in brackets.
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(self.tls.connect(name, stream).await?))
    }
}

fn client_config(roots: RootCertStore) -> ClientConfig {
    let mut provider = ring::default_provider();
    // AES-128 first: Graviton2 and most x86 processors have instructions for its SHA-256, but not for the SHA-384 of
    // AES-256.
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    #[expect(clippy::expect_used, reason = "depends on nothing but the two crates")]
    let builder = builder
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions");
    builder.with_root_certificates(roots).with_no_client_auth()
}

fn roots(
    ca_bundle: Option<&Path>,
    region: &str,
    has_custom_endpoint: bool,
) -> Result<RootCertStore, InvalidCaBundle> {
    match ca_bundle {
        Some(path) => {
            roots_in(path).map_err(|cause| InvalidCaBundle { path: path.to_owned(), cause })
        }
        None if !has_custom_endpoint && is_in_aws_partition(region) => Ok(amazon_roots()),
        None => Ok(system_roots()),
    }
}

fn roots_in(path: &Path) -> Result<RootCertStore, BoxError> {
    let pem = std::fs::read(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err("it has no certificate".into());
    }
    Ok(roots)
}

fn amazon_roots() -> RootCertStore {
    let is_amazon = |subject: &[u8]| {
        let contains = |name: &&[u8]| subject.windows(name.len()).any(|part| part == *name);
        AMAZON_ROOTS.iter().any(contains)
    };
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter();
    RootCertStore::from_iter(roots.filter(|root| is_amazon(&root.subject)).cloned())
}

/// Invalid certificates are left out: the others may suffice.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

#[cfg(test)]
mod tests;
