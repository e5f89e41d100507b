//! The voice menu: greeting, language, meeting, password; three tries each.

use std::{net::IpAddr, time::Duration};

use conference::{AtDoor, Door, JoinRequest, Seat};
use model::{MeetingId, MeetingNumber, PhoneNumber, Refusal, WaitReason};
use sipconf::{Announce, Keypad, KeypadCommand, Language, Prompt};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    end_cause::EndCause,
    line::{Happening, Line},
};

/// Tries at each question (P1).
const TRIES: usize = 3;

/// After the greeting, until a language is taken for granted.
const LANGUAGE: Duration = Duration::from_secs(5);

/// A wrong password is answered so long after its last key: longer than it takes to look up any meeting, so that nobody hears
/// which there are.
const WRONG_AFTER: Duration = Duration::from_millis(500);

/// Digits of a meeting number, and of a password with room for other kinds.
const NUMBER_DIGITS: usize = 9;
/// See [`NUMBER_DIGITS`].
const PASSWORD_DIGITS: usize = 12;

/// Somebody on the line.
struct Caller<'a> {
    number: &'a PhoneNumber,
    source: IpAddr,
}

/// From the answer to a seat.
pub(crate) async fn identify(
    line: &mut Line,
    dialled: &str,
    caller: &PhoneNumber,
    source: IpAddr,
) -> Result<Seat, EndCause> {
    let who = Caller { number: caller, source };
    let (dialled, password) = split(dialled);
    let route = line.house.numbers.route(dialled);
    if let Some(language) = route.language {
        line.language = language;
    }
    if let Some(site) = &route.site {
        line.own = line.house.conference.site_prompts_by_name(site).await;
    }
    if line.house.conference.is_guessing(caller, &line.vouched, source) {
        return Err(EndCause::TooManyTries);
    }
    // Who comes from another meeting is known already.
    let is_known = std::mem::replace(&mut line.greeted, true);
    if route.language.is_none() && !is_known {
        Box::pin(choose_language(line, caller)).await?;
    }
    // Dialled directly: `123456789@host`, or a number that leads there.
    let direct = route.meeting.as_deref().unwrap_or(dialled).parse::<MeetingNumber>().ok();
    let door = match direct {
        Some(number) => find(line, number).await?,
        None => None,
    };
    if let Some(door) = door {
        line.own = line.house.conference.site_prompts(door.site).await;
        return Box::pin(enter(line, Some(&door), password, &who, TRIES)).await?.ok_or(EndCause::WrongPassword);
    }
    let found = Box::pin(ask_meeting(line, route.language.is_none() || is_known, &who)).await;
    // Who dials numbers to see which are meetings hears no more of it than that.
    if found.is_err() && direct.is_some() && !line.house.numbers.has(dialled) {
        line.house.conference.note_wrong_number(caller, &line.vouched, source);
    }
    found
}

/// What somebody of this number chose last is offered first, and taken where he keys nothing.
async fn choose_language(line: &mut Line, caller: &PhoneNumber) -> Result<(), EndCause> {
    let chosen = line.house.conference.caller_language(caller).await;
    if let Some(language) = chosen.as_deref().and_then(Language::from_tag) {
        line.language = language;
    }
    let greeting = line.greeting();
    let key = line.ask(&[greeting], LANGUAGE).await?;
    if let Some(language) = key.and_then(Language::from_key) {
        line.language = language;
        if chosen.as_deref() != Some(language.tag()) {
            line.house.conference.keep_caller_language(caller, language.tag()).await;
        }
    }
    Ok(())
}

/// A meeting and its password, three times. Whether there is no such meeting or the password is another is not told, neither
/// by words nor by the time they take: who knew could look for meetings first.
async fn ask_meeting(line: &mut Line, greeted: bool, caller: &Caller<'_>) -> Result<Seat, EndCause> {
    let mut question: &[Prompt] =
        if greeted { &[Prompt::EnterMeeting] } else { &[Prompt::Welcome, Prompt::EnterMeeting] };
    let mut cause = EndCause::NoMeeting;
    for _ in 0..TRIES {
        let digits = line.gather(question, NUMBER_DIGITS).await?;
        // Who knows better keys on while he is told so.
        question = match digits.parse::<MeetingNumber>() {
            Ok(number) => {
                let door = find(line, number).await?;
                if let Some(seat) = enter(line, door.as_ref(), None, caller, 1).await? {
                    return Ok(seat);
                }
                cause = EndCause::WrongPassword;
                &[Prompt::WrongEntry]
            }
            Err(_) if digits.is_empty() => &[Prompt::NothingEntered, Prompt::EnterMeeting],
            Err(_) => &[Prompt::WrongMeeting],
        };
    }
    Err(cause)
}

async fn find(line: &Line, number: MeetingNumber) -> Result<Option<Door>, EndCause> {
    line.house.conference.find(number).await.map_err(|error| {
        tracing::error!(%error, "meeting can't be looked up");
        EndCause::Failed
    })
}

/// What a room system dials in one go (R1): a meeting's number, and its password behind two stars.
pub(crate) fn split(dialled: &str) -> (&str, Option<&str>) {
    match dialled.split_once("**") {
        Some((number, password)) if !password.is_empty() => (number, Some(password)),
        Some((number, _)) => (number, None),
        None => (dialled, None),
    }
}

