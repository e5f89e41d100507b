//! The client WebSocket: one participant's words, both ways. `docs/reference/client-protocol.md` is its contract.

use std::{pin::Pin, time::Duration};

use axum::{
    extract::{
        Path, Query, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, close_code},
    },
    response::{IntoResponse, Response},
};
use conference::{
    Account, Action, AtDoor, EndReason, Event, Freezes, JoinRequest, Notice, PeerRole, Seat, SeatEvent, Shown,
    Snapshot, Via,
};
use model::{Bucket, MeetingId, Pace, ParticipantId, Refusal, WaitReason, Whisper};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::mpsc,
    time::{Instant, interval, sleep_until, timeout},
};

use crate::{
    App,
    problem::{Code, Language, Problem},
    rest::Caller,
    tally::{Counted, Who},
    turn::IceServer,
};

/// The longest frame: an offer of thirty m-lines is 30 KiB.
const FRAME_BYTES_MAX: usize = 64 << 10;

/// Pictures a client may show at once; of more, the first count.
const SHOWN_MAX: usize = 64;

/// Frames in a row that can't be understood until the connection ends.
const NONSENSE_MAX: u32 = 20;

/// Frames of any kind that are read; those beyond it are read later, and hold up whoever sends them alone. More than the actions
/// that a participant may ask for, and what else a page says.
const FRAMES: Pace = Pace { at_once: 200.0, per_second: 25.0 };

/// Offers, as [`FRAMES`]: each is a connection made anew by the thread that carries everybody's sound. A page has two, and makes
/// them anew when its network is another one.
const OFFERS: Pace = Pace { at_once: 10.0, per_second: 1.0 };

/// How often a ping goes out, and how long silence is believed. Phones' browsers sleep; shorter would hang up on them.
const PING: Duration = Duration::from_secs(15);
/// See [`PING`].
const SILENCE: Duration = Duration::from_secs(45);

/// How long somebody may be connected without asking to come in. Who mistyped the password looks it up meanwhile.
const UNSEATED: Duration = Duration::from_secs(600);

/// How long the other side may take to close too.
const CLOSE: Duration = Duration::from_secs(2);

/// A client that doesn't take a frame for so long is gone.
const SEND: Duration = Duration::from_secs(10);

#[derive(JsonSchema, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ClientMessage {
    Join {
        name: String,
        password: Option<String>,
        resume: Option<String>,
        since: Option<u64>,
    },
    Publish {
        id: u64,
        sdp: String,
        /// The connection that is goes on by another way (ICE restart, RFC 8445 §9).
        #[serde(default)]
        restart: bool,
    },
    Subscribe {
        id: u64,
        sdp: String,
        /// The connection that is goes on by another way (ICE restart, RFC 8445 §9).
        #[serde(default)]
        restart: bool,
    },
    Command {
        id: u64,
        command: Action,
    },
    /// What the page shows of the others: the whole list, each time it changes.
    Show {
        tiles: Vec<ShownTile>,
    },
    /// How often received pictures stood still since the page was opened, and for how long in all, in milliseconds.
    Freezes {
        count: u32,
        ms: u64,
    },
    /// Whether the other end is there: answered, and nothing else.
    Ping {
        id: u64,
    },
}

/// One picture of the page.
#[derive(JsonSchema, Deserialize)]
struct ShownTile {
    participant: ParticipantId,
    kind: Kind,
    /// In pixels of the screen.
    width: u32,
    /// In pixels of the screen.
    height: u32,
    /// It matters more than who speaks.
    #[serde(default)]
    pinned: bool,
}

