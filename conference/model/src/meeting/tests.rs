use std::net::IpAddr;

use uuid::Uuid;

use super::*;
use crate::{ChatSide, MeetingId, Message, Options, Reaction, ViewerAction, WaitReason, WaitingPerson, Whisper};

const OWNER: AccountId = account(1);
const PASSWORD: &str = "135790";
const PIN: &str = "24680135";
const BEGUN_MS: i64 = 1_800_000_000_000;
const LIVESTREAM: BroadcastId = BroadcastId::from_u128(8);

const fn account(n: u128) -> AccountId {
    AccountId::from_u128(n)
}

fn seat(n: u128) -> ParticipantId {
    ParticipantId::new(Uuid::from_u128(n))
}

fn meeting() -> Meeting {
    Meeting::new(rules())
}

fn rules() -> Rules {
    Rules {
        id: MeetingId::new(Uuid::from_u128(7)),
        number: "123456789".parse().unwrap(),
        title: "周会".to_owned(),
        password: Some(PASSWORD.to_owned()),
        host_pin: Some(PIN.to_owned()),
        owner: OWNER,
        capacity: 5,
        options: Options::default(),
        scalable: true,
        livestream: true,
        dial_out: true,
        begun_ms: BEGUN_MS,
        from_ms: BEGUN_MS,
        until_ms: None,
    }
}

fn web(n: u128, account: Option<AccountId>) -> Join {
    Join {
        participant: seat(n),
        name: Some(format!("web {n}")),
        via: Via::Web,
        account,
        avatar: None,
        password: Some(PASSWORD.to_owned()),
        dial: None,
        resume: None,
        source: IpAddr::from([10, 0, 0, n as u8]),
        vouched: Vouched::Nobody,
        viewer: None,
    }
}

fn phone(n: u128) -> Join {
    let number = PhoneNumber::new(format!("1380000{n:04}"));
    Join { name: None, via: Via::Phone(number), ..web(n, None) }
}

const NOW: Duration = Duration::ZERO;

fn join(meeting: &mut Meeting, join: Join) -> ParticipantId {
    let effects = meeting.handle(Command::Join(join), NOW).unwrap();
    let seated = effects.iter().find_map(|effect| match effect {
        Effect::Seated { participant, .. } => Some(*participant),
        _ => None,
    });
    seated.unwrap()
}

fn act(meeting: &mut Meeting, by: ParticipantId, action: Action) -> Outcome {
    meeting.handle(Command::Act { by, action, livestream: LIVESTREAM }, NOW)
}

/// The owner in a browser (1), a guest in one (2), a caller (3).
fn three() -> (Meeting, [ParticipantId; 3]) {
    let mut meeting = meeting();
    let ids = [web(1, Some(OWNER)), web(2, None), phone(3)].map(|who| join(&mut meeting, who));
    (meeting, ids)
}

fn muted(meeting: &Meeting) -> Vec<bool> {
    meeting.snapshot().participants.iter().map(|person| person.muted).collect()
}

// product: J2
#[test]
fn the_password_is_asked_of_all_but_the_owner() {
    let mut meeting = meeting();
    let refused = |meeting: &mut Meeting, password: Option<&str>| {
        let who = Join { password: password.map(str::to_owned), ..web(2, None) };
        meeting.handle(Command::Join(who), NOW).unwrap_err()
    };
    assert_eq!(refused(&mut meeting, None), Refusal::PasswordNeeded);
    for _ in 0..10 {
        assert_eq!(refused(&mut meeting, Some("000000")), Refusal::WrongPassword);
    }
    assert_eq!(refused(&mut meeting, Some(PASSWORD)), Refusal::TooManyTries);
    join(&mut meeting, Join { password: None, ..web(1, Some(OWNER)) });
}

// product: J2
#[test]
fn callers_of_one_carrier_try_each_for_himself() {
    let mut meeting = meeting();
    let carrier = IpAddr::from([10, 9, 9, 9]);
    let mut call = |who: Join, password: &str| {
        let who = Join { source: carrier, password: Some(password.to_owned()), ..who };
        meeting.handle(Command::Join(who), NOW).map(|_| ())
    };
    for _ in 0..10 {
        assert_eq!(call(phone(3), "000000"), Err(Refusal::WrongPassword));
    }
    assert_eq!(call(phone(3), PASSWORD), Err(Refusal::TooManyTries));
    assert_eq!(call(phone(4), PASSWORD), Ok(()));
}

