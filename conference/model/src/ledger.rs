//! The capacity ledger: what of a site is taken when (S4, C14). Pure; the store loads what is taken, asks, and writes,
//! all within one transaction.

use crate::{MeetingId, RoomId};

/// From a moment up to, not including, another. Milliseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// When it begins.
    pub from_ms: i64,
    /// When it is over.
    pub until_ms: i64,
}

impl Span {
    /// They have a moment in common.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.from_ms < other.until_ms && other.from_ms < self.until_ms
    }
}

/// What a meeting needs of its site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Nothing: the account has a room of its own (专属).
    Nothing,
    /// One of the shared rooms, alone (共享).
    Room(RoomId),
    /// So many ports of the site's total (并发).
    Ports(u32),
}

/// One occurrence that is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// By whom.
    pub meeting: MeetingId,
    /// When, early start included.
    pub span: Span,
    /// What.
    pub demand: Demand,
}

/// Why a demand can't be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCapacity {
    /// The room is taken, then.
    #[error("the room is taken from {} to {}", .0.from_ms, .0.until_ms)]
    RoomTaken(Span),
    /// Fewer ports are free, then.
    #[error("only {free} ports are free from {} to {}", .span.from_ms, .span.until_ms)]
    Ports {
        /// So many.
        free: u32,
        /// The occurrence that does not fit.
        span: Span,
    },
}

/// A site's ports and all that is taken around the time in question.
#[derive(Debug, Clone)]
pub struct Ledger<'a> {
    ports: u32,
    taken: &'a [Taken],
}

impl<'a> Ledger<'a> {
    /// `ports` is the site's total.
    #[must_use]
    pub fn new(ports: u32, taken: &'a [Taken]) -> Self {
        Self { ports, taken }
    }

    /// Whether a demand can be met at each of these times.
    pub fn check(&self, demand: Demand, spans: &[Span]) -> Result<(), NoCapacity> {
        match demand {
            Demand::Nothing => Ok(()),
            Demand::Room(room) => spans.iter().try_for_each(|span| match self.room_taken(room, *span) {
                Some(taken) => Err(NoCapacity::RoomTaken(taken)),
                None => Ok(()),
            }),
            Demand::Ports(wanted) => spans.iter().try_for_each(|span| {
                let free = self.ports_free(*span);
                if wanted > free { Err(NoCapacity::Ports { free, span: *span }) } else { Ok(()) }
            }),
        }
    }

    /// When the room is taken first within a time, if it is.
    #[must_use]
    pub fn room_taken(&self, room: RoomId, within: Span) -> Option<Span> {
        let of_room = self.within(within).filter(|taken| taken.demand == Demand::Room(room));
        of_room.map(|taken| taken.span).min()
    }

    /// The ports that are free throughout a time.
    #[must_use]
    pub fn ports_free(&self, within: Span) -> u32 {
        let mut changes = Vec::new();
        for taken in self.within(within) {
            if let Demand::Ports(ports) = taken.demand {
                changes.push((taken.span.from_ms, i64::from(ports)));
                changes.push((taken.span.until_ms, -i64::from(ports)));
            }
        }
        // What ends at a moment is free for what begins at it: the negative sorts first.
        changes.sort_unstable();
        let (mut now, mut peak) = (0, 0);
        for (_, change) in changes {
            now += change;
            peak = peak.max(now);
        }
        self.ports.saturating_sub(u32::try_from(peak).unwrap_or(u32::MAX))
    }

    /// The first thing that is taken twice, if any is: a room at one time, or more ports than there are.
    #[must_use]
    pub fn fault(&self) -> Option<NoCapacity> {
        let of_room = |taken: &Taken| match taken.demand {
            Demand::Room(room) => Some((room, taken.span)),
            Demand::Nothing | Demand::Ports(_) => None,
        };
        let mut rooms: Vec<_> = self.taken.iter().filter_map(of_room).collect();
        rooms.sort_unstable();
        let twice = rooms.array_windows().find(|[(a, first), (b, second)]| a == b && first.overlaps(*second));
        if let Some([_, (_, second)]) = twice {
            return Some(NoCapacity::RoomTaken(*second));
        }
        let of_ports = |taken: &&Taken| matches!(taken.demand, Demand::Ports(_));
        self.taken.iter().filter(of_ports).find_map(|taken| {
            // At its beginning it is one of those that run.
            let moment = Span { from_ms: taken.span.from_ms, until_ms: taken.span.from_ms + 1 };
            let used = self.within(moment).map(|taken| match taken.demand {
                Demand::Ports(ports) => u64::from(ports),
                Demand::Nothing | Demand::Room(_) => 0,
            });
            (used.sum::<u64>() > u64::from(self.ports)).then_some(NoCapacity::Ports { free: 0, span: taken.span })
        })
    }

    fn within(&self, within: Span) -> impl Iterator<Item = &'a Taken> {
        self.taken.iter().filter(move |taken| taken.span.overlaps(within))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn span(from: i64, until: i64) -> Span {
        Span { from_ms: from * HOUR, until_ms: until * HOUR }
    }

    fn taken(meeting: u128, from: i64, until: i64, demand: Demand) -> Taken {
        Taken { meeting: MeetingId::from_u128(meeting), span: span(from, until), demand }
    }

