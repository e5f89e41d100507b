"""Reads a mail from stdin and says in JSON what it is: the text, and the calendar as the `icalendar` package reads it."""

import datetime
import email
import email.policy
import json
import sys

import icalendar
import recurring_ical_events

mail = email.message_from_string(
    "\n".join(line for line in sys.stdin.read().split("\n") if not line.startswith("--------")),
    policy=email.policy.default,
)
said = {"subject": mail["subject"], "to": mail["to"], "text": mail.get_body(("plain",)).get_content()}
for part in mail.walk():
    if part.get_content_type() == "text/calendar" and not part.get_filename():
        calendar = icalendar.Calendar.from_ical(part.get_payload(decode=True))
        event = calendar.walk("VEVENT")[0]
        which = event.get("RECURRENCE-ID")
        held = sorted(recurring_ical_events.of(calendar).all(), key=lambda one: one["DTSTART"].dt)
        said |= {
            "method": str(calendar["METHOD"]),
            "summary": str(event["SUMMARY"]),
            "sequence": int(event["SEQUENCE"]),
            "zone": str(event["DTSTART"].params.get("TZID")),
            "occurrences": len(held),
            "summaries": [str(one["SUMMARY"]) for one in held],
            "events": len(calendar.walk("VEVENT")),
            # Which time of the series is told of, if it is only one.
            "one": which and which.dt.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
json.dump(said, sys.stdout)