// product: J2
#[test]
fn a_meeting_does_not_forget_wrong_passwords_by_being_empty() {
    let mut meeting = meeting();
    assert!(meeting.is_idle(NOW));
    let wrong = Join { password: Some("000000".to_owned()), ..web(2, None) };
    meeting.handle(Command::Join(wrong), NOW).unwrap_err();
    assert!(!meeting.is_idle(Duration::from_secs(600)) && meeting.is_idle(Duration::from_secs(601)));
    join(&mut meeting, web(1, Some(OWNER)));
    assert!(!meeting.is_idle(Duration::from_secs(601)));
}

// reliability: A11
#[test]
fn hosts_are_told_when_the_door_closes_and_nobody_guesses_on() {
    let (mut meeting, [host, guest, _]) = three();
    act(&mut meeting, host, Action::MakeCoHost { participant: guest, on: true }).unwrap();
    let guess = |meeting: &mut Meeting, n: u128, password: &str, now: u64| {
        let who = Join { password: Some(password.to_owned()), ..phone(n) };
        meeting.handle(Command::Join(who), Duration::from_secs(now)).map(|_| ())
    };
    for n in 10..30 {
        assert_eq!(guess(&mut meeting, n, "000000", 1), Err(Refusal::WrongPassword));
    }
    assert_eq!(guess(&mut meeting, 30, PASSWORD, 2), Err(Refusal::TooManyTries), "not even the right one tells");
    let told = |meeting: &mut Meeting, now: u64| -> Vec<ParticipantId> {
        let effects = meeting.handle(Command::Tick, Duration::from_secs(now)).unwrap();
        let told = effects.into_iter().filter_map(|effect| match effect {
            Effect::Notify(id, Notice::DoorClosed) => Some(id),
            _ => None,
        });
        told.collect()
    };
    assert_eq!((told(&mut meeting, 2), told(&mut meeting, 3)), (vec![host, guest], Vec::new()));
    assert_eq!(guess(&mut meeting, 31, PASSWORD, 600), Err(Refusal::TooManyTries));
    assert_eq!(guess(&mut meeting, 31, PASSWORD, 601), Ok(()));
}

// reliability: A11; product: J2, P4: from a thousand numbers at the door, and by one who is in
#[test]
fn of_a_thousand_tries_in_as_many_seconds_few_are_looked_at() {
    let second = |n: u128| Duration::from_secs(n as u64);
    let (mut meeting, [host, _, caller]) = three();
    let guess = |meeting: &mut Meeting, n: u128| {
        let who = Join { password: Some(format!("{n:06}")), ..phone(1_000 + n) };
        meeting.handle(Command::Join(who), second(n)).unwrap_err()
    };
    let refusals: Vec<_> = (0..1_000).map(|n| guess(&mut meeting, n)).collect();
    let looked_at = |refusals: &[Refusal]| refusals.iter().filter(|why| **why == Refusal::WrongPassword).count();
    assert_eq!((looked_at(&refusals), looked_at(&refusals[..600])), (40, 20));
    assert!(refusals.iter().all(|why| matches!(why, Refusal::WrongPassword | Refusal::TooManyTries)));
    let (mut meeting, [_, _, other]) = three();
    assert_eq!(other, caller);
    let mut claim = |n: u128| {
        let action = Action::ClaimHost { pin: format!("{n:08}") };
        meeting.handle(Command::Act { by: caller, action, livestream: LIVESTREAM }, second(n)).unwrap_err()
    };
    let refusals: Vec<_> = (0..1_000).map(&mut claim).collect();
    assert_eq!((looked_at(&refusals), looked_at(&refusals[..600])), (20, 10));
    assert_eq!(meeting.participant(host).unwrap().role, Role::Host);
}

