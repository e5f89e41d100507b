use super::*;

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

fn effects_of_tick(meeting: &mut Meeting) -> Vec<Effect> {
    meeting.handle(Command::Tick, NOW).unwrap()
}
