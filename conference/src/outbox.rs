//! What goes out: mail, short messages, webhooks. All is written down first and sent by a task that tries again: a crash
//! loses nothing, and a receiver may get something twice (webhooks carry an id to tell).

use std::{net::SocketAddr, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Attachment, MultiPart, SinglePart, header::ContentType},
};
use model::{MeetingId, Object, Permission, SiteId, is_public};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::Sha256;
use sipconf::Dialled;
use store::{OutboxItem, StoreError, Webhook};
use streaming::{Recording, RecordingNews, Removed};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{Account, AccountRefused, Conference, now, now_ms};

/// How often it is looked what is due where nobody says that something is.
const LOOK: Duration = Duration::from_secs(5);

/// How long one attempt may take; the lease is longer, so that no two are at the same thing.
const ATTEMPT_MAX: Duration = Duration::from_secs(20);
/// See [`ATTEMPT_MAX`].
const LEASE_MS: i64 = 60_000;

/// Things sent at once.
const BATCH: u32 = 16;

/// Attempts until something is given up: with the waits between them, about a day.
const ATTEMPTS_MAX: u32 = 12;

/// Webhooks of one site.
const WEBHOOKS_MAX: usize = 20;

/// How mail and short messages leave the server, and what webhooks may reach.
#[derive(Debug, Clone, Default)]
pub struct OutboxConfig {
    /// `smtp://host:port` or `smtps://user:password@host`; without it nobody is invited by mail, and reminders wait.
    pub smtp: Option<String>,
    /// The sender, as `Name <address>`.
    pub mail_from: String,
    /// Where short messages are posted to.
    pub sms: Option<SmsConfig>,
    /// Calling code of mobile numbers that are written without one, as calls have it; without it they are sent to as they are written.
    pub country: Option<String>,
    /// Webhooks may go to private addresses too: for tests and for networks of one's own.
    pub private_webhooks: bool,
}

/// An HTTP service that sends short messages.
#[derive(Debug, Clone)]
pub struct SmsConfig {
    /// Posted to.
    pub url: String,
    /// The body, with `{to}`, `{text}` and `{code}` where they go, escaped as its form wants it.
    pub body: String,
    /// The body is an HTML form (`application/x-www-form-urlencoded`), not JSON.
    pub form: bool,
    /// Of the `Authorization` field.
    pub authorization: Option<String>,
}

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Email,
    Sms,
    Webhook,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Webhook => "webhook",
        }
    }
}

/// What webhooks are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// The first has come in.
    MeetingStarted,
    /// The last has gone.
    MeetingEnded,
    /// Somebody has come in.
    ParticipantJoined,
    /// Somebody has gone.
    ParticipantLeft,
    /// A recording can be had.
    RecordingReady,
    /// One is gone: it was too old, or gave way to others.
    RecordingRemoved,
    /// It can be watched.
    LivestreamStarted,
    /// It is over.
    LivestreamEnded,
}

impl Happened {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::MeetingStarted,
        Self::MeetingEnded,
        Self::ParticipantJoined,
        Self::ParticipantLeft,
        Self::RecordingReady,
        Self::RecordingRemoved,
        Self::LivestreamStarted,
        Self::LivestreamEnded,
    ];

    /// As receivers read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MeetingStarted => "meeting.started",
            Self::MeetingEnded => "meeting.ended",
            Self::ParticipantJoined => "participant.joined",
            Self::ParticipantLeft => "participant.left",
            Self::RecordingReady => "recording.ready",
            Self::RecordingRemoved => "recording.removed",
            Self::LivestreamStarted => "livestream.started",
            Self::LivestreamEnded => "livestream.ended",
        }
    }
}

/// News that may wait to be written down; beyond it they are lost, and counted.
const NEWS_MAX: usize = 1_024;

/// How meetings tell what happens in them, without waiting.
#[derive(Clone)]
pub(crate) struct News(mpsc::Sender<(MeetingId, Happened, Value)>);

impl News {
    pub(crate) fn new() -> (Self, mpsc::Receiver<(MeetingId, Happened, Value)>) {
        let (news, told) = mpsc::channel(NEWS_MAX);
        (Self(news), told)
    }

