//! Pictures of every codec that browsers send, in several sizes: ours sends VP8, other clients of the protocol others.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tests::{Browser, Colour, Server};

use crate::{
    networks::KEEP,
    quality::{FPS, LOOK, Sample, WIDTH, grown, until, watch, write_film},
};

const VIDEO: &str = "[data-testid=tile][data-name=韩梅梅] video";
const PATIENCE: Duration = Duration::from_secs(60);

/// Cb and Cr of BT.601.
const RED: [u8; 2] = [90, 240];
const BLUE: [u8; 2] = [240, 110];

/// What the host speaks.
const HOST: f32 = 700.0;

/// A page that sends pictures of this codec alone, and in as many layers as ours, each a stream of its own: without a mode browsers
/// send VP9 as one stream.
fn sends(codec: &str, mode: Option<&str>) -> String {
    format!(
        "const prefer = RTCRtpTransceiver.prototype.setCodecPreferences;
         RTCRtpTransceiver.prototype.setCodecPreferences = function (codecs) {{
           const all = RTCRtpSender.getCapabilities('video').codecs;
           const own = ({{ mimeType, sdpFmtpLine = '' }}) => mimeType === 'video/rtx'
             || (mimeType === 'video/{codec}' && !/profile-id=[1-9]|packetization-mode=0/.test(sdpFmtpLine));
           const isSent = this.direction === 'sendonly' && codecs.some(({{ mimeType }}) => mimeType === 'video/VP8');
           return prefer.call(this, isSent ? all.filter(own) : codecs);
         }};
         const add = RTCPeerConnection.prototype.addTransceiver;
         RTCPeerConnection.prototype.addTransceiver = function (track, init) {{
           const mode = {};
           const sendEncodings = init.sendEncodings?.map(one => (mode && one.rid ? {{ ...one, scalabilityMode: mode }} : one));
           return add.call(this, track, {{ ...init, ...(sendEncodings && {{ sendEncodings }}) }});
         }};",
        json!(mode)
    )
}

/// Of a page with [`KEEP`]: the codec of the only picture that comes, and how often the page could not go on without a key frame.
const DECODED: &str = "(async () => {
    for (const connection of window.connections) {
      const all = [...(await connection.getStats()).values()];
      const picture = all.find(({ type, kind, codecId, bytesReceived }) =>
        type === 'inbound-rtp' && kind === 'video' && codecId && bytesReceived > 0);
      if (picture) return [all.find(({ id }) => id === picture.codecId).mimeType, picture.pliCount];
    }
    return ['', 0];
})()";

/// Waits until the picture is so wide, and looks at two seconds of it.
#[expect(clippy::print_stdout, reason = "how well it did is told")]
fn is_shown(guest: &mut Browser, what: &str, width: usize) -> Result<()> {
    until(guest, what, PATIENCE, |sample: &Sample| sample.width as usize == width)?;
    let seen = watch(guest, Duration::from_secs(2))?;
    let (frames, frozen) = (grown(&seen, |s| s.frames), grown(&seen, |s| s.frozen));
    println!("{what}: {frames} pictures in two seconds, {frozen:.2} s frozen");
    // A machine that encodes three sizes and decodes one beside it leaves some out; one that stands has none.
    if frames < FPS as f64 / 2.0 || seen.iter().any(|sample| sample.width as usize != width) {
        bail!("{what}: {seen:?}; {}", guest.evaluate("window.huitong.getStats()")?);
    }
    guest.see_colour(VIDEO, Colour::Blue).context("blue")?;
    guest.see_colour(VIDEO, Colour::Red).context("red")
}

/// The sizes he sends, in pixels, the largest first.
const SENT: &str = "window.huitong.getStats().then(({ publish }) => publish.tracks
    .filter(({ source, frames }) => source === 'camera' && frames > 0).map(({ width }) => width))";

fn a_picture_changes_its_size(codec: &str) -> Result<()> {
    let server = Server::start()?;
    let folder = tempfile::tempdir()?;
    let film = folder.path().join("film.y4m");
    write_film(&film, |frame| if frame < FPS { RED } else { BLUE })?;
    let mut host = Browser::start_with(HOST, &film, folder)?;
    host.before_each_page(&sends(codec, Some("L1T1")))?;
    host.join(server.web, &server.meeting, "韩梅梅", &server.password)?;
    let mut guest = Browser::start(1_100.0, Colour::Green)?;
    guest.before_each_page(KEEP)?;
    guest.join(server.web, &server.meeting, "李雷", &server.password)?;
    guest.click("toggle-mic")?;
    guest.click("toggle-camera")?;
    guest.evaluate(LOOK)?;
    host.until(&format!("{SENT}.then(sizes => sizes.length === 3)")).with_context(|| format!("{:?}", host.said()))?;
    assert_eq!(host.evaluate(SENT)?, json!([WIDTH, WIDTH / 2, WIDTH / 4]));
    is_shown(&mut guest, "the whole picture", WIDTH)?;
    let [decoded, wanted_before] = &serde_json::from_value::<[Value; 2]>(guest.evaluate(DECODED)?)?;
    assert_eq!(decoded, &format!("video/{codec}"));
    guest.resize(900, 620)?;
    guest.click("toggle-layout")?;
    is_shown(&mut guest, "half the picture", WIDTH / 2)?;
    guest.click("toggle-layout")?;
    guest.resize(1_440, 900)?;
    is_shown(&mut guest, "the whole picture again", WIDTH)?;
    let [_, wanted] = &serde_json::from_value::<[Value; 2]>(guest.evaluate(DECODED)?)?;
    assert_eq!(wanted, wanted_before, "a change of sizes leaves nothing that can't be decoded");
    Ok(())
}

// product: C19. RFC 9628
#[test]
fn a_picture_of_vp9_changes_its_size() -> Result<()> {
    a_picture_changes_its_size("VP9")
}

// product: C19. RFC 6184
#[test]
fn a_picture_of_h264_changes_its_size() -> Result<()> {
    a_picture_changes_its_size("H264")
}

// product: C19
#[test]
fn a_picture_of_av1_changes_its_size() -> Result<()> {
    a_picture_changes_its_size("AV1")
}
