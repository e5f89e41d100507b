//! Where players get a broadcast from: playlists, parts and segments out of memory, and the waiting that low-latency
//! HLS asks for (RFC 8216bis §6.2.5).
//!
//! HTTP is `api`'s: it puts the answers here into status codes and headers.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use model::BroadcastId;
use tokio::time::timeout;

use crate::{
    DvrConfig,
    hls::{self, Packager, Reach, Stored, Text},
    shelf::{For, Shelf},
    spool::{self, Spool},
    storage::Storage,
    wire::Track,
};

/// Which sizes of a livestream there are, and where (RFC 8216 §4.1): what a player asks for first, and once.
pub const MULTIVARIANT: &str = "index.m3u8";

/// How long a request for something to come is kept waiting: three target durations. A studio's restart fits in.
const WAIT_MAX: Duration = Duration::from_secs(6);

/// How long an ended broadcast can still be watched to its end, by players that lag or were paused.
const KEPT_AFTER_END: Duration = Duration::from_secs(180);

/// How many ended broadcasts are remembered as gone; older ones were never there.
const GONE_MAX: usize = 1_000;

/// How long what never changes may be cached on the way. Longer is of no use to anyone: it leaves the playlist.
const CACHE_MEDIA: CacheFor = CacheFor::Seconds(300);

/// How long the answer to a blocking reload may be cached: the draft's six target durations are for playlists that are
/// never begun anew under the same address.
const CACHE_RELOAD: CacheFor = CacheFor::Seconds(2);

/// Serves the files of all broadcasts. Clones serve the same.
#[derive(Clone, Default)]
pub struct Origin {
    shelves: Arc<RwLock<Shelves>>,
    dvr: Arc<DvrConfig>,
    /// Where segments are that have left the disk.
    storage: Option<Storage>,
    /// The language of captions, where there are any.
    captions: Option<Arc<str>>,
}

/// A file of a broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HlsFile {
    /// The media type.
    pub content_type: &'static str,
    /// All of it.
    pub body: Bytes,
    /// The same, packed, where that is worth it.
    pub packed: Option<Packed>,
    /// Differs where the file differs (RFC 9110 §8.8.3), without its quotes.
    pub etag: String,
    /// How long it stays true.
    pub cache: CacheFor,
}

/// Packs a text when it is wanted, once for all who want it.
#[derive(Clone, PartialEq, Eq)]
pub struct Packed(Text);

/// How a text is packed (RFC 9110 §8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
}

impl Packed {
    /// The packed bytes.
    #[must_use]
    pub fn bytes(&self, coding: Coding) -> Bytes {
        match coding {
            Coding::Brotli => self.0.brotli(),
            Coding::Gzip => self.0.gzip(),
        }
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packed")
    }
}

/// How long an answer may be kept by browsers and proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheFor {
    /// It changes all the time.
    Nothing,
    /// It never changes.
    Seconds(u32),
}

/// Why there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// No such broadcast, or no such file in it.
    #[error("no such broadcast or file")]
    NotFound,
    /// The broadcast is over.
    #[error("the broadcast is over")]
    Gone,
    /// A delivery directive that makes no sense.
    #[error("a delivery directive makes no sense")]
    BadRequest,
    /// A segment asked for that is too far in the future to wait for.
    #[error("the segment asked for is too far in the future")]
    TooFar,
    /// It should have come by now: the studio is (re)starting or overloaded.
    #[error("not there in time")]
    NotYet,
    /// The storage that has it doesn't answer, or refuses us.
    #[error("the storage is away")]
    Away,
}

impl Origin {
    /// Within a runtime, where there is a storage.
    pub(crate) fn new(dvr: DvrConfig, storage: Option<Storage>, captions: Option<&str>) -> Self {
        dvr.folder.iter().for_each(|folder| spool::clear(folder));
        if let Some(storage) = storage.clone() {
            // What an earlier server left behind. Where that fails, it is only paid for.
            tokio::spawn(async move { storage.clear(spool::STORED).await });
        }
        Self { shelves: Arc::default(), dvr: Arc::new(dvr), storage, captions: captions.map(Arc::from) }
    }

