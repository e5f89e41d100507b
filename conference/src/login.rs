//! Passwords and sessions. Hashing is slow on purpose and memory-hungry: it runs off the async threads, a few at a time.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use hmac::{Hmac, KeyInit, Mac};
use model::network_of;
use sha2::{Digest, Sha256};
use store::{Store, StoreError};
use tokio::sync::Semaphore;

use crate::{Account, ConferenceError, lockout::Lockout, now_ms};

/// argon2id: 19 MiB, two passes (OWASP's choice for servers).
const MEMORY_KIB: u32 = 19 * 1024;
/// See [`MEMORY_KIB`].
const PASSES: u32 = 2;

/// Passwords hashed at once: more would only fight for the cores that carry calls.
const AT_ONCE: usize = 2;

/// Logins that may wait for their turn at hashing; the next one is told to come again. 64 are three seconds of it.
const WAITING_MAX: usize = 64;

/// What a login is told that finds no room to wait.
const COME_AGAIN: Duration = Duration::from_secs(2);

/// The longest login name that is looked up, in bytes.
const NAME_MAX: usize = 200;

/// Somebody has logged in.
pub struct Session {
    /// Opaque; goes into the cookie and is known to nobody else.
    pub token: String,
    /// Tells this browser from strangers' when somebody tries his name's passwords (L4).
    pub device: String,
    /// Who.
    pub account: Account,
}

/// Why somebody has not.
#[derive(Debug, thiserror::Error)]
pub enum LoginRefused {
    /// The name or the password.
    #[error("the name or the password is wrong")]
    Wrong,
    /// Not now, but in so long: too many wrong ones, or too many logins at once.
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
    /// Logins let in to wait or to hash.
    room: Arc<Semaphore>,
    hashing: Arc<Semaphore>,
    /// Hash of nobody's password, checked for unknown names so that they take as long.
    nobody: String,
    lockout: Mutex<Lockout>,
    /// Signs devices.
    secret: String,
}

impl Logins {
    pub(crate) async fn new(store: &Store) -> Result<Self, ConferenceError> {
        Ok(Self {
            secret: store.secret("devices", &hex::encode(rand::random::<[u8; 32]>())).await?,
            room: Arc::new(Semaphore::new(WAITING_MAX + AT_ONCE)),
            hashing: Arc::new(Semaphore::new(AT_ONCE)),
            nobody: hash(hex::encode(rand::random::<[u8; 16]>())).await?,
            lockout: Mutex::default(),
        })
    }

    pub(crate) async fn login(
        &self,
        store: &Store,
        lasts: Duration,
        name: &str,
        password: String,
        device: Option<&str>,
        client: IpAddr,
    ) -> Result<Session, LoginRefused> {
        let account = self.verify(store, name, password, device, client).await?;
        Ok(self.open(store, lasts, account).await?)
    }

    /// A session for somebody who has shown who he is.
    pub(crate) async fn open(
        &self,
        store: &Store,
        lasts: Duration,
        account: store::Account,
    ) -> Result<Session, StoreError> {
        let token = hex::encode(rand::random::<[u8; 32]>());
        let expires = now_ms() + lasts.as_millis() as i64;
        store.add_session(&sha256(&token), account.id, now_ms(), expires).await?;
        let device = self.sign(&account.name, &hex::encode(rand::random::<[u8; 16]>()));
        Ok(Session { token, device, account: with_site(store, account).await? })
    }

    /// Checks a password, within all limits.
    pub(crate) async fn verify(
        &self,
        store: &Store,
        name: &str,
        password: String,
        device: Option<&str>,
        client: IpAddr,
    ) -> Result<store::Account, LoginRefused> {
        let name = name.trim().to_lowercase();
        if name.len() > NAME_MAX {
            return Err(LoginRefused::Wrong);
        }
        let network = network_of(client);
        let counter = self.counter(&name, device);
        self.check_lock(&counter, network)?;
        let _room = self.room.try_acquire().map_err(|_| LoginRefused::Locked(COME_AGAIN))?;
        let found = store.account_by_name(&name).await?;
        let hash = found.as_ref().map_or_else(|| self.nobody.clone(), |account| account.password_hash.clone());
        let slot = Arc::clone(&self.hashing).acquire_owned().await.map_err(|_| LoginRefused::Failed)?;
        // Others may have been wrong meanwhile.
        self.check_lock(&counter, network)?;
        // The slot goes along: who hangs up meanwhile does not make room for more hashing at once.
        let verified = tokio::task::spawn_blocking(move || (verify(&password, &hash), slot)).await;
        let (is_right, _slot) = verified.map_err(|_| LoginRefused::Failed)?;
        let Some(account) = found.filter(|account| is_right && !account.disabled) else {
            self.lock().note_wrong(&counter, network, Instant::now());
            return Err(LoginRefused::Wrong);
        };
        self.lock().note_right(&counter);
        Ok(account)
    }

    /// What wrong passwords are counted by: a browser that has logged in with this name has a counter of its own, so that
    /// strangers who try the name lock only each other.
    fn counter(&self, name: &str, device: Option<&str>) -> String {
        let nonce = device.and_then(|device| device.split_once('.')).map(|(nonce, _)| nonce);
        match nonce.filter(|nonce| device == Some(self.sign(name, nonce).as_str())) {
            Some(nonce) => format!("{name} {nonce}"),
            None => name.to_owned(),
        }
    }

    /// `nonce` and a dot and a tag that only this server can make for it and `name`.
    pub(crate) fn sign(&self, name: &str, nonce: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("any length is a key");
        let tag = mac.chain_update(format!("{name} {nonce}")).finalize().into_bytes();
        format!("{nonce}.{}", hex::encode(tag))
    }

    fn check_lock(&self, name: &str, network: IpAddr) -> Result<(), LoginRefused> {
        let left = self.lock().locked_for(name, network, Instant::now());
        left.map_or(Ok(()), |left| Err(LoginRefused::Locked(left)))
    }

    fn lock(&self) -> MutexGuard<'_, Lockout> {
        // Counters are whole between any two operations, whoever panicked.
        self.lockout.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn session(store: &Store, token: &str) -> Result<Option<Account>, StoreError> {
    match store.account_by_session(&sha256(token), now_ms()).await? {
        Some(account) => Ok(Some(with_site(store, account).await?)),
        None => Ok(None),
    }
}

pub(crate) async fn with_site(store: &Store, account: store::Account) -> Result<Account, StoreError> {
    let site = store.site(account.site).await?;
    Ok(Account::of(account, site.as_ref()))
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