// product: J4
#[test]
fn a_full_meeting_refuses_the_next_and_a_locked_one_everybody() {
    let (mut meeting, [host, ..]) = three();
    join(&mut meeting, phone(4));
    act(&mut meeting, host, Action::Lock { on: true }).unwrap();
    assert_eq!(meeting.handle(Command::Join(phone(5)), NOW), Err(Refusal::Locked));
    act(&mut meeting, host, Action::Lock { on: false }).unwrap();
    join(&mut meeting, phone(5));
    assert_eq!(meeting.handle(Command::Join(phone(6)), NOW), Err(Refusal::Full));
}

fn effects_of(meeting: &mut Meeting, who: Join) -> Vec<Effect> {
    meeting.handle(Command::Join(who), NOW).unwrap()
}

// product: J3
#[test]
fn before_the_host_they_wait_and_come_in_with_him() {
    let options = Options { join_before_host: false, ..Options::default() };
    let mut meeting = Meeting::new(Rules { options, ..rules() });
    assert_eq!(effects_of(&mut meeting, web(2, None)), [Effect::Waits(seat(2), WaitReason::Host)]);
    effects_of(&mut meeting, phone(3));
    effects_of(&mut meeting, web(4, None));
    assert_eq!(meeting.handle(Command::GaveUp(seat(4)), NOW), Ok(vec![]));
    assert!(!meeting.is_idle(NOW), "somebody is at the door");
    let effects = effects_of(&mut meeting, web(1, Some(OWNER)));
    let seated = effects.iter().filter_map(|effect| match effect {
        Effect::Seated { participant, .. } => Some(*participant),
        _ => None,
    });
    let seated: Vec<_> = seated.collect();
    assert_eq!(seated, [seat(1), seat(2), seat(3)]);
    act(&mut meeting, seat(1), Action::Leave).unwrap();
    join(&mut meeting, web(5, None));
}

// product: J3, C17
#[test]
fn in_the_waiting_room_the_host_says_who_comes_in() {
    let options = Options { waiting_room: true, ..Options::default() };
    let mut meeting = Meeting::new(Rules { options, capacity: 3, ..rules() });
    let host = join(&mut meeting, web(1, Some(OWNER)));
    let effects = effects_of(&mut meeting, web(2, None));
    let guest = WaitingPerson { id: seat(2), name: "web 2".to_owned(), via: ViaKind::Web };
    let told = Effect::Whisper(host, Whisper::Waiting { people: vec![guest] });
    assert_eq!(effects, [Effect::Waits(seat(2), WaitReason::Admission), told]);
    for n in 3..=5 {
        effects_of(&mut meeting, phone(n));
    }
    assert_eq!(meeting.snapshot_for(host).waiting.len(), 4);
    let effects = act(&mut meeting, host, Action::Deny { participant: seat(3) }).unwrap();
    assert_eq!(effects[0], Effect::TurnAway(seat(3), Refusal::Denied));
    let effects = act(&mut meeting, host, Action::Admit { participant: seat(4) }).unwrap();
    assert_eq!(effects[0], Effect::Seated { participant: seat(4), again: false });
    assert!(meeting.snapshot_for(seat(4)).waiting.is_empty(), "who waits is the hosts' business");
    assert_eq!(act(&mut meeting, seat(4), Action::AdmitAll), Err(Refusal::NotAllowed));
    act(&mut meeting, host, Action::AdmitAll).unwrap();
    assert_eq!(meeting.snapshot().participants.len(), 3, "as many as there is room for");
    assert_eq!(act(&mut meeting, host, Action::Admit { participant: seat(5) }), Err(Refusal::Full));
    let effects = act(&mut meeting, host, Action::End).unwrap();
    assert!(effects.contains(&Effect::TurnAway(seat(5), Refusal::Ended)));
}

// product: J3, J6
#[test]
fn who_waits_while_the_server_stops_is_to_knock_again() {
    let mut meeting = Meeting::new(Rules { options: Options { waiting_room: true, ..Options::default() }, ..rules() });
    join(&mut meeting, web(1, Some(OWNER)));
    effects_of(&mut meeting, web(2, None));
    let effects = meeting.handle(Command::Stop, NOW).unwrap();
    assert!(effects.contains(&Effect::TurnAway(seat(2), Refusal::Draining)), "{effects:?}");
}

