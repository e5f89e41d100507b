//! One time of a series that is held otherwise than the rest (S5).

use model::{BadBooking, BookingMode, BookingRequest, MeetingId, Options, Permission, RoomId};
use serde::{Deserialize, Serialize};
use store::{Change, Occurrence, StoreError};

use crate::{
    Account, BookRefused, Conference, MeetingInfo,
    booking::{is_now, options_of, options_text},
    now_ms,
};

/// What is to be different for one time. What is absent stays as it is for that time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OccurrenceChange {
    /// The topic.
    pub title: Option<String>,
    /// Digits; empty: none is asked for.
    pub password: Option<String>,
    /// When.
    pub start_ms: Option<i64>,
    /// In minutes; only where the room is the account's own.
    pub duration_min: Option<u32>,
    /// In minutes.
    pub early_start_min: Option<u32>,
    /// 方数.
    pub capacity: Option<u32>,
    /// The shared room.
    pub room: Option<RoomId>,
    /// S1.
    pub options: Option<Options>,
}

/// What a time has of its own beside its topic, as it is kept.
#[derive(Serialize, Deserialize)]
struct Own {
    password: Option<String>,
    capacity: u32,
    room: Option<RoomId>,
    options: Options,
    duration_min: u32,
    early_start_min: u32,
}

/// A meeting as it is held at that time.
pub(crate) fn as_held(meeting: store::Meeting, held: &Occurrence) -> store::Meeting {
    let title = held.title.clone().unwrap_or_else(|| meeting.title.clone());
    let own: Option<Own> = held.own.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let Some(own) = own else { return store::Meeting { title, ..meeting } };
    store::Meeting {
        title,
        password: own.password,
        capacity: own.capacity,
        room: own.room,
        options: options_text(own.options),
        duration_min: own.duration_min,
        early_start_min: own.early_start_min,
        ..meeting
    }
}

/// A meeting as it is held now, or the next time.
pub(crate) async fn as_held_next(store: &store::Store, meeting: store::Meeting) -> Result<store::Meeting, StoreError> {
    if meeting.recurrence.is_none() {
        return Ok(meeting);
    }
    let now = now_ms();
    let held = store.occurrences(meeting.id).await?.into_iter().find(|held| held.span.until_ms > now);
    Ok(match held {
        Some(held) => as_held(meeting, &held),
        None => meeting,
    })
}

impl Conference {
    /// One time of a series, as it is held then.
    pub async fn occurrence(
        &self,
        by: &Account,
        id: MeetingId,
        original_ms: i64,
    ) -> Result<(MeetingInfo, Occurrence), BookRefused> {
        let known = self.owned(by, id, Permission::Read).await?;
        let held = self.time_of(&known, original_ms).await?;
        Ok((self.info(as_held(known, &held)), held))
    }

    async fn time_of(&self, known: &store::Meeting, original_ms: i64) -> Result<Occurrence, BookRefused> {
        let mut all = self.store().occurrences(known.id).await?.into_iter();
        all.find(|held| held.original_ms == original_ms).ok_or(BookRefused::Missing)
    }

    /// Changes one time of a series; the others stay. Who was invited is told of that time alone.
    pub async fn change_occurrence(
        &self,
        by: &Account,
        id: MeetingId,
        original_ms: i64,
        change: OccurrenceChange,
    ) -> Result<(), BookRefused> {
        let known = self.owned(by, id, Permission::Write).await?;
        let held = self.time_of(&known, original_ms).await?;
        let before = as_held(known.clone(), &held);
        if change.start_ms.unwrap_or(held.start_ms) < now_ms() {
            return Err(BadBooking::Start.into());
        }
        let lasts = change.duration_min.unwrap_or(before.duration_min);
        if known.mode != BookingMode::Dedicated && lasts != before.duration_min {
            return Err(BookRefused::FixedTime);
        }
        let room = change.room.or(before.room);
        // Another room holds what it holds.
        let capacity = change.capacity.or_else(|| (room == before.room).then_some(before.capacity));
        let request = BookingRequest {
            title: change.title.unwrap_or(before.title),
            password: change.password.or(before.password),
            start_ms: Some(change.start_ms.unwrap_or(held.start_ms)),
            duration_min: Some(lasts),
            early_start_min: change.early_start_min.unwrap_or(before.early_start_min),
            capacity,
            room,
            zone: known.zone.clone(),
            recurrence: None,
            options: change.options.unwrap_or_else(|| options_of(&before.options)),
        };
        let as_owner = Account { mode: known.mode, ..self.owner_of(&known).await? };
        let plan = self.plan(&as_owner, &request, now_ms()).await?;
        let own = Own {
            password: plan.password.clone(),
            capacity: plan.capacity,
            room: room.filter(|_| known.mode == BookingMode::Shared),
            options: request.options,
            duration_min: plan.duration_min,
            early_start_min: plan.early_start_min,
        };
        let start_ms = plan.starts_ms[0];
        let (title, own) =
            (Some(plan.title.clone()), serde_json::to_string(&own).expect("plain values have a JSON form"));
        let to = Change { start_ms, span: plan.span(start_ms), demand: plan.demand, title, own: Some(own) };
        self.store().change_occurrence(&known, original_ms, Some(&to)).await?;
        self.tell_of_booking(id).await;
        self.note(by.site_id, Some(by.id), "meeting.change_one", &format!("meeting {id}")).await;
        let held = Occurrence { start_ms, span: to.span, title: to.title, own: to.own, ..held };
        Ok(self.tell_invited(&as_held(known, &held), false, Some(&held)).await?)
    }

    /// Cancels one time of a series. Not while people are in.
    pub async fn cancel_occurrence(&self, by: &Account, id: MeetingId, original_ms: i64) -> Result<(), BookRefused> {
        let known = self.owned(by, id, Permission::Write).await?;
        let held = self.time_of(&known, original_ms).await?;
        let runs = is_now(held.span, now_ms());
        if runs && self.is_live(id) {
            return Err(BookRefused::InProgress);
        }
        self.store().change_occurrence(&known, original_ms, None).await?;
        if runs {
            self.close_door(id).await;
        } else {
            self.tell_of_booking(id).await;
        }
        self.note(by.site_id, Some(by.id), "meeting.cancel_one", &format!("meeting {id}")).await;
        Ok(self.tell_invited(&as_held(known, &held), true, Some(&held)).await?)
    }
}
