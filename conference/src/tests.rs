//! Stories of a conference with a real database and real media workers, as the edges live them.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Instant,
};

use media::AudioCodec;
use model::{BadBooking, BookingRequest, BroadcastId, BroadcastState, LeaveReason, NoCapacity, Options, Role};
use plane::{LegFact, LegMedia, LegSettings, LineCare, PlaneConfig};
use streaming::StreamingConfig;
use tokio::sync::mpsc;

use super::*;

#[path = "booking_tests.rs"]
mod booking;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An event that does not come within this time never does.
const SOON: Duration = Duration::from_secs(10);

fn booking(title: &str, password: &str) -> BookingRequest {
    BookingRequest {
        title: title.to_owned(),
        password: Some(password.to_owned()),
        start_ms: Some(now_ms()),
        duration_min: None,
        early_start_min: 0,
        capacity: None,
        room: None,
        zone: "Asia/Shanghai".to_owned(),
        recurrence: None,
        options: Options::default(),
    }
}

struct House {
    conference: Conference,
    plane: Plane,
    demo: DemoSite,
    host: Account,
    folder: tempfile::TempDir,
}

impl House {
    async fn open() -> Self {
        Self::open_in(tempfile::tempdir().unwrap()).await
    }

    async fn open_in(folder: tempfile::TempDir) -> Self {
        Self::open_with(folder, "/nowhere/huitong-studio".into()).await
    }

    /// On a machine that carries one livestream.
    async fn open_with(folder: tempfile::TempDir, studio: PathBuf) -> Self {
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display());
        let store = Store::open(&url).await.unwrap();
        let plane = Plane::start(PlaneConfig {
            workers: 2,
            rtp_ports: 42_000..=42_999,
            rtp_bind: LOOPBACK,
            rtp_announced: vec![LOOPBACK],
            care: LineCare::default(),
            loudest: plane::LOUDEST,
            webrtc_bind: SocketAddr::new(LOOPBACK, 0),
            webrtc_announced: vec![LOOPBACK],
        });
        let plane = plane.unwrap();
        let recording =
            streaming::RecordingConfig { folder: Some(folder.path().join("recordings")), ..Default::default() };
        let streaming =
            Streaming::new(StreamingConfig { studio, cores: Some(1), recording, ..StreamingConfig::default() });
        let config = ConferenceConfig { files: folder.path().join("files"), ..ConferenceConfig::default() };
        let conference = Conference::start(config, store, plane.clone(), streaming).await.unwrap();
        let demo = conference.ensure_demo().await.unwrap();
        let (name, password) = demo.host;
        let session = conference.login(name, password.to_owned(), None, LOOPBACK).await.unwrap();
        Self { conference, plane, demo, host: session.account, folder }
    }

    fn request(&self, name: &str) -> JoinRequest {
        JoinRequest {
            meeting: self.demo.meeting.id,
            password: self.demo.meeting.password.clone(),
            name: Some(name.to_owned()),
            account: None,
            via: Via::Web,
            dial: None,
            resume: None,
            since: None,
            waits: None,
            source: LOOPBACK,
        }
    }

    async fn join(&self, name: &str) -> Seat {
        self.conference.join(self.request(name)).await.unwrap()
    }

    async fn join_host(&self) -> Seat {
        let request = JoinRequest { account: Some(self.host.clone()), ..self.request("host") };
        self.conference.join(request).await.unwrap()
    }

    async fn call(&self) -> (LegMedia, mpsc::Receiver<LegFact>) {
        let (leg, facts) = self.plane.open_leg(LOOPBACK).await.unwrap();
        let settings = LegSettings {
            telephone_event: Some(101),
            ..LegSettings::new(AudioCodec::Pcma, 8, SocketAddr::new(LOOPBACK, 9))
        };
        leg.start(settings).await.unwrap();
        (leg, facts)
    }

    fn phone(&self, number: &str, leg: &LegMedia) -> JoinRequest {
        let via = Via::Phone { number: PhoneNumber::new(number), leg: leg.id(), vouched: Vouched::Nobody };
        JoinRequest { name: None, via, ..self.request("") }
    }
}

/// The first event that `pick` takes; what comes before it is of no interest.
async fn next<T>(seat: &mut Seat, pick: impl Fn(&SeatEvent) -> Option<T>) -> T {
    let find = async {
        loop {
            let event = seat.events.recv().await.expect("the meeting goes on");
            if let Some(found) = pick(&event) {
                return found;
            }
        }
    };
    tokio::time::timeout(SOON, find).await.expect("the event comes")
}

