use proptest::prelude::*;

use super::*;

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0 8 111 101 102\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=rtpmap:102 telephone-event/48000\r\nm=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n";

// product: P6
#[test]
fn the_best_codec_of_ours_is_chosen() {
    let check = |offer: &str, codec, number, event| {
        let agreed = agree(offer.as_bytes()).unwrap();
        assert_eq!((agreed.codec, agreed.payload_type, agreed.telephone_event), (codec, number, event));
    };
    check(OFFER, Codec::Opus, 111, Some(102));
    check(&OFFER.replace(" 111", ""), Codec::Pcma, 8, Some(101));
    check(&OFFER.replace(" 8 111 101 102", ""), Codec::Pcmu, 0, None);
    check(&OFFER.replace("0 8 111", "9"), Codec::G722, 9, Some(101));
    check(&OFFER.replace(" 102", ""), Codec::Opus, 111, Some(101));
}

#[test]
fn the_answer_refuses_other_media() {
    let answer = agree(OFFER.as_bytes()).unwrap().answer("192.0.2.1:20000".parse().unwrap(), 7, 1);
    assert!(answer.contains("m=audio 20000 RTP/AVP 111 102\r\n") && answer.contains("m=video 0 RTP/AVP 96\r\n"));
    assert!(answer.contains("a=sendrecv") && answer.contains("a=rtpmap:102 telephone-event/48000"));
    let eight = agree(OFFER.replace(" 102", "").as_bytes()).unwrap().answer("192.0.2.1:1".parse().unwrap(), 7, 1);
    assert!(eight.contains("a=rtpmap:101 telephone-event/8000"), "as it was offered: {eight}");
}

// RFC 3389 §5, product: P10
#[test]
fn comfort_noise_is_answered_where_it_is_offered_and_fits() {
    let offer = OFFER.replace("0 8 111", "0 8 13 111");
    let opus = agree(offer.as_bytes()).unwrap();
    assert_eq!((opus.codec, opus.comfort_noise), (Codec::Opus, None));
    let pcma = agree(offer.replace(" 111", "").as_bytes()).unwrap();
    assert_eq!((pcma.codec, pcma.comfort_noise), (Codec::Pcma, Some(13)));
    let answer = pcma.answer("192.0.2.1:20000".parse().unwrap(), 7, 1);
    assert!(answer.contains("m=audio 20000 RTP/AVP 8 13 101\r\n") && answer.contains("a=rtpmap:13 CN/8000\r\n"));
    assert_eq!(agree(OFFER.replace(" 111", "").as_bytes()).unwrap().comfort_noise, None);
}

const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

// RFC 4568 §5.1.2, product: P7
#[test]
fn the_safest_cipher_offered_is_answered_with_a_key_of_our_own() {
    let lines = format!(
        "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}\r\na=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20\r\nm=video"
    );
    let offer = OFFER.replace("RTP/AVP 0", "RTP/SAVP 0").replace("m=video", &lines);
    let mut agreed = agree(offer.as_bytes()).unwrap();
    let crypto = agreed.crypto.clone().unwrap();
    assert_eq!((crypto.suite, crypto.theirs[0]), (Suite::AesCm128HmacSha1Tag80, b'w'));
    assert!(!format!("{agreed:?}").contains("theirs"), "keys don't print");
    agreed.secure([0; 30]);
    let answer = agreed.answer("192.0.2.1:20000".parse().unwrap(), 7, 1);
    assert!(answer.contains("m=audio 20000 RTP/SAVP 111"), "{answer}");
    assert!(answer.contains(&format!("a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{}\r\n", "A".repeat(40))), "{answer}");
    let plain = agree(OFFER.as_bytes()).unwrap();
    assert_eq!(plain.crypto, None);
}

