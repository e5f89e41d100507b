//! The site of `huitong serve --demo`: two accounts and a meeting, made once and kept. The passwords are known to
//! everybody who reads this line: a demo is no place for secrets.

use model::{AccountId, MeetingId, SiteId};
use store::{Site, StoreError};

use crate::{Account, Conference, ConferenceError, MeetingInfo, NewMeeting, login};

const PASSWORD: &str = "Huitong-2026";
const MEETING_PASSWORD: &str = "135790";

/// Known by their ids, so that a second start finds them whatever else has been made since.
const SITE: SiteId = SiteId::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001);
/// See [`SITE`].
const MEETING: MeetingId = MeetingId::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0002);
/// Id, login name and display name of each account; the first is the host.
const ACCOUNTS: [(AccountId, &str, &str); 2] = [
    (AccountId::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0003), "host", "韩梅梅"),
    (AccountId::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0004), "member", "李雷"),
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
        if store.site(SITE).await?.is_none() {
            store.add_site(&Site { id: SITE, name: "会通演示".to_owned() }).await?;
        }
        for (id, name, display_name) in ACCOUNTS {
            if store.account_by_name(name).await?.is_none() {
                let account = login::new_account(id, SITE, name, display_name, PASSWORD).await?;
                store.add_account(&account).await?;
            }
        }
        let (_, host, display_name) = ACCOUNTS[0];
        let owner = store.account_by_name(host).await?.ok_or(StoreError::Corrupt("no demo host"))?;
        let meeting = match store.meeting(MEETING).await? {
            Some(meeting) => self.info(meeting),
            None => {
                let site = String::new();
                let owner = Account { id: owner.id, name: owner.name, display_name: display_name.to_owned(), site };
                let (title, password) = ("会通演示会议".to_owned(), Some(MEETING_PASSWORD.to_owned()));
                self.add_meeting(MEETING, &owner, NewMeeting { title, password }).await?
            }
        };
        Ok(DemoSite { host: (host, PASSWORD), member: (ACCOUNTS[1].1, PASSWORD), meeting })
    }
}