// product: C17
#[test]
fn hands_reactions_and_the_spotlight_reach_all() {
    let (mut meeting, [host, guest, caller]) = three();
    act(&mut meeting, caller, Action::Hand { up: true }).unwrap();
    let told = act(&mut meeting, guest, Action::React { reaction: Reaction::Clap }).unwrap();
    assert!(matches!(told[..], [Effect::Tell(_, Event::Reacted { reaction: Reaction::Clap, .. })]));
    assert_eq!(act(&mut meeting, host, Action::LowerHands).unwrap().len(), 1);
    let spotlight = Action::Spotlight { participant: Some(caller) };
    assert_eq!(act(&mut meeting, guest, spotlight.clone()), Err(Refusal::NotAllowed));
    act(&mut meeting, host, spotlight).unwrap();
    assert_eq!(meeting.snapshot().meeting.spotlight, Some(caller));
    act(&mut meeting, caller, Action::Leave).unwrap();
    assert_eq!(meeting.snapshot().meeting.spotlight, None);
}

// product: C1, C21
#[test]
fn what_is_said_is_kept_and_what_is_private_stays_so() {
    let (mut meeting, [host, guest, caller]) = three();
    let say = |to: Option<ParticipantId>, text: &str| Action::Chat { to, text: text.to_owned() };
    let told = act(&mut meeting, guest, say(None, " 大家好 ")).unwrap();
    let [Effect::Tell(_, Event::Chat { message })] = &told[..] else { panic!("{told:?}") };
    let expected = Message {
        id: 1,
        from: guest,
        name: "web 2".to_owned(),
        to: None,
        room: None,
        announced: false,
        livestream: None,
        file: None,
        text: "大家好".to_owned(),
        at_ms: BEGUN_MS,
    };
    assert_eq!(*message, expected);
    let told = act(&mut meeting, host, say(Some(guest), "private")).unwrap();
    assert!(matches!(told[..], [Effect::Whisper(to, _), Effect::Whisper(by, _)] if to == guest && by == host));
    assert_eq!(act(&mut meeting, host, say(Some(caller), "no screen")), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, host, say(None, " \n ")), Err(Refusal::BadText));
    assert_eq!(act(&mut meeting, host, say(None, &"x".repeat(2_001))), Err(Refusal::BadText));
    let late = join(&mut meeting, web(4, None));
    let read = |who| meeting.snapshot_for(who).chat.len();
    assert_eq!([host, guest, late].map(read), [2, 2, 1]);
    for n in 0..1_500 {
        act(&mut meeting, host, say(None, &n.to_string())).unwrap();
    }
    assert_eq!(meeting.snapshot_for(host).chat.len(), 1_000, "memory has a bound");
}

// product: B4
#[test]
fn viewers_of_a_livestream_write_and_hosts_take_back() {
    let (mut meeting, [host, guest, _]) = three();
    let viewer = ParticipantId::from_u128(77);
    let says = |meeting: &mut Meeting, text: &str| {
        let (name, text) = ("观众甲".to_owned(), text.to_owned());
        meeting.handle(Command::Viewer(viewer, ViewerAction::Say { name, text }), NOW)
    };
    assert_eq!(says(&mut meeting, "hi"), Err(Refusal::NotLive));
    act(&mut meeting, host, Action::StartBroadcast).unwrap();
    let told = says(&mut meeting, " 你好\u{7} ").unwrap();
    let [Effect::Tell(_, Event::Chat { message })] = &told[..] else { panic!("{told:?}") };
    assert_eq!((message.text.as_str(), message.livestream, message.from), ("你好", Some(ChatSide::Viewer), viewer));
    for bad in ["", " ", &"x".repeat(301)] {
        assert_eq!(says(&mut meeting, bad), Err(Refusal::BadText));
    }
    let nameless = ViewerAction::Say { name: "\u{202e}".to_owned(), text: "x".to_owned() };
    assert_eq!(meeting.handle(Command::Viewer(viewer, nameless), NOW), Err(Refusal::BadName));
    let tell = Action::TellViewers { text: "欢迎".to_owned() };
    assert_eq!(act(&mut meeting, guest, tell.clone()), Err(Refusal::NotAllowed));
    act(&mut meeting, host, tell).unwrap();
    act(&mut meeting, host, Action::Chat { to: Some(guest), text: "private".to_owned() }).unwrap();
    let remove = |id| Action::RemoveChat { message: id };
    assert_eq!(act(&mut meeting, guest, remove(1)), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, host, remove(3)), Err(Refusal::NotAllowed), "what is private is nobody else's");
    assert!(matches!(act(&mut meeting, host, remove(1)).unwrap()[..], [Effect::Tell(_, Event::ChatRemoved { id: 1 })]));
    assert_eq!(act(&mut meeting, host, remove(1)), Ok(Vec::new()));
    let ids = |meeting: &Meeting| meeting.snapshot_for(guest).chat.iter().map(|said| said.id).collect::<Vec<_>>();
    assert_eq!(ids(&meeting), [2, 3]);
    for n in 0..1_500 {
        says(&mut meeting, &n.to_string()).unwrap();
    }
    let kept = ids(&meeting);
    assert_eq!((kept.len(), kept[0]), (201, 3), "a crowd makes nothing of the meeting be forgotten");
    act(&mut meeting, host, Action::StopBroadcast).unwrap();
    assert_eq!(says(&mut meeting, "late"), Err(Refusal::NotLive));
}