#[derive(JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ServerMessage<'a> {
    Joined {
        you: ParticipantId,
        resume: &'a str,
        /// TURN servers, with what they let one in by; none where every browser gets through to us.
        ice_servers: Vec<IceServer>,
        #[serde(flatten)]
        snapshot: &'a Snapshot,
        #[serde(skip_serializing_if = "Option::is_none")]
        missed: Option<Vec<Numbered<'a>>>,
    },
    /// At the door.
    Waiting {
        reason: WaitReason,
    },
    /// At the door: what a host has to say.
    Told {
        text: &'a str,
    },
    Answer {
        id: u64,
        sdp: &'a str,
    },
    Done {
        id: u64,
    },
    Refused {
        id: Option<u64>,
        problem: ProblemView,
    },
    Event {
        seq: u64,
        event: &'a Event,
    },
    Slots {
        slots: Vec<SlotView>,
    },
    Speaking {
        participants: &'a [ParticipantId],
        active: Option<ParticipantId>,
    },
    Notice {
        notice: Notice,
    },
    Whisper {
        whisper: &'a Whisper,
    },
    Ended {
        reason: EndReason,
    },
}

#[derive(JsonSchema, Serialize)]
struct Numbered<'a> {
    seq: u64,
    event: &'a Event,
}

#[derive(JsonSchema, Serialize)]
struct ProblemView {
    code: &'static str,
    title: &'static str,
    /// What exactly, in the reader's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// With `not_yet`: when one is let in, in milliseconds since 1970; for the owner and who has the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    opens_ms: Option<i64>,
}

#[derive(JsonSchema, Serialize)]
struct SlotView {
    mid: String,
    participant: Option<ParticipantId>,
    kind: Kind,
    /// Your line has no room for it: nothing comes until it has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    paused: bool,
}

#[derive(JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TrackKind")]
enum Kind {
    Audio,
    Camera,
    Screen,
}

impl From<ShownTile> for Shown {
    fn from(tile: ShownTile) -> Self {
        let kind = match tile.kind {
            Kind::Audio => media::TrackKind::Audio,
            Kind::Camera => media::TrackKind::Camera,
            Kind::Screen => media::TrackKind::Screen,
        };
        let ShownTile { participant, width, height, pinned, .. } = tile;
        Self { participant, kind, width, height, pinned }
    }
}

/// Both ends of the protocol as JSON Schema (draft 2020-12): `ClientMessage` and `ServerMessage` under `$defs`.
pub(crate) fn schema() -> serde_json::Value {
    let mut read = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut written = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let client = read.subschema_for::<ClientMessage>();
    let server = written.subschema_for::<ServerMessage<'_>>();
    let mut definitions = read.take_definitions(true);
    // Words that go both ways are the same both ways.
    definitions.extend(written.take_definitions(true));
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ClientProtocol",
        "anyOf": [client, server],
        "$defs": definitions,
    })
}

#[derive(Deserialize)]
pub(crate) struct Options {
    lang: Option<String>,
}

pub(crate) async fn upgrade(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(options): Query<Options>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let language = options.lang.as_deref().map_or(caller.language, Language::from_tag);
    let meeting: MeetingId = id.parse().map_err(|_| Problem::new(Code::NoSuchMeeting, language))?;
    let account = caller.account(&app).await?;
    let source = caller.source;
    let too_often = || Problem::new(Code::TooOften, language);
    app.joins.allow(source).map_err(|wait| too_often().retry_after(wait))?;
    let network = Who::Connections(model::network_of(source));
    let who = [account.as_ref().map(|account| Who::Account(account.id)), Some(network)];
    let counted = app.tally.enter(who).ok_or_else(too_often)?;
    let upgrade = upgrade.max_message_size(FRAME_BYTES_MAX).max_frame_size(FRAME_BYTES_MAX);
    let serve = move |socket| async move {
        let mut client = Client::new(socket, language, counted);
        if client.serve(&app, meeting, account, source).await.is_err() {
            tracing::debug!(meeting_id = %meeting, "client's connection ended");
        }
    };
    Ok(upgrade.on_upgrade(serve).into_response())
}

/// The connection is no more.
struct Gone;

struct Client {
    socket: WebSocket,
    language: Language,
    nonsense: u32,
    heard: Instant,
    /// When he asked to come in last.
    asked: Instant,
    frames: Bucket,
    offers: Bucket,
    /// What he says is not read before; see [`FRAMES`].
    reads_from: Instant,
    _counted: Counted,
}

