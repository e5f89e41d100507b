use super::*;
use crate::{QuestionVotes, ReactionSum, ViewerHand, ViewersMay};

fn viewer(n: u128) -> ParticipantId {
    ParticipantId::from_u128(1_000 + n)
}

fn does(meeting: &mut Meeting, n: u128, action: ViewerAction) -> Outcome {
    meeting.handle(Command::Viewer(viewer(n), action), NOW)
}

fn ask(meeting: &mut Meeting, n: u128, text: &str) -> Result<u64, Refusal> {
    let told = does(meeting, n, ViewerAction::Ask { name: format!("观众{n}"), text: text.to_owned() })?;
    let Some(Effect::Tell(_, Event::QuestionChanged { question })) = told.last() else { panic!("{told:?}") };
    assert_eq!((question.from, question.votes, question.answered), (viewer(n), 1, false));
    Ok(question.id)
}

fn vote(question: u64, on: bool) -> ViewerAction {
    ViewerAction::VoteFor { question, on }
}

fn tick(meeting: &mut Meeting, seconds: u64) -> Vec<Effect> {
    meeting.handle(Command::Tick, Duration::from_secs(seconds)).unwrap()
}

/// Live, with the host, a guest and a caller.
fn live() -> (Meeting, [ParticipantId; 3]) {
    let (mut meeting, people) = three();
    act(&mut meeting, people[0], Action::StartBroadcast).unwrap();
    (meeting, people)
}

// product: B4
#[test]
fn viewers_ask_and_vote_and_hosts_answer() {
    let (mut meeting, [host, guest, _]) = three();
    assert_eq!(ask(&mut meeting, 1, "几点?"), Err(Refusal::NotLive));
    act(&mut meeting, host, Action::StartBroadcast).unwrap();
    assert_eq!(ask(&mut meeting, 1, " "), Err(Refusal::BadText));
    assert_eq!(ask(&mut meeting, 1, &"x".repeat(301)), Err(Refusal::BadText));
    let [first, second] = ["几点?", "哪里?"].map(|text| ask(&mut meeting, 1, text).unwrap());
    // He who asks has voted; each viewer does once, and may take it back.
    for (n, question, on) in
        [(1, second, true), (2, second, true), (2, second, true), (3, second, true), (3, second, false)]
    {
        assert_eq!(does(&mut meeting, n, vote(question, on)), Ok(Vec::new()), "a crowd's votes are told as one");
    }
    let [Effect::Tell(_, Event::QuestionVotes { votes })] = &tick(&mut meeting, 1)[..] else { panic!("they are told") };
    assert_eq!(votes[..], [QuestionVotes { id: second, votes: 2 }], "those that changed");
    assert_eq!(tick(&mut meeting, 2), []);
    assert_eq!(does(&mut meeting, 2, vote(99, true)), Err(Refusal::NoSuchQuestion));

    let answer = Action::AnswerQuestion { question: second, answered: true };
    assert_eq!(act(&mut meeting, guest, answer.clone()), Err(Refusal::NotAllowed));
    act(&mut meeting, host, answer).unwrap();
    assert_eq!(does(&mut meeting, 4, vote(second, true)), Err(Refusal::NoSuchQuestion), "it is answered");
    assert_eq!(act(&mut meeting, guest, Action::RemoveQuestion { question: first }), Err(Refusal::NotAllowed));
    act(&mut meeting, host, Action::RemoveQuestion { question: first }).unwrap();
    let seen = meeting.snapshot_for(guest).questions;
    assert_eq!(seen.iter().map(|one| (one.id, one.votes, one.answered)).collect::<Vec<_>>(), [(second, 2, true)]);
    assert!(meeting.snapshot_for(host).chat.is_empty(), "questions are no messages");
}

