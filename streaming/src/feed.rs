//! The media worker's end of a broadcast: packets and sound go in, and nothing here ever waits.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock, TryLockError},
    time::SystemTime,
};

use media::{Frame, MediaPacket, TrackKind};
use model::ParticipantId;
use tokio::sync::mpsc;

use crate::{
    Scene,
    captions::{SOUND_MAX, Sound},
};

/// Packets on their way to the studio. At six tiles of 150 packets a second it lasts half a second, at sixteen small ones of 60 as long, which outlives
/// a restart; more would only show older pictures after it. What doesn't fit is dropped and counted, and the studio
/// asks for a key frame.
const VIDEO_QUEUE: usize = 512;

/// Frames of sound on their way to the studio: half a second, for the same reason.
const PROGRAM_QUEUE: usize = 25;

/// Where a meeting's media worker puts what the audience sees and hears. Clones feed the same broadcast; what is fed
/// after its end is dropped.
#[derive(Clone)]
pub struct Feed {
    shown: Arc<RwLock<HashMap<(ParticipantId, TrackKind), u32>>>,
    video: mpsc::Sender<VideoPacket>,
    program: mpsc::Sender<Box<Frame>>,
    /// Where captions are made of it.
    captions: Option<mpsc::Sender<Sound>>,
}

impl Feed {
    /// How high a track is shown, in pixels; none for one that the scene doesn't show.
    #[must_use]
    pub fn height(&self, participant: ParticipantId, kind: TrackKind) -> Option<u32> {
        match self.shown.try_read() {
            Ok(shown) => shown.get(&(participant, kind)).copied(),
            // The scene is changing at this very moment: better a packet too many.
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => Some(0),
        }
    }

    /// A packet of a participant's track. Tracks that the scene doesn't show cost a look into a map and no more.
    pub fn video(&self, participant: ParticipantId, kind: TrackKind, packet: &MediaPacket) {
        if self.height(participant, kind).is_some()
            && self.video.try_send(VideoPacket { participant, kind, packet: packet.clone() }).is_err()
        {
            metrics::counter!("streaming_feed_dropped_total", "what" => "video").increment(1);
        }
    }

    /// The next 20 ms of all voices.
    pub fn program(&self, frame: &Frame) {
        if self.program.try_send(Box::new(*frame)).is_err() {
            metrics::counter!("streaming_feed_dropped_total", "what" => "program").increment(1);
        }
        if let Some(captions) = &self.captions
            && captions.try_send((SystemTime::now(), Box::new(*frame))).is_err()
        {
            metrics::counter!("streaming_feed_dropped_total", "what" => "captions").increment(1);
        }
    }

    /// `captions` are wanted of the sound as well.
    pub(crate) fn new(captions: bool) -> (Self, FeedQueues, Option<mpsc::Receiver<Sound>>) {
        let (video, video_queue) = mpsc::channel(VIDEO_QUEUE);
        let (program, program_queue) = mpsc::channel(PROGRAM_QUEUE);
        let (captions, sound) = captions.then(|| mpsc::channel(SOUND_MAX)).unzip();
        let feed = Self { shown: Arc::default(), video, program, captions };
        (feed, FeedQueues { video: video_queue, program: program_queue }, sound)
    }

    /// Only these tracks are let through from now on.
    pub(crate) fn show(&self, scene: &Scene) {
        let tracks = scene.tracks().map(|(participant, kind, height)| ((participant, kind), height)).collect();
        match self.shown.write() {
            Ok(mut shown) => *shown = tracks,
            Err(poisoned) => *poisoned.into_inner() = tracks,
        }
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Feed")
    }
}

pub(crate) struct VideoPacket {
    pub(crate) participant: ParticipantId,
    pub(crate) kind: TrackKind,
    pub(crate) packet: MediaPacket,
}

/// The broadcast's end of the feed.
pub(crate) struct FeedQueues {
    pub(crate) video: mpsc::Receiver<VideoPacket>,
    pub(crate) program: mpsc::Receiver<Box<Frame>>,
}

impl FeedQueues {
    /// Forgets what waits: pictures from before a restart would only delay the ones after it.
    pub(crate) fn clear(&mut self) {
        while self.video.try_recv().is_ok() {}
        while self.program.try_recv().is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use media::{Codec, SILENCE, VideoCodec};

    use super::*;
    use crate::{Tile, TileKind};

    fn packet() -> MediaPacket {
        let codec = Codec::Video(VideoCodec::Vp8);
        MediaPacket { codec, seq: 1, timestamp: 0, marker: true, level: None, payload: Arc::from([1, 2, 3]) }
    }

    fn scene(participant: ParticipantId, kind: TileKind) -> Scene {
        let tile = Tile { participant, name: "a".to_owned(), kind, speaking: false, phone: false };
        Scene { tiles: vec![tile], ..Scene::default() }
    }

    #[test]
    fn only_what_is_shown_goes_through() {
        let (feed, mut queues, _) = Feed::new(false);
        let who = ParticipantId::new(uuid::Uuid::from_u128(1));
        feed.video(who, TrackKind::Camera, &packet());
        assert!(queues.video.try_recv().is_err());
        feed.show(&scene(who, TileKind::Video(TrackKind::Camera)));
        feed.video(who, TrackKind::Screen, &packet());
        feed.video(who, TrackKind::Camera, &packet());
        assert_eq!(queues.video.try_recv().map(|packet| packet.kind).ok(), Some(TrackKind::Camera));
        assert!(queues.video.try_recv().is_err());
        feed.show(&scene(who, TileKind::Avatar));
        feed.video(who, TrackKind::Camera, &packet());
        assert!(queues.video.try_recv().is_err());
    }

    #[test]
    fn a_full_queue_drops_and_never_waits() {
        let (feed, mut queues, _) = Feed::new(false);
        let who = ParticipantId::new(uuid::Uuid::from_u128(1));
        feed.show(&scene(who, TileKind::Video(TrackKind::Camera)));
        for _ in 0..VIDEO_QUEUE * 2 {
            feed.video(who, TrackKind::Camera, &packet());
            feed.program(&SILENCE);
        }
        assert_eq!((queues.video.len(), queues.program.len()), (VIDEO_QUEUE, PROGRAM_QUEUE));
        queues.clear();
        assert_eq!((queues.video.len(), queues.program.len()), (0, 0));
        drop(queues);
        feed.program(&SILENCE);
    }
}
