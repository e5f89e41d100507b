//! Live meetings as tasks, accounts and sessions, livestreams: what the rules of `model` decide is carried out here.
//!
//! The edges (`api`, `gateway`) hold a [`Conference`] and, for each participant, a [`Seat`]. Media is told to `plane`
//! directly; rows are written to `store` here and nowhere else.

mod broadcast;
mod demo;
mod live;
mod login;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use model::{
    AccountId, Join, MeetingId, MeetingNumber, ParticipantId, PhoneNumber, Refusal, Rules, Via as ModelVia,
    check_password, check_title,
};
use plane::{LegId, Plane, PlaneError};
use store::{Store, StoreError};
use streaming::Streaming;
use uuid::Uuid;

pub use demo::DemoSite;
pub use live::{MeetingHandle, Seat, SeatEvent};
pub use login::{LoginRefused, Session};
pub use model::{Action, EndReason, Event, InvalidText, Notice, Snapshot};
pub use plane::SlotAssigned;

use live::Opening;
use login::Logins;

/// How long the server waits, at its end, for meetings to have told everyone.
const DRAIN: Duration = Duration::from_secs(2);

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

/// Why media could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum MediaRefused {
    /// The offer is bad, or there is no room for it.
    #[error(transparent)]
    Plane(#[from] PlaneError),
    /// The meeting has ended.
    #[error("the meeting has ended")]
    Ended,
}

/// The core. Clones are handles to the same.
#[derive(Clone)]
pub struct Conference {
    shared: Arc<Shared>,
}

struct Shared {
    config: ConferenceConfig,
    store: Store,
    plane: Plane,
    streaming: Streaming,
    logins: Logins,
    live: Mutex<HashMap<MeetingId, MeetingHandle>>,
    draining: AtomicBool,
}

impl Conference {
    /// Begins with what is in the database.
    pub async fn start(
        config: ConferenceConfig,
        store: Store,
        plane: Plane,
        streaming: Streaming,
    ) -> Result<Self, ConferenceError> {
        let logins = Logins::new().await?;
        let live = Mutex::default();
        let draining = AtomicBool::new(false);
        Ok(Self { shared: Arc::new(Shared { config, store, plane, streaming, logins, live, draining }) })
    }

    /// Logs in (L1); the wrong password and the unknown name are answered alike and after the same time.
    pub async fn login(&self, name: &str, password: String, client: IpAddr) -> Result<Session, LoginRefused> {
        let shared = &self.shared;
        shared.logins.login(&shared.store, shared.config.session, name, password, client).await
    }

    /// Whose session a token is.
    pub async fn session(&self, token: &str) -> Result<Option<Account>, StoreError> {
        login::session(&self.shared.store, token).await
    }

    /// Ends a session (L7).
    pub async fn logout(&self, token: &str) -> Result<(), StoreError> {
        self.shared.store.remove_session(&login::sha256(token)).await
    }

