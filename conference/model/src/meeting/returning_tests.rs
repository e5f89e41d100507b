use super::*;

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