    pub(crate) fn tell(&self, meeting: MeetingId, happened: Happened, data: Value) {
        if self.0.try_send((meeting, happened, data)).is_err() {
            metrics::counter!("outbox_news_lost").increment(1);
        }
    }
}

/// Why a webhook is not added.
#[derive(Debug, thiserror::Error)]
pub enum WebhookRefused {
    /// The site.
    #[error(transparent)]
    Account(#[from] AccountRefused),
    /// It is no address the server may send to.
    #[error("not an https address outside this network")]
    Url,
    /// There is no such event.
    #[error("there is no event {0:?}")]
    Event(String),
    /// There are too many already.
    #[error("a site has at most {WEBHOOKS_MAX} webhooks")]
    TooMany,
}

impl Conference {
    /// Mail has a way out.
    #[must_use]
    pub fn sends_mail(&self) -> bool {
        self.shared.config.outbox.smtp.is_some()
    }

    /// Short messages have a way out.
    #[must_use]
    pub fn sends_sms(&self) -> bool {
        self.shared.config.outbox.sms.is_some()
    }

    /// Puts something into the outbox.
    pub(crate) async fn send(&self, kind: Kind, message: &Value) -> Result<(), StoreError> {
        self.store().send(&[item(kind, message)]).await?;
        self.shared.outbox.notify_one();
        Ok(())
    }

    /// Writes down what happens in meetings, for the webhooks of their sites, until the server stops.
    pub(crate) async fn keep_telling(self, mut news: mpsc::Receiver<(MeetingId, Happened, Value)>) {
        let stopping = self.shared.stopping.clone();
        loop {
            // What was told before the end is written down before it.
            let told = tokio::select! {
                biased;
                told = news.recv() => told,
                () = stopping.cancelled() => None,
            };
            let Some((meeting, happened, data)) = told else { return };
            if let Err(error) = self.emit(meeting, happened, data).await {
                tracing::error!(%error, event = happened.name(), "webhooks can't be told");
            }
        }
    }

    /// Writes down which recordings can be had, and which no longer, likewise.
    pub(crate) async fn keep_telling_recordings(self) {
        let Some(mut news) = self.shared.resources.streaming.recordings().news() else { return };
        let stopping = self.shared.stopping.clone();
        loop {
            let told = tokio::select! {
                biased;
                told = news.recv() => told,
                () = stopping.cancelled() => None,
            };
            let told = match told {
                None => return,
                Some(RecordingNews::Ready(recording)) => self.tell_ready(&recording).await,
                Some(RecordingNews::Removed(recording, why)) => self.tell_removed(&recording, why).await,
            };
            if let Err(error) = told {
                tracing::error!(%error, "webhooks can't be told of a recording");
            }
        }
    }

    async fn tell_ready(&self, recording: &Recording) -> Result<(), StoreError> {
        let file = format!("/api/v1/recordings/{}/file", recording.id);
        let about = json!({"id": recording.id, "seconds": recording.seconds, "bytes": recording.bytes, "file": file});
        self.emit(recording.meeting, Happened::RecordingReady, json!({"recording": about})).await
    }

    /// Nobody has done it, and somebody will look for it.
    async fn tell_removed(&self, recording: &Recording, why: Removed) -> Result<(), StoreError> {
        let why = match why {
            Removed::Age => "age",
            Removed::Room => "quota",
        };
        let (id, owner, meeting) = (recording.id, recording.owner, recording.meeting);
        let site = match recording.site {
            Some(site) => Some(site),
            None => self.store().account(owner).await?.map(|owner| owner.site),
        };
        if let Some(site) = site {
            let object = format!("recording {id} of account {owner}, meeting {meeting}: {why}");
            self.note(site, None, "recording.remove", &object).await;
        }
        let about =
            json!({"id": id, "owner": owner, "title": recording.title, "bytes": recording.bytes, "reason": why});
        self.emit(meeting, Happened::RecordingRemoved, json!({"recording": about})).await
    }

