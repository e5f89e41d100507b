//! Where the house's telephones are, kept over a restart. Those that registered by UDP: a connection ends with the server, and its
//! telephone sees that and comes back.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use conference::{Conference, Registration};
use sip::{Binding, Endpoint, PREFERRED, Source, Transport};
use tokio::sync::mpsc;

use crate::call::now_ms;

/// Accounts whose change may wait to be written. Of more at once some are written at their next registration.
const CHANGES_MAX: usize = 4_096;

/// Takes what changes to the database.
pub(crate) struct Registrations(mpsc::Sender<(String, Vec<Binding>)>);

impl Registrations {
    /// Ends when it is dropped.
    pub(crate) fn keep(conference: Conference) -> Self {
        let (sender, mut changes) = mpsc::channel::<(String, Vec<Binding>)>(CHANGES_MAX);
        tokio::spawn(async move {
            while let Some((account, bindings)) = changes.recv().await {
                let places: Vec<_> = bindings.iter().filter_map(place).collect();
                if let Err(error) = conference.keep_registrations(&account, &places).await {
                    tracing::warn!(%error, "a registration is not kept");
                }
            }
        });
        Self(sender)
    }

    pub(crate) fn note(&self, account: String, bindings: Vec<Binding>) {
        if self.0.try_send((account, bindings)).is_err() {
            tracing::warn!("a registration is not kept: too many at once");
        }
    }
}

fn place(binding: &Binding) -> Option<Registration> {
    let Source { transport: Transport::Udp, peer, local } = binding.way else { return None };
    let left = binding.expires.saturating_duration_since(Instant::now());
    let expires_ms = now_ms() + left.as_millis() as i64;
    Some(Registration { uri: binding.uri.clone(), peer, local, expires_ms, path: binding.path.clone() })
}

/// Those of before the start, by the socket they registered at or, where that is no more, another one.
pub(crate) async fn restore(endpoint: &mut Endpoint, conference: &Conference, ours: &[(Transport, SocketAddr)]) {
    let known = match conference.registrations().await {
        Ok(known) => known,
        Err(error) => return tracing::error!(%error, "where telephones are can't be read"),
    };
    let udp: Vec<_> =
        ours.iter().filter(|(transport, _)| *transport == Transport::Udp).map(|(_, local)| *local).collect();
    for (account, Registration { uri, peer, local, expires_ms, path }) in known {
        let other = || udp.iter().copied().find(|ours| ours.is_ipv4() == peer.is_ipv4());
        let Some(local) = udp.contains(&local).then_some(local).or_else(other) else { continue };
        let left_ms = u64::try_from(expires_ms.saturating_sub(now_ms())).unwrap_or(0);
        let expires = Instant::now() + Duration::from_millis(left_ms);
        let way = Source { transport: Transport::Udp, peer, local };
        // What it calls itself, and how much it is wanted, it says with its next registration, by the same Contact or not at all.
        endpoint
            .restore(&account, Binding { uri, way, expires, path, preference: PREFERRED, flow: None, newest: None });
    }
}
