//! Invitations (S7): a text in Chinese and English, a calendar entry, and who has had which.

pub(crate) mod calendar;

use std::{collections::HashSet, fmt::Write as _};

use jiff::{Timestamp, tz::TimeZone};
use model::{AccountId, MeetingId};
use serde_json::json;
use store::{Invitation, Occurrence, OutboxItem, StoreError};
use uuid::Uuid;

use crate::{
    Account, BookRefused, Conference, MeetingInfo,
    accounts::{check_email, check_mobile},
    now_ms,
    occurrence::{as_held, as_held_next},
    outbox::{Kind, item},
};

use calendar::{Entry, Method, calendar};

/// How the server is reached, for links and dial strings.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// `https://meet.example.com`.
    pub web: String,
    /// How telephones and room systems call directly; none until the ports are open.
    pub sip: Option<SipInfo>,
    /// Telephone numbers with their names, as people read them; a name may be empty.
    pub phones: Vec<(String, String)>,
}

/// How SIP telephones reach this server.
#[derive(Debug, Clone)]
pub struct SipInfo {
    /// Host part of SIP addresses.
    pub host: String,
    /// Port over UDP.
    pub udp: Option<u16>,
    /// Port over TCP.
    pub tcp: Option<u16>,
}

impl SipInfo {
    /// A meeting's SIP address; the port only where it isn't the usual one.
    #[must_use]
    pub fn address(&self, user: &str) -> String {
        match self.udp.or(self.tcp) {
            Some(5060) | None => format!("sip:{user}@{}", self.host),
            Some(port) => format!("sip:{user}@{}:{port}", self.host),
        }
    }
}

/// An invitation's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// 中文.
    Chinese,
    /// English.
    English,
}

impl Tongue {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Chinese => "zh",
            Self::English => "en",
        }
    }

    pub(crate) fn of(code: &str) -> Self {
        if code == "en" { Self::English } else { Self::Chinese }
    }
}

/// Somebody to be invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invitee {
    /// By mail.
    Email(String),
    /// By short message.
    Sms(String),
}

/// Why nobody was invited.
#[derive(Debug, thiserror::Error)]
pub enum InviteRefused {
    /// The meeting.
    #[error(transparent)]
    Book(#[from] BookRefused),
    /// In a live meeting hosts and co-hosts invite.
    #[error("only who manages the meeting invites")]
    NotAllowed,
    /// This is no address or number.
    #[error("{0:?} is no mail address and no telephone number")]
    Address(String),
    /// There is no mail server.
    #[error("no mail is sent")]
    NoMail,
    /// There is no service for short messages.
    #[error("no short messages are sent")]
    NoSms,
}

impl Conference {
    /// Telephone numbers that lead here, with their names.
    #[must_use]
    pub fn phones(&self) -> &[(String, String)] {
        &self.shared.config.reach.phones
    }

    /// How SIP telephones reach us from now on; the first one stays.
    pub fn set_sip(&self, sip: SipInfo) {
        if self.shared.resources.sip.set(sip).is_err() {
            tracing::warn!("it is known already how SIP telephones reach us");
        }
    }

    /// `web` is how a reader has reached the pages, where he has.
    pub(crate) fn reach(&self, web: Option<String>) -> Reach {
        let Reach { web: known, phones, .. } = self.shared.config.reach.clone();
        Reach { web: web.unwrap_or(known), sip: self.shared.resources.sip.get().cloned(), phones }
    }

    /// The text of an invitation, for the time zone of its reader, with links to the pages at `web`.
    pub async fn invitation_text(
        &self,
        by: &Account,
        id: MeetingId,
        web: String,
        tongue: Tongue,
        zone: Option<&str>,
    ) -> Result<String, BookRefused> {
        let known = self.owned(by, id, model::Permission::Read).await?;
        Ok(self.text_of(known, &self.reach(Some(web)), tongue, zone).await?)
    }

