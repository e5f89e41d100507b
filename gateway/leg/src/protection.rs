//! What encrypts a leg's packets: nothing, keys of the description, or keys that a handshake brings. Where there is to be one, nothing
//! is sent or believed before.

use std::{net::SocketAddr, time::Instant};

use crate::{
    Keying,
    dtls::{Association, DtlsSettings, Proven},
    latch::Latch,
    srtp::{Receiver, Sender, SrtpKeys},
};

/// Where one stream's peer is, as the description has him, and what it says of keys.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    pub(crate) remote: SocketAddr,
    pub(crate) srtp: Option<&'a Keying>,
    pub(crate) rtcp_mux: bool,
    /// Where the peer wants RTCP.
    pub(crate) rtcp: Option<SocketAddr>,
}

/// What came of a datagram of a handshake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Greeted {
    Stranger,
    Nonsense,
    GoesOn,
    /// There are keys.
    Keyed,
}

/// Why a datagram of RTCP is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Stranger,
    Forged,
}

/// RTP, or RTCP where it has a port of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// And RTCP, where both share its port (RFC 5761).
    Rtp,
    /// A port of its own, so a handshake of its own (RFC 5764 §4.1.3).
    Rtcp,
}

/// Keys of both directions.
struct Contexts(Sender, Receiver);

impl Contexts {
    fn new(keys: &SrtpKeys) -> Self {
        Self(Sender::new(keys.suite, &keys.ours, keys.our_mki), Receiver::new(keys.suite, &keys.theirs, keys.their_mki))
    }
}

/// Of one socket.
#[derive(Default)]
struct Part {
    contexts: Option<Contexts>,
    dtls: Option<Association>,
    /// Where the peer has proven to be.
    peer: Option<SocketAddr>,
}

impl Part {
    fn agree(&mut self, settings: &DtlsSettings, remote: Option<SocketAddr>, moved: bool, now: Instant) {
        match &mut self.dtls {
            Some(dtls) if dtls.settings() == settings => {
                if moved {
                    dtls.expect_again();
                }
            }
            // What there was is good until the new one stands (RFC 8842 §5.5).
            Some(_) => self.dtls = Some(Association::new(settings, remote, now)),
            None => *self = Self { dtls: Some(Association::new(settings, remote, now)), ..Self::default() },
        }
    }
}

pub(crate) struct Protection {
    /// Encrypted, with keys or while there are none yet.
    wanted: bool,
    mux: bool,
    rtp: Part,
    rtcp: Part,
}

impl Protection {
    pub(crate) fn new(way: Way<'_>, now: Instant) -> Self {
        let mut protection = Self { wanted: false, mux: true, rtp: Part::default(), rtcp: Part::default() };
        protection.agree(way, true, now);
        protection
    }

    /// After a re-INVITE. The same keys go on counting: begun anew they would be used twice.
    pub(crate) fn change(&mut self, before: Way<'_>, way: Way<'_>, now: Instant) {
        let is_the_same = way.srtp == before.srtp && way.rtcp_mux == before.rtcp_mux;
        let moved = way.remote != before.remote;
        if !is_the_same || moved && matches!(way.srtp, Some(Keying::Dtls(_))) {
            self.agree(way, moved, now);
        }
    }

    fn agree(&mut self, way: Way<'_>, moved: bool, now: Instant) {
        self.wanted = way.srtp.is_some();
        self.mux = way.rtcp_mux;
        match way.srtp {
            None => (self.rtp, self.rtcp) = (Part::default(), Part::default()),
            Some(Keying::Sdes(keys)) => {
                self.rtp = Part { contexts: Some(Contexts::new(keys)), ..Part::default() };
                self.rtcp = Part::default();
            }
            Some(Keying::Dtls(settings)) => {
                let known = |address: &SocketAddr| !address.ip().is_unspecified();
                self.rtp.agree(settings, Some(way.remote).filter(known), moved, now);
                if way.rtcp_mux {
                    self.rtcp = Part::default();
                } else {
                    self.rtcp.agree(settings, way.rtcp.filter(known), moved, now);
                }
            }
        }
    }

    fn part(&mut self, component: Component) -> &mut Part {
        match component {
            Component::Rtp => &mut self.rtp,
            Component::Rtcp => &mut self.rtcp,
        }
    }

    /// Who encrypts RTCP: with keys of the description one set is for both.
    fn of_rtcp(&mut self) -> &mut Part {
        if self.mux || self.rtcp.dtls.is_none() { &mut self.rtp } else { &mut self.rtcp }
    }

