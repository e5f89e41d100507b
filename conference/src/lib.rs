//! Live meetings as tasks, accounts and sessions, livestreams: what the rules of `model` decide is carried out here.
//!
//! The edges (`api`, `gateway`) hold a [`Conference`] and, for each participant, a [`Seat`]. Media is told to `plane`
//! directly; rows are written to `store` here and nowhere else.

mod accounts;
mod audience;
mod booking;
mod bookmarks;
mod broadcast;
mod calling;
mod calls;
mod chairs;
mod demo;
mod dial;
mod encoder;
mod files;
mod guesses;
mod handle;
mod invitation;
mod ladder;
mod live;
mod lockout;
mod login;
mod networks;
mod occurrence;
mod outbox;
mod prompts;
mod quality;
mod records;
mod registry;
mod reminder;
mod sign_on;
mod stage;
mod stays;
#[cfg(test)]
mod tests;
mod viewer_chat;
mod viewer_paces;
mod webinar;
mod whiteboard;

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use model::{Join, MeetingId, MeetingNumber, Opening, ParticipantId, PhoneNumber, Refusal, SiteId, Vouched};
use plane::{LegId, Plane};
use store::{Store, StoreError};
use streaming::Streaming;
use tokio::sync::{Notify, OnceCell, mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

pub use accounts::{Account, AccountChange, AccountRefused, NewAccount, ResetBy, add_account};
pub use audience::{Credentials, Gate, PASS_LASTS, Viewers, WatchAbout, WatchRefused, viewer_of};
pub use booking::{BookRefused, Capacity, FreeSlot, MeetingInfo};
pub use bookmarks::BookmarkRefused;
pub use calling::Admission;
pub use calls::CallRecord;
pub use demo::DemoSite;
pub use dial::{Callee, DialOut, Dialer};
pub use encoder::{EncoderRefused, TokenRefused};
pub use files::{FileDraft, FileRefused};
pub use handle::{AtDoor, MediaRefused, MeetingHandle, Seat, SeatEvent};
pub use invitation::{InviteRefused, Invitee, Reach, SipInfo, Tongue};
pub use ladder::{LadderForm, Ladders};
pub use login::{LoginRefused, Session};
pub use model::{Action, CallingPolicy, EndReason, Event, InvalidText, Notice, Snapshot};
pub use occurrence::OccurrenceChange;
pub use outbox::{Happened, OutboxConfig, SmsConfig, WebhookRefused, percent_encoded};
pub use plane::{
    Freezes, LineFindings, PeerRole, PictureQuality, Quality, Shown, SlotAssigned, TrackQuality, WayQuality,
};
pub use prompts::{PromptInfo, PromptRefused};
pub use reminder::Reminder;
pub use sign_on::{SignOn, SignOnConfig, SignOnRefused};
pub use stage::StageSeat;
pub use store::{
    Answer, AuditEntry, Bookmark, Call, CallKind, EncoderToken, Occurrence, Page, Period, Registrant, Registration,
    Room, Site, WatchSettings, Webhook,
};
pub use viewer_chat::{QuestionNews, ViewerNews, ViewerRefused};
pub use webinar::{Attendee, RegisterRefused, Registered};
pub use whiteboard::Drawings;

use calling::Calling;
use dial::{DialerSlot, SipSlot};
use files::Files;
use guesses::GuessSlot;
use handle::{Request, SeatOwner};
use ladder::LadderSlot;
use live::Resources;
use login::Logins;
use occurrence::as_held_next;
use outbox::News;
use prompts::PromptSlot;
use records::Records;
use registry::Registry;
use sign_on::Provider;

/// How long the server waits, at its end, for meetings to have told everyone and for studios to have written their last
/// pictures (two seconds). The server as a whole has five.
const DRAIN: Duration = Duration::from_millis(2_500);

/// How long the database may take for the last records, and the outside for the last messages.
const CLOSE: Duration = Duration::from_secs(1);

/// Meetings that may end under the hands of somebody who wants to come in, until he is told that something is wrong.
const JOIN_TRIES: usize = 3;

/// Settings of the core.
#[derive(Debug, Clone)]
pub struct ConferenceConfig {
    /// How long a login lasts.
    pub session: Duration,
    /// How the server is reached.
    pub reach: Reach,
    /// How mail and short messages leave.
    pub outbox: OutboxConfig,
    /// Files of meetings' chats; emptied at the start.
    pub files: PathBuf,
    /// Single sign-on, where the company has it.
    pub sign_on: Option<SignOnConfig>,
    /// What sites may spend on calling telephones where nothing else is set.
    pub calling: CallingPolicy,
}

impl Default for ConferenceConfig {
    fn default() -> Self {
        let session = Duration::from_secs(7 * 24 * 3600);
        let files = std::env::temp_dir().join("huitong-files");
        Self {
            session,
            reach: Reach::default(),
            outbox: OutboxConfig::default(),
            files,
            sign_on: None,
            calling: CallingPolicy::default(),
        }
    }
}

/// What a stranger who knows the number may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// To join by.
    pub id: MeetingId,
    /// Whose it is.
    pub site: SiteId,
    /// What people key in.
    pub number: MeetingNumber,
    /// The topic.
    pub title: String,
    /// It asks for one.
    pub needs_password: bool,
    /// Somebody is in it.
    pub live: bool,
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
        /// Who says that the number is his.
        vouched: Vouched,
    },
    /// A program or machine that only sends. Its token has been looked at.
    Encoder,
}