impl Client {
    fn new(socket: WebSocket, language: Language, counted: Counted) -> Self {
        let now = Instant::now();
        let (frames, offers) = (Bucket::default(), Bucket::default());
        Self {
            socket,
            language,
            nonsense: 0,
            heard: now,
            asked: now,
            frames,
            offers,
            reads_from: now,
            _counted: counted,
        }
    }

    async fn serve(
        &mut self,
        app: &App,
        meeting: MeetingId,
        account: Option<Account>,
        source: std::net::IpAddr,
    ) -> Result<(), Gone> {
        let mut pings = interval(PING);
        let mut seat: Option<Seat> = None;
        let mut knocking: Option<Knocking> = None;
        loop {
            tokio::select! {
                frame = next_frame(&mut self.socket, self.reads_from) => {
                    let wait = self.frames.owe(FRAMES, Instant::now().into_std());
                    self.hold_back(wait);
                    let Some(message) = self.understand(frame).await? else { continue };
                    match (message, &seat) {
                        (ClientMessage::Join { name, password, resume, since }, None) if knocking.is_none() => {
                            self.asked = Instant::now();
                            let (waits, told) = mpsc::channel(4);
                            let (via, waits) = (Via::Web, Some(waits));
                            let (name, account) = (Some(name), account.clone());
                            let request = JoinRequest {
                                dial: None,
                                meeting,
                                password,
                                name,
                                account,
                                via,
                                resume,
                                since,
                                source,
                                waits,
                            };
                            let conference = app.conference.clone();
                            let answer = Box::pin(async move {
                                let joined = conference.join(request.clone()).await;
                                match joined {
                                    Err(Refusal::NotYet) => Err((Refusal::NotYet, conference.opens_at(&request).await)),
                                    joined => joined.map_err(|refusal| (refusal, None)),
                                }
                            });
                            knocking = Some(Knocking { answer, told });
                        }
                        (ClientMessage::Ping { id }, None) => self.say(&ServerMessage::Done { id }).await?,
                        // Who waits at the door has nothing else to say but that he goes, by hanging up.
                        (_, None) => self.refuse(None, Code::BadMessage).await?,
                        (message, Some(seat)) => self.obey(seat, message).await?,
                    }
                }
                heard = door(&mut knocking) => match heard {
                    Heard::AtDoor(AtDoor::Waits(reason)) => self.say(&ServerMessage::Waiting { reason }).await?,
                    Heard::AtDoor(AtDoor::Told(text)) => self.say(&ServerMessage::Told { text: &text }).await?,
                    Heard::Answer(answer) => {
                        knocking = None;
                        match *answer {
                            Ok(joined) => {
                                self.welcome(app, &joined).await?;
                                seat = Some(joined);
                            }
                            Err((refusal, opens_ms)) => {
                                let problem = ProblemView { opens_ms, ..self.problem_of(refusal) };
                                self.say(&ServerMessage::Refused { id: None, problem }).await?;
                            }
                        }
                    }
                },
                event = next_event(&mut seat) => {
                    let Some(event) = event else { return self.close(close_code::POLICY, "").await };
                    if self.tell(event).await?.is_break() {
                        return self.close(close_code::NORMAL, "").await;
                    }
                }
                _ = pings.tick() => {
                    if self.heard.elapsed() > SILENCE {
                        return Err(Gone);
                    }
                    if seat.is_none() && knocking.is_none() && self.asked.elapsed() > UNSEATED {
                        return self.close(close_code::POLICY, "").await;
                    }
                    self.send(Message::Ping(axum::body::Bytes::new())).await?;
                }
            }
        }
    }

    async fn welcome(&mut self, app: &App, seat: &Seat) -> Result<(), Gone> {
        let missed = seat.missed.as_ref();
        let missed = missed.map(|missed| missed.iter().map(|(seq, event)| Numbered { seq: *seq, event }).collect());
        let (you, resume, snapshot) = (seat.participant, &seat.resume, &seat.snapshot);
        let turn = app.turn.as_ref().map(|turn| turn.server_for(you, jiff::Timestamp::now()));
        let ice_servers = turn.into_iter().collect();
        self.say(&ServerMessage::Joined { you, resume, ice_servers, snapshot, missed }).await
    }