    /// C22: the same for whoever has the seat of a live meeting that `secret` gives.
    pub async fn invitation_text_from_seat(
        &self,
        id: MeetingId,
        secret: String,
        web: String,
        tongue: Tongue,
        zone: Option<&str>,
    ) -> Result<String, BookRefused> {
        self.whose_seat(id, secret).await.ok_or(BookRefused::Missing)?;
        let known = self.store().meeting(id).await?.ok_or(BookRefused::Missing)?;
        Ok(self.text_of(known, &self.reach(Some(web)), tongue, zone).await?)
    }

    /// As the meeting is held the next time.
    async fn text_of(
        &self,
        meeting: store::Meeting,
        reach: &Reach,
        tongue: Tongue,
        zone: Option<&str>,
    ) -> Result<String, StoreError> {
        let meeting = &self.info(as_held_next(self.store(), meeting).await?);
        let next = self.next_start(meeting).await?;
        let host = self.host_name(meeting.owner).await?;
        Ok(text(meeting, next, &host, reach, tongue, zone.unwrap_or(&meeting.zone)))
    }

    /// The calendar entry of a booking, with links to the pages at `web`.
    pub async fn calendar(&self, by: &Account, id: MeetingId, web: String) -> Result<String, BookRefused> {
        let known = self.owned(by, id, model::Permission::Read).await?;
        let occurrences = self.store().occurrences(id).await?;
        let (host, sequence) = (self.host_name(known.owner).await?, known.version);
        let times = self.changed_times(&known, &occurrences);
        let info = self.info(known);
        let whole = Some((&info, occurrences.as_slice()));
        let entry =
            Entry { whole, times: &times, host: &host, method: Method::Publish, sequence, attendee: None, words: None };
        Ok(calendar(&entry, &self.reach(Some(web))))
    }

    /// The times of a series that differ from the rest, each as it is held.
    pub(crate) fn changed_times(&self, series: &store::Meeting, all: &[Occurrence]) -> Vec<(MeetingInfo, Occurrence)> {
        let is_changed = |held: &&Occurrence| held.start_ms != held.original_ms || held.own.is_some();
        let changed = all.iter().filter(|held| series.recurrence.is_some() && is_changed(held));
        changed.map(|held| (self.info(as_held(series.clone(), held)), held.clone())).collect()
    }

    /// Invites people; each gets his message, and is told of changes.
    pub async fn invite(
        &self,
        by: &Account,
        id: MeetingId,
        invitees: Vec<Invitee>,
        tongue: Tongue,
    ) -> Result<usize, InviteRefused> {
        let known = self.owned(by, id, model::Permission::Write).await?;
        self.invite_to(&known, Some(by.id), invitees, tongue).await
    }

    /// C22: the same in a live meeting, by whoever has the seat that `secret` gives and manages it.
    pub async fn invite_from_seat(
        &self,
        id: MeetingId,
        secret: String,
        invitees: Vec<Invitee>,
        tongue: Tongue,
    ) -> Result<usize, InviteRefused> {
        let seat = self.whose_seat(id, secret).await.filter(|seat| seat.manages).ok_or(InviteRefused::NotAllowed)?;
        let known = self.store().meeting(id).await.map_err(BookRefused::from)?.ok_or(BookRefused::Missing)?;
        self.invite_to(&known, seat.account, invitees, tongue).await
    }

    async fn invite_to(
        &self,
        known: &store::Meeting,
        by: Option<AccountId>,
        invitees: Vec<Invitee>,
        tongue: Tongue,
    ) -> Result<usize, InviteRefused> {
        let mut invitations = Vec::new();
        for invitee in invitees {
            let (kind, address) = match invitee {
                Invitee::Email(address) => (Kind::Email, check_email(address.clone()).ok().flatten().ok_or(address)),
                Invitee::Sms(number) => (Kind::Sms, check_mobile(&number).ok().flatten().ok_or(number)),
            };
            invitations.push(Invitation {
                id: Uuid::now_v7().to_string(),
                meeting: known.id,
                kind: kind.as_str().to_owned(),
                address: address.map_err(InviteRefused::Address)?,
                language: tongue.code().to_owned(),
                sequence: 0,
            });
        }
        let wants = |kind: Kind| invitations.iter().any(|invitation| invitation.kind == kind.as_str());
        if wants(Kind::Email) && !self.sends_mail() {
            return Err(InviteRefused::NoMail);
        }
        if wants(Kind::Sms) && !self.sends_sms() {
            return Err(InviteRefused::NoSms);
        }
        for invitation in &invitations {
            self.store().add_invitation(invitation, now_ms()).await.map_err(BookRefused::from)?;
            self.send_invitation(known, invitation, Method::Request, None).await.map_err(BookRefused::from)?;
        }
        self.note(known.site, by, "meeting.invite", &format!("meeting {}", known.id)).await;
        Ok(invitations.len())
    }

