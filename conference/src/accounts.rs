//! Accounts: what people change of their own, what administrators make, and the way back in for who forgot his
//! password.

use std::{net::IpAddr, time::Duration};

use model::{
    AccountId, AccountRole, Action, Actor, BookingMode, Command, InvalidText, Object, ParticipantId, Permission,
    Refusal, RoomId, SiteId, WeakPassword, authorize, check_login_password, check_name,
};
use serde_json::json;
use store::{Room, Site, Store, StoreError};
use uuid::Uuid;

use crate::{Conference, MeetingHandle, handle::Request, login, now_ms, outbox::Kind};

/// How long a way to a new password works.
const RESET_LASTS: Duration = Duration::from_secs(600);

/// Wrong codes until a way to a new password is closed: five of a million.
const RESET_TRIES_MAX: u32 = 5;

/// Digits of a PIN for telephones: two more than passwords of meetings have, so that none is taken for the other.
const PHONE_PIN_DIGITS: usize = 8;

/// The largest avatar, as a `data:` URL: a picture of 128 pixels has a tenth of it.
const AVATAR_BYTES_MAX: usize = 48 << 10;

/// Somebody logged in, or looked at by an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// For ever.
    pub id: AccountId,
    /// What he types at the login.
    pub name: String,
    /// As others read it.
    pub display_name: String,
    /// Where he belongs.
    pub site_id: SiteId,
    /// Its name.
    pub site: String,
    /// It has livestreams.
    pub livestream: bool,
    /// What he may.
    pub role: AccountRole,
    /// How he books.
    pub mode: BookingMode,
    /// The most participants of his own room (专属).
    pub capacity: u32,
    /// Where he gets mail.
    pub email: Option<String>,
    /// Where he gets short messages.
    pub mobile: Option<String>,
    /// A `data:` URL.
    pub avatar: Option<String>,
    /// He is to be asked for another password (L2).
    pub initial_password: bool,
    /// He may not log in.
    pub disabled: bool,
    /// Raised by each change.
    pub version: i64,
}

impl Account {
    /// What others ask for his picture by ([`Conference::avatar`]): another for each picture.
    pub(crate) fn avatar_key(&self) -> Option<String> {
        self.avatar.as_deref().map(|avatar| avatar_key(self.id, avatar))
    }

    pub(crate) fn of(account: store::Account, site: Option<&Site>) -> Self {
        Self {
            id: account.id,
            name: account.name,
            display_name: account.display_name,
            site_id: account.site,
            site: site.map(|site| site.name.clone()).unwrap_or_default(),
            livestream: site.is_some_and(|site| site.livestream),
            role: account.role,
            mode: account.mode,
            capacity: account.capacity,
            email: account.email,
            mobile: account.mobile,
            avatar: account.avatar,
            initial_password: account.initial_password,
            disabled: account.disabled,
            version: account.version,
        }
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor { account: self.id, site: self.site_id, role: self.role }
    }

    /// Whether he may do it.
    #[must_use]
    pub fn may(&self, permission: Permission, object: Object) -> bool {
        authorize(&self.actor(), permission, object)
    }
}

/// Why an account, a site or a room is not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountRefused {
    /// He may not.
    #[error("not allowed")]
    NotAllowed,
    /// There is none.
    #[error("there is no such thing")]
    Missing,
    /// Somebody has changed it meanwhile.
    #[error("it has been changed meanwhile")]
    Changed,
    /// The name.
    #[error("the name {0}")]
    Name(InvalidText),
    /// The new password.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
    /// The old password is wrong, or the code.
    #[error("the password or the code is wrong")]
    Wrong,
    /// Not now, but in so long.
    #[error("locked for {0:?} more")]
    Locked(Duration),
    /// Neither a mail address.
    #[error("not a mail address")]
    Email,
    /// Nor a telephone number.
    #[error("not a telephone number")]
    Mobile,
    /// No small picture.
    #[error("not a picture of at most {AVATAR_BYTES_MAX} bytes")]
    Avatar,
    /// It is more or less than can be.
    #[error("out of range")]
    Range,
    /// The database; or a login name that is taken.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something of ours broke.
    #[error("passwords can't be hashed")]
    Failed,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// What he types at the login.
    pub name: String,
    /// As others read it.
    pub display_name: String,
    /// His first one; he is asked to change it.
    pub password: String,
    /// What he may.
    pub role: AccountRole,
    /// How he books.
    pub mode: BookingMode,
    /// The most participants of his own room.
    pub capacity: u32,
    /// Where he gets mail.
    pub email: Option<String>,
    /// Where he gets short messages.
    pub mobile: Option<String>,
}