    async fn emit(&self, meeting: MeetingId, happened: Happened, data: Value) -> Result<(), StoreError> {
        let Some(meeting) = self.store().meeting(meeting).await? else { return Ok(()) };
        let webhooks = self.store().webhooks(meeting.site).await?;
        let wants = |webhook: &&Webhook| {
            webhook.events.is_empty() || webhook.events.iter().any(|event| event == happened.name())
        };
        let about = json!({"id": meeting.id, "number": meeting.number, "title": meeting.title});
        let body = json!({"type": happened.name(), "at": now().to_string(), "meeting": about, "data": data});
        let message = |webhook: &Webhook| {
            item(Kind::Webhook, &json!({"url": webhook.url, "secret": webhook.secret, "body": body}))
        };
        let items: Vec<OutboxItem> = webhooks.iter().filter(wants).map(message).collect();
        if !items.is_empty() {
            self.store().send(&items).await?;
            self.shared.outbox.notify_one();
        }
        Ok(())
    }

    /// Adds a webhook; its secret is shown this once.
    pub async fn add_webhook(
        &self,
        by: &Account,
        site: SiteId,
        url: &str,
        events: Vec<String>,
    ) -> Result<Webhook, WebhookRefused> {
        self.site(by, site, Permission::Write).await?;
        let is_known = |event: &String| Happened::ALL.iter().any(|known| known.name() == event);
        if let Some(event) = events.iter().find(|event| !is_known(event)) {
            return Err(WebhookRefused::Event(event.clone()));
        }
        if !may_reach(url, self.shared.config.outbox.private_webhooks).await {
            return Err(WebhookRefused::Url);
        }
        if self.store().webhooks(site).await.map_err(AccountRefused::from)?.len() >= WEBHOOKS_MAX {
            return Err(WebhookRefused::TooMany);
        }
        let webhook = Webhook {
            id: Uuid::now_v7().to_string(),
            site,
            url: url.to_owned(),
            secret: hex::encode(rand::random::<[u8; 32]>()),
            events,
            created_ms: now_ms(),
        };
        self.store().add_webhook(&webhook).await.map_err(AccountRefused::from)?;
        self.note(site, Some(by.id), "webhook.create", &format!("webhook {}", webhook.id)).await;
        Ok(webhook)
    }

    /// A site's webhooks.
    pub async fn webhooks(&self, by: &Account, site: SiteId) -> Result<Vec<Webhook>, AccountRefused> {
        if !by.may(Permission::Read, Object::Site(site)) {
            return Err(AccountRefused::Missing);
        }
        Ok(self.store().webhooks(site).await?)
    }

    /// Removes a webhook.
    pub async fn remove_webhook(&self, by: &Account, site: SiteId, id: &str) -> Result<(), AccountRefused> {
        self.site(by, site, Permission::Write).await?;
        if !self.store().remove_webhook(site, id).await? {
            return Err(AccountRefused::Missing);
        }
        self.note(site, Some(by.id), "webhook.delete", &format!("webhook {id}")).await;
        Ok(())
    }

    /// Sends what is due, until the server stops.
    pub(crate) async fn keep_sending(self) {
        let config = &self.shared.config.outbox;
        let senders = match Senders::new(config) {
            Ok(senders) => senders,
            Err(error) => return tracing::error!(error, "nothing can be sent"),
        };
        let stopping = self.shared.stopping.clone();
        loop {
            let due = self.store().take_due(now_ms(), LEASE_MS, BATCH).await.unwrap_or_else(|error| {
                tracing::error!(%error, "outbox can't be read");
                Vec::new()
            });
            let idle = due.is_empty();
            futures_util::future::join_all(due.into_iter().map(|item| self.attempt(&senders, item))).await;
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.shared.outbox.notified(), if idle => {}
                () = tokio::time::sleep(LOOK), if idle => {}
                () = std::future::ready(()), if !idle => {}
            }
        }
    }

