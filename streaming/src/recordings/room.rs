//! Which recordings give way. The disk's room is everybody's until it is full; then it is shared by those who have some on it, and what goes
//! is the oldest of those who have more than their share.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Recording, Removed};

/// What is to be done.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Verdict {
    pub(super) doomed: Vec<(Recording, Removed)>,
    /// Being recorded, and with nothing left that could give way to it: all else is others', who have no more than their share.
    pub(super) full: Vec<Uuid>,
}

/// Of all recordings, the oldest first; `running` is what those that are being made have written, `oldest` is when the oldest may have begun.
pub(super) fn judge(notes: &[Recording], running: &BTreeMap<Uuid, u64>, oldest: i64, quota: u64) -> Verdict {
    let mut verdict = Verdict::default();
    let mut left: Vec<&Recording> = Vec::with_capacity(notes.len());
    for note in notes {
        if note.is_there() && note.started_ms < oldest {
            verdict.doomed.push((note.clone(), Removed::Age));
        } else {
            left.push(note);
        }
    }
    let mut taken = BTreeMap::<Uuid, u64>::new();
    for note in &left {
        *taken.entry(whose(note)).or_default() += on_disk(note) + running.get(&note.id).copied().unwrap_or_default();
    }
    let mut gone = BTreeSet::new();
    while taken.values().sum::<u64>() > quota {
        let share = quota / taken.values().filter(|bytes| **bytes > 0).count().max(1) as u64;
        let is_over = |note: &&&Recording| taken.get(&whose(note)).is_some_and(|bytes| *bytes > share);
        let may_go = |note: &&&Recording| note.is_there() && on_disk(note) > 0 && !gone.contains(&note.id);
        let Some(note) = left.iter().filter(may_go).find(is_over) else {
            let is_growing = |note: &&&Recording| running.contains_key(&note.id);
            verdict.full = left.iter().filter(is_growing).filter(is_over).map(|note| note.id).collect();
            break;
        };
        gone.insert(note.id);
        verdict.doomed.push(((*note).clone(), Removed::Room));
        taken.entry(whose(note)).and_modify(|bytes| *bytes -= on_disk(note));
    }
    verdict
}

fn on_disk(note: &Recording) -> u64 {
    if note.stored || note.removed { 0 } else { note.bytes_of_all() }
}

fn whose(note: &Recording) -> Uuid {
    note.site.map_or_else(|| note.owner.uuid(), |site| site.uuid())
}

#[cfg(test)]
mod tests {
    use model::{AccountId, MeetingId, SiteId};

    use super::*;

    const QUOTA: u64 = 100;

    fn of(site: u128, number: u128, bytes: u64) -> Recording {
        Recording {
            id: Uuid::from_u128(number),
            meeting: MeetingId::from_u128(1),
            broadcast: None,
            owner: AccountId::new(Uuid::from_u128(1_000 + number)),
            site: Some(SiteId::from_u128(site)),
            title: String::new(),
            started_ms: number as i64,
            seconds: 1.0,
            bytes,
            ready: true,
            captions_bytes: 0,
            tracks: Vec::new(),
            stored: false,
            removed: false,
        }
    }

    fn growing(site: u128, number: u128) -> Recording {
        Recording { ready: false, ..of(site, number, 0) }
    }

    /// What goes, and what ends.
    fn judged(notes: &[Recording], running: &[(u128, u64)], oldest: i64) -> (Vec<u128>, Vec<u128>) {
        let running = running.iter().map(|(number, bytes)| (Uuid::from_u128(*number), *bytes)).collect();
        let Verdict { doomed, full } = judge(notes, &running, oldest, QUOTA);
        for (note, why) in &doomed {
            assert_eq!(*why == Removed::Age, note.started_ms < oldest);
        }
        (doomed.iter().map(|(note, _)| note.id.as_u128()).collect(), full.iter().map(Uuid::as_u128).collect())
    }

    // product: B6
    #[test]
    fn who_has_no_more_than_his_share_gives_way_to_nobody() {
        // The first is the oldest of all, and its site has little.
        let notes = [of(1, 1, 20), of(2, 2, 30), of(2, 3, 30), growing(2, 4)];
        assert_eq!(judged(&notes, &[(4, 20)], 0), (vec![], vec![]), "it fits");
        assert_eq!(judged(&notes, &[(4, 21)], 0), (vec![2], vec![]));
        // Its own films are all it may have, and when they are gone it ends.
        assert_eq!(judged(&notes, &[(4, 80)], 0), (vec![2, 3], vec![]));
        assert_eq!(judged(&notes, &[(4, 81)], 0), (vec![2, 3], vec![4]));
        // A third site comes: a share is a third now.
        let notes = [of(1, 1, 20), of(1, 2, 30), of(2, 3, 50), growing(3, 4)];
        assert_eq!(judged(&notes, &[(4, 10)], 0), (vec![1], vec![]));
        assert_eq!(judged(&notes, &[(4, 33)], 0), (vec![1, 3], vec![]), "the first has no more than its share now");
    }

    #[test]
    fn what_is_too_old_goes_first_and_what_is_elsewhere_takes_no_room() {
        let stored = Recording { stored: true, ..of(1, 2, 500) };
        let notes = [of(1, 1, 60), stored, of(2, 3, 60), of(2, 4, 30)];
        assert_eq!(judged(&notes, &[], 2), (vec![1], vec![]));
        assert_eq!(judged(&notes, &[], 0), (vec![1], vec![]), "both have more than half; it is the oldest");
        assert_eq!(judged(&notes, &[], 9), (vec![1, 2, 3, 4], vec![]));
        // Where it isn't written down whose they are, each owner is one.
        let unknown = |note: Recording| Recording { site: None, ..note };
        let notes = [unknown(of(1, 1, 40)), unknown(of(1, 2, 70))];
        assert_eq!(judged(&notes, &[], 0), (vec![2], vec![]));
    }
}
