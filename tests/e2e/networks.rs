//! Networks that are not as most are: no UDP, no IPv4.

use std::{
    net::{Ipv6Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::json;
use sfu::load::{LoadClient, LoadEvent, LoadIdentity};
use tests::{Baresip, Browser, Client, Codec, Colour, Server, User, free_everywhere};

const HOST: f32 = 700.0;
const GUEST: f32 = 1_100.0;
const OTHER_HOST: f32 = 1_500.0;
const OTHER_GUEST: f32 = 1_900.0;
const PHONE: f32 = 900.0;

/// Louder than this a tone is heard.
const HEARD: f32 = 0.03;

/// The page's connections, as `window.connections`.
pub(crate) const KEEP: &str = "const set = RTCPeerConnection.prototype.setRemoteDescription;
window.connections = [];
RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    window.connections.push(this);
    return set.call(this, description);
};";

/// The same, and the page gets to know of no way but TCP, as where UDP is blocked no other leads anywhere.
const NO_UDP: &str = "const set = RTCPeerConnection.prototype.setRemoteDescription;
window.connections = [];
RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    window.connections.push(this);
    const leads = line => !line.startsWith('a=candidate:') || / tcp /i.test(line);
    return set.call(this, { type, sdp: sdp.split('\\r\\n').filter(leads).join('\\r\\n') });
};";

/// By what most of each connection's bytes go in half a second: browsers keep several ways open, and use one.
const WAYS: &str = "(async () => {
    const bytes = async connection => {
        const all = [...(await connection.getStats()).values()];
        const sums = { udp: 0, tcp: 0 };
        for (const pair of all.filter(({ type }) => type === 'candidate-pair')) {
            const { protocol } = all.find(({ id }) => id === pair.remoteCandidateId);
            sums[protocol] += pair.bytesSent + pair.bytesReceived;
        }
        return sums;
    };
    const before = await Promise.all(window.connections.map(bytes));
    await new Promise(resolve => setTimeout(resolve, 500));
    const after = await Promise.all(window.connections.map(bytes));
    return after.map(({ udp, tcp }, at) => (udp - before[at].udp > tcp - before[at].tcp ? 'udp' : 'tcp'));
})()";

/// Waits until all of the page goes so: the first way that leads somewhere is not always the one that is used.
fn goes_by(page: &mut Browser, ways: [&str; 2]) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let found = page.evaluate(WAYS)?;
        if found == json!(ways) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{found}, not {ways:?}");
        }
    }
}

// RFC 6544, RFC 4571, product: J8
#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_udp_is_heard_and_seen_and_who_has_ipv6_alone_gets_through() -> Result<()> {
    let port = free_everywhere()?;
    let everywhere = format!("0.0.0.0:{port}");
    let environment =
        [("HUITONG_MEDIA__WEBRTC", everywhere.as_str()), ("HUITONG_MEDIA__ANNOUNCED", "[\"127.0.0.1\", \"::1\"]")];
    let server = Server::start_with(&environment)?;
    let (web, number, password) = (server.web, server.meeting.clone(), server.password.clone());
    tokio::task::spawn_blocking(move || -> Result<()> {
        let mut host = Browser::start(HOST, Colour::Red)?;
        host.before_each_page(NO_UDP)?;
        host.join(web, &number, "韩梅梅", &password)?;
        let mut guest = Browser::start(GUEST, Colour::Green)?;
        guest.before_each_page(KEEP)?;
        guest.join(web, &number, "李雷", &password)?;
        host.see_colour("[data-testid=tile][data-name=李雷] video", Colour::Green)?;
        guest.see_colour("[data-testid=tile][data-name=韩梅梅] video", Colour::Red)?;
        host.wait_to_hear(GUEST)?;
        guest.wait_to_hear(HOST)?;
        goes_by(&mut host, ["tcp", "tcp"])?;
        goes_by(&mut guest, ["udp", "udp"])?;
        Ok(())
    })
    .await??;
    let join = json!({"type": "join", "name": "Ada King", "password": server.password});
    let mut client = Client::join(server.web, &server.meeting, join, None).await?;
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?;
    let (own, start) = (socket.local_addr()?, Instant::now());
    let (mut media, offer) = LoadClient::publisher(&LoadIdentity::generate()?, own, 1, start)?;
    client.send(&json!({"type": "publish", "id": 1, "sdp": offer})).await?;
    let answer = client.next(|message| message["id"] == 1).await?;
    let sdp = answer["sdp"].as_str().with_context(|| answer.to_string())?.to_owned();
    assert!(sdp.contains(&format!(" udp 2130706431 ::1 {port} typ host")), "{sdp}");
    media.answer(&sdp)?;
    tokio::task::spawn_blocking(move || connect(&socket, own, &mut media)).await?
}

