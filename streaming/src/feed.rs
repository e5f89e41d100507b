//! The media worker's end of a broadcast: packets and sound go in, and nothing here ever waits.

use std::{
    collections::HashMap,
    sync::{
        Arc, RwLock, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use media::{Frame, MediaPacket, TrackKind};
use model::ParticipantId;
use tokio::sync::mpsc;

use crate::{
    Scene,
    captions::{SOUND_MAX, Sound},
    tracks::{VOICES_QUEUE, Voices},
    wire::Track,
};

/// Packets on their way to the studio. At six tiles of 150 packets a second it lasts half a second, at sixteen small ones of 60 as long, which outlives
/// a restart; more would only show older pictures after it. What doesn't fit is dropped and counted, and the studio
/// asks for a key frame.
const VIDEO_QUEUE: usize = 512;

/// Frames of sound on their way to the studio: half a second, for the same reason.
const PROGRAM_QUEUE: usize = 25;

/// Wishes for key frames on their way to the studio: one of each size. More would be the same.
const WISHES_QUEUE: usize = 2;

/// Where a meeting's media worker puts what the audience sees and hears. Clones feed the same broadcast; what is fed
/// after its end is dropped.
#[derive(Clone)]
pub struct Feed {
    shown: Arc<RwLock<HashMap<(ParticipantId, TrackKind), u32>>>,
    video: mpsc::Sender<VideoPacket>,
    program: mpsc::Sender<Box<Frame>>,
    wishes: mpsc::Sender<Track>,
    /// Where captions are made of it.
    captions: Option<mpsc::Sender<Sound>>,
    /// Where each voice is kept by itself, and how many ticks there were.
    tracks: Option<(mpsc::Sender<Voices>, Arc<AtomicU64>)>,
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

    /// A packet of a participant's track. `lead` tells how many milliseconds after it the voice of the same moment comes, where
    /// that is known. Tracks that the scene doesn't show cost a look into a map and no more.
    pub fn video(&self, participant: ParticipantId, kind: TrackKind, lead: Option<i16>, packet: &MediaPacket) {
        if self.height(participant, kind).is_some()
            && self.video.try_send(VideoPacket { participant, kind, lead, packet: packet.clone() }).is_err()
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

    /// Who sees what the studio makes for room systems needs a picture of this size that needs no other.
    pub fn want_keyframe(&self, is_large: bool) {
        // One that finds no room is asked for again.
        let _ = self.wishes.try_send(if is_large { Track::Video } else { Track::Low });
    }

    /// Each voice is wanted by itself as well.
    #[must_use]
    pub fn wants_tracks(&self) -> bool {
        self.tracks.is_some()
    }

    /// What the program of this tick was made of.
    pub fn tracks<'a>(&self, voices: impl Iterator<Item = (ParticipantId, &'a Frame)>) {
        let Some((tracks, ticks)) = &self.tracks else { return };
        let tick = ticks.fetch_add(1, Ordering::Relaxed);
        let frames: Vec<_> = voices.map(|(who, frame)| (who, Box::new(*frame))).collect();
        if !frames.is_empty() && tracks.try_send(Voices { tick, time: SystemTime::now(), frames }).is_err() {
            metrics::counter!("streaming_feed_dropped_total", "what" => "tracks").increment(1);
        }
    }

    /// `captions` are wanted of the sound as well, and `tracks`.
    pub(crate) fn new(captions: bool, tracks: bool) -> (Self, FeedQueues, Ears) {
        let (video, video_queue) = mpsc::channel(VIDEO_QUEUE);
        let (program, program_queue) = mpsc::channel(PROGRAM_QUEUE);
        let (wishes, wished) = mpsc::channel(WISHES_QUEUE);
        let (captions, sound) = captions.then(|| mpsc::channel(SOUND_MAX)).unzip();
        let (tracks, voices) = tracks.then(|| mpsc::channel(VOICES_QUEUE)).unzip();
        let tracks = tracks.map(|tracks| (tracks, Arc::default()));
        let feed = Self { shown: Arc::default(), video, program, wishes, captions, tracks };
        (feed, FeedQueues { video: video_queue, program: program_queue, wishes: wished }, Ears { sound, voices })
    }

    /// Only these tracks are let through from now on, for a picture of so many lines.
    pub(crate) fn show(&self, scene: &Scene, lines: u32) {
        let tracks = scene.tracks(lines).map(|(participant, kind, height)| ((participant, kind), height)).collect();
        match self.shown.write() {
            Ok(mut shown) => *shown = tracks,
            Err(poisoned) => *poisoned.into_inner() = tracks,
        }
    }
}

/// Who else than the studio hears what is said.
pub(crate) struct Ears {
    pub(crate) sound: Option<mpsc::Receiver<Sound>>,
    pub(crate) voices: Option<mpsc::Receiver<Voices>>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Feed")
    }
}

pub(crate) struct VideoPacket {
    pub(crate) participant: ParticipantId,
    pub(crate) kind: TrackKind,
    pub(crate) lead: Option<i16>,
    pub(crate) packet: MediaPacket,
}

/// The broadcast's end of the feed.
pub(crate) struct FeedQueues {
    pub(crate) video: mpsc::Receiver<VideoPacket>,
    pub(crate) program: mpsc::Receiver<Box<Frame>>,
    pub(crate) wishes: mpsc::Receiver<Track>,
}

impl FeedQueues {
    /// Forgets what waits: pictures from before a restart would only delay the ones after it.
    pub(crate) fn clear(&mut self) {
        while self.video.try_recv().is_ok() {}
        while self.program.try_recv().is_ok() {}
        while self.wishes.try_recv().is_ok() {}
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
        let (feed, mut queues, _) = Feed::new(false, false);
        let who = ParticipantId::new(uuid::Uuid::from_u128(1));
        feed.video(who, TrackKind::Camera, None, &packet());
        assert!(queues.video.try_recv().is_err());
        feed.show(&scene(who, TileKind::Video(TrackKind::Camera)), 720);
        feed.video(who, TrackKind::Screen, None, &packet());
        feed.video(who, TrackKind::Camera, None, &packet());
        assert_eq!(queues.video.try_recv().map(|packet| packet.kind).ok(), Some(TrackKind::Camera));
        assert!(queues.video.try_recv().is_err());
        feed.show(&scene(who, TileKind::Avatar), 720);
        feed.video(who, TrackKind::Camera, None, &packet());
        assert!(queues.video.try_recv().is_err());
    }

    #[test]
    fn a_full_queue_drops_and_never_waits() {
        let (feed, mut queues, _) = Feed::new(false, false);
        let who = ParticipantId::new(uuid::Uuid::from_u128(1));
        feed.show(&scene(who, TileKind::Video(TrackKind::Camera)), 720);
        for _ in 0..VIDEO_QUEUE * 2 {
            feed.video(who, TrackKind::Camera, None, &packet());
            feed.program(&SILENCE);
        }
        assert_eq!((queues.video.len(), queues.program.len()), (VIDEO_QUEUE, PROGRAM_QUEUE));
        queues.clear();
        assert_eq!((queues.video.len(), queues.program.len()), (0, 0));
        drop(queues);
        feed.program(&SILENCE);
    }
}
