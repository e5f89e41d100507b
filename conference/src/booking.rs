//! Booking (预约会议): what the rules of `model` allow is written into the ledger, and changes are told to who was invited.

use model::{
    AccountId, BadBooking, Booker, BookingMode, BookingRequest, Command, Demand, Ledger, MeetingId, MeetingNumber,
    NoCapacity, Object, Opening, Options, Permission, Plan, RoomId, Span, Terms,
};
use store::{BookError, Occurrence, Page, Running, StoreError};
use uuid::Uuid;

use crate::{
    Account, Conference, Tongue, draw_number,
    handle::Request,
    now_ms,
    occurrence::{as_held, as_held_next},
};

/// Meeting numbers that are drawn until one is free.
const NUMBER_TRIES: usize = 10;

/// A meeting that is never over has an occurrence that long for lists: whoever looks at them sees it until then.
const INSTANT_DEDICATED_MIN: u32 = 24 * 60;

/// A meeting as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingInfo {
    /// For ever.
    pub id: MeetingId,
    /// Who booked it.
    pub owner: AccountId,
    /// What people key in.
    pub number: MeetingNumber,
    /// The topic.
    pub title: String,
    /// Digits, where there is one.
    pub password: Option<String>,
    /// As the owner's was when he booked.
    pub mode: BookingMode,
    /// 方数.
    pub capacity: u32,
    /// The shared room.
    pub room: Option<RoomId>,
    /// S1.
    pub options: Options,
    /// IANA.
    pub zone: String,
    /// The value of an RRULE property.
    pub recurrence: Option<String>,
    /// The first time.
    pub start_ms: i64,
    /// In minutes.
    pub duration_min: u32,
    /// In minutes.
    pub early_start_min: u32,
    /// It has the account's personal number and never ends.
    pub personal: bool,
    /// Raised by each change.
    pub version: i64,
    /// Somebody is in it.
    pub live: bool,
}

/// Why nothing is booked.
#[derive(Debug, thiserror::Error)]
pub enum BookRefused {
    /// It can't be, whatever is free.
    #[error(transparent)]
    Bad(#[from] BadBooking),
    /// There is no room for it.
    #[error(transparent)]
    NoCapacity(#[from] NoCapacity),
    /// Start and duration of a shared or concurrent booking stay as they are.
    #[error("start and duration can't be changed")]
    FixedTime,
    /// People are in it: it is ended first.
    #[error("it is in progress")]
    InProgress,
    /// Somebody has changed it meanwhile.
    #[error("it has been changed meanwhile")]
    Changed,
    /// There is none, or it is another's.
    #[error("there is no such meeting")]
    Missing,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BookError> for BookRefused {
    fn from(error: BookError) -> Self {
        match error {
            BookError::NoCapacity(error) => Self::NoCapacity(error),
            BookError::Changed => Self::Changed,
            BookError::Missing => Self::Missing,
            BookError::Store(error) => Self::Store(error),
        }
    }
}

/// One start of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeSlot {
    /// Milliseconds since 1970, UTC.
    pub start_ms: i64,
    /// It can be booked.
    pub free: bool,
}

/// What is free at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// Ports of the site that are free throughout.
    pub ports_free: u32,
    /// The shared rooms, the smallest first, each with whether it is free throughout (可用/不可用).
    pub rooms: Vec<(store::Room, bool)>,
}

impl Conference {
    /// Books a meeting (S1–S5), or begins one now (即时会议).
    pub async fn book(&self, by: &Account, request: BookingRequest) -> Result<MeetingInfo, BookRefused> {
        let plan = self.plan(by, &request, now_ms()).await?;
        if request.start_ms.is_none() && by.mode == BookingMode::Dedicated {
            return self.open_personal(by, plan, &request).await;
        }
        let mut meeting = store::Meeting {
            id: MeetingId::new(Uuid::now_v7()),
            owner: by.id,
            site: by.site_id,
            number: draw_number(),
            title: plan.title.clone(),
            password: plan.password.clone(),
            capacity: plan.capacity,
            mode: by.mode,
            room: request.room.filter(|_| by.mode == BookingMode::Shared),
            options: options_text(request.options),
            zone: request.zone.clone(),
            recurrence: request.recurrence.clone(),
            start_ms: plan.starts_ms[0],
            duration_min: plan.duration_min,
            early_start_min: plan.early_start_min,
            personal: false,
            created_ms: now_ms(),
            version: 1,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            match self.store().book(&meeting, plan.demand, &times(&plan)).await {
                Ok(()) => break,
                // Somebody has the number, once in nine hundred million.
                Err(BookError::Store(StoreError::Exists(_))) if tries < NUMBER_TRIES => meeting.number = draw_number(),
                Err(error) => return Err(error.into()),
            }
        }
        self.note(by.site_id, Some(by.id), "meeting.book", &format!("meeting {}", meeting.id)).await;
        Ok(self.info(meeting))
    }

