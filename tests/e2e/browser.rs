//! Browsers among themselves and with a caller.

use std::{process::Command, time::Instant};

use anyhow::Result;
use tests::{Baresip, Browser, Codec, Colour, Coturn, Heard, Server, by_id};

/// What stands for a heard tone and for none: tones are sent at 0.2.
const LOUD: f32 = 0.05;
const SILENT: f32 = 0.01;

const HOST: f32 = 700.0;
const GUEST: f32 = 1_100.0;
const PHONE: f32 = 1_600.0;

fn hears(who: &str, heard: &Heard, loud: &[f32], silent: &[f32]) {
    for &hz in loud {
        let tone = heard.tone(hz, 2.0);
        assert!(tone > LOUD, "{who} hears {hz} Hz at {tone}");
    }
    for &hz in silent {
        let tone = heard.tone(hz, 2.0);
        assert!(tone < SILENT, "{who} hears {hz} Hz at {tone}");
    }
}

/// Waits until the page is as near to what happens as it comes: until then it plays a little faster, and tones are softer.
fn at_its_time(viewer: &mut Browser) -> Result<()> {
    viewer.until("document.querySelector('[data-testid=watch-video]').playbackRate === 1")
}

fn tile(name: &str) -> String {
    format!("[data-testid=tile][data-name='{name}']")
}

// product: P1, P4, P5, P6, C4, C6, C7, C8, C9, J5
#[test]
fn two_browsers_and_a_caller_see_and_hear_each_other() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(HOST, Colour::Red)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let mut guest = Browser::start(GUEST, Colour::Green)?;
    guest.join(server.web, &server.meeting, "李雷", &server.password)?;
    let mut phone = Baresip::start("13812345678", Codec::Pcma, PHONE)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;

    host.see_colour(&format!("{} video", tile("李雷")), Colour::Green)?;
    guest.see_colour(&format!("{} video", tile("韩梅梅")), Colour::Red)?;
    let caller = "[data-testid=tile][data-via=phone]";
    for page in [&mut host, &mut guest] {
        page.see(&format!("{caller}[data-speaking=true]"))?;
        assert!(page.text(caller)?.contains("138****5678"), "{}", page.text(caller)?);
    }
    hears("the host", &host.hear(3)?, &[GUEST, PHONE], &[HOST]);
    hears("the guest", &guest.hear(3)?, &[HOST, PHONE], &[GUEST]);

    // The host's hand, from the page.
    let row = "[data-testid=participant-row][data-via=phone]";
    host.click_at(&format!("{row} [data-testid=row-mute]"))?;
    guest.see(&format!("{row}[data-muted=true]"))?;
    hears("the guest", &guest.hear(3)?, &[HOST], &[GUEST, PHONE]);
    host.click_at(&format!("{row} [data-testid=row-unmute]"))?;
    guest.see(&format!("{row}[data-muted=false]"))?;
    hears("the guest", &guest.hear(3)?, &[HOST, PHONE], &[GUEST]);
    hears("the phone", &phone.listen(3.0)?, &[HOST, GUEST], &[PHONE]);

    host.click("mute-all")?;
    guest.until("window.huitong.me.muted")?;
    hears("the host", &host.hear(3)?, &[], &[HOST, GUEST, PHONE]);
    hears("the phone", &phone.listen(3.0)?, &[HOST], &[GUEST, PHONE]);
    guest.click("toggle-mic")?;
    guest.until("!window.huitong.me.muted")?;
    hears("the host", &host.hear(3)?, &[GUEST], &[HOST, PHONE]);

    // A caller helps with the others, and no longer.
    for role in ["co_host", "member"] {
        host.click_at(&format!("{row} [data-testid=row-more]"))?;
        host.click("row-make-co-host")?;
        guest.see(&format!("{row}[data-role={role}]"))?;
    }
    host.click_at(&format!("{row} [data-testid=row-more]"))?;
    host.see(&by_id("row-make-host"))?;
    host.press("Escape")?;

    // His hand is lowered as any other.
    phone.press("*9")?;
    guest.see(&format!("{caller}[data-hand=true]"))?;
    host.click_at(&format!("{row} [data-testid=row-more]"))?;
    host.click("row-lower-hand")?;
    guest.see(&format!("{caller}[data-hand=false]"))?;

    host.click_at(&format!("{row} [data-testid=row-remove]"))?;
    host.click("confirm")?;
    guest.miss(row)?;
    phone.wait_for("CALL_CLOSED")?;
    // Other programs than our page send other codecs, and are seen all the same: nothing is transcoded.
    for (codec, name) in [("video/VP9", "李雷九"), ("video/AV1", "李雷一")] {
        guest.open(&format!("http://{}/j/{}", server.web, server.meeting))?;
        guest.evaluate(&sending_only(codec))?;
        guest.enter(name, &server.password)?;
        host.see_colour(&format!("{} video", tile(name)), Colour::Green)?;
        assert_eq!(guest.evaluate(SENT)?, serde_json::json!([codec]));
    }
    for page in [&mut host, &mut guest] {
        let thrown: Vec<_> = page.said()?.into_iter().filter(|line| line.starts_with("thrown")).collect();
        assert!(thrown.is_empty(), "{thrown:?}");
    }
    Ok(())
}

