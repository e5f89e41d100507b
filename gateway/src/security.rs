//! How one call's sound is encrypted: what we bring to it, and what was agreed on last.

use std::sync::Arc;

use plane::{
    CertificateFingerprint, CertificateHash, DtlsIdentity, DtlsSettings, Keying, Plane, SrtpKey, SrtpKeys, SrtpMki,
    SrtpSuite,
};
use sip::sdp::{Agreed, Crypto, Dtls, Fingerprint, Hash, Mki, Protection, Suite};
use sipconf::Encryption;

/// Of one call.
pub(crate) struct Security {
    /// Our master key and salt: the same all call long.
    key: [u8; 30],
    /// The same of pictures: no key is of two streams.
    video_key: [u8; 30],
    identity: Arc<DtlsIdentity>,
    fingerprint: Fingerprint,
    /// As an offer of ours is to have it.
    encryption: Encryption,
    /// Whoever configured this call wants it encrypted, whatever comes of it.
    is_required: bool,
    /// Who began the handshake there was.
    was_active: Option<bool>,
    /// Of pictures.
    video_was_active: Option<bool>,
}

impl Security {
    pub(crate) fn new(plane: &Plane, encryption: Encryption) -> Self {
        let identity = Arc::clone(plane.identity());
        let fingerprint = Fingerprint { hash: Hash::Sha256, digest: identity.fingerprint().to_vec() };
        let is_required = encryption != Encryption::None;
        let (key, video_key) = (rand::random(), rand::random());
        let (was_active, video_was_active) = (None, None);
        Self { key, video_key, identity, fingerprint, encryption, is_required, was_active, video_was_active }
    }

    /// For an offer of ours, and for what is answered to it.
    pub(crate) fn offered(&self) -> Protection<'_> {
        match self.encryption {
            Encryption::None => Protection::None,
            Encryption::Sdes => Protection::Sdes(&self.key),
            Encryption::Dtls => Protection::Dtls(&self.fingerprint),
        }
    }

    /// Puts our part into what was offered to us.
    pub(crate) fn join(&self, agreed: &mut Agreed) {
        agreed.secure(self.key);
        agreed.certify(&self.fingerprint, self.was_active);
        self.join_video(agreed);
    }

    /// The same of pictures, in what is answered to us too.
    pub(crate) fn join_video(&self, agreed: &mut Agreed) {
        if let Some(video) = &mut agreed.video {
            video.secure(self.video_key);
            video.certify(&self.fingerprint, self.video_was_active);
        }
    }

    /// What was to be encrypted is not made plain by whoever is on the way.
    pub(crate) fn refuses(&self, agreed: &Agreed) -> bool {
        self.is_required && agreed.crypto.is_none() && agreed.dtls.is_none()
    }

    /// The call goes on with this.
    pub(crate) fn agreed(&mut self, agreed: &Agreed) {
        self.was_active = agreed.dtls.as_ref().map(|dtls| dtls.active);
        self.video_was_active = agreed.video.as_ref().and_then(|video| Some(video.dtls.as_ref()?.active));
        self.encryption = match (&agreed.dtls, &agreed.crypto) {
            (Some(_), _) => Encryption::Dtls,
            (None, Some(_)) => Encryption::Sdes,
            (None, None) => Encryption::None,
        };
    }

    /// Where the leg has its keys from.
    pub(crate) fn keying(&self, agreed: &Agreed) -> Option<Keying> {
        self.keying_of(agreed.dtls.as_ref(), agreed.crypto.as_ref())
    }

    /// The same of one stream.
    pub(crate) fn keying_of(&self, dtls: Option<&Dtls>, crypto: Option<&Crypto>) -> Option<Keying> {
        match (dtls, crypto) {
            (Some(dtls), _) => Some(Keying::Dtls(self.settings(dtls))),
            (None, Some(crypto)) => keys(crypto).map(Keying::Sdes),
            (None, None) => None,
        }
    }

    fn settings(&self, dtls: &Dtls) -> DtlsSettings {
        DtlsSettings {
            identity: Arc::clone(&self.identity),
            theirs: dtls.theirs.iter().map(fingerprint).collect(),
            active: dtls.active,
            tls_id: dtls.tls_id.clone(),
        }
    }
}

fn keys(crypto: &Crypto) -> Option<SrtpKeys> {
    let suite = match crypto.suite {
        Suite::AesCm128HmacSha1Tag80 => SrtpSuite::AesCm128HmacSha1Tag80,
        Suite::AesCm128HmacSha1Tag32 => SrtpSuite::AesCm128HmacSha1Tag32,
    };
    let mki = |Mki { value, bytes }| SrtpMki { value, bytes };
    let keys = SrtpKeys::new(suite, SrtpKey(crypto.ours?), SrtpKey(crypto.theirs));
    Some(SrtpKeys { our_mki: crypto.our_mki.map(mki), their_mki: crypto.their_mki.map(mki), ..keys })
}

fn fingerprint(theirs: &Fingerprint) -> CertificateFingerprint {
    let hash = match theirs.hash {
        Hash::Sha1 => CertificateHash::Sha1,
        Hash::Sha224 => CertificateHash::Sha224,
        Hash::Sha256 => CertificateHash::Sha256,
        Hash::Sha384 => CertificateHash::Sha384,
        Hash::Sha512 => CertificateHash::Sha512,
    };
    CertificateFingerprint { hash, digest: theirs.digest.clone() }
}
