//! The handshake (DTLS, RFC 5764): a subscriber's keys are ours and not the WebRTC library's, since it is we who send; a publisher's are
//! ours too, since it is we who ask for what is missing.
//!
//! The library takes its DTLS from a provider it is given. Ours is the library's own, but keeps back the keys of those
//! connections that ask for it: the library then neither sends nor receives anything by them, so that no number is ever
//! used twice with one key.

use std::{
    cell::RefCell,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use str0m::{
    config::{CryptoProvider, DtlsCert, DtlsVersion},
    crypto::{
        CryptoError,
        dtls::{DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion},
    },
};

use crate::srtp::Keys;

/// Where the keys of one handshake come when there are any.
#[derive(Clone, Default)]
pub(crate) struct KeysOf(Arc<Mutex<Option<Keys>>>);

impl KeysOf {
    pub(crate) fn take(&self) -> Option<Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The same, for who isn't the only one.
    pub(crate) fn copy(&self) -> Option<Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn put(&self, keys: Keys) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    }
}

impl fmt::Debug for KeysOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeysOf")
    }
}

thread_local! {
    /// For the handshake that is made next: the library makes it itself, in the call that makes a connection.
    static KEPT_FOR: RefCell<Option<(KeysOf, Kept)>> = const { RefCell::new(None) };
}

/// Who has the keys of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// We alone: the library neither sends nor receives anything by them, so that no number is ever used twice with one key.
    Alone,
    /// The library as well, which receives and reports by a source (SSRC) of its own: numbers count for each (RFC 7714 §9.1).
    Shared,
}

/// Makes a connection whose keys come out here.
pub(crate) fn keeping_keys<T>(kept: Kept, make: impl FnOnce() -> T) -> (T, KeysOf) {
    let keys = KeysOf::default();
    KEPT_FOR.set(Some((keys.clone(), kept)));
    let made = make();
    KEPT_FOR.set(None);
    (made, keys)
}

/// The library's own provider, but for the handshakes that [`keeping_keys`] is about.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider { dtls_provider: &Keeping, ..str0m::crypto::from_feature_flags() }
}

#[derive(Debug)]
struct Keeping;

impl DtlsProvider for Keeping {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        str0m::crypto::from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let inner = str0m::crypto::from_feature_flags().dtls_provider.new_dtls(certificate, now, version, mtu)?;
        Ok(match KEPT_FOR.take() {
            Some((keys, kept)) => Box::new(Handshake { inner, keys, kept, now }),
            None => inner,
        })
    }
}

#[derive(Debug)]
struct Handshake {
    inner: Box<dyn DtlsInstance>,
    keys: KeysOf,
    kept: Kept,
    now: Instant,
}

impl DtlsInstance for Handshake {
    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.inner.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.inner.poll_output(buf);
        let DtlsOutput::KeyingMaterial(material, profile) = &output else { return output };
        let is_client = self.inner.is_active();
        self.keys.put(Keys { profile: *profile, material: material.to_vec(), is_client });
        match self.kept {
            Kept::Shared => output,
            // Whatever else there is comes at once.
            Kept::Alone => DtlsOutput::Timeout(self.now),
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.now = now;
        self.inner.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.inner.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.inner.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.inner.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.inner.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.inner.close()
    }
}
