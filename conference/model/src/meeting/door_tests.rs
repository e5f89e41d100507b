use super::*;
use crate::Terms;

fn waits(effects: &[Effect]) -> Vec<(ParticipantId, WaitReason)> {
    let waits = effects.iter().filter_map(|effect| match effect {
        Effect::Waits(id, why) => Some((*id, *why)),
        _ => None,
    });
    waits.collect()
}

fn people(meeting: &Meeting) -> usize {
    meeting.snapshot().participants.len()
}

fn terms() -> Terms {
    let Rules { title, password, capacity, options, .. } = rules();
    Terms { title, password, capacity, options }
}

// product: C17
#[test]
fn a_waiting_room_that_is_switched_off_lets_in_who_waits_and_the_rest_as_seats_become_free() {
    let options = Options { waiting_room: true, ..Options::default() };
    let mut meeting = Meeting::new(Rules { options, capacity: 3, ..rules() });
    let host = join(&mut meeting, web(1, Some(OWNER)));
    for n in 2..=4 {
        effects_of(&mut meeting, web(n, None));
    }
    act(&mut meeting, host, Action::Lock { on: true }).unwrap();
    act(&mut meeting, host, Action::WaitingRoom { on: false }).unwrap();
    assert_eq!(people(&meeting), 1, "a lock is a lock");
    act(&mut meeting, host, Action::Lock { on: false }).unwrap();
    meeting.handle(Command::Tick, NOW).unwrap();
    assert_eq!((people(&meeting), meeting.snapshot_for(host).waiting.len()), (3, 1));
    assert_eq!(effects_of_tick(&mut meeting), [], "who finds no seat goes on waiting");
    act(&mut meeting, seat(2), Action::Leave).unwrap();
    meeting.handle(Command::Tick, NOW).unwrap();
    assert_eq!((people(&meeting), meeting.snapshot_for(host).waiting.len()), (3, 0));
}

// product: J3
#[test]
fn who_finds_no_seat_when_the_host_has_come_no_longer_waits_for_him() {
    let options = Options { join_before_host: false, ..Options::default() };
    let mut meeting = Meeting::new(Rules { options, capacity: 2, ..rules() });
    for n in 2..=3 {
        effects_of(&mut meeting, web(n, None));
    }
    let effects = effects_of(&mut meeting, web(1, Some(OWNER)));
    assert_eq!(waits(&effects), [(seat(3), WaitReason::Admission)]);
    assert_eq!(people(&meeting), 2);
}

// product: S6, J2
#[test]
fn what_is_changed_of_a_booking_counts_in_the_meeting_too_and_what_the_host_has_set_stays() {
    let (mut meeting, [host, ..]) = three();
    act(&mut meeting, host, Action::MuteOnEntry { on: true }).unwrap();
    let options = Options { participant_video: false, ..Options::default() };
    let changed = Terms { title: "例会".to_owned(), password: Some("8642".to_owned()), capacity: 6, options };
    let told = meeting.handle(Command::Rebooked(changed.clone()), NOW).unwrap();
    let Some(Effect::Tell(_, Event::MeetingChanged { meeting: view })) = told.first() else { panic!("{told:?}") };
    assert_eq!((view.title.as_str(), view.capacity, view.participant_video), ("例会", 6, false));
    assert!(view.mute_on_entry, "the booking says of it what it said before");
    assert_eq!(meeting.handle(Command::Rebooked(changed), NOW), Ok(vec![]), "the same again is no news");

    assert_eq!(meeting.handle(Command::Join(web(4, None)), NOW), Err(Refusal::WrongPassword));
    join(&mut meeting, Join { password: Some("8642".to_owned()), ..web(4, None) });
    meeting.handle(Command::Rebooked(Terms { password: None, capacity: 6, ..terms() }), NOW).unwrap();
    join(&mut meeting, Join { password: None, ..web(5, None) });
}