    /// Where a broadcast's segments go when they leave memory; none where they go nowhere.
    pub(crate) fn spool(&self, id: BroadcastId, shelf: &Arc<Shelf>) -> Option<Spool> {
        let folder = spool::folder_of(self.dvr.folder.as_ref()?, id);
        let storage = self.storage.clone().map(|storage| (storage, id));
        let started = Spool::start(folder, Arc::clone(shelf), storage);
        started.inspect_err(|error| tracing::warn!(%error, "viewers can go back half a minute only")).ok()
    }

    /// A file by its name, with the request's query. What is about to come is waited for, six seconds at most.
    pub async fn get(&self, id: BroadcastId, file: &str, query: Option<&str>) -> Result<HlsFile, OriginError> {
        let request = Request::parse(file, query)?;
        let shelf = match self.shelves.read().unwrap_or_else(PoisonError::into_inner).broadcasts.get(&id) {
            None => return Err(OriginError::NotFound),
            Some(Entry::Gone) => return Err(OriginError::Gone),
            Some(Entry::Filled(shelf)) => Arc::clone(shelf),
        };
        // What is there needs no clock.
        let there = request.answer(&shelf.look());
        let answer = match there {
            Some(answer) => answer,
            None => {
                let waiting = shelf.wait(request.what(), |packager| request.answer(packager));
                timeout(WAIT_MAX, waiting).await.unwrap_or(Err(OriginError::NotYet))
            }
        };
        match answer? {
            Answer::File(file) => Ok(file),
            Answer::OnDisk(name) => {
                let folder = self.dvr.folder.as_ref().ok_or(OriginError::NotFound)?;
                let body = match (tokio::fs::read(spool::folder_of(folder, id).join(&name)).await, &self.storage) {
                    (Ok(body), _) => body.into(),
                    (Err(_), Some(storage)) => match timeout(WAIT_MAX, storage.get_all(&spool::key(id, &name))).await {
                        Ok(Ok(body)) => body,
                        Ok(Err(error)) if error.is_missing() => return Err(OriginError::NotFound),
                        Ok(Err(_)) | Err(_) => return Err(OriginError::Away),
                    },
                    // It may have left the playlist a moment ago.
                    (Err(_), None) => return Err(OriginError::NotFound),
                };
                Ok(media(&name, body))
            }
        }
    }

    /// Something is being published under this id.
    #[must_use]
    pub fn is_live(&self, id: BroadcastId) -> bool {
        match self.shelves.read().unwrap_or_else(PoisonError::into_inner).broadcasts.get(&id) {
            Some(Entry::Filled(shelf)) => {
                let packager = shelf.look();
                packager.is_playable() && !packager.is_finished()
            }
            Some(Entry::Gone) | None => false,
        }
    }

    /// A new broadcast; none if the id was used before.
    pub(crate) fn open(&self, id: BroadcastId) -> Option<Arc<Shelf>> {
        let mut shelves = self.shelves.write().unwrap_or_else(PoisonError::into_inner);
        if shelves.broadcasts.contains_key(&id) {
            return None;
        }
        // Of its random bits, enough that no two servers in a row draw the same.
        let mark = format!("{:06x}", uuid::Uuid::now_v7().as_u128() & 0xff_ffff);
        let packager = Packager::new(self.dvr.window, self.captions.as_deref().map(str::to_owned), &mark);
        let shelf = Arc::new(Shelf::new(packager));
        shelves.broadcasts.insert(id, Entry::Filled(Arc::clone(&shelf)));
        Some(shelf)
    }