// product: B4
#[test]
fn nobody_fills_the_list_of_questions_and_no_crowd_the_memory() {
    let (mut meeting, [host, ..]) = live();
    for _ in 0..3 {
        ask(&mut meeting, 1, "x").unwrap();
    }
    assert_eq!(ask(&mut meeting, 1, "x"), Err(Refusal::TooMany));
    let ids: Vec<_> = (2..99).map(|n| ask(&mut meeting, n, "x").unwrap()).collect();
    assert_eq!(ask(&mut meeting, 200, "x"), Err(Refusal::TooMany), "a hundred wait for an answer");
    act(&mut meeting, host, Action::AnswerQuestion { question: ids[5], answered: true }).unwrap();
    ask(&mut meeting, 200, "x").unwrap();
    let kept = meeting.snapshot_for(host).questions;
    assert!(kept.len() == 100 && kept.iter().all(|one| one.id != ids[5]), "what is answered gives way");
    let taken = (1_000..201_000).filter(|n| does(&mut meeting, *n, vote(ids[0], true)).is_ok()).count();
    assert_eq!(taken, 100_000 - 100);
    act(&mut meeting, host, Action::RemoveQuestion { question: ids[0] }).unwrap();
    does(&mut meeting, 1, vote(ids[1], true)).unwrap();
}

// product: B4
#[test]
fn reactions_of_thousands_are_one_sum_a_second() {
    let (mut meeting, _) = live();
    for n in 0..5_000 {
        let reaction = if n % 5 == 0 { Reaction::Heart } else { Reaction::Clap };
        assert_eq!(does(&mut meeting, n, ViewerAction::React { reaction }), Ok(Vec::new()));
    }
    let told = tick(&mut meeting, 1);
    let [Effect::Tell(_, Event::ViewersReacted { sums })] = &told[..] else { panic!("{told:?}") };
    let sum = |reaction, count| ReactionSum { reaction, count };
    assert_eq!(sums[..], [sum(Reaction::Heart, 1_000), sum(Reaction::Clap, 4_000)]);
    assert_eq!(tick(&mut meeting, 2), []);
}

// product: B4
#[test]
fn a_viewers_hand_is_seen_by_hosts_until_it_is_lowered_or_he_is_gone() {
    let (mut meeting, [host, guest, _]) = live();
    let raise = |n: u128| ViewerAction::RaiseHand { name: format!("观众{n}") };
    let told = |effects: &[Effect]| -> Vec<(ParticipantId, Vec<ParticipantId>)> {
        let hands = effects.iter().filter_map(|effect| match effect {
            Effect::Whisper(to, Whisper::ViewerHands { hands }) => Some((*to, hands)),
            _ => None,
        });
        hands.map(|(to, hands)| (to, hands.iter().map(|hand| hand.viewer).collect())).collect()
    };
    does(&mut meeting, 1, raise(1)).unwrap();
    does(&mut meeting, 2, raise(2)).unwrap();
    assert_eq!(told(&tick(&mut meeting, 1)), [(host, vec![viewer(1), viewer(2)])], "hosts alone");
    assert_eq!(told(&tick(&mut meeting, 2)), []);
    assert_eq!(meeting.snapshot_for(guest).viewer_hands, []);
    let first = ViewerHand { viewer: viewer(1), name: "观众1".to_owned(), called: false };
    assert_eq!(meeting.snapshot_for(host).viewer_hands[0], first);
    let promoted = act(&mut meeting, host, Action::MakeCoHost { participant: guest, on: true }).unwrap();
    assert_eq!(told(&promoted), [(guest, vec![viewer(1), viewer(2)])]);

    // Raised again it stays up for longer, once.
    meeting.handle(Command::Viewer(viewer(2), raise(2)), Duration::from_secs(30)).unwrap();
    assert_eq!(told(&tick(&mut meeting, 59)), []);
    assert_eq!(told(&tick(&mut meeting, 60)), [(host, vec![viewer(2)]), (guest, vec![viewer(2)])]);
    let lower = Action::LowerViewerHand { viewer: viewer(2) };
    act(&mut meeting, host, Action::MakeCoHost { participant: guest, on: false }).unwrap();
    assert_eq!(act(&mut meeting, guest, lower.clone()), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, host, lower.clone()), Ok(vec![Effect::HandLowered(viewer(2))]), "his page is told");
    assert_eq!(act(&mut meeting, host, lower), Ok(Vec::new()));
    assert_eq!(told(&tick(&mut meeting, 61)), [(host, vec![])]);

    for n in 0..100 {
        does(&mut meeting, n, raise(n)).unwrap();
    }
    assert_eq!(does(&mut meeting, 100, raise(100)), Err(Refusal::TooMany));
    does(&mut meeting, 0, ViewerAction::LowerHand).unwrap();
    does(&mut meeting, 100, raise(100)).unwrap();
    assert_eq!(act(&mut meeting, host, Action::LowerHands).unwrap().len(), 100);
    does(&mut meeting, 1, raise(1)).unwrap();
    act(&mut meeting, host, Action::StopBroadcast).unwrap();
    tick(&mut meeting, 1);
    assert_eq!(meeting.snapshot_for(host).viewer_hands, [], "nobody watches");
}

