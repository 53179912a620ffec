//! TCP and TLS to AWS, and whom we believe there.

use super::connections::Dial;
use super::places::is_in_aws_partition;
use crate::config::AwsSettings;
use hyper::Uri;
use hyper::http::uri::Scheme;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{CipherSuite, ClientConfig, RootCertStore};

/// What the subjects of the roots of Amazon's own certificates contain. Source:
/// <https://www.amazontrust.com/repository/>.
const AMAZONS_ROOTS: [&[u8]; 2] = [b"Amazon Root CA", b"Starfield Services Root"];

/// The way to AWS.
#[derive(Debug)]
pub struct Internet {
    tls: Arc<ClientConfig>,
    /// Names are looked up one after the other: a lookup takes a thread, and one thread costs less than two.
    lookups: Mutex<()>,
}

/// The certificates of `AWS_CA_BUNDLE` cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("AWS_CA_BUNDLE names {}, and that holds no certificate that can be read", .path.display())]
pub struct UnusableCaBundle {
    path: PathBuf,
    #[source]
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A stream with or without TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Internet {
    /// Believes the certificates of `AWS_CA_BUNDLE` where that is set, and nobody else; else Amazon's own roots, where
    /// only AWS can be at the other end, and all that the machine believes elsewhere.
    ///
    /// # Errors
    /// When `AWS_CA_BUNDLE` names no file with certificates.
    pub fn new(settings: &AwsSettings) -> Result<Self, UnusableCaBundle> {
        Ok(Self {
            tls: Arc::new(client_config(roots(settings)?)),
            lookups: Mutex::default(),
        })
    }

    async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let _turn = self.lookups.lock().await;
        Ok(lookup_host((host, port)).await?.collect())
    }
}

impl Dial for Internet {
    type Stream = Box<dyn Stream>;

    async fn dial(&self, address: &Uri) -> io::Result<Self::Stream> {
        let is_tls = address.scheme() == Some(&Scheme::HTTPS);
        // An IPv6 address is in brackets.
        let host = address.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = address.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = TcpStream::connect(&*self.look_up(host, port).await?).await?;
        stream.set_nodelay(true)?;
        if !is_tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let tls = TlsConnector::from(Arc::clone(&self.tls));
        Ok(Box::new(tls.connect(name, stream).await?))
    }
}

fn client_config(roots: RootCertStore) -> ClientConfig {
    let mut provider = ring::default_provider();
    // AES-128 first, as AWS itself has it: its SHA-256 has instructions of its own, the SHA-384 of AES-256 has not.
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    // ring has what TLS 1.2 and 1.3 need; were that to change, no test could connect.
    #[expect(clippy::expect_used, reason = "depends on nothing but the two crates")]
    let builder = builder
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions");
    builder.with_root_certificates(roots).with_no_client_auth()
}

fn roots(settings: &AwsSettings) -> Result<RootCertStore, UnusableCaBundle> {
    match &settings.ca_bundle {
        Some(path) => roots_in(path),
        None if settings.is_all_at_aws() && is_in_aws_partition(&settings.region) => {
            Ok(amazons_roots())
        }
        None => Ok(the_machines_roots()),
    }
}

fn roots_in(path: &Path) -> Result<RootCertStore, UnusableCaBundle> {
    let unusable = |cause| UnusableCaBundle {
        path: path.to_owned(),
        cause,
    };
    let pem = std::fs::read(path).map_err(|error| unusable(Some(error.into())))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| unusable(Some(error.into())))?;
        roots
            .add(certificate)
            .map_err(|error| unusable(Some(error.into())))?;
    }
    if roots.is_empty() {
        return Err(unusable(None));
    }
    Ok(roots)
}

fn amazons_roots() -> RootCertStore {
    let is_amazons = |subject: &[u8]| {
        let contains = |name: &&[u8]| subject.windows(name.len()).any(|part| part == *name);
        AMAZONS_ROOTS.iter().any(contains)
    };
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter();
    RootCertStore::from_iter(roots.filter(|root| is_amazons(&root.subject)).cloned())
}

/// Certificates that cannot be read are left out: the others may do.
fn the_machines_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

#[cfg(test)]
mod tests;
