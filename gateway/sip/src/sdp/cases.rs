//! What is answered to which offer (RFC 3264, RFC 8866), row by row, and what the RFC wants of every answer.

use std::net::SocketAddr;

use super::*;

/// An offer's lines below `s=`, and what becomes of it.
struct Case {
    what: &'static str,
    /// Its `c=` and other lines of the session.
    session: &'static str,
    media: &'static str,
    /// Where sound goes and the m-lines answered, without the lines that all have; or why there are none.
    answer: Result<&'static str, OfferError>,
}

const V4: &str = "c=IN IP4 10.0.0.1";
const PCMA: &str = "10.0.0.1:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv";
const PCMA_HELD: &str = "10.0.0.1:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=recvonly";
const REFUSED: Result<&str, OfferError> = Err(OfferError::NotAcceptable);

const fn case(
    what: &'static str,
    session: &'static str,
    media: &'static str,
    answer: Result<&'static str, OfferError>,
) -> Case {
    Case { what, session, media, answer }
}

const CODECS: [Case; 14] = [
    case("one codec without an rtpmap", V4, "m=audio 4000 RTP/AVP 8", Ok(PCMA)),
    case("the best of several, whatever their order", V4, "m=audio 4000 RTP/AVP 0 18 8", Ok(PCMA)),
    case(
        "a static codec under a dynamic number",
        V4,
        "m=audio 4000 RTP/AVP 110 0\na=rtpmap:110 pcma/8000",
        Ok("10.0.0.1:4000\nm=audio 20000 RTP/AVP 110\na=rtpmap:110 PCMA/8000\na=sendrecv"),
    ),
    case("one channel that is said", V4, "m=audio 4000 RTP/AVP 8\na=rtpmap:8 PCMA/8000/1", Ok(PCMA)),
    case(
        "a static number that stands for something else",
        V4,
        "m=audio 4000 RTP/AVP 8 0\na=rtpmap:8 iLBC/8000",
        Ok("10.0.0.1:4000\nm=audio 20000 RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=sendrecv"),
    ),
    case(
        "G.722 with the clock it really has",
        V4,
        "m=audio 4000 RTP/AVP 9\na=rtpmap:9 G722/16000",
        Ok("10.0.0.1:4000\nm=audio 20000 RTP/AVP 9\na=rtpmap:9 G722/8000\na=sendrecv"),
    ),
    case("a number mapped and not offered", V4, "m=audio 4000 RTP/AVP 8\na=rtpmap:111 opus/48000/2", Ok(PCMA)),
    case("none of ours", V4, "m=audio 4000 RTP/AVP 18 4\na=rtpmap:18 G729/8000", REFUSED),
    case("Opus with one channel, which there isn't", V4, "m=audio 4000 RTP/AVP 111\na=rtpmap:111 opus/48000", REFUSED),
    case("another packet time", V4, "m=audio 4000 RTP/AVP 8\na=ptime:30\na=maxptime:60", Ok(PCMA)),
    case(
        "events at the codec's clock",
        V4,
        "m=audio 4000 RTP/AVP 96 97 98\na=rtpmap:96 opus/48000/2\na=rtpmap:97 telephone-event/8000\na=rtpmap:98 telephone-event/48000",
        Ok("10.0.0.1:4000\nm=audio 20000 RTP/AVP 96 98\na=rtpmap:96 opus/48000/2\n\
            a=fmtp:96 useinbandfec=1;stereo=0;sprop-stereo=0\na=rtpmap:98 telephone-event/48000\na=fmtp:98 0-15\na=sendrecv"),
    ),
    case(
        "events at 8 kHz alone",
        V4,
        "m=audio 4000 RTP/AVP 96 101\na=rtpmap:96 opus/48000/2\na=rtpmap:101 telephone-event/8000",
        Ok("10.0.0.1:4000\nm=audio 20000 RTP/AVP 96 101\na=rtpmap:96 opus/48000/2\n\
            a=fmtp:96 useinbandfec=1;stereo=0;sprop-stereo=0\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=sendrecv"),
    ),
    case(
        "events at a clock that no codec of ours has",
        V4,
        "m=audio 4000 RTP/AVP 8 100\na=rtpmap:100 telephone-event/16000",
        Ok(PCMA),
    ),
    case(
        "events under the codec's own number",
        V4,
        "m=audio 4000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=rtpmap:8 telephone-event/8000",
        Ok(PCMA),
    ),
];