// product: B4
#[test]
fn hosts_say_what_viewers_may() {
    let (mut meeting, [host, guest, _]) = live();
    let question = ask(&mut meeting, 1, "几点?").unwrap();
    let none = ViewersMay { chat: false, questions: false, reactions: false, hands: false };
    let allow = |may| Action::AllowViewers { may };
    assert_eq!(act(&mut meeting, guest, allow(none)), Err(Refusal::NotAllowed));
    does(&mut meeting, 1, ViewerAction::RaiseHand { name: "a".to_owned() }).unwrap();
    act(&mut meeting, host, allow(none)).unwrap();
    assert_eq!(meeting.snapshot_for(host).viewer_hands, []);
    let [name, text] = ["a", "b"].map(str::to_owned);
    let all = [
        ViewerAction::Say { name: name.clone(), text: text.clone() },
        ViewerAction::Ask { name: name.clone(), text },
        vote(question, true),
        ViewerAction::React { reaction: Reaction::Clap },
        ViewerAction::RaiseHand { name },
    ];
    for action in &all {
        assert_eq!(does(&mut meeting, 2, action.clone()), Err(Refusal::NotAllowed), "{action:?}");
    }
    act(&mut meeting, host, allow(ViewersMay::default())).unwrap();
    for action in all {
        does(&mut meeting, 2, action).unwrap();
    }
}

// product: B4, C17
#[test]
fn viewers_vote_in_the_polls_that_are_theirs() {
    let (mut meeting, [host, guest, _]) = live();
    let start = |viewers| Action::StartPoll {
        question: "几点?".to_owned(),
        choices: ["1", "2"].map(str::to_owned).to_vec(),
        multiple: false,
        viewers,
    };
    act(&mut meeting, host, start(false)).unwrap();
    act(&mut meeting, host, start(true)).unwrap();
    let vote = |poll, choice| ViewerAction::Vote { poll, choices: vec![choice] };
    assert_eq!(does(&mut meeting, 1, vote(1, 0)), Err(Refusal::NoSuchPoll), "that one is the meeting's own");
    assert_eq!(does(&mut meeting, 1, vote(2, 2)), Err(Refusal::NoSuchPoll));
    for n in 0..60_000 {
        let is_taken = does(&mut meeting, n, vote(2, 1)).is_ok();
        assert_eq!(is_taken, n < 50_000, "{n}");
    }
    does(&mut meeting, 7, vote(2, 0)).unwrap();
    let told = tick(&mut meeting, 1);
    let [Effect::Tell(_, Event::PollChanged { poll })] = &told[..] else { panic!("{told:?}") };
    assert!(poll.viewers);
    assert_eq!((poll.voters, poll.choices[0].votes, poll.choices[1].votes), (50_000, 1, 49_999));
    act(&mut meeting, guest, Action::Vote { poll: 2, choices: vec![0] }).unwrap();
}

/// A viewer at the door of the stage.
fn comes(n: u128) -> Command {
    let join = web(50 + n, None);
    Command::ComeUp(Join { name: Some(format!("观众{n}")), viewer: Some(viewer(n)), password: None, ..join })
}

fn raise(n: u128) -> ViewerAction {
    ViewerAction::RaiseHand { name: format!("观众{n}") }
}