async fn ended(seat: &mut Seat) -> EndReason {
    next(seat, |event| if let SeatEvent::Ended(reason) = event { Some(*reason) } else { None }).await
}

async fn changed(seat: &mut Seat, of: ParticipantId, is: impl Fn(&model::Participant) -> bool) {
    next(seat, |event| match event {
        SeatEvent::Event { event, .. } => match event.as_ref() {
            Event::ParticipantChanged { participant } => (participant.id == of && is(participant)).then_some(()),
            _ => None,
        },
        _ => None,
    })
    .await;
}

// product: L1, L7
#[tokio::test]
async fn who_logs_in_has_a_session_until_he_logs_out() {
    let house = House::open().await;
    let conference = &house.conference;
    let session = conference.login(" MEMBER", "Huitong-2026".to_owned(), None, LOOPBACK).await.unwrap();
    assert_eq!((session.account.display_name.as_str(), session.account.site.as_str()), ("李雷", "会通演示"));
    assert_eq!(conference.session(&session.token).await.unwrap(), Some(session.account));
    assert_eq!(conference.session("guessed").await.unwrap(), None);
    conference.logout(&session.token).await.unwrap();
    assert_eq!(conference.session(&session.token).await.unwrap(), None);
    for name in ["member", "nobody", &"long".repeat(1_000)] {
        let refused = conference.login(name, "wrong".to_owned(), None, LOOPBACK).await;
        assert!(matches!(refused, Err(LoginRefused::Wrong)), "{name:.10}");
    }
}

// product: L4
#[tokio::test]
async fn guessing_at_once_gains_no_tries() {
    let house = House::open().await;
    let session = house.conference.login("member", "Huitong-2026".to_owned(), None, LOOPBACK).await.unwrap();
    let guess = |n: u32| house.conference.login("member", format!("guess {n}"), None, IpAddr::from(n.to_be_bytes()));
    let answers = futures_util::future::join_all((0..100).map(guess)).await;
    let wrong = answers.iter().filter(|answer| matches!(answer, Err(LoginRefused::Wrong))).count();
    let locked = answers.iter().filter(|answer| matches!(answer, Err(LoginRefused::Locked(_)))).count();
    // One more may have been at its hashing when the third came out wrong.
    assert!((3..=4).contains(&wrong) && wrong + locked == 100, "{wrong} wrong, {locked} locked");
    let right = house.conference.login("member", "Huitong-2026".to_owned(), None, LOOPBACK).await;
    assert!(matches!(right, Err(LoginRefused::Locked(left)) if left > Duration::from_secs(170)));
    // A browser from which he has logged in before is not locked by strangers.
    let known = session.device.as_str();
    house.conference.login("member", "Huitong-2026".to_owned(), Some(known), LOOPBACK).await.unwrap();
    let forged = known.replace('.', "0.");
    let refused = house.conference.login("member", "Huitong-2026".to_owned(), Some(&forged), LOOPBACK).await;
    assert!(matches!(refused, Err(LoginRefused::Locked(_))));
}

// reliability: A11
#[tokio::test]
async fn guessing_behind_a_carrier_slows_its_wrong_entries_and_shuts_nobody_out() {
    let House { conference, .. } = House::open().await;
    let carrier = IpAddr::from([192, 0, 2, 1]);
    let hidden = PhoneNumber::new("anonymous");
    assert_eq!(conference.wrong_entry_delay(carrier), Duration::ZERO);
    for _ in 0..600 {
        conference.note_wrong_number(&hidden, &Vouched::Brought, carrier);
    }
    assert_eq!(conference.wrong_entry_delay(carrier), Duration::from_secs(5));
    for caller in [&hidden, &PhoneNumber::new("13800000001")] {
        assert!(!conference.is_guessing(caller, &Vouched::Brought, carrier));
    }
    assert!(!conference.is_guessing(&hidden, &Vouched::Asserted(PhoneNumber::new("13800000002")), carrier));
    assert_eq!(conference.wrong_entry_delay([192, 0, 2, 2].into()), Duration::ZERO);
}

