//! What comes and goes within a call beside INVITE and BYE: keys and requests for key frames (INFO), reliable ringing (RFC 3262), UPDATE (RFC 3311)
//! and session timers (RFC 4028).

use super::{
    Branch, Call, CallKey, ClientTransaction, Duration, Endpoint, Event, Instant, Message, Source, StartLine, State,
    T1, TIMEOUT, TransactionKey, Transport, proving, write,
};
use crate::{ingress::media_type, message::list, message::parameter};

/// The shortest session we agree to refresh (RFC 4028 §5): shorter ones would be a flood.
const MIN_SE: Duration = Duration::from_secs(90);

/// How long a session of ours lasts unless it is refreshed (§4.2 recommends it): a call whose other side is gone without a word is found
/// by it. Shorter finds it sooner, and asks more.
pub(super) const SESSION: Duration = Duration::from_secs(1_800);

/// The longest session we agree to be asked for: a longer one is none.
const SESSION_MAX: Duration = Duration::from_secs(24 * 3_600);

/// After a refresh that failed for a passing reason.
const REFRESH_AGAIN: Duration = Duration::from_secs(10);

/// A session that ends unless it is refreshed.
pub(super) struct SessionTimer {
    interval: Duration,
    /// We refresh, or the caller does.
    ours: bool,
    /// The other side knows of sessions. Where it doesn't, whatever it answers to a refresh shows that it is there.
    agreed: bool,
    /// When we refresh, or when the caller has failed to.
    due: Instant,
    expires: Instant,
}

impl SessionTimer {
    fn new(interval: Duration, ours: bool, now: Instant) -> Self {
        // §10: who waits ends it a little before, who refreshes does so at half time.
        let end = now + interval - Duration::from_secs(32).min(interval / 3);
        Self { interval, ours, agreed: true, due: if ours { now + interval / 2 } else { end }, expires: end }
    }

    /// Where the other side asks for none (§7.2, §9): we refresh.
    pub(super) fn own(interval: Duration, now: Instant) -> Self {
        Self { agreed: false, ..Self::new(interval, true, now) }
    }

    /// What the called side agreed to (§7.2): we refresh unless it says that it does. None where it says nothing.
    pub(super) fn of_answer(answer: &Message, now: Instant) -> Option<Self> {
        let value = answer.header("session-expires")?;
        let seconds = value.split(';').next()?.trim().parse::<u32>().ok()?;
        let theirs = parameter(value, "refresher").is_some_and(|refresher| refresher.eq_ignore_ascii_case("uas"));
        Some(Self::new(Duration::from_secs(u64::from(seconds)).max(MIN_SE), !theirs, now))
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn begin(&mut self, now: Instant) {
        *self = Self { agreed: self.agreed, ..Self::new(self.interval, self.ours, now) };
    }

    /// The lines of a request of ours (§7.1). Longer than it would be of itself where somebody on the way asked for that (§7.3).
    pub(super) fn asked(interval: Duration) -> String {
        let seconds = interval.as_secs();
        let least = if interval > SESSION { format!("Min-SE: {seconds}\r\n") } else { String::new() };
        format!("Session-Expires: {seconds};refresher=uac\r\n{least}")
    }

    /// The lines of a 2xx (§9); `Require` where the caller is to refresh.
    pub(super) fn fields(&self) -> String {
        let (refresher, require) = if self.ours { ("uas", "") } else { ("uac", "Require: timer\r\n") };
        format!("Session-Expires: {};refresher={refresher}\r\n{require}", self.interval.as_secs())
    }
}

/// The request asks for a shorter session than [`MIN_SE`].
pub(super) struct TooShort;

impl TooShort {
    pub(super) const REASON: &str = "Session Interval Too Small";

