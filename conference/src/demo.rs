//! The site of `huitong serve --demo`: accounts of every mode, rooms and a meeting, made once and kept. The passwords are
//! known to everybody who reads this line: a demo is no place for secrets.

use model::{AccountId, AccountRole, BookingMode, MeetingId, RoomId, SiteId};
use store::{Room, Site, StoreError};

use crate::{Account, BookRefused, Conference, ConferenceError, MeetingInfo, login};

const PASSWORD: &str = "Huitong-2026";
const MEETING_PASSWORD: &str = "135790";

/// Known by their ids, so that a second start finds them whatever else has been made since.
const fn id(n: u128) -> u128 {
    0x0199_0000_0000_7000_8000_0000_0000_0000 + n
}

const SITE: SiteId = SiteId::from_u128(id(1));
const MEETING: MeetingId = MeetingId::from_u128(id(2));

/// Id, login name, display name, role and mode of each account; the first is the host.
const ACCOUNTS: [(AccountId, &str, &str, AccountRole, BookingMode); 4] = [
    (AccountId::from_u128(id(3)), "host", "韩梅梅", AccountRole::Operator, BookingMode::Dedicated),
    (AccountId::from_u128(id(4)), "member", "李雷", AccountRole::Member, BookingMode::Dedicated),
    (AccountId::from_u128(id(5)), "shared", "林涛", AccountRole::Member, BookingMode::Shared),
    (AccountId::from_u128(id(6)), "concurrent", "魏华", AccountRole::Member, BookingMode::Concurrent),
];

/// Id, name and capacity of the shared rooms.
const ROOMS: [(RoomId, &str, u32); 3] = [
    (RoomId::from_u128(id(7)), "一号会议室", 10),
    (RoomId::from_u128(id(8)), "二号会议室", 20),
    (RoomId::from_u128(id(9)), "报告厅", 100),
];

/// How to try the server.
#[derive(Debug, Clone)]
pub struct DemoSite {
    /// Login name and password.
    pub host: (&'static str, &'static str),
    /// Login name and password.
    pub member: (&'static str, &'static str),
    /// A meeting of the host's.
    pub meeting: MeetingInfo,
}

impl Conference {
    /// Makes what is missing of the demo site.
    pub async fn ensure_demo(&self) -> Result<DemoSite, ConferenceError> {
        let store = self.store();
        let site = Site {
            id: SITE,
            name: "会通演示".to_owned(),
            ports: 200,
            livestream: true,
            zone: "Asia/Shanghai".to_owned(),
        };
        match store.site(SITE).await? {
            None => store.add_site(&site).await?,
            // Of a server that knew no ports.
            Some(known) if known.ports == 0 => store.set_site(&site).await?,
            Some(_) => {}
        }
        for (id, name, capacity) in ROOMS {
            if store.room(id).await?.is_none() {
                store.add_room(&Room { id, site: SITE, name: name.to_owned(), capacity }).await?;
            }
        }
        for (id, name, display_name, role, mode) in ACCOUNTS {
            if store.account_by_name(name).await?.is_none() {
                let password_hash = login::hash(PASSWORD.to_owned()).await?;
                let account = store::Account {
                    id,
                    site: SITE,
                    name: name.to_owned(),
                    display_name: display_name.to_owned(),
                    password_hash,
                    initial_password: true,
                    role,
                    mode,
                    capacity: 100,
                    email: None,
                    mobile: None,
                    avatar: None,
                    disabled: false,
                    version: 1,
                };
                store.add_account(&account).await?;
            }
        }
        let host = store.account_by_name(ACCOUNTS[0].1).await?.ok_or(StoreError::Corrupt("no demo host"))?;
        let meeting = match store.meeting(MEETING).await? {
            Some(meeting) => meeting,
            None => {
                let password = Some(MEETING_PASSWORD.to_owned());
                let host = Account::of(host, Some(&site));
                let made = self.make_personal(MEETING, &host, "会通演示会议", password).await;
                made.map_err(|refused| match refused {
                    BookRefused::Store(error) => error,
                    _ => StoreError::Corrupt("a demo meeting that can't be booked"),
                })?
            }
        };
        let login = |n: usize| (ACCOUNTS[n].1, PASSWORD);
        Ok(DemoSite { host: login(0), member: login(1), meeting: self.info(meeting) })
    }
}
