//! The files of one broadcast, and who waits for the next of them: each for one track, so that thousands who wait for sound
//! are not woken by a picture.

use std::sync::{
    Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

use crate::{hls::Packager, wire::Track};

/// Those who wait for one thing, parted so that a few of thousands are woken at once: the runtime's queue has room for 256, and who
/// does not find a place in it comes after all who ask for something new (decision 0027).
const CROWDS: usize = 32;

/// Shared by who writes it and all who read it.
pub(crate) struct Shelf {
    packager: RwLock<Packager>,
    waiting: Arc<Waiting>,
}

/// In the order of [`Track::ALL`].
type PerTrack<T> = [T; Track::ALL.len()];

/// Who waits for something of each track. Who has asked for a part ahead is answered first: his viewer sees it then, while who is told of
/// it has to ask once more.
#[derive(Default)]
struct Waiting {
    parts: PerTrack<Line>,
    playlists: PerTrack<Line>,
    /// What is new and nobody was woken for.
    news: Mutex<News>,
    /// There is news.
    called: Notify,
}

#[derive(Default)]
struct News {
    of: PerTrack<bool>,
    is_last: bool,
}

/// Who waits for one thing.
#[derive(Default)]
struct Line {
    crowds: [Notify; CROWDS],
    came: AtomicUsize,
}

impl Line {
    /// One comes.
    fn crowd(&self) -> &Notify {
        &self.crowds[self.came.fetch_add(1, Ordering::Relaxed) % CROWDS]
    }
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    Part(Track),
    Playlist(Track),
}

impl Shelf {
    /// Within a runtime.
    pub(crate) fn new(packager: Packager) -> Self {
        let waiting = Arc::new(Waiting::default());
        tokio::spawn(usher(Arc::clone(&waiting)));
        Self { packager: RwLock::new(packager), waiting }
    }

    /// What there is now; who writes waits meanwhile.
    pub(crate) fn look(&self) -> RwLockReadGuard<'_, Packager> {
        // Whatever panicked while it wrote left only a part unfinished that nobody can ask for.
        self.packager.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what there is, and has those woken who wait for what is new.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Packager) -> T) -> T {
        let mut packager = self.packager.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut packager);
        let news = packager.take_news();
        drop(packager);
        if news.contains(&true) {
            self.waiting.call(|called| {
                for (called, is_new) in called.of.iter_mut().zip(news) {
                    *called |= is_new;
                }
            });
        }
        result
    }

    /// Looks again whenever there is something new of the track, until there is an answer.
    pub(crate) async fn wait<T>(&self, what: For, answer: impl Fn(&Packager) -> Option<T>) -> T {
        let line = match what {
            For::Part(track) => &self.waiting.parts[track.index()],
            For::Playlist(track) => &self.waiting.playlists[track.index()],
        };
        let crowd = line.crowd();
        loop {
            // Begun before looking: nothing comes unnoticed between the two.
            let news = crowd.notified();
            if let Some(answer) = answer(&self.look()) {
                return answer;
            }
            news.await;
        }
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.waiting.call(|news| news.is_last = true);
    }
}

impl Waiting {
    fn call(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.news.lock().unwrap_or_else(PoisonError::into_inner));
        self.called.notify_one();
    }
}

