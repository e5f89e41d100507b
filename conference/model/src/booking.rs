//! What is asked for when a meeting is booked, and whether it can be (预约会议): the rules of the three modes. Whether
//! there is room for it is the [`Ledger`](crate::Ledger)'s question.

use serde::{Deserialize, Serialize};

use crate::{BadRecurrence, BookingMode, Demand, InvalidText, RoomId, Span, check_password, check_title, starts};

const MINUTE_MS: i64 = 60_000;

/// The largest meeting (单场会最大方数).
pub const CAPACITY_MAX: u32 = 500;

/// The longest meeting, in minutes, extensions included (C14).
pub const DURATION_MIN_MAX: u32 = 24 * 60;

/// The shortest, in minutes.
pub(crate) const DURATION_MIN_MIN: u32 = 15;

/// What is taken for granted where none is given: an hour.
pub const DURATION_MIN_DEFAULT: u32 = 60;

/// An instant meeting's size where more is free (S).
const INSTANT_CAPACITY: u32 = 10;

/// How far ahead a booking may begin: two years.
const AHEAD_MS_MAX: i64 = 2 * 366 * 24 * 60 * MINUTE_MS;

/// How long ago a booking may begin: whoever fills the form in takes his time.
const LATE_MS_MAX: i64 = 5 * MINUTE_MS;

/// What is agreed on for a meeting (S1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The host comes in with his camera on.
    pub host_video: bool,
    /// Participants come in with their cameras on.
    pub participant_video: bool,
    /// Participants come in before the host (允许主持人之前加入).
    pub join_before_host: bool,
    /// Participants come in muted.
    pub mute_on_entry: bool,
    /// Participants wait until they are admitted.
    pub waiting_room: bool,
    /// The meeting has a livestream (互动直播).
    pub livestream: bool,
    /// The meeting is recorded from its start.
    pub recording: bool,
    /// Its livestream is a webinar's (网络研讨会, B7): who wants to watch registers. Needs [`Self::livestream`].
    pub webinar: bool,
    /// Who registers for the webinar waits for its owner's word.
    pub approval: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host_video: true,
            participant_video: true,
            join_before_host: true,
            mute_on_entry: false,
            waiting_room: false,
            livestream: false,
            recording: false,
            webinar: false,
            approval: false,
        }
    }
}

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingRequest {
    /// The topic.
    pub title: String,
    /// Digits, where there is to be one.
    pub password: Option<String>,
    /// When; now, for an instant meeting (即时会议).
    pub start_ms: Option<i64>,
    /// In minutes.
    pub duration_min: Option<u32>,
    /// How many minutes before the start it may be entered: 0, 30 or 60.
    pub early_start_min: u32,
    /// The most participants (方数).
    pub capacity: Option<u32>,
    /// The shared room.
    pub room: Option<RoomId>,
    /// The IANA zone of the start, and of all that is repeated.
    pub zone: String,
    /// The value of an RRULE property.
    pub recurrence: Option<String>,
    /// S1.
    pub options: Options,
}

/// Who asks, and what he has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booker {
    /// How he books.
    pub mode: BookingMode,
    /// What his own room holds (专属).
    pub own_capacity: u32,
    /// His site has livestreams.
    pub livestream: bool,
    /// What the shared room he asks for holds, if there is such a room.
    pub room_capacity: Option<u32>,
    /// Ports that are free from now on for the duration, for the default of an instant meeting.
    pub ports_free: u32,
}

/// What is to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The topic.
    pub title: String,
    /// Digits.
    pub password: Option<String>,
    /// In minutes.
    pub duration_min: u32,
    /// In minutes.
    pub early_start_min: u32,
    /// The most participants.
    pub capacity: u32,
    /// What it needs, each time.
    pub demand: Demand,
    /// When it begins, each time.
    pub starts_ms: Vec<i64>,
}

