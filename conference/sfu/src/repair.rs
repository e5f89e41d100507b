//! Asks a publisher for what is missing of his pictures, by a source of our own beside the library's.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use str0m::{config::CryptoProvider, rtp::Ssrc};

use crate::{
    Outbox, Remote,
    egress::reports,
    handshake::KeysOf,
    missing::{Missing, Request},
    srtp::Reports,
};

/// Packets that one report asks for: each may take four bytes, and a report is one datagram.
const ASKED_AT_ONCE: usize = 256;

pub(crate) struct Repair {
    keys: KeysOf,
    provider: Arc<CryptoProvider>,
    /// From the first request on.
    reports: Option<Reports>,
    missing: Missing,
    /// Whose requests they are.
    ssrc: u32,
    /// Which of our addresses, and which of his, the datagram came by that is looked at, and the latest that was his.
    comes_by: Option<(SocketAddr, Remote)>,
    route: Option<(SocketAddr, Remote)>,
}

impl Repair {
    pub(crate) fn new(keys: KeysOf, provider: Arc<CryptoProvider>) -> Self {
        let (missing, ssrc) = (Missing::default(), *Ssrc::new());
        Self { keys, provider, reports: None, missing, ssrc, comes_by: None, route: None }
    }

    /// The next datagram comes by this way, whosever it is.
    pub(crate) fn comes_by(&mut self, ours: SocketAddr, his: Remote) {
        self.comes_by = Some((ours, his));
    }

    /// It was a packet of his.
    pub(crate) fn came(&mut self, ssrc: u32, seq: u64, now: Instant) {
        self.route = self.comes_by;
        self.missing.came(ssrc, seq, now);
    }

    /// It was a packet of his that nobody is sent: what is missing before it is not worth his line.
    pub(crate) fn passed_by(&mut self, ssrc: u32) {
        self.missing.forget(ssrc);
    }

    /// When there is something to ask for.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.missing.next()
    }

    pub(crate) fn ask(&mut self, now: Instant, out: &mut Outbox) {
        let requests = self.missing.ask(now);
        let Some((ours, his)) = self.route.filter(|_| !requests.is_empty()) else { return };
        if self.reports.is_none() {
            self.reports = self.keys.copy().and_then(|keys| Reports::new(&self.provider, &keys));
        }
        let Some(sealer) = &mut self.reports else { return };
        for Request { ssrc, seqs } in requests {
            for seqs in seqs.chunks(ASKED_AT_ONCE) {
                if let Some(report) = sealer.protect(&reports::write_missing(self.ssrc, ssrc, seqs)) {
                    out.push(ours, his, &report);
                }
            }
        }
    }
}