    /// The broadcast is over: its files stay for a while, then its memory is freed.
    pub(crate) fn retire(&self, id: BroadcastId) {
        let shelves = Arc::downgrade(&self.shelves);
        let folder = self.dvr.folder.as_ref().map(|folder| spool::folder_of(folder, id));
        let storage = self.storage.clone();
        tokio::spawn(async move {
            tokio::time::sleep(KEPT_AFTER_END).await;
            if let Some(shelves) = shelves.upgrade() {
                shelves.write().unwrap_or_else(PoisonError::into_inner).clear(id);
            }
            if let Some(folder) = folder {
                // There is none where nothing was written.
                let _removed = tokio::fs::remove_dir_all(folder).await;
            }
            if let Some(storage) = storage {
                // The next server tries again.
                let _removed = storage.clear(&spool::key(id, "")).await;
            }
        });
    }
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Origin")
    }
}

#[derive(Default)]
struct Shelves {
    broadcasts: HashMap<BroadcastId, Entry>,
    gone: VecDeque<BroadcastId>,
}

enum Entry {
    Filled(Arc<Shelf>),
    Gone,
}

impl Shelves {
    fn clear(&mut self, id: BroadcastId) {
        self.broadcasts.insert(id, Entry::Gone);
        self.gone.push_back(id);
        if self.gone.len() > GONE_MAX
            && let Some(oldest) = self.gone.pop_front()
        {
            self.broadcasts.remove(&oldest);
        }
    }
}

/// What there is.
#[derive(Debug)]
enum Answer {
    File(HlsFile),
    /// A segment, by its name.
    OnDisk(String),
}

/// A segment, a part or what precedes them: their names are never used again.
fn media(name: &str, body: Bytes) -> HlsFile {
    let content_type = match name {
        _ if name.ends_with(".vtt") => "text/vtt; charset=utf-8",
        _ if name.starts_with("audio") => "audio/mp4",
        _ => "video/mp4",
    };
    let etag = format!("{name}-{:x}", body.len());
    HlsFile { content_type, body, packed: None, etag, cache: CACHE_MEDIA }
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    Multivariant,
    Playlist { track: Track, from: Option<(u64, Option<u64>)>, skip: bool },
    Captions { from: Option<u64> },
    Media(String),
}

