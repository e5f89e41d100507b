//! Bookings that are changed, ended and deleted while people are in.

use super::*;
use crate::{MeetingInfo, Occurrence};

fn minutes(n: i64) -> i64 {
    n * 60_000
}

async fn concurrent(house: &House) -> Account {
    house.conference.login("concurrent", "Huitong-2026".to_owned(), None, LOOPBACK).await.unwrap().account
}

impl House {
    fn to(&self, meeting: &MeetingInfo, password: Option<&str>) -> JoinRequest {
        JoinRequest { meeting: meeting.id, password: password.map(str::to_owned), ..self.request("李雷") }
    }

    async fn held(&self, meeting: &MeetingInfo) -> Vec<Occurrence> {
        self.conference.store().occurrences(meeting.id).await.unwrap()
    }
}

async fn view(seat: &mut Seat) -> model::MeetingView {
    next(seat, |event| match event {
        SeatEvent::Event { event, .. } => match event.as_ref() {
            Event::MeetingChanged { meeting } => Some(meeting.clone()),
            _ => None,
        },
        _ => None,
    })
    .await
}

// product: S6, J2, P1
#[tokio::test]
async fn a_password_that_is_changed_during_the_meeting_is_asked_of_who_comes_by_browser_and_by_telephone() {
    let house = House::open().await;
    let conference = &house.conference;
    let booked = conference.book(&house.host, booking("周会", "1234")).await.unwrap();
    let mut inside = conference.join(house.to(&booked, Some("1234"))).await.unwrap();
    let request = BookingRequest { start_ms: Some(booked.start_ms), ..booking("例会", "8642") };
    conference.rebook(&house.host, booked.id, None, request).await.unwrap();
    assert_eq!(view(&mut inside).await.title, "例会");
    assert_eq!(conference.join(house.to(&booked, Some("1234"))).await.err(), Some(Refusal::WrongPassword));
    let seat = conference.join(house.to(&booked, Some("8642"))).await.unwrap();
    assert_eq!(seat.snapshot.participants.len(), 2);
    let (leg, _facts) = house.call().await;
    let caller = JoinRequest { name: None, ..house.to(&booked, Some("8642")) };
    let caller = JoinRequest { via: house.phone("13812345678", &leg).via, ..caller };
    assert_eq!(conference.join(caller).await.unwrap().snapshot.participants.len(), 3);
}

// product: S, J2
#[tokio::test]
async fn ones_own_room_that_is_opened_again_at_once_has_its_new_topic_and_password() {
    let house = House::open().await;
    let conference = &house.conference;
    let instant = |title, password| BookingRequest { start_ms: None, ..booking(title, password) };
    let first = conference.book(&house.host, instant("早会", "1234")).await.unwrap();
    let seat = conference.join(house.to(&first, Some("1234"))).await.unwrap();
    seat.handle.command(seat.participant, Action::Leave).await.unwrap();
    let second = conference.book(&house.host, instant("晚会", "8642")).await.unwrap();
    assert_eq!(second.id, first.id);
    assert_eq!(conference.join(house.to(&second, Some("1234"))).await.err(), Some(Refusal::WrongPassword));
    let seat = conference.join(house.to(&second, Some("8642"))).await.unwrap();
    assert_eq!(seat.snapshot.meeting.title, "晚会");
}

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

// product: S6
#[tokio::test]
async fn a_meeting_is_not_deleted_under_the_feet_of_who_is_in_it() {
    let house = House::open().await;
    let conference = &house.conference;
    let options = Options { join_before_host: false, ..Options::default() };
    let daily = BookingRequest {
        // Rules know whole seconds.
        start_ms: Some(now_ms() / 1_000 * 1_000),
        recurrence: Some("FREQ=DAILY;COUNT=3".to_owned()),
        options,
        ..booking("周会", "")
    };
    let booked = conference.book(&house.host, daily).await.unwrap();
    let today = house.held(&booked).await[0].original_ms;
    let as_host = JoinRequest { account: Some(house.host.clone()), ..house.to(&booked, None) };
    let mut host = conference.join(as_host).await.unwrap();
    let refused = conference.cancel(&house.host, booked.id).await;
    assert!(matches!(refused, Err(BookRefused::InProgress)), "{refused:?}");
    let refused = conference.cancel_occurrence(&house.host, booked.id, today).await;
    assert!(matches!(refused, Err(BookRefused::InProgress)), "{refused:?}");
    conference.cancel_occurrence(&house.host, booked.id, today + minutes(24 * 60)).await.unwrap();
    host.handle.command(host.participant, Action::End).await.unwrap();
    ended(&mut host).await;
    // Who waits for the host hears that there will be none.
    let (waits, mut told) = mpsc::channel(1);
    let waiting = conference.clone();
    let request = JoinRequest { waits: Some(waits), ..house.to(&booked, None) };
    let waiting = tokio::spawn(async move { waiting.join(request).await });
    assert_eq!(told.recv().await, Some(AtDoor::Waits(model::WaitReason::Host)));
    conference.cancel(&house.host, booked.id).await.unwrap();
    assert_eq!(waiting.await.unwrap().err(), Some(Refusal::Ended));
}

