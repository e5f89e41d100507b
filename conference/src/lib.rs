//! Live meetings as tasks, accounts and sessions, livestreams: what the rules of `model` decide is carried out here.
//!
//! The edges (`api`, `gateway`) hold a [`Conference`] and, for each participant, a [`Seat`]. Media is told to `plane`
//! directly; rows are written to `store` here and nowhere else.

mod broadcast;
mod chairs;
mod demo;
mod handle;
mod live;
mod lockout;
mod login;
mod registry;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, sync::Arc, time::Duration};

use model::{
    AccountId, BroadcastId, Join, MeetingId, MeetingNumber, ParticipantId, PhoneNumber, Refusal, check_password,
    check_title,
};
use plane::{LegId, Plane};
use store::{Store, StoreError};
use streaming::Streaming;
use tokio::sync::oneshot;
use uuid::Uuid;

pub use demo::DemoSite;
pub use handle::{MediaRefused, MeetingHandle, Seat, SeatEvent};
pub use login::{LoginRefused, Session};
pub use model::{Action, EndReason, Event, InvalidText, Notice, Snapshot};
pub use plane::SlotAssigned;

use handle::Request;
use live::Resources;
use login::Logins;
use registry::Registry;

/// How long the server waits, at its end, for meetings to have told everyone and for studios to have written their last
/// pictures (two seconds). The server as a whole has five.
const DRAIN: Duration = Duration::from_millis(2_500);

/// Meeting numbers that are drawn until one is free.
const NUMBER_TRIES: usize = 10;

/// Meetings that may end under the hands of somebody who wants to come in, until he is told that something is wrong.
const JOIN_TRIES: usize = 3;

/// Settings of the core.
#[derive(Debug, Clone)]
pub struct ConferenceConfig {
    /// The most participants of an instant meeting.
    pub capacity: u32,
    /// How long a login lasts.
    pub session: Duration,
}

impl Default for ConferenceConfig {
    fn default() -> Self {
        Self { capacity: 100, session: Duration::from_secs(7 * 24 * 3600) }
    }
}

/// Somebody logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// For ever.
    pub id: AccountId,
    /// What he types at the login.
    pub name: String,
    /// As others read it.
    pub display_name: String,
    /// Its name.
    pub site: String,
}

/// A meeting as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingInfo {
    /// For ever.
    pub id: MeetingId,
    /// What people key in.
    pub number: MeetingNumber,
    /// The topic.
    pub title: String,
    /// Six digits, where there is one.
    pub password: Option<String>,
    /// Somebody is in it.
    pub live: bool,
}

/// What a stranger who knows the number may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// To join by.
    pub id: MeetingId,
    /// What people key in.
    pub number: MeetingNumber,
    /// The topic.
    pub title: String,
    /// It asks for one.
    pub needs_password: bool,
    /// Somebody is in it.
    pub live: bool,
}

/// A meeting to be created.
#[derive(Debug, Clone)]
pub struct NewMeeting {
    /// The topic.
    pub title: String,
    /// Six digits.
    pub password: Option<String>,
}

/// Why a meeting is not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateRefused {
    /// The topic.
    #[error("the topic {0}")]
    Title(InvalidText),
    /// The password.
    #[error("the password {0}")]
    Password(InvalidText),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What somebody comes by.
#[derive(Debug, Clone)]
pub enum Via {
    /// A browser.
    Web,
    /// A telephone.
    Phone {
        /// Who calls.
        number: PhoneNumber,
        /// His sound.
        leg: LegId,
    },
}

/// Somebody who wants to come in.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// Where.
    pub meeting: MeetingId,
    /// Where there is one.
    pub password: Option<String>,
    /// A caller has none.
    pub name: Option<String>,
    /// Where he is logged in.
    pub account: Option<Account>,
    /// What he comes by.
    pub via: Via,
    /// The secret of the seat he had.
    pub resume: Option<String>,
    /// Where he comes from.
    pub source: IpAddr,
}

/// Why the core could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ConferenceError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A password could not be hashed.
    #[error("a password can't be hashed: {0}")]
    Hash(String),
}

/// The core. Clones are handles to the same.
#[derive(Clone)]
pub struct Conference {
    shared: Arc<Shared>,
}

struct Shared {
    config: ConferenceConfig,
    resources: Resources,
    logins: Logins,
    registry: Arc<Registry>,
}

impl Conference {
    /// Begins with what is in the database.
    pub async fn start(
        config: ConferenceConfig,
        store: Store,
        plane: Plane,
        streaming: Streaming,
    ) -> Result<Self, ConferenceError> {
        let resources = Resources { store, plane, streaming };
        let (logins, registry) = (Logins::new().await?, Arc::default());
        Ok(Self { shared: Arc::new(Shared { config, resources, logins, registry }) })
    }

    /// Logs in (L1); the wrong password and the unknown name are answered alike and after the same time.
    pub async fn login(&self, name: &str, password: String, client: IpAddr) -> Result<Session, LoginRefused> {
        let shared = &self.shared;
        shared.logins.login(self.store(), shared.config.session, name, password, client).await
    }

