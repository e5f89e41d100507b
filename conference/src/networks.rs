//! How the networks of those in a live meeting do, for who may look at its booking.

use model::{MeetingId, Participant};
use plane::Quality;
use tokio::sync::oneshot;

use crate::{Account, BookRefused, Conference, handle::Request};

impl Conference {
    /// Everybody in the meeting, with how his network does; nobody where it is not live. Who has just come may be without figures.
    pub async fn networks(
        &self,
        by: &Account,
        id: MeetingId,
    ) -> Result<Vec<(Participant, Option<Quality>)>, BookRefused> {
        self.booking(by, id).await?;
        let Some(way) = self.shared.registry.known(id) else { return Ok(Vec::new()) };
        let (answer, answered) = oneshot::channel();
        // A meeting that ends meanwhile has nobody in it.
        if way.requests.send(Request::People { answer }).await.is_err() {
            return Ok(Vec::new());
        }
        let Ok((people, media)) = answered.await else { return Ok(Vec::new()) };
        let mut known = media.quality().await.unwrap_or_default();
        let of = |person: Participant| {
            let at = known.iter().position(|quality| quality.participant == person.id);
            (person, at.map(|at| known.swap_remove(at)))
        };
        Ok(people.into_iter().map(of).collect())
    }
}
