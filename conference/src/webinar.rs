//! Webinars (B7): who registers to watch, who is let in, and who came. Panelists come into the meeting as to any other; its
//! livestream is the attendees', who ask and vote there (B4).

use std::fmt::Write as _;

use model::{BroadcastId, InvalidText, MeetingId, Permission, check_name, check_title};
use serde_json::json;
use store::{Occurrence, OutboxItem, Registrant, RegistrantState, StoreError, WatchSettings};
use uuid::Uuid;

use crate::{
    Account, BookRefused, Conference, MeetingInfo, Tongue, WatchRefused,
    accounts::check_email,
    audience::{same, sign},
    booking::options_of,
    invitation::{
        calendar::{Entry, Method, calendar},
        when,
    },
    now_ms,
    occurrence::as_held_next,
    outbox::{Kind, item},
};

/// Of one webinar; more are refused.
const REGISTRANTS_MAX: i64 = 10_000;

/// Attendance is written down so often: a page says three times as often that it is there.
const ATTENDANCE_MS: i64 = 60_000;

/// Somebody who wants to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attendee {
    /// As he calls himself.
    pub name: String,
    /// Where his link is sent.
    pub email: String,
    /// Where he is from; may be empty.
    pub organisation: String,
    /// What he reads.
    pub tongue: Tongue,
}

/// What he is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// He may watch, by this after the address's `#`.
    Approved(String),
    /// By this, once the owner has said so.
    Waiting(String),
    /// That address was known already: only its owner is told more, by mail.
    Known,
}

