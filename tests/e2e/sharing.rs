//! What is shared besides screens (C20): pictures, documents, pages of the web, the whiteboard.

use std::path::Path;

use anyhow::Result;
use serde_json::json;
use tests::{Browser, Client, Colour, PASSWORD, Server, by_id, http};

use crate::{pictures::ffmpeg, web::is_sound};

/// A document with a page in each of these colours, as fractions of red, green and blue.
fn write_pdf(path: &Path, colours: &[&str]) -> Result<()> {
    let pages: Vec<_> = colours.iter().map(|colour| format!("{colour} rg 0 0 640 360 re f")).collect();
    write_pages(path, &pages)
}

/// A document (ISO 32000) with these drawings on pages of 640 by 360 points.
pub(crate) fn write_pages(path: &Path, pages: &[String]) -> Result<()> {
    let kids: Vec<_> = (0..pages.len()).map(|page| format!("{} 0 R", 3 + 2 * page)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), kids.len()),
    ];
    for (page, content) in pages.iter().enumerate() {
        let contents = 4 + 2 * page;
        objects.push(format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 640 360] /Contents {contents} 0 R >>"));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    let mut text = "%PDF-1.4\n".to_owned();
    let mut offsets = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        offsets.push(text.len());
        text += &format!("{} 0 obj\n{object}\nendobj\n", at + 1);
    }
    let table = text.len();
    text += &format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for offset in offsets {
        text += &format!("{offset:010} 00000 n \n");
    }
    text += &format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1);
    Ok(std::fs::write(path, text)?)
}

/// Waits until a point of the whiteboard, in its own measure, has ink on it, or none.
pub(crate) fn see_ink(page: &mut Browser, x: u32, y: u32, is_there: bool) -> Result<()> {
    page.see(&by_id("whiteboard"))?;
    page.until(&format!(
        "document.querySelector('[data-testid=whiteboard]').getContext('2d').getImageData({x}, {y}, 1, 1)\
         .data.subarray(0, 3).some(part => part < 200) === {is_there}"
    ))
}

fn show_whiteboard(page: &mut Browser) -> Result<()> {
    page.click("share")?;
    page.click("share-whiteboard")?;
    page.see(&format!("{}[data-state=ready]", by_id("whiteboard")))
}

/// Makes a browser of today one of 2022. Workers begin with all that today's has, so that there are none: their script is then run by the page.
const OLD: &str = "
for (const [of, names] of [
  [Math, ['sumPrecise']],
  [Promise, ['try', 'withResolvers']],
  [URL, ['parse', 'canParse']],
  [Map.prototype, ['getOrInsert', 'getOrInsertComputed']],
  [WeakMap.prototype, ['getOrInsert', 'getOrInsertComputed']],
  [Set.prototype, ['union', 'intersection', 'difference', 'isSubsetOf']],
  [Uint8Array, ['fromBase64', 'fromHex']],
  [Uint8Array.prototype, ['toBase64', 'toHex', 'setFromBase64', 'setFromHex']],
  [ArrayBuffer.prototype, ['transfer', 'transferToFixedLength']],
  [Array, ['fromAsync']],
  [Object, ['groupBy']],
  [AbortSignal, ['any']],
  [Response.prototype, ['bytes']],
  [Blob.prototype, ['bytes']],
  [window, ['Iterator', 'Worker']],
]) for (const name of names) delete of[name];";

