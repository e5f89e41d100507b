//! A livestream's audience: who may watch (B5), and how many do (B4).
//!
//! Who may gets a *pass* for five minutes, which the player shows with every request and the page renews. It is checked
//! against the key of the meeting, so a host who sets something else ends all that were given before.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use model::{BroadcastId, MeetingId, Pace, Paces, Permission, WatchAccess, check_password, network_of};
use sha2::{Digest, Sha256};
use store::{StoreError, WatchSettings};

use crate::{
    Account, BookRefused, Conference, booking::options_of, lockout::Lockout, login::sha256, now_ms,
    occurrence::as_held_next,
};

/// How long a pass is good (reliability: A13). Shorter ones would be renewed more often than a phone in a pocket can.
pub const PASS_LASTS: Duration = Duration::from_secs(300);

/// How long what the database says is believed. Another node's host may have changed it: within one segment it is known.
const BELIEVED: Duration = Duration::from_secs(2);

/// Meetings whose settings are remembered; beyond it all are asked for again.
const REMEMBERED_MAX: usize = 10_000;

/// Who has said nothing for so long has gone: two of his words and a slow network.
const GONE_AFTER: Duration = Duration::from_secs(50);

/// So seldom it is looked who has gone: a count may be late by it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Viewers of one livestream that are told apart; more are not counted.
const VIEWERS_MAX: usize = 100_000;

/// Of those, from one network: all of a company behind one address. More would be what one stranger can make a livestream's audience
/// look like, who needs nothing but numbers for it; fewer are people who watch and aren't counted.
const NETWORK_VIEWERS_MAX: u32 = 2_000;

/// How fast viewers of one network are counted: a company opens the page within some minutes. Who is not counted at once says in 20
/// seconds again that he is there.
const ARRIVALS: Pace = Pace { at_once: 200.0, per_second: 20.0 };

/// Livestreams whose viewers are counted; the oldest is forgotten.
const COUNTED_MAX: usize = 1_000;

/// What a viewer shows to be let in.
#[derive(Default)]
pub struct Credentials<'a> {
    /// For [`WatchAccess::Password`].
    pub password: Option<&'a str>,
    /// The signature of the link, for [`WatchAccess::Link`] and [`WatchAccess::Registration`].
    pub signature: Option<&'a str>,
    /// Where he is logged in, for [`WatchAccess::Registered`].
    pub account: Option<&'a Account>,
    /// The pass he has, where he was let in before.
    pub pass: Option<&'a str>,
}

/// Why somebody may not watch.
#[derive(Debug, thiserror::Error)]
pub enum WatchRefused {
    /// A password is needed, and none was said.
    #[error("a password is needed")]
    PasswordNeeded,
    /// It is another one.
    #[error("the password is wrong")]
    WrongPassword,
    /// Too many wrong ones from there; so long nothing is tried.
    #[error("too many wrong passwords")]
    TooManyTries(Duration),
    /// The link is not the one, or no longer.
    #[error("the link is not valid")]
    WrongLink,
    /// He has to register for the webinar.
    #[error("a registration is needed")]
    RegistrationNeeded,
    /// Its owner hasn't said whether he may watch.
    #[error("the registration is not approved yet")]
    NotApproved,
    /// Its owner has said no.
    #[error("the registration was denied")]
    Denied,
    /// He has to log in.
    #[error("an account is needed")]
    LoginNeeded,
    /// His account is of another site.
    #[error("the account is of another site")]
    WrongSite,
    /// There is no such livestream.
    #[error("there is no such livestream")]
    Missing,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many watch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Viewers {
    /// Now.
    pub live: usize,
    /// The most there were at once.
    pub peak: usize,
}

/// What the watch page says of a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchAbout {
    /// Of the time that is next, where there are several.
    pub title: String,
    /// Who made it.
    pub host: Option<String>,
    /// When it is planned to begin next, where it has a time. Milliseconds since 1970, UTC.
    pub start_ms: Option<i64>,
}

/// What becomes of a request of a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Everyone may watch: caches on the way may keep the answer for all.
    Open,
    /// He may, by his pass: the answer is his alone.
    Passed,
    /// He may not.
    Shut,
}

