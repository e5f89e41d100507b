use std::net::IpAddr;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    ChatSide, MeetingId, Message, Options, PushState, PushUrl, Reaction, ViewerAction, WaitReason, WaitingPerson,
    Whisper,
};

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

// product: J6
#[test]
fn a_lost_seat_is_kept_for_a_minute() {
    let (mut meeting, [_, guest, caller]) = three();
    act(&mut meeting, guest, Action::Mute { participant: guest }).unwrap();
    for id in [guest, caller] {
        meeting.handle(Command::Lost(id), NOW).unwrap();
        assert!(!meeting.participant(id).unwrap().connected);
    }
    let minute = Duration::from_secs(60);
    meeting.handle(Command::Tick, minute - Duration::from_millis(1)).unwrap();
    assert_eq!(join(&mut meeting, Join { resume: Some(guest), password: None, ..web(9, None) }), guest);
    assert!(meeting.participant(guest).unwrap().muted, "as he was");
    assert_eq!(join(&mut meeting, Join { participant: seat(10), password: None, ..phone(3) }), caller);
    meeting.handle(Command::Lost(caller), minute).unwrap();
    meeting.handle(Command::Tick, 2 * minute).unwrap();
    assert_eq!(meeting.participant(caller), None);
}

// product: J6, C16, C14
#[test]
fn a_page_that_is_loaded_anew_finds_its_seat_and_one_that_is_closed_has_left() {
    let (mut meeting, [host, guest, _]) = three();
    act(&mut meeting, host, Action::Lock { on: true }).unwrap();
    act(&mut meeting, host, Action::Away).unwrap();
    // Its connection ends a moment later.
    meeting.handle(Command::Lost(host), NOW).unwrap();
    assert!(!meeting.participant(host).unwrap().connected);
    let reload = Duration::from_secs(15);
    meeting.handle(Command::Tick, reload - Duration::from_millis(1)).unwrap();
    assert_eq!(meeting.hosts(), [host], "nobody has his role meanwhile");
    assert_eq!(join(&mut meeting, Join { resume: Some(host), password: None, ..web(9, None) }), host);
    meeting.handle(Command::Tick, 10 * reload).unwrap();
    assert_eq!(meeting.hosts(), [host]);
    meeting.handle(Command::Act { by: host, action: Action::Away, livestream: LIVESTREAM }, 10 * reload).unwrap();
    let effects = meeting.handle(Command::Tick, 11 * reload).unwrap();
    let left = Event::ParticipantLeft { id: host, reason: LeaveReason::Left };
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Tell(_, event) if *event == left)), "{effects:?}");
    assert_eq!(meeting.hosts(), [guest]);
}

// product: C6
#[test]
fn who_is_removed_does_not_come_back() {
    let (mut meeting, [host, guest, caller]) = three();
    for id in [guest, caller] {
        let effects = act(&mut meeting, host, Action::Remove { participant: id }).unwrap();
        assert_eq!(effects[0], Effect::Dismiss(id, EndReason::Removed));
    }
    let renamed = Join { name: Some("another".to_owned()), resume: Some(guest), ..web(2, None) };
    for who in [web(2, None), phone(3), renamed] {
        assert_eq!(meeting.handle(Command::Join(who), NOW), Err(Refusal::Removed));
    }
    join(&mut meeting, phone(4));
}

// product: J6. reliability: A11
#[test]
fn a_number_that_anybody_can_write_is_no_key_to_the_seat_of_who_was_lost() {
    let carrier = [Vouched::Brought, Vouched::Asserted(PhoneNumber::new("13800138003"))];
    let elsewhere = IpAddr::from([198, 51, 100, 7]);
    let is_let_in = |seated: &Vouched, again: &Vouched, source: IpAddr| {
        let gone = |action| move |by| Command::Act { by, action, livestream: LIVESTREAM };
        let ways: [Box<dyn FnOnce(ParticipantId) -> Command>; 3] =
            [Box::new(Command::Lost), Box::new(gone(Action::HungUp)), Box::new(gone(Action::Stalled { on: true }))];
        let answers = ways.map(|gone| {
            let (mut meeting, _) = three();
            let caller = join(&mut meeting, Join { vouched: seated.clone(), ..phone(4) });
            meeting.handle(gone(caller), NOW).unwrap();
            let who = Join { participant: seat(10), password: None, vouched: again.clone(), source, ..phone(4) };
            meeting.handle(Command::Join(who), NOW).map(|_| ())
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        match answers[0] {
            Ok(()) => true,
            Err(refusal) => {
                assert_eq!(refusal, Refusal::PasswordNeeded);
                false
            }
        }
    };
    let here = phone(4).source;
    assert!(is_let_in(&Vouched::Nobody, &Vouched::Nobody, here));
    assert!(!is_let_in(&Vouched::Nobody, &Vouched::Nobody, elsewhere));
    for seated in &carrier {
        assert!(!is_let_in(seated, &Vouched::Nobody, elsewhere), "{seated:?}");
        // By another machine of the carrier's.
        assert!(carrier.iter().all(|again| is_let_in(seated, again, elsewhere)), "{seated:?}");
    }
    let another = Vouched::Asserted(PhoneNumber::new("13900139000"));
    assert!(!is_let_in(&carrier[1], &another, here), "the carrier says that it is somebody else");
}

/// Who calls again, without a password.
fn again(n: u128, meeting: &mut Meeting, seconds: u64) -> Result<ParticipantId, Refusal> {
    let who = Join { participant: seat(n + 100), password: None, ..phone(n) };
    let effects = meeting.handle(Command::Join(who), Duration::from_secs(seconds))?;
    let Some(Effect::Seated { participant, .. }) = effects.first() else { panic!("{effects:?}") };
    Ok(*participant)
}

// product: J6, P5; a carrier that loses a mobile ends its call
#[test]
fn a_caller_whose_call_was_ended_has_left_and_is_who_he_was_for_a_minute() {
    let (mut meeting, [host, _, caller]) = three();
    act(&mut meeting, host, Action::OpenBreakouts { rooms: 2, spread: false }).unwrap();
    act(&mut meeting, host, Action::MoveTo { participant: caller, room: Some(2) }).unwrap();
    act(&mut meeting, host, Action::Rename { participant: caller, name: "老王".to_owned() }).unwrap();
    act(&mut meeting, host, Action::MakeCoHost { participant: caller, on: true }).unwrap();
    act(&mut meeting, caller, Action::Hand { up: true }).unwrap();
    let effects = act(&mut meeting, caller, Action::HungUp).unwrap();
    let left = Event::ParticipantLeft { id: caller, reason: LeaveReason::Left };
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Tell(_, event) if *event == left)), "{effects:?}");
    assert!(meeting.participant(caller).is_none());
    // No newcomer would be let in.
    act(&mut meeting, host, Action::Lock { on: true }).unwrap();
    act(&mut meeting, host, Action::WaitingRoom { on: true }).unwrap();
    assert_eq!(again(4, &mut meeting, 59), Err(Refusal::PasswordNeeded), "another number");
    let back = again(3, &mut meeting, 59).unwrap();
    let person = meeting.participant(back).unwrap();
    assert_eq!((person.role, person.hand, person.room), (Role::CoHost, true, Some(2)));
    assert_eq!((person.name.as_str(), person.connected), ("老王", true));
    // Once, and not for longer.
    assert_eq!(again(3, &mut meeting, 59), Err(Refusal::PasswordNeeded));
    let hang_up = Command::Act { by: back, action: Action::HungUp, livestream: LIVESTREAM };
    meeting.handle(hang_up, Duration::from_secs(60)).unwrap();
    act(&mut meeting, host, Action::CloseBreakouts).unwrap();
    act(&mut meeting, host, Action::MuteAll { self_unmute: false }).unwrap();
    assert_eq!(again(3, &mut meeting, 120), Err(Refusal::PasswordNeeded));
}