    /// None for what needs no answer or has had one.
    async fn understand(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<Option<ClientMessage>, Gone> {
        let text = match frame {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                self.heard = Instant::now();
                return Ok(None);
            }
            Some(Ok(Message::Binary(_))) => Default::default(),
            Some(Ok(Message::Close(_))) | None => return Err(Gone),
            Some(Err(_)) => {
                self.close(close_code::SIZE, "").await?;
                return Err(Gone);
            }
        };
        self.heard = Instant::now();
        if let Ok(message) = serde_json::from_str(&text) {
            self.nonsense = 0;
            return Ok(Some(message));
        }
        self.nonsense += 1;
        self.refuse(None, Code::BadMessage).await?;
        if self.nonsense >= NONSENSE_MAX {
            self.close(close_code::POLICY, "").await?;
            return Err(Gone);
        }
        Ok(None)
    }

    async fn obey(&mut self, seat: &Seat, message: ClientMessage) -> Result<(), Gone> {
        let (who, handle) = (seat.participant, &seat.handle);
        match message {
            ClientMessage::Join { .. } => self.refuse(None, Code::BadMessage).await,
            ClientMessage::Publish { id, sdp, restart: true } => {
                self.answer(id, handle.restart(who, PeerRole::Publisher, sdp).await).await
            }
            ClientMessage::Publish { id, sdp, .. } => self.answer(id, handle.publish(who, sdp).await).await,
            ClientMessage::Subscribe { id, sdp, restart: true } => {
                self.answer(id, handle.restart(who, PeerRole::Subscriber, sdp).await).await
            }
            ClientMessage::Subscribe { id, sdp, .. } => self.answer(id, handle.subscribe(who, sdp).await).await,
            ClientMessage::Show { tiles } => {
                handle.show(who, tiles.into_iter().take(SHOWN_MAX).map(Shown::from).collect());
                Ok(())
            }
            ClientMessage::Freezes { count, ms } => {
                handle.set_freezes(who, Freezes { count, ms });
                Ok(())
            }
            ClientMessage::Ping { id } => self.say(&ServerMessage::Done { id }).await,
            ClientMessage::Command { id, command } => match handle.command(who, command).await {
                Ok(()) => self.say(&ServerMessage::Done { id }).await,
                Err(refusal) => self.refuse_for(Some(id), refusal).await,
            },
        }
    }

    fn hold_back(&mut self, wait: Duration) {
        self.reads_from = self.reads_from.max(Instant::now() + wait);
    }

    async fn answer(&mut self, id: u64, answer: Result<String, conference::MediaRefused>) -> Result<(), Gone> {
        let wait = self.offers.owe(OFFERS, Instant::now().into_std());
        self.hold_back(wait);
        match answer {
            Ok(sdp) => self.say(&ServerMessage::Answer { id, sdp: &sdp }).await,
            Err(error) => {
                tracing::debug!(%error, "offer refused");
                self.refuse(Some(id), Code::BadOffer).await
            }
        }
    }

    /// Breaks after the last event.
    async fn tell(&mut self, event: SeatEvent) -> Result<std::ops::ControlFlow<()>, Gone> {
        match &event {
            SeatEvent::Event { seq, event } => self.say(&ServerMessage::Event { seq: *seq, event }).await?,
            SeatEvent::Speaking { participants, active } => {
                self.say(&ServerMessage::Speaking { participants, active: *active }).await?;
            }
            SeatEvent::Slots(slots) => {
                let view = |slot: &conference::SlotAssigned| SlotView {
                    mid: slot.mid.clone(),
                    participant: slot.participant,
                    kind: match slot.kind {
                        media::TrackKind::Audio => Kind::Audio,
                        media::TrackKind::Camera => Kind::Camera,
                        media::TrackKind::Screen => Kind::Screen,
                    },
                    paused: slot.paused,
                };
                self.say(&ServerMessage::Slots { slots: slots.iter().map(view).collect() }).await?;
            }
            SeatEvent::Notice(notice) => self.say(&ServerMessage::Notice { notice: *notice }).await?,
            // Of encoders alone.
            SeatEvent::MediaLost => {}
            SeatEvent::Whisper(whisper) => self.say(&ServerMessage::Whisper { whisper }).await?,
            SeatEvent::Ended(reason) => {
                self.say(&ServerMessage::Ended { reason: *reason }).await?;
                return Ok(std::ops::ControlFlow::Break(()));
            }
        }
        Ok(std::ops::ControlFlow::Continue(()))
    }