impl Via {
    fn plain(&self) -> model::Via {
        match self {
            Self::Web => model::Via::Web,
            Self::Phone { number, .. } => model::Via::Phone(number.clone()),
            Self::Encoder => model::Via::Encoder,
        }
    }

    fn vouched(&self) -> &Vouched {
        match self {
            Self::Phone { vouched, .. } => vouched,
            Self::Web | Self::Encoder => &Vouched::Nobody,
        }
    }
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
    /// The call he answers, where a host called him.
    pub dial: Option<u32>,
    /// The secret of the seat he had.
    pub resume: Option<String>,
    /// The newest event he knows of: he is told what he missed.
    pub since: Option<u64>,
    /// Where he comes from.
    pub source: IpAddr,
    /// Is told what he has to wait for at the door, and what hosts say. Dropping the join is giving up.
    pub waits: Option<mpsc::Sender<AtDoor>>,
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
    /// What is set can't be.
    #[error("{0}")]
    Config(String),
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
    provider: Option<Provider>,
    registry: Arc<Registry>,
    ladders: LadderSlot,
    guesses: GuessSlot,
    audience: audience::Audience,
    prompts: PromptSlot,
    /// What callers' numbers are hashed with, once it was needed.
    callers_key: OnceCell<String>,
    /// Whose languages are asked for.
    callers: mpsc::Sender<calls::AskedLanguage>,
    /// Something is in the outbox.
    outbox: Notify,
    /// What runs for as long as the server, and its end.
    background: TaskTracker,
    stopping: CancellationToken,
}

impl Conference {
    /// Begins with what is in the database.
    pub async fn start(
        config: ConferenceConfig,
        store: Store,
        plane: Plane,
        streaming: Streaming,
    ) -> Result<Self, ConferenceError> {
        // For what is sent over TLS; another part of the program may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (news, told) = News::new();
        let files = Files::new(&config.files);
        let (dialer, sip) = (DialerSlot::default(), SipSlot::default());
        let calling = Arc::new(Calling::new(config.calling.clone()));
        let (records, waiting) = Records::new();
        let viewer_chats = Arc::default();
        let resources = Resources { store, plane, streaming, news, files, dialer, sip, calling, records, viewer_chats };
        let (logins, registry) = (Logins::new(&resources.store).await?, Arc::default());
        let provider = config.sign_on.clone().map(Provider::new).transpose().map_err(ConferenceError::Config)?;
        let (background, stopping) = (TaskTracker::new(), CancellationToken::new());
        let outbox = Notify::new();
        let ladders = LadderSlot::default();
        let guesses = GuessSlot::default();
        let audience = audience::Audience::default();
        let prompts = PromptSlot::default();
        let callers_key = OnceCell::new();
        let (callers, asked) = mpsc::channel(calls::LANGUAGES_MAX);
        let shared = Shared {
            config,
            resources,
            logins,
            provider,
            registry,
            ladders,
            guesses,
            audience,
            prompts,
            callers_key,
            callers,
            outbox,
            background,
            stopping,
        };
        let conference = Self { shared: Arc::new(shared) };
        let background = &conference.shared.background;
        background.spawn(conference.clone().keep_sending());
        background.spawn(conference.clone().keep_telling(told));
        background.spawn(conference.clone().keep_telling_recordings());
        background.spawn(conference.clone().keep_reminding());
        background.spawn(conference.clone().keep_recording(waiting));
        background.spawn(conference.clone().keep_looking_up(asked));
        Ok(conference)
    }

