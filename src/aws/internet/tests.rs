//! Whom we believe, with certificates made for the test and a server on this machine.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::config::offline;
use crate::error::error_chain;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

type Authority = CertifiedIssuer<'static, KeyPair>;

/// The settings of a function, with a bundle and an address of SQS of one's own.
fn settings(ca_bundle: Option<&Path>, sqs: Option<&str>) -> AwsSettings {
    AwsSettings {
        ca_bundle: ca_bundle.map(Path::to_owned),
        sqs_endpoint: sqs.map(str::to_owned),
        ..offline().aws
    }
}

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

/// A server with a certificate of this authority; it sends back what it gets. Returns its address.
async fn server(authority: &Authority) -> Uri {
    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let parameters = CertificateParams::new(names).unwrap();
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
        // Whoever does not believe us hangs up.
        if let Ok(mut stream) = acceptor.accept(stream).await {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            stream.write_all(&byte).await.unwrap();
        }
    });
    format!("https://127.0.0.1:{port}").parse().unwrap()
}

#[tokio::test]
async fn only_a_server_of_the_bundles_authority_is_believed() {
    let (ours, other) = (authority(), authority());
    let both = bundle(&format!("{}{}", other.pem(), ours.pem()));
    let ours_alone = bundle(&ours.pem());
    for (bundle, authority, is_believed) in [
        (&both, &ours, true),
        (&ours_alone, &ours, true),
        (&ours_alone, &other, false),
    ] {
        let internet = Internet::new(&settings(Some(bundle.path()), None)).unwrap();
        let dialled = internet.dial(&server(authority).await).await;
        assert_eq!(dialled.is_ok(), is_believed);
        let Ok(mut stream) = dialled else { continue };
        stream.write_all(b"x").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
    }
}

#[tokio::test]
async fn a_host_is_found_by_its_name_and_plain_http_has_no_tls() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = format!("http://localhost:{port}").parse().unwrap();
    let internet = Internet::new(&settings(None, None)).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"x").await.unwrap();
    });
    let mut stream = internet.dial(&address).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
}

#[tokio::test]
async fn without_a_bundle_a_stranger_is_not_believed() {
    for own in [None, Some("https://localhost")] {
        let internet = Internet::new(&settings(None, own)).unwrap();
        assert!(internet.dial(&server(&authority()).await).await.is_err());
    }
}

#[test]
fn a_bundle_without_certificates_is_a_failed_start() {
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let files = [bundle(""), bundle("no certificate"), bundle(garbage)];
    let paths = files.iter().map(|file| file.path());
    for path in paths.chain([Path::new("/nowhere/ca.pem")]) {
        let error = Internet::new(&settings(Some(path), None)).unwrap_err();
        let text = error_chain(&error);
        let beginning = format!("AWS_CA_BUNDLE names {}, ", path.display());
        assert!(text.starts_with(&beginning), "{text}");
    }
}

#[test]
fn amazons_roots_do_where_only_aws_can_be_at_the_other_end() {
    let believed = |region: &str, sqs: Option<&str>| {
        let settings = AwsSettings {
            region: region.to_owned(),
            ..settings(None, sqs)
        };
        roots(&settings).unwrap().roots
    };
    let (amazons, machines) = (amazons_roots().roots, the_machines_roots().roots);
    assert_eq!(believed("eu-west-1", None), amazons);
    assert_eq!(believed("eu-west-1", Some("https://sqs.local")), machines);
    assert_eq!(believed("cn-north-1", None), machines);
    assert_ne!(amazons, machines);
}

#[test]
fn the_cheapest_cipher_is_offered_first() {
    let config = client_config(amazons_roots());
    let first = config.crypto_provider().cipher_suites.first().unwrap();
    assert_eq!(first.suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
}

/// Amazon Root CA 1 to 4 and Starfield Services Root Certificate Authority - G2, by Amazon's page.
#[test]
fn amazons_roots_are_five() {
    assert_eq!(amazons_roots().len(), 5);
}
