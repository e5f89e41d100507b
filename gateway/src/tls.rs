//! Encrypted signalling (RFC 3261 §26.3): whom we believe at the other end.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

/// Somebody we connect to: his certificate must be of this name.
#[derive(Clone)]
pub(crate) struct TlsPeer {
    pub(crate) name: ServerName<'static>,
    pub(crate) config: Arc<ClientConfig>,
}

impl TlsPeer {
    /// Reads files. Whoever has a certificate of that name by one of the system's authorities, or by the one in the file. `ours` is what we show
    /// where he asks, a chain and its key.
    pub(crate) fn new(host: &str, authority: Option<&Path>, ours: Option<&(PathBuf, PathBuf)>) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        match authority {
            Some(path) => {
                let all = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
                for certificate in all {
                    roots.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
                }
            }
            None => {
                // What the system has that can't be read is not believed.
                let (_known, _unknown) =
                    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let config = ClientConfig::builder().with_root_certificates(roots);
        let config = match ours {
            Some((chain, key)) => {
                let chain = CertificateDer::pem_file_iter(chain).map_err(|error| error.to_string())?;
                let chain = chain.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
                let key = PrivateKeyDer::from_pem_file(key).map_err(|error| error.to_string())?;
                config.with_client_auth_cert(chain, key).map_err(|error| error.to_string())?
            }
            None => config.with_no_client_auth(),
        };
        Ok(Self { name, config: Arc::new(config) })
    }
}
