//! Who pushes connects to the addresses it is given and looks no name up; the target is told its name (A14).
#![allow(clippy::unwrap_used, reason = "a test that fails says so")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, UdpSocket},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command},
    time::Duration,
};

use bytes::Bytes;
use model::PushUrl;
use streaming::wire::{AccessUnit, Format, FromPusher, FromStudio, ToPusher, Track, read_frame};

/// Of x264, baseline of 64 x 64.
const AVCC: &[u8] =
    b"\x01\x42\xc0\x0a\xff\xe1\x00\x16\x67\x42\xc0\x0a\xda\x11\x13\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x03\x20\xf1\x22\x6a\x01\x00\x04\x68\xce\x0f\xc8";

const WAIT: Duration = Duration::from_secs(20);

/// A pusher that was told where to, and has its first picture and sound.
fn push(url: &str, address: SocketAddr) -> (Child, UnixStream) {
    let (mut own, its) = UnixStream::pair().unwrap();
    let mut studio = Command::new(env!("CARGO_BIN_EXE_huitong-studio"));
    let child = studio.arg("--push").stdin(OwnedFd::from(its)).spawn().unwrap();
    let mut said = Vec::new();
    ToPusher::write_target(&PushUrl::new(url), &[address], &mut said);
    let video = Format::Video { width: 64, height: 64, avcc: Bytes::from_static(AVCC) };
    let audio = Format::Audio { rate: 48_000, channels: 1, config: Bytes::from_static(&[0x11, 0x88]) };
    FromStudio::Format(Track::Video, video).write(&mut said);
    FromStudio::Format(Track::Audio, audio).write(&mut said);
    for number in 0..20 {
        let pts = Duration::from_millis(40 * number);
        let data = Bytes::from_static(&[0, 0, 0, 2, 0x65, 0x88]);
        FromStudio::Unit(AccessUnit { track: Track::Video, pts, keyframe: number == 0, data }).write(&mut said);
        let data = Bytes::from_static(&[0x01, 0x18, 0x20, 0x07]);
        FromStudio::Unit(AccessUnit { track: Track::Audio, pts, keyframe: true, data }).write(&mut said);
    }
    own.set_read_timeout(Some(WAIT)).unwrap();
    own.write_all(&said).unwrap();
    (child, own)
}

fn last_word(mut own: UnixStream) -> FromPusher {
    FromPusher::read(read_frame(&mut own).unwrap().expect("a last word")).unwrap()
}

// product: B3; reliability.md A14
#[test]
fn rtmp_goes_to_the_address_that_was_judged_and_names_the_host() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut pusher, own) = push("rtmp://live.invalid:1936/app/s3cret", listener.local_addr().unwrap());
    let (mut socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    let mut greeting = [0; 1537];
    socket.read_exact(&mut greeting).unwrap();
    // S0 to S2, the last of which is C1 again.
    socket.write_all(&[&greeting[..], &greeting[1..]].concat()).unwrap();
    socket.read_exact(&mut greeting[1..]).unwrap();
    let mut connect = Vec::new();
    let mut piece = [0; 512];
    while !connect.windows(6).any(|window| window == b"\0\0\x09\0\0\x09") && !connect.ends_with(b"\0\0\x09") {
        let count = socket.read(&mut piece).unwrap();
        assert!(count > 0, "it is gone after {}", String::from_utf8_lossy(&connect));
        connect.extend(&piece[..count]);
    }
    let payload: Vec<u8> =
        connect[12..].chunks(129).flat_map(|chunk| &chunk[..chunk.len().min(128)]).copied().collect();
    let text = String::from_utf8_lossy(&payload);
    assert!(text.contains("rtmp://live.invalid:1936/app") && !text.contains("127.0.0.1"), "{text:?}");
    // It heard what is wanted, and hangs up: that is its answer.
    drop(socket);
    let FromPusher::Refused(reason) = last_word(own) else { panic!("it has said no") };
    assert!(!reason.contains("s3cret") && !reason.is_empty(), "{reason}");
    pusher.wait().unwrap();
}

// product: B3; reliability.md A14
#[test]
fn over_tls_the_name_is_asked_for_and_has_to_be_shown() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut pusher, own) = push("rtmps://live.invalid/app/s3cret", listener.local_addr().unwrap());
    let (mut socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    let mut hello = vec![0; 5];
    socket.read_exact(&mut hello).unwrap();
    let mut body = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
    socket.read_exact(&mut body).unwrap();
    assert_eq!(hello[0], 22, "a TLS handshake");
    assert!(body.windows(12).any(|window| window == b"live.invalid"), "it asks for the name");
    drop(socket);
    let FromPusher::Failed(reason) = last_word(own) else { panic!("it has not heard what is wanted") };
    assert!(reason.contains("TLS"), "{reason}");
    pusher.wait().unwrap();
}

// product: B3; reliability.md A14
#[test]
fn srt_calls_the_address_that_was_judged() {
    let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
    listener.set_read_timeout(Some(WAIT)).unwrap();
    let (mut pusher, own) = push("srt://live.invalid:9?streamid=key", listener.local_addr().unwrap());
    let mut packet = [0; 1_500];
    let (count, _) = listener.recv_from(&mut packet).expect("somebody calls");
    // A control packet of type 0: the handshake's induction (draft-sharabayko-srt §3.2.1).
    assert!(count >= 64 && packet[..4] == [0x80, 0, 0, 0], "{:?}", &packet[..count]);
    drop(own);
    pusher.kill().unwrap();
    pusher.wait().unwrap();
}