    /// Who calls telephones from now on; the first one stays.
    pub fn set_dialer(&self, dialer: Arc<dyn Dialer>) {
        if self.shared.resources.dialer.set(dialer).is_err() {
            tracing::warn!("there is a dialer already");
        }
    }

    /// Logs in (L1); the wrong password and the unknown name are answered alike and after the same time.
    /// `device` is what an earlier session of this browser was given.
    pub async fn login(
        &self,
        name: &str,
        password: String,
        device: Option<&str>,
        client: IpAddr,
    ) -> Result<Session, LoginRefused> {
        let shared = &self.shared;
        shared.logins.login(self.store(), shared.config.session, name, password, device, client).await
    }

    /// The answer that was given to a request under this key.
    pub async fn answer(&self, to: &Account, key: &str) -> Result<Option<Answer>, StoreError> {
        self.store().answer(to.id, key).await
    }

    /// Keeps an answer for the request to come again.
    pub async fn keep_answer(&self, to: &Account, key: &str, answer: &Answer) -> Result<(), StoreError> {
        self.store().keep_answer(to.id, key, answer, now_ms()).await
    }

    /// Whose session a token is.
    pub async fn session(&self, token: &str) -> Result<Option<Account>, StoreError> {
        login::session(self.store(), token).await
    }

    /// Ends a session (L7).
    pub async fn logout(&self, token: &str) -> Result<(), StoreError> {
        self.store().remove_session(&login::sha256(token)).await
    }

    /// What the number leads to.
    pub async fn find(&self, number: MeetingNumber) -> Result<Option<Door>, StoreError> {
        let Some(meeting) = self.store().meeting_by_number(number).await? else { return Ok(None) };
        Ok(Some(self.door(as_held_next(self.store(), meeting).await?)))
    }

    fn door(&self, meeting: store::Meeting) -> Door {
        Door {
            live: self.is_live(meeting.id),
            id: meeting.id,
            site: meeting.site,
            number: meeting.number,
            title: meeting.title,
            needs_password: meeting.password.is_some(),
        }
    }

    fn is_live(&self, id: MeetingId) -> bool {
        self.shared.registry.is_occupied(id)
    }

    /// Comes in: a seat, or why not. Where he has to wait at the door, the answer waits too. Who has guessed too much
    /// elsewhere guesses no more here.
    pub async fn join(&self, request: JoinRequest) -> Result<Seat, Refusal> {
        let (via, source) = (request.via.clone(), request.source);
        if request.password.is_some() && request.account.is_none() && !self.may_try(&via, source) {
            return Err(Refusal::TooManyTries);
        }
        let joined = self.try_join(request).await;
        if matches!(joined, Err(Refusal::WrongPassword)) {
            self.note_wrong_entry(&via, source);
        }
        joined
    }

    async fn try_join(&self, request: JoinRequest) -> Result<Seat, Refusal> {
        if self.shared.registry.is_draining() {
            return Err(Refusal::Draining);
        }
        let found = self.store().meeting(request.meeting).await.map_err(|error| {
            tracing::error!(%error, "meeting can't be looked up");
            Refusal::Failed
        })?;
        let meeting = found.ok_or(Refusal::NoSuchMeeting)?;
        match self.opening(&meeting).await.map_err(|_| Refusal::Failed)? {
            Opening::Open { .. } => {}
            Opening::NotYet { .. } => return Err(Refusal::NotYet),
            Opening::Over => return Err(Refusal::NoSuchMeeting),
        }
        let registry = &self.shared.registry;
        // A meeting may end before it answers; then it is opened anew.
        for _ in 0..JOIN_TRIES {
            if request.resume.is_some()
                && registry.is_over(request.meeting)
                && registry.known(request.meeting).is_none()
            {
                return Err(Refusal::Ended);
            }
            let open = |entry, queue| live::start(entry, queue, self.shared.resources.clone());
            let way = registry.way(request.meeting, open).ok_or(Refusal::Draining)?;
            let leg = match request.via {
                Via::Web | Via::Encoder => None,
                Via::Phone { leg, .. } => Some(leg),
            };
            let via = request.via.plain();
            let join = Join {
                participant: ParticipantId::new(Uuid::now_v7()),
                name: request.name.clone(),
                via,
                account: request.account.as_ref().map(|account| account.id),
                avatar: request.account.as_ref().and_then(Account::avatar_key),
                password: request.password.clone(),
                dial: request.dial,
                resume: None,
                source: request.source,
                vouched: request.via.vouched().clone(),
                viewer: None,
            };
            let (answer, answered) = oneshot::channel();
            let (resume, since, waits) = (request.resume.clone(), request.since, request.waits.clone());
            let asked = Request::Join { join, resume, since, leg, waits, answer };
            if way.requests.send(asked).await.is_ok()
                && let Ok(seat) = answered.await
            {
                return seat;
            }
            way.ended.cancelled().await;
        }
        Err(Refusal::Failed)
    }