/// None after so many wrong passwords, the one that was `dialled` first; where there is no such meeting, all are wrong.
async fn enter(
    line: &mut Line,
    door: Option<&Door>,
    dialled: Option<&str>,
    caller: &Caller<'_>,
    tries: usize,
) -> Result<Option<Seat>, EndCause> {
    let asks_name = line.house.announce == Announce::Names;
    if asks_name && door.is_some_and(|door| !door.needs_password) {
        line.ask_name().await?;
    }
    // Without a password first: a caller who lost his line within the last minute has his seat again.
    let (mut password, mut pin) = (None, None);
    let (mut passwords, mut pins) = (0, 0);
    let mut dialled = dialled.map(str::to_owned);
    loop {
        let (begun, tries_pin) = (Instant::now(), pin.is_some());
        let given = pin.take().or_else(|| password.clone());
        let knocked = match door {
            Some(door) => knock(line, door.id, given, caller).await?,
            None if given.is_none() => Knocked::Refused(Refusal::PasswordNeeded),
            None if line.house.conference.is_guessing(caller.number, &line.vouched, caller.source) => {
                Knocked::Refused(Refusal::TooManyTries)
            }
            None => {
                line.house.conference.note_wrong_number(caller.number, &line.vouched, caller.source);
                Knocked::Refused(Refusal::WrongPassword)
            }
        };
        let question: &[Prompt] = match knocked {
            Knocked::In(seat) => {
                if let Some(door) = door {
                    // Not before: another voice would tell that there is such a meeting.
                    line.own = line.house.conference.site_prompts(door.site).await;
                }
                return Ok(Some(*seat));
            }
            Knocked::Pin(digits) => {
                pin = Some(digits);
                continue;
            }
            Knocked::Refused(Refusal::WrongPassword) if tries_pin => {
                wrong(line, begun, caller).await;
                pins += 1;
                if pins >= TRIES {
                    return Err(EndCause::WrongPassword);
                }
                let words = line.clip(Prompt::WrongPin);
                line.ask(&[words], Duration::ZERO).await?;
                continue;
            }
            Knocked::Refused(Refusal::PasswordNeeded) => &[Prompt::EnterPassword],
            Knocked::Refused(Refusal::WrongPassword) => {
                wrong(line, begun, caller).await;
                if passwords >= tries {
                    return Ok(None);
                }
                &[Prompt::WrongPassword]
            }
            Knocked::Refused(refusal) => return Err(refusal.into()),
        };
        password = match dialled.take() {
            Some(dialled) => Some(dialled),
            None => Some(line.gather(question, PASSWORD_DIGITS).await?),
        };
        passwords += 1;
        if asks_name && line.name.is_none() && passwords == 1 {
            line.ask_name().await?;
        }
    }
}

/// Somebody entered a wrong number, password or PIN: he hears of it when he would whichever it was, and later where somebody
/// guesses by his carrier.
async fn wrong(line: &Line, begun: Instant, caller: &Caller<'_>) {
    line.note_wrong();
    let delay = line.house.conference.wrong_entry_delay(caller.source);
    sleep_until(begun + WRONG_AFTER + delay).await;
}

/// What became of a caller at the door.
enum Knocked {
    In(Box<Seat>),
    Refused(Refusal),
    /// He keyed a host's PIN while he waited.
    Pin(String),
}

/// Asks to come in; where he has to wait at the door, he is told so and hears music (J3).
async fn knock(
    line: &mut Line,
    meeting: MeetingId,
    password: Option<String>,
    caller: &Caller<'_>,
) -> Result<Knocked, EndCause> {
    let (waits, mut told) = mpsc::channel(4);
    let request = JoinRequest {
        meeting,
        password,
        name: None,
        account: None,
        via: line.via(caller.number),
        dial: None,
        resume: None,
        since: None,
        source: caller.source,
        waits: Some(waits),
    };
    let conference = line.house.conference.clone();
    let answer = async move { conference.join(request).await };
    tokio::pin!(answer);
    let mut words = None;
    let mut keypad = Keypad::new(line.house.keys.clone());
    loop {
        tokio::select! {
            joined = &mut answer => {
                if words.is_some() {
                    line.leg.stop_playing();
                }
                return Ok(match joined {
                    Ok(seat) => Knocked::In(Box::new(seat)),
                    Err(refusal) => Knocked::Refused(refusal),
                });
            }
            Some(news) = told.recv() => {
                // What hosts write to who waits is read by browsers.
                let AtDoor::Waits(why) = news else { continue };
                tracing::info!(?why, "caller waits");
                let prompt = match why {
                    WaitReason::Host => Prompt::WaitingForHost,
                    WaitReason::Admission => Prompt::WaitingForAdmission,
                };
                words = Some(line.play(line.clip(prompt)).await?);
            }
            // What is keyed while the password is looked at is the next answer: it stays until asked for.
            happening = line.next(), if words.is_some() => match happening? {
                Happening::PlayDone(id) if Some(id) == words => {
                    let music = line.house.prompts.hold_music();
                    line.leg.play(music, true).await.map_err(|_| EndCause::Failed)?;
                }
                Happening::Digit(key) => {
                    // The others' door opens to him who has the host's PIN.
                    if keypad.press(key, std::time::Instant::now()) == Some(KeypadCommand::ClaimHost) {
                        let pin = line.gather(&[Prompt::EnterPin], PASSWORD_DIGITS).await?;
                        return Ok(Knocked::Pin(pin));
                    }
                }
                Happening::PlayDone(_)
                | Happening::Held(_)
                | Happening::Stalled(_)
                | Happening::Shows(_)
                | Happening::Recorded
                | Happening::Referred(_) => {}
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: R1
    #[test]
    fn a_password_stands_behind_two_stars() {
        assert_eq!(split("123456789**4321"), ("123456789", Some("4321")));
        assert_eq!(split("123456789**43**21"), ("123456789", Some("43**21")));
        assert_eq!(split("123456789**"), ("123456789", None));
        assert_eq!(split("123456789"), ("123456789", None));
    }
}
