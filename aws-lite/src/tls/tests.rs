//! Which servers are trusted, with certificates made for the test and a server on this machine; and which of several
//! addresses is used.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::error::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
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

/// A server with a certificate of this authority, which echoes a byte. Returns its URL.
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
        // A client that does not trust us hangs up.
        if let Ok(mut stream) = acceptor.accept(stream).await {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            stream.write_all(&byte).await.unwrap();
        }
    });
    format!("https://127.0.0.1:{port}").parse().unwrap()
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
        let connected = connector.connect(&server(authority).await).await;
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
        let url = server(&authority()).await;
        assert!(connector.connect(&url).await.is_err());
    }
}

#[tokio::test]
async fn looks_up_host_names_and_uses_no_tls_for_http() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("http://localhost:{port}").parse().unwrap();
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
    let paths = files.iter().map(|file| file.path());
    for path in paths.chain([Path::new("/nowhere/ca.pem")]) {
        let Err(error) = TlsConnector::new(Some(path), REGION, false) else {
            panic!("{}", path.display());
        };
        let expected = format!("the CA bundle {} is not usable", path.display());
        assert_eq!(error.to_string(), expected);
        let has_cause = error.source().is_some();
        assert_eq!(has_cause, path == Path::new("/nowhere/ca.pem") || path == files[2].path());
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

/// What an attempt to connect to an address does.
#[derive(Clone, Copy)]
enum Address {
    /// Never answers.
    Hangs,
    Refuses,
    /// Accepts after so many milliseconds.
    Accepts(u64),
}

/// The index of the address that is connected to, and after how many milliseconds.
async fn connected(addresses: &'static [Address]) -> (io::Result<usize>, u128) {
    let start = crate::pool::now();
    let at = |index: usize| SocketAddr::from(([192, 0, 2, 1], index.try_into().unwrap()));
    let all = (0..addresses.len()).map(at).collect();
    let result = connect_to_first(all, |address| async move {
        let index = address.port().into();
        match *addresses.get(index).unwrap() {
            Address::Hangs => std::future::pending().await,
            Address::Refuses => Err(io::ErrorKind::ConnectionRefused.into()),
            Address::Accepts(after) => {
                tokio::time::sleep(Duration::from_millis(after)).await;
                Ok(index)
            }
        }
    });
    let result = result.await;
    (result, start.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn an_address_that_does_not_answer_leaves_time_for_the_others() {
    use Address::{Accepts, Hangs, Refuses};
    let cases: [(&[Address], usize, u128); 6] = [
        (&[Accepts(5), Accepts(1)], 0, 5),
        (&[Refuses, Accepts(5)], 1, 5),
        (&[Hangs, Accepts(5)], 1, 105),
        (&[Hangs, Hangs, Hangs, Accepts(5)], 3, 305),
        // The one that was tried first may still be the first that answers.
        (&[Accepts(150), Hangs], 0, 150),
        (&[Accepts(700), Accepts(50)], 1, 150),
    ];
    for (addresses, index, milliseconds) in cases {
        let (result, elapsed) = connected(addresses).await;
        assert_eq!(result.unwrap(), index);
        // tokio's timer may be a millisecond late, twice.
        assert!((milliseconds..milliseconds + 5).contains(&elapsed), "{elapsed}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_address_that_accepts_the_last_error_is_returned() {
    let (result, _) = connected(&[Address::Refuses, Address::Refuses]).await;
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    let (result, _) = connected(&[]).await;
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::NotFound);
}
