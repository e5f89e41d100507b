use super::*;

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

// product: R1, C2, C3, S1
#[test]
fn the_pictures_of_a_room_system_are_the_host_s_to_show_whatever_its_call_does() {
    let (mut meeting, [host, guest, room]) = three();
    let sends = |meeting: &mut Meeting, on| act(meeting, room, Action::SendsVideo { on }).unwrap();
    let stop = Action::StopCamera { participant: room };
    let ask = Action::AskCamera { participant: room };
    let pictures = |camera| Effect::SetPictures { participant: room, camera, screen: false };
    let seen = |meeting: &Meeting| meeting.participant(room).map(|room| (room.video, room.camera)).unwrap();
    assert_eq!(act(&mut meeting, guest, Action::SendsVideo { on: true }), Err(Refusal::NotAllowed), "no telephone");
    assert!(sends(&mut meeting, true).contains(&pictures(true)));
    assert_eq!(act(&mut meeting, guest, stop.clone()), Err(Refusal::NotAllowed));
    assert!(act(&mut meeting, host, stop).unwrap().contains(&pictures(false)));
    // A hold ends, or its camera comes back: what the host has said holds.
    sends(&mut meeting, false);
    sends(&mut meeting, true);
    assert_eq!(seen(&meeting), (true, false));
    // It can't be asked: it is shown.
    assert!(act(&mut meeting, host, ask.clone()).unwrap().contains(&pictures(true)));
    sends(&mut meeting, false);
    assert_eq!(seen(&meeting), (false, false));
    assert_eq!(act(&mut meeting, host, ask), Err(Refusal::NotAllowed), "there is nothing to show");
    sends(&mut meeting, true);
    meeting.handle(Command::Lost(room), NOW).unwrap();
    assert_eq!(seen(&meeting), (false, false));

    let options = Options { participant_video: false, ..Options::default() };
    let mut meeting = Meeting::new(Rules { options, ..rules() });
    join(&mut meeting, web(1, Some(OWNER)));
    join(&mut meeting, phone(3));
    act(&mut meeting, seat(3), Action::SendsVideo { on: true }).unwrap();
    assert!(!meeting.participant(seat(3)).unwrap().camera, "participants come in without pictures");
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