/// What is to be changed; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct AccountChange {
    /// As others read it.
    pub display_name: Option<String>,
    /// A `data:` URL; empty: none.
    pub avatar: Option<String>,
    /// Empty: none.
    pub email: Option<String>,
    /// Empty: none.
    pub mobile: Option<String>,
    /// For administrators alone.
    pub role: Option<AccountRole>,
    /// For administrators alone.
    pub mode: Option<BookingMode>,
    /// For administrators alone.
    pub capacity: Option<u32>,
    /// For administrators alone.
    pub disabled: Option<bool>,
}

impl AccountChange {
    fn is_administrative(&self) -> bool {
        self.role.is_some() || self.mode.is_some() || self.capacity.is_some() || self.disabled.is_some()
    }
}

/// How the way to a new password is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetBy {
    /// A link.
    Email,
    /// A code.
    Sms,
}

impl Conference {
    /// Changes a password (L6); all other sessions of the account end.
    pub async fn change_password(
        &self,
        by: &Account,
        token: &str,
        old: String,
        new: String,
        client: IpAddr,
    ) -> Result<(), AccountRefused> {
        check_login_password(&new)?;
        self.shared.logins.verify(self.store(), &by.name, old, None, client).await.map_err(
            |refused| match refused {
                login::LoginRefused::Wrong => AccountRefused::Wrong,
                login::LoginRefused::Locked(left) => AccountRefused::Locked(left),
                login::LoginRefused::Store(error) => error.into(),
                login::LoginRefused::Failed => AccountRefused::Failed,
            },
        )?;
        self.set_password(by.id, new, &login::sha256(token)).await?;
        self.note(by.site_id, Some(by.id), "account.password", &format!("account {}", by.id)).await;
        Ok(())
    }

    async fn set_password(&self, of: AccountId, new: String, keep: &str) -> Result<(), AccountRefused> {
        let password_hash = login::hash(new).await.map_err(|_| AccountRefused::Failed)?;
        let account = self.store().account(of).await?.ok_or(AccountRefused::Missing)?;
        let account = store::Account { password_hash, initial_password: false, ..account };
        if !self.store().set_account(&account).await? {
            return Err(AccountRefused::Changed);
        }
        Ok(self.store().remove_sessions(of, keep).await?)
    }

    /// Sends a way to a new password to whoever has this login name, if there is such an account with such an address
    /// (L3). Strangers learn nothing: the answer is the same, and the work is done behind it.
    pub fn forgot_password(&self, name: String, by: ResetBy, base: String) {
        let conference = self.clone();
        self.shared.registry.tasks.spawn(async move {
            if let Err(error) = conference.send_reset(&name, by, &base).await {
                tracing::error!(%error, "a way to a new password can't be sent");
            }
        });
    }