    /// When somebody who has come too early is let in, in milliseconds since 1970: told to the owner, and to who has the
    /// meeting's password. Who has another has guessed.
    pub async fn opens_at(&self, request: &JoinRequest) -> Option<i64> {
        let known = self.store().meeting(request.meeting).await.ok().flatten()?;
        let known = as_held_next(self.store(), known).await.ok()?;
        let is_owner = request.account.as_ref().is_some_and(|account| account.id == known.owner);
        if let (false, Some(password)) = (is_owner, &known.password) {
            let (given, via, source) = (request.password.as_ref()?, &request.via, request.source);
            let is_right = model::is_same(given, password);
            if !is_right {
                self.note_wrong_entry(via, source);
            }
            if !self.may_try(via, source) || !self.tell_early(known.id, via, source, is_right) {
                return None;
            }
        }
        match self.opening(&known).await.ok()? {
            Opening::NotYet { from_ms } => Some(from_ms),
            Opening::Open { .. } | Opening::Over => None,
        }
    }

    /// Whose seat a secret gives in a live meeting, or gave until he was removed.
    async fn whose_seat(&self, meeting: MeetingId, secret: String) -> Option<SeatOwner> {
        let way = self.shared.registry.known(meeting)?;
        let (answer, answered) = oneshot::channel();
        way.requests.send(Request::WhoseSeat { secret, answer }).await.ok()?;
        answered.await.ok().flatten()
    }

    /// What is drawn on a live meeting's whiteboard, for who sees it now by the seat that `secret` gives.
    pub async fn whiteboard(&self, meeting: MeetingId, secret: String) -> Result<Drawings, Refusal> {
        self.ask_whiteboard(meeting, secret, None).await
    }

    /// Puts one drawing in the place of all up to number `upto`.
    pub async fn rewrite_whiteboard(
        &self,
        meeting: MeetingId,
        secret: String,
        upto: u64,
        drawing: String,
    ) -> Result<(), Refusal> {
        self.ask_whiteboard(meeting, secret, Some((upto, drawing))).await.map(|_| ())
    }

    async fn ask_whiteboard(
        &self,
        meeting: MeetingId,
        secret: String,
        rewrite: Option<(u64, String)>,
    ) -> Result<Drawings, Refusal> {
        let way = self.shared.registry.known(meeting).ok_or(Refusal::NoSuchMeeting)?;
        let (answer, answered) = oneshot::channel();
        let sent = way.requests.send(Request::Whiteboard { secret, rewrite, answer }).await;
        sent.map_err(|_| Refusal::NoSuchMeeting)?;
        answered.await.map_err(|_| Refusal::NoSuchMeeting)?
    }

    /// Takes nobody new, tells everyone, and waits until all meetings and livestreams have ended. Calls may yet be written down.
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
    }

    /// Writes down what is left to be, and closes the database: after [`Self::drain`], when no call is left either.
    pub async fn close(&self) {
        self.shared.stopping.cancel();
        self.shared.background.close();
        if tokio::time::timeout(CLOSE, self.shared.background.wait()).await.is_err() {
            tracing::error!("not all could be written down");
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

fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Milliseconds since 1970, UTC.
fn now_ms() -> i64 {
    now().as_millisecond()
}