impl Plan {
    /// What an occurrence takes, early start included.
    #[must_use]
    pub fn span(&self, start_ms: i64) -> Span {
        span(start_ms, self.duration_min, self.early_start_min)
    }

    /// What all of them take.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.starts_ms.iter().map(|start| self.span(*start)).collect()
    }
}

/// What an occurrence takes: from its early start to its end.
#[must_use]
pub fn span(start_ms: i64, duration_min: u32, early_start_min: u32) -> Span {
    Span {
        from_ms: start_ms - i64::from(early_start_min) * MINUTE_MS,
        until_ms: start_ms + i64::from(duration_min) * MINUTE_MS,
    }
}

/// Why a booking is refused before anybody looks whether there is room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBooking {
    /// The topic.
    #[error("the topic {0}")]
    Title(InvalidText),
    /// The password.
    #[error("the password {0}")]
    Password(InvalidText),
    /// It begins in the past, or more than two years ahead.
    #[error("the start is in the past or more than two years ahead")]
    Start,
    /// It is too short or too long.
    #[error("the duration is not between {DURATION_MIN_MIN} and {DURATION_MIN_MAX} minutes")]
    Duration,
    /// Neither 0, 30 nor 60.
    #[error("the early start is neither 0, 30 nor 60 minutes")]
    EarlyStart,
    /// Not between 2 and this many.
    #[error("the capacity is not between 2 and {0}")]
    Capacity(u32),
    /// No shared room was chosen, or there is none like it.
    #[error("a shared room must be chosen")]
    Room,
    /// The site has no livestream.
    #[error("this site has no livestream")]
    Livestream,
    /// A webinar is watched, and by who has registered.
    #[error("a webinar has a livestream, which is watched by who has registered")]
    Webinar,
    /// The recurrence.
    #[error(transparent)]
    Recurrence(#[from] BadRecurrence),
}

/// What a request comes to, by the rules of the booker's mode.
pub fn plan(request: &BookingRequest, booker: &Booker, now_ms: i64) -> Result<Plan, BadBooking> {
    let title = check_title(&request.title).map_err(BadBooking::Title)?;
    let password = request.password.as_deref().filter(|password| !password.is_empty());
    let password = password.map(check_password).transpose().map_err(BadBooking::Password)?;
    if request.options.livestream && !booker.livestream {
        return Err(BadBooking::Livestream);
    }
    if request.options.webinar && !request.options.livestream {
        return Err(BadBooking::Webinar);
    }
    let start = request.start_ms.unwrap_or(now_ms);
    if start < now_ms - LATE_MS_MAX || start > now_ms + AHEAD_MS_MAX {
        return Err(BadBooking::Start);
    }
    let duration_min = request.duration_min.unwrap_or(DURATION_MIN_DEFAULT);
    if !(DURATION_MIN_MIN..=DURATION_MIN_MAX).contains(&duration_min) {
        return Err(BadBooking::Duration);
    }
    let early_start_min = check_early_start(request.early_start_min)?;
    let (capacity, demand) = demand(request, booker)?;
    let starts_ms = starts(start, &request.zone, request.recurrence.as_deref())?;
    let plan = Plan { title, password, duration_min, early_start_min, capacity, demand, starts_ms };
    if plan.spans().windows(2).any(|pair| pair[0].overlaps(pair[1])) {
        return Err(BadRecurrence::Overlap.into());
    }
    Ok(plan)
}

/// How early a meeting may be entered, in minutes: one of those a booking is offered.
pub fn check_early_start(minutes: u32) -> Result<u32, BadBooking> {
    if matches!(minutes, 0 | 30 | 60) { Ok(minutes) } else { Err(BadBooking::EarlyStart) }
}