const HOLDS: [Case; 11] = [
    case("hold", V4, "m=audio 4000 RTP/AVP 8\na=sendonly", Ok(PCMA_HELD)),
    case("hold of the whole session", "c=IN IP4 10.0.0.1\na=sendonly", "m=audio 4000 RTP/AVP 8", Ok(PCMA_HELD)),
    case("the m-line knows better", "c=IN IP4 10.0.0.1\na=sendonly", "m=audio 4000 RTP/AVP 8\na=sendrecv", Ok(PCMA)),
    case(
        "hold of both",
        V4,
        "m=audio 4000 RTP/AVP 8\na=inactive",
        Ok("10.0.0.1:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=inactive"),
    ),
    case(
        "who only listens",
        V4,
        "m=audio 4000 RTP/AVP 8\na=recvonly",
        Ok("10.0.0.1:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendonly"),
    ),
    case(
        "hold as RFC 2543 has it",
        "c=IN IP4 0.0.0.0",
        "m=audio 4000 RTP/AVP 8",
        Ok("0.0.0.0:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=recvonly"),
    ),
    case(
        "the same of an m-line, in IPv6",
        V4,
        "m=audio 4000 RTP/AVP 8\nc=IN IP6 ::",
        Ok("[::]:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=recvonly"),
    ),
    case(
        "both kinds of hold at once",
        "c=IN IP4 0.0.0.0",
        "m=audio 4000 RTP/AVP 8\na=inactive",
        Ok("0.0.0.0:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=inactive"),
    ),
    case(
        "who would listen at no address",
        "c=IN IP4 0.0.0.0",
        "m=audio 4000 RTP/AVP 8\na=recvonly",
        Ok("0.0.0.0:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=inactive"),
    ),
    case(
        "re-INVITE with another codec under a number that stood for the first",
        V4,
        "m=audio 4002 RTP/AVP 96 97\na=rtpmap:96 G722/8000\na=rtpmap:97 telephone-event/8000",
        Ok("10.0.0.1:4002\nm=audio 20000 RTP/AVP 96 97\na=rtpmap:96 G722/8000\na=rtpmap:97 telephone-event/8000\n\
            a=fmtp:97 0-15\na=sendrecv"),
    ),
    case("re-INVITE that takes the sound away", V4, "m=audio 0 RTP/AVP 8", REFUSED),
];