// product: C17, C21
#[test]
fn breakout_rooms_hear_themselves_and_write_to_themselves() {
    let (mut meeting, [host, guest, caller]) = three();
    let effects = act(&mut meeting, host, Action::OpenBreakouts { rooms: 2, spread: true }).unwrap();
    assert!(effects.contains(&Effect::SetRoom(guest, Some(1))), "{effects:?}");
    assert!(effects.contains(&Effect::SetRoom(caller, Some(2))), "{effects:?}");
    assert_eq!(meeting.participant(host).unwrap().room, None, "hosts stay until they go");
    let said = act(&mut meeting, guest, Action::Chat { to: None, text: "hi".to_owned() }).unwrap();
    assert!(matches!(said[..], [Effect::Whisper(who, Whisper::Chat { .. })] if who == guest), "{said:?}");
    assert!(meeting.snapshot_for(host).chat.is_empty());
    let go = |participant, room| Action::MoveTo { participant, room };
    assert_eq!(act(&mut meeting, guest, go(caller, Some(1))), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, guest, go(guest, Some(3))), Err(Refusal::NoSuchRoom));
    act(&mut meeting, host, go(host, Some(1))).unwrap();
    assert_eq!(meeting.snapshot_for(host).chat.len(), 1, "what is said in a room is read by who comes into it");
    let late = join(&mut meeting, web(9, None));
    assert_eq!(meeting.participant(late).unwrap().room, None);
    let back = act(&mut meeting, host, Action::CloseBreakouts).unwrap();
    for who in [host, guest, caller] {
        assert!(back.contains(&Effect::SetRoom(who, None)), "{back:?}");
    }
    assert_eq!(act(&mut meeting, host, Action::OpenBreakouts { rooms: 21, spread: false }), Err(Refusal::NoSuchRoom));
}