    async fn refuse(&mut self, id: Option<u64>, code: Code) -> Result<(), Gone> {
        let problem = self.problem(code, None);
        self.say(&ServerMessage::Refused { id, problem }).await
    }

    async fn refuse_for(&mut self, id: Option<u64>, refusal: Refusal) -> Result<(), Gone> {
        let problem = self.problem_of(refusal);
        self.say(&ServerMessage::Refused { id, problem }).await
    }

    fn problem_of(&self, refusal: Refusal) -> ProblemView {
        let detail = match refusal {
            Refusal::NoPorts(free) => Some(match self.language {
                Language::Chinese => format!("该时间段仅剩{free}方"),
                Language::English => format!("only {free} available"),
            }),
            _ => None,
        };
        self.problem(refusal.into(), detail)
    }

    fn problem(&self, code: Code, detail: Option<String>) -> ProblemView {
        ProblemView { code: code.code(), title: code.title(self.language), detail, opens_ms: None }
    }

    async fn say(&mut self, message: &ServerMessage<'_>) -> Result<(), Gone> {
        let text = serde_json::to_string(message).expect("our own messages have a JSON form");
        self.send(Message::Text(text.into())).await
    }

    async fn close(&mut self, code: u16, reason: &'static str) -> Result<(), Gone> {
        self.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await?;
        // Ended with something of the other side's unread, TCP resets the connection, which can cost it our last words:
        // its own close frame comes first (RFC 6455 §7.1.1).
        let closed = async {
            while let Some(Ok(frame)) = self.socket.recv().await
                && !matches!(frame, Message::Close(_))
            {}
        };
        // One that goes on talking is left.
        let _ = timeout(CLOSE, closed).await;
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        match timeout(SEND, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

/// Somebody who has asked to come in.
struct Knocking {
    /// With a refusal, when the meeting opens where he may know it.
    answer: Pin<Box<dyn Future<Output = Result<Seat, (Refusal, Option<i64>)>> + Send>>,
    told: mpsc::Receiver<AtDoor>,
}

enum Heard {
    AtDoor(AtDoor),
    Answer(Box<Result<Seat, (Refusal, Option<i64>)>>),
}

async fn door(knocking: &mut Option<Knocking>) -> Heard {
    let Some(Knocking { answer, told }) = knocking else { return std::future::pending().await };
    tokio::select! {
        Some(news) = told.recv() => Heard::AtDoor(news),
        joined = answer => Heard::Answer(Box::new(joined)),
    }
}

async fn next_frame(socket: &mut WebSocket, from: Instant) -> Option<Result<Message, axum::Error>> {
    sleep_until(from).await;
    socket.recv().await
}

async fn next_event(seat: &mut Option<Seat>) -> Option<SeatEvent> {
    match seat {
        Some(seat) => seat.events.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/client-protocol.schema.json");

    fn pretty() -> String {
        serde_json::to_string_pretty(&schema()).unwrap() + "\n"
    }

    // product: A2
    #[test]
    fn the_written_schema_is_the_protocols() {
        let written = std::fs::read_to_string(WRITTEN).unwrap();
        assert_eq!(written, pretty(), "make schema writes it anew");
    }

    #[test]
    #[ignore = "writes: make schema"]
    fn write_schema() {
        std::fs::write(WRITTEN, pretty()).unwrap();
    }
}