const LINES: [Case; 10] = [
    case(
        "a picture beside",
        V4,
        "m=audio 4000 RTP/AVP 8\nm=video 5000 RTP/AVP 96 97\na=rtpmap:96 H264/90000\na=sendonly",
        Ok("10.0.0.1:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv\nm=video 0 RTP/AVP 96"),
    ),
    case(
        "a picture first, fax and data last",
        V4,
        "m=video 5000 RTP/AVP 96\nm=audio 4000 RTP/AVP 8\nm=image 6000 udptl t38\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        Ok("10.0.0.1:4000\nm=video 0 RTP/AVP 96\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv\n\
            m=image 0 udptl t38\nm=application 0 UDP/DTLS/SCTP webrtc-datachannel"),
    ),
    case(
        "a kind that nobody knows, with nothing in it",
        V4,
        "m=smell 7000 RTP/AVP\nm=audio 4000 RTP/AVP 8",
        Ok("10.0.0.1:4000\nm=smell 0 RTP/AVP 0\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv"),
    ),
    case(
        "sound twice: the first",
        V4,
        "m=audio 4000 RTP/AVP 8\nm=audio 4002 RTP/AVP 9",
        Ok("10.0.0.1:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv\nm=audio 0 RTP/AVP 9"),
    ),
    case(
        "sound twice, the first of no codec of ours: the second",
        V4,
        "m=audio 4000 RTP/AVP 18\nm=audio 4002 RTP/AVP 8",
        Ok("10.0.0.1:4002\nm=audio 0 RTP/AVP 18\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv"),
    ),
    case(
        "sound twice, the first taken away: the second",
        V4,
        "m=audio 0 RTP/AVP 8\nm=audio 4002 RTP/AVP 8",
        Ok("10.0.0.1:4002\nm=audio 0 RTP/AVP 8\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv"),
    ),
    case(
        "a bundle of which one is wanted: it is none (RFC 9143 §7.3)",
        "c=IN IP4 10.0.0.1\na=group:BUNDLE a v",
        "m=audio 4000 RTP/AVP 8\na=mid:a\na=rtcp-mux\nm=video 0 RTP/AVP 96\na=mid:v\na=bundle-only",
        Ok(
            "10.0.0.1:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=rtcp-mux\na=sendrecv\nm=video 0 RTP/AVP 96",
        ),
    ),
    case("a picture alone", V4, "m=video 5000 RTP/AVP 96", REFUSED),
    case("nothing", V4, "", REFUSED),
    case("a number of ports", V4, "m=audio 4000/2 RTP/AVP 8", Ok(PCMA)),
];

const ADDRESSES: [Case; 8] = [
    case("the m-line's own", "c=IN IP4 10.9.9.9", "m=audio 4000 RTP/AVP 8\nc=IN IP4 10.0.0.1", Ok(PCMA)),
    case("the m-line's alone", "a=tool:x", "m=audio 4000 RTP/AVP 8\nc=IN IP4 10.0.0.1", Ok(PCMA)),
    case(
        "another m-line's is its own",
        V4,
        "m=audio 4000 RTP/AVP 8\nm=video 0 RTP/AVP 96\nc=IN IP4 10.9.9.9",
        Ok("10.0.0.1:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv\nm=video 0 RTP/AVP 96"),
    ),
    case(
        "IPv6",
        "c=IN IP6 2001:db8::9",
        "m=audio 4000 RTP/AVP 8",
        Ok("[2001:db8::9]:4000\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv"),
    ),
    case(
        "IPv6 of a session whose m-line has IPv4",
        "c=IN IP6 2001:db8::9",
        "m=audio 4000 RTP/AVP 8\nc=IN IP4 10.0.0.1",
        Ok(PCMA),
    ),
    case("none", "a=tool:x", "m=audio 4000 RTP/AVP 8", REFUSED),
    case("one of the m-line that can't be read", V4, "m=audio 4000 RTP/AVP 8\nc=IN IP4 phone.example.org", REFUSED),
    case("a crowd", "c=IN IP4 224.2.1.1/127", "m=audio 4000 RTP/AVP 8", REFUSED),
];