// product: C13, C20, B2
#[test]
fn pictures_documents_and_pages_are_seen_by_all_and_by_the_audience() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (pdf, picture, nonsense) =
        (folder.path().join("报告.pdf"), folder.path().join("photo.png"), folder.path().join("broken.pdf"));
    write_pdf(&pdf, &["1 0 0", "0 0 1"])?;
    std::fs::write(&nonsense, "no document")?;
    let server = Server::start()?;
    let mut guest = Browser::start(0.0, Colour::Green)?;
    guest.open("about:blank")?;
    guest.evaluate("document.body.style.background = '#0c0'")?;
    guest.screenshot(&picture)?;
    let mut host = Browser::start(0.0, Colour::Blue)?;
    host.login(server.web, "host", PASSWORD)?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    guest.before_each_page(OLD)?;
    guest.join(server.web, &server.meeting, "李雷", &server.password)?;
    assert_eq!(guest.evaluate("['sumPrecise' in Math, 'Worker' in window]")?, json!([false, false]));

    // A document: both see the page the host turns to; who came to see turns none.
    host.click("share")?;
    is_sound(&mut host, "what can be shared")?;
    host.upload("input[accept*=pdf]", &pdf)?;
    let document = by_id("shown-document");
    for page in [&mut host, &mut guest] {
        page.see_colour(&document, Colour::Red)?;
    }
    assert!(host.text(&by_id("page-number"))?.contains("1 / 2"));
    guest.miss(&by_id("page-on"))?;
    host.click("page-on")?;
    guest.see_colour(&document, Colour::Blue)?;
    host.press("ArrowLeft")?;
    guest.see_colour(&document, Colour::Red)?;
    is_sound(&mut guest, "a document")?;

    // While it is live, the audience sees it too.
    host.click("start-broadcast")?;
    host.see("[data-testid=broadcast][data-state=live]")?;
    let watch = host.watch_address()?;
    let mut viewer = Browser::start(0.0, Colour::Green)?;
    viewer.open(&watch)?;
    viewer.see_colour(&by_id("watch-video"), Colour::Red)?;
    host.click("page-on")?;
    viewer.see_colour(&by_id("watch-video"), Colour::Blue)?;
    drop(viewer);
    host.click("stop-broadcast")?;
    host.until("!window.huitong.me.screen")?;

    // The guest's picture takes its place, and ends with the lock on sharing.
    guest.click("share")?;
    guest.upload("input[accept*='image/png']", &picture)?;
    host.see_colour(&by_id("shown-picture"), Colour::Green)?;
    host.evaluate("window.huitong.lockShare(true)")?;
    host.miss(&by_id("shown"))?;
    guest.see(&format!("{}:disabled", by_id("share")))?;
    host.evaluate("window.huitong.lockShare(false)")?;

    // What nobody else could see is not sent: its owner is told what to do, and chooses again.
    let office = folder.path().join("方案.docx");
    std::fs::write(&office, "PK")?;
    guest.click("share")?;
    guest.upload("input[accept*=pdf]", &office)?;
    guest.see(&by_id("share-other"))?;
    let said = guest.text(&by_id("share-other"))?;
    assert!(said.contains("方案.docx") && said.contains("PDF"), "{said}");
    is_sound(&mut guest, "a file of another kind")?;
    host.miss(&by_id("shown"))?;
    guest.press("Escape")?;
    guest.miss(&by_id("share-other"))?;

    // What is no document says so.
    guest.click("share")?;
    guest.upload("input[accept*=pdf]", &nonsense)?;
    host.see("[data-testid=shown] [role=alert]")?;
    guest.click("stop-showing")?;
    host.miss(&by_id("shown"))?;

    // A page by its address, kept as a bookmark and shared again by a click.
    host.click("share")?;
    host.fill("share-address", "javascript:alert(1)")?;
    host.click("share-page")?;
    host.see(&by_id("share-problem"))?;
    host.fill("share-address", &format!("http://{}/healthz", server.web))?;
    host.click("bookmark-add")?;
    host.click("bookmark-share")?;
    guest.see("[data-testid=shown][data-type=page]")?;
    guest.see("[data-testid=shown-open][target=_blank][rel~=noopener]")?;
    is_sound(&mut guest, "a page of the web")?;
    guest.click("shown-here")?;
    guest.see("iframe[data-testid=shown-frame][sandbox]:not([sandbox*=same-origin])")?;
    host.click("stop-sharing")?;
    guest.miss(&by_id("shown"))?;
    host.click("share")?;
    host.click("bookmark-remove")?;
    host.miss(&by_id("bookmark"))?;
    Ok(())
}

