//! What encoders do that have no payload type for retransmissions (RFC 4588): they send again what was lost as it was, by the same source.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

use str0m::config::CryptoProvider;

use crate::{
    egress::reports::{self, Report},
    handshake::KeysOf,
    ingress::source,
    srtp::Srtp,
};

/// Datagrams that are kept: OBS keeps as many.
const KEPT: usize = 512;

pub(super) struct Repeater {
    keys: KeysOf,
    provider: Arc<CryptoProvider>,
    /// From the first report on.
    srtp: Option<Srtp>,
    sent: VecDeque<Vec<u8>>,
    again: Vec<(SocketAddr, Vec<u8>)>,
}

impl Repeater {
    pub(super) fn new(keys: KeysOf, provider: Arc<CryptoProvider>) -> Self {
        Self { keys, provider, srtp: None, sent: VecDeque::new(), again: Vec::new() }
    }

    /// Keeps what is sent.
    pub(super) fn keep(&mut self, datagram: &[u8]) {
        if source(datagram).is_some() {
            self.sent.truncate(KEPT - 1);
            self.sent.push_front(datagram.to_vec());
        }
    }

    /// Looks for what is asked for in a datagram that has come.
    pub(super) fn hear(&mut self, from: SocketAddr, datagram: &[u8]) {
        if !matches!(datagram.get(1), Some(192..=223)) {
            return;
        }
        if self.srtp.is_none() {
            self.srtp = self.keys.copy().and_then(|keys| Srtp::new(&self.provider, &keys));
        }
        let Some(compound) = self.srtp.as_mut().and_then(|srtp| srtp.open_reports(datagram)) else { return };
        for report in reports::read(&compound) {
            let Report::Missing { ssrc, seqs } = report else { continue };
            let is_it =
                |sent: &&Vec<u8>| source(sent) == Some(ssrc) && seqs.iter().any(|seq| sent[2..4] == seq.to_be_bytes());
            self.again.extend(self.sent.iter().filter(is_it).map(|sent| (from, sent.clone())));
        }
    }

    /// What is to be sent again, and where.
    pub(super) fn take_out(&mut self) -> impl Iterator<Item = (SocketAddr, Vec<u8>)> {
        self.again.drain(..)
    }
}