fn demand(request: &BookingRequest, booker: &Booker) -> Result<(u32, Demand), BadBooking> {
    let checked = |capacity: u32, max: u32| {
        if (2..=max).contains(&capacity) { Ok(capacity) } else { Err(BadBooking::Capacity(max)) }
    };
    match booker.mode {
        BookingMode::Dedicated => Ok((booker.own_capacity, Demand::Nothing)),
        BookingMode::Shared => {
            let (room, held) = request.room.zip(booker.room_capacity).ok_or(BadBooking::Room)?;
            Ok((checked(request.capacity.unwrap_or(held), held)?, Demand::Room(room)))
        }
        BookingMode::Concurrent => {
            let default = booker.ports_free.min(INSTANT_CAPACITY);
            let capacity = checked(request.capacity.unwrap_or(default), CAPACITY_MAX)?;
            Ok((capacity, Demand::Ports(capacity)))
        }
    }
}

/// When a meeting may be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Now, until then, where it has an end.
    Open {
        /// The beginning of the occurrence, early start included.
        from_ms: Option<i64>,
        /// The end of the occurrence.
        until_ms: Option<i64>,
    },
    /// Not yet: 会议时间未到，不能启会.
    NotYet {
        /// From then.
        from_ms: i64,
    },
    /// Never again.
    Over,
}

/// Whether a meeting may be entered now. Its spans are in order. A dedicated one may be at any time.
#[must_use]
pub fn opening(mode: BookingMode, spans: &[Span], now_ms: i64) -> Opening {
    if mode == BookingMode::Dedicated {
        return Opening::Open { from_ms: None, until_ms: None };
    }
    match spans.iter().find(|span| now_ms < span.until_ms) {
        Some(span) if span.from_ms <= now_ms => {
            Opening::Open { from_ms: Some(span.from_ms), until_ms: Some(span.until_ms) }
        }
        Some(span) => Opening::NotYet { from_ms: span.from_ms },
        None => Opening::Over,
    }
}