    async fn send_reset(&self, name: &str, by: ResetBy, base: &str) -> Result<(), StoreError> {
        let Some(account) = self.store().account_by_name(name).await?.filter(|account| !account.disabled) else {
            return Ok(());
        };
        let expires_ms = now_ms() + RESET_LASTS.as_millis() as i64;
        let reset = store::Reset { account: account.id, expires_ms, tries: 0 };
        match (by, account.email, account.mobile) {
            (ResetBy::Email, Some(to), _) => {
                let token = hex::encode(rand::random::<[u8; 32]>());
                self.store().add_reset(&login::sha256(&token), &reset).await?;
                let text = format!(
                    "请在 10 分钟内打开以下链接设置新密码；如非本人操作，请忽略本邮件。\n\
                     Open this link within 10 minutes to set a new password. If you didn’t request this, ignore this email.\n\n\
                     {base}/reset#{token}\n"
                );
                let subject = "会通：重设密码 · Reset your Huitong password";
                self.send(Kind::Email, &json!({"to": to, "subject": subject, "text": text})).await
            }
            (ResetBy::Sms, _, Some(to)) => {
                let code = format!("{:06}", rand::random_range(0..1_000_000));
                self.store().add_reset(&login::sha256(&format!("{}:{code}", account.name)), &reset).await?;
                let text = format!(
                    "【会通】验证码 {code}，10 分钟内有效。Your Huitong code is {code}. It is valid for 10 minutes."
                );
                self.send(Kind::Sms, &json!({"to": to, "text": text, "code": code})).await
            }
            _ => Ok(()),
        }
    }

    /// Sets a new password by the token of a link, or by login name and code. All sessions of the account end.
    pub async fn reset_password(&self, name: Option<&str>, secret: &str, new: String) -> Result<(), AccountRefused> {
        check_login_password(&new)?;
        let token = match name {
            Some(name) => login::sha256(&format!("{}:{secret}", name.trim().to_lowercase())),
            None => login::sha256(secret),
        };
        let Some(account) = self.store().take_reset(&token, now_ms()).await? else {
            if let Some(name) = name
                && let Some(account) = self.store().account_by_name(name).await?
            {
                self.store().note_wrong_reset(account.id, RESET_TRIES_MAX).await?;
            }
            return Err(AccountRefused::Wrong);
        };
        self.set_password(account, new, "").await
    }

    /// The picture that participants are told of by this key, as a `data:` URL; none once it was changed.
    pub async fn avatar(&self, key: &str) -> Result<Option<String>, StoreError> {
        let Some(id) = key.split_once('.').and_then(|(id, _)| id.parse().ok()) else { return Ok(None) };
        let account = self.store().account(id).await?;
        let avatar = account.filter(|account| !account.disabled).and_then(|account| account.avatar);
        Ok(avatar.filter(|avatar| avatar_key(id, avatar) == key))
    }

    /// Changes an account: one's own (L5), or another's where one administers its site.
    pub async fn change_account(
        &self,
        by: &Account,
        id: AccountId,
        version: Option<i64>,
        change: AccountChange,
    ) -> Result<Account, AccountRefused> {
        let mut account = self.account_for(by, id, Permission::Write).await?;
        if change.is_administrative() && !by.may(Permission::Write, Object::Site(account.site)) {
            return Err(AccountRefused::NotAllowed);
        }
        if change.role == Some(AccountRole::Operator) && by.role != AccountRole::Operator {
            return Err(AccountRefused::NotAllowed);
        }
        if version.is_some_and(|version| version != account.version) {
            return Err(AccountRefused::Changed);
        }
        let (before, pictured) = (account.display_name.clone(), account.avatar.clone());
        if let Some(name) = change.display_name {
            account.display_name = check_name(&name).map_err(AccountRefused::Name)?;
        }
        if let Some(avatar) = change.avatar {
            account.avatar = check_avatar(avatar)?;
        }
        if let Some(email) = change.email {
            account.email = check_email(email)?;
        }
        if let Some(mobile) = change.mobile {
            account.mobile = check_mobile(&mobile)?;
        }
        account.role = change.role.unwrap_or(account.role);
        account.mode = change.mode.unwrap_or(account.mode);
        account.capacity = check_capacity(change.capacity.unwrap_or(account.capacity))?;
        account.disabled = change.disabled.unwrap_or(account.disabled);
        if !self.store().set_account(&account).await? {
            return Err(AccountRefused::Changed);
        }
        if account.disabled {
            self.store().remove_sessions(account.id, "").await?;
        }
        self.note(account.site, Some(by.id), "account.change", &format!("account {id}")).await;
        account.version += 1;
        let changed = login::with_site(self.store(), account).await?;
        if changed.display_name != before || changed.avatar != pictured {
            let (name, avatar) = (changed.display_name.clone(), changed.avatar_key());
            self.tell_meetings(|| Command::Profile {
                account: id,
                before: before.clone(),
                name: name.clone(),
                avatar: avatar.clone(),
            })
            .await;
        }
        Ok(changed)
    }

