//! Days and clocks of a booking: chosen with keys, and seen from elsewhere. Parts of the stories of `web`.

use anyhow::Result;
use tests::{Browser, by_id};

use crate::web::{is_sound, item};

// product: A7
/// The day and the time stand there as the page's language writes them, and are chosen with keys alone.
pub(crate) fn choose_a_day_by_keys(page: &mut Browser) -> Result<()> {
    let shows = |days: i64| {
        format!(
            "document.querySelector('[data-testid=book-day]').value === \
             new Intl.DateTimeFormat('en', {{ dateStyle: 'medium' }}).format(Date.now() + {days} * 864e5)"
        )
    };
    page.fill("book-day", "tomorrow")?;
    page.evaluate("document.activeElement.blur()")?;
    page.until(&format!("{} || {}", shows(0), shows(1)))?;
    page.evaluate(
        "window.today = (day => [day.getFullYear(), day.getMonth() + 1, day.getDate()].join('-'))(new Date())",
    )?;
    let today = page.evaluate("today")?;
    page.fill("book-day", today.as_str().unwrap_or_default())?;
    page.click("book-day-calendar")?;
    page.see("[role=grid]")?;
    is_sound(page, "a calendar")?;
    // A day on, then a week.
    for key in ["ArrowRight", "ArrowDown"] {
        page.press(key)?;
    }
    page.press("Enter")?;
    page.miss("[role=grid]")?;
    page.until(&shows(8))?;
    page.until("document.activeElement.dataset.testid === 'book-day-calendar'")?;
    page.click("book-day-calendar")?;
    let month = page.text(&by_id("calendar-month"))?;
    page.press("PageDown")?;
    page.until(&format!("document.querySelector('[data-testid=calendar-month]').innerText !== '{month}'"))?;
    page.press("Escape")?;
    page.miss("[role=grid]")?;
    page.until(&shows(8))?;
    page.fill("book-time", "2:15 pm")?;
    page.until("document.querySelector('[data-testid=book-time]').value === '2:15 pm'")?;
    page.press("Tab")?;
    page.until("document.querySelector('[data-testid=book-time]').value === '2:15 PM'")
}

/// Whoever travels changes a series by the clocks of where it is held, and is told what his own show.
pub(crate) fn changed_from_elsewhere(page: &mut Browser) -> Result<()> {
    let starts = "fetch('/api/v1/meetings?period=upcoming').then(answer => answer.json()) \
                  .then(({ items }) => items.filter(({ title }) => title === '晨会').map(({ start, zone }) => start + zone))";
    let before = page.evaluate(starts)?;
    let value = |id: &str| format!("document.querySelector('[data-testid={id}]')?.value");
    let held = page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")?;
    page.set_zone("Pacific/Auckland")?;
    page.reload()?;
    page.click_at(&format!("{} [data-testid=meeting-more]", item("晨会")))?;
    page.click("meeting-edit")?;
    page.until(&format!("['8:15 AM', '08:15'].includes({})", value("book-time")))?;
    page.see(&format!("[data-testid=book-zone][data-zone='{}']", held.as_str().unwrap_or_default()))?;
    page.see(&by_id("book-here"))?;
    is_sound(page, "a booking of elsewhere")?;
    page.click("book-submit")?;
    page.see(&item("晨会"))?;
    assert_eq!(page.evaluate(starts)?, before);
    page.set_zone("")?;
    page.reload()?;
    page.see(&item("晨会"))
}