    /// What is sent from now on is another stream, with numbers of its own.
    pub(crate) fn begin_stream(&mut self) {
        for part in [&mut self.rtp, &mut self.rtcp] {
            if let Some(Contexts(sender, _)) = &mut part.contexts {
                sender.begin_stream();
            }
        }
    }

    pub(crate) fn may_send(&self) -> bool {
        !self.wanted || self.rtp.contexts.is_some()
    }

    pub(crate) fn may_send_rtcp(&mut self) -> bool {
        !self.wanted || self.of_rtcp().contexts.is_some()
    }

    /// Where RTCP goes, where its peer has proven to be elsewhere than was said.
    pub(crate) fn rtcp_peer(&self) -> Option<SocketAddr> {
        self.rtcp.peer
    }

    pub(crate) fn open<'a>(&mut self, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        match &mut self.rtp.contexts {
            Some(Contexts(_, receiver)) => receiver.open(datagram),
            None => (!self.wanted).then_some(&*datagram),
        }
    }

    /// Takes a datagram of RTCP: only where it comes from the same address as the media.
    pub(crate) fn take_rtcp<'a>(
        &mut self,
        latch: &Latch,
        from: SocketAddr,
        datagram: &'a mut [u8],
    ) -> Result<&'a [u8], Refused> {
        if from.ip() != latch.remote().ip() {
            return Err(Refused::Stranger);
        }
        self.open_rtcp(datagram).ok_or(Refused::Forged)
    }

    fn open_rtcp<'a>(&mut self, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        let wanted = self.wanted;
        match &mut self.of_rtcp().contexts {
            Some(Contexts(_, receiver)) => receiver.open_rtcp(datagram),
            None => (!wanted).then_some(&*datagram),
        }
    }

    /// A packet from `start` to the end.
    pub(crate) fn protect(&mut self, out: &mut Vec<u8>, start: usize) {
        if let Some(Contexts(sender, _)) = &mut self.rtp.contexts {
            sender.protect(out, start);
        }
    }

    /// See [`Self::protect`].
    pub(crate) fn protect_rtcp(&mut self, out: &mut Vec<u8>, start: usize) {
        if let Some(Contexts(sender, _)) = &mut self.of_rtcp().contexts {
            sender.protect_rtcp(out, start);
        }
    }

    /// Takes a datagram of a handshake: only from where media would be believed, or might be in a moment.
    pub(crate) fn greet(
        &mut self,
        latch: &mut Latch,
        rtcp: Option<SocketAddr>,
        component: Component,
        from: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Greeted {
        let remote = latch.remote();
        let (named, near) = match component {
            Component::Rtp => (from == remote, latch.may_learn(from, now)),
            Component::Rtcp => (rtcp == Some(from), from.ip() == remote.ip()),
        };
        if !near && !self.knows(component, from) {
            return Greeted::Stranger;
        }
        match self.shake_hands(component, (from, named), datagram, now) {
            Ok(None) => Greeted::GoesOn,
            Ok(Some(from)) => {
                if component == Component::Rtp {
                    latch.prove(from);
                }
                Greeted::Keyed
            }
            Err(()) => Greeted::Nonsense,
        }
    }

    /// A handshake with this source goes on.
    fn knows(&self, component: Component, from: SocketAddr) -> bool {
        let part = match component {
            Component::Rtp => &self.rtp,
            Component::Rtcp => &self.rtcp,
        };
        part.dtls.as_ref().is_some_and(|dtls| dtls.knows(from))
    }

    /// Takes a datagram of a handshake from where the peer may be; `named`: from where the description has him. Where he has proven to
    /// be, once he has; an error is a datagram that means nothing here.
    fn shake_hands(
        &mut self,
        component: Component,
        (from, named): (SocketAddr, bool),
        datagram: &[u8],
        now: Instant,
    ) -> Result<Option<SocketAddr>, ()> {
        let part = self.part(component);
        let Some(Proven { from, keys }) = part.dtls.as_mut().ok_or(())?.handle(from, named, datagram, now)? else {
            return Ok(None);
        };
        part.contexts = Some(Contexts::new(&keys));
        part.peer = Some(from);
        Ok(Some(from))
    }

    /// Appends what a handshake wants sent, and says by which socket and where.
    pub(crate) fn poll(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<(Component, SocketAddr)> {
        for component in [Component::Rtp, Component::Rtcp] {
            let dtls = self.part(component).dtls.as_mut();
            if let Some((to, datagram)) = dtls.and_then(|dtls| dtls.poll(now)) {
                out.extend_from_slice(&datagram);
                return Some((component, to));
            }
        }
        None
    }
}