// product: J6
#[test]
fn a_caller_who_is_back_finds_the_meeting_as_it_is_by_then() {
    let (mut meeting, [host, _, caller]) = three();
    act(&mut meeting, host, Action::OpenBreakouts { rooms: 1, spread: false }).unwrap();
    act(&mut meeting, host, Action::MoveTo { participant: caller, room: Some(1) }).unwrap();
    act(&mut meeting, caller, Action::HungUp).unwrap();
    act(&mut meeting, host, Action::CloseBreakouts).unwrap();
    act(&mut meeting, host, Action::MuteAll { self_unmute: false }).unwrap();
    for n in 4..=6 {
        join(&mut meeting, web(n, None));
    }
    assert_eq!(again(3, &mut meeting, 1), Err(Refusal::Full));
    act(&mut meeting, seat(6), Action::Leave).unwrap();
    let back = again(3, &mut meeting, 2).unwrap();
    let person = meeting.participant(back).unwrap();
    assert_eq!((person.room, person.muted), (None, true));
    // Who was removed is not let in by what he was.
    act(&mut meeting, host, Action::Remove { participant: back }).unwrap();
    assert_eq!(again(3, &mut meeting, 3), Err(Refusal::Removed));
}

// product: J6, C16, P4
#[test]
fn a_caller_who_was_host_is_so_again_unless_somebody_else_was_made_host() {
    for claimed in [false, true] {
        let mut meeting = meeting();
        let ids = [web(1, None), web(2, None), phone(3)].map(|who| join(&mut meeting, who));
        act(&mut meeting, ids[2], Action::ClaimHost { pin: PIN.to_owned() }).unwrap();
        act(&mut meeting, ids[2], Action::HungUp).unwrap();
        assert_eq!(meeting.hosts(), [ids[0]], "it goes on without him");
        if claimed {
            act(&mut meeting, ids[0], Action::MakeHost { participant: ids[1] }).unwrap();
        }
        let back = again(3, &mut meeting, 5).unwrap();
        assert_eq!(meeting.hosts(), [if claimed { ids[1] } else { back }]);
    }
    // Alone with another caller, and alone: the meeting waits for him.
    let mut meeting = meeting();
    let ids = [phone(3), phone(4)].map(|who| join(&mut meeting, who));
    act(&mut meeting, ids[0], Action::ClaimHost { pin: PIN.to_owned() }).unwrap();
    act(&mut meeting, ids[0], Action::HungUp).unwrap();
    act(&mut meeting, ids[1], Action::Leave).unwrap();
    assert!(!meeting.is_idle(NOW));
    let back = again(3, &mut meeting, 5).unwrap();
    assert_eq!(meeting.hosts(), [back]);
    act(&mut meeting, back, Action::HungUp).unwrap();
    meeting.handle(Command::Tick, Duration::from_secs(60)).unwrap();
    assert!(meeting.is_idle(Duration::from_secs(60)));
}

// product: J6
#[test]
fn who_calls_again_has_the_seat_that_still_stands_where_nothing_comes_by_it() {
    let (mut meeting, [.., caller]) = three();
    act(&mut meeting, caller, Action::Hand { up: true }).unwrap();
    assert_eq!(again(3, &mut meeting, 1), Err(Refusal::PasswordNeeded), "a colleague behind the same number");
    act(&mut meeting, caller, Action::Stalled { on: true }).unwrap();
    act(&mut meeting, caller, Action::Stalled { on: false }).unwrap();
    assert_eq!(again(3, &mut meeting, 2), Err(Refusal::PasswordNeeded), "it comes again");
    act(&mut meeting, caller, Action::Stalled { on: true }).unwrap();
    assert_eq!(again(3, &mut meeting, 3), Ok(caller));
    assert!(meeting.participant(caller).unwrap().hand && meeting.snapshot().participants.len() == 3);
    assert_eq!(again(3, &mut meeting, 4), Err(Refusal::PasswordNeeded), "his new call goes on");
}

// product: J6
#[test]
fn of_several_behind_one_number_nobody_is_who_another_was() {
    let (mut meeting, [_, _, caller]) = three();
    let colleague = join(&mut meeting, Join { participant: seat(7), ..phone(3) });
    act(&mut meeting, caller, Action::HungUp).unwrap();
    assert_eq!(again(3, &mut meeting, 1), Err(Refusal::PasswordNeeded), "one is still there");
    act(&mut meeting, colleague, Action::HungUp).unwrap();
    assert_eq!(again(3, &mut meeting, 2), Err(Refusal::PasswordNeeded), "it may be either");
}

