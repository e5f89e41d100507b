//! Where the livestream is pushed to (B3): each target by itself.

use super::*;
use crate::{PushState, PushUrl, PushView};

/// Targets at once: each is the whole stream over the server's uplink.
const PUSHES_MAX: usize = 10;

impl Meeting {
    pub(super) fn start_push(&mut self, url: PushUrl, name: Option<&str>) -> Outcome {
        url.check().map_err(|_| Refusal::BadPushUrl)?;
        let masked = url.masked();
        let name = match name {
            Some(name) => check_name(name).map_err(|_| Refusal::BadName)?,
            None => masked.clone(),
        };
        let broadcast = self.broadcast.as_ref().ok_or(Refusal::NotLive)?;
        if broadcast.pushes.len() >= PUSHES_MAX {
            return Err(Refusal::TooManyPushes);
        }
        self.pushes_ever += 1;
        let id = self.pushes_ever;
        let push = PushView { id, name, url: masked, state: PushState::Connecting };
        let told = self.change_broadcast(|view| view.pushes.push(push));
        Ok(std::iter::once(Effect::StartPush(id, url)).chain(told).collect())
    }

    pub(super) fn stop_push(&mut self, id: u32) -> Outcome {
        let told = self.change_broadcast(|view| view.pushes.retain(|push| push.id != id));
        if told.is_empty() {
            return Err(Refusal::NoSuchPush);
        }
        Ok(std::iter::once(Effect::StopPush(id)).chain(told).collect())
    }

    pub(super) fn pushed(&mut self, id: u32, state: PushState) -> Vec<Effect> {
        self.change_broadcast(|view| {
            if let Some(push) = view.pushes.iter_mut().find(|push| push.id == id) {
                push.state = state;
            }
        })
    }
}