    /// Tells all meetings that are live here.
    async fn tell_meetings(&self, command: impl Fn() -> Command) {
        for way in self.shared.registry.ways() {
            // One that has just ended needs none.
            let _ = way.requests.send(Request::Decided(command())).await;
        }
    }

    /// What he keys on a telephone to be host of his meetings (P4); none where he has none yet.
    pub async fn phone_pin(&self, of: &Account) -> Result<Option<String>, StoreError> {
        self.store().phone_pin(of.id).await
    }

    /// A caller keys a PIN in his meeting: the one of who booked it makes him host, a colleague's says who he is (P4). True where
    /// he is a colleague.
    pub async fn claim_by_pin(&self, meeting: &MeetingHandle, by: ParticipantId, pin: &str) -> Result<bool, Refusal> {
        let failed = |error: StoreError| {
            tracing::error!(%error, "a PIN can't be looked up");
            Refusal::Failed
        };
        // What can't be one asks no database.
        if pin.len() == PHONE_PIN_DIGITS
            && let Some(row) = self.store().meeting(meeting.id()).await.map_err(failed)?
            && let Some(found) = self.store().account_by_phone_pin(row.site, pin).await.map_err(failed)?
            && found.id != row.owner
        {
            let account = login::with_site(self.store(), found).await.map_err(failed)?;
            return meeting.known(by, &account).await.map(|()| true);
        }
        meeting.command(by, Action::ClaimHost { pin: pin.to_owned() }).await.map(|()| false)
    }

    /// Draws him a new one, which counts at once, in meetings that are live here too.
    pub async fn draw_phone_pin(&self, of: &Account) -> Result<String, StoreError> {
        let pin: String = (0..PHONE_PIN_DIGITS).map(|_| char::from(rand::random_range(b'0'..=b'9'))).collect();
        self.store().set_phone_pin(of.id, &pin).await?;
        self.tell_meetings(|| Command::HostPin(of.id, pin.clone())).await;
        Ok(pin)
    }

    /// An account, for somebody who may look at it.
    pub async fn account(&self, by: &Account, id: AccountId) -> Result<Account, AccountRefused> {
        let account = self.account_for(by, id, Permission::Read).await?;
        Ok(login::with_site(self.store(), account).await?)
    }

    async fn account_for(
        &self,
        by: &Account,
        id: AccountId,
        permission: Permission,
    ) -> Result<store::Account, AccountRefused> {
        let found = self.store().account(id).await?;
        let may =
            |account: &store::Account| by.may(permission, Object::Owned { site: account.site, owner: account.id });
        // What one may not look at is not there.
        found.filter(may).ok_or(AccountRefused::Missing)
    }

    /// Makes an account on a site.
    pub async fn create_account(&self, by: &Account, site: SiteId, new: NewAccount) -> Result<Account, AccountRefused> {
        let site = self.site(by, site, Permission::Write).await?;
        if new.role == AccountRole::Operator && by.role != AccountRole::Operator {
            return Err(AccountRefused::NotAllowed);
        }
        make_account(self.store(), site, Some(by.id), new).await
    }

