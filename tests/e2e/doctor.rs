//! `huitong doctor` in front of a network that spoils one thing at a time: each has words of its own.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::Result;
use tests::{Server, free_everywhere};

use crate::dial_out::overloaded;

/// What a network does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoils {
    Nothing,
    /// What is offered.
    Codec,
    /// Sound of the caller's.
    Ours,
    /// Sound of the server's.
    Theirs,
    /// Keys among the caller's sound.
    Keys,
}

/// Where a description wants sound: the text around the port, and the port.
fn sound_port(text: &str) -> Option<(usize, u16)> {
    let at = text.find("m=audio ")? + "m=audio ".len();
    Some((at, text[at..].split(' ').next()?.parse().ok()?))
}

/// Stands between a caller on this machine and the server, in signalling and in sound.
fn between(server: &Server, spoils: Spoils) -> Result<SocketAddr> {
    let (signalling, sound) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    let (address, own_port) = (signalling.local_addr()?, sound.local_addr()?.port());
    let sip = server.sip;
    // Of the caller and of the server.
    let ends = Arc::new(Mutex::new([0_u16; 2]));
    let known = Arc::clone(&ends);
    thread::spawn(move || {
        let (mut buffer, mut caller) = ([0; 8_192], None);
        while let Ok((len, from)) = signalling.recv_from(&mut buffer) {
            let mut text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            let side = usize::from(from == sip);
            if side == 0 {
                caller = Some(from);
            }
            if let Some((at, port)) = sound_port(&text) {
                known.lock().unwrap_or_else(PoisonError::into_inner)[side] = port;
                // As long as before, so that its length is too.
                text.replace_range(at..at + port.to_string().len(), &own_port.to_string());
                if spoils == Spoils::Codec {
                    text = text.replace("RTP/AVP 8 ", "RTP/AVP 3 ");
                }
            }
            let to = if side == 0 { Some(sip) } else { caller };
            if let Some(to) = to
                && signalling.send_to(text.as_bytes(), to).is_err()
            {
                return;
            }
        }
    });
    thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while let Ok((len, from)) = sound.recv_from(&mut buffer) {
            let [caller, server] = *ends.lock().unwrap_or_else(PoisonError::into_inner);
            let is_servers = from.port() == server;
            let is_key = buffer[1] & 0x7f == 101;
            let is_lost = match spoils {
                Spoils::Nothing | Spoils::Codec => false,
                Spoils::Ours => !is_servers,
                Spoils::Theirs => is_servers,
                Spoils::Keys => is_key,
            };
            if !is_lost {
                // Whoever is gone hears nothing.
                let _ = sound.send_to(&buffer[..len], ("127.0.0.1", if is_servers { caller } else { server }));
            }
        }
    });
    Ok(address)
}

// product: P11; issue: the doctor says in words what is wrong.
#[test]
fn the_doctor_tells_one_way_sound_codecs_and_keys_apart() -> Result<()> {
    let server = Server::start()?;
    let says = |spoils| -> Result<(bool, String)> {
        let sip = format!("[\"{}\"]", between(&server, spoils)?);
        let output = server.command_with(&["doctor"], &[("HUITONG_SIP__UDP", &sip)])?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let (is_well, said) = says(Spoils::Nothing)?;
    assert!(is_well && said.contains("keys and voice get through"), "{said}");
    for (spoils, words) in [
        (Spoils::Codec, "the codecs don't fit"),
        (Spoils::Ours, "the sound is one-way: we hear the server, and it reports nothing of ours"),
        (Spoils::Theirs, "no sound comes from"),
        (Spoils::Keys, "the keys we press are not understood"),
    ] {
        let (is_well, said) = says(spoils)?;
        assert!(!is_well && said.contains(words), "{spoils:?}: {said}");
        assert_eq!(said.matches("NOT WELL").count(), 1, "{spoils:?}: {said}");
    }
    Ok(())
}

// product: P7; trap: private address in SDP
#[test]
fn the_doctor_looks_at_carriers_with_and_without_the_servers_metrics() -> Result<()> {
    let carrier = overloaded(false)?;
    let silent = UdpSocket::bind("127.0.0.1:0")?;
    let trunk = |name: &str, address: &str| format!(r#"{{name="{name}",address="{address}",caller="1"}}"#);
    let trunks = format!(
        "[{},{},{}]",
        trunk("good", &carrier.to_string()),
        trunk("mute", &silent.local_addr()?.to_string()),
        trunk("far", "203.0.113.7")
    );
    let server =
        Server::start_with(&[("HUITONG_SIP__TRUNKS", &trunks), ("HUITONG_MEDIA__ANNOUNCED", "[\"10.0.0.5\"]")])?;
    server.wait_for_log("trunk is up")?;
    let outside = "far is outside, at 203.0.113.7, and is told 10.0.0.5 to send sound to, which is private";
    let nobody = format!("mute is down: nobody answers at {} over UDP", silent.local_addr()?);
    let said = |more: &[(&str, &str)]| -> Result<String> {
        Ok(String::from_utf8_lossy(&server.command_with(&["doctor"], more)?.stdout).into_owned())
    };
    let with = said(&[])?;
    for words in ["good is up", outside, "keys and voice get through"] {
        assert!(with.contains(words), "{words}: {with}");
    }
    let closed = format!("127.0.0.1:{}", free_everywhere()?);
    let without = said(&[("HUITONG_METRICS__BIND", &closed)])?;
    let answers = format!("good answers at {carrier}");
    for words in ["metrics        NOT WELL", answers.as_str(), nobody.as_str(), outside, "keys and voice get through"] {
        assert!(without.contains(words), "{words}: {without}");
    }
    Ok(())
}