// product: C17
#[test]
fn hosts_reach_all_breakout_rooms_come_where_they_are_asked_for_and_time_them() {
    let (mut meeting, [host, guest, caller]) = three();
    let time = |minutes| Action::TimeBreakouts { minutes };
    let help = |on| Action::AskHelp { on };
    let tell = || Action::TellRooms { text: "五分钟后回来".to_owned() };
    assert_eq!(act(&mut meeting, host, time(Some(5))), Err(Refusal::NoSuchRoom));
    assert_eq!(act(&mut meeting, guest, help(true)), Err(Refusal::NotAllowed), "in the main room the host is there");
    act(&mut meeting, host, Action::OpenBreakouts { rooms: 2, spread: true }).unwrap();
    act(&mut meeting, host, Action::MoveTo { participant: host, room: Some(2) }).unwrap();
    assert_eq!(act(&mut meeting, guest, tell()), Err(Refusal::NotAllowed));
    let told = act(&mut meeting, host, tell()).unwrap();
    assert!(matches!(&told[..], [Effect::Tell(_, Event::Chat { message })] if message.announced), "{told:?}");
    assert_eq!(meeting.snapshot_for(guest).chat.len(), 1, "from room 2 into room 1");

    // The guest in room 1 asks; the host comes, and nobody asks any more.
    let asks = |meeting: &Meeting| meeting.participant(guest).unwrap().asks_help;
    act(&mut meeting, guest, help(true)).unwrap();
    assert!(asks(&meeting));
    act(&mut meeting, guest, help(false)).unwrap();
    assert!(!asks(&meeting));
    act(&mut meeting, guest, help(true)).unwrap();
    act(&mut meeting, host, Action::MoveTo { participant: host, room: Some(1) }).unwrap();
    assert!(!asks(&meeting));

    // The time is seen by all, can be set anew or taken away, and brings everybody back.
    assert_eq!(act(&mut meeting, guest, time(Some(5))), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, host, time(Some(0))), Err(Refusal::BadDuration));
    assert_eq!(act(&mut meeting, host, time(Some(241))), Err(Refusal::BadDuration));
    act(&mut meeting, host, time(None)).unwrap();
    assert_eq!(meeting.snapshot().meeting.breakouts_end_ms, None);
    act(&mut meeting, host, time(Some(5))).unwrap();
    let ends_ms = meeting.snapshot().meeting.breakouts_end_ms.unwrap();
    assert_eq!(ends_ms, meeting.clock_ms(NOW) + 300_000);
    let just = NOW + Duration::from_secs(299);
    assert_eq!(meeting.handle(Command::Tick, just).unwrap(), []);
    let back = meeting.handle(Command::Tick, just + Duration::from_secs(1)).unwrap();
    for who in [host, guest, caller] {
        assert!(back.contains(&Effect::SetRoom(who, None)), "{back:?}");
    }
    let view = meeting.snapshot().meeting;
    assert_eq!((view.breakouts, view.breakouts_end_ms), (0, None));
}

// product: L5
#[test]
fn a_new_name_and_picture_of_an_account_are_seen_at_once() {
    let (mut meeting, [host, guest, _]) = three();
    let account = meeting.account_of(host).unwrap();
    let before = meeting.participant(host).unwrap().name.clone();
    let profile = |before: &str, name: &str| Command::Profile {
        account,
        before: before.to_owned(),
        name: name.to_owned(),
        avatar: Some("key".to_owned()),
    };
    let told = meeting.handle(profile(&before, "韩梅"), NOW).unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    let person = meeting.participant(host).unwrap();
    assert_eq!((person.name.as_str(), person.avatar.as_deref()), ("韩梅", Some("key")));
    assert_eq!(meeting.participant(guest).unwrap().avatar, None);
    // What he is called in this meeting only is not his account's business.
    act(&mut meeting, host, Action::Rename { participant: host, name: "主席".to_owned() }).unwrap();
    meeting.handle(profile("韩梅", "小韩"), NOW).unwrap();
    assert_eq!(meeting.participant(host).unwrap().name, "主席");
}

// product: C17
#[test]
fn a_poll_is_asked_answered_and_closed() {
    let (mut meeting, [host, guest, caller]) = three();
    let ask = |choices: &[&str]| Action::StartPoll {
        question: "几点?".to_owned(),
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        multiple: false,
        viewers: false,
    };
    assert_eq!(act(&mut meeting, guest, ask(&["1", "2"])), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, host, ask(&["1"])), Err(Refusal::BadText));
    act(&mut meeting, host, ask(&["1", "2"])).unwrap();
    let vote = |choices: &[usize]| Action::Vote { poll: 1, choices: choices.to_vec() };
    for (who, choice) in [(guest, 0), (guest, 1), (caller, 1)] {
        act(&mut meeting, who, vote(&[choice])).unwrap();
    }
    assert_eq!(act(&mut meeting, guest, vote(&[2])), Err(Refusal::NoSuchPoll));
    assert_eq!(act(&mut meeting, guest, vote(&[0, 1])), Err(Refusal::NoSuchPoll));
    let told = meeting.handle(Command::Tick, NOW).unwrap();
    let [Effect::Tell(_, Event::PollChanged { poll })] = &told[..] else { panic!("{told:?}") };
    assert_eq!((poll.voters, poll.choices[0].votes, poll.choices[1].votes), (2, 0, 2));
    act(&mut meeting, host, Action::ClosePoll { poll: 1 }).unwrap();
    assert_eq!(act(&mut meeting, guest, vote(&[0])), Err(Refusal::NoSuchPoll));
    assert!(!meeting.snapshot().polls[0].open);
}