// RFC 4568 §6.1: whose key has an identifier says so in each packet, and is sent the same
#[test]
fn a_key_with_an_identifier_is_answered_with_one_of_the_same_identifier() {
    for (said, value, bytes) in [("|2^20|1:4", 1, 4), ("|1:1", 1, 1), ("|2^31|65535:2", 65_535, 2), ("|7:128", 7, 128)]
    {
        let line = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{said}\r\nm=video");
        let offer = OFFER.replace("RTP/AVP 0", "RTP/SAVP 0").replace("m=video", &line);
        let mut agreed = agree(offer.as_bytes()).unwrap();
        agreed.secure([0; 30]);
        let crypto = agreed.crypto.clone().unwrap();
        let mki = Some(Mki { value, bytes });
        assert_eq!((crypto.their_mki, crypto.our_mki), (mki, mki), "{said}");
        let answer = agreed.answer("192.0.2.1:20000".parse().unwrap(), 7, 1);
        let expected = format!("inline:{}|2^31|{value}:{bytes}\r\n", "A".repeat(40));
        assert!(answer.contains(&expected), "{answer}");
        // As an answer to our offer: ours stays as it was offered.
        let answered = agree(answer.as_bytes()).unwrap().answering(Protection::Sdes(&[5; 30])).unwrap();
        let crypto = answered.crypto.unwrap();
        assert_eq!((crypto.their_mki, crypto.our_mki), (mki, None), "{said}");
    }
}

// RFC 8643 §4, RFC 5761 §5.1.1
#[test]
fn a_key_offered_on_trust_is_taken_and_so_is_rtcp_by_the_same_port() {
    let lines = format!("a=rtcp-mux\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\nm=video");
    for protocol in ["RTP/AVP", "RTP/AVPF"] {
        let offer = OFFER.replace("RTP/AVP 0", &format!("{protocol} 0")).replace("m=video", &lines);
        let mut agreed = agree(offer.as_bytes()).unwrap();
        agreed.secure([0; 30]);
        let answer = agreed.answer("192.0.2.1:20000".parse().unwrap(), 7, 1);
        assert!(answer.contains(&format!("m=audio 20000 {protocol} 111")), "{answer}");
        assert!(answer.contains("a=crypto:1 ") && answer.contains("a=rtcp-mux\r\n"), "{answer}");
    }
    assert!(!agree(OFFER.as_bytes()).unwrap().answer("192.0.2.1:1".parse().unwrap(), 7, 1).contains("rtcp-mux"));
}

fn fingerprint(byte: u8) -> Fingerprint {
    Fingerprint { hash: Hash::Sha256, digest: vec![byte; 32] }
}

fn dtls_offer(protocol: &str, lines: &str) -> String {
    OFFER.replace("RTP/AVP 0", &format!("{protocol} 0")).replace("m=video", &format!("{lines}\r\nm=video"))
}

// RFC 5763 §5, product: P7
#[test]
fn a_handshake_is_answered_with_our_certificate_and_who_begins() {
    let check = |protocol: &str, setup: &str, was_active: Option<bool>, expected: &str| {
        let offer = dtls_offer(protocol, &format!("a=fingerprint:{}\r\n{setup}", fingerprint(7)));
        let mut agreed = agree(offer.as_bytes()).unwrap();
        agreed.certify(&fingerprint(1), was_active);
        assert_eq!(agreed.dtls.as_ref().unwrap().theirs, [fingerprint(7)]);
        let answer = agreed.answer("192.0.2.1:20000".parse().unwrap(), 7, 1);
        assert!(answer.contains(&format!("m=audio 20000 {protocol} 111")), "{answer}");
        let ours = format!("a=setup:{expected}\r\na=fingerprint:{}\r\n", fingerprint(1));
        assert!(answer.contains(&ours), "{setup}: {answer}");
        assert!(!answer.contains("a=tls-id"));
    };
    for protocol in ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "RTP/SAVPF", "RTP/AVP"] {
        check(protocol, "a=setup:actpass", None, "passive");
        check(protocol, "a=setup:active", None, "passive");
        check(protocol, "a=setup:passive", None, "active");
        check(protocol, "a=ptime:20", None, "passive");
    }
    // RFC 8842 §5.5: he leaves it to us, and it stays as it is.
    check("UDP/TLS/RTP/SAVP", "a=setup:actpass", Some(true), "active");
    check("UDP/TLS/RTP/SAVP", "a=setup:passive", Some(false), "active");
}