#[tokio::test]
async fn a_booked_meeting_is_found_by_its_number() {
    let house = House::open().await;
    let (conference, host) = (&house.conference, &house.host);
    let open = conference.book(host, booking("晨会", "")).await.unwrap();
    let closed = conference.book(host, booking("例会", "246810")).await.unwrap();
    let door = conference.find(open.number).await.unwrap().unwrap();
    assert_eq!((door.id, door.needs_password, door.live), (open.id, false, false));
    assert!(conference.find(closed.number).await.unwrap().unwrap().needs_password);
    let request = JoinRequest { meeting: open.id, password: None, ..house.request("李雷") };
    let _seat = conference.join(request).await.unwrap();
    assert!(conference.find(open.number).await.unwrap().unwrap().live);
    let page = Page { period: Period::Upcoming, search: "", after: None, limit: 9 };
    let mine: Vec<_> = conference.agenda(host, &page).await.unwrap().iter().map(|(meeting, _)| meeting.id).collect();
    assert_eq!(mine.len(), 2);
    assert!(mine.contains(&open.id) && mine.contains(&closed.id));
    let nowhere = JoinRequest { meeting: MeetingId::from_u128(1), ..house.request("李雷") };
    assert_eq!(conference.join(nowhere).await.err(), Some(Refusal::NoSuchMeeting));
}

// product: S1, S4, S6
#[tokio::test]
async fn a_concurrent_meeting_opens_in_its_time_and_leaves_the_lists_when_deleted() {
    let house = House::open().await;
    let conference = &house.conference;
    let by = conference.login("concurrent", "Huitong-2026".to_owned(), None, LOOPBACK).await.unwrap().account;
    let later =
        BookingRequest { start_ms: Some(now_ms() + 3 * 3_600_000), capacity: Some(150), ..booking("周会", "") };
    let booked = conference.book(&by, later.clone()).await.unwrap();
    let refused = conference.book(&by, BookingRequest { capacity: Some(51), ..later.clone() }).await;
    let free = |refused: &Result<MeetingInfo, BookRefused>| match refused {
        Err(BookRefused::NoCapacity(NoCapacity::Ports { free, .. })) => Some(*free),
        _ => None,
    };
    assert_eq!(free(&refused), Some(50));
    let request = || JoinRequest { meeting: booked.id, password: None, ..house.request("李雷") };
    assert_eq!(conference.join(request()).await.err(), Some(Refusal::NotYet));
    let moved = BookingRequest { duration_min: Some(90), ..later.clone() };
    assert!(matches!(conference.rebook(&by, booked.id, None, moved).await, Err(BookRefused::FixedTime)));
    let renamed = BookingRequest { title: "例会".to_owned(), ..later };
    let renamed = conference.rebook(&by, booked.id, Some(booked.version), renamed).await.unwrap();
    assert_eq!(
        (renamed.title.as_str(), renamed.start_ms, renamed.version),
        ("例会", booked.start_ms, booked.version + 1)
    );
    assert!(conference.booking(&house.host, booked.id).await.is_ok(), "the operator may see it");
    let member = conference.login("member", "Huitong-2026".to_owned(), None, LOOPBACK).await.unwrap().account;
    assert!(matches!(conference.booking(&member, booked.id).await, Err(BookRefused::Missing)));
    conference.cancel(&by, booked.id).await.unwrap();
    assert_eq!(conference.join(request()).await.err(), Some(Refusal::NoSuchMeeting));
    let now = BookingRequest { start_ms: None, ..booking("即时", "") };
    let instant = conference.book(&by, now).await.unwrap();
    assert_eq!(instant.capacity, 10);
    let _seat = conference.join(JoinRequest { meeting: instant.id, ..request() }).await.unwrap();
}