// product: B4
#[test]
fn who_is_called_up_comes_past_lock_password_and_door_for_a_minute() {
    let (mut meeting, [host, guest, _]) = live();
    let call = |n| Action::CallUp { viewer: viewer(n) };
    assert_eq!(act(&mut meeting, host, call(1)), Err(Refusal::NoSuchParticipant), "whose hand is down");
    does(&mut meeting, 1, raise(1)).unwrap();
    assert_eq!(meeting.handle(comes(1), NOW), Err(Refusal::NotCalled));
    assert_eq!(act(&mut meeting, guest, call(1)), Err(Refusal::NotAllowed));
    act(&mut meeting, host, Action::Lock { on: true }).unwrap();
    act(&mut meeting, host, Action::WaitingRoom { on: true }).unwrap();
    assert_eq!(act(&mut meeting, host, call(1)), Ok(vec![Effect::CalledUp(viewer(1))]));
    assert!(meeting.snapshot_for(host).viewer_hands[0].called);
    meeting.handle(Command::Viewer(viewer(1), raise(1)), Duration::from_secs(30)).unwrap();
    tick(&mut meeting, 60);
    assert!(!meeting.snapshot_for(host).viewer_hands[0].called, "he may be called again");
    assert_eq!(meeting.handle(comes(1), Duration::from_secs(60)), Err(Refusal::NotCalled));

    act(&mut meeting, host, call(1)).unwrap();
    assert_eq!(meeting.handle(comes(2), NOW), Err(Refusal::NotCalled), "another one");
    meeting.handle(comes(1), Duration::from_secs(1)).unwrap();
    let seen = meeting.participant(seat(51)).unwrap();
    assert!(seen.from_audience && !seen.connected && seen.role == Role::Member, "{seen:?}");
    assert_eq!(meeting.snapshot_for(host).viewer_hands, []);
    assert_eq!(meeting.handle(comes(1), NOW), Err(Refusal::NotCalled), "once");
    // By the seat's secret he sits down, and is like others.
    let again = Join { resume: Some(seat(51)), password: None, ..web(99, None) };
    assert_eq!(join(&mut meeting, again), seat(51));
    assert!(meeting.participant(seat(51)).unwrap().connected);
    // Who doesn't come has no seat after a minute.
    does(&mut meeting, 2, raise(2)).unwrap();
    act(&mut meeting, host, call(2)).unwrap();
    meeting.handle(comes(2), NOW).unwrap();
    let third = Command::ComeUp(Join { viewer: Some(viewer(3)), password: None, ..web(53, None) });
    does(&mut meeting, 3, raise(3)).unwrap();
    act(&mut meeting, host, call(3)).unwrap();
    assert_eq!(meeting.handle(third, NOW), Err(Refusal::Full), "ports are ports");
    tick(&mut meeting, 60);
    assert_eq!(meeting.participant(seat(52)), None);
}

// product: B4
#[test]
fn who_was_called_up_is_sent_back_or_removed_and_never_leads() {
    let (mut meeting, [host, guest, caller]) = live();
    for n in [1, 2] {
        does(&mut meeting, n, raise(n)).unwrap();
        act(&mut meeting, host, Action::CallUp { viewer: viewer(n) }).unwrap();
    }
    meeting.handle(comes(1), NOW).unwrap();
    let back = |participant| Action::SendBack { participant };
    assert_eq!(act(&mut meeting, guest, back(seat(51))), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut meeting, host, back(guest)), Err(Refusal::NotAllowed), "he was no viewer");
    let effects = act(&mut meeting, host, back(seat(51))).unwrap();
    assert_eq!(effects[0], Effect::Dismiss(seat(51), EndReason::Left));
    does(&mut meeting, 1, raise(1)).unwrap();
    act(&mut meeting, host, Action::CallUp { viewer: viewer(1) }).unwrap();
    meeting.handle(comes(1), NOW).unwrap();
    act(&mut meeting, host, Action::Remove { participant: seat(51) }).unwrap();
    does(&mut meeting, 1, raise(1)).unwrap();
    assert_eq!(act(&mut meeting, host, Action::CallUp { viewer: viewer(1) }), Err(Refusal::Removed));
    // The hosts go: the role is not his, and not where only callers stay either.
    act(&mut meeting, guest, Action::Leave).unwrap();
    meeting.handle(comes(2), NOW).unwrap();
    act(&mut meeting, host, Action::Leave).unwrap();
    assert_eq!(meeting.participant(seat(52)).unwrap().role, Role::Member);
    assert!(meeting.participant(caller).is_some());
    let late = join(&mut meeting, web(9, None));
    assert_eq!(meeting.participant(late).unwrap().role, Role::Host, "it waited for a browser that came by itself");
}
