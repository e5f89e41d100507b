//! The pictures of room systems: a pair of sockets beside their sound's, read once a tick at their meeting's turn. What comes is their
//! camera track, as a browser's is; what goes there is in `room/composed`.

use std::{
    net::{SocketAddr, UdpSocket},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use leg::{Component, KeyframeAsked, PictureLeg, PicturePiece, PictureSettings, PictureStats, Sends};
use media::{MediaPacket, Ssrc, TrackKind};
use model::ParticipantId;
use sfu::{Layer, Sfu};

use crate::{
    LegFact, LegId, LegMedia, PlaneError,
    command::LegCommand,
    legs::{Legs, count, read},
    ports::RtpSockets,
    receiver::Receiver,
    room::Room,
};

/// Datagrams read in a tick: 25 Mbit/s of full ones. More would let one flood hold its worker up; fewer would spread key frames over many
/// ticks.
const BUDGET: usize = 64;

/// Room in the kernel for what comes within a tick: a key frame at 1080p.
const KERNEL_BUFFER_BYTES: usize = 1 << 20;

/// Every how many ticks RTCP is read that has a port of its own.
const RTCP_TICKS: u64 = 10;

/// Of one leg.
pub(crate) struct Pictures {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// None until offer and answer have met.
    leg: Option<PictureLeg>,
    /// What came before was meant for nobody.
    started: Instant,
    /// What comes next is another stream, which its sockets have had others before.
    renewed: bool,
}

/// What has come.
pub(crate) enum Came {
    Packet(MediaPacket),
    /// What comes from now on is another stream.
    Renewed,
}

impl Pictures {
    pub(crate) fn new(sockets: RtpSockets, now: Instant) -> Self {
        let RtpSockets { rtp, rtcp, .. } = sockets;
        // With less room some of a large picture may be lost, and is asked for anew.
        let _ = socket2::SockRef::from(&rtp).set_recv_buffer_size(KERNEL_BUFFER_BYTES);
        Self { rtp, rtcp, leg: None, started: now, renewed: false }
    }

    /// As was agreed on now; none where there are to be none. The times of the call are counted from `epoch`.
    pub(crate) fn set(&mut self, settings: Option<PictureSettings>, epoch: Instant, now: Instant) {
        match (settings, &mut self.leg) {
            (None, leg) => *leg = None,
            (Some(settings), Some(leg)) => leg.reconfigure(settings, now),
            (Some(settings), None) => {
                self.leg = Some(PictureLeg::new(settings, Ssrc(rand::random()), epoch, now));
                (self.started, self.renewed) = (now, true);
            }
        }
    }

    /// He needs one, by his signalling.
    pub(crate) fn keyframe_wanted(&mut self) {
        self.leg.iter_mut().for_each(PictureLeg::keyframe_wanted);
    }

    pub(crate) fn stats(&self) -> Option<PictureStats> {
        self.leg.as_ref().map(PictureLeg::stats)
    }

    fn read(&mut self, receiver: &mut Receiver, with_rtcp: bool, out: &mut Vec<u8>, mut take: impl FnMut(Came)) {
        let Self { rtp, rtcp, leg: Some(leg), started, renewed } = self else { return };
        if std::mem::take(renewed) {
            take(Came::Renewed);
        }
        read(receiver, rtp, BUDGET, |from, datagram, at| {
            let packet = (at >= *started).then(|| leg.handle_rtp(from, datagram, at)).flatten();
            if leg.take_renewed() {
                take(Came::Renewed);
            }
            if let Some(packet) = packet {
                take(Came::Packet(packet));
            }
        });
        if with_rtcp {
            read(receiver, rtcp, BUDGET, |from, datagram, at| leg.handle_rtcp(from, datagram, at));
        }
        let now = receiver.now();
        let send = |out: &mut Vec<u8>, (component, to): (Component, SocketAddr)| {
            let from = if component == Component::Rtp { &*rtp } else { &*rtcp };
            count(&from.send_to(out, to));
            out.clear();
        };
        out.clear();
        while let Some(to) = leg.poll_dtls(now, out) {
            send(out, to);
        }
        if let Some(to) = leg.poll_rtcp(now, out) {
            send(out, to);
        }
    }
}

impl Legs {
    /// Reads what has come of a leg's pictures.
    pub(crate) fn pull_pictures(&mut self, id: LegId, take: impl FnMut(Came)) {
        let with_rtcp = (self.ticks + id.0).is_multiple_of(RTCP_TICKS);
        let Some(pictures) = self.slots.get_mut(&id).and_then(|slot| slot.pictures.as_mut()) else { return };
        let (receiver, out) = (&mut self.receiver, &mut self.out);
        if catch_unwind(AssertUnwindSafe(|| pictures.read(receiver, with_rtcp, out, take))).is_err() {
            self.broken.push(id);
        }
    }

    /// What a leg's peer is to be sent of pictures, where anything.
    pub(crate) fn sends_pictures(&mut self, id: LegId) -> Option<Sends> {
        let now = self.receiver.now();
        self.slots.get_mut(&id)?.pictures.as_mut()?.leg.as_mut()?.sends(now)
    }

    /// It needs a key frame of that.
    pub(crate) fn wants_keyframe(&self, id: LegId) -> bool {
        let pictures = self.slots.get(&id).and_then(|slot| slot.pictures.as_ref());
        pictures.and_then(|pictures| pictures.leg.as_ref()).is_some_and(PictureLeg::wants_keyframe)
    }

    /// Sends it a packet.
    pub(crate) fn send_picture(&mut self, id: LegId, piece: &PicturePiece) {
        let Some(pictures) = self.slots.get_mut(&id).and_then(|slot| slot.pictures.as_mut()) else { return };
        let Some(leg) = &mut pictures.leg else { return };
        self.out.clear();
        if let Some(to) = leg.send(piece, &mut self.out) {
            count(&pictures.rtp.send_to(&self.out, to));
        }
    }

    /// True when whoever sends a leg's pictures is asked now, or there are none.
    pub(crate) fn request_keyframe(&mut self, id: LegId, now: Instant) -> bool {
        let Some(slot) = self.slots.get_mut(&id) else { return true };
        let Some(leg) = slot.pictures.as_mut().and_then(|pictures| pictures.leg.as_mut()) else { return true };
        match leg.request_keyframe(now) {
            KeyframeAsked::Now => true,
            KeyframeAsked::BySignalling => {
                slot.tell(LegFact::KeyframeWanted);
                true
            }
            KeyframeAsked::Later => false,
        }
    }
}

impl Room {
    /// Takes what has come of these legs' pictures, and sends it on.
    pub(crate) fn pull_pictures(
        &mut self,
        of: &[(ParticipantId, LegId)],
        legs: &mut Legs,
        sfu: &mut Sfu,
        now: Instant,
    ) {
        for (participant, leg) in of {
            let wait = legs.get(*leg).and_then(|slot| slot.leg.as_ref()?.longest_wait());
            self.members.get_mut(participant).into_iter().for_each(|member| member.wait = wait);
            legs.pull_pictures(*leg, |came| match came {
                Came::Packet(packet) => {
                    self.media(*participant, (TrackKind::Camera, Layer::default()), packet.into(), now);
                }
                Came::Renewed => self.renew_camera(*participant, sfu),
            });
        }
        if !of.is_empty() {
            self.forward(sfu, now);
        }
    }
}

impl LegMedia {
    /// Allocates a port for pictures beside that of sound, where there is none yet: announced address and port. They are taken from
    /// [`Self::set_pictures`] on.
    pub async fn open_pictures(&self) -> Result<SocketAddr, PlaneError> {
        if let Some(local) = self.pictures.get() {
            return Ok(*local);
        }
        let sockets = self.plane.allocate_beside(self.local)?;
        let local = SocketAddr::new(self.local.ip(), sockets.port);
        if self.pictures.set(local).is_err() {
            // Somebody else was as quick: his is the one.
            self.plane.release_port(local);
            return self.pictures.get().copied().ok_or(PlaneError::WorkerGone);
        }
        self.send_unhurried(LegCommand::OpenPictures { sockets }).await?;
        Ok(local)
    }

    /// What was agreed on about pictures; none where there are none, or none any more.
    pub async fn set_pictures(&self, settings: Option<PictureSettings>) -> Result<(), PlaneError> {
        // Nobody knows of them where no port was opened.
        if self.pictures.get().is_none() {
            return Ok(());
        }
        self.send_unhurried(LegCommand::SetPictures { settings: settings.map(Box::new) }).await
    }
}
