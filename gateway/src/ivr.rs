//! The voice menu: greeting, language, meeting, password; three tries each.

use std::{net::IpAddr, time::Duration};

use conference::{Door, JoinRequest, Seat, Via};
use model::{MeetingNumber, PhoneNumber, Refusal, WaitReason};
use sipconf::{Announce, Keypad, KeypadCommand, Language, Prompt};

use tokio::sync::mpsc;

use crate::{
    end_cause::EndCause,
    line::{Happening, Line},
};

/// Tries at each question (P1).
const TRIES: usize = 3;

/// After the greeting, until a language is taken for granted.
const LANGUAGE: Duration = Duration::from_secs(5);

/// Digits of a meeting number, and of a password with room for other kinds.
const NUMBER_DIGITS: usize = 9;
/// See [`NUMBER_DIGITS`].
const PASSWORD_DIGITS: usize = 12;

/// From the answer to a seat.
pub(crate) async fn identify(
    line: &mut Line,
    dialled: &str,
    caller: &PhoneNumber,
    source: IpAddr,
) -> Result<Seat, EndCause> {
    let route = line.house.numbers.route(dialled);
    match route.language {
        Some(language) => line.language = language,
        None => choose_language(line, caller).await?,
    }
    let door = match find(line, route.meeting.as_deref().unwrap_or(dialled)).await? {
        // Dialled directly: `123456789@host`, or a number that leads there.
        Some(door) => door,
        None => ask_meeting(line, route.language.is_none()).await?,
    };
    enter(line, &door, caller, source).await
}

/// What somebody of this number chose last is offered first, and taken where he keys nothing.
async fn choose_language(line: &mut Line, caller: &PhoneNumber) -> Result<(), EndCause> {
    let chosen = line.house.conference.caller_language(caller).await;
    if let Some(language) = chosen.as_deref().and_then(Language::from_tag) {
        line.language = language;
    }
    let greeting = line.house.prompts.greeting(line.language);
    let key = line.ask(&[greeting], LANGUAGE).await?;
    if let Some(language) = key.and_then(Language::from_key) {
        line.language = language;
        if chosen.as_deref() != Some(language.tag()) {
            line.house.conference.keep_caller_language(caller, language.tag()).await;
        }
    }
    Ok(())
}

async fn ask_meeting(line: &mut Line, greeted: bool) -> Result<Door, EndCause> {
    let mut question: &[Prompt] =
        if greeted { &[Prompt::EnterMeeting] } else { &[Prompt::Welcome, Prompt::EnterMeeting] };
    for _ in 0..TRIES {
        let digits = line.gather(question, NUMBER_DIGITS).await?;
        if let Some(door) = find(line, &digits).await? {
            return Ok(door);
        }
        // Who knows better keys on while he is told so.
        question = if digits.is_empty() {
            &[Prompt::NothingEntered, Prompt::EnterMeeting]
        } else {
            &[Prompt::WrongMeeting, Prompt::EnterMeeting]
        };
    }
    Err(EndCause::NoMeeting)
}

async fn find(line: &Line, digits: &str) -> Result<Option<Door>, EndCause> {
    let Ok(number) = digits.parse::<MeetingNumber>() else { return Ok(None) };
    line.house.conference.find(number).await.map_err(|error| {
        tracing::error!(%error, "meeting can't be looked up");
        EndCause::Failed
    })
}

async fn enter(line: &mut Line, door: &Door, caller: &PhoneNumber, source: IpAddr) -> Result<Seat, EndCause> {
    let asks_name = line.house.announce == Announce::Names;
    if asks_name && !door.needs_password {
        line.ask_name().await?;
    }
    // Without a password first: a caller who lost his line within the last minute has his seat again.
    let (mut password, mut pin) = (None, None);
    let (mut passwords, mut pins) = (0, 0);
    loop {
        let tries_pin = pin.is_some();
        let request = JoinRequest {
            meeting: door.id,
            password: pin.take().or_else(|| password.clone()),
            name: None,
            account: None,
            via: Via::Phone { number: caller.clone(), leg: line.leg.id() },
            dial: None,
            resume: None,
            since: None,
            source,
            waits: None,
        };
        let question: &[Prompt] = match knock(line, request).await? {
            Knocked::In(seat) => return Ok(*seat),
            Knocked::Pin(digits) => {
                pin = Some(digits);
                continue;
            }
            Knocked::Refused(Refusal::WrongPassword) if tries_pin => {
                pins += 1;
                if pins >= TRIES {
                    return Err(EndCause::WrongPassword);
                }
                let words = line.clip(Prompt::WrongPin);
                line.ask(&[words], Duration::ZERO).await?;
                continue;
            }
            Knocked::Refused(Refusal::PasswordNeeded) => &[Prompt::EnterPassword],
            Knocked::Refused(Refusal::WrongPassword) if passwords < TRIES => {
                &[Prompt::WrongPassword, Prompt::EnterPassword]
            }
            Knocked::Refused(refusal) => return Err(refusal.into()),
        };
        password = Some(line.gather(question, PASSWORD_DIGITS).await?);
        passwords += 1;
        if asks_name && line.name.is_none() && passwords == 1 {
            line.ask_name().await?;
        }
    }
}

/// What became of a caller at the door.
enum Knocked {
    In(Box<Seat>),
    Refused(Refusal),
    /// He keyed a host's PIN while he waited.
    Pin(String),
}

/// Asks to come in; where he has to wait at the door, he is told so and hears music (J3).
async fn knock(line: &mut Line, mut request: JoinRequest) -> Result<Knocked, EndCause> {
    let (waits, mut told) = mpsc::channel(4);
    request.waits = Some(waits);
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
            Some(why) = told.recv() => {
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
                Happening::PlayDone(_) | Happening::Held(_) | Happening::Recorded => {}
            },
        }
    }
}
