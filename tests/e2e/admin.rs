//! What administrators see and set about their site's telephones, by its page.

use std::net::Ipv4Addr;

use anyhow::Result;
use tests::{Browser, Colour, PASSWORD, RawPhone, Server, by_id, tag};

use crate::{
    calls::tone,
    web::{is_sound_everywhere, segment},
};

// product: A1, P3, P8, P9
#[test]
fn a_site_is_administered_by_its_page() -> Result<()> {
    let server = Server::start()?;
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let offer = phone.description()?;
    let reply = phone.call("huitong", &offer, "")?;
    phone.send("BYE", &tag(&reply), "", "")?;
    assert_eq!(phone.answer()?.code, 200);

    let mut page = Browser::start(0.0, Colour::Blue)?;
    page.login(server.web, "host", PASSWORD)?;
    page.click("account-menu")?;
    page.click("open-admin")?;

    // A call that reached no meeting, with its signalling.
    page.see(&by_id("calls-table"))?;
    segment(&mut page, "calls-which", "no meeting")?;
    page.see("[data-testid=call][data-direction=in]")?;
    is_sound_everywhere(&mut page, "calls")?;
    page.click("call-ladder")?;
    page.see(&by_id("ladder"))?;
    assert!(page.text(&by_id("ladder"))?.contains("INVITE"), "{}", page.text(&by_id("ladder"))?);
    is_sound_everywhere(&mut page, "a call's signalling")?;
    page.press("Escape")?;
    page.miss(&by_id("ladder"))?;

    // What the site may spend is kept.
    page.click("tab-calling")?;
    page.see(&format!("{}[data-used='0']", by_id("calling-used-calls")))?;
    is_sound_everywhere(&mut page, "limits of calling")?;
    page.fill("calling-calls_max", "7")?;
    page.fill("calling-prefixes", "+86\n+44")?;
    page.click("calling-save")?;
    page.see(&by_id("calling-saved"))?;
    page.reload()?;
    page.until("document.querySelector('[data-testid=calling-calls_max]')?.value === '7'")?;
    page.until("document.querySelector('[data-testid=calling-prefixes]').value === '+86\\n+44'")?;

    // A prompt is found, replaced, heard and had back; what is no sound says why.
    page.click("tab-prompts")?;
    page.see("[data-testid=prompt][data-prompt=welcome]")?;
    is_sound_everywhere(&mut page, "prompts")?;
    page.fill("prompts-search", "Welcome")?;
    page.miss("[data-prompt=goodbye]")?;
    let folder = tempfile::tempdir()?;
    let (sound, nonsense) = (folder.path().join("welcome.wav"), folder.path().join("nonsense.wav"));
    std::fs::write(&sound, tone(1_500.0, 8_000, 1.0)?)?;
    std::fs::write(&nonsense, "no sound")?;
    page.upload("[data-prompt=welcome] input[type=file]", &nonsense)?;
    page.see(&by_id("prompt-problem"))?;
    page.upload("[data-prompt=welcome] input[type=file]", &sound)?;
    page.see("[data-prompt=welcome][data-own=true]")?;
    page.miss(&by_id("prompt-problem"))?;
    is_sound_everywhere(&mut page, "a prompt of one's own")?;
    page.click("prompt-play")?;
    page.see("[data-testid=prompt-play][aria-label^=Stop]")?;
    page.click("prompt-restore")?;
    page.see("[data-prompt=welcome][data-own=false]")?;

    // Not for members, who are told of no such page.
    page.click("account-menu")?;
    page.click("logout")?;
    page.login(server.web, "member", PASSWORD)?;
    page.click("account-menu")?;
    page.see(&by_id("open-profile"))?;
    page.miss(&by_id("open-admin"))?;
    page.open(&format!("http://{}/admin", server.web))?;
    page.see(&by_id("not-found"))
}