    /// Creates an instant meeting (即时会议) with a number of its own.
    pub async fn create_meeting(&self, by: &Account, new: NewMeeting) -> Result<MeetingInfo, CreateRefused> {
        let title = check_title(&new.title).map_err(CreateRefused::Title)?;
        let password =
            new.password.filter(|password| !password.is_empty()).map(|password| check_password(&password)).transpose();
        let password = password.map_err(CreateRefused::Password)?;
        loop {
            let number = rand::random_range(MeetingNumber::RANGE);
            let meeting = store::Meeting {
                id: MeetingId::new(Uuid::now_v7()),
                owner: by.id,
                number: MeetingNumber::new(number).expect("drawn from its range"),
                title: title.clone(),
                password: password.clone(),
                capacity: self.shared.config.capacity,
                created_ms: now_ms(),
            };
            match self.shared.store.add_meeting(&meeting).await {
                Ok(()) => return Ok(self.info(meeting)),
                // Somebody has the number: one in nine hundred million, draw again.
                Err(StoreError::Exists(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// One's own meetings, newest first.
    pub async fn meetings(&self, of: &Account) -> Result<Vec<MeetingInfo>, StoreError> {
        let meetings = self.shared.store.meetings_of(of.id).await?;
        Ok(meetings.into_iter().map(|meeting| self.info(meeting)).collect())
    }

    fn info(&self, meeting: store::Meeting) -> MeetingInfo {
        let live = self.is_live(meeting.id);
        MeetingInfo { id: meeting.id, number: meeting.number, title: meeting.title, password: meeting.password, live }
    }

    /// What the number leads to.
    pub async fn find(&self, number: MeetingNumber) -> Result<Option<Door>, StoreError> {
        let meeting = self.shared.store.meeting_by_number(number).await?;
        Ok(meeting.map(|meeting| self.door(meeting)))
    }

    /// The same by id: for the watch page.
    pub async fn door_by_id(&self, id: MeetingId) -> Result<Option<Door>, StoreError> {
        Ok(self.shared.store.meeting(id).await?.map(|meeting| self.door(meeting)))
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
        self.lock().get(&id).is_some_and(MeetingHandle::is_open)
    }

    /// Comes in: a seat, or why not.
    pub async fn join(&self, request: JoinRequest) -> Result<Seat, Refusal> {
        // The task of a meeting may end between finding and asking it; then it is opened anew, once.
        for _ in 0..2 {
            if self.shared.draining.load(Ordering::Acquire) {
                return Err(Refusal::Draining);
            }
            let handle = self.open(request.meeting).await?;
            let (via, leg) = match request.via.clone() {
                Via::Web => (ModelVia::Web, None),
                Via::Phone { number, leg } => (ModelVia::Phone(number), Some(leg)),
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
            if let Some(answer) = handle.join(join, request.resume.clone(), leg).await {
                return answer;
            }
            self.forget(request.meeting);
        }
        Err(Refusal::Failed)
    }

    async fn open(&self, id: MeetingId) -> Result<MeetingHandle, Refusal> {
        if let Some(handle) = self.lock().get(&id).filter(|handle| handle.is_open()) {
            return Ok(handle.clone());
        }
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(meeting_id = %id, %error, "meeting can't be opened");
            Refusal::Failed
        };
        let found = self.shared.store.meeting(id).await.map_err(|error| failed(&error))?;
        let row = found.ok_or(Refusal::NoSuchMeeting)?;
        let (media, facts) = self.shared.plane.open_meeting(id).await.map_err(|error| failed(&error))?;
        let rules = Rules {
            id,
            number: row.number,
            title: row.title,
            password: row.password,
            owner: row.owner,
            capacity: row.capacity as usize,
        };
        let mut live = self.lock();
        // Somebody else may have been quicker.
        if let Some(handle) = live.get(&id).filter(|handle| handle.is_open()) {
            return Ok(handle.clone());
        }
        let handle = live::start(Opening { rules, media, facts, streaming: self.shared.streaming.clone() });
        live.insert(id, handle.clone());
        Ok(handle)
    }

    fn forget(&self, id: MeetingId) {
        self.lock().retain(|known, handle| *known != id || handle.is_open());
    }

    /// Takes nobody new, tells everyone, and waits until all meetings have ended.
    pub async fn drain(&self) {
        self.shared.draining.store(true, Ordering::Release);
        let handles: Vec<MeetingHandle> = self.lock().drain().map(|(_, handle)| handle).collect();
        for handle in &handles {
            handle.stop().await;
        }
        let ended = async {
            for handle in &handles {
                handle.closed().await;
            }
        };
        if tokio::time::timeout(DRAIN, ended).await.is_err() {
            tracing::warn!("not all meetings ended in time");
        }
        self.shared.store.close().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<MeetingId, MeetingHandle>> {
        // A map of handles is whole between any two operations, whoever panicked.
        self.shared.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970, UTC.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