#[derive(Default)]
pub(crate) struct Audience {
    settings: Lately<Option<WatchSettings>>,
    abouts: Lately<Option<WatchAbout>>,
    tries: Mutex<Lockout>,
    counts: Mutex<Counts>,
}

/// What the database said of meetings lately.
struct Lately<T>(Mutex<HashMap<MeetingId, (T, Instant)>>);

impl<T> Default for Lately<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Lately<T> {
    /// None where the database is to be asked.
    fn known(&self, of: MeetingId, now: Instant) -> Option<T> {
        let mut known = lock(&self.0);
        let (said, read) = known.get_mut(&of)?;
        if now.saturating_duration_since(*read) < BELIEVED {
            return Some(said.clone());
        }
        // One asks, and the thousands who come meanwhile believe what is known for as long again.
        *read = now;
        None
    }

    fn remember(&self, of: MeetingId, said: T, now: Instant) {
        let mut known = lock(&self.0);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(of, (said, now));
    }
}

struct Counts {
    livestreams: HashMap<BroadcastId, Count>,
    oldest: VecDeque<BroadcastId>,
    arrivals: Paces<IpAddr>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { livestreams: HashMap::new(), oldest: VecDeque::new(), arrivals: Paces::new(ARRIVALS) }
    }
}

#[derive(Default)]
struct Count {
    seen: HashMap<u128, Seen>,
    /// How many of them came from where.
    networks: HashMap<IpAddr, u32>,
    peak: usize,
    /// When it was last looked who has gone.
    looked: Option<Instant>,
}

/// A viewer who is counted.
struct Seen {
    at: Instant,
    /// Where he came from, where he drew his number himself.
    network: Option<IpAddr>,
}

impl Counts {
    fn note(&mut self, livestream: BroadcastId, viewer: u128, network: Option<IpAddr>, now: Instant) -> Viewers {
        if !self.livestreams.contains_key(&livestream) {
            self.oldest.push_back(livestream);
            if self.oldest.len() > COUNTED_MAX
                && let Some(oldest) = self.oldest.pop_front()
            {
                self.livestreams.remove(&oldest);
            }
        }
        let count = self.livestreams.entry(livestream).or_default();
        count.forget_gone(now);
        if let Some(seen) = count.seen.get_mut(&viewer) {
            seen.at = now;
        } else if count.has_room(network) && network.is_none_or(|network| self.arrivals.take(network, now).is_ok()) {
            count.seen.insert(viewer, Seen { at: now, network });
            network.into_iter().for_each(|network| *count.networks.entry(network).or_default() += 1);
        }
        count.peak = count.peak.max(count.seen.len());
        Viewers { live: count.seen.len(), peak: count.peak }
    }

    fn of(&mut self, livestream: BroadcastId, now: Instant) -> Viewers {
        let Some(count) = self.livestreams.get_mut(&livestream) else { return Viewers::default() };
        count.forget_gone(now);
        Viewers { live: count.seen.len(), peak: count.peak }
    }
}

impl Count {
    fn has_room(&self, network: Option<IpAddr>) -> bool {
        let of_network = network.and_then(|network| self.networks.get(&network)).copied().unwrap_or_default();
        self.seen.len() < VIEWERS_MAX && of_network < NETWORK_VIEWERS_MAX
    }

    /// Among thousands who each say a word, looking at all with every word would be most of what the server does.
    fn forget_gone(&mut self, now: Instant) {
        if self.looked.is_some_and(|looked| now.saturating_duration_since(looked) < LOOK_EVERY) {
            return;
        }
        self.looked = Some(now);
        self.seen.retain(|_, seen| now.saturating_duration_since(seen.at) < GONE_AFTER);
        self.networks.clear();
        for network in self.seen.values().filter_map(|seen| seen.network) {
            *self.networks.entry(network).or_default() += 1;
        }
    }
}

impl Conference {
    /// Who may watch, for somebody who may change the meeting; with the signature of its link.
    pub async fn watch_settings(&self, by: &Account, of: MeetingId) -> Result<(WatchSettings, String), BookRefused> {
        self.owned(by, of, Permission::Read).await?;
        let settings = match self.read_settings(of).await? {
            Some(settings) => settings,
            None => WatchSettings { access: WatchAccess::Public, password: None, signing_key: new_key() },
        };
        let signature = link_signature(&settings, of);
        Ok((settings, signature))
    }