// product: S6, J3
#[test]
fn who_waits_for_the_host_comes_in_when_the_booking_no_longer_asks_that() {
    let options = Options { join_before_host: false, ..Options::default() };
    let mut meeting = Meeting::new(Rules { options, ..rules() });
    effects_of(&mut meeting, web(2, None));
    let waiting_room = Options { waiting_room: true, ..Options::default() };
    let told = meeting.handle(Command::Rebooked(Terms { options: waiting_room, ..terms() }), NOW).unwrap();
    assert_eq!((waits(&told), people(&meeting)), (vec![(seat(2), WaitReason::Admission)], 0));
    meeting.handle(Command::Rebooked(terms()), NOW).unwrap();
    assert_eq!(people(&meeting), 1);
}

// product: S6
#[test]
fn a_booking_that_is_deleted_turns_away_who_waits_at_its_door() {
    let options = Options { join_before_host: false, ..Options::default() };
    let mut meeting = Meeting::new(Rules { options, ..rules() });
    effects_of(&mut meeting, web(2, None));
    let effects = meeting.handle(Command::Cancelled, NOW).unwrap();
    assert_eq!(effects, [Effect::TurnAway(seat(2), Refusal::Ended), Effect::Close(EndReason::MeetingEnded)]);
}

// product: C17
#[test]
fn who_waits_reads_what_a_host_has_to_say() {
    let options = Options { waiting_room: true, ..Options::default() };
    let mut meeting = Meeting::new(Rules { options, ..rules() });
    let host = join(&mut meeting, web(1, Some(OWNER)));
    for n in 2..=3 {
        effects_of(&mut meeting, web(n, None));
    }
    act(&mut meeting, host, Action::Admit { participant: seat(2) }).unwrap();
    let say = |text: &str| Action::TellWaiting { text: text.to_owned() };
    let told = act(&mut meeting, host, say(" 五分钟后开始 ")).unwrap();
    assert_eq!(told, [Effect::TellAtDoor(seat(3), "五分钟后开始".to_owned())]);
    assert_eq!(act(&mut meeting, seat(2), say("请进")), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, host, say(&"长".repeat(301))), Err(Refusal::BadText));
}

// product: C17
#[test]
fn a_host_lowers_one_hand_and_the_others_stay_up() {
    let (mut meeting, [host, guest, caller]) = three();
    for who in [guest, caller] {
        act(&mut meeting, who, Action::Hand { up: true }).unwrap();
    }
    assert_eq!(act(&mut meeting, guest, Action::LowerHand { participant: caller }), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, host, Action::LowerHand { participant: caller }).unwrap().len(), 1);
    assert_eq!(act(&mut meeting, host, Action::LowerHand { participant: caller }), Ok(vec![]));
    let hands: Vec<_> = meeting.snapshot().participants.iter().map(|person| person.hand).collect();
    assert_eq!(hands, [false, true, false]);
    let gone = Action::LowerHand { participant: seat(9) };
    assert_eq!(act(&mut meeting, host, gone), Err(Refusal::NoSuchParticipant));
}

// product: C13
#[test]
fn a_host_stops_one_shared_screen_and_its_owner_may_share_again() {
    let (mut meeting, [host, guest, _]) = three();
    let other = join(&mut meeting, web(4, None));
    act(&mut meeting, guest, Action::Screen { on: true }).unwrap();
    assert_eq!(act(&mut meeting, other, Action::StopScreen { participant: guest }), Err(Refusal::NotAllowed));
    let effects = act(&mut meeting, host, Action::StopScreen { participant: guest }).unwrap();
    assert_eq!(effects.last(), Some(&Effect::Notify(guest, Notice::ShareStopped)));
    assert!(!meeting.participant(guest).unwrap().screen);
    assert_eq!(act(&mut meeting, host, Action::StopScreen { participant: guest }), Ok(vec![]), "it is over");
    act(&mut meeting, guest, Action::Screen { on: true }).unwrap();
}

fn effects_of_tick(meeting: &mut Meeting) -> Vec<Effect> {
    meeting.handle(Command::Tick, NOW).unwrap()
}
