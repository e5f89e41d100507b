//! The site of `huitong serve --demo`: two accounts and a meeting, made once and kept. The passwords are known to
//! everybody who reads this line: a demo is no place for secrets.

use model::{AccountId, SiteId};
use store::Site;
use uuid::Uuid;

use crate::{Account, Conference, ConferenceError, CreateRefused, MeetingInfo, NewMeeting, login};

const PASSWORD: &str = "Huitong-2026";
const MEETING_PASSWORD: &str = "135790";

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
    /// Makes the demo site unless it is there.
    pub async fn ensure_demo(&self) -> Result<DemoSite, ConferenceError> {
        let store = &self.shared.store;
        if store.account_by_name("host").await?.is_none() {
            let site = Site { id: SiteId::new(Uuid::now_v7()), name: "会通演示".to_owned() };
            store.add_site(&site).await?;
            for (name, display_name) in [("host", "韩梅梅"), ("member", "李雷")] {
                let id = AccountId::new(Uuid::now_v7());
                let account = login::new_account(id, site.id, name, display_name, PASSWORD).await?;
                store.add_account(&account).await?;
            }
        }
        let host = store.account_by_name("host").await?.ok_or(store::StoreError::Corrupt("no demo host"))?;
        let host = Account { id: host.id, name: host.name, display_name: host.display_name, site: String::new() };
        let existing = self.meetings(&host).await?.into_iter().last();
        let meeting = match existing {
            Some(meeting) => meeting,
            None => {
                let new =
                    NewMeeting { title: "会通演示会议".to_owned(), password: Some(MEETING_PASSWORD.to_owned()) };
                self.create_meeting(&host, new).await.map_err(|error| match error {
                    CreateRefused::Store(error) => ConferenceError::Store(error),
                    CreateRefused::Title(_) | CreateRefused::Password(_) => {
                        unreachable!("the demo's title and password follow the rules")
                    }
                })?
            }
        };
        Ok(DemoSite { host: ("host", PASSWORD), member: ("member", PASSWORD), meeting })
    }
}