    pub(super) fn field() -> String {
        format!("Min-SE: {}\r\n", MIN_SE.as_secs())
    }
}

/// The shortest session that would have been taken (§5).
pub(super) fn min_se(refusal: &Message) -> Option<Duration> {
    let seconds = refusal.header("min-se")?.split(';').next()?.trim().parse::<u32>().ok()?;
    Some(Duration::from_secs(u64::from(seconds))).filter(|least| *least <= SESSION_MAX)
}

/// What an INVITE or UPDATE asks for (§9): none where it asks for no timer.
pub(super) fn session_timer(message: &Message, now: Instant) -> Result<Option<SessionTimer>, TooShort> {
    let Some(value) = message.header("session-expires") else { return Ok(None) };
    let seconds = value.split(';').next().and_then(|seconds| seconds.trim().parse::<u32>().ok());
    let Some(seconds) = seconds else { return Ok(None) };
    let interval = Duration::from_secs(u64::from(seconds));
    if interval < MIN_SE {
        return Err(TooShort);
    }
    let options = message.headers("supported").chain(message.headers("require")).flat_map(list);
    let knows = options.into_iter().any(|option| option.eq_ignore_ascii_case("timer"));
    let asked = parameter(value, "refresher").is_some_and(|refresher| refresher.eq_ignore_ascii_case("uas"));
    Ok(Some(SessionTimer::new(interval, asked || !knows, now)))
}

/// What asks for a key frame (RFC 5168 §3).
const MEDIA_CONTROL: &str = "application/media_control+xml";
const PICTURE_FAST_UPDATE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n\
    <media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>\r\n";

impl Endpoint {
    /// INFO, UPDATE or PRACK; in an early dialog too.
    pub(super) fn in_dialog(
        &mut self,
        source: Source,
        message: Message,
        key: &TransactionKey,
        call: CallKey,
        number: u32,
        now: Instant,
    ) {
        if self.is_pending(call, key) {
            return;
        }
        let Some(known) = self.calls.get_mut(call) else { return };
        if number <= known.their_cseq {
            return self.answer_plainly(source, &message, key, 500, "Server Internal Error", now);
        }
        known.their_cseq = number;
        match message.method() {
            "INFO" => self.info(source, &message, key, call, now),
            "PRACK" => self.prack(source, &message, key, call, now),
            _ => self.update(source, message, key, call, now),
        }
    }

    fn info(&mut self, source: Source, message: &Message, key: &TransactionKey, call: CallKey, now: Instant) {
        if message.body.is_empty() {
            return self.answer_plainly(source, message, key, 200, "OK", now);
        }
        let kind = message.header("content-type").map(media_type).unwrap_or_default();
        let body = String::from_utf8_lossy(&message.body);
        if kind == MEDIA_CONTROL && body.contains("picture_fast_update") {
            self.answer_plainly(source, message, key, 200, "OK", now);
            return self.events.push_back(Event::KeyframeWanted(call));
        }
        match digit_of(&kind, &body) {
            Some(digit) => {
                self.answer_plainly(source, message, key, 200, "OK", now);
                self.events.push_back(Event::Digit(call, digit));
            }
            None => {
                let accepts = "Accept: application/dtmf-relay, application/dtmf, application/media_control+xml\r\n";
                self.answer_with(source, message, key, 415, "Unsupported Media Type", accepts, now);
            }
        }
    }

    fn prack(&mut self, source: Source, message: &Message, key: &TransactionKey, call: CallKey, now: Instant) {
        let Some(known) = self.calls.get_mut(call) else { return };
        let rack = format!("{} {} INVITE", known.rseq, known.invite_cseq);
        let given: Vec<&str> = message.header("rack").unwrap_or_default().split_whitespace().collect();
        if known.rseq > 0 && given.join(" ") == rack {
            // After the answer, which may overtake it, that is what is repeated (RFC 3262 §3).
            if known.state == State::Ringing {
                known.repeat = None;
            }
            self.answer_plainly(source, message, key, 200, "OK", now);
        } else {
            self.answer_plainly(source, message, key, 481, "Call/Transaction Does Not Exist", now);
        }
    }

    fn update(&mut self, source: Source, message: Message, key: &TransactionKey, call: CallKey, now: Instant) {
        let timer = match session_timer(&message, now) {
            Ok(timer) => timer,
            Err(TooShort) => {
                return self.answer_with(source, &message, key, 422, TooShort::REASON, &TooShort::field(), now);
            }
        };
        let Some(known) = self.calls.get_mut(call) else { return };
        if !message.body.is_empty() {
            // Before an offer is answered there is no second (RFC 3311 §5.2).
            if known.state == State::Ringing || known.reinvite.is_some() {
                let later = "Retry-After: 2\r\n";
                return self.answer_with(source, &message, key, 500, "Server Internal Error", later, now);
            }
            if known.reinviting || known.offering {
                return self.answer_plainly(source, &message, key, 491, "Request Pending", now);
            }
        }
        if let Some(contact) = message.uri("contact") {
            contact.clone_into(&mut known.target);
        }
        known.source = source;
        known.timer = timer.or_else(|| known.timer.take());
        if message.body.is_empty() {
            let timer = known.timer.as_ref().map(SessionTimer::fields).unwrap_or_default();
            let fields = known.contact(&self.config, source) + &timer;
            return self.answer_with(source, &message, key, 200, "OK", &fields, now);
        }
        let offer = message.body.clone();
        known.reinvite = Some((message, source));
        self.events.push_back(Event::Reoffered(call, offer));
    }