    // product: S4
    #[test]
    fn what_ends_makes_room_for_what_begins() {
        let room = RoomId::from_u128(1);
        let all = [
            taken(1, 9, 10, Demand::Room(room)),
            taken(2, 9, 11, Demand::Ports(30)),
            taken(3, 10, 12, Demand::Ports(30)),
        ];
        let ledger = Ledger::new(70, &all);
        assert_eq!(ledger.check(Demand::Room(room), &[span(10, 11), span(8, 9)]), Ok(()));
        let refused = ledger.check(Demand::Room(room), &[span(10, 11), span(8, 10)]);
        assert_eq!(refused, Err(NoCapacity::RoomTaken(span(9, 10))));
        assert_eq!(ledger.ports_free(span(9, 10)), 40);
        assert_eq!(ledger.ports_free(span(9, 12)), 10);
        assert_eq!(Ledger::new(70, &all[..2]).ports_free(span(9, 12)), 40, "enlarging counts oneself once");
        assert_eq!(ledger.ports_free(span(12, 13)), 70);
        let refused = ledger.check(Demand::Ports(11), &[span(9, 12)]);
        assert_eq!(refused, Err(NoCapacity::Ports { free: 10, span: span(9, 12) }));
    }

    /// A site as a plain table of half hours.
    struct Table {
        ports: [u32; SLOTS],
        rooms: [[bool; SLOTS]; ROOMS],
    }

    const SLOTS: usize = 96;
    const ROOMS: usize = 3;
    const TOTAL: u32 = 60;
    const HALF: i64 = HOUR / 2;

    #[derive(Debug, Clone)]
    enum Wish {
        Book { room: Option<usize>, ports: u32, start: usize, length: usize, early: usize, every: usize, times: usize },
        Extend { which: usize, by: usize },
        Enlarge { which: usize, by: u32 },
        Cancel { which: usize },
    }

    fn wish() -> impl Strategy<Value = Wish> {
        let book = (prop::option::of(0..ROOMS), 1..40u32, 0..SLOTS, 1..8usize, 0..3usize, 1..20usize, 1..5usize)
            .prop_map(|(room, ports, start, length, early, every, times)| Wish::Book {
                room,
                ports,
                start,
                length,
                early,
                every,
                times,
            });
        let which = 0..40usize;
        prop_oneof![
            6 => book,
            2 => (which.clone(), 1..6usize).prop_map(|(which, by)| Wish::Extend { which, by }),
            2 => (which.clone(), 1..30u32).prop_map(|(which, by)| Wish::Enlarge { which, by }),
            1 => which.prop_map(|which| Wish::Cancel { which }),
        ]
    }

    fn slots(span: Span) -> std::ops::Range<usize> {
        (span.from_ms / HALF) as usize..((span.until_ms / HALF) as usize).min(SLOTS)
    }

    impl Table {
        fn of(all: &[Taken]) -> Self {
            let mut table = Self { ports: [0; SLOTS], rooms: [[false; SLOTS]; ROOMS] };
            for taken in all {
                for slot in slots(taken.span) {
                    match taken.demand {
                        Demand::Nothing => {}
                        Demand::Room(room) => {
                            let room = &mut table.rooms[room.uuid().as_u128() as usize][slot];
                            assert!(!*room, "a room is booked twice");
                            *room = true;
                        }
                        Demand::Ports(ports) => table.ports[slot] += ports,
                    }
                }
            }
            assert!(table.ports.iter().all(|ports| *ports <= TOTAL), "ports are oversold");
            table
        }

        fn fits(&self, demand: Demand, spans: &[Span]) -> bool {
            spans.iter().flat_map(|span| slots(*span)).all(|slot| match demand {
                Demand::Nothing => true,
                Demand::Room(room) => !self.rooms[room.uuid().as_u128() as usize][slot],
                Demand::Ports(ports) => self.ports[slot] + ports <= TOTAL,
            })
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        // product: S4, C14, S5
        #[test]
        fn nothing_is_ever_oversold(wishes in prop::collection::vec(wish(), 1..25)) {
            let mut all: Vec<Taken> = Vec::new();
            for (number, wish) in wishes.into_iter().enumerate() {
                match wish {
                    Wish::Book { room, ports, start, length, early, every, times } => {
                        let meeting = MeetingId::from_u128(number as u128);
                        let demand = room.map_or(Demand::Ports(ports), |n| Demand::Room(RoomId::from_u128(n as u128)));
                        // No occurrence reaches into the next: a series that did would be refused before.
                        let every = every.max(length + early);
                        let spans: Vec<Span> = (0..times)
                            .map(|n| (start + n * every) as i64 * HALF)
                            .map(|at| Span { from_ms: (at - early as i64 * HALF).max(0), until_ms: at + length as i64 * HALF })
                            .filter(|span| (span.from_ms / HALF) < SLOTS as i64)
                            .collect();
                        let admitted = Ledger::new(TOTAL, &all).check(demand, &spans).is_ok();
                        prop_assert_eq!(admitted, Table::of(&all).fits(demand, &spans));
                        if admitted {
                            all.extend(spans.into_iter().map(|span| Taken { meeting, span, demand }));
                        }
                    }
                    Wish::Extend { which, by } => {
                        let Some(taken) = all.get(which).copied() else { continue };
                        let more = Span { from_ms: taken.span.until_ms, until_ms: taken.span.until_ms + by as i64 * HALF };
                        // Its own later occurrences stand in its way like all others.
                        if Ledger::new(TOTAL, &all).check(taken.demand, &[more]).is_ok() {
                            all[which].span.until_ms = more.until_ms;
                        }
                    }
                    Wish::Enlarge { which, by } => {
                        let Some(taken) = all.get(which).copied() else { continue };
                        let Demand::Ports(ports) = taken.demand else { continue };
                        if Ledger::new(TOTAL, &all).check(Demand::Ports(by), &[taken.span]).is_ok() {
                            all[which].demand = Demand::Ports(ports + by);
                        }
                    }
                    Wish::Cancel { which } => if which < all.len() { all.remove(which); },
                }
                Table::of(&all);
            }
        }
    }
}
