//! Meetings that end, and bookings that are changed, while people are in.

use super::*;

// product: C16, J6
#[tokio::test]
async fn a_meeting_that_was_ended_for_all_stays_ended_for_who_was_offline() {
    let house = House::open().await;
    let conference = &house.conference;
    let offline = house.join("韩梅梅").await;
    let back = || JoinRequest { resume: Some(offline.resume.clone()), ..house.request("韩梅梅") };
    let mut host = house.join_host().await;
    host.handle.command(host.participant, Action::End).await.unwrap();
    assert_eq!(ended(&mut host).await, EndReason::MeetingEnded);
    assert_eq!(conference.join(back()).await.err(), Some(Refusal::Ended));
    assert!(!conference.is_live(house.demo.meeting.id));
    // The host opens it anew: that is another meeting, which he is asked into like anybody.
    let host = house.join_host().await;
    assert_eq!(conference.join(back()).await.err(), Some(Refusal::Ended));
    let seat = house.join("韩梅梅").await;
    let again = JoinRequest { resume: Some(seat.resume.clone()), ..house.request("韩梅梅") };
    assert_eq!(conference.join(again).await.unwrap().participant, seat.participant, "the new one's seats are kept");
    let (leg, _facts) = house.call().await;
    conference.join(house.phone("13812345678", &leg)).await.unwrap();
    host.handle.command(host.participant, Action::Leave).await.unwrap();
}
