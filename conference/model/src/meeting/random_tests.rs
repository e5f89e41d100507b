//! Whatever happens, in any order.

use proptest::prelude::*;

use super::*;

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
