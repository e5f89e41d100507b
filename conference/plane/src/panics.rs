//! A meeting whose media panics is closed, and no other notices.

use model::MeetingId;

use crate::{
    Plane, PlaneConfig, PlaneError,
    command::{Command, MeetingCommand},
};

#[tokio::test]
async fn a_meeting_that_panics_is_closed_and_no_other_notices() {
    let plane = Plane::start(PlaneConfig::local(1, 42_600..=42_601)).unwrap();
    let (bad, mut facts) = plane.open_meeting(MeetingId::from_u128(1)).await.unwrap();
    let (good, _facts) = plane.open_meeting(MeetingId::from_u128(2)).await.unwrap();
    plane.worker(0).tell(Command::Meeting { id: MeetingId::from_u128(1), command: MeetingCommand::Panic });
    assert!(facts.recv().await.is_none(), "whoever waits for it is told that there is no more");
    assert!(matches!(bad.quality().await, Err(PlaneError::NoMeeting(_) | PlaneError::WorkerGone)));
    assert!(good.quality().await.is_ok());
}