// product: S5
#[tokio::test]
async fn one_time_of_a_series_is_held_otherwise_than_the_rest() {
    let house = House::open().await;
    let conference = &house.conference;
    let by = conference.login("concurrent", "Huitong-2026".to_owned(), None, LOOPBACK).await.unwrap().account;
    // Rules know whole seconds.
    let start = now_ms() / 1_000 * 1_000 + 3 * 3_600_000;
    let daily = BookingRequest {
        start_ms: Some(start),
        capacity: Some(20),
        recurrence: Some("FREQ=DAILY;COUNT=3".to_owned()),
        ..booking("周会", "")
    };
    let booked = conference.book(&by, daily.clone()).await.unwrap();
    let at = |day: i64| start + day * 86_400_000;
    let change = |change| conference.change_occurrence(&by, booked.id, at(1), change);
    let options = Options { waiting_room: true, ..Options::default() };
    let own = OccurrenceChange {
        title: Some("茶会".to_owned()),
        password: Some("8642".to_owned()),
        start_ms: Some(at(1) + 3_600_000),
        capacity: Some(150),
        options: Some(options),
        ..OccurrenceChange::default()
    };
    change(own).await.unwrap();
    let too_many = change(OccurrenceChange { capacity: Some(201), ..OccurrenceChange::default() }).await;
    assert!(matches!(too_many, Err(BookRefused::NoCapacity(_))), "{too_many:?}");
    let longer = change(OccurrenceChange { duration_min: Some(90), ..OccurrenceChange::default() }).await;
    assert!(matches!(longer, Err(BookRefused::FixedTime)), "{longer:?}");
    let marked = change(OccurrenceChange { title: Some("a<b".to_owned()), ..OccurrenceChange::default() }).await;
    assert!(matches!(marked, Err(BookRefused::Bad(BadBooking::Title(_)))), "{marked:?}");
    // What isn't said stays as it was.
    change(OccurrenceChange { title: Some("酒会".to_owned()), ..OccurrenceChange::default() }).await.unwrap();
    let (info, held) = conference.occurrence(&by, booked.id, at(1)).await.unwrap();
    assert_eq!(
        (info.title.as_str(), info.password.as_deref(), info.capacity, info.options, held.start_ms),
        ("酒会", Some("8642"), 150, options, at(1) + 3_600_000)
    );
    let page = Page { period: Period::Upcoming, search: "", after: None, limit: 9 };
    let topics = async || -> Vec<String> {
        conference.agenda(&by, &page).await.unwrap().into_iter().map(|(meeting, _)| meeting.title).collect()
    };
    assert_eq!(topics().await, ["周会", "酒会", "周会"]);
    // The series is named anew; what was cancelled or changed of it stays so.
    conference.cancel_occurrence(&by, booked.id, at(2)).await.unwrap();
    conference.rebook(&by, booked.id, None, BookingRequest { title: "例会".to_owned(), ..daily }).await.unwrap();
    assert_eq!(topics().await, ["例会", "酒会"]);
    // The next one is the changed one: its door asks for its own password.
    assert!(!conference.find(booked.number).await.unwrap().unwrap().needs_password);
    conference.cancel_occurrence(&by, booked.id, at(0)).await.unwrap();
    assert!(conference.find(booked.number).await.unwrap().unwrap().needs_password);
    let text = conference.invitation_text(&by, booked.id, String::new(), Tongue::Chinese, None).await.unwrap();
    assert!(text.contains("酒会") && text.contains("8642"), "{text}");
}

// product: S5, J2, J3
#[tokio::test]
async fn a_time_with_its_own_password_is_opened_with_it() {
    let house = House::open().await;
    let conference = &house.conference;
    let start = now_ms() / 1_000 * 1_000 + 3_600_000;
    let series = BookingRequest {
        start_ms: Some(start),
        recurrence: Some("FREQ=DAILY;COUNT=2".to_owned()),
        ..booking("周会", "1234")
    };
    let booked = conference.book(&house.host, series).await.unwrap();
    let change = OccurrenceChange { password: Some("8642".to_owned()), ..OccurrenceChange::default() };
    conference.change_occurrence(&house.host, booked.id, start, change).await.unwrap();
    let join = |password: &str| {
        let password = Some(password.to_owned());
        conference.join(JoinRequest { meeting: booked.id, password, ..house.request("李雷") })
    };
    assert_eq!(join("1234").await.err(), Some(Refusal::WrongPassword));
    let seat = join("8642").await.unwrap();
    assert_eq!(seat.snapshot.participants.len(), 1);
}

#[tokio::test]
async fn all_who_come_at_once_are_in_the_same_meeting() {
    let house = House::open().await;
    let names: Vec<_> = (0..20).map(|n| format!("guest {n}")).collect();
    let mut seats = futures_util::future::join_all(names.iter().map(|name| house.join(name))).await;
    let last = house.join_host().await;
    assert_eq!(last.snapshot.participants.len(), 21);
    last.handle.command(last.participant, Action::End).await.unwrap();
    for seat in &mut seats {
        assert_eq!(ended(seat).await, EndReason::MeetingEnded);
    }
}