    async fn attempt(&self, senders: &Senders, item: OutboxItem) {
        let sending = tokio::time::timeout(ATTEMPT_MAX, senders.send(&item));
        let sent = sending.await.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let attempts = item.attempts + 1;
        let written = match sent {
            Ok(()) => {
                metrics::counter!("outbox_sent", "kind" => item.kind.clone()).increment(1);
                self.store().remove_item(&item.id).await
            }
            Err(error) if attempts >= ATTEMPTS_MAX => {
                tracing::error!(id = item.id, kind = item.kind, error, "given up");
                metrics::counter!("outbox_given_up", "kind" => item.kind.clone()).increment(1);
                self.store().remove_item(&item.id).await
            }
            Err(error) => {
                tracing::warn!(id = item.id, kind = item.kind, attempts, error, "not sent, will be tried again");
                self.store().put_off(&item.id, now_ms() + pause(attempts).as_millis() as i64, &error).await
            }
        };
        if let Err(error) = written {
            tracing::error!(%error, "outbox can't be written");
        }
    }
}

/// After so many attempts: 5 s, 20 s, 80 s … up to six hours.
fn pause(attempts: u32) -> Duration {
    Duration::from_secs((5 * 4u64.saturating_pow(attempts.saturating_sub(1))).min(6 * 3_600))
}

pub(crate) fn item(kind: Kind, message: &Value) -> OutboxItem {
    OutboxItem {
        id: Uuid::now_v7().to_string(),
        kind: kind.as_str().to_owned(),
        message: message.to_string(),
        attempts: 0,
        created_ms: now_ms(),
    }
}

struct Senders {
    smtp: Option<AsyncSmtpTransport<Tokio1Executor>>,
    mail_from: Option<lettre::message::Mailbox>,
    sms: Option<SmsConfig>,
    country: Option<String>,
    /// For what operators set.
    http: reqwest::Client,
    private_webhooks: bool,
}

fn http() -> reqwest::ClientBuilder {
    // A redirect could lead to where we may not send (A14).
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(ATTEMPT_MAX).user_agent("Huitong")
}

impl Senders {
    fn new(config: &OutboxConfig) -> Result<Self, String> {
        let smtp = config.smtp.as_deref().map(AsyncSmtpTransport::<Tokio1Executor>::from_url).transpose();
        let smtp = smtp.map_err(|error| format!("mail.smtp: {error}"))?.map(|builder| builder.build());
        let mail_from = smtp.is_some().then(|| config.mail_from.parse()).transpose();
        Ok(Self {
            smtp,
            mail_from: mail_from.map_err(|error| format!("mail.from: {error}"))?,
            sms: config.sms.clone(),
            country: config.country.clone(),
            http: http().build().map_err(|error| error.to_string())?,
            private_webhooks: config.private_webhooks,
        })
    }

    async fn send(&self, item: &OutboxItem) -> Result<(), String> {
        let message: Value = serde_json::from_str(&item.message).map_err(|error| error.to_string())?;
        match item.kind.as_str() {
            "email" => self.mail(&message).await,
            "sms" => self.short_message(&message).await,
            _ => self.webhook(&item.id, &message).await,
        }
    }

    async fn mail(&self, message: &Value) -> Result<(), String> {
        let (Some(smtp), Some(from)) = (&self.smtp, &self.mail_from) else {
            return Err("no mail server is configured".to_owned());
        };
        let field = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        let to = field("to").parse().map_err(|error| format!("{error}"))?;
        let builder = Message::builder().from(from.clone()).to(to).subject(field("subject"));
        let text = SinglePart::plain(field("text"));
        let mail = match message["calendar"].as_str() {
            None => builder.singlepart(text),
            Some(calendar) => {
                let kind = format!("text/calendar; charset=utf-8; method={}", field("method"));
                let kind = ContentType::parse(&kind).map_err(|error| error.to_string())?;
                // Both: some programs take the alternative, others only the attachment (RFC 6047 §2.4).
                let shown = SinglePart::builder().header(kind.clone()).body(calendar.to_owned());
                let attached = Attachment::new("invite.ics".to_owned()).body(calendar.to_owned(), kind);
                let alternatives = MultiPart::alternative().singlepart(text).singlepart(shown);
                builder.multipart(MultiPart::mixed().multipart(alternatives).singlepart(attached))
            }
        };
        smtp.send(mail.map_err(|error| error.to_string())?).await.map(drop).map_err(|error| error.to_string())
    }

