use super::*;
use crate::{PushState, PushUrl};

// product: S1, C23
#[test]
fn a_recording_that_was_booked_begins_with_the_host() {
    let mut meeting = Meeting::new(Rules { options: Options { recording: true, ..Options::default() }, ..rules() });
    join(&mut meeting, web(2, None));
    assert!(!meeting.snapshot().meeting.recording);
    let effects = effects_of(&mut meeting, web(1, Some(OWNER)));
    assert!(effects.contains(&Effect::StartRecording) && meeting.snapshot().meeting.recording);
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

// product: R1, P4
#[test]
fn a_room_system_chooses_how_rooms_see_the_meeting_and_livestreams_stay_as_they_are() {
    let (mut meeting, [host, guest, room]) = three();
    act(&mut meeting, host, Action::Layout { layout: Layout::Gallery }).unwrap();
    assert_eq!(meeting.room_layout(), Layout::Gallery, "none has chosen");
    assert_eq!(act(&mut meeting, guest, Action::OtherRoomLayout), Err(Refusal::NotAllowed));
    let layouts = [(); 4].map(|()| {
        assert_eq!(act(&mut meeting, room, Action::OtherRoomLayout), Ok(vec![]));
        meeting.room_layout()
    });
    let expected = [Layout::PictureInPicture, Layout::Speaker, Layout::Gallery, Layout::PictureInPicture];
    assert_eq!((layouts, meeting.layout()), (expected, Layout::Gallery));
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
