//! The pictures of docs/: what people see, made anew by `make pictures` and then looked at.

use std::{path::Path, process::Command};

use anyhow::{Result, bail};
use tests::{Baresip, Browser, Codec, Server};

/// Makes a file.
pub(crate) fn ffmpeg(args: &[&str], out: &Path) -> Result<()> {
    let status = Command::new("ffmpeg").args(["-v", "error", "-y"]).args(args).arg(out).status()?;
    if !status.success() {
        bail!("ffmpeg {args:?}: {status}");
    }
    Ok(())
}

/// Keeps what the page shows, in as many colours as a palette has: a third of the size, and nobody sees it.
pub(crate) fn keep(page: &mut Browser, out: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let whole = folder.path().join("whole.png");
    page.screenshot(&whole)?;
    let filter = "split[a][b];[a]palettegen=reserve_transparent=0[p];[b][p]paletteuse=dither=none";
    ffmpeg(&["-i", &whole.to_string_lossy(), "-vf", filter, "-frames:v", "1"], out)
}

/// Somebody before a wall: a head, shoulders, two colours.
pub(crate) fn somebody(language: &str, wall: &str, hz: f32) -> Result<Browser> {
    let folder = tempfile::tempdir()?;
    let film = folder.path().join("somebody.y4m");
    let person = "hypot(X-480,Y-200),92)+lt(hypot((X-480)/1.5,Y-560),230)";
    let filter = format!(
        "color=c={wall}:s=960x540:r=30:d=1,format=yuv420p,geq=lum='if(lt({person},70+lum(X,Y)*0.9,lum(X,Y)+Y/12)':cb='cb(X,Y)':cr='cr(X,Y)'"
    );
    ffmpeg(&["-f", "lavfi", "-i", &filter], &film)?;
    Browser::start_reading(language, hz, &film, folder)
}

#[test]
#[ignore = "writes docs/pictures: make pictures"]
fn pictures_of_the_docs() -> Result<()> {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures");
    std::fs::create_dir_all(&out)?;
    let server = Server::start()?;
    let mut host = somebody("en-US", "0x2f6f7e", 700.0)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.screenshot(&out.join("home.png"))?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let mut guest = somebody("en-US", "0x7a5c86", 0.0)?;
    guest.resize(390, 844)?;
    guest.open(&format!("http://{}/j/{}", server.web, server.meeting))?;
    guest.fill("join-name", "李雷")?;
    guest.fill("join-password", &server.password)?;
    guest.screenshot(&out.join("join-phone.png"))?;
    guest.resize(1440, 900)?;
    guest.click("join-submit")?;
    guest.see("[data-testid=prejoin-join]")?;
    guest.until("document.querySelector('video')?.readyState > 2")?;
    guest.click("prejoin-join")?;
    guest.see("[data-testid=room]")?;
    let mut phone = Baresip::start("13812345678", Codec::Opus, 0.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;
    guest.see("[data-testid=tile][data-via=phone]")?;
    guest.click("reactions")?;
    guest.click("toggle-hand")?;
    host.until("window.huitong.state.received.some(slot => slot.kind === 'camera' && slot.participant)")?;
    host.click("start-broadcast")?;
    host.see("[data-testid=broadcast][data-state=live]")?;
    let film = "document.querySelector('[data-testid=tile]:not([data-via=phone]) video')?.readyState > 2";
    host.until(film)?;
    guest.until(film)?;
    host.screenshot(&out.join("meeting.png"))?;
    guest.set_dark(true)?;
    guest.click("toggle-participants")?;
    guest.resize(390, 844)?;
    guest.until(film)?;
    guest.screenshot(&out.join("meeting-phone-dark.png"))?;

    let link = host.watch_address()?;
    let mut viewer = somebody("en-US", "0x333333", 0.0)?;
    viewer.open(&link)?;
    viewer.see("[data-state=playing]")?;
    viewer.until("document.querySelector('video').currentTime > 4")?;
    viewer.screenshot(&out.join("watch.png"))?;
    Ok(())
}
