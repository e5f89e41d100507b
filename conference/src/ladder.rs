//! What was signalled in a call: what the core needs of whoever keeps it.

use std::sync::{Arc, OnceLock};

use model::{Object, Permission};
use store::Call;
use tokio::sync::Semaphore;

use crate::{Account, AccountRefused, Conference};

/// Keeps the messages of calls for some time. The telephone edge does; both are asked on a thread that may wait.
pub trait Ladders: Send + Sync {
    /// As people read it, numbers masked; none where nothing is kept of this call.
    fn text(&self, call: &Call) -> Option<String>;

    /// As a file of packets (`pcap`): whole messages, numbers as they were sent.
    fn pcap(&self, call: &Call) -> Option<Vec<u8>>;
}

/// In which form it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LadderForm {
    /// [`Ladders::text`].
    Text,
    /// [`Ladders::pcap`].
    Pcap,
}

/// Where the ladders are, and who looks for one: one at a time, for each reads a lot.
pub(crate) struct LadderSlot {
    ladders: OnceLock<Arc<dyn Ladders>>,
    turn: Semaphore,
}

impl Default for LadderSlot {
    fn default() -> Self {
        Self { ladders: OnceLock::new(), turn: Semaphore::new(1) }
    }
}

impl Conference {
    /// Who keeps what is signalled from now on; the first one stays.
    pub fn set_ladders(&self, ladders: Arc<dyn Ladders>) {
        if self.shared.ladders.ladders.set(ladders).is_err() {
            tracing::warn!("there are ladders already");
        }
    }

    /// One call, for who may see those of its site; one that reached none, for the operator.
    pub async fn call(&self, by: &Account, id: &str) -> Result<Call, AccountRefused> {
        let call = self.store().call(id).await?.ok_or(AccountRefused::Missing)?;
        match call.site {
            Some(site) => drop(self.site(by, site, Permission::Read).await?),
            None if by.may(Permission::Read, Object::Sites) => {}
            None => return Err(AccountRefused::Missing),
        }
        Ok(call)
    }

    /// What was signalled in it. Who looked is written down: whole numbers may be in it.
    pub async fn ladder(&self, by: &Account, id: &str, form: LadderForm) -> Result<Vec<u8>, AccountRefused> {
        let call = self.call(by, id).await?;
        let slot = &self.shared.ladders;
        let ladders = slot.ladders.get().map(Arc::clone).ok_or(AccountRefused::Missing)?;
        let _turn = slot.turn.acquire().await.map_err(|_| AccountRefused::Failed)?;
        let (site, object) = (call.site.unwrap_or(by.site_id), format!("call/{}", call.id));
        let found = tokio::task::spawn_blocking(move || match form {
            LadderForm::Text => ladders.text(&call).map(String::into_bytes),
            LadderForm::Pcap => ladders.pcap(&call),
        });
        let found = found.await.map_err(|_| AccountRefused::Failed)?.ok_or(AccountRefused::Missing)?;
        let action = if form == LadderForm::Text { "call.read_ladder" } else { "call.read_packets" };
        self.note(site, Some(by.id), action, &object).await;
        Ok(found)
    }
}