// product: C6, J6
#[test]
fn callers_who_withhold_their_number_are_not_taken_for_each_other() {
    let (mut meeting, [host, ..]) = three();
    let withheld = |n| Join { via: Via::Phone(PhoneNumber::new("anonymous")), ..phone(n) };
    let first = join(&mut meeting, withheld(4));
    act(&mut meeting, first, Action::HungUp).unwrap();
    let first = join(&mut meeting, withheld(4));
    assert_eq!(first, seat(4));
    meeting.handle(Command::Lost(first), NOW).unwrap();
    assert_eq!(join(&mut meeting, withheld(5)), seat(5), "not the lost one's seat");
    act(&mut meeting, host, Action::Remove { participant: first }).unwrap();
    assert_eq!(join(&mut meeting, withheld(6)), seat(6), "one removed, not all");
}

// product: C7, C8, P5
#[test]
fn the_host_opens_a_phone_and_asks_a_browser() {
    let (mut meeting, [host, guest, caller]) = three();
    for id in [guest, caller] {
        let effects = act(&mut meeting, host, Action::Mute { participant: id }).unwrap();
        assert!(effects.contains(&Effect::SetMuted(id, true)) && effects.contains(&Effect::Notify(id, Notice::Muted)));
    }
    let effects = act(&mut meeting, host, Action::Unmute { participant: caller }).unwrap();
    assert!(effects.contains(&Effect::SetMuted(caller, false)));
    let effects = act(&mut meeting, host, Action::Unmute { participant: guest }).unwrap();
    assert_eq!(effects, [Effect::Notify(guest, Notice::AskedToUnmute)]);
    assert!(meeting.participant(guest).unwrap().muted, "until he does it himself");
    act(&mut meeting, guest, Action::Unmute { participant: guest }).unwrap();
    assert_eq!(muted(&meeting), [false, false, false]);
    assert_eq!(act(&mut meeting, guest, Action::Mute { participant: caller }), Err(Refusal::NotAllowed));
}

// product: C9, C10, C12
#[test]
fn mute_all_spares_the_host_and_may_forbid_unmuting() {
    let (mut meeting, [host, guest, caller]) = three();
    act(&mut meeting, host, Action::MuteAll { self_unmute: false }).unwrap();
    assert_eq!(muted(&meeting), [false, true, true]);
    for id in [guest, caller] {
        assert_eq!(act(&mut meeting, id, Action::Unmute { participant: id }), Err(Refusal::NoSelfUnmute));
    }
    let newcomer = join(&mut meeting, phone(4));
    assert!(meeting.participant(newcomer).unwrap().muted, "who comes later is as the others");
    let effects = act(&mut meeting, host, Action::UnmuteAll).unwrap();
    assert!(effects.contains(&Effect::SetMuted(caller, false)));
    assert!(effects.contains(&Effect::Notify(guest, Notice::AskedToUnmute)));
    act(&mut meeting, guest, Action::Unmute { participant: guest }).unwrap();
    // All are open, and still none may open himself.
    act(&mut meeting, guest, Action::Mute { participant: guest }).unwrap();
    assert_eq!(act(&mut meeting, guest, Action::Unmute { participant: guest }), Err(Refusal::NoSelfUnmute));
}

// product: C12
#[test]
fn the_host_says_whether_members_may_unmute_themselves() {
    let (mut meeting, [host, guest, _]) = three();
    let (allow, forbid) = (Action::AllowSelfUnmute { on: true }, Action::AllowSelfUnmute { on: false });
    let unmute = Action::Unmute { participant: guest };
    assert_eq!(act(&mut meeting, guest, forbid.clone()), Err(Refusal::NotAllowed));
    act(&mut meeting, host, forbid).unwrap();
    assert_eq!(muted(&meeting), [false; 3], "nobody who speaks is cut off");
    act(&mut meeting, guest, Action::Mute { participant: guest }).unwrap();
    assert_eq!(act(&mut meeting, guest, unmute.clone()), Err(Refusal::NoSelfUnmute));
    act(&mut meeting, host, allow).unwrap();
    act(&mut meeting, guest, unmute).unwrap();
}

// product: C8, C12
#[test]
fn who_is_asked_to_unmute_may_do_so_once() {
    let (mut meeting, [host, guest, _]) = three();
    let unmute = Action::Unmute { participant: guest };
    act(&mut meeting, host, Action::MuteAll { self_unmute: false }).unwrap();
    act(&mut meeting, host, unmute.clone()).unwrap();
    act(&mut meeting, guest, unmute.clone()).unwrap();
    act(&mut meeting, guest, Action::Mute { participant: guest }).unwrap();
    assert_eq!(act(&mut meeting, guest, unmute.clone()), Err(Refusal::NoSelfUnmute));
    act(&mut meeting, host, unmute.clone()).unwrap();
    act(&mut meeting, host, Action::MuteAll { self_unmute: false }).unwrap();
    assert_eq!(act(&mut meeting, guest, unmute), Err(Refusal::NoSelfUnmute), "the newest word counts");
}

// product: C4, P5
#[test]
fn a_caller_may_be_made_host() {
    let (mut meeting, [host, guest, caller]) = three();
    act(&mut meeting, host, Action::MakeHost { participant: caller }).unwrap();
    act(&mut meeting, caller, Action::MuteAll { self_unmute: false }).unwrap();
    assert_eq!(muted(&meeting), [true, true, false]);
    assert_eq!(act(&mut meeting, caller, Action::Camera { on: true }), Err(Refusal::NotAllowed));
    meeting.handle(Command::Lost(host), NOW).unwrap();
    act(&mut meeting, caller, Action::Leave).unwrap();
    assert_eq!(meeting.hosts(), [guest], "who is there before who is lost");
}