    /// A dedicated account's instant meeting has its personal number, always the same.
    async fn open_personal(
        &self,
        by: &Account,
        plan: Plan,
        request: &BookingRequest,
    ) -> Result<MeetingInfo, BookRefused> {
        let known = match self.store().personal_meeting(by.id).await? {
            Some(meeting) => meeting,
            None => self.make_personal(MeetingId::new(Uuid::now_v7()), by, &plan.title, None).await?,
        };
        let meeting = store::Meeting {
            title: plan.title,
            password: plan.password,
            capacity: plan.capacity,
            options: options_text(request.options),
            ..known
        };
        self.store().rebook(&meeting, Demand::Nothing, &[], now_ms(), false, Running::Stays).await?;
        self.tell_of_booking(meeting.id).await;
        Ok(self.info(store::Meeting { version: meeting.version + 1, ..meeting }))
    }

    /// The meeting that has a dedicated account's personal number.
    pub(crate) async fn make_personal(
        &self,
        id: MeetingId,
        by: &Account,
        title: &str,
        password: Option<String>,
    ) -> Result<store::Meeting, BookRefused> {
        let now = now_ms();
        let mut meeting = store::Meeting {
            id,
            owner: by.id,
            site: by.site_id,
            number: draw_number(),
            title: title.to_owned(),
            password,
            capacity: by.capacity,
            mode: BookingMode::Dedicated,
            room: None,
            options: options_text(Options::default()),
            zone: "Asia/Shanghai".to_owned(),
            recurrence: None,
            start_ms: now,
            duration_min: INSTANT_DEDICATED_MIN,
            early_start_min: 0,
            personal: true,
            created_ms: now,
            version: 1,
        };
        for _ in 0..NUMBER_TRIES {
            match self.store().book(&meeting, Demand::Nothing, &[]).await {
                Ok(()) => return Ok(meeting),
                Err(BookError::Store(StoreError::Exists(_))) => meeting.number = draw_number(),
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Exists("meeting").into())
    }

    /// What a request comes to that is made at `now`.
    pub(crate) async fn plan(&self, by: &Account, request: &BookingRequest, now: i64) -> Result<Plan, BookRefused> {
        let site = self.store().site(by.site_id).await?.ok_or(BookRefused::Missing)?;
        let room = match request.room {
            Some(room) => self.store().room(room).await?.filter(|room| room.site == by.site_id),
            None => None,
        };
        let start = request.start_ms.unwrap_or(now);
        let duration = request.duration_min.unwrap_or(model::DURATION_MIN_DEFAULT).min(model::DURATION_MIN_MAX);
        // A start far out of range is refused by the rules, not by arithmetic.
        let start = start.clamp(0, now.saturating_mul(2));
        let within = model::span(start, duration, request.early_start_min.min(60));
        let taken = self.store().taken(by.site_id, within).await?;
        let booker = Booker {
            mode: by.mode,
            own_capacity: by.capacity,
            livestream: site.livestream,
            room_capacity: room.map(|room| room.capacity),
            ports_free: Ledger::new(site.ports, &taken).ports_free(within),
        };
        Ok(model::plan(request, &booker, now)?)
    }

    /// Changes a booking. What a shared or concurrent one takes of the site is fixed in time (S). Where the series keeps
    /// its times, what was cancelled stays so, and what was changed of one time stays too.
    pub async fn rebook(
        &self,
        by: &Account,
        id: MeetingId,
        version: Option<i64>,
        request: BookingRequest,
    ) -> Result<MeetingInfo, BookRefused> {
        let known = self.owned(by, id, Permission::Write).await?;
        if version.is_some_and(|version| version != known.version) {
            return Err(BookRefused::Changed);
        }
        let owner = self.owner_of(&known).await?;
        let moves = request.start_ms.is_some_and(|start| start != known.start_ms);
        let lasts_otherwise = request.duration_min.is_some_and(|duration| duration != known.duration_min);
        if known.mode != BookingMode::Dedicated && (moves || lasts_otherwise) {
            return Err(BookRefused::FixedTime);
        }
        let now = now_ms();
        // What has begun is planned as it was then; the past is kept by the ledger.
        let has_begun = known.start_ms < now && !moves;
        let request = BookingRequest {
            start_ms: Some(request.start_ms.unwrap_or(known.start_ms)),
            duration_min: Some(request.duration_min.unwrap_or(known.duration_min)),
            capacity: request.capacity.or(Some(known.capacity)),
            ..request
        };
        let as_owner = Account { mode: known.mode, ..owner };
        let plan = self.plan(&as_owner, &request, if has_begun { known.start_ms } else { now }).await?;
        let meeting = store::Meeting {
            title: plan.title.clone(),
            password: plan.password.clone(),
            capacity: plan.capacity,
            room: request.room.filter(|_| known.mode == BookingMode::Shared),
            options: options_text(request.options),
            zone: request.zone.clone(),
            recurrence: request.recurrence.clone(),
            start_ms: if has_begun { known.start_ms } else { plan.starts_ms[0] },
            duration_min: plan.duration_min,
            early_start_min: plan.early_start_min,
            ..known.clone()
        };
        let held = self.store().occurrences(id).await?;
        let mut times = times(&plan);
        times.retain(|(start, _)| !has_begun || *start > now);
        let keeps_times = known.recurrence.is_some()
            && (&known.recurrence, &known.zone, known.start_ms)
                == (&meeting.recurrence, &meeting.zone, meeting.start_ms);
        if keeps_times {
            times.retain(|(start, _)| held.iter().any(|held| held.original_ms == *start));
        }
        let runs = held.iter().find(|held| is_now(held.span, now));
        let running = match runs {
            Some(held) if has_begun && lasts_otherwise => Running::Ends(plan.span(held.start_ms).until_ms),
            _ if (known.capacity, known.room) != (meeting.capacity, meeting.room) => Running::Takes,
            _ => Running::Stays,
        };
        self.store().rebook(&meeting, plan.demand, &times, now, keeps_times, running).await?;
        self.tell_of_booking(id).await;
        self.note(by.site_id, Some(by.id), "meeting.change", &format!("meeting {id}")).await;
        let meeting = store::Meeting { version: meeting.version + 1, ..meeting };
        self.tell_invited(&meeting, false, None).await?;
        Ok(self.info(meeting))
    }

    /// A meeting that is live learns what its booking says from now on.
    pub(crate) async fn tell_of_booking(&self, id: MeetingId) {
        let Some(way) = self.shared.registry.known(id) else { return };
        match self.terms(id).await {
            // One that has just ended needs none.
            Ok(Some(terms)) => drop(way.requests.send(Request::Decided(Command::Rebooked(terms))).await),
            Ok(None) => {}
            Err(error) => tracing::error!(meeting_id = %id, %error, "meeting can't be told of its booking"),
        }
    }

    async fn terms(&self, id: MeetingId) -> Result<Option<Terms>, StoreError> {
        let Some(meeting) = self.store().meeting(id).await? else { return Ok(None) };
        let meeting = as_held_next(self.store(), meeting).await?;
        // It may have been enlarged.
        let ports = self.store().ports_at(id, now_ms()).await?;
        Ok(Some(Terms {
            capacity: ports.unwrap_or(meeting.capacity) as usize,
            options: options_of(&meeting.options),
            title: meeting.title,
            password: meeting.password,
        }))
    }

    /// Who waits at the door of a meeting that is not to be is told; nobody is in it.
    pub(crate) async fn close_door(&self, id: MeetingId) {
        if let Some(way) = self.shared.registry.known(id) {
            // One that has just ended has told them.
            let _ = way.requests.send(Request::Decided(Command::Cancelled)).await;
        }
    }

    /// Deletes a booking (S6): it is gone from every list, and who was invited is told. Not while people are in.
    pub async fn cancel(&self, by: &Account, id: MeetingId) -> Result<(), BookRefused> {
        let known = self.owned(by, id, Permission::Write).await?;
        if self.is_live(id) {
            return Err(BookRefused::InProgress);
        }
        self.tell_invited(&known, true, None).await?;
        if !self.store().delete_meeting(id, now_ms()).await? {
            return Err(BookRefused::Missing);
        }
        self.close_door(id).await;
        self.note(by.site_id, Some(by.id), "meeting.delete", &format!("meeting {id}")).await;
        Ok(())
    }

    /// A booking, for somebody who may look at it.
    pub async fn booking(&self, by: &Account, id: MeetingId) -> Result<MeetingInfo, BookRefused> {
        Ok(self.info(self.owned(by, id, Permission::Read).await?))
    }

    pub(crate) async fn owned(
        &self,
        by: &Account,
        id: MeetingId,
        permission: Permission,
    ) -> Result<store::Meeting, BookRefused> {
        let found = self.store().meeting(id).await?;
        let may =
            |meeting: &store::Meeting| by.may(permission, Object::Owned { site: meeting.site, owner: meeting.owner });
        found.filter(may).ok_or(BookRefused::Missing)
    }

    pub(crate) async fn owner_of(&self, meeting: &store::Meeting) -> Result<Account, BookRefused> {
        let owner = self.store().account(meeting.owner).await?.ok_or(BookRefused::Missing)?;
        Ok(Account::of(owner, None))
    }

    /// When a booking is held, in order.
    pub async fn occurrences(&self, by: &Account, id: MeetingId) -> Result<Vec<Occurrence>, BookRefused> {
        let known = self.owned(by, id, Permission::Read).await?;
        Ok(self.store().occurrences(known.id).await?)
    }

    /// One's own bookings (S6), and the personal meeting.
    pub async fn agenda(&self, of: &Account, page: &Page<'_>) -> Result<Vec<(MeetingInfo, Occurrence)>, StoreError> {
        let found = self.store().meetings_of(of.id, now_ms(), page).await?;
        Ok(found.into_iter().map(|(meeting, held)| (self.info(as_held(meeting, &held)), held)).collect())
    }

    /// A dedicated account's own meeting, made when it is first asked for and named in the language of who asks.
    pub async fn personal_meeting(&self, of: &Account, tongue: Tongue) -> Result<Option<MeetingInfo>, BookRefused> {
        if of.mode != BookingMode::Dedicated {
            return Ok(None);
        }
        let meeting = match self.store().personal_meeting(of.id).await? {
            Some(meeting) => meeting,
            None => {
                let (title, plain) = match tongue {
                    Tongue::Chinese => (format!("{}的会议", of.display_name), "会议"),
                    Tongue::English => (format!("{}’s meeting", of.display_name), "Meeting"),
                };
                // A name may have marks that topics refuse.
                let title = model::check_title(&title).unwrap_or_else(|_| plain.to_owned());
                self.make_personal(MeetingId::new(Uuid::now_v7()), of, &title, None).await?
            }
        };
        Ok(Some(self.info(meeting)))
    }

    /// The starts of a day at which a meeting of this size, duration and early start can be booked (S3).
    pub async fn free_slots(
        &self,
        by: &Account,
        day: Span,
        capacity: u32,
        duration_min: u32,
        early_start_min: u32,
    ) -> Result<Vec<FreeSlot>, BookRefused> {
        let site = self.store().site(by.site_id).await?.ok_or(BookRefused::Missing)?;
        let rooms = self.store().rooms(by.site_id).await?;
        let rooms: Vec<RoomId> = rooms.iter().filter(|room| room.capacity >= capacity).map(|room| room.id).collect();
        let first = model::span(day.from_ms, duration_min, early_start_min);
        let within = Span { until_ms: day.until_ms + i64::from(duration_min) * 60_000, ..first };
        let taken = self.store().taken(by.site_id, within).await?;
        let ledger = Ledger::new(site.ports, &taken);
        let now = now_ms();
        let is_free = |span: Span| match by.mode {
            BookingMode::Dedicated => true,
            BookingMode::Shared => rooms.iter().any(|room| ledger.room_taken(*room, span).is_none()),
            BookingMode::Concurrent => ledger.ports_free(span) >= capacity,
        };
        let slots = model::slots(day, duration_min, early_start_min, is_free);
        // Whoever may begin early may still book when that time has come.
        let slot = |(start_ms, free)| FreeSlot { start_ms, free: free && start_ms >= now };
        Ok(slots.into_iter().map(slot).collect())
    }

    /// What is free throughout a time.
    pub async fn capacity(&self, by: &Account, within: Span) -> Result<Capacity, BookRefused> {
        let site = self.store().site(by.site_id).await?.ok_or(BookRefused::Missing)?;
        let rooms = self.store().rooms(by.site_id).await?;
        let taken = self.store().taken(by.site_id, within).await?;
        let ledger = Ledger::new(site.ports, &taken);
        let is_free = |room: &store::Room| ledger.room_taken(room.id, within).is_none();
        let rooms = rooms.into_iter().map(|room| (room.clone(), is_free(&room))).collect();
        Ok(Capacity { ports_free: ledger.ports_free(within), rooms })
    }

    /// By how many a live meeting can be enlarged (C14), for who manages it from the seat that `secret` gives.
    pub async fn growth_from_seat(&self, id: MeetingId, secret: String) -> Result<u32, BookRefused> {
        self.whose_seat(id, secret).await.filter(|seat| seat.manages).ok_or(BookRefused::Missing)?;
        let known = self.store().meeting(id).await?.ok_or(BookRefused::Missing)?;
        let (own, most) = self.store().ports_within_reach(&known, now_ms()).await?;
        Ok(most.min(model::CAPACITY_MAX).saturating_sub(own))
    }

    /// Whether a meeting may be entered now.
    pub(crate) async fn opening(&self, meeting: &store::Meeting) -> Result<Opening, StoreError> {
        opening(self.store(), meeting, now_ms()).await
    }

    pub(crate) fn info(&self, meeting: store::Meeting) -> MeetingInfo {
        MeetingInfo {
            live: self.is_live(meeting.id),
            options: options_of(&meeting.options),
            id: meeting.id,
            owner: meeting.owner,
            number: meeting.number,
            title: meeting.title,
            password: meeting.password,
            mode: meeting.mode,
            capacity: meeting.capacity,
            room: meeting.room,
            zone: meeting.zone,
            recurrence: meeting.recurrence,
            start_ms: meeting.start_ms,
            duration_min: meeting.duration_min,
            early_start_min: meeting.early_start_min,
            personal: meeting.personal,
            version: meeting.version,
        }
    }
}

pub(crate) fn is_now(span: Span, now_ms: i64) -> bool {
    (span.from_ms..span.until_ms).contains(&now_ms)
}

fn times(plan: &Plan) -> Vec<(i64, Span)> {
    plan.starts_ms.iter().map(|start| (*start, plan.span(*start))).collect()
}

pub(crate) fn options_text(options: Options) -> String {
    serde_json::to_string(&options).expect("flags have a JSON form")
}

/// Whether a meeting may be entered at this time.
pub(crate) async fn opening(
    store: &store::Store,
    meeting: &store::Meeting,
    now_ms: i64,
) -> Result<Opening, StoreError> {
    if meeting.mode == BookingMode::Dedicated {
        return Ok(model::opening(meeting.mode, &[], now_ms));
    }
    let spans: Vec<Span> = store.occurrences(meeting.id).await?.iter().map(|held| held.span).collect();
    Ok(model::opening(meeting.mode, &spans, now_ms))
}

/// What an older server wrote lacks the newer options, which have their defaults.
pub(crate) fn options_of(text: &str) -> Options {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_agreed_on_with_an_older_server_holds() {
        let kept = options_of(r#"{"host_video":false,"waiting_room":true}"#);
        assert_eq!(kept, Options { host_video: false, waiting_room: true, ..Options::default() });
        assert_eq!(options_of("{}"), Options::default());
    }
}
