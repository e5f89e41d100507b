use super::*;
use crate::DialView;

const NUMBER: &str = "+8613812345678";

fn call(name: Option<&str>) -> Action {
    Action::Dial { number: NUMBER.to_owned(), name: name.map(str::to_owned) }
}

/// Who answers the call.
fn called(n: u128, dial: u32) -> Join {
    let via = Via::Phone(PhoneNumber::new(NUMBER));
    Join { name: None, via, password: None, dial: Some(dial), ..web(n, None) }
}

fn state(meeting: &Meeting, id: u32) -> DialState {
    meeting.snapshot().dials.into_iter().find(|dial| dial.id == id).unwrap().state
}

// product: C22, P8
#[test]
fn whom_a_host_calls_comes_in_past_lock_password_and_door() {
    let (mut meeting, [host, guest, _]) = three();
    assert_eq!(act(&mut meeting, guest, call(None)), Err(Refusal::NotAllowed));
    act(&mut meeting, host, Action::Lock { on: true }).unwrap();
    act(&mut meeting, host, Action::WaitingRoom { on: true }).unwrap();
    let effects = act(&mut meeting, host, call(Some("韩梅梅"))).unwrap();
    let [Effect::Dial(1, number), Effect::Tell(_, Event::DialChanged { dial })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(number.reveal(), NUMBER);
    let view =
        DialView {
            id: 1, name: "韩梅梅".to_owned(), number: "+86138****5678".to_owned(), state: DialState::Calling
        };
    assert_eq!(*dial, view);
    for told in [DialState::Ringing, DialState::Answered] {
        assert_eq!(meeting.handle(Command::Dialed(1, told), NOW).unwrap().len(), 1);
        assert_eq!(meeting.handle(Command::Dialed(1, told), NOW), Ok(vec![]), "said once");
    }
    // Another call's number opens nothing.
    assert_eq!(meeting.handle(Command::Join(called(4, 2)), NOW), Err(Refusal::PasswordNeeded));
    let seat = join(&mut meeting, called(4, 1));
    assert_eq!(meeting.participant(seat).unwrap().name, "韩梅梅");
    assert_eq!(state(&meeting, 1), DialState::Joined);
    assert_eq!(meeting.handle(Command::Join(called(5, 1)), NOW), Err(Refusal::PasswordNeeded), "it opens once");
    assert_eq!(meeting.handle(Command::Dialed(1, DialState::Failed), NOW), Ok(vec![]), "what is over stays so");
}

// product: P8
#[test]
fn who_did_not_come_is_called_again_at_the_number_nobody_is_told() {
    let (mut meeting, [host, guest, _]) = three();
    act(&mut meeting, host, call(Some("韩梅梅"))).unwrap();
    let again = |dial| Action::Redial { dial };
    assert_eq!(act(&mut meeting, host, again(1)), Err(Refusal::NoSuchParticipant), "it rings");
    meeting.handle(Command::Dialed(1, DialState::Busy), NOW).unwrap();
    assert_eq!(act(&mut meeting, guest, again(1)), Err(Refusal::NotAllowed));
    let effects = act(&mut meeting, host, again(1)).unwrap();
    let [Effect::Dial(2, number), Effect::Tell(_, Event::DialChanged { dial })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((number.reveal(), dial.name.as_str(), dial.number.as_str()), (NUMBER, "韩梅梅", "+86138****5678"));
    join(&mut meeting, called(4, 2));
    assert_eq!(act(&mut meeting, host, again(2)), Err(Refusal::NoSuchParticipant), "he is here");
    // Without a name he has his masked number again.
    act(&mut meeting, host, call(None)).unwrap();
    meeting.handle(Command::Dialed(3, DialState::NoAnswer), NOW).unwrap();
    act(&mut meeting, host, again(3)).unwrap();
    assert_eq!(meeting.snapshot().dials.last().unwrap().name, "+86138****5678");
}

// product: P8
#[test]
fn a_call_is_given_up_and_its_end_is_told() {
    let (mut meeting, [host, guest, _]) = three();
    act(&mut meeting, host, call(None)).unwrap();
    let stop = Action::StopDial { dial: 1 };
    assert_eq!(act(&mut meeting, guest, stop.clone()), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, host, stop.clone()).unwrap()[0], Effect::StopDial(1));
    assert_eq!(state(&meeting, 1), DialState::Stopped);
    assert_eq!(act(&mut meeting, host, stop), Err(Refusal::NoSuchParticipant));
    act(&mut meeting, host, call(None)).unwrap();
    meeting.handle(Command::Dialed(2, DialState::Busy), NOW).unwrap();
    assert_eq!(state(&meeting, 2), DialState::Busy);
}

// product: P8
#[test]
fn no_more_telephones_ring_than_there_are_seats_and_not_without_end() {
    let (mut meeting, [host, ..]) = three();
    act(&mut meeting, host, call(None)).unwrap();
    act(&mut meeting, host, call(None)).unwrap();
    assert_eq!(act(&mut meeting, host, call(None)), Err(Refusal::Full), "three sit, two are called, of five");
    meeting.handle(Command::Dialed(1, DialState::Busy), NOW).unwrap();
    act(&mut meeting, host, call(None)).unwrap();
    for id in 3..503 {
        meeting.handle(Command::Dialed(id - 1, DialState::NoAnswer), NOW).unwrap();
        meeting.handle(Command::Dialed(id, DialState::NoAnswer), NOW).unwrap();
        if id < 500 {
            act(&mut meeting, host, call(None)).unwrap();
        }
    }
    assert_eq!(act(&mut meeting, host, call(None)), Err(Refusal::TooManyDials));
    assert_eq!(meeting.snapshot().dials.len(), 20, "the newest");
    let mut without = Meeting::new(Rules { dial_out: false, ..rules() });
    let host = join(&mut without, web(1, Some(OWNER)));
    assert_eq!(act(&mut without, host, call(None)), Err(Refusal::NoDialOut));
}