const KEYS: [Case; 8] = [
    case(
        "a key",
        V4,
        "m=audio 4000 RTP/SAVP 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY",
        Ok(
            "10.0.0.1:4000\nm=audio 20000 RTP/SAVP 8\na=rtpmap:8 PCMA/8000\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:OURS\na=sendrecv",
        ),
    ),
    case(
        "two, the weaker first",
        V4,
        "m=audio 4000 RTP/SAVPF 8\na=crypto:3 AES_CM_128_HMAC_SHA1_32 inline:KEY\na=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:KEY",
        Ok(
            "10.0.0.1:4000\nm=audio 20000 RTP/SAVPF 8\na=rtpmap:8 PCMA/8000\na=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:OURS\na=sendrecv",
        ),
    ),
    case(
        "a key of the session, where none may be",
        "c=IN IP4 10.0.0.1\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY",
        "m=audio 4000 RTP/SAVP 8",
        REFUSED,
    ),
    case(
        "plain first, encrypted second: encrypted",
        V4,
        "m=audio 4000 RTP/AVP 8\nm=audio 4002 RTP/SAVP 8\na=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:KEY",
        Ok("10.0.0.1:4002\nm=audio 0 RTP/AVP 8\nm=audio 20000 RTP/SAVP 8\na=rtpmap:8 PCMA/8000\n\
            a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:OURS\na=sendrecv"),
    ),
    case(
        "encrypted by what we can't, plain second: plain",
        V4,
        "m=audio 4000 RTP/SAVP 8\na=crypto:1 F8_128_HMAC_SHA1_80 inline:KEY\nm=audio 4002 RTP/AVP 8",
        Ok("10.0.0.1:4002\nm=audio 0 RTP/SAVP 8\nm=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv"),
    ),
    case(
        "a handshake whose certificate is the session's, in a bundle with reports of its own port",
        "c=IN IP4 10.0.0.1\na=group:BUNDLE 0\na=fingerprint:THEIRS\na=setup:actpass",
        "m=audio 4000 UDP/TLS/RTP/SAVPF 8\na=mid:0\na=rtcp:4000\na=rtcp-mux\na=candidate:1 1 UDP 2130706431 10.0.0.1 4000 typ host",
        Ok(
            "10.0.0.1:4000\nm=audio 20000 UDP/TLS/RTP/SAVPF 8\na=rtpmap:8 PCMA/8000\na=setup:passive\na=fingerprint:OURS\na=rtcp-mux\na=sendrecv",
        ),
    ),
    case(
        "a handshake and a key, of which the profile says the first",
        V4,
        "m=audio 4000 UDP/TLS/RTP/SAVP 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY\na=setup:passive\na=fingerprint:THEIRS",
        Ok(
            "10.0.0.1:4000\nm=audio 20000 UDP/TLS/RTP/SAVP 8\na=rtpmap:8 PCMA/8000\na=setup:active\na=fingerprint:OURS\na=sendrecv",
        ),
    ),
    case(
        "a handshake that is to wait",
        V4,
        "m=audio 4000 UDP/TLS/RTP/SAVP 8\na=setup:holdconn\na=fingerprint:THEIRS",
        REFUSED,
    ),
];

/// A key as it stands behind `inline:`.
const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

fn fingerprint(byte: u8) -> Fingerprint {
    Fingerprint { hash: Hash::Sha256, digest: vec![byte; 32] }
}

fn answered(offer: &str) -> Result<(SocketAddr, String), OfferError> {
    let mut agreed = agree(offer.as_bytes())?;
    agreed.secure([0; 30]);
    agreed.certify(&fingerprint(1), None);
    Ok((agreed.remote, agreed.answer(SocketAddr::from(([192, 0, 2, 1], 20_000)), 7, 2)))
}

/// The m-lines, each with its attributes.
fn sections(description: &str) -> Vec<Vec<&str>> {
    let mut sections = Vec::<Vec<&str>>::new();
    for line in description.lines() {
        match sections.last_mut() {
            _ if line.starts_with("m=") => sections.push(vec![line]),
            Some(section) => section.push(line),
            None => {}
        }
    }
    sections
}

/// What RFC 3264 §6 wants of every answer.
fn judge(what: &str, offer: &str, answer: &str) {
    let (offered, answered) = (sections(offer), sections(answer));
    assert_eq!(offered.len(), answered.len(), "{what}: one m-line for each: {answer}");
    let of_session = offer.split("m=").next().unwrap_or_default();
    let is_direction = |line: &&str| direction(line).is_some();
    for (theirs, ours) in offered.iter().zip(&answered) {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let (asked, told) = (words(theirs[0]), words(ours[0]));
        assert_eq!((&asked[0], &asked[2]), (&told[0], &told[2]), "{what}: of the same kind and protocol: {answer}");
        if told[1] == "0" {
            continue;
        }
        assert_ne!(asked[1], "0", "{what}: what was taken away stays so");
        assert!(
            told[3..].iter().all(|number| asked[3..].contains(number)),
            "{what}: numbers that were offered: {answer}"
        );
        for number in &told[3..] {
            let mapped = ours.iter().filter(|line| line.starts_with(&format!("a=rtpmap:{number} "))).count();
            assert_eq!(mapped, 1, "{what}: each is explained once: {answer}");
        }
        let said = theirs.iter().copied().find(is_direction).or_else(|| of_session.lines().find(is_direction));
        let own = ours.iter().copied().filter(is_direction).collect::<Vec<_>>();
        let allowed: &[&str] = match said.unwrap_or("a=sendrecv") {
            "a=sendonly" => &["a=recvonly", "a=inactive"],
            "a=recvonly" => &["a=sendonly", "a=inactive"],
            "a=inactive" => &["a=inactive"],
            _ => &["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"],
        };
        assert!(own.len() == 1 && allowed.contains(&own[0]), "{what}: {own:?} to {said:?}");
    }
}