    /// What a meeting's watch address needs after its `#` so that whoever has it may watch; none where that isn't asked for. For
    /// who may hand it out.
    pub async fn watch_signature(&self, of: MeetingId) -> Result<Option<String>, StoreError> {
        let settings = self.settings_of(of).await?.filter(|settings| settings.access == WatchAccess::Link);
        Ok(settings.map(|settings| link_signature(&settings, of)))
    }

    /// Sets who may watch. All links and passes given before are void, unless nothing but the password was asked for
    /// again.
    pub async fn set_watch_settings(
        &self,
        by: &Account,
        of: MeetingId,
        access: WatchAccess,
        password: Option<String>,
    ) -> Result<(WatchSettings, String), BookRefused> {
        let known = self.owned(by, of, Permission::Write).await?;
        if access == WatchAccess::Registration || options_of(&known.options).webinar {
            return Err(model::BadBooking::Webinar.into());
        }
        let password = match (access, password) {
            (WatchAccess::Password, password) => {
                Some(check_password(&password.unwrap_or_default()).map_err(model::BadBooking::Password)?)
            }
            _ => None,
        };
        let settings = WatchSettings { access, password, signing_key: new_key() };
        self.store().set_watch_settings(of, &settings).await?;
        self.audience().settings.remember(of, Some(settings.clone()), Instant::now());
        let signature = link_signature(&settings, of);
        Ok((settings, signature))
    }

    /// Where an address leads: a meeting's id to its livestream that is on, else to its last, where there was one. A livestream's own id
    /// leads to itself.
    pub fn livestream_at(&self, address: BroadcastId) -> BroadcastId {
        let meeting = MeetingId::new(address.uuid());
        let streaming = &self.shared.resources.streaming;
        let newest = self.shared.registry.newest_livestream(meeting);
        let on = newest.filter(|id| streaming.origin().is_live(*id));
        // One that is about to begin takes the place of the film before it when there is something to see.
        on.or_else(|| streaming.recordings().last_livestream(meeting)).or(newest).unwrap_or(address)
    }

    /// Who may watch a livestream.
    pub async fn watch_access(&self, livestream: BroadcastId) -> Result<WatchAccess, StoreError> {
        let settings = self.settings_of(self.meeting_of(livestream)).await?;
        Ok(settings.map(|settings| settings.access).unwrap_or_default())
    }

    /// What the watch page says of a livestream's meeting, or of the meeting itself; none where there is none any more. Every viewer asks,
    /// most of all while they wait.
    pub async fn watch_about(&self, livestream: BroadcastId) -> Result<Option<WatchAbout>, StoreError> {
        let of = self.meeting_of(livestream);
        if let Some(about) = self.audience().abouts.known(of, Instant::now()) {
            return Ok(about);
        }
        let about = match self.store().meeting(of).await? {
            Some(meeting) => Some(self.about(meeting).await?),
            None => None,
        };
        self.audience().abouts.remember(of, about.clone(), Instant::now());
        Ok(about)
    }

    async fn about(&self, meeting: store::Meeting) -> Result<WatchAbout, StoreError> {
        let host = self.store().account(meeting.owner).await?.map(|owner| owner.display_name);
        let now = now_ms();
        let starts = self.store().occurrences(meeting.id).await?.into_iter().map(|occurrence| occurrence.start_ms);
        let start_ms = starts.filter(|start| *start > now).min();
        Ok(WatchAbout { title: as_held_next(self.store(), meeting).await?.title, host, start_ms })
    }