/// Wakes those who wait, a few at a time and those for parts before all others, until the shelf is gone.
async fn usher(waiting: Arc<Waiting>) {
    // Crowds that are told of a playlist next, and how many have yet to be.
    let mut playlists = PerTrack::<(usize, usize)>::default();
    loop {
        let news = std::mem::take(&mut *waiting.news.lock().unwrap_or_else(PoisonError::into_inner));
        if news.is_last {
            return;
        }
        for track in Track::ALL.map(Track::index).into_iter().filter(|track| news.of[*track]) {
            for crowd in &waiting.parts[track].crowds {
                crowd.notify_waiters();
                tokio::task::yield_now().await;
            }
            playlists[track].1 = CROWDS;
        }
        match playlists.iter_mut().enumerate().find(|(_, (_, left))| *left > 0) {
            Some((track, (next, left))) => {
                waiting.playlists[track].crowds[*next].notify_waiters();
                (*next, *left) = ((*next + 1) % CROWDS, *left - 1);
                tokio::task::yield_now().await;
            }
            None => waiting.called.notified().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Poll, Waker},
        time::{Duration, SystemTime},
    };

    use bytes::Bytes;

    use super::*;
    use crate::{
        cadence,
        wire::{AccessUnit, Format},
    };

    fn unit(track: Track, tick: u64) -> AccessUnit {
        let pts = cadence::time_of(tick);
        let keyframe = tick == 0 || cadence::segment_at(pts) != cadence::segment_at(cadence::time_of(tick - 1));
        AccessUnit { track, pts, keyframe, data: Bytes::from_static(&[1; 40]) }
    }

    /// The usher has done all there is to do: there is one thread, and each gives way to the others.
    async fn all_are_told() {
        for _ in 0..8 * CROWDS * Track::ALL.len() {
            tokio::task::yield_now().await;
        }
    }

    fn push(shelf: &Shelf, track: Track, tick: u64) -> bool {
        shelf
            .change(|packager| packager.handle_unit(unit(track, tick), SystemTime::UNIX_EPOCH + cadence::time_of(tick)))
    }

    #[tokio::test]
    async fn who_waits_for_one_track_is_not_woken_by_another() {
        let shelf = Shelf::new(Packager::new(Duration::ZERO, None, "m"));
        shelf.change(|packager| {
            let avcc = Bytes::from_static(&[1; 8]);
            packager.handle_format(Track::Video, Format::Video { width: 1280, height: 720, avcc });
            let config = Bytes::from_static(&[0x11, 0x88]);
            packager.handle_format(Track::Audio, Format::Audio { rate: 48_000, channels: 1, config });
        });
        // Once there is something to play.
        let mut tick = 0;
        while !shelf.look().is_playable() {
            push(&shelf, Track::Video, tick);
            push(&shelf, Track::Audio, tick);
            tick += 1;
        }
        all_are_told().await;
        let looks = AtomicUsize::new(0);
        let mut waiting = pin!(shelf.wait(For::Playlist(Track::Audio), |packager| {
            looks.fetch_add(1, Ordering::Relaxed);
            (packager.revision(None).len() > 100).then_some(())
        }));
        let mut look = async || {
            all_are_told().await;
            let mut context = Context::from_waker(Waker::noop());
            assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending);
            looks.load(Ordering::Relaxed)
        };
        assert_eq!(look().await, 1);
        assert!((tick..tick + 30).any(|tick| push(&shelf, Track::Video, tick)));
        assert_eq!(look().await, 1, "woken by a picture");
        assert!((tick..tick + 30).any(|tick| push(&shelf, Track::Audio, tick)));
        assert_eq!(look().await, 2);
        // The end is everybody's.
        shelf.change(Packager::finish);
        assert_eq!(look().await, 3);
    }

    #[tokio::test]
    async fn who_asked_for_a_part_is_answered_before_those_who_wait_for_a_playlist() {
        let shelf = Arc::new(Shelf::new(Packager::new(Duration::ZERO, None, "m")));
        let told = Arc::new(Mutex::new(Vec::new()));
        for number in 0..2_000 {
            let what = if number % 2 == 0 { For::Playlist(Track::Video) } else { For::Part(Track::Video) };
            let (shelf, told, was_told) = (Arc::clone(&shelf), Arc::clone(&told), AtomicUsize::new(0));
            tokio::spawn(async move {
                shelf.wait(what, |_| (was_told.fetch_add(1, Ordering::Relaxed) > 0).then_some(())).await;
                told.lock().unwrap().push(what);
            });
        }
        all_are_told().await;
        shelf.change(Packager::finish);
        all_are_told().await;
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 2_000);
        let first = told.iter().position(|what| *what == For::Playlist(Track::Video));
        assert_eq!(first, Some(1_000));
    }

    #[tokio::test]
    async fn nobody_ushers_where_there_is_no_shelf() {
        let shelf = Shelf::new(Packager::new(Duration::ZERO, None, "m"));
        let waiting = Arc::downgrade(&shelf.waiting);
        drop(shelf);
        all_are_told().await;
        assert_eq!(waiting.strong_count(), 0);
    }
}