// RFC 8122 §5, RFC 5763 §5: refused without a certificate that can be believed
#[test]
fn a_handshake_without_a_certificate_that_can_be_believed_is_refused() {
    let check = |lines: &str| {
        let offer = dtls_offer("UDP/TLS/RTP/SAVP", lines);
        assert_eq!(agree(offer.as_bytes()), Err(OfferError::NotAcceptable), "{lines}");
    };
    check("a=setup:actpass");
    check(&format!("a=setup:actpass\r\na=fingerprint:md5 {}", ["4A"; 16].join(":")));
    check("a=setup:actpass\r\na=fingerprint:sha-256 4A:4B");
    check(&format!("a=setup:holdconn\r\na=fingerprint:{}", fingerprint(7)));
    // A key means nothing there.
    check(&format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"));
}

// RFC 8122 §5: of several hashes the strongest; RFC 8866 §5.13: of the session where the m-line says nothing
#[test]
fn the_strongest_fingerprint_counts_and_the_sessions_holds_for_all() {
    let weak = Fingerprint { hash: Hash::Sha1, digest: vec![1; 20] };
    let lines = format!("a=fingerprint:{weak}\r\na=fingerprint:{}\r\na=fingerprint:{}", fingerprint(2), fingerprint(3));
    let agreed = agree(dtls_offer("UDP/TLS/RTP/SAVP", &lines).as_bytes()).unwrap();
    assert_eq!(agreed.dtls.unwrap().theirs, [fingerprint(2), fingerprint(3)]);
    let of_session = format!("t=0 0\r\na=setup:passive\r\na=fingerprint:{}\r\n", fingerprint(4));
    let offer = dtls_offer("UDP/TLS/RTP/SAVP", "a=tls-id:abcdefghijklmnopqrst").replace("t=0 0\r\n", &of_session);
    let mut agreed = agree(offer.as_bytes()).unwrap();
    agreed.certify(&fingerprint(1), None);
    let dtls = agreed.dtls.clone().unwrap();
    assert_eq!((dtls.theirs, dtls.active), (vec![fingerprint(4)], true));
    assert_eq!(dtls.tls_id.as_deref(), Some("abcdefghijklmnopqrst"));
    let id = |agreed: &Agreed| {
        let answer = agreed.answer("192.0.2.1:20000".parse().unwrap(), 7, 1);
        answer.lines().find_map(|line| line.strip_prefix("a=tls-id:").map(str::to_owned)).unwrap()
    };
    assert!(id(&agreed).len() >= 20 && id(&agreed) == id(&agreed));
    let mut other = agree(offer.replace("abcdef", "ABCDEF").as_bytes()).unwrap();
    other.certify(&fingerprint(1), None);
    assert_ne!(id(&agreed), id(&other), "another association has another name");
}

// RFC 3264 §6.1, product: P7
#[test]
fn an_offer_of_ours_is_answered_as_it_was_made_or_not_at_all() {
    let (local, ours, key) = ("192.0.2.1:20000".parse().unwrap(), fingerprint(1), [5; 30]);
    let plain = offer(local, 7, Protection::None);
    let sdes = offer(local, 7, Protection::Sdes(&key));
    let dtls = offer(local, 7, Protection::Dtls(&ours));
    assert!(plain.contains(" RTP/AVP 96") && !plain.contains("a=crypto") && !plain.contains("a=fingerprint"));
    assert!(sdes.contains(" RTP/SAVP 96") && sdes.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"));
    assert!(dtls.contains(" UDP/TLS/RTP/SAVP 96") && dtls.contains("a=setup:actpass") && dtls.contains("a=rtcp-mux"));
    // Each is an offer that we would answer ourselves.
    let answer = |offer: &str| {
        let mut agreed = agree(offer.as_bytes()).unwrap();
        agreed.secure([9; 30]);
        agreed.certify(&fingerprint(9), None);
        agree(agreed.answer("192.0.2.9:30000".parse().unwrap(), 8, 1).as_bytes()).unwrap()
    };
    let offers = [Protection::None, Protection::Sdes(&key), Protection::Dtls(&ours)];
    for (index, text) in [plain, sdes, dtls].iter().enumerate() {
        for (other, offered) in offers.into_iter().enumerate() {
            let agreed = answer(text).answering(offered);
            let expected = index == other || offered == Protection::None;
            assert_eq!(agreed.is_ok(), expected, "{text}");
            let Ok(agreed) = agreed else { continue };
            assert_eq!(agreed.crypto.is_some(), matches!(offered, Protection::Sdes(_)));
            // The other side waits, so we begin.
            assert_eq!(agreed.dtls.map(|dtls| dtls.active), matches!(offered, Protection::Dtls(_)).then_some(true));
        }
    }
}

// RFC 3605 §2.1
#[test]
fn another_port_of_rtcp_is_read() {
    let check = |line: &str, expected: Option<&str>| {
        let offer = OFFER.replace("m=video", &format!("{line}\r\nm=video"));
        assert_eq!(agree(offer.as_bytes()).unwrap().rtcp, expected.map(|to| to.parse().unwrap()), "{line}");
    };
    check("a=rtcp:53020", Some("10.0.0.1:53020"));
    check("a=rtcp:53020 IN IP4 126.16.64.4", Some("126.16.64.4:53020"));
    check("a=rtcp:x", None);
}

// RFC 4568 §7.1.2
#[test]
fn a_cipher_we_do_not_know_is_no_cipher() {
    let check = |line: &str| {
        let offer = OFFER.replace("RTP/AVP 0", "RTP/SAVP 0").replace("m=video", &format!("{line}\r\nm=video"));
        assert_eq!(agree(offer.as_bytes()), Err(OfferError::NotAcceptable), "{line}");
    };
    check(&format!("a=crypto:1 F8_128_HMAC_SHA1_80 inline:{KEY}"));
    // Several keys, of which the packets name one; an identifier that is none.
    check(&format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4;inline:{KEY}|2^20|2:4"));
    for mki in ["256:1", "1:0", "1:129", "x:1", "1:", "1:1|2:1", "-1:4"] {
        check(&format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31|{mki}"));
    }
    check(&format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"));
    check("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2hvcnQ=");
    check("a=crypto:");
}

#[test]
fn what_cannot_be_answered_is_said() {
    let check = |offer: &str, error| assert_eq!(agree(offer.as_bytes()), Err(error), "{offer}");
    check("hello", OfferError::Malformed);
    check("v=0\r\n", OfferError::NotAcceptable);
    check(&OFFER.replace("0 8 111 101 102", "18"), OfferError::NotAcceptable);
    check(&OFFER.replace("RTP/AVP 0", "RTP/SAVP 0"), OfferError::NotAcceptable);
    check(&OFFER.replace("c=IN IP4 10.0.0.1", "c=IN IP4 224.0.0.1"), OfferError::NotAcceptable);
    check(&OFFER.replace("audio 4000", "audio 400000"), OfferError::Malformed);
}

proptest! {
    #[test]
    fn anything_may_come(cut in 0..OFFER.len(), at in 0..OFFER.len(), byte in any::<u8>()) {
        let mut bytes = OFFER.as_bytes()[..cut].to_vec();
        if let Some(changed) = bytes.get_mut(at) {
            *changed = byte;
        }
        let _ = agree(&bytes);
    }
}