    /// A site's accounts, in order of their making.
    pub async fn accounts(
        &self,
        by: &Account,
        site: SiteId,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<Account>, AccountRefused> {
        let site = self.site(by, site, Permission::Read).await?;
        let found = self.store().accounts(site.id, after, limit).await?;
        Ok(found.into_iter().map(|account| Account::of(account, Some(&site))).collect())
    }

    /// A site, for somebody who administers it.
    pub async fn site(&self, by: &Account, id: SiteId, permission: Permission) -> Result<Site, AccountRefused> {
        if !by.may(permission, Object::Site(id)) {
            // To strangers it is not there; colleagues may know that it is.
            let is_own = by.site_id == id;
            return Err(if is_own { AccountRefused::NotAllowed } else { AccountRefused::Missing });
        }
        self.store().site(id).await?.ok_or(AccountRefused::Missing)
    }

    /// By which clocks an account lives: its site's zone, IANA.
    pub async fn zone_of(&self, of: &Account) -> Result<Option<String>, StoreError> {
        Ok(self.store().site(of.site_id).await?.map(|site| site.zone))
    }

    /// The sites one may look at.
    pub async fn sites(&self, by: &Account, after: Option<SiteId>, limit: u32) -> Result<Vec<Site>, AccountRefused> {
        if by.may(Permission::Read, Object::Sites) {
            return Ok(self.store().sites(after, limit).await?);
        }
        match self.site(by, by.site_id, Permission::Read).await {
            Ok(site) if after.is_none() => Ok(vec![site]),
            Ok(_) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Makes a site.
    pub async fn create_site(&self, by: &Account, site: Site) -> Result<Site, AccountRefused> {
        if !by.may(Permission::Write, Object::Sites) {
            return Err(AccountRefused::NotAllowed);
        }
        let site = Site { id: SiteId::new(Uuid::now_v7()), ..check_site(site)? };
        self.store().add_site(&site).await?;
        self.note(site.id, Some(by.id), "site.create", &format!("site {}", site.id)).await;
        Ok(site)
    }

    /// Changes a site: its ports and features are the operator's to give.
    pub async fn change_site(&self, by: &Account, site: Site) -> Result<Site, AccountRefused> {
        let known = self.site(by, site.id, Permission::Write).await?;
        let gives = known.ports != site.ports || known.livestream != site.livestream;
        if gives && !by.may(Permission::Write, Object::Sites) {
            return Err(AccountRefused::NotAllowed);
        }
        let site = check_site(site)?;
        self.store().set_site(&site).await?;
        self.note(site.id, Some(by.id), "site.change", &format!("site {}", site.id)).await;
        Ok(site)
    }

    /// Makes a shared room.
    pub async fn create_room(&self, by: &Account, room: Room) -> Result<Room, AccountRefused> {
        self.site(by, room.site, Permission::Write).await?;
        let name = check_name(&room.name).map_err(AccountRefused::Name)?;
        let capacity = check_capacity(room.capacity)?;
        let room = Room { id: RoomId::new(Uuid::now_v7()), name, capacity, ..room };
        self.store().add_room(&room).await?;
        self.note(room.site, Some(by.id), "room.create", &format!("room {}", room.id)).await;
        Ok(room)
    }

    /// A site's shared rooms; its members may know them.
    pub async fn rooms(&self, by: &Account, site: SiteId) -> Result<Vec<Room>, AccountRefused> {
        if !by.may(Permission::Read, Object::SiteFacts(site)) {
            return Err(AccountRefused::Missing);
        }
        Ok(self.store().rooms(site).await?)
    }

    /// A site's audit log, the newest first.
    pub async fn audit(
        &self,
        by: &Account,
        site: SiteId,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<store::AuditEntry>, AccountRefused> {
        self.site(by, site, Permission::Read).await?;
        Ok(self.store().audit(site, before, limit).await?)
    }

    /// Writes a line into the audit log.
    pub(crate) async fn note(&self, site: SiteId, account: Option<AccountId>, action: &str, object: &str) {
        note(self.store(), site, account, action, object).await;
    }
}

/// Makes an account on the site of this name, for whoever sits at the machine (`huitong user add`). The site is made
/// where the server has none at all.
pub async fn add_account(store: &Store, site: &str, new: NewAccount) -> Result<Account, AccountRefused> {
    let known = match store.site_by_name(site).await? {
        Some(known) => known,
        None if store.sites(None, 1).await?.is_empty() => {
            let zone = jiff::tz::TimeZone::system().iana_name().unwrap_or("Asia/Shanghai").to_owned();
            let (id, name) = (SiteId::new(Uuid::now_v7()), site.to_owned());
            let made = check_site(Site { id, name, ports: FIRST_PORTS, livestream: true, zone })?;
            store.add_site(&made).await?;
            made
        }
        None => return Err(AccountRefused::Missing),
    };
    make_account(store, known, None, new).await
}

async fn make_account(
    store: &Store,
    site: Site,
    by: Option<AccountId>,
    new: NewAccount,
) -> Result<Account, AccountRefused> {
    let name = check_name(&new.name).map_err(AccountRefused::Name)?.to_lowercase();
    let display_name = check_name(&new.display_name).map_err(AccountRefused::Name)?;
    check_login_password(&new.password)?;
    let account = store::Account {
        id: AccountId::new(Uuid::now_v7()),
        site: site.id,
        name,
        display_name,
        password_hash: login::hash(new.password).await.map_err(|_| AccountRefused::Failed)?,
        initial_password: true,
        role: new.role,
        mode: new.mode,
        capacity: check_capacity(new.capacity)?,
        email: new.email.map_or(Ok(None), check_email)?,
        mobile: new.mobile.map_or(Ok(None), |mobile| check_mobile(&mobile))?,
        avatar: None,
        disabled: false,
        version: 1,
    };
    store.add_account(&account).await?;
    note(store, site.id, by, "account.create", &format!("account {}", account.id)).await;
    Ok(Account::of(account, Some(&site)))
}

/// What was done is done, even where it can't be written down.
async fn note(store: &Store, site: SiteId, account: Option<AccountId>, action: &str, object: &str) {
    let entry = store::AuditEntry {
        id: Uuid::now_v7().to_string(),
        site,
        at_ms: now_ms(),
        account,
        action: action.to_owned(),
        object: object.to_owned(),
    };
    if let Err(error) = store.note(&entry).await {
        tracing::error!(%error, action, "audit log can't be written");
    }
}

fn check_capacity(capacity: u32) -> Result<u32, AccountRefused> {
    if (2..=model::CAPACITY_MAX).contains(&capacity) { Ok(capacity) } else { Err(AccountRefused::Range) }
}

/// Ports of a server's first site, until its operator says otherwise.
const FIRST_PORTS: u32 = 200;

/// The most ports of a site: what no machine of today carries.
const PORTS_MAX: u32 = 100_000;

fn check_site(site: Site) -> Result<Site, AccountRefused> {
    let name = check_name(&site.name).map_err(AccountRefused::Name)?;
    if site.ports > PORTS_MAX || jiff::tz::TimeZone::get(&site.zone).is_err() {
        return Err(AccountRefused::Range);
    }
    Ok(Site { name, ..site })
}

/// What is surely no mail address is refused; whether it is one shows when mail is sent.
pub(crate) fn check_email(text: String) -> Result<Option<String>, AccountRefused> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse::<lettre::Address>().map_err(|_| AccountRefused::Email)?;
    Ok(Some(text))
}

/// Digits, as E.164 or the country writes them, without what people write between them.
pub(crate) fn check_mobile(text: &str) -> Result<Option<String>, AccountRefused> {
    let text = sipconf::without_spaces(text);
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix('+').unwrap_or(&text);
    let good = (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if good { Ok(Some(text)) } else { Err(AccountRefused::Mobile) }
}

/// An account and its picture's hash: who was told of neither guesses neither.
fn avatar_key(id: AccountId, avatar: &str) -> String {
    format!("{id}.{}", login::sha256(avatar))
}

fn check_avatar(text: String) -> Result<Option<String>, AccountRefused> {
    if text.is_empty() {
        return Ok(None);
    }
    // No SVG: it can carry scripts.
    let kinds = ["data:image/png;base64,", "data:image/jpeg;base64,", "data:image/webp;base64,"];
    let body = kinds.iter().find_map(|kind| text.strip_prefix(kind)).ok_or(AccountRefused::Avatar)?;
    let is_base64 = body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    if is_base64 && text.len() <= AVATAR_BYTES_MAX { Ok(Some(text)) } else { Err(AccountRefused::Avatar) }
}