    /// Asks for a key frame by INFO (RFC 5168); not whom it would mean nothing to.
    pub fn want_keyframe(&mut self, call: CallKey, now: Instant) {
        let branch = self.new_branch();
        let Some(known) = self.calls.get_mut(call) else { return };
        let allowed: Vec<&str> = known.invite.headers("allow").flat_map(list).collect();
        if !allowed.is_empty() && !allowed.contains(&"INFO") {
            return;
        }
        known.our_cseq += 1;
        let fields = known.contact(&self.config, known.source);
        let body = (MEDIA_CONTROL, PICTURE_FAST_UPDATE);
        let info = write::request_with(&self.config, known, "INFO", known.our_cseq, branch, &fields, body);
        let prover = known.prover.clone();
        // Who doesn't know it sends no key frame, and goes on.
        self.begin(branch, None, info, now);
        self.prove_later(branch, call, prover);
    }

    /// Refreshes the sessions that are ours, ends those whose caller does not.
    pub(super) fn run_session_timers(&mut self, now: Instant) {
        for key in self.calls.due(now) {
            if self.calls.get(key).and_then(Call::session).is_none_or(|timer| timer.due > now) {
                continue;
            }
            let Some(timer) = self.calls.get_mut(key).and_then(|call| call.timer.as_mut()) else { continue };
            if !timer.ours || timer.expires <= now {
                if let Some(call) = self.calls.get_mut(key) {
                    call.timer = None;
                }
                self.hang_up(key, now);
                self.events.push_back(Event::Ended(key));
                continue;
            }
            timer.due = timer.expires;
            let fields = SessionTimer::asked(timer.interval) + "Supported: timer\r\n";
            self.refresh(key, &fields, now);
        }
    }

    /// UPDATE where the caller knows it, else a re-INVITE with what we said last.
    fn refresh(&mut self, key: CallKey, fields: &str, now: Instant) {
        let branch = self.new_branch();
        let Some(call) = self.calls.get_mut(key) else { return };
        let knows_update = call.invite.headers("allow").flat_map(list).any(|method| method == "UPDATE");
        let method = if knows_update { "UPDATE" } else { "INVITE" };
        let body = if method == "INVITE" { call.description.clone() } else { String::new() };
        call.reinviting = method == "INVITE";
        call.our_cseq += 1;
        let fields = call.contact(&self.config, call.source) + fields;
        let request = write::request(&self.config, call, method, call.our_cseq, branch, &fields, &body);
        let prover = call.prover.clone();
        self.begin(branch, Some(key), request, now);
        self.prove_later(branch, key, prover);
    }

    /// A response to a request of ours; false where it is to none.
    pub(super) fn response(&mut self, message: &Message, now: Instant) -> bool {
        let StartLine::Response { code } = message.start else { return false };
        if self.outgoing_response(code, message, now) {
            return true;
        }
        let Some(branch) = message.branch().and_then(Branch::of_ours) else { return false };
        if code < 200 {
            let Some(client) = self.clients.get_mut(branch) else { return false };
            if message.method() == "INVITE" {
                // §17.1.1.2: it is there and will say more; waiting is all.
                client.repeat.next = client.repeat.until;
            }
            return true;
        }
        let Some(client) = self.clients.remove(branch) else { return false };
        self.final_response(branch, &client, code, message, now);
        true
    }

    fn final_response(
        &mut self,
        branch: Branch,
        client: &ClientTransaction,
        code: u16,
        message: &Message,
        now: Instant,
    ) {
        let is_taken = code < 300;
        if let Some(call) = client.call.filter(|_| is_taken).and_then(|key| self.calls.get_mut(key))
            && let Some(contact) = message.uri("contact")
        {
            // §12.2.1.2
            contact.clone_into(&mut call.target);
        }
        if message.method() == "INVITE" {
            let ack_branch = if is_taken { self.new_branch() } else { branch };
            // What proved the INVITE proves this too (§13.2.2.4).
            let shown = if is_taken { proving::shown(&client.repeat.transmit.bytes) } else { String::new() };
            let call = client.call.and_then(|key| self.calls.get(key));
            if let (Some(call), Some((cseq, _))) = (call, message.cseq()) {
                let ack = write::request(&self.config, call, "ACK", cseq, ack_branch, &shown, "");
                self.acknowledge(branch, message.tag("to").unwrap_or_default(), ack, now);
            }
        }
        if self.prove_within(branch, client, message, now) {
            return;
        }
        let Some(key) = client.call else { return };
        if (200..300).contains(&code) {
            // A new key, or another address (RFC 3264 §8).
            if message.method() == "INVITE" && !message.body.is_empty() && self.calls.contains_key(key) {
                self.events.push_back(Event::Confirmed(key, message.body.clone()));
            }
            if let (Some(timer), Some(call)) = (SessionTimer::of_answer(message, now), self.calls.get_mut(key)) {
                call.timer = Some(timer);
                call.reinviting = false;
                return;
            }
        }
        if code == 422
            && let Some(call) = self.calls.get_mut(key)
            && let (Some(timer), Some(least)) = (&mut call.timer, min_se(message))
            && least > timer.interval
        {
            (timer.interval, timer.due) = (least, now);
            call.reinviting = false;
            return;
        }
        self.refreshed(key, code, now);
    }