// product: S
#[tokio::test]
async fn in_ones_own_room_a_series_that_has_begun_gets_another_duration_and_another_hour() {
    let house = House::open().await;
    let conference = &house.conference;
    let start = (now_ms() - minutes(2)) / 1_000 * 1_000;
    let series = |duration, start| BookingRequest {
        start_ms: Some(start),
        duration_min: Some(duration),
        recurrence: Some("FREQ=DAILY;COUNT=3".to_owned()),
        ..booking("周会", "")
    };
    let booked = conference.book(&house.host, series(60, start)).await.unwrap();
    // What has begun long ago, as its owner finds it.
    conference.rebook(&house.host, booked.id, None, series(90, start)).await.unwrap();
    let lasts = |held: &[Occurrence]| held.iter().map(|one| one.span.until_ms - one.start_ms).collect::<Vec<_>>();
    assert_eq!(lasts(&house.held(&booked).await), [minutes(90); 3], "the one that runs, too");
    let day = minutes(24 * 60);
    let later = start + day + minutes(120);
    let moved = conference.rebook(&house.host, booked.id, None, series(90, later)).await.unwrap();
    assert_eq!(moved.start_ms, later);
    let starts: Vec<_> = house.held(&booked).await.iter().map(|one| one.start_ms).collect();
    assert_eq!(starts, [start, later, later + day, later + 2 * day], "what has begun stays");
    let gone = conference.rebook(&house.host, booked.id, None, series(90, start - day)).await;
    assert!(matches!(gone, Err(BookRefused::Bad(BadBooking::Start))), "{gone:?}");
}

// product: S, C14, S4
#[tokio::test]
async fn a_capacity_that_is_changed_once_the_meeting_may_be_entered_is_given_or_refused() {
    let house = House::open().await;
    let (conference, by) = (&house.conference, concurrent(&house).await);
    let start = now_ms() + minutes(20);
    let request = |title: &str, capacity, early_start_min| BookingRequest {
        start_ms: Some(start),
        capacity: Some(capacity),
        early_start_min,
        ..booking(title, "")
    };
    let booked = conference.book(&by, request("周会", 10, 0)).await.unwrap();
    assert_eq!(conference.join(house.to(&booked, None)).await.err(), Some(Refusal::NotYet));
    conference.rebook(&by, booked.id, None, request("周会", 10, 30)).await.unwrap();
    let mut inside = conference.join(house.to(&booked, None)).await.unwrap();
    conference.rebook(&by, booked.id, None, request("周会", 20, 30)).await.unwrap();
    assert_eq!(view(&mut inside).await.capacity, 20);
    let as_host = JoinRequest { account: Some(by.clone()), ..house.to(&booked, None) };
    let host = conference.join(as_host).await.unwrap();
    host.handle.command(host.participant, Action::Enlarge { by: 5 }).await.unwrap();
    assert_eq!(view(&mut inside).await.capacity, 25);
    conference.rebook(&by, booked.id, None, request("例会", 20, 30)).await.unwrap();
    let seen = view(&mut inside).await;
    assert_eq!((seen.title.as_str(), seen.capacity), ("例会", 25), "what it was enlarged by stays");
    let refused = conference.rebook(&by, booked.id, None, request("例会", 201, 30)).await;
    assert!(matches!(refused, Err(BookRefused::NoCapacity(NoCapacity::Ports { free: 200, .. }))), "{refused:?}");
    assert_eq!(conference.booking(&by, booked.id).await.unwrap().capacity, 20);
}