/// The starts that can be booked on one day (S3): every half hour, each with whether what it takes is free, early start
/// included.
#[must_use]
pub fn slots(day: Span, duration_min: u32, early_start_min: u32, is_free: impl Fn(Span) -> bool) -> Vec<(i64, bool)> {
    let mut slots = Vec::new();
    let mut start = day.from_ms;
    while start < day.until_ms {
        slots.push((start, is_free(span(start, duration_min, early_start_min))));
        start += 30 * MINUTE_MS;
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn request() -> BookingRequest {
        BookingRequest {
            title: "周会".to_owned(),
            password: Some("1234".to_owned()),
            start_ms: Some(NOW + 60 * MINUTE_MS),
            duration_min: None,
            early_start_min: 0,
            capacity: None,
            room: None,
            zone: "Asia/Shanghai".to_owned(),
            recurrence: None,
            options: Options::default(),
        }
    }

    fn booker(mode: BookingMode) -> Booker {
        Booker { mode, own_capacity: 50, livestream: false, room_capacity: Some(20), ports_free: 100 }
    }

    // product: S1, S2
    #[test]
    fn each_mode_asks_for_what_is_its_own() {
        let dedicated = plan(&request(), &booker(BookingMode::Dedicated), NOW).unwrap();
        assert_eq!((dedicated.capacity, dedicated.demand, dedicated.duration_min), (50, Demand::Nothing, 60));

        let mut shared = request();
        assert_eq!(plan(&shared, &booker(BookingMode::Shared), NOW), Err(BadBooking::Room));
        shared.room = Some(RoomId::from_u128(1));
        let planned = plan(&shared, &booker(BookingMode::Shared), NOW).unwrap();
        assert_eq!((planned.capacity, planned.demand), (20, Demand::Room(RoomId::from_u128(1))));
        shared.capacity = Some(21);
        assert_eq!(plan(&shared, &booker(BookingMode::Shared), NOW), Err(BadBooking::Capacity(20)));

        let mut concurrent = BookingRequest { capacity: Some(300), early_start_min: 30, ..request() };
        let planned = plan(&concurrent, &booker(BookingMode::Concurrent), NOW).unwrap();
        assert_eq!(planned.demand, Demand::Ports(300));
        assert_eq!(planned.spans()[0].until_ms - planned.spans()[0].from_ms, 90 * MINUTE_MS);
        concurrent.capacity = Some(501);
        assert_eq!(plan(&concurrent, &booker(BookingMode::Concurrent), NOW), Err(BadBooking::Capacity(500)));
        concurrent.early_start_min = 45;
        assert_eq!(plan(&concurrent, &booker(BookingMode::Concurrent), NOW), Err(BadBooking::EarlyStart));
    }

    // product: S1
    #[test]
    fn an_instant_concurrent_meeting_takes_ten_or_what_is_free() {
        let instant = BookingRequest { start_ms: None, ..request() };
        let size = |ports_free| {
            let booker = Booker { ports_free, ..booker(BookingMode::Concurrent) };
            plan(&instant, &booker, NOW).map(|plan| plan.capacity)
        };
        assert_eq!((size(11), size(7)), (Ok(10), Ok(7)));
        assert!(size(1).is_err());
    }

    // product: S2
    #[test]
    fn what_is_wrong_is_named() {
        let check = |change: fn(&mut BookingRequest), expected: BadBooking| {
            let mut request = request();
            change(&mut request);
            assert_eq!(plan(&request, &booker(BookingMode::Dedicated), NOW), Err(expected));
        };
        check(|r| r.title = "a<b".to_owned(), BadBooking::Title(InvalidText::Character('<')));
        check(|r| r.password = Some("12 4".to_owned()), BadBooking::Password(InvalidText::Character(' ')));
        check(|r| r.start_ms = Some(NOW - 10 * MINUTE_MS), BadBooking::Start);
        check(|r| r.duration_min = Some(1_441), BadBooking::Duration);
        check(|r| r.options.livestream = true, BadBooking::Livestream);
        check(|r| r.zone = "Nowhere".to_owned(), BadBooking::Recurrence(BadRecurrence::Zone("Nowhere".to_owned())));
        check(
            |r| {
                r.recurrence = Some("FREQ=DAILY;COUNT=3".to_owned());
                r.duration_min = Some(1_440);
                r.early_start_min = 30;
            },
            BadBooking::Recurrence(BadRecurrence::Overlap),
        );
    }

    // product: S4
    #[test]
    fn a_booked_meeting_opens_early_by_what_was_booked() {
        let spans = [span(NOW, 60, 30), span(NOW + 24 * 60 * MINUTE_MS, 60, 30)];
        let at = |minutes: i64| opening(BookingMode::Concurrent, &spans, NOW + minutes * MINUTE_MS);
        assert_eq!(at(-31), Opening::NotYet { from_ms: NOW - 30 * MINUTE_MS });
        let (from_ms, until_ms) = (Some(NOW - 30 * MINUTE_MS), Some(NOW + 60 * MINUTE_MS));
        assert_eq!(at(-30), Opening::Open { from_ms, until_ms });
        assert_eq!(at(60), Opening::NotYet { from_ms: spans[1].from_ms });
        assert_eq!(at(25 * 60), Opening::Over);
        let always = Opening::Open { from_ms: None, until_ms: None };
        assert_eq!(opening(BookingMode::Dedicated, &[], NOW), always);
    }

    // product: S3
    #[test]
    fn a_day_has_forty_eight_starts() {
        let day = Span { from_ms: NOW, until_ms: NOW + 24 * 60 * MINUTE_MS };
        let taken = span(NOW + 60 * MINUTE_MS, 60, 0);
        let busy = |early_start_min| {
            let slots = slots(day, 60, early_start_min, |span| !span.overlaps(taken));
            assert_eq!(slots.len(), 48);
            slots.iter().enumerate().filter(|(_, slot)| !slot.1).map(|(n, _)| n).collect::<Vec<_>>()
        };
        assert_eq!(busy(0), [1, 2, 3], "half an hour before it until its end");
        assert_eq!(busy(30), [1, 2, 3, 4], "and, where it is to begin early, half an hour after it");
    }
}