/// The page offers nothing else for its pictures.
fn sending_only(codec: &str) -> String {
    format!(
        "void (() => {{
           const prefer = RTCRtpTransceiver.prototype.setCodecPreferences;
           RTCRtpTransceiver.prototype.setCodecPreferences = function (codecs) {{
             const is = ({{ mimeType }}) => ['{codec}', 'video/rtx'].includes(mimeType);
             const sends = this.direction === 'sendonly' && this.receiver.track.kind === 'video';
             prefer.call(this, sends ? RTCRtpSender.getCapabilities('video').codecs.filter(is) : codecs);
           }};
           window.RTCPeerConnection = class extends RTCPeerConnection {{
             constructor(wanted) {{
               super(wanted);
               (window.peers ??= []).push(this);
             }}
           }};
         }})()"
    )
}

/// What its pictures are sent in.
const SENT: &str = "Promise.all(window.peers.map(async peer => {
    const all = [...(await peer.getStats()).values()];
    const sent = all.filter(({ type, kind, framesEncoded }) => type === 'outbound-rtp' && kind === 'video' && framesEncoded);
    return sent.map(({ codecId }) => all.find(({ id }) => id === codecId)?.mimeType);
  })).then(codecs => [...new Set(codecs.flat())])";

/// How long it took is told: B1 promises three seconds, on a machine that doesn't run the browsers too and codes in software.
#[expect(clippy::print_stdout, reason = "how well it did is told")]
fn tell(since: Instant, what: &str) {
    println!("{what} after {:.1} s", since.elapsed().as_secs_f64());
}

/// How often the host's page says that the livestream restarts: it may have gone on before anybody looks.
const NOTE_RESTARTS: &str = "(window.restarts = 0, new MutationObserver(changes => {
    const isRestarting = ({ target }) => target.matches('[data-testid=broadcast][data-state=restarting]');
    if (changes.some(isRestarting)) window.restarts += 1;
  }).observe(document.body, { attributes: true, attributeFilter: ['data-state'], subtree: true }))";

fn now_playing() -> &'static str {
    "(() => { const video = document.querySelector('[data-testid=watch-video]'); \
     return video.readyState > 2 && !video.paused && video.currentTime > 0 })()"
}