    /// Whose session a token is.
    pub async fn session(&self, token: &str) -> Result<Option<Account>, StoreError> {
        login::session(self.store(), token).await
    }

    /// Ends a session (L7).
    pub async fn logout(&self, token: &str) -> Result<(), StoreError> {
        self.store().remove_session(&login::sha256(token)).await
    }

    /// Creates an instant meeting (即时会议) with a number of its own.
    pub async fn create_meeting(&self, by: &Account, new: NewMeeting) -> Result<MeetingInfo, CreateRefused> {
        let title = check_title(&new.title).map_err(CreateRefused::Title)?;
        let password = new.password.filter(|password| !password.is_empty());
        let password = password.map(|password| check_password(&password)).transpose();
        let new = NewMeeting { title, password: password.map_err(CreateRefused::Password)? };
        Ok(self.add_meeting(MeetingId::new(Uuid::now_v7()), by, new).await?)
    }

    async fn add_meeting(&self, id: MeetingId, by: &Account, new: NewMeeting) -> Result<MeetingInfo, StoreError> {
        let mut meeting = store::Meeting {
            id,
            owner: by.id,
            number: draw_number(),
            title: new.title,
            password: new.password,
            capacity: self.shared.config.capacity,
            created_ms: now_ms(),
        };
        let mut tries = 0;
        loop {
            tries += 1;
            match self.store().add_meeting(&meeting).await {
                Ok(()) => return Ok(self.info(meeting)),
                // Somebody has the number, once in nine hundred million.
                Err(StoreError::Exists(_)) if tries < NUMBER_TRIES => meeting.number = draw_number(),
                Err(error) => return Err(error),
            }
        }
    }

    /// One's own meetings, newest first.
    pub async fn meetings(&self, of: &Account) -> Result<Vec<MeetingInfo>, StoreError> {
        let meetings = self.store().meetings_of(of.id).await?;
        Ok(meetings.into_iter().map(|meeting| self.info(meeting)).collect())
    }

    fn info(&self, meeting: store::Meeting) -> MeetingInfo {
        let live = self.is_live(meeting.id);
        MeetingInfo { id: meeting.id, number: meeting.number, title: meeting.title, password: meeting.password, live }
    }

    /// What the number leads to.
    pub async fn find(&self, number: MeetingNumber) -> Result<Option<Door>, StoreError> {
        let meeting = self.store().meeting_by_number(number).await?;
        Ok(meeting.map(|meeting| self.door(meeting)))
    }

    /// The same by id, of the meeting or of a livestream of it: for the watch page.
    pub async fn door_by_id(&self, id: MeetingId) -> Result<Option<Door>, StoreError> {
        let id = self.shared.registry.meeting_of(BroadcastId::new(id.uuid()));
        Ok(self.store().meeting(id).await?.map(|meeting| self.door(meeting)))
    }

    fn door(&self, meeting: store::Meeting) -> Door {
        Door {
            live: self.is_live(meeting.id),
            id: meeting.id,
            number: meeting.number,
            title: meeting.title,
            needs_password: meeting.password.is_some(),
        }
    }

    fn is_live(&self, id: MeetingId) -> bool {
        self.shared.registry.is_occupied(id)
    }

    /// Comes in: a seat, or why not.
    pub async fn join(&self, request: JoinRequest) -> Result<Seat, Refusal> {
        // A meeting may end before it answers; then it is opened anew.
        for _ in 0..JOIN_TRIES {
            let open = |entry, queue| live::start(entry, queue, self.shared.resources.clone());
            let way = self.shared.registry.way(request.meeting, open).ok_or(Refusal::Draining)?;
            let (via, leg) = match request.via.clone() {
                Via::Web => (model::Via::Web, None),
                Via::Phone { number, leg } => (model::Via::Phone(number), Some(leg)),
            };
            let join = Join {
                participant: ParticipantId::new(Uuid::now_v7()),
                name: request.name.clone(),
                via,
                account: request.account.as_ref().map(|account| account.id),
                password: request.password.clone(),
                resume: None,
                source: request.source,
            };
            let (answer, answered) = oneshot::channel();
            let asked = Request::Join { join, resume: request.resume.clone(), leg, answer };
            if way.requests.send(asked).await.is_ok()
                && let Ok(seat) = answered.await
            {
                return seat;
            }
            way.ended.cancelled().await;
        }
        Err(Refusal::Failed)
    }

    /// Takes nobody new, tells everyone, and waits until all meetings and livestreams have ended.
    pub async fn drain(&self) {
        let registry = &self.shared.registry;
        let ended = async {
            for way in registry.drain() {
                // One that has ended already needs no telling.
                let _ = way.requests.send(Request::Stop).await;
            }
            registry.tasks.close();
            registry.tasks.wait().await;
        };
        if tokio::time::timeout(DRAIN, ended).await.is_err() {
            tracing::warn!("not all meetings ended in time");
        }
        self.store().close().await;
    }

    fn store(&self) -> &Store {
        &self.shared.resources.store
    }
}

fn draw_number() -> MeetingNumber {
    MeetingNumber::new(rand::random_range(MeetingNumber::RANGE)).expect("drawn from its range")
}

/// Milliseconds since 1970, UTC.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
