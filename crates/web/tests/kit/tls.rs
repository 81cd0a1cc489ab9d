//! TLS, with a certificate made for these tests (`tls/`, valid for a hundred years).

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use web::tls::server_config;
use web::{ClientAddr, Limits};

use crate::server::{Client, Server};

const CERTIFICATE: &[u8] = include_bytes!("tls/localhost.crt");
const KEY: &[u8] = include_bytes!("tls/localhost.key");
const OTHER_KEY: &[u8] = include_bytes!("tls/other.key");

async fn start(limits: Limits) -> Server {
    let router = Router::new().route("/", get(async |client: ClientAddr| client.0.to_string()));
    Server::with(
        router,
        limits,
        &[],
        Some(server_config(CERTIFICATE, KEY).unwrap()),
    )
    .await
}

async fn connect(
    server: &Server,
    version: &'static rustls::SupportedProtocolVersion,
) -> Client<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(CERTIFICATE).unwrap())
        .unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_protocol_versions(&[version])
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    Client::over(stream)
}

#[tokio::test]
async fn requests_are_served_over_both_versions() {
    let server = start(Limits::default()).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut client = connect(&server, version).await;
        for _ in 0..2 {
            client
                .send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .await;
            assert_eq!(client.answer().await.body, "127.0.0.1");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_handshake_has_a_time_limit() {
    let server = start(Limits {
        header_seconds: 1,
        ..Limits::default()
    })
    .await;
    let mut silent = server.client().await;
    silent.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn a_handshake_does_not_hold_up_the_end() {
    let server = start(Limits::default()).await;
    let mut silent = server.client().await;
    // Accepted before the second one is served, the silent connection is in its handshake by then.
    let mut client = connect(&server, &rustls::version::TLS13).await;
    client
        .send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 200);
    server.stop().await;
    silent.closed().await;
}

#[test]
fn a_key_that_does_not_fit_is_refused() {
    let error = |certificate, key| server_config(certificate, key).unwrap_err();
    assert!(error(CERTIFICATE, OTHER_KEY).contains("together"));
    assert!(error(b"", KEY).contains("no certificate"));
    assert!(error(KEY, KEY).contains("no certificate"));
    assert!(error(CERTIFICATE, b"").contains("no private key"));
    assert!(error(CERTIFICATE, CERTIFICATE).contains("no private key"));
    assert!(
        error(
            b"-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n",
            KEY
        )
        .contains("PEM")
    );
}