// product: P11; RFC 3264 §5 to §8, RFC 8866 §5.7, §5.14, §6.6; RFC 4568 §5.1, RFC 5763 §5
#[test]
fn offers_are_answered_as_the_rfc_has_it() {
    let cases = [&CODECS[..], &HOLDS, &LINES, &ADDRESSES, &KEYS].into_iter().flatten();
    for Case { what, session, media, answer: expected } in cases {
        let offer = format!("v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\n{session}\nt=0 0\n{media}\n");
        let offer = offer.replace("THEIRS", &fingerprint(7).to_string()).replace("KEY", KEY).replace('\n', "\r\n");
        let seen = answered(&offer);
        if let Ok((_, answer)) = &seen {
            assert!(
                answer.starts_with("v=0\r\no=huitong 7 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n")
            );
            judge(what, &offer, answer);
            assert!(agree(answer.as_bytes()).is_ok(), "{what}: who asked can read it: {answer}");
        }
        let seen = seen.map(|(remote, answer)| {
            let lines = sections(&answer).concat();
            let lines = lines.into_iter().filter(|line| !["a=ptime:20", "a=maxptime:20"].contains(line));
            let text = lines.fold(remote.to_string(), |text, line| format!("{text}\n{line}"));
            text.replace(&"A".repeat(40), "OURS").replace(&fingerprint(1).to_string(), "OURS")
        });
        assert_eq!(seen.as_deref().map_err(|error| *error), *expected, "{what}");
    }
}

// RFC 3264 §6.1, §7: who answers with several codecs sends the first of them
#[test]
fn of_several_codecs_answered_the_first_is_taken_and_the_others_may_come() {
    let check = |formats: &str, codec, number, event, others: &[u8], second| {
        let maps = "a=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/48000\r\na=rtpmap:101 telephone-event/8000";
        let answer = format!("v=0\r\ns=-\r\n{V4}\r\nt=0 0\r\nm=audio 4000 RTP/AVP {formats}\r\n{maps}\r\n");
        let agreed = agree(answer.as_bytes()).and_then(|agreed| agreed.answering(Protection::None)).unwrap();
        assert_eq!((agreed.codec, agreed.payload_type, agreed.telephone_event), (codec, number, event), "{formats}");
        let numbers: Vec<u8> = agreed.others.iter().map(|other| other.payload_type).collect();
        assert_eq!((numbers.as_slice(), agreed.second_event), (others, second), "{formats}");
    };
    check("0 8 101", Codec::Pcmu, 0, Some(101), &[8], None);
    check("8 0 96 97 101", Codec::Pcma, 8, Some(101), &[0, 96], Some(97));
    check("96 97 101 8", Codec::Opus, 96, Some(97), &[8], Some(101));
    check("18 9 8", Codec::G722, 9, None, &[8], None);
    check("0 97", Codec::Pcmu, 0, None, &[], None);
}

// reliability: A1, A10
#[test]
fn an_offer_with_more_m_lines_than_anybody_has_is_refused() {
    let with = |others: usize| {
        let others = "m=video 5000 RTP/AVP 96\r\n".repeat(others);
        agree(format!("v=0\r\ns=-\r\n{V4}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n{others}").as_bytes()).map(drop)
    };
    assert_eq!((with(31), with(32)), (Ok(()), Err(OfferError::Malformed)));
}
