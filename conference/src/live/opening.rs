//! How a meeting is found when the first one comes.

use model::{BookingMode, Opening, Refusal, Rules};
use plane::{MeetingFact, MeetingMedia};
use tokio::sync::mpsc;

use super::Resources;
use crate::{booking, now_ms, occurrence::as_held_next, registry::Entry, whiteboard::Whiteboard};

/// What a meeting is found with.
pub(super) struct Opened {
    pub(super) rules: Rules,
    pub(super) row: store::Meeting,
    pub(super) whiteboard: Whiteboard,
    pub(super) facts: mpsc::Receiver<MeetingFact>,
}

pub(super) async fn open(entry: &Entry, resources: &Resources) -> Result<(Opened, MeetingMedia), Refusal> {
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "meeting can't be opened");
        Refusal::Failed
    };
    let found = resources.store.meeting(entry.id).await.map_err(|error| failed(&error))?;
    let row = found.ok_or(Refusal::NoSuchMeeting)?;
    let begun_ms = now_ms();
    let opening = booking::opening(&resources.store, &row, begun_ms).await.map_err(|error| failed(&error))?;
    let (from_ms, until_ms) = match opening {
        Opening::Open { from_ms, until_ms } => (from_ms.unwrap_or(begun_ms), until_ms),
        Opening::NotYet { .. } => return Err(Refusal::NotYet),
        Opening::Over => return Err(Refusal::NoSuchMeeting),
    };
    let row = as_held_next(&resources.store, row).await.map_err(|error| failed(&error))?;
    // It may have been enlarged before it was last left.
    let ports = resources.store.ports_at(row.id, begun_ms).await.map_err(|error| failed(&error))?;
    let site = resources.store.site(row.site).await.map_err(|error| failed(&error))?;
    let host_pin = resources.store.phone_pin(row.owner).await.map_err(|error| failed(&error))?;
    resources.calling.learn(&resources.store, row.site).await.map_err(|error| failed(&error))?;
    let drawings = resources.store.drawings(row.id).await.map_err(|error| failed(&error))?;
    let (media, facts) = resources.plane.open_meeting(entry.id).await.map_err(|error| failed(&error))?;
    let rules = Rules {
        id: entry.id,
        number: row.number,
        title: row.title.clone(),
        password: row.password.clone(),
        host_pin,
        owner: row.owner,
        capacity: ports.unwrap_or(row.capacity) as usize,
        options: booking::options_of(&row.options),
        scalable: row.mode == BookingMode::Concurrent,
        livestream: site.is_some_and(|site| site.livestream),
        dial_out: resources.dialer.get().is_some(),
        begun_ms,
        from_ms,
        until_ms,
    };
    Ok((Opened { rules, row, whiteboard: Whiteboard::new(drawings), facts }, media))
}
