//! TLS as `sslmode` wants it. libpq's `require` encrypts without asking whose certificate it is;
//! only `verify-ca` and `verify-full` do (and `require` with `sslrootcert`).

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{Config, Tls};
use crate::error::{Error, ErrorKind, Result};

/// Builds what tokio-postgres needs for TLS.
pub(crate) fn connector(config: &Config) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(ring::default_provider());
    let checks = match config.tls {
        Tls::Disable | Tls::Prefer | Tls::Require => Checks::Nothing,
        Tls::VerifyCa => Checks::Authority(verifier(config, &provider)?),
        Tls::VerifyFull => Checks::Everything(verifier(config, &provider)?),
    };
    let verifier = Verifier {
        checks,
        provider: provider.clone(),
    };
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Config, format!("TLS is not usable: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let client = match &config.own_certificate {
        Some((certificate, key)) => {
            let wrong = |reason: String| {
                let files = format!("{} and {}", certificate.display(), key.display());
                Error::new(ErrorKind::Config, format!("cannot use {files}: {reason}")).hint(
                    "sslcert and sslkey name files in PEM form; the key must not be encrypted.",
                )
            };
            let chain = CertificateDer::pem_file_iter(certificate)
                .and_then(Iterator::collect)
                .map_err(|error| wrong(error.to_string()))?;
            let key =
                PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(error.to_string()))?;
            client
                .with_client_auth_cert(chain, key)
                .map_err(|error| wrong(error.to_string()))?
        }
        None => client.with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(client))
}

fn verifier(config: &Config, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
    let wrong = |reason: String| {
        Error::new(
            ErrorKind::Config,
            format!("no certificates to verify the server with: {reason}"),
        )
        .hint("Name a file of trusted certificates with sslrootcert.")
    };
    let mut roots = RootCertStore::empty();
    match &config.root_certificates {
        Some(file) if file.as_os_str() != "system" => {
            let certificates: std::result::Result<Vec<_>, _> =
                CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
            let certificates =
                certificates.map_err(|error| wrong(format!("{}: {error}", file.display())))?;
            roots.add_parsable_certificates(certificates);
        }
        _ => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| wrong(error.to_string()))
}

#[derive(Debug)]
enum Checks {
    Nothing,
    Authority(Arc<WebPkiServerVerifier>),
    Everything(Arc<WebPkiServerVerifier>),
}

#[derive(Debug)]
struct Verifier {
    checks: Checks,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let (verifier, any_name) = match &self.checks {
            Checks::Nothing => return Ok(ServerCertVerified::assertion()),
            Checks::Authority(verifier) => (verifier, true),
            Checks::Everything(verifier) => (verifier, false),
        };
        match verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        ) {
            // The name is looked at last, after the chain has been found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if any_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