impl Request {
    fn parse(file: &str, query: Option<&str>) -> Result<Self, OriginError> {
        let track = match file {
            MULTIVARIANT => return Ok(Self::Multivariant),
            "video.m3u8" => Track::Video,
            "audio.m3u8" => Track::Audio,
            "low.m3u8" => Track::Low,
            "high.m3u8" => Track::FullHd,
            // Cut as the picture is.
            "captions.m3u8" => Track::Video,
            _ => return Ok(Self::Media(file.to_owned())),
        };
        let (mut msn, mut part, mut skip) = (None, None, false);
        for pair in query.unwrap_or_default().split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let number = || value.parse::<u64>().map_err(|_| OriginError::BadRequest);
            match key {
                "_HLS_msn" => msn = Some(number()?),
                "_HLS_part" => part = Some(number()?),
                "_HLS_skip" if matches!(value, "YES" | "v2") => skip = true,
                "_HLS_skip" => return Err(OriginError::BadRequest),
                _ => {}
            }
        }
        match (msn, part) {
            (None, Some(_)) => Err(OriginError::BadRequest),
            (from, None) if file == "captions.m3u8" => Ok(Self::Captions { from }),
            (_, Some(_)) if file == "captions.m3u8" => Err(OriginError::BadRequest),
            (msn, part) => Ok(Self::Playlist { track, from: msn.map(|msn| (msn, part)), skip }),
        }
    }

    /// What is to be waited for.
    fn what(&self) -> For {
        match self {
            Self::Playlist { track, .. } => For::Playlist(*track),
            Self::Media(name) => For::Part(hls::track_of(name).unwrap_or(Track::Video)),
            Self::Multivariant | Self::Captions { .. } => For::Playlist(Track::Video),
        }
    }

    /// None while it is to be waited for.
    fn answer(&self, packager: &Packager) -> Option<Result<Answer, OriginError>> {
        let playlist = |of: Option<Track>, text: Text, cache: CacheFor| {
            let content_type = "application/vnd.apple.mpegurl";
            let (body, etag) = (text.plain(), packager.revision(of));
            Some(Ok(Answer::File(HlsFile { content_type, body, packed: Some(Packed(text)), etag, cache })))
        };
        match self {
            Self::Media(name) => match packager.file(name) {
                Stored::There(body) => Some(Ok(Answer::File(media(name, body)))),
                Stored::OnDisk(name) => Some(Ok(Answer::OnDisk(name))),
                Stored::Coming => None,
                Stored::Missing => Some(Err(OriginError::NotFound)),
            },
            _ if !packager.is_playable() => packager.is_finished().then_some(Err(OriginError::NotFound)),
            Self::Multivariant => playlist(None, packager.multivariant(), CacheFor::Nothing),
            Self::Captions { from } => match packager.reach(Track::Video, from.unwrap_or_default(), None) {
                Reach::There => match packager.captions() {
                    Some(text) => {
                        let cache = if from.is_some() { CACHE_RELOAD } else { CacheFor::Nothing };
                        playlist(Some(Track::Video), text, cache)
                    }
                    None => Some(Err(OriginError::NotFound)),
                },
                Reach::Coming => None,
                Reach::TooFar => Some(Err(OriginError::TooFar)),
            },
            Self::Playlist { track, from, skip } => {
                let (msn, part) = from.map_or((0, None), |from| from);
                // What was waited for stays true, and a CDN may hand it on; what is asked for at any time doesn't (§6.2.5.2,
                // appendix B.1). A whole target duration of the next parts will have come by then.
                let cache = if from.is_some() { CACHE_RELOAD } else { CacheFor::Nothing };
                match packager.reach(*track, msn, part) {
                    Reach::There => match packager.playlist(*track, *skip) {
                        Some(text) => playlist(Some(*track), text, cache),
                        None => Some(Err(OriginError::NotFound)),
                    },
                    Reach::Coming => None,
                    Reach::TooFar => Some(Err(OriginError::TooFar)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cadence,
        storage::tests::{away, memory},
        wire::{AccessUnit, Format},
    };

    fn id() -> BroadcastId {
        BroadcastId::new(uuid::Uuid::from_u128(1))
    }

    #[test]
    fn delivery_directives_are_read() {
        let check = |query: &str, expected: Result<(Option<(u64, Option<u64>)>, bool), OriginError>| {
            let expected = expected.map(|(from, skip)| Request::Playlist { track: Track::Video, from, skip });
            assert_eq!(Request::parse("video.m3u8", Some(query)), expected, "{query}");
        };
        check("", Ok((None, false)));
        check("_HLS_msn=3", Ok((Some((3, None)), false)));
        check("token=a&_HLS_msn=3&_HLS_part=2&_HLS_skip=YES", Ok((Some((3, Some(2))), true)));
        check("_HLS_part=2", Err(OriginError::BadRequest));
        check("_HLS_msn=-1", Err(OriginError::BadRequest));
        check("_HLS_msn=99999999999999999999", Err(OriginError::BadRequest));
        check("_HLS_skip=NO", Err(OriginError::BadRequest));
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_comes_is_not_waited_for_for_ever() {
        let origin = Origin::new(DvrConfig::default(), None, None);
        assert_eq!(origin.get(id(), "index.m3u8", None).await, Err(OriginError::NotFound));
        let shelf = origin.open(id()).unwrap();
        assert!(origin.open(id()).is_none());
        assert_eq!(origin.get(id(), "index.m3u8", None).await, Err(OriginError::NotYet));
        assert_eq!(origin.get(id(), "../secret", None).await, Err(OriginError::NotFound));
        shelf.change(Packager::finish);
        assert_eq!(origin.get(id(), "video.m3u8", None).await, Err(OriginError::NotFound));
    }

    #[tokio::test(start_paused = true)]
    async fn an_ended_broadcast_is_gone_after_a_while() {
        let origin = Origin::new(DvrConfig::default(), None, None);
        origin.open(id()).unwrap().change(Packager::finish);
        origin.retire(id());
        tokio::time::sleep(KEPT_AFTER_END - Duration::from_secs(1)).await;
        assert_eq!(origin.get(id(), "index.m3u8", None).await, Err(OriginError::NotFound));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(origin.get(id(), "index.m3u8", None).await, Err(OriginError::Gone));
        assert!(origin.open(id()).is_none());
    }

    #[test]
    fn only_so_many_gone_ones_are_remembered() {
        let mut shelves = Shelves::default();
        for number in 0..GONE_MAX as u128 * 2 {
            shelves.clear(BroadcastId::new(uuid::Uuid::from_u128(number)));
        }
        assert_eq!((shelves.broadcasts.len(), shelves.gone.len()), (GONE_MAX, GONE_MAX));
    }

    #[tokio::test]
    async fn no_server_gives_a_file_the_name_of_another_that_caches_may_hold() {
        let names = || {
            let shelf = Origin::new(DvrConfig::default(), None, None).open(id()).unwrap();
            shelf.change(|packager| {
                handle_formats(packager);
                handle_seconds(packager, 0..4);
                packager.take_whole().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
            })
        };
        let (before, after) = (names(), names());
        assert!(!before.is_empty() && before.iter().all(|name| !after.contains(name)), "{before:?} {after:?}");
    }

    // product: B6
    #[tokio::test(flavor = "multi_thread")]
    async fn what_has_left_memory_comes_from_the_disk_or_from_the_storage() {
        for storage in [None, Some(memory())] {
            let folder = tempfile::tempdir().unwrap();
            let dvr = DvrConfig { folder: Some(folder.path().join("live")), window: Duration::from_secs(600) };
            let origin = Origin::new(dvr, storage.clone(), None);
            let shelf = origin.open(id()).unwrap();
            let spool = origin.spool(id(), &shelf).unwrap();
            shelf.change(|packager| {
                handle_formats(packager);
                handle_seconds(packager, 0..4);
            });
            let whole = shelf.change(Packager::take_whole);
            let is_first = |name: &str| name.starts_with("video-") && name.ends_with("-0.m4s");
            let (name, first) = whole.iter().find(|(name, _)| is_first(name)).unwrap().clone();
            let name = name.as_str();
            let file = spool::folder_of(&folder.path().join("live"), id()).join(name);
            let key = spool::key(id(), name);
            let last = whole.last().unwrap().0.clone();
            whole.into_iter().for_each(|(name, bytes)| spool.keep(name, bytes));
            let is_kept = async || match &storage {
                None => file.with_file_name(&last).exists(),
                Some(storage) => storage.get_all(&spool::key(id(), &last)).await.is_ok() && !file.exists(),
            };
            while !is_kept().await {
                tokio::task::yield_now().await;
            }
            shelf.change(|packager| handle_seconds(packager, 4..60));
            let asked = Request::Media(name.to_owned()).answer(&shelf.look());
            assert!(matches!(&asked, Some(Ok(Answer::OnDisk(_)))), "it has left memory: {asked:?}");
            let got = origin.get(id(), name, None).await.unwrap();
            assert_eq!((&got.body, got.content_type), (&first, "video/mp4"), "storage: {}", storage.is_some());
            // Gone from there as well, it is nowhere.
            match &storage {
                None => std::fs::remove_file(&file).unwrap(),
                Some(storage) => storage.remove(&key).await.unwrap(),
            }
            assert_eq!(origin.get(id(), name, None).await, Err(OriginError::NotFound));
        }
    }

    // product: B6
    #[tokio::test]
    async fn what_a_storage_has_that_is_away_is_not_said_to_be_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let dvr = DvrConfig { folder: Some(folder.path().join("live")), window: Duration::from_secs(600) };
        let origin = Origin::new(dvr, Some(away()), None);
        let shelf = origin.open(id()).unwrap();
        let whole = shelf.change(|packager| {
            handle_formats(packager);
            handle_seconds(packager, 0..4);
            let whole = packager.take_whole();
            // As the spool says it when it has them; by now they have left the disk for the storage.
            whole.iter().for_each(|(name, _)| packager.handle_kept(name));
            handle_seconds(packager, 4..60);
            whole
        });
        let (name, _) = whole.first().unwrap();
        assert_eq!(origin.get(id(), name, None).await, Err(OriginError::Away));
    }

    /// Fourteen seconds of a livestream.
    fn filled() -> Packager {
        let mut packager = Packager::new(Duration::ZERO, None, "m");
        handle_formats(&mut packager);
        handle_seconds(&mut packager, 0..14);
        packager
    }

    fn handle_formats(packager: &mut Packager) {
        let video = |track, width, height| (track, Format::Video { width, height, avcc: Bytes::from_static(&[1; 8]) });
        let audio = Format::Audio { rate: 48_000, channels: 1, config: Bytes::from_static(&[0x11, 0x88]) };
        let large = video(Track::FullHd, 1920, 1080);
        for (track, format) in
            [large, video(Track::Video, 1280, 720), video(Track::Low, 640, 360), (Track::Audio, audio)]
        {
            packager.handle_format(track, format);
        }
    }

    fn handle_seconds(packager: &mut Packager, seconds: std::ops::Range<u64>) {
        let mut segment = None;
        let per_second = u64::from(cadence::TICKS_PER_SECOND);
        for tick in seconds.start * per_second..seconds.end * per_second {
            let pts = cadence::time_of(tick);
            let keyframe = segment.replace(cadence::segment_at(pts)) != segment;
            for track in Track::ALL {
                let unit = AccessUnit { track, pts, keyframe, data: Bytes::from_static(&[1; 40]) };
                packager.handle_unit(unit, std::time::SystemTime::UNIX_EPOCH + pts);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_request_is_too_strange(
            file in "((video|audio|captions|index)[-.](m-)?(p|init-)?[0-9]{0,25}(.m4s|.mp4|.vtt|.m3u8)?)|.*",
            query in "(_HLS_(msn|part|skip)=[0-9YES]{0,25}&?){0,4}|.*",
        ) {
            if let Ok(request) = Request::parse(&file, Some(&query)) {
                let answer = request.answer(&Packager::new(Duration::ZERO, None, "m"));
                proptest::prop_assert!(!matches!(answer, Some(Ok(_))), "nothing is there yet");
            }
        }

        // RFC 8216bis §6.2.5.2
        #[test]
        fn nobody_waits_for_what_is_far_away(
            track in "video|audio|low|high",
            msn in proptest::prop_oneof![0_u64..20, proptest::num::u64::ANY],
            part in proptest::option::of(proptest::prop_oneof![0_u64..40, proptest::num::u64::ANY]),
            skip in proptest::bool::ANY,
        ) {
            let part = part.map(|part| format!("&_HLS_part={part}")).unwrap_or_default();
            let skip = if skip { "&_HLS_skip=YES" } else { "" };
            let query = format!("_HLS_msn={msn}{part}{skip}");
            let request = Request::parse(&format!("{track}.m3u8"), Some(&query)).unwrap();
            let packager = filled();
            let text = packager.playlist(Track::Video, false).unwrap().plain();
            let open = String::from_utf8_lossy(&text).matches("#EXTINF").count() as u64;
            match request.answer(&packager) {
                Some(Ok(Answer::File(file))) => {
                    proptest::prop_assert!(file.body.len() < 20_000 && msn <= open + 1, "{query}");
                }
                Some(Err(OriginError::TooFar)) => proptest::prop_assert!(msn.saturating_add(1) >= open, "{query}"),
                None => proptest::prop_assert!(msn + 1 >= open && msn <= open + 3, "{query}"),
                other => proptest::prop_assert!(false, "{query}: {other:?}"),
            }
        }
    }
}
