"""Reads a mail from stdin and says in JSON what it is: the text, and the calendar as the `icalendar` package reads it."""

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
        said |= {
            "method": str(calendar["METHOD"]),
            "summary": str(event["SUMMARY"]),
            "sequence": int(event["SEQUENCE"]),
            "zone": str(event["DTSTART"].params.get("TZID")),
            "occurrences": len(list(recurring_ical_events.of(calendar).all())),
        }
json.dump(said, sys.stdout)