/// Why he is not.
#[derive(Debug, thiserror::Error)]
pub enum RegisterRefused {
    /// His name.
    #[error("the name is not allowed")]
    Name(#[source] InvalidText),
    /// Where he is from.
    #[error("the organisation is not allowed")]
    Organisation(#[source] InvalidText),
    /// His address.
    #[error("{0:?} is no mail address")]
    Email(String),
    /// There is no such webinar.
    #[error("there is no such webinar")]
    Missing,
    /// There are too many already.
    #[error("the webinar is full")]
    Full,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Conference {
    /// Registers somebody for the webinar at this address, and sends him what he needs. `base` is how he has reached the pages.
    pub async fn register(
        &self,
        address: BroadcastId,
        wish: Attendee,
        base: String,
    ) -> Result<Registered, RegisterRefused> {
        let known = self.store().meeting(self.meeting_of(address)).await?;
        let known = known.filter(|known| options_of(&known.options).webinar).ok_or(RegisterRefused::Missing)?;
        let name = check_name(&wish.name).map_err(RegisterRefused::Name)?;
        let organisation = match wish.organisation.trim() {
            "" => String::new(),
            text => check_title(text).map_err(RegisterRefused::Organisation)?,
        };
        let email = wish.email.trim().to_lowercase();
        let email = check_email(email.clone()).ok().flatten().ok_or(RegisterRefused::Email(email))?;
        if self.store().registrant_count(known.id).await? >= REGISTRANTS_MAX {
            return Err(RegisterRefused::Full);
        }
        let settings = self.settings_of(known.id).await?.ok_or(RegisterRefused::Missing)?;
        let waits = options_of(&known.options).approval;
        let one = Registrant {
            id: Uuid::now_v7(),
            meeting: known.id,
            email,
            name,
            organisation,
            language: wish.tongue.code().to_owned(),
            state: if waits { RegistrantState::Waiting } else { RegistrantState::Approved },
            created_ms: now_ms(),
            first_ms: None,
            last_ms: None,
            watched_ms: 0,
        };
        if !self.store().add_registrant(&one).await? {
            let before = self.store().registrant_by_email(known.id, &one.email).await?;
            if let Some(before) = before.filter(|before| before.state == RegistrantState::Approved) {
                self.mail_registrants(&known, &[before], Method::Request, None, Some(base)).await?;
            }
            return Ok(Registered::Known);
        }
        let signature = signature(&settings, &one);
        if waits {
            return Ok(Registered::Waiting(signature));
        }
        self.mail_registrants(&known, &[one], Method::Request, None, Some(base)).await?;
        Ok(Registered::Approved(signature))
    }

    /// Who has registered, in order of coming, for somebody who may change the meeting.
    pub async fn registrants(&self, by: &Account, of: MeetingId) -> Result<Vec<Registrant>, BookRefused> {
        self.owned(by, of, Permission::Read).await?;
        Ok(self.store().registrants(of).await?)
    }

    /// Says whether somebody may watch; who may is told so.
    pub async fn decide_registrant(
        &self,
        by: &Account,
        of: MeetingId,
        id: Uuid,
        is_approved: bool,
    ) -> Result<(), BookRefused> {
        let known = self.owned(by, of, Permission::Write).await?;
        let one = self.store().registrant(of, id).await?.ok_or(BookRefused::Missing)?;
        let state = if is_approved { RegistrantState::Approved } else { RegistrantState::Denied };
        if one.state == state {
            return Ok(());
        }
        self.store().set_registrant_state(of, id, state).await?;
        if is_approved {
            self.mail_registrants(&known, &[one], Method::Request, None, None).await?;
        }
        Ok(())
    }

    /// Lets somebody watch by his own link, and notes that he does.
    pub(crate) async fn admit_registrant(
        &self,
        settings: &WatchSettings,
        meeting: MeetingId,
        said: &str,
        is_live: bool,
    ) -> Result<(), WatchRefused> {
        let id = said.split('.').next().and_then(|id| id.parse().ok()).ok_or(WatchRefused::WrongLink)?;
        let one = self.store().registrant(meeting, id).await?.ok_or(WatchRefused::WrongLink)?;
        if !same(said, &signature(settings, &one)) {
            return Err(WatchRefused::WrongLink);
        }
        match one.state {
            RegistrantState::Waiting => return Err(WatchRefused::NotApproved),
            RegistrantState::Denied => return Err(WatchRefused::Denied),
            RegistrantState::Approved => {}
        }
        let now = now_ms();
        if is_live && one.last_ms.is_none_or(|last_ms| now - last_ms >= ATTENDANCE_MS) {
            self.store().note_watching(&one, now).await?;
        }
        Ok(())
    }

    /// Tells all who may watch that the webinar has changed, or that it is off.
    pub(crate) async fn tell_registrants(
        &self,
        meeting: &store::Meeting,
        method: Method,
        only: Option<&Occurrence>,
    ) -> Result<(), StoreError> {
        if !options_of(&meeting.options).webinar {
            return Ok(());
        }
        let all: Vec<_> = self.approved(meeting.id).await?.collect();
        self.mail_registrants(meeting, &all, method, only, None).await
    }

    async fn approved(&self, of: MeetingId) -> Result<impl Iterator<Item = Registrant>, StoreError> {
        let all = self.store().registrants(of).await?.into_iter();
        Ok(all.filter(|one| one.state == RegistrantState::Approved))
    }

    /// Mail before it begins (S9).
    pub(crate) async fn reminders_of_registrants(
        &self,
        info: &MeetingInfo,
        start_ms: i64,
        host: &str,
    ) -> Result<Vec<OutboxItem>, StoreError> {
        if !info.options.webinar {
            return Ok(Vec::new());
        }
        let Some(settings) = self.settings_of(info.id).await? else { return Ok(Vec::new()) };
        let web = self.reach(None).web;
        let mail = |one: Registrant| {
            let tongue = Tongue::of(&one.language);
            let subject = match tongue {
                Tongue::Chinese => format!("【直播提醒】{}", info.title),
                Tongue::English => format!("Reminder: {}", info.title),
            };
            let text = text(info, Some(start_ms), host, tongue, &link(&web, &settings, &one));
            item(Kind::Email, &json!({"to": one.email, "subject": subject, "text": text}))
        };
        Ok(self.approved(info.id).await?.map(mail).collect())
    }

    /// Each his own link, and the time for his calendar; nothing where no mail is sent.
    async fn mail_registrants(
        &self,
        meeting: &store::Meeting,
        people: &[Registrant],
        method: Method,
        only: Option<&Occurrence>,
        base: Option<String>,
    ) -> Result<(), StoreError> {
        if people.is_empty() || !self.sends_mail() {
            return Ok(());
        }
        let Some(settings) = self.settings_of(meeting.id).await? else { return Ok(()) };
        let reach = self.reach(base);
        let host = self.host_name(meeting.owner).await?;
        let next = self.info(match only {
            Some(_) => meeting.clone(),
            None => as_held_next(self.store(), meeting.clone()).await?,
        });
        let start_ms = match only {
            Some(held) => Some(held.start_ms),
            None => self.next_start(&next).await?,
        };
        let (mut info, all) = (self.info(meeting.clone()), self.store().occurrences(meeting.id).await?);
        let times = match only {
            Some(held) => {
                info.recurrence = None;
                vec![(info.clone(), held.clone())]
            }
            None if method == Method::Cancel => Vec::new(),
            None => self.changed_times(meeting, &all),
        };
        for one in people {
            let tongue = Tongue::of(&one.language);
            let link = link(&reach.web, &settings, one);
            let words = text(&next, start_ms, &host, tongue, &link);
            let subject = match (method, tongue) {
                (Method::Cancel, Tongue::Chinese) => format!("【已取消】{}", next.title),
                (Method::Cancel, Tongue::English) => format!("Cancelled: {}", next.title),
                (_, Tongue::Chinese) => format!("观看链接：{}", next.title),
                (_, Tongue::English) => format!("Your link to watch: {}", next.title),
            };
            let entry = Entry {
                whole: only.is_none().then_some((&info, all.as_slice())),
                times: &times,
                host: &host,
                method,
                sequence: meeting.version,
                attendee: Some(&one.email),
                words: Some((words.as_str(), link.as_str())),
            };
            let message = json!({
                "to": one.email,
                "subject": subject,
                "text": words,
                "calendar": calendar(&entry, &reach),
                "method": method.as_str(),
            });
            self.send(Kind::Email, &message).await?;
        }
        Ok(())
    }
}

/// What his link ends in: whose it is, and the server's word for that.
fn signature(settings: &WatchSettings, one: &Registrant) -> String {
    format!("{}.{}", one.id.simple(), sign(settings, &format!("registrant {} {}", one.meeting, one.id)))
}

fn link(web: &str, settings: &WatchSettings, one: &Registrant) -> String {
    format!("{web}/watch/{}#{}", one.meeting, signature(settings, one))
}

/// What a mail says. Nothing of it leads into the meeting: that is the panelists'.
fn text(info: &MeetingInfo, start_ms: Option<i64>, host: &str, tongue: Tongue, link: &str) -> String {
    let chinese = tongue == Tongue::Chinese;
    let say = |zh: &'static str, en: &'static str| if chinese { zh } else { en };
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        // Writing into a String can't fail.
        let _ = writeln!(text, "{label}{}{value}", if chinese { "：" } else { ": " });
    };
    line(say("直播主题", "Topic"), &info.title);
    line(say("主持人", "Host"), host);
    if let Some(start) = start_ms {
        line(say("开始时间", "Time"), &when(start, info.duration_min, &info.zone));
    }
    line(say("观看链接", "Watch"), link);
    text.push_str(say("此链接为您个人专用，请勿转发。\n", "This link is yours alone. Please don’t pass it on.\n"));
    text
}