// product: C16
#[tokio::test]
async fn a_meeting_that_ended_is_opened_anew_at_once() {
    let house = House::open().await;
    for _ in 0..10 {
        let mut host = house.join_host().await;
        assert_eq!((host.snapshot.participants.len(), host.snapshot.participants[0].role), (1, Role::Host));
        let (leg, _facts) = house.call().await;
        house.conference.join(house.phone("13812345678", &leg)).await.unwrap();
        host.handle.command(host.participant, Action::End).await.unwrap();
        assert_eq!(ended(&mut host).await, EndReason::MeetingEnded);
    }
}

// product: J6
#[tokio::test]
async fn a_seat_is_had_again_by_its_secret() {
    let house = House::open().await;
    let (mut host, guest) = (house.join_host().await, house.join("李雷").await);
    let (participant, resume) = (guest.participant, Some(guest.resume));
    drop(guest.events);
    changed(&mut host, participant, |person| !person.connected).await;
    let again = |resume| house.conference.join(JoinRequest { resume, password: None, ..house.request("李雷") });
    let mut guest = again(resume.clone()).await.unwrap();
    assert_eq!(guest.participant, participant);
    changed(&mut host, participant, |person| person.connected).await;
    assert_eq!(again(resume).await.err(), Some(Refusal::PasswordNeeded), "each secret is good once");
    let newest = again(Some(guest.resume.clone())).await.unwrap();
    assert_eq!(ended(&mut guest).await, EndReason::Replaced);
    assert_eq!(newest.participant, participant);
}

// product: J6
#[tokio::test]
async fn who_loads_his_page_anew_before_anybody_has_noticed_that_his_line_is_gone_is_there() {
    let house = House::open().await;
    let (mut host, mut guest) = (house.join_host().await, house.join("李雷").await);
    let participant = guest.participant;
    for _ in 0..5 {
        guest.handle.command(participant, Action::Away).await.unwrap();
        changed(&mut host, participant, |person| !person.connected).await;
        drop(guest.events);
        let request = JoinRequest { resume: Some(guest.resume), password: None, ..house.request("李雷") };
        guest = house.conference.join(request).await.unwrap();
        let own = guest.snapshot.participants.iter().find(|person| person.id == participant).unwrap();
        assert!(own.connected, "{own:?}");
        changed(&mut host, participant, |person| person.connected).await;
    }
}

// product: C6
#[tokio::test]
async fn who_was_removed_has_no_way_back() {
    let house = House::open().await;
    let (host, mut guest) = (house.join_host().await, house.join("李雷").await);
    host.handle.command(host.participant, Action::Remove { participant: guest.participant }).await.unwrap();
    assert_eq!(ended(&mut guest).await, EndReason::Removed);
    let again = JoinRequest { resume: Some(guest.resume), ..house.request("another name") };
    assert_eq!(house.conference.join(again).await.err(), Some(Refusal::Removed));
    assert_eq!(guest.handle.command(guest.participant, Action::Leave).await, Err(Refusal::NoSuchParticipant));
}

