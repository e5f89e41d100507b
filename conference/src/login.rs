//! Passwords and sessions. Hashing is slow on purpose and memory-hungry: it runs off the async threads, a few at a time.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use model::AccountId;
use sha2::{Digest, Sha256};
use store::{Store, StoreError};
use tokio::sync::Semaphore;

use crate::{Account, ConferenceError, now_ms};

/// argon2id: 19 MiB, two passes (OWASP's choice for servers).
const MEMORY_KIB: u32 = 19 * 1024;
/// See [`MEMORY_KIB`].
const PASSES: u32 = 2;

/// Passwords hashed at once: more would only fight for the cores that carry calls.
const AT_ONCE: usize = 2;

/// Wrong passwords until an account is locked, and for how long (L4).
const WRONG_MAX: u32 = 3;
/// See [`WRONG_MAX`].
const LOCKED_FOR: Duration = Duration::from_secs(180);

/// Names remembered for their wrong passwords; beyond it the oldest are forgotten. A stranger who tries more names than
/// this in three minutes has waited for hundreds of seconds of hashing.
const REMEMBERED_MAX: usize = 10_000;

/// Somebody has logged in.
pub struct Session {
    /// Opaque; goes into the cookie and is known to nobody else.
    pub token: String,
    /// Who.
    pub account: Account,
}

/// Why somebody has not.
#[derive(Debug, thiserror::Error)]
pub enum LoginRefused {
    /// The name or the password.
    #[error("the name or the password is wrong")]
    Wrong,
    /// Too many wrong ones.
    #[error("locked for {0:?} more")]
    Locked(Duration),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something of ours broke.
    #[error("passwords can't be checked")]
    Failed,
}

pub(crate) struct Logins {
    slots: Semaphore,
    /// Hash of nobody's password, checked for unknown names so that they take as long.
    nobody: String,
    /// By name and source: a stranger elsewhere can't lock the owner out.
    wrong: Mutex<HashMap<(String, IpAddr), Wrong>>,
}

struct Wrong {
    count: u32,
    last: Instant,
}

impl Logins {
    pub(crate) async fn new() -> Result<Self, ConferenceError> {
        let nobody = hash(hex::encode(rand::random::<[u8; 16]>())).await?;
        Ok(Self { slots: Semaphore::new(AT_ONCE), nobody, wrong: Mutex::default() })
    }

    pub(crate) async fn login(
        &self,
        store: &Store,
        lasts: Duration,
        name: &str,
        password: String,
        client: IpAddr,
    ) -> Result<Session, LoginRefused> {
        let key = (name.trim().to_lowercase(), client);
        if let Some(left) = self.locked_for(&key) {
            return Err(LoginRefused::Locked(left));
        }
        let found = store.account_by_name(&key.0).await?;
        let hash = found.as_ref().map_or_else(|| self.nobody.clone(), |account| account.password_hash.clone());
        let right = {
            let _slot = self.slots.acquire().await.map_err(|_| LoginRefused::Failed)?;
            tokio::task::spawn_blocking(move || verify(&password, &hash)).await.map_err(|_| LoginRefused::Failed)?
        };
        let Some(account) = found.filter(|_| right) else {
            self.note_wrong(key);
            return Err(LoginRefused::Wrong);
        };
        self.lock().remove(&key);
        let token = hex::encode(rand::random::<[u8; 32]>());
        let expires = now_ms() + lasts.as_millis() as i64;
        store.add_session(&sha256(&token), account.id, now_ms(), expires).await?;
        Ok(Session { token, account: with_site(store, account).await? })
    }

    fn locked_for(&self, key: &(String, IpAddr)) -> Option<Duration> {
        let wrong = self.lock();
        let entry = wrong.get(key).filter(|entry| entry.count >= WRONG_MAX)?;
        LOCKED_FOR.checked_sub(entry.last.elapsed()).filter(|left| !left.is_zero())
    }

    fn note_wrong(&self, key: (String, IpAddr)) {
        let mut wrong = self.lock();
        if wrong.len() >= REMEMBERED_MAX {
            wrong.retain(|_, entry| entry.last.elapsed() < LOCKED_FOR);
        }
        if wrong.len() >= REMEMBERED_MAX {
            wrong.clear();
        }
        let entry = wrong.entry(key).or_insert_with(|| Wrong { count: 0, last: Instant::now() });
        if entry.last.elapsed() >= LOCKED_FOR {
            entry.count = 0;
        }
        entry.count += 1;
        entry.last = Instant::now();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, IpAddr), Wrong>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn session(store: &Store, token: &str) -> Result<Option<Account>, StoreError> {
    match store.account_by_session(&sha256(token), now_ms()).await? {
        Some(account) => Ok(Some(with_site(store, account).await?)),
        None => Ok(None),
    }
}

async fn with_site(store: &Store, account: store::Account) -> Result<Account, StoreError> {
    let site = store.site(account.site).await?.map(|site| site.name).unwrap_or_default();
    Ok(Account { id: account.id, name: account.name, display_name: account.display_name, site })
}

pub(crate) fn sha256(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("the numbers are within argon2's ranges");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A new password's hash in PHC form.
pub(crate) async fn hash(password: String) -> Result<String, ConferenceError> {
    let hashed = tokio::task::spawn_blocking(move || {
        argon2().hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(|error| error.to_string())
    });
    hashed.await.map_err(|error| ConferenceError::Hash(error.to_string()))?.map_err(ConferenceError::Hash)
}

fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
}

/// An account to be added by hand or by the demo.
pub(crate) async fn new_account(
    id: AccountId,
    site: model::SiteId,
    name: &str,
    display_name: &str,
    password: &str,
) -> Result<store::Account, ConferenceError> {
    Ok(store::Account {
        id,
        site,
        name: name.to_owned(),
        display_name: display_name.to_owned(),
        password_hash: hash(password.to_owned()).await?,
        initial_password: true,
    })
}