// product: B1, B3, B4
#[test]
fn a_livestream_shows_who_speaks_with_all_voices_and_outlives_its_studio() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(HOST, Colour::Red)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let mut phone = Baresip::start("13812345678", Codec::Opus, PHONE)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;
    host.see("[data-testid=tile][data-via=phone]")?;

    host.click("start-broadcast")?;
    host.see("[data-testid=broadcast][data-state=live]")?;
    let watch = host.watch_address()?;
    let mut viewer = Browser::start(GUEST, Colour::Green)?;
    let opened = Instant::now();
    viewer.open(&watch)?;
    viewer.until(now_playing())?;
    tell(opened, "the watch page plays");
    viewer.see_colour("[data-testid=watch-video]", Colour::Red)?;
    at_its_time(&mut viewer)?;
    hears("the viewer", &viewer.hear(3)?, &[HOST, PHONE], &[]);

    // Another program's opinion of what is streamed.
    let id = watch.rsplit('/').next().unwrap_or_default();
    let playlist =
        viewer.evaluate(&format!("fetch('/api/v1/broadcasts/{id}').then(r => r.json()).then(b => b.playlist)"))?;
    let playlist = format!("http://{}{}", server.web, playlist.as_str().unwrap_or_default());
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", &playlist])
        .output()?;
    let (codecs, said) = (String::from_utf8_lossy(&probe.stdout), String::from_utf8_lossy(&probe.stderr));
    assert!(codecs.contains("h264") && codecs.contains("aac") && said.is_empty(), "{codecs} {said}");

    // A fault in the studio: the call hears nothing of it, the viewers see it again.
    let before = viewer.evaluate("document.querySelector('video').currentTime")?.as_f64().unwrap_or_default();
    host.evaluate(NOTE_RESTARTS)?;
    server.fault_studio()?;
    let faulted = Instant::now();
    host.until("window.restarts === 1")?;
    host.see("[data-testid=broadcast][data-state=live]")?;
    hears("the phone", &phone.listen(3.0)?, &[HOST], &[PHONE]);
    viewer.until(&format!("document.querySelector('video').currentTime > {}", before + 8.0))?;
    tell(faulted, "8 s of picture with the studio's fault");
    // One that hangs is found out a few seconds later, and is as little heard.
    server.hang_studio()?;
    hears("the phone", &phone.listen(1.5)?, &[HOST], &[PHONE]);
    host.until("window.restarts === 2")?;
    host.see("[data-testid=broadcast][data-state=live]")?;
    viewer.see_colour("[data-testid=watch-video]", Colour::Red)?;
    at_its_time(&mut viewer)?;
    hears("the viewer", &viewer.hear(3)?, &[HOST, PHONE], &[]);

    host.click("stop-broadcast")?;
    viewer.see("[data-state=ended]")?;
    host.miss("[data-testid=broadcast]")?;
    phone.hang_up()?;
    Ok(())
}

#[test]
fn a_browser_that_gets_through_nowhere_else_comes_in_by_a_turn_server() -> Result<()> {
    let turn = Coturn::start("shared")?;
    let urls = format!(r#"["turn:{}?transport=udp"]"#, turn.address);
    let server = Server::start_with(&[("HUITONG_TURN__URLS", &urls), ("HUITONG_TURN__SECRET", "shared")])?;
    let mut phone = Baresip::start("13812345678", Codec::Pcma, PHONE)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;
    let mut page = Browser::start(GUEST, Colour::Green)?;
    page.open(&format!("http://{}/j/{}", server.web, server.meeting))?;
    // As behind a firewall that lets nothing out but to the relay.
    page.evaluate(
        "void (window.RTCPeerConnection = class extends RTCPeerConnection {
           constructor(wanted) {
             super({ ...wanted, iceTransportPolicy: 'relay' });
             (window.peers ??= []).push(this);
           }
         })",
    )?;
    page.enter("李雷", &server.password)?;
    hears("a browser behind a firewall", &page.hear(3)?, &[PHONE], &[]);
    while phone.listen(1.0)?.tone(GUEST, 1.0) < LOUD {}
    let ways = page.evaluate(
        "Promise.all(window.peers.map(async peer => {
           const all = [...(await peer.getStats()).values()];
           const pair = all.find(({ type, nominated }) => type === 'candidate-pair' && nominated);
           return all.find(({ id }) => id === pair?.localCandidateId)?.candidateType;
         }))",
    )?;
    assert_eq!(ways, serde_json::json!(["relay", "relay"]), "{}", turn.log());
    Ok(())
}