// product: P5, J6
#[tokio::test]
async fn a_caller_is_a_participant_like_any_other() {
    let house = House::open().await;
    let mut host = house.join_host().await;
    let (leg, _facts) = house.call().await;
    let mut caller = house.conference.join(house.phone("13812345678", &leg)).await.unwrap();
    assert_eq!(caller.snapshot.participants[1].name, "138****5678");
    let participant = caller.participant;
    host.handle.command(host.participant, Action::Mute { participant }).await.unwrap();
    let muted = |event: &SeatEvent| matches!(event, SeatEvent::Notice(Notice::Muted)).then_some(());
    next(&mut caller, muted).await;
    // His line breaks, and he redials without keying the password.
    drop((caller.events, leg));
    changed(&mut host, participant, |person| !person.connected).await;
    let (leg, _facts) = house.call().await;
    let request = JoinRequest { password: None, ..house.phone("13812345678", &leg) };
    let caller = house.conference.join(request).await.unwrap();
    assert_eq!(caller.participant, participant);
    assert!(caller.snapshot.participants[1].muted, "as he was");
    host.handle.command(participant, Action::Leave).await.unwrap();
    let left = |event: &SeatEvent| match event {
        SeatEvent::Event { event, .. } => match event.as_ref() {
            Event::ParticipantLeft { id, reason } => Some((*id, *reason)),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(next(&mut host, left).await, (participant, LeaveReason::Left));
}

// product: J6
#[tokio::test]
async fn of_two_calls_of_one_lost_caller_one_has_his_seat_and_what_the_lost_one_still_says_ends_neither() {
    let house = House::open().await;
    let mut host = house.join_host().await;
    let (dead, _facts) = house.call().await;
    let mut lost = house.conference.join(house.phone("13812345678", &dead)).await.unwrap();
    let (who, handle) = (lost.participant, lost.handle.clone());
    handle.command(who, Action::Hand { up: true }).await.unwrap();
    handle.command(who, Action::Stalled { on: true }).await.unwrap();
    // His telephone tries again before its carrier has given the first try up.
    let (one, _facts) = house.call().await;
    let (two, _facts) = house.call().await;
    let again = |leg| house.conference.join(JoinRequest { password: None, ..house.phone("13812345678", leg) });
    let (first, second) = tokio::join!(again(&one), again(&two));
    let (taken, refused) = if first.is_ok() { (first, second) } else { (second, first) };
    let taken = taken.unwrap();
    assert_eq!(
        (taken.participant, refused.err()),
        (who, Some(Refusal::PasswordNeeded)),
        "a stranger for all that is known"
    );
    assert_eq!(ended(&mut lost).await, EndReason::Replaced);
    // The carrier ends the dead call just now, or it stalls, or is heard again.
    for action in [Action::Stalled { on: true }, Action::HungUp, Action::Leave] {
        assert_eq!(handle.command(who, action).await, Err(Refusal::NoSuchParticipant));
    }
    let third = house.conference.join(JoinRequest { password: None, ..house.phone("13812345678", &two) }).await;
    assert_eq!(third.err(), Some(Refusal::PasswordNeeded), "his new call goes on");
    // With the password he is one more behind that number, and leaves as such.
    let other = house.conference.join(house.phone("13812345678", &two)).await.unwrap();
    assert_ne!(other.participant, who);
    other.handle.command(other.participant, Action::HungUp).await.unwrap();
    taken.handle.command(who, Action::Hand { up: false }).await.unwrap();
    changed(&mut host, who, |person| person.connected && !person.hand).await;
}

#[tokio::test]
async fn a_caller_without_a_line_gets_no_seat_and_the_others_miss_no_number() {
    let house = House::open().await;
    let mut host = house.join_host().await;
    let (leg, _facts) = house.call().await;
    let request = house.phone("13812345678", &leg);
    drop(leg);
    assert_eq!(house.conference.join(request).await.err(), Some(Refusal::Failed));
    let seq = |event: &SeatEvent| if let SeatEvent::Event { seq, .. } = event { Some(*seq) } else { None };
    let first = host.snapshot.seq + 1;
    assert_eq!((next(&mut host, seq).await, next(&mut host, seq).await), (first, first + 1));
}

#[tokio::test]
async fn a_panic_ends_one_meeting_and_no_other() {
    let house = House::open().await;
    let other = house.conference.book(&house.host, booking("例会", "")).await.unwrap();
    let request = JoinRequest { meeting: other.id, ..house.request("韩梅梅") };
    let spared = house.conference.join(request).await.unwrap();
    let mut struck = house.join("李雷").await;
    struck.handle.requests.send(Request::Panic).await.unwrap();
    let last = async { while struck.events.recv().await.is_some() {} };
    tokio::time::timeout(SOON, last).await.expect("his events end");
    let hand = Action::Hand { up: true };
    assert_eq!(struck.handle.command(struck.participant, hand.clone()).await, Err(Refusal::NoSuchMeeting));
    assert_eq!(spared.handle.command(spared.participant, hand).await, Ok(()));
    assert_eq!(house.join("李雷").await.snapshot.participants.len(), 1, "and it is opened anew");
}

// product: B1
#[tokio::test]
async fn a_livestream_that_cannot_start_is_over_and_may_be_tried_again() {
    let house = House::open().await;
    let mut host = house.join_host().await;
    let told = |event: &SeatEvent| match event {
        SeatEvent::Event { event, .. } => match event.as_ref() {
            Event::BroadcastChanged { broadcast } => Some(broadcast.clone()),
            _ => None,
        },
        _ => None,
    };
    let mut ids = Vec::new();
    for _ in 0..2 {
        host.handle.command(host.participant, Action::StartBroadcast).await.unwrap();
        let starting = next(&mut host, told).await.unwrap();
        let meeting = house.demo.meeting.id;
        assert_eq!((starting.state, &starting.watch), (BroadcastState::Starting, &format!("/watch/{meeting}")));
        let about = house.conference.watch_about(starting.id).await.unwrap().unwrap();
        assert_eq!(about.title, house.demo.meeting.title);
        let address = BroadcastId::new(meeting.uuid());
        assert_eq!(house.conference.livestream_at(address), starting.id, "the meeting's address leads to it");
        assert_eq!(house.conference.livestream_at(starting.id), starting.id);
        assert_eq!(notice(&mut host).await, Notice::StudioFailed, "the host is told why");
        assert_eq!(next(&mut host, told).await, None);
        ids.push(starting.id);
    }
    assert_ne!(ids[0], ids[1], "players and proxies must not take one for the other");
}

// product: C23
#[tokio::test]
async fn a_recording_that_cannot_start_is_told_to_be_none() {
    let house = House::open().await;
    let mut host = house.join_host().await;
    let told = |event: &SeatEvent| match event {
        SeatEvent::Event { event, .. } => match event.as_ref() {
            Event::MeetingChanged { meeting } => Some(meeting.recording),
            _ => None,
        },
        _ => None,
    };
    for _ in 0..2 {
        host.handle.command(host.participant, Action::StartRecording).await.unwrap();
        assert!(next(&mut host, told).await);
        assert_eq!(notice(&mut host).await, Notice::StudioFailed, "the host is told why");
        assert!(!next(&mut host, told).await);
    }
}

// product: B1, C23
#[tokio::test]
async fn where_there_is_no_room_for_another_livestream_the_host_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    // One that starts, and takes its time.
    let studio = folder.path().join("studio");
    std::fs::write(&studio, "#!/bin/sh\nexec sleep 60\n").unwrap();
    std::fs::set_permissions(&studio, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let house = House::open_with(folder, studio).await;
    let mut host = house.join_host().await;
    host.handle.command(host.participant, Action::StartBroadcast).await.unwrap();
    let other = house.conference.book(&house.host, booking("例会", "")).await.unwrap();
    let request = JoinRequest { meeting: other.id, account: Some(house.host.clone()), ..house.request("host") };
    let mut second = house.conference.join(request).await.unwrap();
    for action in [Action::StartBroadcast, Action::StartRecording] {
        second.handle.command(second.participant, action).await.unwrap();
        assert_eq!(notice(&mut second).await, Notice::NoRoomOnAir);
    }
    // The recording of the one that is on the air has no room either, and that is told as what it is.
    let recordings = house.folder.path().join("recordings");
    std::fs::write(&recordings, "no folder").unwrap();
    host.handle.command(host.participant, Action::StartRecording).await.unwrap();
    assert_eq!(notice(&mut host).await, Notice::RecordingFailed);
}

async fn notice(seat: &mut Seat) -> Notice {
    next(seat, |event| if let SeatEvent::Notice(notice) = event { Some(*notice) } else { None }).await
}

// product: A5
#[tokio::test]
async fn draining_tells_everybody_and_lets_nobody_in() {
    let house = House::open().await;
    let mut seats = vec![house.join_host().await, house.join("李雷").await];
    let begun = Instant::now();
    house.conference.drain().await;
    assert!(begun.elapsed() < DRAIN, "nobody was waited for in vain");
    for seat in &mut seats {
        assert_eq!(ended(seat).await, EndReason::ServerStopping);
    }
    assert_eq!(house.conference.join(house.request("韩梅梅")).await.err(), Some(Refusal::Draining));
}

#[tokio::test]
async fn the_demo_is_the_same_after_a_restart() {
    let house = House::open().await;
    for n in 0..110 {
        house.conference.book(&house.host, booking(&format!("例会 {n}"), "")).await.unwrap();
    }
    let meeting = house.demo.meeting.clone();
    house.conference.drain().await;
    house.conference.close().await;
    let again = House::open_in(house.folder).await;
    assert_eq!(again.demo.meeting, meeting);
    assert_eq!(again.demo.host, ("host", "Huitong-2026"));
}
