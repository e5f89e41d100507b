//! Calendar entries of invitations (RFC 5545, RFC 5546).

use jiff::{
    Timestamp,
    tz::{Dst, Offset, TimeZone},
};
use store::Occurrence;

use super::{MeetingInfo, Reach, Tongue, link, now_ms, text, zoned};

/// What a calendar is to do with an entry (RFC 5546 §1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Publish,
    Request,
    Cancel,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "PUBLISH",
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }
}

/// What goes into a calendar.
pub(crate) struct Entry<'a> {
    /// All of a meeting, and when it is held; none where only one time of it is told of.
    pub(crate) whole: Option<(&'a MeetingInfo, &'a [Occurrence])>,
    /// Times that differ from the rest, each as it is held (RECURRENCE-ID, RFC 5545 §3.8.4.4).
    pub(crate) times: &'a [(MeetingInfo, Occurrence)],
    pub(crate) host: &'a str,
    pub(crate) method: Method,
    pub(crate) sequence: i64,
    pub(crate) attendee: Option<&'a str>,
    /// What it says, and where it is, for who is no participant; as participants are told where there is none.
    pub(crate) words: Option<(&'a str, &'a str)>,
}

/// A calendar with the entry and the zone it is told in.
pub(crate) fn calendar(entry: &Entry<'_>, reach: &Reach) -> String {
    let mut ics = Ics::default();
    ics.line("BEGIN:VCALENDAR");
    ics.line("VERSION:2.0");
    ics.line("PRODID:-//Huitong//Huitong//EN");
    ics.line(&format!("METHOD:{}", entry.method.as_str()));
    let whole =
        entry.whole.iter().flat_map(|(meeting, held)| held.iter().map(|held| held.start_ms).chain([meeting.start_ms]));
    let times = entry.times.iter().flat_map(|(_, held)| [held.start_ms, held.original_ms]);
    let starts: Vec<i64> = whole.chain(times).collect();
    let zone = entry.whole.map(|(meeting, _)| meeting).or_else(|| entry.times.first().map(|(meeting, _)| meeting));
    if let (Some(first), Some(last), Some(meeting)) = (starts.iter().min(), starts.iter().max(), zone) {
        time_zone(&mut ics, &meeting.zone, *first, *last);
    }
    if let Some((meeting, occurrences)) = entry.whole {
        event(&mut ics, entry, reach, meeting, meeting.start_ms, |ics| {
            let Some(rule) = &meeting.recurrence else { return };
            ics.line(&format!("RRULE:{rule}"));
            // Each time that was cancelled is taken out of the rule.
            let by_rule = model::starts(meeting.start_ms, &meeting.zone, Some(rule)).unwrap_or_default();
            for start in by_rule.iter().filter(|start| !occurrences.iter().any(|held| held.original_ms == **start)) {
                ics.line(&format!("EXDATE;TZID={}:{}", meeting.zone, local(*start, &meeting.zone)));
            }
        });
    }
    for (meeting, held) in entry.times {
        event(&mut ics, entry, reach, meeting, held.start_ms, |ics| {
            ics.line(&format!("RECURRENCE-ID;TZID={}:{}", meeting.zone, local(held.original_ms, &meeting.zone)));
        });
    }
    ics.line("END:VCALENDAR");
    ics.0
}

fn local(ms: i64, zone: &str) -> String {
    zoned(ms, zone).strftime("%Y%m%dT%H%M%S").to_string()
}