/// Until its media can flow, by this socket alone.
fn connect(socket: &UdpSocket, own: SocketAddr, media: &mut LoadClient) -> Result<()> {
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    let (deadline, mut buffer) = (Instant::now() + Duration::from_secs(20), [0; 2_048]);
    while Instant::now() < deadline {
        let mut is_connected = false;
        let send = |to: SocketAddr, datagram: &[u8]| {
            // Where IPv4 leads this socket can't.
            let _ = socket.send_to(datagram, to);
        };
        media.drain(Instant::now(), send, |event| is_connected |= event == LoadEvent::Connected);
        if is_connected {
            return Ok(());
        }
        if let Ok((bytes, from)) = socket.recv_from(&mut buffer) {
            media.receive(from, own, &buffer[..bytes], Instant::now());
        }
        media.wake(Instant::now());
    }
    bail!("no way by IPv6")
}

/// He hears these and none of those.
fn hears(page: &mut Browser, these: &[f32], those: &[f32]) -> Result<()> {
    these.iter().try_for_each(|hz| page.wait_to_hear(*hz))?;
    let heard = page.hear(2)?;
    let across: Vec<_> = those.iter().map(|hz| heard.tone(*hz, 2.0)).collect();
    anyhow::ensure!(across.iter().all(|level| *level < HEARD / 3.0), "{those:?} are heard across: {across:?}");
    Ok(())
}

// Each meeting's media is on a thread of its own, and a telephone comes to its meeting's from another.
#[tokio::test(flavor = "multi_thread")]
async fn two_meetings_on_two_media_threads_hear_and_see_themselves_alone() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_MEDIA__WORKERS", "2")])?;
    let user = User::login(&server, "concurrent").await?;
    let booked = user.post("/meetings", json!({"title": "即时"})).await?;
    let number = booked.body["number"].as_str().with_context(|| booked.body.to_string())?.to_owned();
    tokio::task::spawn_blocking(move || -> Result<()> {
        let password = &server.password;
        let join = |hz, colour, number: &str, name: &str, password: &str| -> Result<Browser> {
            let mut page = Browser::start(hz, colour)?;
            page.join(server.web, number, name, password)?;
            Ok(page)
        };
        let mut host = join(HOST, Colour::Red, &server.meeting, "韩梅梅", password)?;
        let mut other_host = join(OTHER_HOST, Colour::Blue, &number, "林涛", "")?;
        let mut guest = join(GUEST, Colour::Green, &server.meeting, "李雷", password)?;
        let mut other_guest = join(OTHER_GUEST, Colour::Green, &number, "吴敏", "")?;
        // Both threads have three each: his leg is opened on the first, and goes to the second.
        let mut phone = Baresip::start("13812345678", Codec::Opus, PHONE)?;
        phone.dial(&number, server.sip, "udp")?;
        phone.press("2")?;
        phone.wait_to_hear(OTHER_HOST, Duration::from_secs(40))?;
        phone.wait_to_hear(OTHER_GUEST, Duration::from_secs(40))?;
        let heard = phone.listen(2.0)?;
        let across = [HOST, GUEST].map(|hz| heard.tone(hz, 2.0));
        assert!(across.iter().all(|level| *level < HEARD / 3.0), "{across:?}");
        hears(&mut host, &[GUEST], &[OTHER_HOST, OTHER_GUEST, PHONE])?;
        hears(&mut guest, &[HOST], &[OTHER_HOST, OTHER_GUEST, PHONE])?;
        hears(&mut other_host, &[OTHER_GUEST, PHONE], &[HOST, GUEST])?;
        hears(&mut other_guest, &[OTHER_HOST, PHONE], &[HOST, GUEST])?;
        host.see_colour("[data-testid=tile][data-name=李雷] video", Colour::Green)?;
        guest.see_colour("[data-testid=tile][data-name=韩梅梅] video", Colour::Red)?;
        other_host.see_colour("[data-testid=tile][data-name=吴敏] video", Colour::Green)?;
        other_guest.see_colour("[data-testid=tile][data-name=林涛] video", Colour::Blue)?;
        Ok(())
    })
    .await?
}