    async fn short_message(&self, message: &Value) -> Result<(), String> {
        let sms = self.sms.as_ref().ok_or("no service for short messages is configured")?;
        let mut body = sms.body.clone();
        let field = |name: &str| message[name].as_str().unwrap_or_default();
        let to = Dialled::read(field("to"), self.country.as_deref());
        let to = to.as_ref().map_or_else(|| field("to"), Dialled::reveal);
        for (name, value) in [("to", to), ("text", field("text")), ("code", field("code"))] {
            let escaped = if sms.form {
                percent_encoded(value)
            } else {
                // As JSON has it, without its quotes.
                let quoted = json!(value).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            };
            body = body.replace(&format!("{{{name}}}"), &escaped);
        }
        let kind = if sms.form { "application/x-www-form-urlencoded" } else { "application/json" };
        let mut request = self.http.post(&sms.url).header("content-type", kind).body(body);
        if let Some(authorization) = &sms.authorization {
            request = request.header("authorization", authorization);
        }
        answered(request).await
    }

    async fn webhook(&self, id: &str, message: &Value) -> Result<(), String> {
        let field = |name: &str| message[name].as_str().unwrap_or_default();
        let url = reqwest::Url::parse(field("url")).map_err(|error| error.to_string())?;
        let body = message["body"].to_string();
        let at = now_ms() / 1000;
        let mut mac = Hmac::<Sha256>::new_from_slice(field("secret").as_bytes()).map_err(|error| error.to_string())?;
        mac.update(format!("{at}.{body}").as_bytes());
        let signature = format!("t={at},v1={}", hex::encode(mac.finalize().into_bytes()));
        // Looked up once, judged, and used as judged: a name can't lead elsewhere between (A14).
        let addresses = reachable(&url, self.private_webhooks).await.ok_or("the address may not be sent to")?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let client = http().resolve_to_addrs(&host, &addresses).build().map_err(|error| error.to_string())?;
        let request = client
            .post(url)
            .header("content-type", "application/json")
            .header("huitong-event-id", id)
            .header("huitong-signature", signature)
            .body(body);
        answered(request).await
    }
}

/// What isn't plain is written in hexadecimal (RFC 3986 §2.1, §2.3), as forms and header fields (RFC 8187 §3.2) take it.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

async fn answered(request: reqwest::RequestBuilder) -> Result<(), String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("answered {}", answer.status())) }
}

async fn may_reach(url: &str, private: bool) -> bool {
    match reqwest::Url::parse(url) {
        Ok(url) => reachable(&url, private).await.is_some(),
        Err(_) => false,
    }
}

/// Where a webhook goes, if the server may send there: to nobody behind the firewall it stands behind itself.
async fn reachable(url: &reqwest::Url, private: bool) -> Option<Vec<SocketAddr>> {
    let is_secure = url.scheme() == "https" || (private && url.scheme() == "http");
    if !is_secure || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await.ok()?.collect();
    let good = !addresses.is_empty() && (private || addresses.iter().all(|address| is_public(address.ip())));
    good.then_some(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_webhook_needs_tls_and_no_password_in_its_address() {
        let check = async |url: &str, private| may_reach(url, private).await;
        assert!(!check("http://93.184.216.34/", false).await);
        assert!(check("https://93.184.216.34/", false).await);
        assert!(!check("https://me:secret@93.184.216.34/", false).await);
        assert!(!check("https://[::1]/", false).await);
        assert!(check("http://127.0.0.1:9/", true).await);
        assert!(!check("ftp://127.0.0.1/", true).await);
    }

    #[test]
    fn pauses_grow_to_six_hours() {
        let all: Vec<u64> = (1..=8).map(|attempts| pause(attempts).as_secs()).collect();
        assert_eq!(all, [5, 20, 80, 320, 1_280, 5_120, 20_480, 21_600]);
    }
}