// product: C16
#[test]
fn the_role_waits_for_a_browser_when_only_callers_stay() {
    let (mut meeting, [host, guest, caller]) = three();
    act(&mut meeting, guest, Action::Leave).unwrap();
    act(&mut meeting, host, Action::MuteAll { self_unmute: false }).unwrap();
    act(&mut meeting, host, Action::Leave).unwrap();
    act(&mut meeting, caller, Action::Unmute { participant: caller }).unwrap();
    join(&mut meeting, phone(4));
    assert!(meeting.hosts().is_empty());
    let next = join(&mut meeting, web(5, None));
    assert_eq!(meeting.hosts(), [next]);
}

// product: C4, C16
#[test]
fn the_host_role_is_handed_over_and_passes_on() {
    let (mut meeting, [host, guest, _]) = three();
    act(&mut meeting, host, Action::MakeHost { participant: guest }).unwrap();
    assert_eq!(act(&mut meeting, host, Action::End), Err(Refusal::NotAllowed));
    act(&mut meeting, guest, Action::Leave).unwrap();
    assert_eq!(meeting.hosts(), [host]);
    act(&mut meeting, host, Action::Leave).unwrap();
    assert!(meeting.hosts().is_empty(), "a caller alone is no host");
    join(&mut meeting, web(1, Some(OWNER)));
    assert_eq!(meeting.hosts(), [seat(1)]);
}

// product: C4
#[test]
fn a_co_host_helps_with_people_and_not_with_the_meeting() {
    let (mut meeting, [host, guest, caller]) = three();
    let co_host = |on| Action::MakeCoHost { participant: guest, on };
    assert_eq!(act(&mut meeting, guest, co_host(true)), Err(Refusal::NotAllowed));
    let effects = act(&mut meeting, host, co_host(true)).unwrap();
    assert!(effects.contains(&Effect::Notify(guest, Notice::MadeCoHost)));
    act(&mut meeting, guest, Action::Mute { participant: caller }).unwrap();
    act(&mut meeting, guest, Action::MuteAll { self_unmute: false }).unwrap();
    assert_eq!(muted(&meeting), [false, false, true]);
    let refused = [
        Action::End,
        Action::MakeHost { participant: guest },
        Action::Remove { participant: host },
        Action::Mute { participant: host },
        Action::StartBroadcast,
        Action::Extend { minutes: 30 },
    ];
    for action in refused {
        assert_eq!(act(&mut meeting, guest, action), Err(Refusal::NotAllowed));
    }
    let last = join(&mut meeting, web(4, Some(account(4))));
    act(&mut meeting, host, Action::Leave).unwrap();
    assert_eq!(meeting.hosts(), [guest], "before one with an account");
    act(&mut meeting, guest, Action::MakeCoHost { participant: last, on: true }).unwrap();
    act(&mut meeting, guest, Action::MakeCoHost { participant: last, on: false }).unwrap();
    assert_eq!(act(&mut meeting, last, Action::Lock { on: true }), Err(Refusal::NotAllowed));
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

// product: S1, C23
#[test]
fn a_recording_that_was_booked_begins_with_the_host() {
    let mut meeting = Meeting::new(Rules { options: Options { recording: true, ..Options::default() }, ..rules() });
    join(&mut meeting, web(2, None));
    assert!(!meeting.snapshot().meeting.recording);
    let effects = effects_of(&mut meeting, web(1, Some(OWNER)));
    assert!(effects.contains(&Effect::StartRecording) && meeting.snapshot().meeting.recording);
}

// product: C11
#[test]
fn who_comes_in_is_muted_where_that_was_booked() {
    let options = Options { mute_on_entry: true, ..Options::default() };
    let mut meeting = Meeting::new(Rules { options, ..rules() });
    for who in [web(1, Some(OWNER)), web(2, None), phone(3)] {
        join(&mut meeting, who);
    }
    assert_eq!(muted(&meeting), [false, true, true]);
    act(&mut meeting, seat(3), Action::Unmute { participant: seat(3) }).unwrap();
}

// product: C2, C3
#[test]
fn the_host_stops_a_camera_and_asks_for_one() {
    let (mut meeting, [host, guest, caller]) = three();
    let pictures = |camera| Effect::SetPictures { participant: guest, camera, screen: false };
    assert!(act(&mut meeting, guest, Action::Camera { on: true }).unwrap().contains(&pictures(true)));
    let effects = act(&mut meeting, host, Action::StopCamera { participant: guest }).unwrap();
    assert!(effects.contains(&Effect::Notify(guest, Notice::CameraStopped)));
    assert!(effects.contains(&pictures(false)), "whatever his browser does");
    assert!(!meeting.participant(guest).unwrap().camera);
    let effects = act(&mut meeting, host, Action::AskCamera { participant: guest }).unwrap();
    assert_eq!(effects, [Effect::Notify(guest, Notice::AskedToShow)]);
    assert_eq!(act(&mut meeting, host, Action::AskCamera { participant: caller }), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, guest, Action::StopCamera { participant: host }), Err(Refusal::NotAllowed));
}