// product: C14, C15
#[test]
fn the_host_is_asked_in_time_and_at_the_end_the_meeting_closes() {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let end = BEGUN_MS + 3_600_000;
    let mut meeting = Meeting::new(Rules { until_ms: Some(end), ..rules() });
    let [host, guest, _] = [web(1, Some(OWNER)), web(2, None), phone(3)].map(|who| join(&mut meeting, who));
    let tick = |meeting: &mut Meeting, at| meeting.handle(Command::Tick, at).unwrap();
    assert_eq!(tick(&mut meeting, minutes(44)), []);
    assert_eq!(tick(&mut meeting, minutes(45)), [Effect::Notify(host, Notice::EndsSoon)]);
    assert_eq!(tick(&mut meeting, minutes(46)), []);
    for minutes in [0, 20, 24 * 60] {
        assert_eq!(act(&mut meeting, host, Action::Extend { minutes }), Err(Refusal::BadDuration));
    }
    let later = end + 1_800_000;
    assert_eq!(act(&mut meeting, host, Action::Extend { minutes: 30 }), Ok(vec![Effect::Extend(later)]));
    meeting.handle(Command::Extended(later), minutes(46)).unwrap();
    assert_eq!(meeting.snapshot().meeting.ends_ms, Some(later));
    assert_eq!(tick(&mut meeting, minutes(75)), [Effect::Notify(host, Notice::EndsSoon)], "again for the new end");
    assert_eq!(tick(&mut meeting, minutes(85)).len(), 3);
    let effects = tick(&mut meeting, minutes(90));
    assert!(effects.contains(&Effect::Dismiss(guest, EndReason::TimeUp)));
    assert_eq!(effects.last(), Some(&Effect::Close(EndReason::TimeUp)));
}

// product: C15
#[test]
fn a_host_who_comes_late_is_asked_all_the_same() {
    let mut meeting = Meeting::new(Rules { until_ms: Some(BEGUN_MS + 3_600_000), ..rules() });
    let minutes = |n: u64| Duration::from_secs(60 * n);
    join(&mut meeting, web(2, None));
    assert_eq!(meeting.handle(Command::Tick, minutes(46)), Ok(vec![]));
    let host = join(&mut meeting, web(1, Some(OWNER)));
    assert_eq!(meeting.handle(Command::Tick, minutes(48)), Ok(vec![Effect::Notify(host, Notice::EndsSoon)]));
    assert_eq!(meeting.handle(Command::Tick, minutes(49)), Ok(vec![]));
}

// product: C14
#[test]
fn a_meeting_is_enlarged_up_to_five_hundred() {
    let (mut meeting, [host, guest, _]) = three();
    assert_eq!(act(&mut meeting, guest, Action::Enlarge { by: 5 }), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, host, Action::Enlarge { by: 496 }), Err(Refusal::BadCapacity));
    assert_eq!(act(&mut meeting, host, Action::Enlarge { by: 5 }), Ok(vec![Effect::Enlarge(10)]));
    for n in 4..=5 {
        join(&mut meeting, phone(n));
    }
    assert_eq!(meeting.handle(Command::Join(phone(6)), NOW), Err(Refusal::Full), "until it is written down");
    meeting.handle(Command::Enlarged(10), NOW).unwrap();
    join(&mut meeting, phone(6));
    let fixed = Rules { scalable: false, ..rules() };
    let mut meeting = Meeting::new(fixed);
    let host = join(&mut meeting, web(1, Some(OWNER)));
    assert_eq!(act(&mut meeting, host, Action::Enlarge { by: 5 }), Err(Refusal::NotAllowed));
}

