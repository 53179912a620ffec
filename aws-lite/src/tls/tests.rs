//! Which servers are trusted, with certificates made for the test and a server on this machine.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::error::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

type Authority = CertifiedIssuer<'static, KeyPair>;

const REGION: &str = "eu-west-1";

fn authority() -> Authority {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

fn bundle(content: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

/// A server with a certificate of this authority for this host, which echoes a byte. Returns its URL.
async fn server(authority: &Authority, host: &str) -> Uri {
    let key = KeyPair::generate().unwrap();
    let name = host.trim_matches(['[', ']']).to_owned();
    let parameters = CertificateParams::new([name]).unwrap();
    let certificate = parameters.signed_by(&key, authority).unwrap();
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that does not trust us hangs up.
        if let Ok(mut stream) = acceptor.accept(stream).await {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            stream.write_all(&byte).await.unwrap();
        }
    });
    format!("https://{host}:{port}").parse().unwrap()
}

#[tokio::test]
async fn trusts_only_the_authorities_in_the_bundle() {
    let (ours, other) = (authority(), authority());
    let both = bundle(&format!("{}{}", other.pem(), ours.pem()));
    let ours_alone = bundle(&ours.pem());
    for (bundle, authority, is_trusted) in
        [(&both, &ours, true), (&ours_alone, &ours, true), (&ours_alone, &other, false)]
    {
        let connector = TlsConnector::new(Some(bundle.path()), REGION, false).unwrap();
        let connected = connector.connect(&server(authority, "127.0.0.1").await).await;
        assert_eq!(connected.is_ok(), is_trusted);
        let Ok(mut stream) = connected else { continue };
        stream.write_all(b"x").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
    }
}

#[tokio::test]
async fn without_a_bundle_an_unknown_authority_is_not_trusted() {
    for has_custom_endpoint in [false, true] {
        let connector = TlsConnector::new(None, REGION, has_custom_endpoint).unwrap();
        let url = server(&authority(), "127.0.0.1").await;
        assert!(connector.connect(&url).await.is_err());
    }
}

#[tokio::test]
async fn connects_to_host_names_and_addresses() {
    let authority = authority();
    let bundle = bundle(&authority.pem());
    let connector = TlsConnector::new(Some(bundle.path()), REGION, false).unwrap();
    for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"] {
        let connected = connector.connect(&server(&authority, host).await).await;
        assert!(connected.is_ok(), "{host}: {:?}", connected.err());
    }
}

#[tokio::test]
async fn an_error_has_its_cause() {
    // Bound, but not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap()).parse().unwrap();
    let connector = TlsConnector::new(None, REGION, false).unwrap();
    let error = connector.connect(&url).await.err().unwrap();
    let cause: Option<&io::Error> = error.source().and_then(|cause| cause.downcast_ref());
    assert_eq!(cause.unwrap().kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn sends_small_packets_without_delay() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let connector = TlsConnector::new(None, REGION, false).unwrap();
    let stream = connector.tcp.call(url).await.unwrap().into_inner();
    assert!(stream.nodelay().unwrap());
}

#[tokio::test]
async fn uses_no_tls_for_http() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}").parse().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"x").await.unwrap();
    });
    let connector = TlsConnector::new(None, REGION, false).unwrap();
    let mut stream = connector.connect(&url).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
}

#[test]
fn a_bundle_without_valid_certificates_is_an_error() {
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let files = [bundle(""), bundle("no certificate"), bundle(garbage)];
    let [empty, no_certificate, garbage] = files.each_ref().map(|file| file.path());
    for (path, is_empty) in [
        (empty, true),
        (no_certificate, true),
        (garbage, false),
        (Path::new("/nowhere/ca.pem"), false),
    ] {
        let error = TlsConnector::new(Some(path), REGION, false).err().unwrap();
        let expected = format!("the CA bundle {} is not usable", path.display());
        assert_eq!(error.to_string(), expected);
        let cause = error.source().unwrap().to_string();
        assert_eq!(cause == "it has no certificate", is_empty, "{cause}");
    }
}

#[test]
fn trusts_only_amazons_roots_where_all_servers_are_aws() {
    let trusted = |region, is_custom| roots(None, region, is_custom).unwrap().roots;
    let (amazon, system) = (amazon_roots().roots, system_roots().roots);
    assert_eq!(trusted("eu-west-1", false), amazon);
    assert_eq!(trusted("eu-west-1", true), system);
    assert_eq!(trusted("cn-north-1", false), system);
    assert_ne!(amazon, system);
}

/// Amazon Root CA 1 to 4 and Starfield Services Root Certificate Authority - G2, by Amazon's page.
#[test]
fn amazon_has_five_roots() {
    assert_eq!(amazon_roots().len(), 5);
}

#[test]
fn offers_the_cheapest_cipher_first() {
    let config = client_config(amazon_roots());
    let first = config.crypto_provider().cipher_suites.first().unwrap();
    assert_eq!(first.suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
}
