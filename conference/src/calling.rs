//! What sites may spend on calling telephones, and what they have (P8). One ledger a site, begun with what the database has of
//! the last day.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::{
    Bill, CALLING_DAY_MS, CallingLedger, CallingPolicy, CallingUsed, Object, Permission, PhoneNumber, Refusal, SiteId,
};
use store::{Store, StoreError};

use crate::{Account, AccountRefused, Conference, now_ms};

/// How often a call under way is looked at. Longer, and a site's last money is overdrawn by more.
const LOOK: Duration = Duration::from_secs(2);

/// The most a policy may say: what an `i64` of thousandths holds many times over.
const MAX: u32 = 1_000_000;

/// Beginnings of numbers a policy may name.
const PREFIXES_MAX: usize = 200;

/// All sites that have called.
pub(crate) struct Calling {
    default: CallingPolicy,
    sites: Mutex<HashMap<SiteId, SiteCalls>>,
}

struct SiteCalls {
    policy: CallingPolicy,
    ledger: CallingLedger,
}

/// One call under way, within what its site may; over when dropped.
pub struct Admission {
    calling: Arc<Calling>,
    site: SiteId,
    call: u64,
}

impl Calling {
    pub(crate) fn new(default: CallingPolicy) -> Self {
        Self { default, sites: Mutex::default() }
    }

    /// Learns of a site what the database has; does nothing where it is known.
    pub(crate) async fn learn(&self, store: &Store, site: SiteId) -> Result<(), StoreError> {
        if self.sites().contains_key(&site) {
            return Ok(());
        }
        let policy = store.calling_policy(site).await?.unwrap_or_else(|| self.default.clone());
        let past = store.bills(site, now_ms() - CALLING_DAY_MS).await?;
        self.sites().entry(site).or_insert_with(|| SiteCalls { policy, ledger: CallingLedger::new(past) });
        Ok(())
    }

    /// A site that was learned of calls somebody; `price` of a minute in thousandths.
    pub(crate) fn admit(
        self: &Arc<Self>,
        site: SiteId,
        number: &PhoneNumber,
        price: i64,
    ) -> Result<Admission, Refusal> {
        let mut sites = self.sites();
        let SiteCalls { policy, ledger } = sites.get_mut(&site).ok_or(Refusal::Failed)?;
        let call = ledger.begin(policy, number.reveal(), price, now_ms())?;
        Ok(Admission { calling: Arc::clone(self), site, call })
    }

    fn with<T>(&self, site: SiteId, look: impl FnOnce(&mut SiteCalls) -> T) -> Option<T> {
        self.sites().get_mut(&site).map(look)
    }

    fn sites(&self) -> MutexGuard<'_, HashMap<SiteId, SiteCalls>> {
        // Whole between any two operations, whoever panicked.
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission {
    /// Somebody took the call: from now on it costs.
    pub fn answered(&self) {
        self.calling.with(self.site, |site| site.ledger.answered(self.call, now_ms()));
    }

    /// What it has come to.
    #[must_use]
    pub fn bill(&self) -> Bill {
        self.calling.with(self.site, |site| site.ledger.bill(self.call, now_ms())).unwrap_or_default()
    }

    /// Waits until the site has no more to spend.
    pub async fn spent(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let is_spent = self.calling.with(self.site, |site| site.ledger.is_spent(&site.policy, now_ms()));
            if is_spent == Some(true) {
                return;
            }
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.calling.with(self.site, |site| site.ledger.end(self.call, now_ms()));
    }
}

impl Conference {
    /// What a site may spend on calling telephones, and what it has, for who administers it.
    pub async fn calling(&self, by: &Account, site: SiteId) -> Result<(CallingPolicy, CallingUsed), AccountRefused> {
        self.site(by, site, Permission::Read).await?;
        let calling = &self.shared.resources.calling;
        calling.learn(self.store(), site).await?;
        let known = calling.with(site, |site| (site.policy.clone(), site.ledger.used(now_ms())));
        known.ok_or(AccountRefused::Failed)
    }

    /// Sets what it may: the operator pays, and says. Calls under way that are over it end.
    pub async fn set_calling(&self, by: &Account, site: SiteId, policy: CallingPolicy) -> Result<(), AccountRefused> {
        self.site(by, site, Permission::Write).await?;
        if !by.may(Permission::Write, Object::Sites) {
            return Err(AccountRefused::NotAllowed);
        }
        let is_prefix = |prefix: &String| {
            let digits = prefix.strip_prefix('+').unwrap_or(prefix);
            (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        let counts = [policy.calls_max, policy.minutes_per_day, policy.same_number_per_hour];
        let is_good = counts.iter().all(|count| *count <= MAX)
            && policy.budget_per_day.is_none_or(|budget| (0..=i64::from(MAX) * 1_000).contains(&budget))
            && policy.prefixes.len() <= PREFIXES_MAX
            && policy.prefixes.iter().all(is_prefix);
        if !is_good {
            return Err(AccountRefused::Range);
        }
        let calling = &self.shared.resources.calling;
        calling.learn(self.store(), site).await?;
        self.store().set_calling_policy(site, &policy).await?;
        calling.with(site, |site| site.policy = policy);
        self.note(site, Some(by.id), "site.set_calling", &format!("site/{site}")).await;
        Ok(())
    }
}
