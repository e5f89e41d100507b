//! Which camera, microphone and loudspeaker.

use anyhow::{Context, Result};
use tests::{Browser, Colour, Devices, Server, by_id};

/// The second device of a list.
fn second(page: &mut Browser, kind: &str) -> Result<String> {
    page.see(&by_id(kind))?;
    let id = page.evaluate(&format!("document.querySelector('{}').options[1].value", by_id(kind)))?;
    Ok(id.as_str().context("two devices")?.to_owned())
}

/// Waits until what is sent comes from this device.
fn sends(page: &mut Browser, source: &str, device: &str) -> Result<()> {
    page.until(&format!("window.huitong?.track('{source}')?.getSettings().deviceId === '{device}'"))
}

// product: J5
#[test]
fn another_camera_microphone_and_loudspeaker_are_chosen_before_and_within_a_meeting_and_remembered() -> Result<()> {
    let server = Server::start()?;
    let mut other = Browser::start(0.0, Colour::Red)?;
    other.join(server.web, &server.meeting, "韩梅梅", &server.password)?;
    let mut page = Browser::start_on(Devices::Two)?;
    // Before: the microphone.
    page.open(&format!("http://{}/j/{}", server.web, server.meeting))?;
    page.to_mirror("李雷", &server.password)?;
    let microphone = second(&mut page, "device-microphone")?;
    page.choose("device-microphone", &microphone)?;
    page.click("prejoin-join")?;
    page.see(&by_id("room"))?;
    sends(&mut page, "microphone", &microphone)?;

    // Within: the camera and the loudspeaker. Chromium's second camera is one for depths, whose picture nobody is sent.
    page.click("more")?;
    page.click("open-devices")?;
    let camera = second(&mut page, "device-camera")?;
    page.choose("device-camera", &camera)?;
    sends(&mut page, "camera", &camera)?;
    let speaker = second(&mut page, "device-speaker")?;
    page.choose("device-speaker", &speaker)?;
    let plays = format!(
        "(voices => voices.length > 0 && voices.every(one => one.sinkId === '{speaker}'))\
         ([...document.querySelectorAll('[data-testid=voice]')])"
    );
    page.until(&plays)?;

    // The next time they are what was chosen.
    page.reload()?;
    page.see(&by_id("room"))?;
    sends(&mut page, "microphone", &microphone)?;
    sends(&mut page, "camera", &camera)?;
    page.until(&plays)
}