    /// Tells all who were invited that a booking has changed, or that it is off: all of it, or only one time, of which
    /// `meeting` says how it is held.
    pub(crate) async fn tell_invited(
        &self,
        meeting: &store::Meeting,
        is_off: bool,
        only: Option<&Occurrence>,
    ) -> Result<(), StoreError> {
        let method = if is_off { Method::Cancel } else { Method::Request };
        for invitation in self.store().invitations(meeting.id).await? {
            let sequence = self.store().next_sequence(&invitation.id).await?;
            self.send_invitation(meeting, &Invitation { sequence, ..invitation }, method, only).await?;
        }
        self.tell_registrants(meeting, method, only).await
    }

    async fn send_invitation(
        &self,
        meeting: &store::Meeting,
        invitation: &Invitation,
        method: Method,
        only: Option<&Occurrence>,
    ) -> Result<(), StoreError> {
        let mut info = self.info(meeting.clone());
        let reach = &self.reach(None);
        let tongue = Tongue::of(&invitation.language);
        let host = self.host_name(info.owner).await?;
        let words = match only {
            Some(held) => {
                info.recurrence = None;
                text(&info, Some(held.start_ms), &host, reach, tongue, &info.zone)
            }
            None => self.text_of(meeting.clone(), reach, tongue, None).await?,
        };
        let (off, changed) = match tongue {
            Tongue::Chinese => ("【已取消】", "【已更新】"),
            Tongue::English => ("Cancelled: ", "Updated: "),
        };
        let prefix = match method {
            Method::Cancel => off,
            _ if invitation.sequence > 0 => changed,
            _ => "",
        };
        if invitation.kind == Kind::Sms.as_str() {
            let message = json!({"to": invitation.address, "text": format!("{prefix}{words}")});
            return self.send(Kind::Sms, &message).await;
        }
        let all = match only {
            Some(_) => Vec::new(),
            None => self.store().occurrences(meeting.id).await?,
        };
        let times = match only {
            Some(held) => vec![(info.clone(), held.clone())],
            // Who is told that all of it is off needn't know of each.
            None if method == Method::Cancel => Vec::new(),
            None => self.changed_times(meeting, &all),
        };
        let entry = calendar(
            &Entry {
                whole: only.is_none().then_some((&info, all.as_slice())),
                times: &times,
                host: &host,
                method,
                sequence: invitation.sequence,
                attendee: Some(&invitation.address),
                words: None,
            },
            reach,
        );
        let message = json!({
            "to": invitation.address,
            "subject": format!("{prefix}{}", info.title),
            "text": words,
            "calendar": entry,
            "method": method.as_str(),
        });
        self.send(Kind::Email, &message).await
    }