    /// Lets a viewer in, or says why not: the pass he shows from now on, for [`PASS_LASTS`]. None where everyone may
    /// watch.
    pub async fn admit_viewer(
        &self,
        livestream: BroadcastId,
        viewer: u128,
        admission: Credentials<'_>,
        source: IpAddr,
    ) -> Result<Option<String>, WatchRefused> {
        let meeting = self.meeting_of(livestream);
        let Some(settings) = self.settings_of(meeting).await? else { return Ok(None) };
        let now_s = now_ms() / 1_000;
        match settings.access {
            WatchAccess::Public => return Ok(None),
            WatchAccess::Password => {
                let said = admission.password.ok_or(WatchRefused::PasswordNeeded)?;
                let right = settings.password.as_deref().unwrap_or_default();
                let is_in = |pass| is_good(&settings, meeting, pass, now_s) && viewer_of(pass) == Some(viewer);
                // Who is in doesn't guess: what others of his network try is not to cost him the livestream. Neither is his
                // right word theirs: it doesn't clear what they have tried.
                if !(admission.pass.is_some_and(is_in) && same(said, right)) {
                    self.try_password(meeting, right, said, source)?;
                }
            }
            WatchAccess::Link => {
                let said = admission.signature.ok_or(WatchRefused::WrongLink)?;
                if !same(said, &link_signature(&settings, meeting)) {
                    return Err(WatchRefused::WrongLink);
                }
            }
            WatchAccess::Registration => {
                let said = admission.signature.ok_or(WatchRefused::RegistrationNeeded)?;
                let is_live = self.shared.resources.streaming.origin().is_live(livestream);
                self.admit_registrant(&settings, meeting, said, is_live).await?;
            }
            WatchAccess::Registered => {
                let account = admission.account.ok_or(WatchRefused::LoginNeeded)?;
                let site = self.store().meeting(meeting).await?.ok_or(WatchRefused::Missing)?.site;
                if account.site_id != site {
                    return Err(WatchRefused::WrongSite);
                }
            }
        }
        let until_s = now_s + PASS_LASTS.as_secs() as i64;
        Ok(Some(pass(&settings, meeting, viewer, until_s)))
    }

    /// Whether this request of a player may be answered, and for whom.
    pub async fn may_watch(&self, livestream: BroadcastId, pass: Option<&str>) -> Result<Gate, StoreError> {
        let meeting = self.meeting_of(livestream);
        let Some(settings) = self.settings_of(meeting).await? else { return Ok(Gate::Open) };
        if settings.access == WatchAccess::Public {
            return Ok(Gate::Open);
        }
        let is_his = pass.is_some_and(|pass| is_good(&settings, meeting, pass, now_ms() / 1_000));
        Ok(if is_his { Gate::Passed } else { Gate::Shut })
    }

    /// What changes when somebody else may watch than before: who was let in then is asked anew.
    pub async fn watch_epoch(&self, livestream: BroadcastId) -> Result<Option<String>, StoreError> {
        let settings = self.settings_of(self.meeting_of(livestream)).await?;
        let closed = settings.filter(|settings| settings.access != WatchAccess::Public);
        Ok(closed.map(|settings| sha256(&settings.signing_key)))
    }

    /// A viewer says that he is there. `source` is where from, where the number is of his own drawing: of one network not more are
    /// counted, nor faster, than a large company has.
    pub fn note_viewer(&self, livestream: BroadcastId, viewer: u128, source: Option<IpAddr>) -> Viewers {
        lock(&self.audience().counts).note(livestream, viewer, source.map(network_of), Instant::now())
    }

    /// How many watch.
    pub fn viewers(&self, livestream: BroadcastId) -> Viewers {
        lock(&self.audience().counts).of(livestream, Instant::now())
    }

    /// A livestream's meeting; of one from before the server's start only its recording knows.
    pub(crate) fn meeting_of(&self, livestream: BroadcastId) -> MeetingId {
        let of_recording = || self.shared.resources.streaming.recordings().replay(livestream);
        let known = self.shared.registry.meeting_of(livestream);
        // A meeting's first has the meeting's id.
        known.or_else(|| Some(of_recording()?.meeting)).unwrap_or_else(|| MeetingId::new(livestream.uuid()))
    }

    pub(crate) async fn settings_of(&self, meeting: MeetingId) -> Result<Option<WatchSettings>, StoreError> {
        if let Some(settings) = self.audience().settings.known(meeting, Instant::now()) {
            return Ok(settings);
        }
        let settings = self.read_settings(meeting).await?;
        self.audience().settings.remember(meeting, settings.clone(), Instant::now());
        Ok(settings)
    }

