//! Everybody comes in, whatever the network does.

use anyhow::Result;
use serde_json::json;
use tests::{Browser, Colour, PASSWORD, Server, by_id};

use crate::web::is_sound;

/// Cumulative layout shift that is felt as none (Web Vitals).
const SHIFT_MAX: f64 = 0.1;

/// How much of the page has jumped since it came, but for what its reader did.
const SHIFT: &str = "new Promise(done => {
    let sum = 0;
    const add = list => list.getEntries().forEach(one => (sum += one.hadRecentInput ? 0 : one.value));
    new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(sum))));
})";

#[test]
fn the_page_is_installable_and_never_old() -> Result<()> {
    let mut server = Server::start_with(&[("HUITONG_SIP__NUMBERS", r#"[{number="+861088886666"}]"#)])?;
    let home = format!("http://{}/", server.web);
    let mut page = Browser::start(0.0, Colour::Green)?;
    page.open(&home)?;
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")?;
    let manifest = page.evaluate(
        "fetch(document.querySelector('link[rel=manifest]').href).then(answer => answer.json()).then(async manifest => {
           for (const { src, sizes } of manifest.icons) {
             const picture = Object.assign(new Image(), { src });
             await picture.decode();
             if (sizes !== 'any' && `${picture.width}x${picture.height}` !== sizes) return src;
           }
           return manifest;
         })",
    )?;
    assert_eq!((&manifest["display"], &manifest["start_url"]), (&json!("standalone"), &json!("/")), "{manifest}");
    // A second visit is under the worker; words and pages are never kept.
    page.open(&home)?;
    page.until("navigator.serviceWorker.controller !== null")?;
    for address in [home.clone(), format!("{home}j/{}#p={}", server.meeting, server.password)] {
        page.open(&address)?;
        page.see(&by_id("join-name"))?;
        let shift = page.evaluate(SHIFT)?.as_f64().unwrap_or(f64::MAX);
        assert!(shift < SHIFT_MAX, "{address}: what is read jumps by {shift}");
    }
    page.open(&home)?;
    page.evaluate("fetch('/api/v1/info').then(answer => answer.text())")?;
    let kept = page.evaluate(
        "caches.keys().then(async names => (await Promise.all(names.map(name => caches.open(name).then(cache => \
         cache.keys())))).flat().map(({ url }) => new URL(url).pathname))",
    )?;
    let kept: Vec<String> = serde_json::from_value(kept)?;
    assert!(kept.iter().any(|path| path.starts_with("/assets/")), "{kept:?}");
    let may_be = |path: &String| {
        path.starts_with("/assets/")
            || ["/offline.html", "/favicon.svg", "/dial.js", "/api/v1/info"].contains(&path.as_str())
    };
    assert!(kept.iter().all(may_be), "{kept:?}");
    // Two tabs: the second is told of the first.
    page.login(server.web, "host", PASSWORD)?;
    page.join(server.web, &server.meeting, "韩梅梅", "")?;
    page.evaluate(&format!("(window.second = window.open('/j/{}'), true)", server.meeting))?;
    // His name is filled in when it is known whose tab it is.
    page.until("!!window.second.document.querySelector('[data-testid=join-name]')?.value")?;
    page.evaluate("window.second.document.querySelector('[data-testid=join-submit]').click()")?;
    page.until("window.second.document.querySelector('[data-testid=prejoin-elsewhere]') !== null")?;
    page.evaluate("window.second.close()")?;
    page.click("leave")?;
    page.click("leave-alone")?;
    // Without a server there is a page that says so, and nothing of an earlier build.
    server.interrupt()?;
    page.reload()?;
    page.see(&by_id("offline"))?;
    page.see("[data-testid=offline] a[href='tel:+861088886666']")?;
    is_sound(&mut page, "no network")
}