#[test]
fn actions_read_as_the_client_protocol_says() {
    let id = seat(3);
    let check = |json: String, action: Action| assert_eq!(serde_json::from_str::<Action>(&json).unwrap(), action);
    check(format!(r#"{{"type":"mute","participant":"{id}"}}"#), Action::Mute { participant: id });
    check(r#"{"type":"mute_all","self_unmute":true}"#.to_owned(), Action::MuteAll { self_unmute: true });
    check(r#"{"type":"camera","on":false}"#.to_owned(), Action::Camera { on: false });
    check(r#"{"type":"start_broadcast"}"#.to_owned(), Action::StartBroadcast);
    let layout = Layout::PictureInPicture;
    check(r#"{"type":"layout","layout":"picture_in_picture"}"#.to_owned(), Action::Layout { layout });
    assert!(serde_json::from_str::<Action>(r#"{"type":"fly"}"#).is_err());
}

#[test]
fn what_is_told_reads_as_the_client_protocol_says() {
    let (mut meeting, [host, _, caller]) = three();
    act(&mut meeting, host, Action::StartBroadcast).unwrap();
    let snapshot = serde_json::to_value(meeting.snapshot()).unwrap();
    assert_eq!(
        snapshot["participants"][2],
        serde_json::json!({
            "id": caller.to_string(), "name": "138****0003", "role": "member", "via": "phone", "number": "138****0003",
            "muted": false, "camera": false, "screen": false, "hand": false, "connected": true
        })
    );
    let id = MeetingId::from_u128(7).to_string();
    let view = serde_json::json!({
        "id": id, "number": "123456789", "title": "周会", "capacity": 5, "ends_ms": null, "scalable": true,
        "livestream": true, "dial_out": true, "host_video": true, "participant_video": true, "locked": false, "share_locked": false,
        "waiting_room": false, "mute_on_entry": false, "spotlight": null, "shown": null, "breakouts": 0, "breakouts_end_ms": null, "self_unmute": true, "recording": false,
        "viewers_may": {"chat": true, "questions": true, "reactions": true, "hands": true}
    });
    assert_eq!(snapshot["meeting"], view);
    let watch = format!("/watch/{id}");
    let broadcast = serde_json::json!({
        "id": LIVESTREAM.to_string(), "state": "starting", "layout": "speaker", "watch": watch, "pushes": []
    });
    assert_eq!(snapshot["broadcast"], broadcast);
    assert_eq!(snapshot["seq"], 4);
    let event = Event::ParticipantLeft { id: caller, reason: LeaveReason::Lost };
    let told = serde_json::json!({"type": "participant_left", "id": caller.to_string(), "reason": "lost"});
    assert_eq!(serde_json::to_value(event).unwrap(), told);
    assert_eq!(serde_json::to_value(Notice::AskedToUnmute).unwrap(), "asked_to_unmute");
    assert_eq!(serde_json::to_value(EndReason::ServerStopping).unwrap(), "server_stopping");
}

// trap: all hang up; product: C16: two thousand end at once.
#[test]
fn a_crowd_of_callers_is_dismissed_each_once() {
    let mut meeting = Meeting::new(Rules { capacity: 2_001, ..rules() });
    let host = join(&mut meeting, web(1, Some(OWNER)));
    for n in 2..=2_001 {
        join(&mut meeting, phone(n));
    }
    let effects = act(&mut meeting, host, Action::End).unwrap();
    let dismissed: BTreeSet<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Dismiss(id, EndReason::MeetingEnded) => Some(*id),
            _ => None,
        })
        .collect();
    assert_eq!((dismissed.len(), effects.len()), (2_001, 2_002));
}

#[path = "dials_tests.rs"]
mod dials;

#[path = "door_tests.rs"]
mod door;

#[path = "hosting_tests.rs"]
mod hosting;

#[path = "livestream_tests.rs"]
mod livestream;

#[path = "pin_tests.rs"]
mod pin;

#[path = "random_tests.rs"]
mod random;

#[path = "returning_tests.rs"]
mod returning;

#[path = "showing_tests.rs"]
mod showing;

#[path = "viewers_tests.rs"]
mod viewers;
