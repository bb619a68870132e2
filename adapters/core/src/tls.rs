//! TLS as `sslmode` wants it. libpq's `require` encrypts without asking whose certificate it is;
//! only `verify-ca` and `verify-full` do (and `require` with `sslrootcert`).

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, InconsistentKeys, RootCertStore,
    SignatureScheme,
};
use tokio_postgres::config::ChannelBinding;
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
        // Channel binding is worth nothing unless the server shows that the certificate is its own.
        bound: config.server.get_channel_binding() == ChannelBinding::Require,
        provider: provider.clone(),
    };
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Config, format!("TLS is not usable: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut client = match &config.own_certificate {
        Some((certificate, key)) if config.tls != Tls::Disable => {
            let own = own_certificate(certificate, key, &provider)?;
            client.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)))
        }
        _ => client.with_no_client_auth(),
    };
    // A server takes a handshake without the usual request before it (sslnegotiation=direct) only with this.
    client.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(MakeRustlsConnect::new(client))
}

fn own_certificate(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey> {
    let wrong = |reason: String| {
        let files = format!("{} and {}", certificate.display(), key.display());
        Error::new(ErrorKind::Config, format!("cannot use {files}: {reason}"))
            .hint("sslcert and sslkey name files in PEM form; the key must not be encrypted.")
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(error.to_string()))?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| wrong(error.to_string()))?;
    let own = CertifiedKey::new(chain, key);
    match own.keys_match() {
        Err(error @ rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(wrong(error.to_string()))
        }
        // Other errors are about the form of the certificate, which is the server's to judge.
        _ => Ok(own),
    }
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
    bound: bool,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// rustls reads no certificates of X.509 version 1, which the recipe in PostgreSQL's manual makes. Where
    /// nobody asks whose the certificate is, whether it is the server's own need not be asked either.
    fn takes_anything(&self, certificate: &CertificateDer<'_>) -> bool {
        matches!(self.checks, Checks::Nothing)
            && !self.bound
            && ParsedCertificate::try_from(certificate).is_err()
    }
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
        if self.takes_anything(cert) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        if self.takes_anything(cert) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of version 1, as the recipe in PostgreSQL's manual makes it.
    const OLD: &str = "-----BEGIN CERTIFICATE-----\n\
MIIBFzCBvQIUJUNxZtuTcTQCbEtNb6i89jr05eswCgYIKoZIzj0EAwIwDTELMAkG\n\
A1UEAwwCdjEwIBcNMjYxMTI2MjAxNjM4WhgPMjEyNjExMDIyMDE2MzhaMA0xCzAJ\n\
BgNVBAMMAnYxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEB6EAGeRoDks2TD+d\n\
VVVLEUjO8gOZWOe2/aoXlmXjX9+hwa1xeKfzLkTyosrYHED0I+tM+rwtqeuFsHj8\n\
qVWDKDAKBggqhkjOPQQDAgNJADBGAiEApYixVSkB+on6O8/1M0/FNydnbNv3OyMS\n\
pQPMukuLMzkCIQCFkwyJ074w/oQpNMKv3WIGGy67Po93YZ8YqXO+xBJ6Pw==\n\
-----END CERTIFICATE-----\n";

    #[test]
    fn a_certificate_of_version_1_will_do_where_nobody_asks_whose_it_is() {
        let old = CertificateDer::from_pem_slice(OLD.as_bytes()).expect("it is PEM");
        let provider = Arc::new(ring::default_provider());
        let takes = |bound| {
            let (checks, provider) = (Checks::Nothing, provider.clone());
            let verifier = Verifier {
                checks,
                bound,
                provider,
            };
            verifier.takes_anything(&old)
        };
        assert!(takes(false));
        assert!(!takes(true));
    }
}