    /// Mail before a meeting begins (S9): to who booked it, and to all who were invited by mail.
    pub(crate) async fn reminders(
        &self,
        meeting: store::Meeting,
        start_ms: i64,
    ) -> Result<Vec<OutboxItem>, StoreError> {
        let owner = self.store().account(meeting.owner).await?;
        let host = owner.as_ref().map(|owner| owner.display_name.clone()).unwrap_or_default();
        let own = owner.and_then(|owner| owner.email).map(|email| (email, Tongue::Chinese));
        let invited = self.store().invitations(meeting.id).await?.into_iter();
        let by_mail = invited.filter(|invitation| invitation.kind == Kind::Email.as_str());
        let all = own.into_iter().chain(by_mail.map(|one| (one.address, Tongue::of(&one.language))));
        let info = self.info(meeting);
        let reach = &self.reach(None);
        let mail = |(to, tongue): (String, Tongue)| {
            let subject = match tongue {
                Tongue::Chinese => format!("【会议提醒】{}", info.title),
                Tongue::English => format!("Reminder: {}", info.title),
            };
            let text = text(&info, Some(start_ms), &host, reach, tongue, &info.zone);
            item(Kind::Email, &json!({"to": to, "subject": subject, "text": text}))
        };
        let mut seen = HashSet::new();
        let mails: Vec<_> = all.filter(|(to, _)| seen.insert(to.clone())).map(mail).collect();
        Ok(mails.into_iter().chain(self.reminders_of_registrants(&info, start_ms, &host).await?).collect())
    }

    pub(crate) async fn next_start(&self, meeting: &MeetingInfo) -> Result<Option<i64>, StoreError> {
        if meeting.personal {
            return Ok(None);
        }
        let now = now_ms();
        let occurrences = self.store().occurrences(meeting.id).await?;
        Ok(occurrences.iter().find(|held| held.span.until_ms > now).map(|held| held.start_ms))
    }

    /// As he calls himself; empty where he is no more.
    pub(crate) async fn host_name(&self, owner: AccountId) -> Result<String, StoreError> {
        Ok(self.store().account(owner).await?.map(|owner| owner.display_name).unwrap_or_default())
    }
}

/// The whole invitation as people send it on.
fn text(meeting: &MeetingInfo, next_ms: Option<i64>, host: &str, reach: &Reach, tongue: Tongue, zone: &str) -> String {
    let chinese = tongue == Tongue::Chinese;
    let say = |zh: &'static str, en: &'static str| if chinese { zh } else { en };
    let digits = meeting.number.digits();
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        // Writing into a String can't fail.
        let _ = writeln!(text, "{label}{}{value}", if chinese { "：" } else { ": " });
    };
    line(say("会议主题", "Topic"), &meeting.title);
    line(say("主持人", "Host"), host);
    if let Some(start) = next_ms {
        line(say("会议时间", "Time"), &when(start, meeting.duration_min, zone));
    }
    if let Some(rule) = &meeting.recurrence {
        line(say("周期", "Recurrence"), rule);
    }
    line(say("入会链接", "Link"), &link(meeting, reach));
    line(say("会议 ID", "Meeting ID"), &meeting.number.to_string());
    if let Some(password) = &meeting.password {
        line(say("会议密码", "Password"), password);
    }
    let password = meeting.password.as_ref().map(|password| format!(",,{password}#")).unwrap_or_default();
    for (name, number) in &reach.phones {
        line(format!("{} {name}", say("电话入会", "Phone")).trim_end(), &format!("{number},,{digits}#{password}"));
    }
    if let Some(sip) = &reach.sip {
        line("SIP", &sip.address(&digits));
    }
    text
}

/// The password goes into the fragment, which no server and no log along the way sees.
fn link(meeting: &MeetingInfo, reach: &Reach) -> String {
    let password = meeting.password.as_ref().map(|password| format!("#p={password}")).unwrap_or_default();
    format!("{}/j/{}{password}", reach.web, meeting.number.digits())
}

fn zoned(ms: i64, zone: &str) -> jiff::Zoned {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone)
}

pub(crate) fn when(start_ms: i64, duration_min: u32, zone: &str) -> String {
    let (start, end) = (zoned(start_ms, zone), zoned(start_ms + i64::from(duration_min) * 60_000, zone));
    // Of UTC its name says all.
    let offset = if zone == "UTC" { String::new() } else { format!(", UTC{}", start.strftime("%:z")) };
    format!("{}–{} ({zone}{offset})", start.strftime("%Y-%m-%d %H:%M"), end.strftime("%H:%M"))
}