    /// A refresh of ours is answered so.
    pub(super) fn refreshed(&mut self, key: CallKey, code: u16, now: Instant) {
        let glare = self.glare(key);
        let Some(call) = self.calls.get_mut(key) else { return };
        call.reinviting = false;
        match (code, &mut call.timer) {
            // §12.2.1.2: the other side has forgotten the call.
            (408 | 481, _) => {
                self.hang_up(key, now);
                self.events.push_back(Event::Ended(key));
            }
            (200..300, Some(timer)) => timer.begin(now),
            (491, Some(timer)) => timer.due = timer.expires.min(now + glare),
            (300..=502 | 504.., Some(timer)) if !timer.agreed => timer.begin(now),
            (_, Some(timer)) => timer.due = timer.expires.min(now + REFRESH_AGAIN),
            (_, None) => {}
        }
    }

    /// When we ask again after both have asked at once (§14.1): who began the call waits longer than the other.
    fn glare(&mut self, key: CallKey) -> Duration {
        let random = self.new_bits();
        match self.calls.get(key) {
            Some(call) if call.is_ours => Duration::from_millis(2_100 + random % 1_900),
            _ => Duration::from_millis(random % 2_000),
        }
    }

    /// A request in a dialog of ours that isn't answered yet (RFC 3311 §5.2, RFC 6086); false where there is none.
    pub(super) fn early_request(
        &mut self,
        source: Source,
        message: &Message,
        key: &TransactionKey,
        dialog: &(String, String),
        now: Instant,
    ) -> bool {
        let outgoing = self.early.get(dialog).and_then(|branch| self.outgoing.get(*branch));
        if outgoing.is_none_or(|outgoing| message.tag("to") != Some(outgoing.tag())) {
            return false;
        }
        match message.method() {
            "UPDATE" if !message.body.is_empty() => self.early_offer(source, message, key, dialog, now),
            "UPDATE" | "INFO" => {
                let contact = write::contact(&self.config, source, false);
                self.answer_with(source, message, key, 200, "OK", &contact, now);
            }
            _ => self.answer_plainly(source, message, key, 481, "Call/Transaction Does Not Exist", now),
        }
        true
    }

    /// 180 that has to be acknowledged (RFC 3262 §3), where the caller requires it.
    pub(super) fn ring_reliably(&mut self, key: CallKey, now: Instant) {
        let Some(call) = self.calls.get_mut(key) else { return };
        call.rseq += 1;
        let fields = format!("{}Require: 100rel\r\nRSeq: {}\r\n", call.contact(&self.config, call.source), call.rseq);
        let ringing = write::response(&call.invite, call.source, 180, "Ringing", Some(&call.tag), &fields, "");
        call.say_until_acknowledged(&ringing, now, true);
        self.transmits.push_back(ringing);
    }
}

impl Call {
    /// The timer of a session, which begins with the answer (RFC 4028 §7.2).
    pub(super) fn session(&self) -> Option<&SessionTimer> {
        self.timer.as_ref().filter(|_| matches!(self.state, State::Answered | State::Confirmed))
    }

    pub(super) fn timer_fields(&self) -> String {
        self.timer.as_ref().map(SessionTimer::fields).unwrap_or_default()
    }
}

/// The caller requires to be told reliably that it rings (RFC 3262 §3).
pub(super) fn requires_ringing(invite: &Message) -> bool {
    invite.headers("require").flat_map(list).any(|option| option.eq_ignore_ascii_case("100rel"))
}

/// Whether a request that is answered by `transport` is repeated by us.
pub(super) fn first_repeat(transport: Transport, now: Instant) -> Instant {
    if transport == Transport::Udp { now + T1 } else { now + TIMEOUT }
}

/// The key of an INFO: `Signal=5` and its like, or the key alone.
fn digit_of(kind: &str, body: &str) -> Option<char> {
    let value = match kind {
        "application/dtmf-relay" => body.lines().find_map(|line| {
            let (name, value) = line.split_once(['=', ':'])?;
            name.trim().eq_ignore_ascii_case("signal").then(|| value.trim())
        })?,
        "application/dtmf" => body.trim(),
        _ => return None,
    };
    // Cisco writes the events' numbers of RFC 4733.
    let value = match value {
        "10" => "*",
        "11" => "#",
        value => value,
    };
    let mut keys = value.chars();
    let key = keys.next().map(|key| key.to_ascii_uppercase())?;
    (keys.next().is_none() && (key.is_ascii_digit() || "*#ABCD".contains(key))).then_some(key)
}
