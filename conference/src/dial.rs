//! Telephones called from a meeting (C22): what the core needs of whoever can call them.

use std::sync::{Arc, OnceLock};

use model::{Command, DialState, MeetingId, PhoneNumber, Refusal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{calling::Admission, handle::Request};

/// Calls telephones. The telephone edge is one; without it none are called.
pub trait Dialer: Send + Sync {
    /// What somebody wrote as the number that is dialled; [`Refusal::BadNumber`] or [`Refusal::NumberNotAllowed`].
    fn read(&self, written: &str) -> Result<Callee, Refusal>;

    /// Calls somebody, and comes into the meeting with him if he wants to. Doesn't wait.
    fn dial(&self, call: DialOut);
}

/// Who is called.
pub struct Callee {
    /// As it is dialled.
    pub number: PhoneNumber,
    /// Of a minute, in thousandths of the currency; none for telephones of the house, which cost nothing.
    pub price: Option<i64>,
}

/// Somebody to be called.
pub struct DialOut {
    /// Where he is invited to.
    pub meeting: MeetingId,
    /// Names the call in that meeting: he joins by it.
    pub dial: u32,
    /// As [`Dialer::read`] has it.
    pub number: PhoneNumber,
    /// Set when nobody wants him any more.
    pub stop: CancellationToken,
    /// That the site may; none for telephones of the house.
    pub admission: Option<Admission>,
    pub(crate) requests: mpsc::Sender<Request>,
}

impl DialOut {
    /// What became of it, for the meeting to know.
    pub async fn tell(&self, state: DialState) {
        // A meeting that has ended needs no telling.
        let _ = self.requests.send(Request::Decided(Command::Dialed(self.dial, state))).await;
    }
}

/// The dialer, once there is one.
pub(crate) type DialerSlot = Arc<OnceLock<Arc<dyn Dialer>>>;
