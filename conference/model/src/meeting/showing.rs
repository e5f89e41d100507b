//! What is shown to all besides screens (C20): one thing at a time, the newest. Whoever may share his screen may show.

use super::*;
use crate::{FileKind, HandedFile, Shown, ShownView, check_page};

/// The longest piece of a drawing, in characters of base64: some seconds of a pen, or a pasted text. Longer ones would
/// make others wait behind them.
const DRAWING_MAX: usize = 32 << 10;

/// The highest page number: books end before it.
const PAGE_MAX: u32 = 100_000;

impl Meeting {
    pub(super) fn show_whiteboard(&mut self, by: ParticipantId) -> Outcome {
        self.show(by, Shown::Whiteboard)
    }

    pub(super) fn show_page(&mut self, by: ParticipantId, url: &str, name: Option<&str>) -> Outcome {
        let url = check_page(url).map_err(|_| Refusal::BadPage)?;
        let name = name.map(check_name).transpose().map_err(|_| Refusal::BadName)?;
        self.show(by, Shown::Page { url, name })
    }

    pub(super) fn show_file(&mut self, by: ParticipantId, kind: FileKind, file: HandedFile) -> Outcome {
        self.show(by, Shown::of_file(kind, file))
    }

    fn show(&mut self, by: ParticipantId, what: Shown) -> Outcome {
        let person = self.exists(by)?;
        if person.via != ViaKind::Web {
            return Err(Refusal::NotAllowed);
        }
        if self.view.share_locked && !person.role.manages() {
            return Err(Refusal::ShareLocked);
        }
        let before = self.view.shown.as_ref().map(|shown| shown.by).filter(|before| *before != by);
        let mut effects = self.change_meeting(|meeting| meeting.shown = Some(ShownView { by, what }));
        if let Some(before) = before {
            // What he sent of it for the audience ends too.
            effects.push(Effect::Notify(before, Notice::ShareStopped));
        }
        Ok(effects)
    }

    pub(super) fn turn_to(&mut self, by: ParticipantId, to: u32) -> Outcome {
        self.may_direct(by)?;
        if !(1..=PAGE_MAX).contains(&to) {
            return Err(Refusal::NotShown);
        }
        let Some(ShownView { what: Shown::Document { .. }, .. }) = &self.view.shown else {
            return Err(Refusal::NotShown);
        };
        Ok(self.change_meeting(|meeting| {
            if let Some(ShownView { what: Shown::Document { page, .. }, .. }) = &mut meeting.shown {
                *page = to;
            }
        }))
    }

    pub(super) fn stop_showing(&mut self, by: ParticipantId) -> Outcome {
        self.may_direct(by)?;
        Ok(self.show_nothing(by))
    }

    /// Who shows it, or a host.
    fn may_direct(&self, by: ParticipantId) -> Result<(), Refusal> {
        let shown = self.view.shown.as_ref().ok_or(Refusal::NotShown)?;
        let may = shown.by == by || self.exists(by)?.role.manages();
        if may { Ok(()) } else { Err(Refusal::NotAllowed) }
    }

    /// Ends what is shown; who showed it is told unless he did it himself.
    pub(super) fn show_nothing(&mut self, by: ParticipantId) -> Vec<Effect> {
        let whose = self.view.shown.as_ref().map(|shown| shown.by);
        let mut effects = self.change_meeting(|meeting| meeting.shown = None);
        if let Some(whose) = whose.filter(|whose| *whose != by && self.seats.contains_key(whose)) {
            effects.push(Effect::Notify(whose, Notice::ShareStopped));
        }
        effects
    }

    /// Somebody's screen takes the place of what another one shows; his own may be the picture of it for the audience.
    pub(super) fn screen_is_on(&mut self, by: ParticipantId) -> Vec<Effect> {
        let is_others = self.view.shown.as_ref().is_some_and(|shown| shown.by != by);
        let is_seen = self.view.shown.as_ref().is_some_and(|shown| self.room_of(shown.by) == self.room_of(by));
        if is_others && is_seen { self.show_nothing(by) } else { Vec::new() }
    }

    /// Whether he sees the whiteboard now, and so may draw on it.
    #[must_use]
    pub fn may_draw(&self, by: ParticipantId) -> bool {
        let Some(ShownView { by: whose, what: Shown::Whiteboard }) = &self.view.shown else { return false };
        let is_web = self.participant(by).is_some_and(|person| person.via == ViaKind::Web);
        is_web && self.room_of(*whose) == self.room_of(by)
    }

    pub(super) fn draw(&self, by: ParticipantId, drawing: String) -> Outcome {
        if !self.may_draw(by) {
            return Err(Refusal::NotShown);
        }
        let is_base64 = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'=');
        if drawing.is_empty() || drawing.len() > DRAWING_MAX || !drawing.bytes().all(is_base64) {
            return Err(Refusal::BadText);
        }
        Ok(vec![Effect::Draw(by, drawing)])
    }
}
