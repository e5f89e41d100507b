//! A certificate of the server's own, made once and kept: browsers give no camera without TLS.

use std::{fs, io, net::IpAddr, os::unix::fs::OpenOptionsExt, path::Path};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

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
    #[error("the certificate in the data directory can't be used: {0}")]
    Use(String),
}

/// The certificate in the data directory, made there where there is none.
pub fn own_certificate(folder: &Path, announced: &[IpAddr]) -> Result<rustls::ServerConfig, CertificateError> {
    let (certificate_file, key_file) = (folder.join("web-certificate.pem"), folder.join("web-key.pem"));
    if !certificate_file.exists() || !key_file.exists() {
        let mut names = vec!["localhost".to_owned()];
        names.extend(announced.iter().map(ToString::to_string));
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        io::Write::write_all(&mut options.open(&key_file)?, signing_key.serialize_pem().as_bytes())?;
        fs::write(&certificate_file, cert.pem())?;
    }
    let bad = |error: &dyn std::fmt::Display| CertificateError::Use(error.to_string());
    let certificate = CertificateDer::from_pem_file(&certificate_file).map_err(|error| bad(&error))?;
    let key = PrivateKeyDer::from_pem_file(&key_file).map_err(|error| bad(&error))?;
    rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(|error| bad(&error))
}