    /// A webinar's are by its booking (B7), whatever was set before; its key is made when it is first asked for.
    async fn read_settings(&self, meeting: MeetingId) -> Result<Option<WatchSettings>, StoreError> {
        let settings = self.store().watch_settings(meeting).await?;
        let known = self.store().meeting(meeting).await?;
        if !known.is_some_and(|known| options_of(&known.options).webinar) {
            return Ok(settings);
        }
        let settings = match settings {
            Some(settings) => Some(settings),
            None => {
                let new = WatchSettings { access: WatchAccess::Public, password: None, signing_key: new_key() };
                self.store().add_watch_settings(meeting, &new).await?;
                // Somebody else may have been quicker.
                self.store().watch_settings(meeting).await?
            }
        };
        Ok(settings.map(|settings| WatchSettings { access: WatchAccess::Registration, password: None, ..settings }))
    }

    fn try_password(&self, meeting: MeetingId, right: &str, said: &str, source: IpAddr) -> Result<(), WatchRefused> {
        let (network, now) = (network_of(source), Instant::now());
        // A whole office behind one address mistypes more than a person does: it is counted by livestream and network.
        let place = format!("{meeting} {network}");
        let mut tries = lock(&self.audience().tries);
        if let Some(left) = tries.locked_for(&place, network, now) {
            return Err(WatchRefused::TooManyTries(left));
        }
        if same(said, right) {
            tries.note_right(&place);
            return Ok(());
        }
        tries.note_wrong(&place, network, now);
        Err(WatchRefused::WrongPassword)
    }

