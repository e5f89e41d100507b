//! The files of one broadcast, and who waits for the next of them: each for one track, so that thousands who wait for sound
//! are not woken by a picture.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::Notify;

use crate::{hls::Packager, wire::Track};

/// Shared by who writes it and all who read it.
pub(crate) struct Shelf {
    packager: RwLock<Packager>,
    /// In the order of [`Track::ALL`].
    news: [Waiting; Track::ALL.len()],
}

/// Who waits for something of one track. Who has asked for a part ahead is answered first: his viewer sees it then, while who is told of it has
/// to ask once more.
#[derive(Default)]
struct Waiting {
    parts: Notify,
    playlists: Notify,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    Part(Track),
    Playlist(Track),
}

impl Shelf {
    pub(crate) fn new(packager: Packager) -> Self {
        Self { packager: RwLock::new(packager), news: Default::default() }
    }

    /// What there is now; who writes waits meanwhile.
    pub(crate) fn look(&self) -> RwLockReadGuard<'_, Packager> {
        // Whatever panicked while it wrote left only a part unfinished that nobody can ask for.
        self.packager.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what there is, and wakes those who wait for what is new.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Packager) -> T) -> T {
        let mut packager = self.packager.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut packager);
        let news = packager.take_news();
        drop(packager);
        for (waiting, is_new) in self.news.iter().zip(news) {
            if is_new {
                waiting.parts.notify_waiters();
                waiting.playlists.notify_waiters();
            }
        }
        result
    }

    /// Looks again whenever there is something new of the track, until there is an answer.
    pub(crate) async fn wait<T>(&self, what: For, answer: impl Fn(&Packager) -> Option<T>) -> T {
        let news = match what {
            For::Part(track) => &self.news[track.index()].parts,
            For::Playlist(track) => &self.news[track.index()].playlists,
        };
        loop {
            // Begun before looking: nothing comes unnoticed between the two.
            let news = news.notified();
            if let Some(answer) = answer(&self.look()) {
                return answer;
            }
            news.await;
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

    fn push(shelf: &Shelf, track: Track, tick: u64) -> bool {
        shelf
            .change(|packager| packager.handle_unit(unit(track, tick), SystemTime::UNIX_EPOCH + cadence::time_of(tick)))
    }

    #[test]
    fn who_waits_for_one_track_is_not_woken_by_another() {
        let shelf = Shelf::new(Packager::new(Duration::ZERO, None));
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
        let looks = AtomicUsize::new(0);
        let mut waiting = pin!(shelf.wait(For::Playlist(Track::Audio), |packager| {
            looks.fetch_add(1, Ordering::Relaxed);
            (packager.revision().len() > 100).then_some(())
        }));
        let mut context = Context::from_waker(Waker::noop());
        let mut looks_after = |poll: &mut dyn FnMut()| {
            poll();
            assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending);
            looks.load(Ordering::Relaxed)
        };
        assert_eq!(looks_after(&mut || {}), 1);
        let pictures = looks_after(&mut || assert!((tick..tick + 30).any(|tick| push(&shelf, Track::Video, tick))));
        assert_eq!(pictures, 1, "woken by a picture");
        let sounds = looks_after(&mut || assert!((tick..tick + 30).any(|tick| push(&shelf, Track::Audio, tick))));
        assert_eq!(sounds, 2);
        // The end is everybody's.
        assert_eq!(looks_after(&mut || shelf.change(Packager::finish)), 3);
    }
}