// product: C13
#[test]
fn when_sharing_is_locked_only_the_host_shares() {
    let (mut meeting, [host, guest, _]) = three();
    act(&mut meeting, guest, Action::Screen { on: true }).unwrap();
    let effects = act(&mut meeting, host, Action::LockShare { on: true }).unwrap();
    assert!(effects.contains(&Effect::Notify(guest, Notice::ShareStopped)));
    assert!(effects.contains(&Effect::SetPictures { participant: guest, camera: false, screen: false }));
    assert_eq!(act(&mut meeting, guest, Action::Screen { on: true }), Err(Refusal::ShareLocked));
    act(&mut meeting, host, Action::Screen { on: true }).unwrap();
    act(&mut meeting, host, Action::LockShare { on: false }).unwrap();
    act(&mut meeting, guest, Action::Screen { on: true }).unwrap();
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

// product: C16
#[test]
fn the_end_is_told_to_all_and_stops_the_livestream() {
    let (mut meeting, ids) = three();
    act(&mut meeting, ids[0], Action::StartBroadcast).unwrap();
    let effects = act(&mut meeting, ids[0], Action::End).unwrap();
    for id in ids {
        assert!(effects.contains(&Effect::Dismiss(id, EndReason::MeetingEnded)));
    }
    assert_eq!(effects[3..], [Effect::StopBroadcast, Effect::Close(EndReason::MeetingEnded)]);
    assert_eq!(meeting.handle(Command::Join(phone(8)), NOW), Err(Refusal::NoSuchMeeting));
}

// product: B1
#[test]
fn a_livestream_is_started_once_and_its_state_is_told() {
    let (mut meeting, [host, guest, _]) = three();
    assert_eq!(act(&mut meeting, guest, Action::StartBroadcast), Err(Refusal::NotAllowed));
    let effects = act(&mut meeting, host, Action::StartBroadcast).unwrap();
    let id = LIVESTREAM;
    assert_eq!(effects[0], Effect::StartBroadcast(id));
    assert_eq!(act(&mut meeting, host, Action::StartBroadcast), Ok(vec![]));
    meeting.handle(Command::Broadcast(id, Some(BroadcastState::Live)), NOW).unwrap();
    assert_eq!(meeting.snapshot().broadcast.unwrap().state, BroadcastState::Live);
    assert_eq!(act(&mut meeting, host, Action::StopBroadcast).unwrap()[0], Effect::StopBroadcast);
    assert_eq!(meeting.handle(Command::Broadcast(id, None), NOW), Ok(vec![]));
}

// product: B2
#[test]
fn whose_video_viewers_dont_see_is_told_to_him_and_to_hosts() {
    let (mut meeting, [host, guest, _]) = three();
    let told = meeting.handle(Command::NotOnAir(guest), NOW).unwrap();
    let some = Notice::SomeVideoNotOnAir;
    assert_eq!(told, [Effect::Notify(host, some), Effect::Notify(guest, Notice::VideoNotOnAir)]);
    let told = meeting.handle(Command::NotOnAir(host), NOW).unwrap();
    assert_eq!(told, [Effect::Notify(host, Notice::VideoNotOnAir)], "once");
    act(&mut meeting, guest, Action::Leave).unwrap();
    assert_eq!(meeting.handle(Command::NotOnAir(guest), NOW), Ok(vec![]));
}

// product: B3
#[test]
fn the_host_pushes_the_livestream_and_nobody_sees_the_key() {
    let (mut meeting, [host, guest, _]) = three();
    let url = PushUrl::new("rtmp://live.example.com/app/s3cret");
    let start = Action::StartPush { url: url.clone(), name: None };
    assert_eq!(act(&mut meeting, host, start.clone()), Err(Refusal::NotLive));
    act(&mut meeting, host, Action::StartBroadcast).unwrap();
    assert_eq!(act(&mut meeting, guest, start.clone()), Err(Refusal::NotAllowed));
    let effects = act(&mut meeting, host, start.clone()).unwrap();
    assert_eq!(effects[0], Effect::StartPush(1, url));
    meeting.handle(Command::Pushed(1, PushState::Live), NOW).unwrap();
    let [push] = &meeting.snapshot().broadcast.unwrap().pushes[..] else { panic!("one push") };
    assert_eq!((push.state, push.url.as_str()), (PushState::Live, "rtmp://live.example.com/app/•••"));
    assert_eq!(act(&mut meeting, host, Action::StopPush { push: 1 }).unwrap()[0], Effect::StopPush(1));
    assert_eq!(act(&mut meeting, host, Action::StopPush { push: 1 }), Err(Refusal::NoSuchPush));
    assert_eq!(meeting.handle(Command::Pushed(1, PushState::Retrying), NOW), Ok(vec![]), "it is gone");
    for _ in 0..10 {
        act(&mut meeting, host, start.clone()).unwrap();
    }
    assert_eq!(act(&mut meeting, host, start), Err(Refusal::TooManyPushes));
}

// product: C23
#[test]
fn the_host_records_and_everyone_is_told() {
    let (mut meeting, [host, guest, _]) = three();
    assert_eq!(act(&mut meeting, guest, Action::StartRecording), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, host, Action::StopRecording), Ok(vec![]));
    let effects = act(&mut meeting, host, Action::StartRecording).unwrap();
    let [Effect::StartRecording, Effect::Tell(_, Event::MeetingChanged { meeting: view })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert!(view.recording);
    assert_eq!(act(&mut meeting, host, Action::StartRecording), Ok(vec![]));
    assert_eq!(act(&mut meeting, guest, Action::StopRecording), Err(Refusal::NotAllowed));
    assert_eq!(meeting.handle(Command::RecordingFailed, NOW).unwrap().len(), 1);
    let told = meeting.handle(Command::TellManagers(Notice::RecordingFull), NOW).unwrap();
    assert_eq!(told, [Effect::Notify(host, Notice::RecordingFull)], "and those who manage the meeting, why");
    assert!(!meeting.snapshot().meeting.recording);
    act(&mut meeting, host, Action::StartRecording).unwrap();
    let effects = act(&mut meeting, host, Action::End).unwrap();
    assert!(effects.contains(&Effect::StopRecording), "the end of the meeting is the end of its recording");

    let (mut meeting, [host, ..]) = three();
    act(&mut meeting, host, Action::StartBroadcast).unwrap();
    act(&mut meeting, host, Action::StartRecording).unwrap();
    let effects = act(&mut meeting, host, Action::End).unwrap();
    let last = [Effect::StopRecording, Effect::StopBroadcast, Effect::Close(EndReason::MeetingEnded)];
    assert_eq!(effects[3..], last, "one film, not another one of what was said after the livestream");
}

// product: B2
#[test]
fn the_host_chooses_the_livestreams_layout_and_all_are_told() {
    let (mut meeting, [host, guest, _]) = three();
    let gallery = Action::Layout { layout: Layout::Gallery };
    act(&mut meeting, host, Action::StartBroadcast).unwrap();
    assert_eq!(meeting.snapshot().broadcast.unwrap().layout, Layout::Speaker);
    assert_eq!(act(&mut meeting, guest, gallery.clone()), Err(Refusal::NotAllowed));
    let told = act(&mut meeting, host, gallery.clone()).unwrap();
    let [Effect::Tell(_, Event::BroadcastChanged { broadcast: Some(view) })] = &told[..] else { panic!("{told:?}") };
    assert_eq!(view.layout, Layout::Gallery);
    assert_eq!(act(&mut meeting, host, gallery), Ok(vec![]), "nothing has changed");

    // It is the next one's too, and a recording's without any.
    act(&mut meeting, host, Action::StopBroadcast).unwrap();
    assert_eq!(meeting.layout(), Layout::Gallery);
    assert_eq!(act(&mut meeting, host, Action::Layout { layout: Layout::PictureInPicture }), Ok(vec![]));
    act(&mut meeting, host, Action::StartBroadcast).unwrap();
    assert_eq!(
        (meeting.layout(), meeting.snapshot().broadcast.unwrap().layout),
        (Layout::PictureInPicture, meeting.layout())
    );
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

fn any_command() -> impl Strategy<Value = Command> {
    let who = || (1..9u128).prop_map(seat);
    let action = prop_oneof![
        who().prop_map(|participant| Action::Mute { participant }),
        who().prop_map(|participant| Action::Unmute { participant }),
        any::<bool>().prop_map(|self_unmute| Action::MuteAll { self_unmute }),
        Just(Action::UnmuteAll),
        any::<bool>().prop_map(|on| Action::AllowSelfUnmute { on }),
        any::<bool>().prop_map(|on| Action::Camera { on }),
        any::<bool>().prop_map(|on| Action::Lock { on }),
        who().prop_map(|participant| Action::Remove { participant }),
        who().prop_map(|participant| Action::MakeHost { participant }),
        (who(), any::<bool>()).prop_map(|(participant, on)| Action::MakeCoHost { participant, on }),
        (who(), any::<bool>()).prop_map(|(who, on)| Action::Spotlight { participant: on.then_some(who) }),
        any::<bool>().prop_map(|on| Action::WaitingRoom { on }),
        any::<bool>().prop_map(|on| Action::LockShare { on }),
        any::<bool>().prop_map(|on| Action::Screen { on }),
        who().prop_map(|participant| Action::Admit { participant }),
        Just(Action::AdmitAll),
        Just(Action::Dial { number: "+8613800000000".to_owned(), name: None }),
        (1..4u32).prop_map(|dial| Action::StopDial { dial }),
        (1..4u32).prop_map(|dial| Action::Redial { dial }),
        Just(Action::StartBroadcast),
        Just(Action::StopBroadcast),
        Just(Action::StartRecording),
        Just(Action::StopRecording),
        Just(Action::Leave),
        Just(Action::Away),
    ];
    // The owner is busy enough that there mostly is a host.
    let who = || prop_oneof![1 => Just(seat(1)), 2 => who()];
    prop_oneof![
        3 => (1..9u128).prop_map(|n| Command::Join(match n {
            1 => web(1, Some(OWNER)),
            2..=5 => web(n, None),
            _ => phone(n),
        })),
        8 => (who(), action).prop_map(|(by, action)| Command::Act { by, action, livestream: LIVESTREAM }),
        1 => who().prop_map(Command::Lost),
        1 => Just(Command::Tick),
        1 => (1..4u32).prop_map(|dial| Command::Dialed(dial, DialState::Busy)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn whatever_happens_the_rules_hold(commands in prop::collection::vec((any_command(), 0..40u64), 1..60)) {
        let mut meeting = meeting();
        let mut now = Duration::ZERO;
        let mut seen = meeting.snapshot();
        let mut sound: BTreeMap<ParticipantId, bool> = BTreeMap::new();
        let mut pictures = BTreeMap::new();
        let mut had_host = false;
        for (command, seconds) in commands {
            now += Duration::from_secs(seconds);
            let (before, asked) = (meeting.snapshot(), command.clone());
            let was_mute_all = matches!(&command, Command::Act { action: Action::MuteAll { .. }, .. });
            let Ok(effects) = meeting.handle(command, now) else { continue };
            for effect in effects {
                match effect {
                    Effect::Tell(seq, event) => {
                        // Numbered without a gap, and enough to follow the state.
                        prop_assert_eq!(seq, seen.seq + 1);
                        seen.seq = seq;
                        follow(&mut seen, event);
                    }
                    Effect::SetMuted(id, muted) => { sound.insert(id, muted); }
                    Effect::SetPictures { participant, camera, screen } => {
                        pictures.insert(participant, (camera, screen));
                    }
                    Effect::Dismiss(id, _) => { sound.remove(&id); }
                    _ => {}
                }
            }
            prop_assert_eq!(&seen, &meeting.snapshot());
            prop_assert!(seen.participants.len() <= 5, "capacity");
            let has_browser = seen.participants.iter().any(|person| person.via == ViaKind::Web);
            had_host = !seen.participants.is_empty() && (had_host || !meeting.hosts().is_empty());
            prop_assert!(meeting.hosts().len() <= 1);
            let spotlight = seen.meeting.spotlight;
            prop_assert!(spotlight.is_none_or(|id| meeting.participant(id).is_some()), "nobody is large who is gone");
            if seen.meeting.share_locked {
                let shares = |person: &Participant| person.screen && !person.role.manages();
                let shared = |person: &Participant| before.participants.iter().any(|was| was.id == person.id && was.screen);
                prop_assert!(!seen.participants.iter().any(|person| shares(person) && !shared(person)));
            }
            prop_assert_eq!(had_host && has_browser && meeting.hosts().is_empty(), false, "the role never lapses");
            for person in &seen.participants {
                prop_assert_eq!(sound.get(&person.id), Some(&person.muted), "media follows the roster");
                prop_assert_eq!(pictures.get(&person.id), Some(&(person.camera, person.screen)));
                let was_muted = |known: &&Participant| known.id == person.id && known.muted;
                if !person.muted && before.participants.iter().any(|known| was_muted(&known)) {
                    prop_assert!(may_have_opened(&before, person, &asked), "{:?} unmuted {:?}", asked, person);
                }
                if was_mute_all {
                    prop_assert!(person.muted || person.role.manages());
                }
            }
        }
    }
}

/// C7–C12: a browser opens only himself, a caller is opened by himself or by the host.
fn may_have_opened(before: &Snapshot, opened: &Participant, command: &Command) -> bool {
    let Command::Act { by, action, .. } = command else { return false };
    let by_host = before.participants.iter().any(|person| person.id == *by && person.role.manages());
    match action {
        Action::Unmute { participant } if participant == by => opened.id == *by,
        Action::Unmute { participant } => by_host && opened.id == *participant && opened.via == ViaKind::Phone,
        Action::UnmuteAll => by_host && opened.via == ViaKind::Phone,
        _ => false,
    }
}

fn follow(seen: &mut Snapshot, event: Event) {
    match event {
        Event::ParticipantJoined { participant } => seen.participants.push(participant),
        Event::ParticipantChanged { participant } => {
            let known = seen.participants.iter_mut().find(|known| known.id == participant.id).unwrap();
            *known = participant;
        }
        Event::ParticipantLeft { id, .. } => seen.participants.retain(|known| known.id != id),
        Event::MeetingChanged { meeting } => seen.meeting = meeting,
        Event::BroadcastChanged { broadcast } => seen.broadcast = broadcast,
        Event::Reacted { .. }
        | Event::Chat { .. }
        | Event::ChatRemoved { .. }
        | Event::QuestionChanged { .. }
        | Event::QuestionRemoved { .. }
        | Event::QuestionVotes { .. }
        | Event::ViewersReacted { .. } => {}
        Event::DialChanged { dial } => match seen.dials.iter_mut().find(|known| known.id == dial.id) {
            Some(known) => *known = dial,
            None => seen.dials.push(dial),
        },
        Event::PollChanged { poll } => {
            seen.polls.retain(|known| known.id != poll.id);
            seen.polls.push(poll);
        }
    }
}

// product: P4
#[test]
fn the_pin_makes_a_caller_host_where_others_key_the_password() {
    let mut meeting = meeting();
    let web_host = join(&mut meeting, web(1, Some(OWNER)));
    let caller = join(&mut meeting, Join { password: Some(PIN.to_owned()), ..phone(3) });
    let role = |meeting: &Meeting, id| meeting.participant(id).unwrap().role;
    assert_eq!((role(&meeting, caller), role(&meeting, web_host)), (Role::Host, Role::Member));
    // A browser has an account for that.
    let stranger = Join { password: Some(PIN.to_owned()), ..web(4, None) };
    assert_eq!(meeting.handle(Command::Join(stranger), NOW), Err(Refusal::WrongPassword));
}

// product: P4, J2
#[test]
fn the_pin_can_be_keyed_in_the_meeting_and_is_not_to_be_guessed() {
    let (mut meeting, [host, guest, caller]) = three();
    let claim = |pin: &str| Action::ClaimHost { pin: pin.to_owned() };
    assert_eq!(act(&mut meeting, guest, claim(PIN)), Err(Refusal::WrongPassword), "not from a browser");
    assert_eq!(act(&mut meeting, caller, claim("24680136")), Err(Refusal::WrongPassword));
    let effects = act(&mut meeting, caller, claim(PIN)).unwrap();
    assert!(effects.contains(&Effect::Notify(caller, Notice::MadeHost)), "{effects:?}");
    assert_eq!(meeting.participant(caller).unwrap().role, Role::Host);
    assert_eq!(meeting.participant(host).unwrap().role, Role::Member);
    for _ in 0..9 {
        assert_eq!(act(&mut meeting, caller, claim("246801350")), Err(Refusal::WrongPassword));
    }
    assert_eq!(act(&mut meeting, caller, claim(PIN)), Err(Refusal::TooManyTries));
}

// product: P4, P5
#[test]
fn a_colleague_who_keys_his_own_pin_is_seated_under_his_name() {
    let (mut meeting, [_, guest, caller]) = three();
    let account = account(77);
    let known = |by| Command::Known { by, account, name: "王芳".to_owned(), avatar: None };
    assert_eq!(meeting.handle(known(guest), NOW), Err(Refusal::NotAllowed), "not from a browser");
    assert!(!meeting.handle(known(caller), NOW).unwrap().is_empty(), "all are told");
    let person = meeting.participant(caller).unwrap();
    assert_eq!((person.name.as_str(), person.role), ("王芳", Role::Member));
    assert!(person.number.is_some(), "it is seen that he came by telephone");
    assert_eq!(meeting.account_of(caller), Some(account));
    for _ in 0..10 {
        let wrong = Action::ClaimHost { pin: "24680136".to_owned() };
        assert_eq!(act(&mut meeting, caller, wrong), Err(Refusal::WrongPassword));
    }
    assert_eq!(meeting.handle(known(caller), NOW), Err(Refusal::TooManyTries), "who guesses hits none by luck");
}

// product: P4, J2, J3
#[test]
fn a_pin_is_counted_at_the_door_too_where_there_is_no_password() {
    let mut meeting = Meeting::new(Rules { password: None, ..rules() });
    let with = |pin: Option<&str>| Command::Join(Join { password: pin.map(str::to_owned), ..phone(3) });
    for _ in 0..10 {
        assert_eq!(meeting.handle(with(Some("000000")), NOW), Err(Refusal::WrongPassword));
    }
    assert_eq!(meeting.handle(with(Some(PIN)), NOW), Err(Refusal::TooManyTries));
    assert!(meeting.handle(with(None), NOW).is_ok(), "without a PIN he may come in as before");
}

// product: P4, J3
#[test]
fn a_host_by_telephone_begins_the_meeting() {
    let options = Options { join_before_host: false, ..Options::default() };
    let mut meeting = Meeting::new(Rules { options, ..rules() });
    let waits = meeting.handle(Command::Join(phone(3)), NOW).unwrap();
    assert!(waits.contains(&Effect::Waits(seat(3), WaitReason::Host)));
    let effects = meeting.handle(Command::Join(Join { password: Some(PIN.to_owned()), ..phone(4) }), NOW).unwrap();
    assert!(effects.contains(&Effect::Seated { participant: seat(3), again: false }), "{effects:?}");
    assert_eq!(meeting.participant(seat(4)).unwrap().role, Role::Host);
}

// product: P10
#[test]
fn music_of_a_telephone_is_told_to_all_and_a_host_may_let_it_be_heard() {
    let (mut meeting, [host, guest, caller]) = three();
    let trouble = |meeting: &Meeting| meeting.participant(caller).and_then(|person| person.line_trouble);
    let effects = meeting.handle(Command::Line(caller, Some(LineTrouble::Music)), NOW).unwrap();
    assert!(matches!(effects[..], [Effect::Tell(_, Event::ParticipantChanged { .. })]), "{effects:?}");
    assert_eq!(trouble(&meeting), Some(LineTrouble::Music));
    let let_it = Action::Unmute { participant: caller };
    assert_eq!(act(&mut meeting, guest, let_it.clone()), Err(Refusal::NotAllowed));
    let effects = act(&mut meeting, host, let_it).unwrap();
    assert!(effects.contains(&Effect::LetMusic(caller)), "{effects:?}");
    assert_eq!(trouble(&meeting), None);
    // Who was muted besides is opened with it, and where there is no music there is nothing to let.
    act(&mut meeting, host, Action::Mute { participant: caller }).unwrap();
    let effects = act(&mut meeting, host, Action::Unmute { participant: caller }).unwrap();
    assert!(!effects.contains(&Effect::LetMusic(caller)), "{effects:?}");
}

// product: P5, C7
#[test]
fn a_telephone_on_hold_counts_for_nobody_and_comes_back_as_it_was() {
    let (mut meeting, [host, guest, caller]) = three();
    let hold = |on| Action::OnHold { on };
    assert_eq!(act(&mut meeting, guest, hold(true)), Err(Refusal::NotAllowed));
    let effects = act(&mut meeting, caller, hold(true)).unwrap();
    assert!(effects.contains(&Effect::SetMuted(caller, true)), "{effects:?}");
    assert_eq!(meeting.participant(caller).map(|person| (person.on_hold, person.muted)), Some((true, false)));
    // What the host does meanwhile holds afterwards, and opens no music.
    let effects = act(&mut meeting, host, Action::Mute { participant: caller }).unwrap();
    assert!(effects.contains(&Effect::SetMuted(caller, true)), "{effects:?}");
    let effects = act(&mut meeting, host, Action::Unmute { participant: caller }).unwrap();
    assert!(effects.contains(&Effect::SetMuted(caller, true)), "{effects:?}");
    let effects = act(&mut meeting, caller, hold(false)).unwrap();
    assert!(effects.contains(&Effect::SetMuted(caller, false)), "{effects:?}");
    assert_eq!(act(&mut meeting, caller, hold(false)), Ok(Vec::new()));
}

// trap: muted phone stuck; product: C8, C9, C11: for every way of being muted there is a way out, from the telephone or
// from the roster.
#[test]
fn no_telephone_is_muted_for_ever() {
    let muted = |meeting: &Meeting, id| meeting.participant(id).unwrap().muted;
    let (mut meeting, [host, _, caller]) = three();
    let unmute = Action::Unmute { participant: caller };
    for action in [Action::Mute { participant: caller }, Action::MuteAll { self_unmute: true }] {
        act(&mut meeting, host, action).unwrap();
        assert!(muted(&meeting, caller));
        act(&mut meeting, caller, unmute.clone()).unwrap();
        assert!(!muted(&meeting, caller));
    }
    // The host forbade it: he opens one, or all, and when he leaves them alone they open themselves.
    act(&mut meeting, host, Action::MuteAll { self_unmute: false }).unwrap();
    assert_eq!(act(&mut meeting, caller, unmute.clone()), Err(Refusal::NoSelfUnmute));
    act(&mut meeting, host, unmute.clone()).unwrap();
    assert!(!muted(&meeting, caller));
    act(&mut meeting, host, Action::MuteAll { self_unmute: false }).unwrap();
    act(&mut meeting, host, Action::UnmuteAll).unwrap();
    assert!(!muted(&meeting, caller));
    act(&mut meeting, host, Action::MuteAll { self_unmute: false }).unwrap();
    for browser in [1, 2].map(seat) {
        act(&mut meeting, browser, Action::Leave).unwrap();
    }
    act(&mut meeting, caller, unmute).unwrap();
    // Taken for music, he frees himself by his own key, muted or not; so does a host whose own line it is, and all by one key.
    let trouble = |meeting: &Meeting, id| meeting.participant(id).unwrap().line_trouble;
    let music = |meeting: &mut Meeting, id| {
        meeting.handle(Command::Line(id, Some(LineTrouble::Music)), NOW).unwrap();
    };
    act(&mut meeting, caller, Action::ClaimHost { pin: PIN.to_owned() }).unwrap();
    let other = join(&mut meeting, phone(4));
    for (id, is_muted) in [(caller, false), (other, false), (other, true)] {
        music(&mut meeting, id);
        if is_muted {
            act(&mut meeting, id, Action::Mute { participant: id }).unwrap();
        }
        let effects = act(&mut meeting, id, Action::Unmute { participant: id }).unwrap();
        assert!(effects.contains(&Effect::ListenAnew(id)), "{effects:?}");
        assert_eq!((trouble(&meeting, id), muted(&meeting, id)), (None, false));
    }
    [caller, other].into_iter().for_each(|id| music(&mut meeting, id));
    // Who was opened by the host before may free his line, though nobody may unmute himself.
    act(&mut meeting, caller, Action::AllowSelfUnmute { on: false }).unwrap();
    act(&mut meeting, other, Action::Unmute { participant: other }).unwrap();
    music(&mut meeting, other);
    let effects = act(&mut meeting, caller, Action::UnmuteAll).unwrap();
    for id in [caller, other] {
        assert!(effects.contains(&Effect::ListenAnew(id)), "{effects:?}");
        assert_eq!(trouble(&meeting, id), None);
    }
    // Muted as he came in.
    act(&mut meeting, other, Action::Leave).unwrap();
    act(&mut meeting, caller, Action::Leave).unwrap();
    let mut meeting = Meeting::new(Rules { options: Options { mute_on_entry: true, ..Options::default() }, ..rules() });
    let caller = join(&mut meeting, phone(3));
    assert!(muted(&meeting, caller));
    act(&mut meeting, caller, Action::Unmute { participant: caller }).unwrap();
    assert!(!muted(&meeting, caller));
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

#[path = "showing_tests.rs"]
mod showing;

#[path = "viewers_tests.rs"]
mod viewers;