    fn audience(&self) -> &Audience {
        &self.shared.audience
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Maps are whole between any two operations, whoever panicked.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn new_key() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

fn link_signature(settings: &WatchSettings, meeting: MeetingId) -> String {
    sign(settings, &format!("link {meeting}"))
}

/// `until.viewer.tag`, each hexadecimal.
fn pass(settings: &WatchSettings, meeting: MeetingId, viewer: u128, until_s: i64) -> String {
    let tag = sign(settings, &format!("pass {meeting} {until_s:x} {viewer:x}"));
    format!("{until_s:x}.{viewer:x}.{tag}")
}

/// Until when, and whose; whether it is good is another question.
fn parts_of(pass: &str) -> Option<(i64, u128)> {
    let mut words = pass.split('.');
    Some((i64::from_str_radix(words.next()?, 16).ok()?, u128::from_str_radix(words.next()?, 16).ok()?))
}

/// Who shows this pass, as his page has drawn him.
#[must_use]
pub fn viewer_of(pass: &str) -> Option<u128> {
    parts_of(pass).map(|(_, viewer)| viewer)
}

fn is_good(settings: &WatchSettings, meeting: MeetingId, shown: &str, now_s: i64) -> bool {
    let Some((until_s, viewer)) = parts_of(shown) else { return false };
    let lasts = PASS_LASTS.as_secs() as i64;
    (now_s..=now_s + lasts + 1).contains(&until_s) && same(shown, &pass(settings, meeting, viewer, until_s))
}

pub(crate) fn sign(settings: &WatchSettings, text: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(settings.signing_key.as_bytes()).expect("any length is a key");
    hex::encode(&mac.chain_update(text).finalize().into_bytes()[..16])
}

/// Compares without telling by its duration how much was right.
pub(crate) fn same(said: &str, right: &str) -> bool {
    Sha256::digest(said) == Sha256::digest(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> WatchSettings {
        WatchSettings { access: WatchAccess::Password, password: None, signing_key: new_key() }
    }

    // reliability: A13
    #[test]
    fn a_pass_is_of_one_meeting_one_key_and_five_minutes() {
        let (key, meeting) = (settings(), MeetingId::from_u128(1));
        let now = 1_790_000_000;
        let good = pass(&key, meeting, 7, now + 300);
        assert!(is_good(&key, meeting, &good, now) && is_good(&key, meeting, &good, now + 300));
        assert!(!is_good(&key, meeting, &good, now + 301), "it ends");
        assert!(!is_good(&key, MeetingId::from_u128(2), &good, now), "it is of one meeting");
        assert!(!is_good(&settings(), meeting, &good, now), "and of one key");
        let long = pass(&key, meeting, 7, now + 3_600);
        assert!(!is_good(&key, meeting, &long, now), "nobody has one for longer");
        let longer = good.replacen(&format!("{:x}", now + 300), &format!("{:x}", now + 301), 1);
        assert!(!is_good(&key, meeting, &longer, now + 1));
        for forged in ["", ".", "..", "0.0.0", "zz.1.2", &good[1..], &good.to_uppercase(), &format!("{good}.")] {
            assert!(!is_good(&key, meeting, forged, now), "{forged}");
        }
    }

    #[test]
    fn one_asks_the_database_and_the_others_believe_what_it_said() {
        let (lately, start, of) = (Lately::default(), Instant::now(), MeetingId::from_u128(1));
        assert_eq!(lately.known(of, start), None);
        lately.remember(of, 1, start);
        assert_eq!(lately.known(of, start + BELIEVED / 2), Some(1));
        assert_eq!(lately.known(MeetingId::from_u128(2), start), None);
        assert_eq!(lately.known(of, start + BELIEVED), None);
        assert_eq!(lately.known(of, start + BELIEVED), Some(1), "another one asks already");
        lately.remember(of, 2, start + BELIEVED);
        assert_eq!(lately.known(of, start + BELIEVED), Some(2));
        (0..2 * REMEMBERED_MAX as u128).for_each(|n| lately.remember(MeetingId::from_u128(n), 3, start));
        assert!(lock(&lately.0).len() <= REMEMBERED_MAX);
    }

    // product: B4
    #[test]
    fn viewers_are_counted_once_and_leave() {
        let (mut counts, start) = (Counts::default(), Instant::now());
        let [a, b] = [1, 2].map(BroadcastId::from_u128);
        counts.note(a, 1, None, start);
        counts.note(a, 2, None, start);
        assert_eq!(counts.note(a, 1, None, start), Viewers { live: 2, peak: 2 });
        assert_eq!(counts.of(b, start), Viewers::default());
        counts.note(a, 1, None, start + GONE_AFTER / 2);
        let just_before = start + GONE_AFTER - LOOK_EVERY / 2;
        assert_eq!(counts.of(a, just_before), Viewers { live: 2, peak: 2 });
        assert_eq!(counts.of(a, start + GONE_AFTER), Viewers { live: 2, peak: 2 }, "not looked for again so soon");
        assert_eq!(counts.of(a, just_before + LOOK_EVERY), Viewers { live: 1, peak: 2 });
        for n in 0..2 * COUNTED_MAX as u128 {
            counts.note(BroadcastId::from_u128(n), 1, None, start);
        }
        assert_eq!((counts.livestreams.len(), counts.oldest.len()), (COUNTED_MAX, COUNTED_MAX));
    }

    // product: B4
    #[test]
    fn a_network_adds_as_many_viewers_as_a_large_company_has_and_no_stranger_takes_the_others_places() {
        let (mut counts, start, livestream) = (Counts::default(), Instant::now(), BroadcastId::from_u128(1));
        let [here, there] = [1, 2].map(|n| Some(IpAddr::from([10, 0, 0, n])));
        let mut note = |viewers: std::ops::Range<u128>, network, seconds: f64| {
            let now = start + Duration::from_secs_f64(seconds);
            viewers.map(|viewer| counts.note(livestream, viewer, network, now).live).last().unwrap()
        };
        assert_eq!(note(0..10_000, here, 0.0), 200, "all at once");
        assert_eq!(note(0..10_000, here, 10.0), 400, "and who said it again is counted once");
        assert_eq!(note(10_000..10_100, there, 10.0), 500, "others are not concerned");
        for second in 0..100 {
            note(0..10_000, here, 11.0 + f64::from(second));
        }
        assert_eq!(note(0..10_000, here, 111.0), 2_000, "and the others have gone");
        assert_eq!(note(10_000..10_100, there, 111.0), 2_100);
        // Whom the server has given his number is counted.
        assert_eq!(note(20_000..20_500, None, 111.0), 2_600);
        assert_eq!(note(30_000..30_001, there, 200.0), 1, "who has gone takes no place");
        assert_eq!(note(40_000..50_000, here, 300.0), 200);
    }
}