fn event(
    ics: &mut Ics,
    entry: &Entry<'_>,
    reach: &Reach,
    meeting: &MeetingInfo,
    start_ms: i64,
    which: impl FnOnce(&mut Ics),
) {
    let zone = &meeting.zone;
    ics.line("BEGIN:VEVENT");
    ics.line(&format!("UID:{}@huitong", meeting.id));
    ics.line(&format!("SEQUENCE:{}", entry.sequence));
    ics.line(&format!("DTSTAMP:{}", zoned(now_ms(), "UTC").strftime("%Y%m%dT%H%M%SZ")));
    ics.line(&format!("DTSTART;TZID={zone}:{}", local(start_ms, zone)));
    let end = start_ms + i64::from(meeting.duration_min) * 60_000;
    ics.line(&format!("DTEND;TZID={zone}:{}", local(end, zone)));
    which(ics);
    ics.text("SUMMARY", &meeting.title);
    match entry.words {
        Some((description, location)) => {
            ics.text("DESCRIPTION", description);
            ics.text("LOCATION", location);
        }
        None => {
            ics.text("DESCRIPTION", &text(meeting, None, entry.host, reach, Tongue::Chinese, zone));
            ics.text("LOCATION", &link(meeting, reach));
        }
    }
    ics.line(&format!("ORGANIZER;CN={}:mailto:{}", parameter(entry.host), organizer(reach)));
    if let Some(address) = entry.attendee {
        ics.line(&format!("ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=FALSE:mailto:{address}"));
    }
    ics.line(if entry.method == Method::Cancel { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
    ics.line("END:VEVENT");
}

/// Calendars want an address; nobody is to answer to it.
fn organizer(reach: &Reach) -> String {
    let host = reach.web.split_once("://").map_or(reach.web.as_str(), |(_, rest)| rest);
    let host = host.split([':', '/']).next().filter(|host| host.contains('.')).unwrap_or("huitong.invalid");
    format!("noreply@{host}")
}

/// The zone's offsets from the first time to the last (RFC 5545 §3.6.5), each change as an observance of its own.
fn time_zone(ics: &mut Ics, zone: &str, first_ms: i64, last_ms: i64) {
    let Ok(tz) = TimeZone::get(zone) else { return };
    let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    ics.line("BEGIN:VTIMEZONE");
    ics.line(&format!("TZID:{zone}"));
    let info = tz.to_offset_info(at(first_ms));
    let began = tz.preceding(at(first_ms)).next().map_or(Timestamp::UNIX_EPOCH, |change| change.timestamp());
    let mut offset = info.offset();
    observance(ics, began, offset, offset, info.dst(), info.abbreviation());
    for change in tz.following(at(first_ms)).take_while(|change| change.timestamp() <= at(last_ms)) {
        observance(ics, change.timestamp(), offset, change.offset(), change.dst(), change.abbreviation());
        offset = change.offset();
    }
    ics.line("END:VTIMEZONE");
}

fn observance(ics: &mut Ics, start: Timestamp, from: Offset, to: Offset, dst: Dst, name: &str) {
    let text = |offset: Offset| {
        let seconds = offset.seconds();
        format!("{}{:02}{:02}", if seconds < 0 { '-' } else { '+' }, seconds.abs() / 3600, seconds.abs() / 60 % 60)
    };
    let kind = if dst.is_dst() { "DAYLIGHT" } else { "STANDARD" };
    ics.line(&format!("BEGIN:{kind}"));
    // Local time, by the offset that held before.
    ics.line(&format!("DTSTART:{}", from.to_datetime(start).strftime("%Y%m%dT%H%M%S")));
    ics.line(&format!("TZOFFSETFROM:{}", text(from)));
    ics.line(&format!("TZOFFSETTO:{}", text(to)));
    ics.line(&format!("TZNAME:{name}"));
    ics.line(&format!("END:{kind}"));
}

/// A parameter's value: in quotes, which it can't contain (RFC 5545 §3.2).
fn parameter(text: &str) -> String {
    format!("\"{}\"", text.replace(['"', '\r', '\n'], ""))
}

/// Lines of iCalendar.
#[derive(Default)]
struct Ics(String);

impl Ics {
    /// Folded after 75 octets, never within a character (RFC 5545 §3.1).
    fn line(&mut self, line: &str) {
        let mut octets = 0;
        for character in line.chars() {
            if octets + character.len_utf8() > 75 {
                self.0.push_str("\r\n ");
                octets = 1;
            }
            self.0.push(character);
            octets += character.len_utf8();
        }
        self.0.push_str("\r\n");
    }

    /// A property of type TEXT (RFC 5545 §3.3.11).
    fn text(&mut self, name: &str, value: &str) {
        let escaped = value.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n");
        self.line(&format!("{name}:{escaped}"));
    }
}