// product: C20
#[tokio::test(flavor = "multi_thread")]
async fn all_draw_on_the_whiteboard_and_it_is_there_after_a_restart() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(0.0, Colour::Red)?;
    host.login(server.web, "host", PASSWORD)?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let mut guest = Browser::start(0.0, Colour::Green)?;
    guest.join(server.web, &server.meeting, "李雷", &server.password)?;
    show_whiteboard(&mut host)?;
    guest.see(&format!("{}[data-state=ready]", by_id("whiteboard")))?;
    is_sound(&mut guest, "the whiteboard")?;

    // Both draw, each sees both; what one has drawn oneself can be undone.
    let board = by_id("whiteboard");
    guest.drag(&board, (0.25, 0.5), (0.75, 0.5))?;
    host.click("board-rectangle")?;
    host.click("board-red")?;
    host.drag(&board, (0.1, 0.1), (0.4, 0.3))?;
    for page in [&mut host, &mut guest] {
        see_ink(page, 960, 540, true)?;
        see_ink(page, 480, 108, true)?;
    }
    guest.click("board-text")?;
    guest.drag(&board, (0.1, 0.7), (0.1, 0.7))?;
    guest.fill("board-typing", "<img src=x onerror=alert(1)> 会通")?;
    guest.press("Enter")?;
    host.until("document.querySelector('[data-testid=whiteboard]').dataset.elements === '3'")?;
    // Kept on one's own disk, as a picture that shows the same.
    let folder = tempfile::tempdir()?;
    let (picture, pixel) = (folder.path().join("board.png"), folder.path().join("pixel.rgb"));
    assert_eq!(host.download(&by_id("board-save"), &picture)?, "Whiteboard.png");
    // The upper edge of the red rectangle.
    let crop = "crop=1:1:480:108,format=rgb24";
    ffmpeg(&["-i", &picture.to_string_lossy(), "-vf", crop, "-frames:v", "1", "-f", "rawvideo"], &pixel)?;
    let seen = std::fs::read(&pixel)?;
    assert!(seen.len() == 3 && seen[0] > 150 && seen[1] < 100 && seen[2] < 100, "{seen:?}");
    host.click("board-undo")?;
    see_ink(&mut guest, 480, 108, false)?;
    host.click("board-redo")?;
    see_ink(&mut guest, 480, 108, true)?;

    // What was drawn while the network was gone arrives when it is back.
    guest.click("board-ellipse")?;
    guest.evaluate("window.huitong.reconnect()")?;
    guest.drag(&board, (0.6, 0.1), (0.8, 0.3))?;
    see_ink(&mut host, 1344, 108, true)?;

    // A stranger to the protocol draws nonsense: nobody is harmed, and who has no seat reads nothing.
    let mut other = Client::join(
        server.web,
        &server.meeting,
        json!({"type": "join", "name": "Eve", "password": server.password}),
        None,
    )
    .await?;
    assert_eq!(other.command(json!({"type": "draw", "drawing": "AAECAw=="})).await?["type"], "done");
    assert_eq!(other.command(json!({"type": "draw", "drawing": "<svg>"})).await?["problem"]["code"], "bad_text");
    let meeting = other.joined["meeting"]["id"].as_str().unwrap_or_default().to_owned();
    let address = format!("http://{}/api/v1/meetings/{meeting}/whiteboard", server.web);
    assert_eq!(http().get(&address).send().await?.status(), 403);
    let seat = other.joined["resume"].as_str().unwrap_or_default().to_owned();
    let drawn = http().get(&address).header("huitong-seat", &seat).send().await?;
    assert!(drawn.json::<serde_json::Value>().await?["last"].as_u64() > Some(4));
    guest.click("board-eraser")?;
    guest.drag(&board, (0.7, 0.1), (0.7, 0.1))?;
    see_ink(&mut host, 1344, 108, false)?;
    is_sound(&mut host, "a whiteboard with something on it")?;

    // The meeting is held again by another run of the server.
    drop((guest, other));
    let server = server.restart()?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    show_whiteboard(&mut host)?;
    see_ink(&mut host, 960, 540, true)?;
    see_ink(&mut host, 480, 108, true)?;
    see_ink(&mut host, 1344, 108, false)?;
    // All of it goes only once somebody has said that it shall.
    host.click("board-clear")?;
    host.click("confirm-cancel")?;
    see_ink(&mut host, 960, 540, true)?;
    host.click("board-clear")?;
    host.click("confirm")?;
    see_ink(&mut host, 960, 540, false)?;
    host.until("document.querySelector('[data-testid=whiteboard]').dataset.elements === '0'")?;
    Ok(())
}
