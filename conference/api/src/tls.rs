//! The certificate the server shows, for HTTPS and for SIP over TLS: the operator's, looked after while it is renewed, or one of the
//! server's own, made once and kept, for browsers give no camera without TLS.

use std::{
    fs, io,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign,
};

/// How often it is looked whether the files are others: two questions to the file system.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The files.
    #[error("cannot keep the certificate in the data directory: {0}")]
    File(#[from] io::Error),
    /// Making it.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// What is in the files is none.
    #[error("the certificate in {file} can't be used: {reason}")]
    Use {
        /// Which.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}

impl CertificateError {
    fn bad(file: &Path) -> impl Fn(&dyn std::fmt::Display) -> Self {
        move |reason| Self::Use { file: file.to_owned(), reason: reason.to_string() }
    }
}

/// What the server shows at its TLS ports: the same wherever it is cloned to.
#[derive(Debug, Clone)]
pub struct Certificate(Arc<Shown>);

#[derive(Debug)]
struct Shown {
    chain: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<sign::CertifiedKey>>,
}

impl Certificate {
    /// The operator's: the chain, his own first, and its key, both PEM.
    pub fn of_files(chain: &Path, key: &Path) -> Result<Self, CertificateError> {
        let current = RwLock::new(read(chain, key)?);
        Ok(Self(Arc::new(Shown { chain: chain.to_owned(), key: key.to_owned(), current })))
    }

    /// The one in the data directory, made there where there is none.
    pub fn own(folder: &Path, announced: &[IpAddr]) -> Result<Self, CertificateError> {
        let (chain, key) = (folder.join("web-certificate.pem"), folder.join("web-key.pem"));
        if !chain.exists() || !key.exists() {
            let mut names = vec!["localhost".to_owned()];
            names.extend(announced.iter().map(ToString::to_string));
            let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            io::Write::write_all(&mut options.open(&key)?, signing_key.serialize_pem().as_bytes())?;
            fs::write(&chain, cert.pem())?;
        }
        Self::of_files(&chain, &key)
    }

    /// Looks after the files for as long as the process lives: what replaces them is shown to whoever connects from then on. What can't
    /// be used replaces nothing.
    pub fn keep_fresh(&self) {
        let shown = Arc::clone(&self.0);
        tokio::spawn(async move {
            let mut known = shown.changed();
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let found = shown.changed();
                if found == known {
                    continue;
                }
                known = found;
                match read(&shown.chain, &shown.key) {
                    Ok(certified) => {
                        *shown.current.write().unwrap_or_else(PoisonError::into_inner) = certified;
                        tracing::info!(file = %shown.chain.display(), "the new certificate is shown");
                    }
                    // Half of them is there, perhaps: the other half changes them again.
                    Err(error) => tracing::warn!(%error, "the certificate was changed; the one before is shown"),
                }
            }
        });
    }

    /// For a listener that speaks to anybody.
    #[must_use]
    pub fn server_config(&self) -> ServerConfig {
        ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::clone(&self.0) as _)
    }

    /// For a listener that speaks to nobody but who has a certificate by one of the authorities in this file (PEM).
    pub fn server_config_for(&self, authority: &Path) -> Result<ServerConfig, CertificateError> {
        let bad = CertificateError::bad(authority);
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authority).map_err(|error| bad(&error))? {
            let certificate = certificate.map_err(|error| bad(&error))?;
            roots.add(certificate).map_err(|error| bad(&error))?;
        }
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().map_err(|error| bad(&error))?;
        Ok(ServerConfig::builder().with_client_cert_verifier(verifier).with_cert_resolver(Arc::clone(&self.0) as _))
    }
}

impl Shown {
    /// When each file was written last; a renewal may be a link to another file.
    fn changed(&self) -> [Option<SystemTime>; 2] {
        [&self.chain, &self.key].map(|file| fs::metadata(file).and_then(|data| data.modified()).ok())
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<sign::CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(chain: &Path, key: &Path) -> Result<Arc<sign::CertifiedKey>, CertificateError> {
    let (bad_chain, bad_key) = (CertificateError::bad(chain), CertificateError::bad(key));
    let certificates = CertificateDer::pem_file_iter(chain).map_err(|error| bad_chain(&error))?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|error| bad_chain(&error))?;
    if certificates.is_empty() {
        return Err(bad_chain(&"there is none"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| bad_key(&error))?;
    let private = any_supported_type(&private).map_err(|error| bad_key(&error))?;
    let certified = sign::CertifiedKey::new(certificates, private);
    certified.keys_match().map_err(|error| bad_key(&error))?;
    Ok(Arc::new(certified))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_with_another_ones_key_is_refused() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&one, &other] {
            Certificate::own(folder.path(), &[]).unwrap();
        }
        let (chain, key) = (one.path().join("web-certificate.pem"), other.path().join("web-key.pem"));
        let error = Certificate::of_files(&chain, &key).unwrap_err().to_string();
        assert!(error.contains("web-key.pem"), "{error}");
        let none = Certificate::of_files(&key, &key).unwrap_err().to_string();
        assert!(none.contains("there is none"), "{none}");
        assert!(Certificate::own(one.path(), &[]).unwrap().server_config_for(&key).is_err(), "no authority in there");
    }
}
